import Base

/// An IPv4 endpoint in one word: address, then port.
struct PackedEndpoint: Hashable, Sendable {
    var bits: UInt64

    init(bits: UInt64) { self.bits = bits }

    init(_ address: IPv4Address, _ port: UInt16) { bits = UInt64(address.bits) << 16 | UInt64(port) }

    init?(_ endpoint: Endpoint) {
        guard case .v4(let address) = endpoint.address else { return nil }
        self.init(address, endpoint.port)
    }

    var address: IPv4Address { IPv4Address(bits: UInt32(truncatingIfNeeded: bits >> 16)) }
    var port: UInt16 { UInt16(truncatingIfNeeded: bits) }
    var endpoint: Endpoint { Endpoint(.v4(address), port) }

    /// What of a remote endpoint matters to a mapping or a filter.
    func masked(_ dependence: Dependence) -> PackedEndpoint {
        switch dependence {
        case .endpointIndependent: PackedEndpoint(bits: 0)
        case .addressDependent: PackedEndpoint(bits: bits & ~0xffff)
        case .addressAndPortDependent: self
        }
    }
}

/// One side of a mapping with its protocol, in one word; for the internal side also the space (see `PortRule.ownMappings`).
struct SideKey: Hashable, Sendable {
    var bits: UInt64

    init(_ endpoint: PackedEndpoint, _ proto: NATProtocol, space: UInt8 = 0) {
        bits = endpoint.bits << 16 | UInt64(proto.rawValue) << 8 | UInt64(space)
    }
}

/// What outbound packets find their mapping by: the internal side, and of the remote as much as the mapping depends on.
struct MappingKey: Hashable, Sendable {
    /// The space of keys that tie one exact remote to a mapping, whatever the general behaviour.
    static let pinned: UInt8 = 255

    var side: SideKey
    var remote: PackedEndpoint
}

/// A mapping's external side and as much of a remote as its filter (for TCP, its connections) depends on.
struct SessionKey: Hashable, Sendable {
    var external: SideKey
    var remote: PackedEndpoint
}
