import Base
import Capture

/// sip.unfinished: an INVITE that somebody took and never finished.
extension Judge {
    /// 64*T1 and a little: later no answer comes any more.
    private static let over: Int64 = 35 * second
    /// So long a caller hears nothing at all before it is told.
    private static let stillness: Int64 = 20 * second

    mutating func unfinished(_ c: inout DialogCase, _ table: SignallingTable) {
        guard !c.dialog.progress.contains(.answered), !c.dialog.progress.contains(.accused) else { return }
        if !cancelledInVain(&c, table) { stuck(&c, table) }
    }

    private func isAnswered(_ sequence: UInt32, from status: Int, _ c: DialogCase) -> Bool {
        c.steps.contains { !$0.isRequest && $0.method == .invite && $0.record.sequence == sequence && $0.status >= status }
    }

    /// CANCEL was answered, and the INVITE it ended was not (RFC 3261 9.2).
    private mutating func cancelledInVain(_ c: inout DialogCase, _ table: SignallingTable) -> Bool {
        for (index, cancel) in c.steps.enumerated() where cancel.isRequest && cancel.method == .cancel && cancel.isFirst {
            let sequence = cancel.record.sequence
            guard let taken = c.response(to: cancel, from: index).map({ c.steps[$0] }), taken.status < 300,
                let invite = c.steps.last(where: {
                    $0.isRequest && $0.method == .invite && $0.record.sequence == sequence && $0.leg == cancel.leg
                }), c.silence(after: taken) > Self.over, !isAnswered(sequence, from: 200, c),
                !c.steps.contains(where: { $0.isRequest && $0.method == .ack && $0.record.sequence == sequence })
            else { continue }
            let (caller, callee) = (
                Self.name(table.endpoints[cancel.record.source]), Self.name(table.endpoints[taken.record.source])
            )
            report(.sipUnfinished, .fault, c.server(cancel, table), &c) { c in
                Finding(
                    .sipUnfinished, .fault,
                    "\(caller) cancelled the call of \(c.aor) to \(String(decoding: c.dialog.to, as: UTF8.self)), and \(callee) never ended it: "
                        + "it answered the CANCEL, and the INVITE not at all.",
                    details: [
                        "A cancelled INVITE is answered 487 (RFC 3261 9.2); nothing came for \(spoken(c.silence(after: taken))).",
                        "Until it ends, a phone behind \(callee) may go on ringing, and the line counts as busy.",
                    ],
                    evidence: [
                        Self.evidence(invite, table, ["CSeq"], "the call"), Self.evidence(cancel, table, ["CSeq"], "cancelled"),
                        Self.evidence(taken, table, ["CSeq"], "the last that \(callee) said"),
                    ], culprit: .between(caller, callee), confidence: .likely,
                    remedies: [
                        Remedy(
                            .server,
                            "Look why the INVITE hangs at \(callee), or at whom it passes calls to: its log after the CANCEL; renew its software."
                        ),
                        Remedy(.network, "See whether a 487 is sent at all: capture at \(callee) too."),
                    ], subject: Self.subject(c, cancel, table))
            }
            return true
        }
        return false
    }

    /// 100 and then nothing: the caller hears no ringing, and no reason why.
    private mutating func stuck(_ c: inout DialogCase, _ table: SignallingTable) {
        guard let invite = c.steps.last(where: { $0.isRequest && $0.method == .invite && $0.isFirst && $0.leg == 0 }),
            let trying = c.steps.first(where: { $0.status == 100 && c.isAnswer($0, to: invite) }),
            !c.steps.contains(where: { !$0.isRequest && $0.method == .invite && (101..<300).contains($0.status) })
        else { return }
        let sequence = invite.record.sequence
        let cancel = c.steps.first { $0.isRequest && $0.method == .cancel && $0.record.sequence == sequence }
        // An answer of its own, however late, is an end with a reason.
        guard cancel != nil || !isAnswered(sequence, from: 200, c) else { return }
        let waited = cancel.flatMap { c.gap(trying, $0) } ?? c.silence(after: trying)
        guard waited >= (cancel == nil ? 3 * Self.stillness : Self.stillness) else { return }
        let end = table.endpoints[trying.record.source]
        let callee = Self.name(end)
        let copy = c
        func finding(_ severity: Severity) -> Finding {
            let c = copy
            return Finding(
                .sipUnfinished, severity,
                "The call of \(c.aor) to \(String(decoding: c.dialog.to, as: UTF8.self)) got nowhere: \(callee) said 100 Trying and then nothing for "
                    + "\(spoken(waited))\(cancel == nil ? "." : ", until the caller gave up.")",
                details: ["No ringing, no answer and no refusal came: the caller heard nothing."],
                evidence: [Self.evidence(trying, table, ["CSeq"], "the last word")]
                    + (cancel.map { [Self.evidence($0, table, ["CSeq"], "given up")] } ?? []),
                culprit: severity == .fault ? .proved(callee) : .unknown, confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "Look up the call at \(callee): it waits for somebody who does not answer (trunk, DNS, a phone that is gone)."
                    )
                ], subject: Self.subject(c, invite, table))
        }
        // One call may ring somewhere unheard; call after call, and none taken, is a way that leads nowhere.
        let key = self.end(end, c)
        count(key ^ 100) { $0.refused += 1 }
        draft(
            .refusal(.never(refused: key ^ 100, accepted: key, least: 2), finding(.note), nil), .sipUnfinished, .fault,
            variant: 100,
            &c, server: end.address
        ) { finding(.fault) }
    }
}
