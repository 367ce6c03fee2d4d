public import Base
import Ethernet
public import RouterNode

/// Where a side of a router on this machine lies.
public enum RouterPlace: Hashable, Sendable, CustomStringConvertible {
    case interface(String)
    /// A packet socket that is open already, on an interface that this process need not see.
    case socket(Int32)
    /// What this machine itself reaches, by ordinary sockets; the outside alone.
    case thisMachine

    public var description: String {
        switch self {
        case .interface(let name): name
        case .socket(let descriptor): "socket \(descriptor)"
        case .thisMachine: "this machine's network"
        }
    }
}

/// What a router on this machine is made of: two sides, and the router between them.
public struct RouterSetup: Sendable {
    public var inside: RouterPlace
    public var outside: RouterPlace
    public var router: RouterSettings
    /// Bits of the outside address that name its link; meaningless where that comes by DHCP.
    public var outsidePrefixLength = 24
    public var gateway: IPv4Address?
    /// Where its command line is reached; nil: nowhere.
    public var control: String?

    public init(inside: RouterPlace, outside: RouterPlace, router: RouterSettings) {
        self.inside = inside
        self.outside = outside
        self.router = router
    }
}

extension RouterSetup {
    func port(_ side: RouterInterface, _ mac: MACAddress, mtu: Int) -> EthernetPort.Settings {
        var settings = EthernetPort.Settings(mac: mac)
        settings.mtu = mtu
        switch side {
        case .lan:
            settings.addresses = [InterfaceAddress(address: .v4(router.lanAddress), prefixLength: router.lanPrefix.length)]
        case .wan where router.wanAddress != .any:
            settings.addresses = [InterfaceAddress(address: .v4(router.wanAddress), prefixLength: outsidePrefixLength)]
            settings.gatewayV4 = gateway
        case .wan: break
        }
        return settings
    }
}
