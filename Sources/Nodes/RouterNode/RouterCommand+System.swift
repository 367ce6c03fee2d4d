import Base
import NAT

/// Static mappings, the firewall, addresses, and the box itself.
extension RouterCommand {
    // MARK: Static mappings

    mutating func addMapping() throws(RouterCommandError) -> String {
        guard view.settings.nat != nil else { throw RouterCommandError("this router does not translate") }
        let proto = try staticProtocol()
        let outside = try port("outside_port", try needed("outside_port"))
        let text = try needed("inside_addr")
        guard case .v4(let address)? = IPAddress(text), view.settings.lanPrefix.contains(.v4(address)) else {
            throw RouterCommandError("inside_addr=\(text): an IPv4 address inside, of \(view.settings.lanPrefix), is wanted")
        }
        let inside = Endpoint(
            .v4(address),
            try value("inside_port").map { text throws(RouterCommandError) in try port("inside_port", text) } ?? outside)
        var configuration = view.configuration
        guard !configuration.staticMappings.contains(where: { $0.proto == proto && $0.outsidePort == outside }) else {
            throw RouterCommandError("outside_port=\(outside): mapped already; nat maplist shows where to")
        }
        guard configuration.staticMappings.count < StaticMapping.cap else {
            throw RouterCommandError("\(StaticMapping.cap) static mappings are the most")
        }
        let holder = view.snapshot.mappings.first {
            $0.mapping.proto == proto && $0.mapping.external.port == outside && $0.mapping.internal != inside
        }
        if let holder {
            throw RouterCommandError(
                "outside_port=\(outside): \(holder.mapping.internal) has it for another \(holder.idleLeft.wholeSeconds) s; connection clean takes it from it"
            )
        }
        configuration.staticMappings.append(StaticMapping(proto, outsidePort: outside, inside: inside))
        actions.append(.configure(configuration))
        return ""
    }

    mutating func deleteMapping() throws(RouterCommandError) -> String {
        let proto = try staticProtocol()
        let outside = try port("outside_port", try needed("outside_port"))
        var configuration = view.configuration
        guard let index = configuration.staticMappings.firstIndex(where: { $0.proto == proto && $0.outsidePort == outside })
        else {
            throw RouterCommandError("outside_port=\(outside): not mapped; nat maplist shows what is")
        }
        configuration.staticMappings.remove(at: index)
        actions.append(.configure(configuration))
        return ""
    }

    private func staticProtocol() throws(RouterCommandError) -> NATProtocol {
        switch try needed("protocol") {
        case "udp": return .udp
        case "tcp": return .tcp
        case let other: throw RouterCommandError(unknown: other, "a protocol", ["udp", "tcp"])
        }
    }

    var staticMappings: String {
        view.configuration.staticMappings.map { "static \($0.proto) \($0.outsidePort) to \($0.inside)\n" }.joined()
    }

    // MARK: Firewall

    mutating func configureFirewall() throws(RouterCommandError) -> String {
        guard let value = value("wan_ping") else {
            return """
                wan_ping      \(view.configuration.answersWANPing ? "enabled" : "disabled")
                rules         \(view.configuration.firewall.rules.count) of \(RouterFirewall.cap)
                filtering     \(view.settings.nat.map { "\($0.filtering)" } ?? "none: this router does not translate")

                """
        }
        var configuration = view.configuration
        configuration.answersWANPing = try onOff("wan_ping", value)
        actions.append(.configure(configuration))
        return ""
    }

    var rules: String {
        let rules = view.configuration.firewall.rules
        guard !rules.isEmpty else { return "no rules: everything goes on to routing and NAT\n" }
        return rules.enumerated().map { "\(cell(String($0 + 1), 4))\($1.text)\n" }.joined()
    }

