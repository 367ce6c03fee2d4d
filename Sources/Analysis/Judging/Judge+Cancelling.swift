import Base
import Capture

extension Judge {
    /// 64*T1 and a little: later no answer comes any more.
    private static let over: Int64 = 35 * second
    /// An answer this long after the CANCEL did not cross it.
    private static let crossing: Int64 = 3 * second

    /// A CANCEL whose branch is no INVITE's cancels nothing (RFC 3261 9.1): 481, and the call goes on.
    mutating func cancelAstray(_ c: inout DialogCase, _ table: SignallingTable) {
        for (index, cancel) in c.steps.enumerated()
        where cancel.isRequest && cancel.method == .cancel && cancel.isFirst && cancel.branch != 0 {
            let sequence = cancel.record.sequence
            guard let refused = c.response(to: cancel, from: index).map({ c.steps[$0] }), refused.status == 481,
                let invite = c.steps[..<index].last(where: {
                    $0.isRequest && $0.method == .invite && $0.record.sequence == sequence && $0.leg == cancel.leg
                        && $0.flags.contains(.fromClient) == cancel.flags.contains(.fromClient)
                }), invite.branch != 0,
                invite.branch == cancel.branch
                    || !c.steps.contains(where: { $0.isRequest && $0.method == .invite && $0.branch == cancel.branch }),
                // One with the right branch may follow.
                !c.steps.contains(where: { !$0.isRequest && $0.method == .cancel && $0.status < 300 })
            else { continue }
            let final = c.steps.first { !$0.isRequest && $0.status >= 200 && c.isAnswer($0, to: invite) }
            guard
                (final.map { c.gap(refused, $0) ?? 0 } ?? c.silence(after: refused)) > (final == nil ? Self.over : Self.crossing)
            else { continue }
            let caller = Self.name(table.endpoints[cancel.record.source])
            let callee = Self.name(table.endpoints[refused.record.source])
            let isAnswered = final.map { $0.status < 300 } ?? false
            let outcome = isAnswered ? "was answered all the same." : "went on ringing."
            if invite.branch == cancel.branch {
                // Whoever knows the INVITE, as it rings, knows what the CANCEL is about.
                guard c.steps.contains(where: { !$0.isRequest && (101..<200).contains($0.status) && c.isAnswer($0, to: invite) })
                else { continue }
                unknownCancel(invite, cancel, refused, outcome, &c, table)
                return
            }
            report(.sipUnfinished, .fault, variant: 481, c.server(cancel, table), &c) { c in
                Finding(
                    .sipUnfinished, .fault,
                    "\(caller) cancelled its call in vain: its CANCEL has another branch than its INVITE, \(callee) answered "
                        + "\(Self.words(refused, table)), and the call "
                        + outcome,
                    details: ["A CANCEL ends the INVITE whose topmost Via it repeats, branch and all (RFC 3261 9.1)."],
                    evidence: [
                        Self.evidence(invite, table, ["Via", "CSeq"], "the call"),
                        Self.evidence(cancel, table, ["Via", "CSeq"], "another branch"),
                        Self.evidence(refused, table, ["CSeq"], "knows no such INVITE"),
                    ] + (final.map { [Self.evidence($0, table, ["CSeq"], "how it went on")] } ?? []), culprit: .proved(caller),
                    confidence: .likely,
                    remedies: [
                        Remedy(
                            .router,
                            "Switch the SIP helper (ALG) of the router before \(caller) off: it may write the branch anew."),
                        Remedy(.phone, "If there is none, renew the software of \(caller)."),
                    ], subject: Self.subject(c, cancel, table))
            }
            return
        }
    }

    /// The CANCEL repeats the INVITE's branch, and its receiver knows nothing of it.
    private mutating func unknownCancel(
        _ invite: Step, _ cancel: Step, _ refused: Step, _ outcome: String, _ c: inout DialogCase, _ table: SignallingTable
    ) {
        let (caller, callee) = (
            Self.name(table.endpoints[cancel.record.source]), Self.name(table.endpoints[refused.record.source])
        )
        report(.sipUnfinished, .fault, variant: 482, c.server(cancel, table), &c) { c in
            Finding(
                .sipUnfinished, .fault,
                "\(caller) cancelled its call in vain: \(callee) answered \(Self.words(refused, table)) to a CANCEL that has the branch of the INVITE, and the "
                    + "call \(outcome)",
                details: ["A CANCEL ends the INVITE whose topmost Via it repeats (RFC 3261 9.2)."],
                evidence: [
                    Self.evidence(invite, table, ["Via", "CSeq"], "the call"),
                    Self.evidence(cancel, table, ["Via", "CSeq"], "the same branch"),
                    Self.evidence(refused, table, ["CSeq"], "knows no such INVITE"),
                ], culprit: Self.between(c, cancel, table), confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "See in the log of \(callee) why it does not find the call that the CANCEL is for; renew its software."),
                    Remedy(
                        .router,
                        "If the Request-URI or Via of the CANCEL arrives changed there, switch off the helper on the way."),
                ], subject: Self.subject(c, cancel, table))
        }
    }
}
