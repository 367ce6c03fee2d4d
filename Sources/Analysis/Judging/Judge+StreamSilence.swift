import Base
import Capture

extension Judge {
    /// 64*T1: so long a request waits for its final answer (RFC 3261 17.1.2.2), and an INVITE for any.
    private static let transaction: Int64 = 32 * second

    /// tcp.unanswered inside a call: a request over a stream that its receiver, who speaks before or after, never answers.
    ///
    /// Innocent: what is cancelled or answered on another hop, and a BYE after which no audio comes: the call is over all the same.
    mutating func unansweredOverStream(_ c: inout DialogCase, _ table: SignallingTable) {
        for (index, step) in c.steps.enumerated()
        where step.isRequest && step.isFirst && step.isOverStream && (step.method == .invite || step.method == .bye) {
            guard c.silence(after: step) > Self.transaction,
                !c.steps.contains(where: {
                    !$0.isRequest && $0.method == step.method && $0.record.sequence == step.record.sequence
                }),
                !c.steps.contains(where: { $0.isRequest && $0.method == .cancel && $0.record.sequence == step.record.sequence })
            else { continue }
            let spoke = c.steps.last { $0.record.source == step.record.destination && $0.isOverStream && $0.leg == step.leg }
            guard let spoke, step.method == .bye ? c.dialog.progress.contains(.answered) : spoke.nanoseconds > step.nanoseconds
            else { continue }
            // The other hung up as well.
            if step.method == .bye,
                c.steps.contains(where: { $0.isRequest && $0.method == .bye && $0.record.source != step.record.source })
            {
                continue
            }
            let (here, there) = (
                Self.name(table.endpoints[step.record.source]), Self.name(table.endpoints[step.record.destination])
            )
            let (copy, waited) = (c, c.silence(after: c.steps[index]))
            let finding = Finding(
                .tcpUnanswered, .fault,
                step.method == .bye
                    ? "\(here) hung up over TCP, but \(there) never answered its BYE, and goes on sending audio: for \(there) the call goes on."
                    : "\(there) never answered the INVITE that \(here) sent it over TCP, not even with 100 Trying, though it goes on with other requests.",
                details: [
                    "TCP does not lose messages: what was sent is there, or its connection is dead. The capture goes on for \(spoken(waited))."
                ],
                evidence: [
                    Self.evidence(step, table, ["CSeq", "Via", "To"], "never answered"),
                    Self.evidence(spoke, table, ["CSeq"], "the last that came from \(there)"),
                ], culprit: Self.between(c, step, table), confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "See in the log of \(there) whether it got the \(step.method.token), and what it did with it; look at TCP at both ends for a segment that is not acknowledged."
                    )
                ], subject: Self.subject(copy, step, table))
            if step.method == .bye {
                draft(
                    .goesOn(dialog: c.number, isCaller: !step.flags.contains(.fromClient), from: step.nanoseconds + second),
                    .tcpUnanswered, .fault, variant: 16, &c, server: c.server(step, table).address
                ) { finding }
            } else {
                report(.tcpUnanswered, .fault, variant: 17, c.server(step, table), &c) { _ in finding }
            }
            return
        }
    }
}
