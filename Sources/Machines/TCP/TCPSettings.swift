import Base

/// What is chosen about a host's TCP (RFC 9293): times, sizes, caps.
public struct TCPSettings: Hashable, Sendable {
    /// The longest IP packet of the host's link, in octets; the Maximum Segment Size offered follows from it (RFC 6691).
    public var mtu = 1_500
    /// Octets that may wait for a reader, 1...65535: the window offered, as there is no window scaling.
    public var receiveBuffer = 65_535
    /// Octets that may wait to be sent or acknowledged; a connection that is given more is aborted, as half a message helps nobody.
    public var sendBuffer = 1 << 20
    /// How long an acknowledgment may wait for data to ride on (RFC 9293 3.8.6.3: less than 0.5 s).
    public var delayedACK = Duration.milliseconds(40)
    /// The retransmission timeout before a round trip was measured, and its bounds (RFC 6298).
    public var firstTimeout = Duration.seconds(1)
    public var shortestTimeout = Duration.seconds(1)
    public var longestTimeout = Duration.seconds(60)
    /// R2: data unacknowledged for so long end the connection (RFC 9293 3.8.3: at least 100 s).
    public var patience = Duration.seconds(100)
    /// R2 of a SYN (RFC 9293 3.8.3: at least 3 min).
    public var synPatience = Duration.seconds(180)
    /// How long a half-closed connection waits for the peer's FIN once ours is acknowledged.
    public var finPatience = Duration.seconds(60)
    /// MSL (RFC 9293 3.4.2); TIME-WAIT lasts twice as long.
    public var segmentLifetime = Duration.seconds(30)
    /// Answers to segments that do not fit are no closer than this, so that two confused ends do not shout at each other
    /// (RFC 5961 7).
    public var challengePause = Duration.milliseconds(500)
    /// Connections at once, half-open ones included. Beyond it a SYN is refused and a command fails.
    public var mostConnections = 4_096
    /// Connections whose handshake a peer began and has not ended; beyond it the oldest is dropped.
    public var mostHalfOpen = 128

    public init() {}

    /// What fits into one segment over that family, without options.
    func segmentSize(isIPv6: Bool) -> Int { max(TCPSettings.leastSegmentSize, mtu - (isIPv6 ? 60 : 40)) }

    /// RFC 9293 3.7.1: where the peer's SYN names no size.
    static func defaultSegmentSize(isIPv6: Bool) -> Int { isIPv6 ? 1_220 : 536 }

    /// A peer that asks for less is not obeyed: it would be a packet for each octet.
    static let leastSegmentSize = 64
}
