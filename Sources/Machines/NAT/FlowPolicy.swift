import Base

/// The settings as the packet path wants them: times in nanoseconds, rules with their spaces.
struct FlowPolicy: Sendable {
    struct Rule: Sendable {
        var proto: NATProtocol
        var low: UInt16
        var high: UInt16
        var mapping: Dependence
        var filtering: Dependence
        var space: UInt8
        var idle: Int64?
    }

    /// How one flow is treated.
    struct Treatment: Sendable {
        var mapping: Dependence
        var filtering: Dependence
        var space: UInt8
        var idle: Int64?
    }

    let mapping: Dependence
    let filtering: Dependence
    let rules: [Rule]
    let udp: Int64
    let udpUnanswered: Int64?
    let outboundRefreshes: Bool
    let inboundRefreshes: Bool
    let tcpEstablished: Int64
    let tcpTransitory: Int64
    let icmpQuery: Int64
    let heldSYN: Int64
    let holdsSYN: Bool
    let fragments: Int64
    private let single: IPv4Address
    private let others: Set<IPv4Address>

    init(_ settings: NATSettings) {
        mapping = settings.mapping
        filtering = settings.filtering
        rules = settings.rules.prefix(64).enumerated().map { number, rule in
            Rule(
                proto: rule.proto, low: rule.remotePorts.lowerBound, high: rule.remotePorts.upperBound,
                mapping: rule.mapping ?? settings.mapping, filtering: rule.filtering ?? settings.filtering,
                space: rule.ownMappings ? UInt8(number + 1) : 0, idle: rule.idle.map(Self.nanoseconds))
        }
        let timers = settings.timers
        udp = Self.nanoseconds(timers.udp)
        udpUnanswered = timers.udpUnanswered.map(Self.nanoseconds)
        outboundRefreshes = timers.outboundRefreshes
        inboundRefreshes = timers.inboundRefreshes
        tcpEstablished = Self.nanoseconds(timers.tcpEstablished)
        tcpTransitory = Self.nanoseconds(timers.tcpTransitory)
        icmpQuery = Self.nanoseconds(timers.icmpQuery)
        heldSYN = Self.nanoseconds(timers.heldSYN ?? .zero)
        holdsSYN = timers.heldSYN != nil
        fragments = Self.nanoseconds(timers.fragments)
        single = settings.externalAddresses[0]
        others = Set(settings.externalAddresses.dropFirst())
    }

    static func nanoseconds(_ duration: Duration) -> Int64 { max(0, duration.wholeNanoseconds) }

    func isExternal(_ address: IPv4Address) -> Bool { address == single || (!others.isEmpty && others.contains(address)) }

    /// ICMP queries have no ports: their remote is an address.
    func treatment(_ proto: NATProtocol, remotePort: UInt16?) -> Treatment {
        if !rules.isEmpty, let remotePort {
            for rule in rules where rule.proto == proto && rule.low <= remotePort && remotePort <= rule.high {
                return Treatment(mapping: rule.mapping, filtering: rule.filtering, space: rule.space, idle: rule.idle)
            }
        }
        return Treatment(mapping: mapping, filtering: filtering, space: 0, idle: nil)
    }
}

extension Instant {
    /// `nanoseconds` >= 0; saturates.
    func later(by nanoseconds: Int64) -> Instant {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        return overflow ? .distantFuture : Instant(nanoseconds: sum)
    }
}
