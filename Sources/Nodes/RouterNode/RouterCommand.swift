import ALG
import Base
import NAT

/// One command with its arguments, about to be carried out.
struct RouterCommand {
    var view: RouterCommandLine.View
    var arguments: [(name: String, value: String)]
    var actions: [RouterCommandLine.Action] = []

    /// Applications that can be bound to ports. Only SIP and CONE(UDP) do anything here.
    static let applications = [
        "ip6to4", "pptp", "esp", "ike", "sip", "jabber", "cu/seeme", "raudio(pna)", "rtsp", "ils", "h245", "h323", "irc", "dhcp",
        "game(udp)", "cone(udp)", "loose(udp)", "snmp_trap", "ftp",
    ]

    init(view: RouterCommandLine.View, arguments: [(name: String, value: String)]) {
        self.view = view
        self.arguments = arguments
    }

    mutating func perform(_ group: RouterCommandLine.Group, _ command: String) throws(RouterCommandError) -> String {
        switch (group, command) {
        case (.connection, "appconfig"): return try configureApplication()
        case (.connection, "appinfo"): return try applicationInfo()
        case (.connection, "applist"): return try alone(command) ?? applicationList
        case (.connection, "bindlist"), (.nat, "bindlist"): return try alone(command) ?? bindings
        case (.connection, "bind"), (.nat, "bind"): return try bind(true)
        case (.connection, "unbind"), (.nat, "unbind"): return try bind(false)
        case (.connection, "list"), (.nat, "maplist"): return try alone(command) ?? mappings
        case (.connection, "info"): return try alone(command) ?? info
        case (.connection, "clean"):
            _ = try alone(command)
            actions.append(.flushMappings)
            return "all connections forgotten\n"
        case (.connection, "timerconfig"): return try timers()
        case (.ip, "iplist"): return try alone(command) ?? addresses
        case (.system, "reboot"):
            _ = try alone(command)
            actions.append(.reboot)
            return "rebooting\n"
        default: throw RouterCommandError("\(command): nothing here carries it out")
        }
    }

    /// Throws where a command without arguments got some.
    private func alone(_ command: String) throws(RouterCommandError) -> String? {
        guard let first = arguments.first else { return nil }
        throw RouterCommandError("\(first.name): \(command) takes no arguments")
    }

    private func value(_ name: String, of command: String) throws(RouterCommandError) -> String {
        guard let value = arguments.first(where: { $0.name == name })?.value else {
            throw RouterCommandError("\(name) is missing: \(command) \(name)=VALUE")
        }
        return value
    }

    private func application(of command: String) throws(RouterCommandError) -> String {
        let name = try value("application", of: command)
        guard Self.applications.contains(name) else {
            throw RouterCommandError(unknown: name, "an application", Self.applications.map { $0.uppercased() })
        }
        return name
    }

    private func onOff(_ name: String, _ value: String) throws(RouterCommandError) -> Bool {
        switch value {
        case "enabled": return true
        case "disabled": return false
        default: throw RouterCommandError("\(name)=\(value): enabled or disabled is wanted")
        }
    }

    // MARK: Applications

    private mutating func configureApplication() throws(RouterCommandError) -> String {
        guard try application(of: "appconfig") == "sip" else {
            throw RouterCommandError("application: only SIP can be configured here")
        }
        var configuration = view.configuration
        var changes = 0
        for (name, value) in arguments where name != "application" {
            switch name {
            case "sip_alg": configuration.isALGEnabled = try onOff(name, value)
            case "trace": configuration.isALGTracing = try onOff(name, value)
            case "timeout":
                guard let seconds = Int64(value), (1...86_400).contains(seconds) else {
                    throw RouterCommandError("timeout=\(value): a number of seconds from 1 to 86400 is wanted")
                }
                configuration.sipTimeout = .seconds(seconds)
            case "childqos":
                // Accepted as saved configurations hold it; there is no queueing here for it to choose.
                break
            default:
                throw RouterCommandError(
                    unknown: name, "an argument of appconfig", ["application", "SIP_ALG", "trace", "timeout", "childqos"])
            }
            changes += 1
        }
        guard changes > 0 else {
            throw RouterCommandError("nothing to set: give SIP_ALG=enabled|disabled, trace=enabled|disabled or timeout=SECONDS")
        }
        actions.append(.configure(configuration))
        return ""
    }

    /// The state of the helper, which the family's own `appinfo` was not seen to show. This layout is ours.
    private func applicationInfo() throws(RouterCommandError) -> String {
        let name = try application(of: "appinfo")
        guard name == "sip" else { return "\(name.uppercased()): known by name, not built\n" }
        let configuration = view.configuration
        let ports = configuration.sipPorts.map(\.text).joined(separator: ", ")
        let timeout = configuration.sipTimeout.map { "\($0.wholeSeconds) s" } ?? "as the profile says"
        return """
            Application   SIP
            SIP_ALG       \(configuration.isALGEnabled ? "enabled" : "disabled")
            profile       \(view.profile)
            ports         \(ports.isEmpty ? "none bound" : ports)
            trace         \(configuration.isALGTracing ? "enabled" : "disabled")
            timeout       \(timeout)
            pinholes      \(view.pinholes.count)

            """
    }

