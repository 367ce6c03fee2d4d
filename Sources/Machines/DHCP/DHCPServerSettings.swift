public import Base
public import DNS
public import Ethernet

/// Where phones find their SIP server (RFC 3361): by name or by address, as the option's encodings have it.
public enum SIPServerOption: Hashable, Sendable {
    /// Encoding 0.
    case names([DNSName])
    /// Encoding 1.
    case addresses([IPv4Address])

    var value: [UInt8] {
        switch self {
        case .names(let names): return [0] + names.flatMap(\.wire)
        case .addresses(let addresses):
            var value: [UInt8] = [1]
            for address in addresses { value.append(bigEndian: address.bits) }
            return value
        }
    }
}

/// An address that one client alone is given.
public struct DHCPReservation: Hashable, Sendable {
    public var address: IPv4Address
    /// Its name in the local domain; nil: as the client says.
    public var name: String?

    public init(_ address: IPv4Address, name: String? = nil) {
        self.address = address
        self.name = name
    }
}

/// What a DHCP server hands out on one link.
public struct DHCPServerSettings: Hashable, Sendable {
    /// The server's own address on the link.
    public var address: IPv4Address
    /// The link's.
    public var prefixLength: Int
    /// Addresses for anyone; within the link's prefix.
    public var pool: ClosedRange<IPv4Address>
    public var reserved: [MACAddress: DHCPReservation] = [:]
    public var leaseTime: Duration = .seconds(86_400)
    /// Whether a client that is not known may keep the address it says it had, if that is free, and is told No if not: right where
    /// this is the link's only server. Otherwise there is no answer (RFC 2131 4.3.2).
    public var isAuthoritative = true
    /// Option 3; nil: the server itself.
    public var routers: [IPv4Address]?
    /// Option 6; nil: the server itself.
    public var nameServers: [IPv4Address]?
    /// Option 15.
    public var domain: DNSName?
    /// Option 119 (RFC 3397).
    public var search: [DNSName] = []
    /// Option 42.
    public var timeServers: [IPv4Address] = []
    /// Option 43, as its vendor wants it.
    public var vendorSpecific: [UInt8] = []
    /// Option 66: a name, an address or, for phones, a URL.
    public var tftpServer: String?
    /// Option 67.
    public var bootFile: String?
    /// Option 120.
    public var sipServers: SIPServerOption?
    /// How long an offer is kept, and how long an address that a client found in use.
    public var offerTime: Duration = .seconds(60)
    public var declinedTime: Duration = .seconds(600)

    public init(address: IPv4Address, prefixLength: Int, pool: ClosedRange<IPv4Address>) {
        self.address = address
        self.prefixLength = prefixLength
        self.pool = pool
    }

    var prefix: IPPrefix { IPPrefix(.v4(address), length: max(0, min(32, prefixLength))) }
    var mask: UInt32 { prefixLength <= 0 ? 0 : UInt32.max << UInt32(32 - min(32, prefixLength)) }

    /// Whether an address of the pool may be anyone's: a host's of this link, not ours, nobody's in particular.
    func isForAnyone(_ candidate: IPv4Address) -> Bool {
        isHost(candidate) && pool.contains(candidate) && !reserved.values.contains { $0.address == candidate }
    }

    func isHost(_ candidate: IPv4Address) -> Bool {
        prefix.contains(.v4(candidate)) && candidate != address && candidate.bits & ~mask != 0 && candidate.bits | mask != .max
    }
}

/// An address in use.
public struct DHCPLease: Hashable, Sendable {
    public var address: IPv4Address
    public var mac: MACAddress
    /// Its label in the local domain, lower case; nil: it has none that is fit to be one, or another client has that.
    public var name: String?
    public var until: Instant
}

/// Why a message was not acted on.
public enum DHCPDropReason: UInt8, Hashable, Sendable, CaseIterable {
    case malformed
    /// A reply: another server's, or forged.
    case notRequest
    /// By a relay: only the link itself is served.
    case relayed
    /// To another server.
    case otherServer
    /// A client that is not known, or an address that is not its own.
    case unknownClient
    /// A message that lacks what its type needs.
    case incomplete
    /// No address is left.
    case exhausted
}

/// What a DHCP server noticed.
public enum DHCPServerTrace: Hashable, Sendable {
    case offered(IPv4Address, MACAddress)
    case leased(DHCPLease)
    /// A client hears No: it wanted this.
    case refused(IPv4Address, MACAddress)
    /// Released, declined or expired.
    case ended(DHCPLease)
    /// A client found the address in use.
    case declined(IPv4Address, MACAddress)
    case dropped(DHCPDropReason)
}

/// What a DHCP server has done.
public struct DHCPServerCounters: Hashable, Sendable {
    public internal(set) var offers: UInt64 = 0
    public internal(set) var acknowledgements: UInt64 = 0
    public internal(set) var refusals: UInt64 = 0
    public internal(set) var declines: UInt64 = 0
    private var dropped: [UInt64] = Array(repeating: 0, count: DHCPDropReason.allCases.count)

    public internal(set) subscript(reason: DHCPDropReason) -> UInt64 {
        get { dropped[Int(reason.rawValue)] }
        set { dropped[Int(reason.rawValue)] = newValue }
    }
}
