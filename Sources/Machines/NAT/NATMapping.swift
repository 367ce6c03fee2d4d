public import Base

/// What the NAT tells flows apart by, with its IP protocol number as raw value.
public enum NATProtocol: UInt8, Hashable, Sendable, CaseIterable {
    case icmp = 1
    case tcp = 6
    case udp = 17
}

/// Names one mapping; never used again after it has gone, unless a slot is reused 2^32 times.
public struct MappingID: Hashable, Sendable {
    package var index: UInt32
    package var generation: UInt32

    package init(index: Int, generation: UInt32) {
        self.index = UInt32(truncatingIfNeeded: index)
        self.generation = generation
    }
}

/// A mapping as it stands at one moment (RFC 4787 4.1): a copy to look at.
public struct NATMapping: Hashable, Sendable {
    public var id: MappingID
    public var proto: NATProtocol
    /// For ICMP queries the port is the identifier.
    public var `internal`: Endpoint
    public var external: Endpoint
    /// Where the packet that made the mapping went, or for an expectation came from; nil: opened on demand for no one yet.
    public var remote: Endpoint?
    public var origin: MappingOrigin
    public var created: Instant
    /// The last packet translated, in either direction, whether or not it refreshed the idle timer.
    public var lastUsed: Instant
    public var lastOutbound: Instant?
    public var lastInbound: Instant?
    public var expires: Instant
    /// The idle time it falls back to when refreshed.
    public var idle: Duration
    /// State of its newest connection; nil unless TCP.
    public var tcp: TCPState?

    /// Time left until it expires if nothing refreshes it.
    public func idleLeft(at now: Instant) -> Duration { expires > now ? expires - now : .zero }
}

/// What made a mapping.
public enum MappingOrigin: Hashable, Sendable {
    case outboundPacket
    /// `AddressTranslator.open`.
    case request
    case expectation(ExpectationID)
}

/// Why a mapping has gone.
public enum MappingEnd: Hashable, Sendable {
    case idle
    /// Its last TCP connection ended or idled out.
    case closed
    /// Another flow needed the room.
    case evicted
    /// `AddressTranslator.remove`.
    case removed
}