    private var applicationList: String {
        var text = "Application   Protocol  Ports\n"
        for name in Self.applications {
            switch name {
            case "sip": text += row("SIP", "udp/tcp", view.configuration.sipPorts.map(\.text).joined(separator: ","))
            case "cone(udp)": text += row("CONE(UDP)", "udp", "3478-3479")
            default: text += row(name.uppercased(), "-", "not built")
            }
        }
        return text
    }

    private var bindings: String {
        var text = "Application   Protocol  Ports\n"
        for binding in view.configuration.sipPorts { text += row("SIP", "udp/tcp", binding.text) }
        return text + row("CONE(UDP)", "udp", "3478-3479")
    }

    private mutating func bind(_ adds: Bool) throws(RouterCommandError) -> String {
        let command = adds ? "bind" : "unbind"
        guard try application(of: command) == "sip" else {
            throw RouterCommandError("application: only SIP can be bound here")
        }
        if let other = arguments.first(where: { $0.name != "application" && $0.name != "port" }) {
            throw RouterCommandError(unknown: other.name, "an argument of \(command)", ["application", "port"])
        }
        let text = try value("port", of: command)
        guard let binding = RouterPortBinding(text) else {
            throw RouterCommandError("port=\(text): a port from 1 to 65535 or a range like 5060-5061 is wanted")
        }
        var configuration = view.configuration
        if adds {
            guard !configuration.sipPorts.contains(binding) else { throw RouterCommandError("port=\(text): bound already") }
            guard configuration.sipPorts.count < 64 else { throw RouterCommandError("port=\(text): 64 bindings are the most") }
            configuration.sipPorts.append(binding)
        } else {
            guard let index = configuration.sipPorts.firstIndex(of: binding) else {
                let bound = configuration.sipPorts.map(\.text).joined(separator: ", ")
                throw RouterCommandError("port=\(text): not bound; bound are: \(bound.isEmpty ? "none" : bound)")
            }
            configuration.sipPorts.remove(at: index)
        }
        actions.append(.configure(configuration))
        return ""
    }

    // MARK: Connections

    /// The NAT's mappings and the helper's pinholes, oldest first.
    private var mappings: String {
        var text = "Proto  Inside                 Outside                Towards                Idle left\n"
        for mapping in view.mappings {
            let left = "\(mapping.idleLeft(at: view.now).wholeSeconds) s"
            text += columns(
                "\(mapping.proto)", mapping.internal.description, mapping.external.description,
                mapping.remote?.description ?? "anyone", left)
        }
        for pinhole in view.pinholes {
            let left = "\((pinhole.until - view.now).wholeSeconds) s"
            text += columns(
                "hole", pinhole.inside.description, pinhole.external.description, pinhole.from?.description ?? "anyone", left)
        }
        return text
    }

    private var info: String {
        "\(view.name)\nConnections   \(view.mappings.count)\nPinholes      \(view.pinholes.count)\n"
    }

    private var addresses: String {
        view.addresses.map { "\($0.0 == .lan ? "lan" : "wan")   \($0.1)\n" }.joined()
    }

    private mutating func timers() throws(RouterCommandError) -> String {
        guard let timers = view.timers else { return "this router does not translate\n" }
        let values: [(String, Duration)] = [
            ("udpidle", timers.udp), ("udpkill", timers.udpUnanswered ?? timers.udp), ("tcpidle", timers.tcpEstablished),
            ("tcpkill", timers.tcpTransitory), ("icmpidle", timers.icmpQuery),
        ]
        guard !arguments.isEmpty else {
            return values.map { "\(padded($0.0, 10))\($0.1.wholeSeconds) s\n" }.joined()
        }
        let name = try value("timer", of: "timerconfig")
        guard let timer = values.first(where: { $0.0 == name }) else {
            throw RouterCommandError(unknown: name, "a timer", values.map(\.0))
        }
        if arguments.contains(where: { $0.name == "value" }) {
            throw RouterCommandError("value: the timers are set where the router is configured and only shown here")
        }
        return "\(padded(timer.0, 10))\(timer.1.wholeSeconds) s\n"
    }

    private func row(_ name: String, _ proto: String, _ ports: String) -> String {
        "\(padded(name, 14))\(padded(proto, 10))\(ports)\n"
    }

    private func columns(_ proto: String, _ inside: String, _ outside: String, _ remote: String, _ left: String) -> String {
        "\(padded(proto, 7))\(padded(inside, 23))\(padded(outside, 23))\(padded(remote, 23))\(left)\n"
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.utf8.count))
    }
}

extension RouterPortBinding {
    /// `5060` or `5060-5061`; nil for anything else.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard let first = parts.first.flatMap({ UInt16($0) }), first > 0, parts.count <= 2 else { return nil }
        guard parts.count == 2 else {
            self.init(first...first)
            return
        }
        guard let last = UInt16(parts[1]), last >= first else { return nil }
        self.init(first...last)
    }

    public var text: String {
        ports.count == 1 ? String(ports.lowerBound) : "\(ports.lowerBound)-\(ports.upperBound)"
    }
}
