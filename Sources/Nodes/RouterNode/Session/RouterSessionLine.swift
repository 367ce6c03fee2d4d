/// What a session makes of a typed line: it keeps its place to itself, and sends the rest so that it starts from the root.
enum RouterSessionLine: Hashable, Sendable {
    case nothing
    /// To another group; nil: the root.
    case enter(RouterCommandLine.Group?)
    case leave
    case command(String)

    init(_ text: String, in group: RouterCommandLine.Group?) {
        var words = text.split(whereSeparator: \.isWhitespace).map(String.init)
        var group = group
        if let first = words.first, first.hasPrefix(":") {
            group = nil
            words[0] = String(first.dropFirst())
            if words[0].isEmpty { words.removeFirst() }
        }
        guard let first = words.first?.lowercased() else {
            self = .nothing
            return
        }
        switch first {
        case "exit", "quit": self = .leave
        case "..": self = .enter(nil)
        default:
            if words.count == 1, group == nil, let entered = RouterCommandLine.Group(rawValue: first) {
                self = .enter(entered)
            } else {
                self = .command(":" + ((group.map { [$0.rawValue] } ?? []) + words).joined(separator: " "))
            }
        }
    }
}
