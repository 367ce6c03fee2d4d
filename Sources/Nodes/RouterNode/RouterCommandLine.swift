import ALG
public import Base
public import NAT

/// The router's command line in the manner of a SpeedTouch: a line in, text and wishes out.
///
/// Groups, commands and their arguments are named as in published manuals and saved configurations of that family. What
/// `applist`, `appinfo`, `bindlist` and `list` print is not public: these layouts are ours.
public struct RouterCommandLine: Sendable {
    public enum Group: String, Hashable, Sendable, CaseIterable {
        case connection, dhcp, dns, firewall, interface, ip, language, nat, service, sntp, software, syslog, system, upnp, user
        case wireless
    }

    /// What a command wants done.
    public enum Action: Hashable, Sendable {
        case configure(RouterConfiguration)
        case save
        case reboot
        case flushMappings
    }

    public struct Reply: Hashable, Sendable {
        /// Ends with the prompt, unless the router goes down.
        public var text: String
        public var actions: [Action]
    }

    /// The router as it stands when the line is entered.
    public struct View: Sendable {
        public var name: String
        public var profile: String
        public var configuration: RouterConfiguration
        public var mappings: [NATMapping]
        public var pinholes: [ALGPinhole]
        public var timers: NATTimers?
        public var addresses: [(RouterInterface, IPAddress)]
        public var now: Instant
    }

    public private(set) var group: Group?

    public init() {}

    public var prompt: String { group.map { "{Administrator}[\($0.rawValue)]=>" } ?? "{Administrator}=>" }

    public mutating func enter(_ line: String, _ view: View) -> Reply {
        var words = RouterCommandWords(line)
        var actions: [Action] = []
        let text: String
        do throws(RouterCommandError) {
            text = try perform(&words, view, &actions)
        } catch {
            text = error.text + "\n"
        }
        return Reply(text: actions.contains(.reboot) ? text : text + prompt, actions: actions)
    }

    private mutating func perform(
        _ words: inout RouterCommandWords, _ view: View, _ actions: inout [Action]
    ) throws(RouterCommandError) -> String {
        guard words.isFromRoot, let old = group, let first = words.first, first != "..", first != "exit" else {
            return try perform(rooted: &words, view, &actions)
        }
        group = nil
        do throws(RouterCommandError) {
            let text = try perform(rooted: &words, view, &actions)
            if group == nil { group = old }
            return text
        } catch {
            group = old
            throw error
        }
    }

    private mutating func perform(
        rooted words: inout RouterCommandWords, _ view: View, _ actions: inout [Action]
    ) throws(RouterCommandError) -> String {
        guard let first = words.next() else { return "" }
        switch first {
        case "..":
            group = nil
            return ""
        case "exit":
            return "closing the command line is left to whoever opened it\n"
        case "help", "?", "menu":
            return help(words.next())
        case "saveall", "save":
            actions.append(.save)
            return "saved: it stays over a reboot\n"
        default: break
        }
        if let entered = Group(rawValue: first), group == nil {
            guard words.first != nil else {
                group = entered
                return ""
            }
            return try perform(entered, &words, view, &actions)
        }
        guard let group else {
            throw RouterCommandError(unknown: first, "a group or command", Group.allCases.map(\.rawValue) + Self.everywhere)
        }
        words.back()
        return try perform(group, &words, view, &actions)
    }

    private func perform(
        _ group: Group, _ words: inout RouterCommandWords, _ view: View, _ actions: inout [Action]
    ) throws(RouterCommandError) -> String {
        let commands = Self.commands(of: group)
        guard let command = words.next() else { return "" }
        if ["help", "?"].contains(command) { return help(group.rawValue) }
        guard commands.contains(command) else {
            throw RouterCommandError(unknown: command, "a command of \(group.rawValue)", commands + Self.everywhere)
        }
        var run = RouterCommand(view: view, arguments: try words.arguments())
        let text = try run.perform(group, command)
        actions += run.actions
        return text
    }

    static let everywhere = ["exit", "..", "help", "?", "menu", "saveall"]

    /// What a group understands here; an empty list: the group is there, and none of its commands.
    static func commands(of group: Group) -> [String] {
        switch group {
        case .connection:
            ["appconfig", "appinfo", "applist", "bind", "bindlist", "clean", "info", "list", "timerconfig", "unbind"]
        case .nat: ["bind", "bindlist", "maplist", "unbind"]
        case .ip: ["iplist"]
        case .system: ["reboot"]
        case .dhcp, .dns, .firewall, .interface, .language, .service, .sntp, .software, .syslog, .upnp, .user, .wireless: []
        }
    }

    private func help(_ topic: String?) -> String {
        if let group = topic.flatMap(Group.init) ?? (topic == nil ? self.group : nil) {
            let commands = Self.commands(of: group)
            let list = commands.isEmpty ? "  (no command of this group is built)\n" : commands.map { "  \($0)\n" }.joined()
            return "Commands of \(group.rawValue):\n\(list)"
        }
        let groups = Group.allCases.map { "  \($0.rawValue)\n" }.joined()
        return "Everywhere: \(Self.everywhere.joined(separator: ", "))\nGroups:\n\(groups)"
    }
}
