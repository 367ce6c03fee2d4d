import Base

/// The non-INVITE server transaction (RFC 3261 17.2.2, with what RFC 4320 4 allows to be sent).
public struct ServerNonInviteTransaction: Sendable {
    public enum State: Hashable, Sendable {
        /// The user is at it, nothing was sent; `trying`: when a 100 becomes allowed and due (RFC 4320 4.1), nil once
        /// it was asked for.
        case trying(trying: Instant?)
        /// A 100 was sent; each copy of the request draws it again.
        case proceeding(response: [UInt8])
        /// Answered; each copy of the request draws `response` again until `timerJ`.
        case completed(response: [UInt8], timerJ: Instant)
        case terminated
    }

    public private(set) var state: State
    public let timers: TransactionTimers
    public let isReliable: Bool

    /// The request is to be given to the user now.
    public init(isReliable: Bool, timers: TransactionTimers = TransactionTimers(), at now: Instant) {
        self.timers = timers
        self.isReliable = isReliable
        state = .trying(trying: timers.whenTimerEIsT2(now))
    }

    public var nextDeadline: Instant? {
        switch state {
        case .trying(let trying): trying
        case .completed(_, let timerJ): timerJ
        case .proceeding, .terminated: nil
        }
    }

    /// What `.sendResponse` means now; over a reliable transport, that of the last state.
    public var response: [UInt8] {
        switch state {
        case .proceeding(let response), .completed(let response, _): response
        case .trying, .terminated: []
        }
    }

    /// The user's response, as bytes. A 1xx other than 100, an early 100 over an unreliable transport, and 408 are refused
    /// (RFC 4320 4.1, 4.2); so is whatever follows a final response.
    public mutating func respond(status: Int, _ bytes: [UInt8], at now: Instant) -> TransactionActions {
        switch state {
        case .trying(let trying):
            if status < 200 { guard status == 100, isReliable || trying.map({ $0 <= now }) ?? true else { return .refused } }
        case .proceeding: if status < 200 { return .refused }
        case .completed, .terminated: return .refused
        }
        guard status != 408 else { return .refused }
        if status < 200 {
            state = .proceeding(response: bytes)
        } else {
            // Timer J is zero over a reliable transport: the state is left as soon as `advance` is told the time.
            state = .completed(response: bytes, timerJ: isReliable ? now : timers.afterPatience(now))
        }
        return .sendResponse
    }

    /// The request came again.
    public mutating func receiveRetransmission() -> TransactionActions {
        switch state {
        case .proceeding, .completed: .sendResponse
        case .trying, .terminated: []
        }
    }

    public mutating func advance(to now: Instant) -> TransactionActions {
        switch state {
        case .trying(let trying):
            guard let trying, trying <= now else { return [] }
            state = .trying(trying: nil)
            return .makeTrying
        case .completed(_, let timerJ):
            if timerJ <= now { state = .terminated }
            return []
        case .proceeding, .terminated: return []
        }
    }

    /// The transport could not deliver the response.
    public mutating func fail() -> TransactionActions {
        switch state {
        case .proceeding, .completed:
            state = .terminated
            return .transportError
        case .trying, .terminated: return []
        }
    }
}
