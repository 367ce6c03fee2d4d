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

    /// The rest as `name value` pairs.
    func arguments() throws(RouterCommandError) -> [(name: String, value: String)] {
        var pairs: [(String, String)] = []
        var index = at
        while index < words.count {
            guard index + 1 < words.count else {
                throw RouterCommandError("\(words[index]): a value is missing after it, as in \(words[index])=VALUE")
            }
            pairs.append((words[index], words[index + 1]))
            index += 2
        }
        return pairs
    }
}

/// Why a command was not carried out, in words for whoever typed it.
public struct RouterCommandError: Error, Hashable, Sendable {
    public var text: String

    init(_ text: String) { self.text = text }

    init(unknown word: String, _ what: String, _ accepted: [String]) {
        let list = accepted.isEmpty ? "" : "; there are: \(accepted.joined(separator: ", "))"
        text = "\(word) is not \(what)\(list)"
    }
}
