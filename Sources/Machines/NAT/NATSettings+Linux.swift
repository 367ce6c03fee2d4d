public import Base

extension NATSettings {
    /// How Linux masquerades (nf_conntrack, nf_nat) by default: mappings and filters by the whole 5-tuple, ports preserved and
    /// shared between flows that the remote end tells apart, UDP 30 s until answered and 120 s thereafter.
    public static func linux(_ external: IPv4Address) -> NATSettings {
        var settings = NATSettings(external, mapping: .addressAndPortDependent, filtering: .addressAndPortDependent)
        settings.ports.overloads = true
        settings.ports.preservesParity = false
        settings.hairpinning = .off
        settings.timers.udp = .seconds(120)
        settings.timers.udpUnanswered = .seconds(30)
        settings.timers.inboundRefreshes = true
        settings.timers.tcpEstablished = .seconds(432_000)
        settings.timers.tcpTransitory = .seconds(120)
        settings.timers.heldSYN = nil
        settings.timers.icmpQuery = .seconds(30)
        settings.picksUpTCPMidway = true
        return settings
    }
}
