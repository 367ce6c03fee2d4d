public import Base

/// What the NAT noticed.
public enum NATTrace: Hashable, Sendable {
    case created(NATMapping)
    /// Only while `AddressTranslator.tracesRefreshes`.
    case refreshed(MappingID, NATDirection, expires: Instant)
    case ended(NATMapping, MappingEnd)
    case tcp(MappingID, remote: Endpoint, TCPState)
    case sessionEvicted(MappingID, remote: Endpoint)
    /// Ports are 0 where the packet told none.
    case dropped(NATDropReason, NATDirection, proto: UInt8, from: Endpoint, to: Endpoint)
    case held(NATHold, NATDirection, proto: UInt8, from: Endpoint, to: Endpoint)
    case expecting(ExpectationID, Expectation)
    case expectationMet(ExpectationID, by: Endpoint, MappingID)
    case expectationEnded(ExpectationID, ExpectationEnd)
    case blockAssigned(host: IPv4Address, NATProtocol, external: IPv4Address, ports: ClosedRange<UInt16>)
    case blockReleased(host: IPv4Address, NATProtocol, external: IPv4Address, ports: ClosedRange<UInt16>)
    case rebooted(mappingsLost: Int)
}

/// Running totals since the start; a reboot does not reset them.
public struct NATCounters: Hashable, Sendable {
    public var outbound: UInt64 = 0
    public var inbound: UInt64 = 0
    public var hairpinned: UInt64 = 0
    public var dropped: UInt64 = 0
    /// `dropped` by reason; what a reason says beyond its kind is left out.
    public internal(set) var drops: [NATDropKind: UInt64] = [:]
    public var created: UInt64 = 0
    public var expired: UInt64 = 0
    public var evicted: UInt64 = 0
    /// New flows refused because a table or the ports were full.
    public var refused: UInt64 = 0
    public var sessionsEvicted: UInt64 = 0
    public var icmpSent: UInt64 = 0

    public init() {}
}
