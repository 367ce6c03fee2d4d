import Base

/// The three durations that all timers of transactions are made of (RFC 3261 17, Table 4 of appendix A).
public struct TransactionTimers: Hashable, Sendable {
    private let t1Nanoseconds: Int64
    private let t2Nanoseconds: Int64
    private let t4Nanoseconds: Int64
    private let patienceNanoseconds: Int64
    private let tryingNanoseconds: Int64

    public init(t1: Duration = .milliseconds(500), t2: Duration = .seconds(4), t4: Duration = .seconds(5)) {
        precondition(t1 > .zero && t2 >= t1 && t4 >= .zero, "T1 is positive and T2 no shorter")
        t1Nanoseconds = t1.wholeNanoseconds
        t2Nanoseconds = t2.wholeNanoseconds
        t4Nanoseconds = t4.wholeNanoseconds
        let (patience, isOverlong) = t1.wholeNanoseconds.multipliedReportingOverflow(by: 64)
        precondition(!isOverlong, "64*T1 fits in 64 bits of nanoseconds")
        patienceNanoseconds = patience
        var (interval, elapsed) = (t1.wholeNanoseconds, Int64(0))
        while interval < t2.wholeNanoseconds {
            elapsed += interval
            interval = min(interval * 2, t2.wholeNanoseconds)
        }
        tryingNanoseconds = elapsed
    }

    /// Round-trip time estimate; the first retransmission.
    public var t1: Duration { .nanoseconds(t1Nanoseconds) }
    /// The longest interval between retransmissions of a non-INVITE request or a final response to an INVITE.
    public var t2: Duration { .nanoseconds(t2Nanoseconds) }
    /// How long a message may linger in the network.
    public var t4: Duration { .nanoseconds(t4Nanoseconds) }

    /// 64*T1: how long a transaction tries, and how long its completion is remembered.
    public var patience: Duration { .nanoseconds(patienceNanoseconds) }
    /// Timer D over an unreliable transport: at least 32 s.
    public var timerD: Duration { max(.seconds(32), patience) }
    /// How long a server waits for its user to answer an INVITE before it says 100 itself (RFC 3261 17.2.1).
    public var untilTrying: Duration { .milliseconds(200) }

    // Sums without `Duration`, whose 128 bits are felt where every message sets a timer.

    func afterT1(_ now: Instant) -> Instant { later(now, t1Nanoseconds) }
    func afterT4(_ now: Instant) -> Instant { later(now, t4Nanoseconds) }
    func afterPatience(_ now: Instant) -> Instant { later(now, patienceNanoseconds) }
    func whenTimerEIsT2(_ now: Instant) -> Instant { later(now, tryingNanoseconds) }

    private func later(_ now: Instant, _ nanoseconds: Int64) -> Instant {
        let (sum, isOverlong) = now.nanoseconds.addingReportingOverflow(nanoseconds)
        return isOverlong ? .distantFuture : Instant(nanoseconds: sum)
    }
}

/// What a transaction's owner has to do after an event. Several may be set; each is one act.
public struct TransactionActions: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Send the request, for the first time or again.
    public static let sendRequest = TransactionActions(rawValue: 1)
    /// Send the ACK of the completed state.
    public static let sendACK = TransactionActions(rawValue: 2)
    /// Send the stored response, for the first time or again.
    public static let sendResponse = TransactionActions(rawValue: 4)
    /// Make a 100 and hand it to the machine.
    public static let makeTrying = TransactionActions(rawValue: 8)
    /// Give the message at hand to the transaction user.
    public static let deliver = TransactionActions(rawValue: 16)
    /// Tell the user that nobody answered (Timer B, F) or acknowledged (Timer H).
    public static let timeout = TransactionActions(rawValue: 32)
    /// Tell the user that the transport failed.
    public static let transportError = TransactionActions(rawValue: 64)
    /// The user's response does not fit the state and was not sent.
    public static let refused = TransactionActions(rawValue: 128)
}
