public import Base
public import DHCP
import DNS
public import DNSForwarder
public import Ethernet
public import PortControl

/// What a router offers the hosts behind it besides their way out, and how it comes by its own outside address. All off at first.
public struct RouterServiceSettings: Hashable, Sendable {
    /// Addresses for the hosts inside; nil: they have them from elsewhere.
    public var dhcp: DHCPServerSettings?
    /// Names for the hosts inside; nil: port 53 is closed. Outside addresses and, where its own are empty, resolvers are filled in.
    public var dns: DNSForwarderSettings?
    /// NAT-PMP and PCP: hosts inside may open ports for themselves; nil: port 5351 is closed. Needs a NAT.
    public var portControl: PortControl.Limits?
    /// Asks for the outside address by DHCP; nil: it is as set.
    public var outsideDHCP: OutsideDHCP?

    public struct OutsideDHCP: Hashable, Sendable {
        /// The outside port's.
        public var mac: MACAddress
        /// Option 12; empty: none.
        public var hostName = ""

        public init(mac: MACAddress) { self.mac = mac }
    }

    public init() {}

    var isOn: Bool { dhcp != nil || dns != nil || portControl != nil || outsideDHCP != nil }

    /// DHCP and DNS as a home router has them: addresses from the 64th of the prefix on (from the first, where it is small), names under
    /// home.arpa (RFC 8375), and the router as everybody's gateway and resolver.
    ///
    /// `prefixLength`: 1...30. `upstreams`: resolvers; empty: those that the outside's DHCP names.
    public static func home(lan: IPv4Address, prefixLength: Int = 24, upstreams: [Endpoint] = []) -> RouterServiceSettings {
        let length = UInt32(max(1, min(30, prefixLength)))
        let mask = UInt32.max << (32 - length)
        let first = lan.bits & mask | (~mask > 128 ? 64 : 1)
        // No more than 4,096 addresses: nobody's home is larger, and a search through them is short.
        let last = min(lan.bits | ~mask - 1, first + 4095)
        var services = RouterServiceSettings()
        var dhcp = DHCPServerSettings(
            address: lan, prefixLength: Int(length), pool: IPv4Address(bits: first)...IPv4Address(bits: last))
        dhcp.domain = .home
        services.dhcp = dhcp
        var dns = DNSForwarderSettings(domain: .home)
        dns.upstreams = upstreams
        dns.inside = [IPPrefix(.v4(lan), length: Int(length))]
        services.dns = dns
        return services
    }
}

extension DNSName {
    /// RFC 8375.
    static let home = DNSName("home.arpa") ?? .root
}
