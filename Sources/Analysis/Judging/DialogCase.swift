import Base
import Capture

/// One dialog laid open for judging: its state and its messages in time order, seen twice ones left out.
struct DialogCase: Sendable {
    let number: Int
    var dialog: DialogState
    let steps: [Step]
    /// The end of what its vantage shows, nanoseconds; how far silence can be judged.
    let end: Int64
    /// The dialog is not known to its end: later messages may come.
    let isFinal: Bool

    init(_ number: Int, _ table: borrowing SignallingTable, end: Int64, isFinal: Bool) {
        self.number = number
        dialog = table.dialogs[number]
        let all = table.steps(of: number)
        steps = all.contains(where: \.isDuplicate) ? all.filter { !$0.isDuplicate } : all
        self.end = end
        self.isFinal = isFinal
    }

    /// Earlier messages were judged and put away.
    var isContinued: Bool { dialog.lastRecord >= 0 }
    var aor: String {
        String(decoding: dialog.kind == .registration && !dialog.to.isEmpty ? dialog.to : dialog.from, as: UTF8.self)
    }

    /// For sentences: a log may name nobody.
    var who: String { aor.isEmpty ? "a phone" : aor }
    var opening: String { aor.isEmpty ? "A phone" : aor }
    var phone: String { aor.isEmpty ? "The phone" : "The phone of \(aor)" }

    /// Nanoseconds between; nil where a log tells no time.
    func gap(_ a: Step, _ b: Step) -> Int64? {
        elapsed(a.nanoseconds, b.nanoseconds)
    }

    /// For how long the vantage shows what came after a message; 0 where there are no times.
    func silence(after step: Step) -> Int64 {
        max(0, elapsed(step.nanoseconds, end) ?? 0)
    }

    /// The first response at or above a status to a request, by transaction.
    func response(to request: Step, from index: Int, atLeast status: Int = 200) -> Int? {
        for other in (index + 1)..<max(index + 1, steps.count) {
            let step = steps[other]
            if !step.isRequest, step.status >= status, isAnswer(step, to: request) { return other }
        }
        return nil
    }

    func isAnswer(_ response: Step, to request: Step) -> Bool {
        response.record.sequence == request.record.sequence && response.method == request.method && response.leg == request.leg
            && response.flags.contains(.fromClient) != request.flags.contains(.fromClient)
            && (response.branch == request.branch || response.branch == 0 || request.branch == 0)
    }

    /// The client of a message's leg, as the message shows it.
    func client(_ step: Step, _ table: SignallingTable) -> PackedEndpoint {
        table.endpoints[step.flags.contains(.fromClient) ? step.record.source : step.record.destination]
    }

    func server(_ step: Step, _ table: SignallingTable) -> PackedEndpoint {
        table.endpoints[step.flags.contains(.fromClient) ? step.record.destination : step.record.source]
    }
}

let second: Int64 = 1_000_000_000

/// `1 dialog`, `7 dialogs`.
func counted(_ count: Int, _ one: String, _ many: String? = nil) -> String {
    count == 1 ? "1 \(one)" : "\(count) \(many ?? one + "s")"
}

/// `1.5 s`, `40 ms`, `15 min`.
func spoken(_ nanoseconds: Int64) -> String {
    let ms = nanoseconds / 1_000_000
    if ms < 1_000 { return "\(ms) ms" }
    if ms < 10_000 { return ms % 1_000 < 50 ? "\(ms / 1_000) s" : "\(ms / 1_000).\(ms % 1_000 / 100) s" }
    if ms < 600_000 || ms % 60_000 > 30_000 { return "\((ms + 500) / 1_000) s" }
    return "\(ms / 60_000) min"
}
