/// What can stand where the cursor is: groups, commands, names of arguments, their values.
struct RouterCompletion: Hashable, Sendable {
    /// What is typed of the word so far.
    var typed: String
    /// Whole words as they are written, with what follows them (a space, `=`).
    var candidates: [String] = []
    /// The command whose arguments are meant.
    var form: RouterCommandForm?

    /// `text`: what stands before the cursor; `group`: where one is.
    init(_ text: String, in group: RouterCommandLine.Group?) {
        var line = Substring(text)
        while line.first?.isWhitespace == true { line = line.dropFirst() }
        var group = group
        if line.first == ":" {
            group = nil
            line = line.dropFirst()
        }
        let cut = line.lastIndex { $0.isWhitespace || $0 == "=" }.map { line.index(after: $0) } ?? line.startIndex
        typed = String(line[cut...])
        fill(line[..<cut].lowercased().split { $0.isWhitespace || $0 == "=" }.map(String.init), group)
    }

    private mutating func fill(_ words: [String], _ group: RouterCommandLine.Group?) {
        var words = words
        var group = group
        var asksForHelp = false
        while let first = words.first, first == "help" {
            asksForHelp = true
            words.removeFirst()
        }
        if group == nil {
            guard let first = words.first else {
                let groups = RouterCommandLine.Group.allCases.map { $0.rawValue + " " }
                return offer(groups + (asksForHelp ? [] : Self.everywhere))
            }
            guard let named = RouterCommandLine.Group(rawValue: first) else { return }
            group = named
            words.removeFirst()
        }
        guard let group else { return }
        guard let command = words.first else {
            let commands = RouterCommandForm.of(group).map { $0.name + ($0.arguments.isEmpty ? "" : " ") }
            return offer(commands + (asksForHelp ? [] : Self.everywhere))
        }
        guard let form = RouterCommandForm.named(command, of: group), !asksForHelp else { return }
        self.form = form
        offerArguments(of: form, after: words.dropFirst())
    }

    private static let everywhere = RouterCommandLine.everywhere.filter { $0 != "?" }

    private mutating func offerArguments(of form: RouterCommandForm, after words: ArraySlice<String>) {
        var given: Set<String> = []
        var open: RouterCommandForm.Argument?
        func firstNeeded() -> RouterCommandForm.Argument? { form.arguments.first { $0.isNeeded && !given.contains($0.name) } }
        for word in words {
            if let named = open {
                given.insert(named.name)
                open = nil
            } else if let argument = form.argument(word) {
                open = argument
            } else if let needed = firstNeeded() {
                given.insert(needed.name)
            }
        }
        if let open { return offer(open.words.map { $0 + " " }) }
        let names = form.arguments.filter { !given.contains($0.name) }.map { $0.name + "=" }
        // A value whose name is left out counts as well, once it has begun.
        let values = typed.isEmpty ? [] : (firstNeeded()?.words ?? []).map { $0 + " " }
        offer(names + values)
    }

    private mutating func offer(_ words: [String]) {
        let typed = typed.lowercased()
        candidates = words.filter { $0.lowercased().hasPrefix(typed) }
    }

    /// What all candidates begin with.
    var common: String {
        guard var common = candidates.first.map(Array.init) else { return "" }
        for candidate in candidates.dropFirst() {
            var length = 0
            for (a, b) in zip(common, candidate) {
                guard a.lowercased() == b.lowercased() else { break }
                length += 1
            }
            common = Array(common.prefix(length))
        }
        return String(common)
    }
}