    mutating func addRule() throws(RouterCommandError) -> String {
        var rule = RouterFirewall.Rule(isAccepted: false)
        for (name, value) in arguments {
            switch name {
            case "action":
                guard ["accept", "drop"].contains(value) else {
                    throw RouterCommandError(unknown: value, "an action", ["accept", "drop"])
                }
                rule.isAccepted = value == "accept"
            case "interface":
                guard ["lan", "wan"].contains(value) else {
                    throw RouterCommandError(unknown: value, "an interface", ["lan", "wan"])
                }
                rule.interface = value == "lan" ? .lan : .wan
            case "protocol":
                let known = RouterFirewall.Rule.protocols
                guard let number = known.first(where: { $0.key == value })?.value ?? UInt8(value) else {
                    throw RouterCommandError(unknown: value, "a protocol", known.map(\.key))
                }
                rule.proto = number
            case "from": rule.from = try prefix(name, value)
            case "to": rule.to = try prefix(name, value)
            default: rule.ports = try ports(value).ports
            }
        }
        if rule.ports != nil, rule.proto != 6, rule.proto != 17 {
            throw RouterCommandError("port: give protocol=udp or protocol=tcp with it")
        }
        var configuration = view.configuration
        guard configuration.firewall.rules.count < RouterFirewall.cap else {
            throw RouterCommandError("\(RouterFirewall.cap) rules are the most")
        }
        configuration.firewall.rules.append(rule)
        actions.append(.configure(configuration))
        return ""
    }

    private func prefix(_ name: String, _ value: String) throws(RouterCommandError) -> IPPrefix {
        guard let prefix = IPPrefix(value) else {
            throw RouterCommandError("\(name)=\(value): an address or a prefix like 192.0.2.0/24 is wanted")
        }
        return prefix
    }

    mutating func deleteRule() throws(RouterCommandError) -> String {
        var configuration = view.configuration
        let text = try needed("index")
        guard let index = Int(text), configuration.firewall.rules.indices.contains(index - 1) else {
            throw RouterCommandError("index=\(text): there is no such rule; firewall list shows them")
        }
        configuration.firewall.rules.remove(at: index - 1)
        actions.append(.configure(configuration))
        return ""
    }

    // MARK: IP

    private var ipv6: [(String, IPAddress)] {
        [("lan", view.settings.lanIPv6), ("wan", view.settings.wanIPv6)].compactMap { side, address in
            address.map { (side, .v6($0)) }
        }
    }

    var addresses: String {
        let own = [("lan", view.snapshot.lan), ("wan", view.snapshot.wan)] + ipv6
        return own.map { "\($0.0)   \($0.1)\n" }.joined()
    }

    var routes: String {
        var text = "\(cell("\(view.settings.lanPrefix)", 30))lan\n"
        for route in view.settings.lanRoutes { text += "\(cell("\(route)", 30))lan\n" }
        text += "\(cell("0.0.0.0/0", 30))wan\n"
        return text + (ipv6.isEmpty ? "" : "\(cell("::/0", 30))wan\n")
    }

    var ipConfiguration: String {
        """
        forwarding    IPv4\(ipv6.isEmpty ? "" : " and IPv6")
        NAT           \(view.settings.nat.map { "mapping \($0.mapping), filtering \($0.filtering)" } ?? "none: routed as it is")
        MTU           lan \(view.settings.lanMTU), wan \(view.settings.wanMTU)

        """
    }

    var interfaces: String {
        var text =
            "\(cell("Side", 6))\(cell("In packets", 13))\(cell("octets", 15))\(cell("Out packets", 13))\(cell("octets", 15))Dropped\n"
        for (name, side) in [("lan", view.snapshot.statistics.lan), ("wan", view.snapshot.statistics.wan)] {
            text += "\(cell(name, 6))\(cell("\(side.packetsIn)", 13))\(cell("\(side.octetsIn)", 15))"
            text += "\(cell("\(side.packetsOut)", 13))\(cell("\(side.octetsOut)", 15))\(side.dropped)\n"
        }
        return text
    }

    // MARK: System

    var systemInfo: String {
        """
        Product       \(view.snapshot.name)
        SIP_ALG       \(view.configuration.isALGEnabled ? "enabled" : "disabled"), profile \(view.snapshot.profile)
        Connections   \(view.snapshot.mappings.count)
        Pinholes      \(view.snapshot.pinholes.count)
        Restarts      \(view.snapshot.statistics.restarts)

        """
    }
}
