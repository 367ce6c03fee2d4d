import Base
import Capture

extension Judge {
    /// Successes that make a habit.
    private static let habit = 10
    /// Gaps from here on keep a mapping alive, as some phones do by registering.
    private static let keepalive: Int64 = 15 * second

    /// reg.flapping: registering anew again and again although all is well: load on the server, and a mistake in the phone.
    mutating func flapping(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.dialog.kind == .registration else { return }
        let successes = c.steps.filter {
            !$0.isRequest && $0.method == .register && $0.status == 200 && $0.isFirst && $0.expires != 0
        }
        guard successes.count >= Self.habit, let first = successes.first, let last = successes.last else { return }
        let gaps = zip(successes, successes.dropFirst()).compactMap { c.gap($0, $1) }.sorted()
        guard gaps.count == successes.count - 1 else { return }
        let median = gaps[gaps.count / 2]
        let granted = successes.map(\.expires).filter { $0 != Step.noNumber }.min() ?? Step.noNumber
        guard median > 0, median < Self.keepalive, granted != Step.noNumber, Int64(granted) * second > 8 * median else { return }
        report(.regFlapping, .note, c.server(first, table), &c) { c in
            Finding(
                .regFlapping, .note,
                "\(c.opening) registers anew every \(spoken(median)), \(successes.count) times in all, although it is granted \(granted) s each time.",
                details: [
                    "Each succeeded: nothing is broken, but it is needless load, and a mistake in the phone's settings or a loop in it."
                ],
                evidence: [
                    Self.evidence(first, table, ["CSeq", "Expires", "Contact"], "granted"),
                    Self.evidence(last, table, ["CSeq", "Expires", "Contact"], "granted for the last time"),
                ], culprit: .unknown, confidence: .proved,
                remedies: [
                    Remedy(
                        .phone,
                        "Set the phone's register interval to some minutes, and look why it starts anew (restarts, two profiles of one account)."
                    )
                ],
                subject: Self.subject(c, first, table))
        }
    }
}
