import Base

/// The INVITE server transaction (RFC 3261 17.2.1, with the Accepted state of RFC 6026 7.1).
public struct ServerInviteTransaction: Sendable {
    public enum State: Hashable, Sendable {
        /// The user is at it. `last`: its latest provisional response, empty before the first; `trying`: when a 100 is due
        /// should the user stay silent, nil once something was said.
        case proceeding(last: [UInt8], trying: Instant?)
        /// Refused; `timerG` repeats the refusal (nil over a reliable transport), `timerH` stops waiting for the ACK.
        case completed(response: [UInt8], timerG: Instant?, interval: Duration, timerH: Instant)
        /// Acknowledged; further ACKs are absorbed until `timerI`.
        case confirmed(timerI: Instant)
        /// Accepted; INVITE retransmissions are absorbed until `timerL`, while the user repeats its 2xx.
        case accepted(response: [UInt8], timerL: Instant)
        case terminated
    }

    public private(set) var state: State
    public let timers: TransactionTimers
    public let isReliable: Bool

    /// The INVITE is to be given to the user now.
    public init(isReliable: Bool, timers: TransactionTimers = TransactionTimers(), at now: Instant) {
        self.timers = timers
        self.isReliable = isReliable
        state = .proceeding(last: [], trying: now + timers.untilTrying)
    }

    public var nextDeadline: Instant? {
        switch state {
        case .proceeding(_, let trying): trying
        case .completed(_, let timerG, _, let timerH): min(timerG ?? timerH, timerH)
        case .confirmed(let timerI): timerI
        case .accepted(_, let timerL): timerL
        case .terminated: nil
        }
    }

    /// What `.sendResponse` means now.
    public var response: [UInt8] {
        switch state {
        case .proceeding(let last, _): last
        case .completed(let response, _, _, _), .accepted(let response, _): response
        case .confirmed, .terminated: []
        }
    }

    /// The user's response, as bytes.
    public mutating func respond(status: Int, _ bytes: [UInt8], at now: Instant) -> TransactionActions {
        switch state {
        case .proceeding:
            switch status {
            case ..<200: state = .proceeding(last: bytes, trying: nil)
            case 200..<300: state = .accepted(response: bytes, timerL: timers.afterPatience(now))
            default:
                state = .completed(
                    response: bytes, timerG: isReliable ? nil : timers.afterT1(now), interval: timers.t1,
                    timerH: timers.afterPatience(now))
            }
            return .sendResponse
        case .accepted(_, let timerL):
            guard 200..<300 ~= status else { return .refused }
            state = .accepted(response: bytes, timerL: timerL)
            return .sendResponse
        case .completed, .confirmed, .terminated: return .refused
        }
    }

    /// The INVITE came again.
    public mutating func receiveRetransmission() -> TransactionActions {
        switch state {
        case .proceeding(let last, _): last.isEmpty ? [] : .sendResponse
        case .completed: .sendResponse
        case .confirmed, .accepted, .terminated: []
        }
    }

    public mutating func receiveACK(at now: Instant) -> TransactionActions {
        switch state {
        case .completed:
            state = isReliable ? .terminated : .confirmed(timerI: timers.afterT4(now))
            return []
        // RFC 6026 7.1: an ACK here belongs to the 2xx, whose retransmission is the user's business.
        case .accepted: return .deliver
        case .proceeding, .confirmed, .terminated: return []
        }
    }

    public mutating func advance(to now: Instant) -> TransactionActions {
        switch state {
        case .proceeding(let last, let trying):
            guard let trying, trying <= now else { return [] }
            state = .proceeding(last: last, trying: nil)
            return .makeTrying
        case .completed(let response, let timerG, let interval, let timerH):
            if timerH <= now {
                state = .terminated
                return .timeout
            }
            guard let timerG, timerG <= now else { return [] }
            let next = min(interval * 2, timers.t2)
            state = .completed(response: response, timerG: now + next, interval: next, timerH: timerH)
            return .sendResponse
        case .confirmed(let timer), .accepted(_, let timer):
            if timer <= now { state = .terminated }
            return []
        case .terminated: return []
        }
    }

    /// The transport could not deliver a response. RFC 6026 7.1: the user is told, the transaction stays.
    public mutating func fail() -> TransactionActions {
        switch state {
        case .proceeding, .completed, .accepted: .transportError
        case .confirmed, .terminated: []
        }
    }
}
