import ALG
import Base
import NAT

/// One command with its arguments, about to be carried out.
struct RouterCommand {
    var view: RouterCommandLine.View
    /// Names and values in lower case, each name once.
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
        case (.connection, "applist"): return applicationList
        case (.connection, "bindlist"), (.nat, "bindlist"): return bindings
        case (.connection, "bind"), (.nat, "bind"): return try bind(true)
        case (.connection, "unbind"), (.nat, "unbind"): return try bind(false)
        case (.connection, "config"): return configuration
        case (.connection, "describe"): return try describe()
        case (.connection, "list"): return connections
        case (.connection, "info"): return info
        case (.connection, "stats"), (.nat, "stats"): return statistics
        case (.connection, "timerconfig"): return try timers()
        case (.connection, "clean"):
            actions.append(.flushMappings)
            return "all connections forgotten\n"
        case (.nat, "mapadd"): return try addMapping()
        case (.nat, "mapdelete"): return try deleteMapping()
        case (.nat, "maplist"): return staticMappings + connections
        case (.firewall, "config"): return try configureFirewall()
        case (.firewall, "list"): return rules
        case (.firewall, "ruleadd"): return try addRule()
        case (.firewall, "ruledelete"): return try deleteRule()
        case (.ip, "config"): return ipConfiguration
        case (.ip, "iplist"): return addresses
        case (.ip, "rtlist"): return routes
        case (.interface, "list"): return interfaces
        case (.system, "info"): return systemInfo
        case (.system, "reboot"):
            actions.append(.reboot)
            return "rebooting\n"
        case (.system, "reset"):
            actions.append(.reset)
            return "as it was configured at first, and saved so\n"
        default: throw RouterCommandError("\(command): nothing here carries it out")
        }
    }

    // MARK: Arguments

    func value(_ name: String) -> String? { arguments.first { $0.name == name }?.value }

    func needed(_ name: String) throws(RouterCommandError) -> String {
        guard let value = value(name) else { throw RouterCommandError("\(name) is missing") }
        return value
    }

    /// SIP, the only application that can be set here.
    func isSIP() throws(RouterCommandError) -> Bool {
        let name = try needed("application")
        guard Self.applications.contains(name) else {
            throw RouterCommandError(unknown: name, "an application", Self.applications.map { $0.uppercased() })
        }
        return name == "sip"
    }

    func onOff(_ name: String, _ value: String) throws(RouterCommandError) -> Bool {
        switch value {
        case "enabled": return true
        case "disabled": return false
        default: throw RouterCommandError("\(name)=\(value): enabled or disabled is wanted")
        }
    }

    func seconds(_ name: String, _ value: String) throws(RouterCommandError) -> Duration {
        guard let seconds = Int64(value), (1...86_400).contains(seconds) else {
            throw RouterCommandError("\(name)=\(value): a number of seconds from 1 to 86400 is wanted")
        }
        return .seconds(seconds)
    }

    func port(_ name: String, _ value: String) throws(RouterCommandError) -> UInt16 {
        guard let port = UInt16(value), port > 0 else {
            throw RouterCommandError("\(name)=\(value): a port from 1 to 65535 is wanted")
        }
        return port
    }

    func ports(_ value: String) throws(RouterCommandError) -> RouterPortBinding {
        guard let ports = RouterPortBinding(value) else {
            throw RouterCommandError("port=\(value): a port from 1 to 65535 or a range like 5060-5061 is wanted")
        }
        return ports
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
