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
        /// Everything as configured at first, and saved so.
        case reset
    }

    public struct Reply: Hashable, Sendable {
        /// Ends with the prompt, unless the router goes down.
        public var text: String
        public var actions: [Action]
    }

    /// The router as it stands when the line is entered.
    public struct View: Sendable {
        public var settings: RouterSettings
        public var configuration: RouterConfiguration
        public var snapshot: RouterSnapshot
    }

    public private(set) var group: Group?

    public init() {}

    public var prompt: String { Self.prompt(group) }

    static func prompt(_ group: Group?) -> String { group.map { "{Administrator}[\($0.rawValue)]=>" } ?? "{Administrator}=>" }

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
        if first == ".." {
            group = nil
            return ""
        }
        if let text = Self.everywhere(first, group, &words, &actions) { return text }
        if let entered = Group(rawValue: first), group == nil {
            guard words.first != nil else {
                group = entered
                return ""
            }
            return try Self.perform(entered, &words, view, &actions)
        }
        guard let group else {
            throw RouterCommandError(
                unknown: first, "a group or command", Group.allCases.map(\.rawValue) + Self.everywhere, Self.nearest(first))
        }
        words.back()
        return try Self.perform(group, &words, view, &actions)
    }

    private static func perform(
        _ group: Group, _ words: inout RouterCommandWords, _ view: View, _ actions: inout [Action]
    ) throws(RouterCommandError) -> String {
        guard let command = words.next() else { return "" }
        if let text = everywhere(command, group, &words, &actions) { return text }
        guard let form = RouterCommandForm.named(command, of: group) else {
            let known = RouterCommandForm.of(group)
            let name = RouterCommandError.nearest(command, known.map(\.name))
            throw RouterCommandError(
                unknown: command, "a command of \(group.rawValue)", known.map(\.name) + Self.everywhere,
                known.first { $0.name == name }?.usage)
        }
        if words.asksForHelp { return RouterCommandHelp.of(form) }
        var run = RouterCommand(view: view, arguments: try words.arguments(of: form))
        let text = try run.perform(group, command)
        actions += run.actions
        return text
    }

    /// The nearest of all groups and commands, as it is typed from the root.
    private static func nearest(_ word: String) -> String? {
        let forms = Group.allCases.flatMap { group in RouterCommandForm.of(group).map { (group, $0) } }
        let name = RouterCommandError.nearest(word, Group.allCases.map(\.rawValue) + everywhere + forms.map(\.1.name))
        guard let name, let (group, form) = forms.first(where: { $0.1.name == name }), Group(rawValue: name) == nil else {
            return name
        }
        return "\(group.rawValue) \(form.usage)"
    }

    // MARK: Understood everywhere

    static let everywhere = ["exit", "..", "help", "?", "menu", "saveall", "ping", "traceroute"]

    private static func everywhere(
        _ word: String, _ group: Group?, _ words: inout RouterCommandWords, _ actions: inout [Action]
    ) -> String? {
        switch word {
        case "..": return ""
        case "exit": return "closing the command line is left to whoever opened it\n"
        case "help", "?": return RouterCommandHelp.text(words.next(), words.next(), in: group)
        case "menu": return "there are no menus here; help lists the groups and their commands\n"
        case "saveall", "save":
            actions.append(.save)
            return "saved: it stays over a reboot\n"
        case "ping", "traceroute":
            return "\(word): this router sends no requests of its own; run \(word) on a host behind it: it answers there\n"
        default: return nil
        }
    }
}
