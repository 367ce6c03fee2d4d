public import Base
import Ethernet
public import RouterNode

/// What a router on this machine is made of: two interfaces, and the router between them.
public struct RouterSetup: Sendable {
    public var inside: String
    public var outside: String
    public var router: RouterSettings
    /// Bits of the outside address that name its link; meaningless where that comes by DHCP.
    public var outsidePrefixLength = 24
    public var gateway: IPv4Address?
    public var gatewayV6: IPv6Address?
    /// Where its command line is reached; nil: nowhere.
    public var control: String?

    public init(inside: String, outside: String, router: RouterSettings) {
        self.inside = inside
        self.outside = outside
        self.router = router
    }
}

extension RouterSetup {
    func port(_ side: RouterInterface, _ mac: MACAddress, mtu: Int) -> EthernetPort.Settings {
        var addresses: [InterfaceAddress] = []
        // Everybody on a link can be reached by it, before any other address is known (RFC 4291 2.1).
        let linkLocal = IPv6Address(high: 0xfe80 << 48, low: Self.interfaceIdentifier(mac))
        switch side {
        case .lan:
            addresses.append(InterfaceAddress(address: .v4(router.lanAddress), prefixLength: router.lanPrefix.length))
            if let v6 = router.lanIPv6 { addresses.append(InterfaceAddress(address: .v6(v6), prefixLength: 64)) }
        case .wan:
            if router.wanAddress != .any {
                addresses.append(InterfaceAddress(address: .v4(router.wanAddress), prefixLength: outsidePrefixLength))
            }
            if let v6 = router.wanIPv6 { addresses.append(InterfaceAddress(address: .v6(v6), prefixLength: 64)) }
        }
        if addresses.contains(where: \.address.isIPv6) {
            addresses.append(InterfaceAddress(address: .v6(linkLocal), prefixLength: 64))
        }
        var settings = EthernetPort.Settings(mac: mac, addresses: addresses)
        settings.mtu = mtu
        if side == .wan { (settings.gatewayV4, settings.gatewayV6) = (gateway, gatewayV6) }
        return settings
    }

    /// RFC 4291 appendix A.
    private static func interfaceIdentifier(_ mac: MACAddress) -> UInt64 {
        let (high, low) = (mac.bits >> 24 ^ 0x02_0000, mac.bits & 0xff_ffff)
        return high << 40 | 0xfffe << 24 | low
    }
}
