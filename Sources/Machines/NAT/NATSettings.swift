public import Base

/// How far a mapping or a filter depends on the remote end (RFC 4787 4.1 and 5).
public enum Dependence: UInt8, Hashable, Sendable, CaseIterable {
    case endpointIndependent, addressDependent, addressAndPortDependent
}

/// How a NAT treats the flows through it: RFC 4787 for UDP, RFC 5382 for TCP, RFC 5508 for ICMP.
///
/// The defaults meet every requirement of those three. Everything else exists because some box does it.
public struct NATSettings: Hashable, Sendable {
    /// External addresses; at least one.
    public var externalAddresses: [IPv4Address]
    /// What the NAT calls itself towards the inside, as the source of ICMP errors; nil: it sends none there.
    public var insideAddress: IPv4Address?
    public var mapping: Dependence = .endpointIndependent
    public var filtering: Dependence = .addressDependent
    public var ports = PortAssignment()
    public var pooling: Pooling = .paired
    public var hairpinning: Hairpinning = .externalSource
    /// Departures for remote ports, first match wins. At most 64 are looked at.
    public var rules: [PortRule] = []
    public var timers = NATTimers()
    public var limits = NATLimits()
    /// A TCP segment that is no SYN and belongs to no known connection opens a mapping (as Linux does), instead of being dropped.
    public var picksUpTCPMidway = false
    /// What an unsolicited inbound datagram gets.
    public var unsolicited: UnsolicitedAnswer = .silence
    /// A flow for which no mapping can be made gets ICMP type 3 code 13 (RFC 5508 REQ-8), instead of silence.
    public var reportsRefusals = true

    public init(externalAddresses: [IPv4Address]) {
        precondition(!externalAddresses.isEmpty, "a NAT needs an external address")
        self.externalAddresses = externalAddresses
    }

    public init(_ external: IPv4Address, mapping: Dependence = .endpointIndependent, filtering: Dependence = .addressDependent) {
        externalAddresses = [external]
        self.mapping = mapping
        self.filtering = filtering
    }
}

/// Which external address a new mapping gets (RFC 4787 4.1).
public enum Pooling: UInt8, Hashable, Sendable {
    /// All mappings of a host share one external address.
    case paired
    /// Each mapping draws one anew.
    case arbitrary
}

/// A packet from inside to the external side of another mapping (RFC 4787 6).
public enum Hairpinning: UInt8, Hashable, Sendable {
    case off
    /// REQ-9a: the receiver sees the sender's external endpoint.
    case externalSource
    /// The receiver sees the sender's private endpoint and its answer bypasses the NAT: wrong, but met.
    case internalSource
}

/// What an inbound packet for which there is no mapping, or which the filter refuses, gets. TCP SYNs: see `NATTimers.heldSYN`.
public enum UnsolicitedAnswer: UInt8, Hashable, Sendable {
    case silence
    /// ICMP type 3 code 3.
    case portUnreachable
}

/// How external ports are chosen (RFC 4787 4.2). ICMP query identifiers are chosen likewise.
public struct PortAssignment: Hashable, Sendable {
    /// The internal port is tried first (4.2.1).
    public var preservesPort = true
    /// A preserved port is taken even when another mapping holds it; the remote end tells them apart. Breaks REQ-3.
    public var overloads = false
    /// Even stays even, odd stays odd (REQ-4).
    public var preservesParity = true
    /// An odd port next to a mapped even one of the same host is mapped next to it (4.2.2 discourages; many boxes do it).
    public var contiguous = false
    /// Below 1024 stays below, above stays above (REQ-3a).
    public var preservesRange = true
    /// The ports that may be handed out other than by preservation.
    public var range: ClosedRange<UInt16> = 1024...65_535
    public var order: PortOrder = .random
    /// A sequential search starts over from its origin each time, so that a freed port is the next one handed out;
    /// otherwise it goes on from the last one and turns round at the end of `range`.
    public var restarts = false
    /// Ports are assigned to hosts in blocks (a CGN, RFC 6888 and 7753); nil: singly. Excludes preservation.
    public var blocks: PortBlocks?

    public init() {}
}

