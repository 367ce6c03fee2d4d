/// What `help` prints.
enum RouterCommandHelp {
    /// Help on a group or command; without a topic, on `group`, or on everything.
    static func text(_ topic: String?, _ second: String?, in group: RouterCommandLine.Group?) -> String {
        if let topic, let group, let form = RouterCommandForm.named(topic, of: group) { return of(form) }
        let named = topic.flatMap { RouterCommandLine.Group(rawValue: $0) }
        if let named, let second, let form = RouterCommandForm.named(second, of: named) { return of(form) }
        if let shown = named ?? (topic == nil ? group : nil) {
            let forms = RouterCommandForm.of(shown)
            let list = forms.map { "  \(cell($0.name, 14))\($0.summary)\n" }.joined()
            return "Commands of \(shown.rawValue):\n\(forms.isEmpty ? "  (no command of this group is built)\n" : list)"
        }
        let groups = RouterCommandLine.Group.allCases.map { group in
            "  \(cell(group.rawValue, 14))\(RouterCommandForm.of(group).map(\.name).joined(separator: ", "))\n"
        }
        return "Everywhere: \(RouterCommandLine.everywhere.joined(separator: ", "))\nGroups:\n"
            + groups.map { trimmed($0) }.joined() + "help GROUP, help GROUP COMMAND and GROUP COMMAND ? say more.\n"
    }

    static func of(_ form: RouterCommandForm) -> String {
        var text = "\(form.usage)\n  \(form.summary)\n"
        for argument in form.arguments {
            let values = argument.words.isEmpty ? argument.placeholder : argument.words.joined(separator: "|")
            text += "  \(cell(argument.name, 14))\(values)\(argument.isNeeded ? " (needed)" : "")\n"
        }
        return text
    }

    private static func trimmed(_ line: String) -> String {
        var line = line.dropLast()
        while line.last == " " { line = line.dropLast() }
        return line + "\n"
    }
}

/// `text` filled up with spaces; at least one follows it.
func cell(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(1, width - text.utf8.count)) }
