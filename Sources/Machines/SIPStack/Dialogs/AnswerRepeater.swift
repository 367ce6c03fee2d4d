import Base

/// A response repeated until it is acknowledged: the 2xx of an INVITE until its ACK (RFC 3261 13.3.1.4), a reliable provisional response
/// until its PRACK (RFC 3262 3).
public struct AnswerRepeater: Hashable, Sendable {
    public enum Action: Hashable, Sendable {
        case send
        /// Nobody acknowledged it for 64*T1: BYE for a 2xx, 5xx for a provisional response.
        case giveUp
    }

    private enum State: Hashable, Sendable {
        case repeating(next: Instant, interval: Duration, until: Instant)
        case over
    }

    /// The response.
    public let bytes: [UInt8]
    private var state: State
    private let timers: TransactionTimers
    /// 2xx: intervals stop growing at T2; provisional responses double for good.
    private let stopsAtT2: Bool

    /// It was sent at `now` for the first time. It is repeated over streams too: its ACK goes end to end.
    public init(_ bytes: [UInt8], isProvisional: Bool = false, timers: TransactionTimers = TransactionTimers(), at now: Instant) {
        self.bytes = bytes
        self.timers = timers
        stopsAtT2 = !isProvisional
        state = .repeating(next: now + timers.t1, interval: timers.t1, until: now + timers.patience)
    }

    public var nextDeadline: Instant? {
        switch state {
        case .repeating(let next, _, let until): min(next, until)
        case .over: nil
        }
    }

    public var isOver: Bool { state == .over }

    /// The ACK or PRACK came.
    public mutating func acknowledge() { state = .over }

    public mutating func advance(to now: Instant) -> Action? {
        switch state {
        case .repeating(let next, let interval, let until):
            if until <= now {
                state = .over
                return .giveUp
            }
            guard next <= now else { return nil }
            let longer = stopsAtT2 ? min(interval * 2, timers.t2) : interval * 2
            state = .repeating(next: now + longer, interval: longer, until: until)
            return .send
        case .over: return nil
        }
    }
}
