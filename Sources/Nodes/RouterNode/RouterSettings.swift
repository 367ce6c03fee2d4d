import Base
public import ALG
public import NAT

/// One router: addresses, how it translates, and its SIP helper.
public struct RouterSettings: Hashable, Sendable {
    /// For people and traces.
    public var name: String
    /// Its own IPv4 address towards the LAN.
    public var lanAddress: IPv4Address
    /// The hosts behind it.
    public var lanPrefix: IPPrefix
    /// Its own IPv4 address towards the WAN. `nat.externalAddresses` usually holds the same.
    public var wanAddress: IPv4Address
    public var lanMTU = 1500
    public var wanMTU = 1500
    /// nil: packets are routed, not translated.
    public var nat: NATSettings?
    public var alg: ALGProfile = .none
    public var isALGEnabled = true
    /// Ports whose traffic the SIP helper reads.
    public var sipPorts: [RouterPortBinding] = [RouterPortBinding(5060...5060)]
    /// Further prefixes that lie on the LAN side: what routers behind this one serve untranslated, and IPv6 prefixes.
    public var lanRoutes: [IPPrefix] = []
    /// Its own IPv6 addresses; empty: it does not route IPv6.
    public var lanIPv6: IPv6Address?
    public var wanIPv6: IPv6Address?
    /// How long a reboot takes.
    public var rebootTime: Duration = .seconds(30)
    /// Whether it answers ICMP echo requests on the WAN side; on the LAN side it always does.
    public var answersWANPing = true
    public var limits = RouterLimits()
    public var services = RouterServiceSettings()

    public init(name: String = "router", lan: IPv4Address, prefixLength: Int = 24, wan: IPv4Address, nat: NATSettings? = nil) {
        self.name = name
        lanAddress = lan
        lanPrefix = IPPrefix(.v4(lan), length: prefixLength)
        wanAddress = wan
        var nat = nat ?? NATSettings(wan)
        if nat.insideAddress == nil { nat.insideAddress = lan }
        self.nat = nat
    }
}

/// Ports handed to the SIP helper (`bind application=SIP port=5060`).
public struct RouterPortBinding: Hashable, Sendable {
    public var ports: ClosedRange<UInt16>

    public init(_ ports: ClosedRange<UInt16>) { self.ports = ports }
}

/// Bounds of the router's own tables.
public struct RouterLimits: Hashable, Sendable {
    /// Packets the SIP helper may hold back at once; further ones go on at once, traced.
    public var heldPackets = 1024
    /// Stream directions whose sequence numbers are shifted.
    public var shiftedStreams = 4096
    /// Bindings of ports to the helper.
    public var sipPorts = 64
    /// ICMP errors a second and side, and how many may go at once after a pause; echo replies are none.
    public var icmpErrorsPerSecond = 100
    public var icmpErrorBurst = 50

    public init() {}
}

extension RouterSettings {
    /// A SpeedTouch 780 as in the report of 2007: ports handed out downwards from 52899, one minute's idle time, endpoint-independent
    /// mapping, and the ALG profile of that name.
    ///
    /// The cone helper bound to STUN's ports 3478-3479 gives STUN the NAT's ordinary mapping; while the ALG is on, SIP has others.
    public static func speedtouch780(
        name: String = "SpeedTouch 780", lan: IPv4Address = IPv4Address(192, 168, 1, 254), wan: IPv4Address
    ) -> RouterSettings {
        var nat = NATSettings(wan, mapping: .endpointIndependent, filtering: .addressAndPortDependent)
        nat.ports.preservesPort = false
        nat.ports.preservesParity = false
        nat.ports.order = .descending(from: 52_899)
        nat.timers.udp = .seconds(60)
        var settings = RouterSettings(name: name, lan: lan, wan: wan, nat: nat)
        settings.alg = .speedtouch780
        return settings
    }

    /// Linux with nftables masquerade: ports preserved, symmetric mapping and filtering, 30 s until answered and 120 s after,
    /// and, where `alg`, nf_nat_sip.
    public static func linux(
        name: String = "Linux", lan: IPv4Address = IPv4Address(192, 168, 1, 1), wan: IPv4Address, alg: Bool = true
    ) -> RouterSettings {
        var nat = NATSettings(wan, mapping: .addressAndPortDependent, filtering: .addressAndPortDependent)
        nat.ports.overloads = true
        nat.timers.udp = .seconds(120)
        nat.timers.udpUnanswered = .seconds(30)
        nat.timers.inboundRefreshes = true
        nat.timers.heldSYN = nil
        nat.picksUpTCPMidway = true
        nat.unsolicited = .portUnreachable
        var settings = RouterSettings(name: name, lan: lan, wan: wan, nat: nat)
        settings.alg = .linux
        settings.isALGEnabled = alg
        return settings
    }

    /// Any behaviour of RFC 4787's nine, with one idle time for UDP and no port preserved unless asked for.
    public static func generic(
        name: String = "router", lan: IPv4Address = IPv4Address(192, 168, 1, 1), wan: IPv4Address, mapping: Dependence,
        filtering: Dependence, udpIdle: Duration = .seconds(300), alg: ALGProfile = .none
    ) -> RouterSettings {
        var nat = NATSettings(wan, mapping: mapping, filtering: filtering)
        nat.timers.udp = udpIdle
        var settings = RouterSettings(name: name, lan: lan, wan: wan, nat: nat)
        settings.alg = alg
        return settings
    }
}
