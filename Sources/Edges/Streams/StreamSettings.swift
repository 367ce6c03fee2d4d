import Base
import SIP

/// What stream connections may cost us; whatever goes beyond is refused or closed, and counted.
public struct StreamSettings: Sendable {
    /// Accepted connections open at once, over all listeners.
    public var connections = 20_000
    /// Of those, from one IPv4 address or one /64; four times as many from a /56. Phones behind one NAT share theirs.
    public var connectionsPerAddress = 1_000
    /// How long an accepted connection lives that proves nobody, whatever it says; handshakes included.
    public var provedWithin = Duration.seconds(30)
    /// From where pages may open WebSocket connections (RFC 6454 6.2, lower case); empty: from anywhere.
    public var origins: Set<String> = []
    /// How long a message may take from its first byte to its last.
    public var messageWithin = Duration.seconds(30)
    /// Sizes of a message; a longer one closes the connection, as its end cannot be found.
    public var limits = SIPLimits.default
    /// Bytes that wait for a peer that does not read; beyond it the connection is closed.
    public var unsentBytes = 1 << 20
    /// How long sent bytes may stay unacknowledged before the kernel gives the connection up (TCP_USER_TIMEOUT).
    public var unacknowledgedFor = Duration.seconds(60)
    /// How long an outgoing connection may take to be ready for messages.
    public var connectWithin = Duration.seconds(10)
    /// How long nothing is accepted where no descriptor is left, unless a connection closes before.
    public var acceptAgainAfter = Duration.seconds(1)
    /// The first accepted connection's number in `FlowID`; a program that is started again should not begin where it began before.
    public var firstConnection: UInt64 = 1
    /// Threads that do I/O and TLS.
    public var threads = 1

    public init() {}
}

/// How often each thing happened to stream connections.
public struct StreamCounters: Hashable, Sendable {
    public var accepted: UInt64 = 0
    /// Accepted by the kernel and closed at once, as there were too many in all.
    public var refusedFull: UInt64 = 0
    /// Too many from one source.
    public var refusedAddress: UInt64 = 0
    /// Closed because a newer connection needed their place, and they had proved nothing yet.
    public var gaveWay: UInt64 = 0
    /// Closed because they proved nobody in time.
    public var unproved: UInt64 = 0
    /// How often accepting paused because the process, or the system, had no descriptor left.
    public var acceptPauses: UInt64 = 0
    /// WebSocket handshakes from a page that is not among `StreamSettings.origins`.
    public var foreignOrigins: UInt64 = 0
    /// Closed because a message did not end in time.
    public var tooSlow: UInt64 = 0
    /// Closed because the peer did not read what it was sent.
    public var slowReaders: UInt64 = 0
    /// Closed because the bytes could not be followed: framing, WebSocket protocol, TLS.
    public var unintelligible: UInt64 = 0
    /// How often reading stopped because the signalling thread was behind.
    public var pauses: UInt64 = 0
    /// What was to be sent over a connection that no longer was there.
    public var unsendable: UInt64 = 0

    public init() {}
}
