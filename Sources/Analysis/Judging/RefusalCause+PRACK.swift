import Base
import Capture

extension Judge {
    /// A call that fails because who asked for PRACK (RFC 3262) refuses each one that comes.
    func unheardPRACK(_ step: Step, _ c: DialogCase, _ table: SignallingTable) -> RefusalCause? {
        let answers = c.steps.filter { !$0.isRequest && $0.method == .prack && $0.isFirst && $0.status >= 200 }
        guard let refusal = answers.last, answers.allSatisfy({ $0.status >= 400 && ![401, 407].contains($0.status) }),
            refusal.record.source == step.record.source
        else { return nil }
        let (callee, caller) = (
            Self.name(table.endpoints[step.record.source]), Self.name(table.endpoints[step.record.destination])
        )
        return RefusalCause(
            proof: .itself,
            summary:
                "The call of \(c.aor) to \(String(decoding: c.dialog.to, as: UTF8.self)) failed: \(callee) wants its ringing acknowledged (100rel) and answered "
                + "\(Self.words(refusal, table)) to each PRACK of \(caller), so it gave the call up with \(Self.words(step, table)).",
            details: ["A PRACK that does not match is one whose RAck, tags or address are not those of the answer (RFC 3262 3)."],
            culprit: .between(caller, callee),
            remedies: [
                Remedy(
                    .server, "Switch reliable provisional responses (100rel, PRACK) off at \(callee) or \(caller).",
                    commands: ["Asterisk pjsip: 100rel=no in the endpoint"]),
                Remedy(
                    .server,
                    "Compare RAck and To of the PRACK with RSeq and To of the answer it is to: a proxy on the way may have forked the call."
                ),
            ])
    }
}
