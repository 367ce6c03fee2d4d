import Base

/// A command line cut into words, lower-cased; names and values of arguments keep together.
struct RouterCommandWords: Sendable {
    private var words: [String]
    private var at = 0
    /// It began with a colon: from the root, wherever one is.
    let isFromRoot: Bool

    init(_ line: String) {
        var text = Substring(line)
        while let first = text.first, first.isWhitespace { text = text.dropFirst() }
        isFromRoot = text.first == ":"
        if isFromRoot { text = text.dropFirst() }
        // `a = b` and `a=b` are the same.
        words = text.prefix(1024).lowercased().split { $0.isWhitespace || $0 == "=" }.map(String.init)
    }

    var first: String? { at < words.count ? words[at] : nil }

    mutating func next() -> String? {
        guard at < words.count else { return nil }
        at += 1
        return words[at - 1]
    }

    mutating func back() { at = max(0, at - 1) }

    /// Whether the last word asks for help.
    var asksForHelp: Bool { words.last == "?" || words.last == "help" }

    /// The rest as arguments of `form`, names and values in lower case. A value whose name is left out counts for the first argument that
    /// is needed and not given yet: `appconfig SIP SIP_ALG=disabled`.
    func arguments(of form: RouterCommandForm) throws(RouterCommandError) -> [(name: String, value: String)] {
        if form.arguments.isEmpty, at < words.count {
            throw RouterCommandError("\(words[at]): \(form.name) takes no arguments")
        }
        var pairs: [(name: String, value: String)] = []
        var index = at
        while index < words.count {
            let word = words[index]
            if form.argument(word) != nil {
                guard index + 1 < words.count else {
                    throw RouterCommandError("\(word): a value is missing after it, as in \(form.usage)")
                }
                guard !pairs.contains(where: { $0.name == word }) else { throw RouterCommandError("\(word): given twice") }
                pairs.append((word, words[index + 1]))
                index += 2
                continue
            }
            let open = form.arguments.first { argument in
                argument.isNeeded && !pairs.contains { $0.name == argument.name.lowercased() }
            }
            // Followed by a value it is a name that was meant, unless it is what the argument takes.
            let isNamed = index + 1 < words.count && form.argument(words[index + 1]) == nil
            let fits =
                open.map { $0.words.isEmpty ? word.first?.isNumber == true : $0.words.contains { $0.lowercased() == word } }
                ?? false
            guard let open, !isNamed || fits else {
                throw RouterCommandError(unknown: word, "an argument of \(form.name)", form.arguments.map(\.name), form.usage)
            }
            pairs.append((open.name.lowercased(), word))
            index += 1
        }
        for argument in form.arguments where argument.isNeeded {
            guard pairs.contains(where: { $0.name == argument.name.lowercased() }) else {
                throw RouterCommandError("\(argument.name) is missing: \(form.usage)")
            }
        }
        return pairs
    }
}

/// Why a command was not carried out, in words for whoever typed it.
public struct RouterCommandError: Error, Hashable, Sendable {
    public var text: String

    init(_ text: String) { self.text = text }

    /// `nearest`: the nearest valid form, where it is more than the nearest of the accepted words.
    init(unknown word: String, _ what: String, _ accepted: [String], _ nearest: String? = nil) {
        let form = nearest ?? Self.nearest(word, accepted)
        let list = accepted.isEmpty ? "" : "; there are: \(accepted.joined(separator: ", "))"
        text = "\(word.prefix(64)) is not \(what)\(list)" + (form.map { "\nNearest: \($0)" } ?? "")
    }

    /// The word that takes the fewest changes of letters; one that `word` begins comes first.
    static func nearest(_ word: String, _ accepted: [String]) -> String? {
        let word = word.lowercased()
        func distance(_ other: String) -> Int {
            let other = other.lowercased()
            return other.hasPrefix(word) ? 0 : 2 * editDistance(other, word) + (other.first == word.first ? 0 : 1)
        }
        return accepted.map { ($0, distance($0)) }.min { $0.1 < $1.1 }?.0
    }
}
