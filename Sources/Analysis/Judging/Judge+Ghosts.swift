import Base
import Capture

extension Judge {
    /// A 200 that left this long after the CANCEL was taken did not cross it.
    private static let crossed: Int64 = 3 * second
    private static let shortestGhost: Int64 = 10 * second

    /// sip.unfinished: a cancelled call that was answered all the same and goes on without its caller.
    ///
    /// Innocent: a caller that hangs up by BYE (RFC 3261 15), or stays and talks.
    mutating func ghost(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.dialog.progress.contains(.answered), !c.dialog.progress.contains(.accused),
            let index = c.steps.firstIndex(where: { $0.isRequest && $0.method == .cancel && $0.isFirst }),
            let accept = c.steps[(index + 1)...].first(where: {
                !$0.isRequest && $0.method == .invite && (200..<300).contains($0.status) && $0.leg == c.steps[index].leg
                    && $0.record.sequence == c.steps[index].record.sequence
            })
        else { return }
        let cancel = c.steps[index]
        let taken = c.response(to: cancel, from: index).map { c.steps[$0] }
        guard taken?.status ?? 200 < 300 else { return }
        let isFromClient = cancel.flags.contains(.fromClient)
        let bye = c.steps.first { $0.isRequest && $0.method == .bye && $0.flags.contains(.fromClient) == isFromClient }
        let end = c.steps.first { $0.isRequest && $0.method == .bye }
        let isLate = taken.map { (c.gap($0, accept) ?? 0) > Self.crossed } ?? false
        guard bye.map({ (c.gap(accept, $0) ?? 0) > Self.shortestGhost }) ?? true,
            end.flatMap({ c.gap(accept, $0) }) ?? c.silence(after: accept) > (isLate ? second : Self.shortestGhost)
        else { return }
        let (caller, callee) = (
            Self.name(table.endpoints[cancel.record.source]), Self.name(table.endpoints[accept.record.source])
        )
        let copy = c
        draft(
            .unheard(dialog: c.number, isCaller: isFromClient, from: accept.nanoseconds + second), .sipUnfinished, .fault,
            variant: isLate ? 201 : 200, &c, server: table.endpoints[accept.record.source].address
        ) {
            Finding(
                .sipUnfinished, .fault,
                isLate
                    ? "\(caller) cancelled its call, \(callee) said yes to that and answered the call all the same, \(spoken(copy.gap(cancel, accept) ?? 0)) later: the "
                        + "call goes on without its caller."
                    : "\(caller) cancelled its call in the moment it was answered, and sent no BYE after that: for \(callee) the call goes on without its caller.",
                details: [
                    isLate
                        ? "A cancelled INVITE is answered 487 and rings no more (RFC 3261 9.2)."
                        : "Where a 200 crosses the CANCEL the caller has to end the call by BYE (RFC 3261 9.1, 15).",
                    "That the caller is not heard any more follows from it.",
                ],
                evidence: [
                    Self.evidence(cancel, table, ["CSeq"], "cancelled"),
                    Self.evidence(accept, table, ["CSeq", "Contact"], "answered all the same"),
                ], culprit: .proved(isLate ? callee : caller), confidence: .likely,
                remedies: [
                    isLate
                        ? Remedy(
                            .server,
                            "Look in the log of \(callee) why the CANCEL does not end the call behind it; renew its software.")
                        : Remedy(
                            .phone, "Renew the software of \(caller): it has to send BYE for a call that was answered after all.")
                ], subject: Self.subject(copy, cancel, table))
        }
    }
}
