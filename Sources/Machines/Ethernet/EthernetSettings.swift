public import Base

/// An address of a port and how many of its leading bits its link shares.
public struct InterfaceAddress: Hashable, Sendable {
    public var address: IPAddress
    /// 0...32, or 0...128.
    public var prefixLength: Int

    public init(address: IPAddress, prefixLength: Int) {
        self.address = address
        self.prefixLength = prefixLength
    }

    public var prefix: IPPrefix { IPPrefix(address, length: prefixLength) }
}

/// Bounds of a port's tables and its times.
public struct EthernetLimits: Hashable, Sendable {
    public var neighbours = 1024
    /// Packets that wait for one neighbour's answer; the latest are kept (RFC 1122 2.3.2.2). At least 1.
    public var waitingPerNeighbour = 3
    public var waiting = 256
    /// Questions before a neighbour counts as silent (RFC 4861 10: MAX_MULTICAST_SOLICIT), a second apart (RETRANS_TIMER).
    public var questions = 3
    public var questionInterval: Duration = .seconds(1)
    /// How long an answer is good before it is asked again when needed (RFC 4861 10: REACHABLE_TIME).
    public var reachable: Duration = .seconds(30)
    /// How long a neighbour nobody sends to is remembered after that.
    public var remembered: Duration = .seconds(600)

    public init() {}
}

extension EthernetPort {
    /// One port: its addresses, its ways out, and what it answers for.
    public struct Settings: Hashable, Sendable {
        public var mac: MACAddress
        /// Of both families; a router's link-local address is among them where it speaks IPv6.
        public var addresses: [InterfaceAddress]
        public var gatewayV4: IPv4Address?
        public var gatewayV6: IPv6Address?
        /// Octets of an IP packet.
        public var mtu = 1500
        /// Addresses elsewhere whose ARP requests and neighbour solicitations are answered with our MAC (RFC 1027, RFC 4389).
        public var proxied: [IPPrefix] = []
        /// Multicast groups that are handed on, besides those every router is in and its solicited-node groups.
        public var groups: Set<IPAddress> = []
        /// Whether neighbour advertisements say that we route.
        public var isRouter = true
        public var limits = EthernetLimits()

        public init(
            mac: MACAddress, addresses: [InterfaceAddress] = [], gatewayV4: IPv4Address? = nil, gatewayV6: IPv6Address? = nil
        ) {
            self.mac = mac
            self.addresses = addresses
            self.gatewayV4 = gatewayV4
            self.gatewayV6 = gatewayV6
        }
    }
}

/// A port's addresses in the shape that the path of packets asks them in.
struct PortAddresses: Sendable {
    struct V4: Sendable {
        let address: IPv4Address
        let mask: UInt32

        func contains(_ other: IPv4Address) -> Bool { (address.bits ^ other.bits) & mask == 0 }

        /// Of the whole prefix (RFC 919); a link of one or two addresses has none (RFC 3021).
        func isBroadcast(_ other: IPv4Address) -> Bool { contains(other) && ~mask > 1 && other.bits | mask == .max }
    }

    let v4: [V4]
    let v6: [(address: IPv6Address, prefix: IPPrefix)]
    /// Solicited-node groups (RFC 4291 2.7.1) and those of every router, and what is asked for.
    let groups: Set<IPAddress>

    init(_ settings: EthernetPort.Settings) {
        var v4: [V4] = []
        var v6: [(address: IPv6Address, prefix: IPPrefix)] = []
        var groups = settings.groups
        groups.insert(.v4(IPv4Address(224, 0, 0, 1)))
        groups.insert(.v4(IPv4Address(224, 0, 0, 2)))
        groups.insert(.v6(IPv6Address.allNodes))
        groups.insert(.v6(IPv6Address(high: 0xff02 << 48, low: 2)))
        for own in settings.addresses {
            switch own.address {
            case .v4(let address):
                let length = UInt32(max(0, min(32, own.prefixLength)))
                v4.append(V4(address: address, mask: length == 0 ? 0 : UInt32.max << (32 - length)))
            case .v6(let address):
                v6.append((address, IPPrefix(own.address, length: max(0, min(128, own.prefixLength)))))
                groups.insert(.v6(address.solicitedNode))
            }
        }
        (self.v4, self.v6, self.groups) = (v4, v6, groups)
    }

    func isOwn(_ address: IPv4Address) -> Bool { v4.contains { $0.address == address } }
    func isOwn(_ address: IPv6Address) -> Bool { v6.contains { $0.address == address } }

    func isOnLink(_ address: IPv4Address) -> Bool { address.bits >> 16 == 0xa9fe || v4.contains { $0.contains(address) } }
    func isOnLink(_ address: IPv6Address) -> Bool {
        address.isLinkLocal || v6.contains { $0.prefix.contains(.v6(address)) }
    }

    func isBroadcast(_ address: IPv4Address) -> Bool { address.bits == .max || v4.contains { $0.isBroadcast(address) } }

    /// Where to ask from: an address on the target's prefix, else any.
    func source(for target: IPv4Address) -> IPv4Address? { (v4.first { $0.contains(target) } ?? v4.first)?.address }
    func source(for target: IPv6Address) -> IPv6Address? {
        (v6.first { $0.prefix.contains(.v6(target)) } ?? v6.first { $0.address.isLinkLocal } ?? v6.first)?.address
    }
}

extension IPv6Address {
    static let allNodes = IPv6Address(high: 0xff02 << 48, low: 1)

    var isLinkLocal: Bool { high >> 54 == 0x3fa }
    var isMulticast: Bool { high >> 56 == 0xff }
    var isUnspecified: Bool { high == 0 && low == 0 }

    /// RFC 4291 2.7.1.
    var solicitedNode: IPv6Address { IPv6Address(high: 0xff02 << 48, low: 0x1_ff00_0000 | low & 0xff_ffff) }

    init(_ bytes: [UInt8], at offset: Int) {
        self.init(
            high: UInt64(bytes.uint32(at: offset)) << 32 | UInt64(bytes.uint32(at: offset + 4)),
            low: UInt64(bytes.uint32(at: offset + 8)) << 32 | UInt64(bytes.uint32(at: offset + 12)))
    }
}