public enum PortOrder: Hashable, Sendable {
    case random
    case ascending(from: UInt16)
    case descending(from: UInt16)
}

/// Blocks of ports for each internal host.
public struct PortBlocks: Hashable, Sendable {
    /// Ports a block, 1...16384.
    public var size: Int
    /// Most blocks a host may hold, for each protocol.
    public var perHost: Int

    public init(size: Int, perHost: Int) {
        precondition((1...16_384).contains(size) && perHost >= 1, "a block size or count outside its range")
        self.size = size
        self.perHost = perHost
    }
}

/// A departure from the general behaviour for flows towards certain remote ports: a box's "application helper".
public struct PortRule: Hashable, Sendable {
    public var proto: NATProtocol
    public var remotePorts: ClosedRange<UInt16>
    /// nil: as the rest.
    public var mapping: Dependence?
    /// nil: as the rest.
    public var filtering: Dependence?
    /// Idle time of mappings used towards these ports; nil: as the rest.
    public var idle: Duration?
    /// These flows get mappings of their own, never shared with other flows of the same internal endpoint
    /// (a SpeedTouch shows STUN another mapping than SIP).
    public var ownMappings: Bool

    public init(
        _ proto: NATProtocol, remotePorts: ClosedRange<UInt16>, mapping: Dependence? = nil, filtering: Dependence? = nil,
        idle: Duration? = nil, ownMappings: Bool = false
    ) {
        self.proto = proto
        self.remotePorts = remotePorts
        self.mapping = mapping
        self.filtering = filtering
        self.idle = idle
        self.ownMappings = ownMappings
    }
}

/// Idle times, and what counts as use.
public struct NATTimers: Hashable, Sendable {
    /// RFC 4787 REQ-5: at least two minutes, five recommended.
    public var udp: Duration = .seconds(300)
    /// Idle time until the first inbound packet has come; nil: `udp`. Linux: 30 s.
    public var udpUnanswered: Duration?
    /// RFC 4787 REQ-6.
    public var outboundRefreshes = true
    /// RFC 4787 REQ-6a: may be so.
    public var inboundRefreshes = false
    /// RFC 5382 REQ-5: at least 2 h 4 min.
    public var tcpEstablished: Duration = .seconds(7440)
    /// Opening, closing or reset: at least 4 min.
    public var tcpTransitory: Duration = .seconds(240)
    /// RFC 5382 REQ-4: how long an unsolicited inbound SYN is held before ICMP port unreachable; nil: it is treated
    /// as any other unsolicited packet at once.
    public var heldSYN: Duration? = .seconds(6)
    /// RFC 5508 REQ-2: at least 60 s.
    public var icmpQuery: Duration = .seconds(60)
    /// How long fragments without their first one are kept, and how long a first one's translation is remembered.
    public var fragments: Duration = .seconds(30)

    public init() {}
}

/// Bounds of every table. What happens beyond is counted and traced.
public struct NATLimits: Hashable, Sendable {
    public var mappings = 65_536
    /// For each internal host.
    public var mappingsPerHost = 4096
    public var whenFull: WhenFull = .evictUnanswered
    /// Remembered remotes (or connections) for each mapping; the one idle longest makes room.
    public var sessionsPerMapping = 512
    public var expectations = 4096
    public var heldSYNs = 1024
    /// Datagrams whose fragments are tracked at once.
    public var fragmentedDatagrams = 256
    /// Fragments kept for one datagram until its first one comes.
    public var fragmentsPerDatagram = 48
    /// Octets of such fragments, over all datagrams.
    public var fragmentOctets = 1 << 20

    public init() {}
}

/// What a full mapping table does with a new flow.
public enum WhenFull: UInt8, Hashable, Sendable {
    case refuseNew
    /// Of the mappings through which nothing ever came in, the one not used for longest goes: the host's own at the host's limit, else
    /// anyone's, also where only the ports are used up. With none of these left the new flow is refused: a flood displaces itself,
    /// never a registration or a call. (So does Linux: only unassured connections are dropped early.)
    case evictUnanswered
    /// The mapping not used for longest goes: the host's own one at the host's limit, else anyone's.
    case evictOldestIdle
}
