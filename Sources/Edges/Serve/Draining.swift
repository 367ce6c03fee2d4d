import Base
import ServerNode

/// A server that is about to stop: calls that run get some time, then BYE, then what is still open is let be.
struct Draining: Sendable {
    enum Step: Hashable, Sendable {
        case wait
        /// Time is up for the calls that still run.
        case hangUp
        /// Nothing is left to wait for.
        case end
    }

    /// How long answers to our BYEs and verdicts of media are waited for.
    static let farewell = Duration.seconds(6)
    /// How long a BYE of ours that ended the last call may go unanswered: time to send it again once.
    static let lastWord = Duration.seconds(1)

    private var until: Instant
    private var isHungUp = false
    private var isOver = false

    init(until: Instant) { self.until = until }

    var nextDeadline: Instant { until }

    /// `.hangUp` comes once.
    mutating func step(_ usage: CallUsage, at now: Instant) -> Step {
        if usage.calls == 0 {
            guard usage.clientTransactions > 0, !isOver || now < until else { return .end }
            if !isOver { until = min(until, now + Self.lastWord) }
            isOver = true
            return now < until ? .wait : .end
        }
        guard now >= until else { return .wait }
        if isHungUp { return .end }
        isHungUp = true
        until = now + Self.farewell
        return .hangUp
    }
}
