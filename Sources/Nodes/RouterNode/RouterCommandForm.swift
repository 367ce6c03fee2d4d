/// How one command is typed: what help shows, what completion offers and what the reader accepts.
public struct RouterCommandForm: Hashable, Sendable {
    public struct Argument: Hashable, Sendable {
        /// As shown; typed in any case.
        public var name: String
        /// The words it takes; empty: whatever `placeholder` stands for.
        public var words: [String]
        public var placeholder: String
        public var isNeeded: Bool

        init(_ name: String, _ words: [String], needed: Bool = false) {
            self.name = name
            self.words = words
            placeholder = words.count <= 3 ? words.joined(separator: "|") : name.uppercased()
            isNeeded = needed
        }

        init(_ name: String, _ placeholder: String, needed: Bool = false) {
            self.name = name
            words = []
            self.placeholder = placeholder
            isNeeded = needed
        }

        var usage: String { isNeeded ? "\(name)=\(placeholder)" : "[\(name)=\(placeholder)]" }
    }

    public var name: String
    public var summary: String
    public var arguments: [Argument]

    init(_ name: String, _ summary: String, _ arguments: [Argument] = []) {
        self.name = name
        self.summary = summary
        self.arguments = arguments
    }

    /// `bind application=APPLICATION port=PORT`.
    public var usage: String { ([name] + arguments.map(\.usage)).joined(separator: " ") }

    func argument(_ name: String) -> Argument? { arguments.first { $0.name.lowercased() == name } }
}

extension RouterCommandForm {
    private static let onOff = ["enabled", "disabled"]
    private static let application = Argument(
        "application", RouterCommand.applications.map { $0.uppercased() }, needed: true)
    private static let port = Argument("port", "PORT[-PORT]", needed: true)

    private static let bind = RouterCommandForm("bind", "hand a port's traffic to an application's helper", [application, port])
    private static let unbind = RouterCommandForm("unbind", "take a port from a helper", [application, port])
    private static let bindlist = RouterCommandForm("bindlist", "which ports are bound to which helper")

    /// What a group understands here; an empty list: the group is there, and none of its commands.
    static func of(_ group: RouterCommandLine.Group) -> [RouterCommandForm] {
        switch group {
        case .connection:
            [
                RouterCommandForm(
                    "appconfig", "switch and set an application's helper",
                    [
                        application, Argument("SIP_ALG", onOff), Argument("trace", onOff), Argument("timeout", "SECONDS"),
                        Argument("childqos", "LABEL"),
                    ]),
                RouterCommandForm("appinfo", "whether a helper is on, what it rewrote and how often", [application]),
                RouterCommandForm("applist", "the application helpers"), bind, bindlist,
                RouterCommandForm("clean", "forget every connection"), RouterCommandForm("config", "everything that is set here"),
                RouterCommandForm("describe", "one connection in full", [Argument("id", "NUMBER", needed: true)]),
                RouterCommandForm("info", "how many connections there are"),
                RouterCommandForm("list", "the connections: who, where, how old, kept by whom"),
                RouterCommandForm("stats", "packets and connections counted, and drops by reason"),
                RouterCommandForm(
                    "timerconfig", "show the idle times, or set one",
                    [Argument("timer", RouterTimer.allCases.map(\.rawValue)), Argument("value", "SECONDS")]),
                unbind,
            ]
        case .nat:
            [
                bind, bindlist,
                RouterCommandForm(
                    "mapadd", "lead a port of the router's to a host inside",
                    [
                        Argument("protocol", ["udp", "tcp"], needed: true), Argument("outside_port", "PORT", needed: true),
                        Argument("inside_addr", "ADDRESS", needed: true), Argument("inside_port", "PORT"),
                    ]),
                RouterCommandForm(
                    "mapdelete", "take that back",
                    [Argument("protocol", ["udp", "tcp"], needed: true), Argument("outside_port", "PORT", needed: true)]),
                RouterCommandForm("maplist", "static mappings, and those that packets made"),
                RouterCommandForm("stats", "packets and mappings counted, and drops by reason"), unbind,
            ]
        case .firewall:
            [
                RouterCommandForm("config", "show or set what it answers", [Argument("wan_ping", onOff)]),
                RouterCommandForm("list", "the rules, in the order in which they are tried"),
                RouterCommandForm(
                    "ruleadd", "one more rule, the last to be tried",
                    [
                        Argument("action", ["accept", "drop"], needed: true), Argument("interface", ["lan", "wan"]),
                        Argument("protocol", RouterFirewall.Rule.protocols.map(\.key)), Argument("from", "PREFIX"),
                        Argument("to", "PREFIX"), Argument("port", "PORT[-PORT]"),
                    ]),
                RouterCommandForm("ruledelete", "take a rule out", [Argument("index", "NUMBER", needed: true)]),
            ]
        case .ip:
            [
                RouterCommandForm("config", "how IP is treated"), RouterCommandForm("iplist", "its own addresses"),
                RouterCommandForm("rtlist", "its routes"),
            ]
        case .interface: [RouterCommandForm("list", "its sides, and what crossed them")]
        case .system:
            [
                RouterCommandForm("info", "what it is and how it stands"),
                RouterCommandForm("reboot", "off and on again: what was not saved is gone"),
                RouterCommandForm("reset", "everything as it was configured at first, and saved so"),
            ]
        case .dhcp, .dns, .language, .service, .sntp, .software, .syslog, .upnp, .user, .wireless: []
        }
    }

    static func named(_ name: String, of group: RouterCommandLine.Group) -> RouterCommandForm? {
        of(group).first { $0.name == name }
    }
}

/// The NAT's idle times by their names here.
enum RouterTimer: String, CaseIterable {
    case udpidle, udpkill, tcpidle, tcpkill, icmpidle
}
