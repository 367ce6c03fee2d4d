import Base

/// The non-INVITE client transaction (RFC 3261 17.1.2).
public struct ClientNonInviteTransaction: Sendable {
    public enum State: Hashable, Sendable {
        /// Sent; `timerE` retransmits (nil over a reliable transport), `timerF` gives up.
        case trying(timerE: Instant?, interval: Duration, timerF: Instant)
        /// A provisional response came; retransmissions go on, T2 apart.
        case proceeding(timerE: Instant?, timerF: Instant)
        /// A final response came; copies of it are absorbed until `timerK`.
        case completed(timerK: Instant)
        case terminated
    }

    public private(set) var state: State
    public let timers: TransactionTimers
    public let isReliable: Bool

    /// The request is to be sent now.
    public init(isReliable: Bool, timers: TransactionTimers = TransactionTimers(), at now: Instant) {
        self.timers = timers
        self.isReliable = isReliable
        state = .trying(timerE: isReliable ? nil : timers.afterT1(now), interval: timers.t1, timerF: timers.afterPatience(now))
    }

    public var nextDeadline: Instant? {
        switch state {
        case .trying(let timerE, _, let timerF), .proceeding(let timerE, let timerF): min(timerE ?? timerF, timerF)
        case .completed(let timerK): timerK
        case .terminated: nil
        }
    }

    public mutating func receive(status: Int, at now: Instant) -> TransactionActions {
        switch state {
        case .trying(let timerE, _, let timerF), .proceeding(let timerE, let timerF):
            if status < 200 {
                state = .proceeding(timerE: timerE, timerF: timerF)
            } else {
                state = isReliable ? .terminated : .completed(timerK: timers.afterT4(now))
            }
            return .deliver
        case .completed, .terminated: return []
        }
    }

    public mutating func advance(to now: Instant) -> TransactionActions {
        switch state {
        case .trying(let timerE, let interval, let timerF):
            if timerF <= now {
                state = .terminated
                return .timeout
            }
            guard let timerE, timerE <= now else { return [] }
            let next = min(interval * 2, timers.t2)
            state = .trying(timerE: now + next, interval: next, timerF: timerF)
            return .sendRequest
        case .proceeding(let timerE, let timerF):
            if timerF <= now {
                state = .terminated
                return .timeout
            }
            guard let timerE, timerE <= now else { return [] }
            state = .proceeding(timerE: now + timers.t2, timerF: timerF)
            return .sendRequest
        case .completed(let timerK):
            if timerK <= now { state = .terminated }
            return []
        case .terminated: return []
        }
    }

    /// The transport could not deliver the request.
    public mutating func fail() -> TransactionActions {
        switch state {
        case .trying, .proceeding:
            state = .terminated
            return .transportError
        case .completed, .terminated: return []
        }
    }

    /// Ends the transaction at once and silently.
    public mutating func abandon() { state = .terminated }
}
