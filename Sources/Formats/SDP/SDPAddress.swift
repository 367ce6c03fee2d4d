import Base

/// The host of `o=`, `c=` or `a=rtcp`: an address, or a name that somebody else must look up (RFC 8866 5.7).
public enum SDPHost: Hashable, Sendable, CustomStringConvertible {
    case address(IPAddress)
    case name(String)

    public init(_ text: some StringProtocol) { self = IPAddress(text).map(SDPHost.address) ?? .name(String(text)) }

    /// nil for a name.
    public var address: IPAddress? { if case .address(let address) = self { address } else { nil } }

    public var description: String {
        switch self {
        case .address(let address): address.description
        case .name(let name): name
        }
    }
}

/// `c=`: where media shall be sent (RFC 8866 5.7).
public struct SDPConnection: Hashable, Sendable, CustomStringConvertible {
    /// `IN` unless the peer comes from elsewhere.
    public var network: String
    /// `IP4` or `IP6`.
    public var family: String
    public var host: SDPHost
    /// What follows the address of a multicast group, slash included: `/127/3`; otherwise empty.
    public var multicast: String

    public init(_ address: IPAddress) {
        network = "IN"
        family = address.isIPv6 ? "IP6" : "IP4"
        host = .address(address)
        multicast = ""
    }

    /// nil: fewer than three words, or an address that is not of the family named.
    init?(_ value: ArraySlice<UInt8>) {
        let parts = words(value)
        guard parts.count == 3 else { return nil }
        self.init(network: parts[0], family: parts[1], address: parts[2])
    }

    init?(network: ArraySlice<UInt8>, family: ArraySlice<UInt8>, address: ArraySlice<UInt8>) {
        let (bare, rest) = halves(address, at: UInt8(ascii: "/"))
        var hostText = bare
        if bare.first == UInt8(ascii: "["), bare.last == UInt8(ascii: "]"), bare.count > 2 {
            hostText = bare.dropFirst().dropLast()
        }
        guard !hostText.isEmpty else { return nil }
        self.network = string(network)
        self.family = string(family)
        multicast = rest.map { "/" + string($0) } ?? ""
        host = SDPHost(string(hostText))
        guard isSame(self.network, "IN") else { return }
        switch host {
        case .address(.v4): guard isSame(self.family, "IP4") else { return nil }
        case .address(.v6): guard isSame(self.family, "IP6") else { return nil }
        case .name(let name):
            // Digits and dots alone, or a colon: meant as an address, and none.
            guard !name.utf8.allSatisfy({ $0 == 0x2e || ($0 >= 0x30 && $0 <= 0x39) }), !name.contains(":") else { return nil }
        }
    }

    /// nil for a name or a network other than the Internet.
    public var address: IPAddress? { isSame(network, "IN") ? host.address : nil }

    /// 224.0.0.0/4 or ff00::/8.
    public var isMulticast: Bool {
        switch host {
        case .address(.v4(let v4)): v4.bits >> 28 == 14
        case .address(.v6(let v6)): v6.high >> 56 == 0xff
        case .name: false
        }
    }

    /// The value of the line.
    public var description: String { "\(network) \(family) \(host)\(multicast)" }
}

/// `o=`: who made the session, and which version of it this is (RFC 8866 5.2).
public struct SDPOrigin: Hashable, Sendable, CustomStringConvertible {
    public var user: String
    /// Digits, though not every peer keeps to that.
    public var session: String
    /// Rises by one whenever the description changes.
    public var version: String
    public var network: String
    public var family: String
    public var host: SDPHost

    public init(user: String = "-", session: UInt64, version: UInt64 = 1, address: IPAddress) {
        self.user = user
        self.session = String(session)
        self.version = String(version)
        network = "IN"
        family = address.isIPv6 ? "IP6" : "IP4"
        host = .address(address)
    }

    /// The last five words are counted from the right, since some phones put a display name with spaces before them.
    init?(_ value: ArraySlice<UInt8>) {
        let parts = words(value)
        guard parts.count >= 6 else { return nil }
        let tail = Array(parts.suffix(5))
        user = parts.dropLast(5).map { string($0) }.joined(separator: " ")
        session = string(tail[0])
        version = string(tail[1])
        network = string(tail[2])
        family = string(tail[3])
        var address = tail[4]
        if address.first == UInt8(ascii: "["), address.last == UInt8(ascii: "]"), address.count > 2 {
            address = address.dropFirst().dropLast()
        }
        host = SDPHost(string(address))
    }

    /// The version as a number; nil if it is none that fits 64 bits.
    public var versionNumber: UInt64? { decimal(version.utf8, most: .max) }

    /// The same session one version on.
    public var next: SDPOrigin {
        var next = self
        next.version = String((versionNumber ?? 0) &+ 1)
        return next
    }

    /// The value of the line.
    public var description: String { "\(user) \(session) \(version) \(network) \(family) \(host)" }
}
