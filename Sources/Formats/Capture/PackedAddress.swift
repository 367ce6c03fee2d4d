import Base

/// An address of either family in sixteen octets: IPv4 as `::ffff:a.b.c.d`, which no IPv6 packet on a wire carries.
///
/// The analysis compares and hashes millions of these; `address` is for what is shown.
public struct PackedAddress: Hashable, Sendable, CustomStringConvertible {
    public var high: UInt64
    public var low: UInt64

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// An IPv4 address as a host-order integer.
    @inlinable
    public init(v4 bits: UInt32) {
        high = 0
        low = 0xffff_0000_0000 | UInt64(bits)
    }

    public init(_ address: IPAddress) {
        switch address {
        case .v4(let v4): self.init(v4: v4.bits)
        case .v6(let v6): self.init(high: v6.high, low: v6.low)
        }
    }

    @inlinable
    public var isIPv4: Bool { high == 0 && low >> 32 == 0xffff }

    /// 224.0.0.0/4 and ff00::/8 (RFC 5771, RFC 4291 2.7).
    @inlinable
    public var isMulticast: Bool { isIPv4 ? low & 0xf000_0000 == 0xe000_0000 : high >> 56 == 0xff }

    public var address: IPAddress {
        isIPv4 ? .v4(IPv4Address(bits: UInt32(truncatingIfNeeded: low))) : .v6(IPv6Address(high: high, low: low))
    }

    public var description: String { address.description }
}

/// Who speaks to whom over what: the key of a flow, for hash tables on the hot path.
public struct PackedFlow: Hashable, Sendable {
    public var source: PackedAddress
    public var destination: PackedAddress
    public var sourcePort: UInt16
    public var destinationPort: UInt16
    public var transport: PayloadTransport

    @inlinable
    public init(
        source: PackedAddress, _ sourcePort: UInt16, destination: PackedAddress, _ destinationPort: UInt16,
        _ transport: PayloadTransport
    ) {
        self.source = source
        self.destination = destination
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.transport = transport
    }

    /// The same flow seen the other way.
    @inlinable
    public var reversed: PackedFlow {
        PackedFlow(source: destination, destinationPort, destination: source, sourcePort, transport)
    }

    @inlinable
    public static func == (a: PackedFlow, b: PackedFlow) -> Bool {
        a.source.low == b.source.low && a.destination.low == b.destination.low && a.sourcePort == b.sourcePort
            && a.destinationPort == b.destinationPort && a.transport == b.transport && a.source.high == b.source.high
            && a.destination.high == b.destination.high
    }

    /// All fields mixed into 64 bits; not keyed, so only for tables that are bounded otherwise.
    @inlinable
    public var mixed: UInt64 {
        let ports = UInt64(sourcePort) << 24 | UInt64(destinationPort) << 8 | UInt64(transport.rawValue)
        var hash = (source.low ^ source.high &* 0x9e37_79b9_7f4a_7c15) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ hash >> 32 ^ destination.low ^ destination.high &* 0xc2b2_ae3d_27d4_eb4f) &* 0xc4ce_b9fe_1a85_ec53
        hash = (hash ^ hash >> 29 ^ ports) &* 0x9e37_79b9_7f4a_7c15
        return hash ^ hash >> 32
    }

    @inlinable
    public func hash(into hasher: inout Hasher) { hasher.combine(mixed) }

    public var sourceEndpoint: Endpoint { Endpoint(source.address, sourcePort) }
    public var destinationEndpoint: Endpoint { Endpoint(destination.address, destinationPort) }
}
