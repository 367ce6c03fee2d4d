import Base

/// The INVITE client transaction (RFC 3261 17.1.1, with the Accepted state of RFC 6026 7.2).
public struct ClientInviteTransaction: Sendable {
    public enum State: Hashable, Sendable {
        /// Sent; `timerA` retransmits (nil over a reliable transport), `timerB` gives up.
        case calling(timerA: Instant?, interval: Duration, timerB: Instant)
        /// A provisional response came; nothing is retransmitted any more.
        case proceeding
        /// A final response of 300 and above came; each copy of it draws `ack` until `timerD`.
        case completed(ack: [UInt8], timerD: Instant)
        /// A 2xx came; further ones, of other branches of a fork too, go to the user until `timerM`.
        case accepted(timerM: Instant)
        case terminated
    }

    public private(set) var state: State
    public let timers: TransactionTimers
    public let isReliable: Bool

    /// The request is to be sent now.
    public init(isReliable: Bool, timers: TransactionTimers = TransactionTimers(), at now: Instant) {
        self.timers = timers
        self.isReliable = isReliable
        state = .calling(timerA: isReliable ? nil : timers.afterT1(now), interval: timers.t1, timerB: timers.afterPatience(now))
    }

    public var nextDeadline: Instant? {
        switch state {
        case .calling(let timerA, _, let timerB): min(timerA ?? timerB, timerB)
        case .proceeding, .terminated: nil
        case .completed(_, let timerD): timerD
        case .accepted(let timerM): timerM
        }
    }

    /// A response came. `ack` is needed for the first one of 300 and above only.
    public mutating func receive(status: Int, ack: [UInt8] = [], at now: Instant) -> TransactionActions {
        switch state {
        case .calling, .proceeding:
            switch status {
            case ..<200: state = .proceeding
            case 200..<300: state = .accepted(timerM: timers.afterPatience(now))
            default:
                state = isReliable ? .terminated : .completed(ack: ack, timerD: now + timers.timerD)
                return [.sendACK, .deliver]
            }
            return .deliver
        case .completed:
            // A 2xx after a refusal is another branch's of a fork gone wrong; only the refusal is acknowledged here.
            return status >= 300 ? .sendACK : []
        case .accepted: return 200..<300 ~= status ? .deliver : []
        case .terminated: return []
        }
    }

    public mutating func advance(to now: Instant) -> TransactionActions {
        switch state {
        case .calling(let timerA, let interval, let timerB):
            if timerB <= now {
                state = .terminated
                return .timeout
            }
            guard let timerA, timerA <= now else { return [] }
            // Doubles without bound: Timer A knows no T2.
            state = .calling(timerA: now + interval * 2, interval: interval * 2, timerB: timerB)
            return .sendRequest
        case .completed(_, let timer), .accepted(let timer):
            if timer <= now { state = .terminated }
            return []
        case .proceeding, .terminated: return []
        }
    }

    /// The transport could not deliver the request or the ACK.
    public mutating func fail() -> TransactionActions {
        switch state {
        case .calling, .proceeding, .completed:
            state = .terminated
            return .transportError
        case .accepted, .terminated: return []
        }
    }

    /// Ends the transaction at once, e.g. 64*T1 after a CANCEL that nothing followed (RFC 3261 9.1).
    public mutating func abandon() { state = .terminated }
}
