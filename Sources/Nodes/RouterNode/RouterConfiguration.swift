public import Base
public import NAT

/// What can be set while a router runs.
public struct RouterConfiguration: Hashable, Sendable {
    public var isALGEnabled: Bool
    public var sipPorts: [RouterPortBinding]
    /// Whether the helper's doings are traced, as its own command line calls it.
    public var isALGTracing = false
    /// How long SIP's mappings live unused; nil: as the profile says.
    public var sipTimeout: Duration?
    /// The NAT's idle times; nil: it does not translate.
    public var timers: NATTimers?
    public var staticMappings: [StaticMapping] = []
    public var firewall = RouterFirewall()
    /// Whether it answers ICMP echo requests on the WAN side.
    public var answersWANPing: Bool

    init(_ settings: RouterSettings) {
        isALGEnabled = settings.isALGEnabled
        sipPorts = settings.sipPorts
        timers = settings.nat?.timers
        answersWANPing = settings.answersWANPing
    }

    func isSIP(_ port: UInt16) -> Bool { sipPorts.contains { $0.ports.contains(port) } }
}

/// A port of the router's that leads to a host inside, whoever comes (`nat mapadd`).
public struct StaticMapping: Hashable, Sendable {
    /// How many there may be.
    public static let cap = 64

    /// `.udp` or `.tcp`.
    public var proto: NATProtocol
    public var outsidePort: UInt16
    public var inside: Endpoint

    public init(_ proto: NATProtocol, outsidePort: UInt16, inside: Endpoint) {
        self.proto = proto
        self.outsidePort = outsidePort
        self.inside = inside
    }
}
