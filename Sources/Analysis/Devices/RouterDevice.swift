/// A router or firewall with a SIP helper, and how to turn the helper off.
public struct RouterDevice: Hashable, Sendable {
    /// As a reader would call it.
    public var name: String
    /// Lower-case words; any of them in a text names the device.
    var words: [String]
    /// Commands or settings, a line each; empty where no switch is known.
    public var commands: [String]
    /// What else to know.
    public var hint: String?

    init(_ name: String, _ words: [String], _ commands: [String], hint: String? = nil) {
        self.name = name
        self.words = words
        self.commands = commands
        self.hint = hint
    }

    var remedy: Remedy {
        if commands.isEmpty {
            return Remedy(
                .router, "The \(name) has no known switch for its SIP helper: use TCP or TLS, or another port than 5060.",
                device: name)
        }
        let article = name.hasPrefix("Linux") ? "" : "the "
        let text = "Switch the SIP helper (ALG) of \(article)\(name) off." + (hint.map { " \($0)" } ?? "")
        return Remedy(.router, text, device: name, commands: commands)
    }

    /// The devices a text names, those with the longest name first so that a model comes before its family.
    static func named(in text: String) -> [RouterDevice] {
        let lower = text.lowercased()
        var taken: [Range<String.Index>] = []
        var result: [RouterDevice] = []
        let candidates = all.flatMap { device in device.words.map { (device, $0) } }.sorted { $0.1.count > $1.1.count }
        for (device, word) in candidates {
            guard let range = place(of: word, in: lower), !taken.contains(where: { $0.overlaps(range) }) else { continue }
            taken.append(range)
            if !result.contains(device) { result.append(device) }
        }
        return result
    }

    /// A whole word, not a part of one.
    private static func place(of word: String, in text: String) -> Range<String.Index>? {
        var from = text.startIndex
        while let range = find(word, in: text[from...]) {
            let before = range.lowerBound == text.startIndex ? nil : text[text.index(before: range.lowerBound)]
            let after = range.upperBound == text.endIndex ? nil : text[range.upperBound]
            if !(before.map(isPart) ?? false), !(after.map(isPart) ?? false) { return range }
            from = text.index(after: range.lowerBound)
        }
        return nil
    }

    private static func find(_ word: String, in text: Substring) -> Range<String.Index>? {
        let (needle, hay) = (Array(word.utf8), text.utf8)
        guard let first = needle.first else { return nil }
        var at = hay.startIndex
        while let start = hay[at...].firstIndex(of: first) {
            if hay[start...].starts(with: needle) { return start..<hay.index(start, offsetBy: needle.count) }
            at = hay.index(after: start)
        }
        return nil
    }

    private static func isPart(_ character: Character) -> Bool { character.isLetter || character.isNumber }
}

extension Remedy {
    /// Stands for "switch the helper off"; becomes the command of the device where one is known.
    static let disableALG = Remedy(
        .router,
        "Switch the SIP helper (ALG) of the router between phone and server off; with it off, NAT needs no help but rport and keepalives."
    )

    /// Signalling a helper cannot read.
    static let encrypt = Remedy(.phone, "Register over TLS: a helper cannot rewrite what it cannot read.")
}
