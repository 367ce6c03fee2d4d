/// Where a setting was written.
public enum ConfigPlace: Hashable, Sendable, CustomStringConvertible {
    /// 1-based line and column.
    case file(name: String, line: Int, column: Int)
    case environment(variable: String)
    case flag(String)
    case builtIn

    public var description: String {
        switch self {
        case .file(let name, let line, let column): "\(name):\(line):\(column)"
        case .environment(let variable): "environment variable \(variable)"
        case .flag(let flag): "option \(flag)"
        case .builtIn: "the default"
        }
    }
}

/// One value of a configuration tree, with the place it was written at, so that a mistake can be shown where it stands.
public struct ConfigNode: Hashable, Sendable {
    public enum Content: Hashable, Sendable {
        /// `null`, `~` or nothing after the colon.
        case empty
        /// As written, quotes removed.
        case scalar(String)
        case sequence([ConfigNode])
        case mapping([Entry])
    }

    public struct Entry: Hashable, Sendable {
        public var key: String
        /// Of the key.
        public var place: ConfigPlace
        public var value: ConfigNode

        public init(key: String, place: ConfigPlace, value: ConfigNode) {
            self.key = key
            self.place = place
            self.value = value
        }
    }

    public var content: Content
    public var place: ConfigPlace

    public init(_ content: Content, at place: ConfigPlace) {
        self.content = content
        self.place = place
    }

    /// Lays one setting over the tree: `path` is a dotted key path (`stun.port`). Missing mappings are made on the way.
    public mutating func override(_ path: String, with value: ConfigNode) {
        override(path.split(separator: ".").map(String.init)[...], with: value)
    }

    private mutating func override(_ path: ArraySlice<String>, with value: ConfigNode) {
        guard let key = path.first else {
            self = value
            return
        }
        var entries: [Entry] = if case .mapping(let entries) = content { entries } else { [] }
        let index =
            entries.firstIndex { $0.key == key }
            ?? {
                entries.append(Entry(key: key, place: value.place, value: ConfigNode(.empty, at: value.place)))
                return entries.count - 1
            }()
        entries[index].value.override(path.dropFirst(), with: value)
        content = .mapping(entries)
    }
}

extension ConfigNode {
    /// What stands under a dotted key path; nil: nothing.
    public func node(at path: String) -> ConfigNode? {
        var node = self
        for key in path.split(separator: ".") {
            guard case .mapping(let entries) = node.content, let entry = entries.first(where: { $0.key == key }) else {
                return nil
            }
            node = entry.value
        }
        return node.content == .empty ? nil : node
    }

    /// Whether both say the same, wherever they were written and in whatever order their keys stand.
    public func says(theSameAs other: ConfigNode) -> Bool {
        switch (content, other.content) {
        case (.empty, .empty): return true
        case (.scalar(let a), .scalar(let b)): return a == b
        case (.sequence(let a), .sequence(let b)):
            return a.count == b.count && zip(a, b).allSatisfy { $0.says(theSameAs: $1) }
        case (.mapping(let a), .mapping(let b)):
            return a.count == b.count
                && a.allSatisfy { entry in b.contains { $0.key == entry.key && $0.value.says(theSameAs: entry.value) } }
        default: return false
        }
    }
}

/// A mistake in a configuration: where, which key, and what was expected.
public struct ConfigError: Error, Hashable, Sendable, CustomStringConvertible {
    public var place: ConfigPlace
    /// Dotted path of the key, `phones[1].stun.interval`; empty for the whole document.
    public var key: String
    /// A sentence that says what was expected and what was found.
    public var problem: String

    public init(at place: ConfigPlace, key: String, _ problem: String) {
        self.place = place
        self.key = key
        self.problem = problem
    }

    public var description: String { key.isEmpty ? "\(place): \(problem)" : "\(place): \(key): \(problem)" }
}

/// Reads one mapping of a configuration tree key by key; `finish()` reports the keys nobody asked for.
public struct ConfigReader: Sendable {
    private let entries: [ConfigNode.Entry]
    private var asked: [String] = []
    /// Dotted path of this mapping.
    public let path: String
    public let place: ConfigPlace

    /// An empty node reads as an empty mapping.
    public init(_ node: ConfigNode, path: String = "") throws(ConfigError) {
        self.path = path
        place = node.place
        switch node.content {
        case .empty: entries = []
        case .mapping(let entries):
            self.entries = entries
            for (index, entry) in entries.enumerated() where entries[..<index].contains(where: { $0.key == entry.key }) {
                throw ConfigError(at: entry.place, key: Self.join(path, entry.key), "this key stands twice; keep one")
            }
        case .scalar(let text):
            throw ConfigError(at: node.place, key: path, "expected a mapping (key: value lines), found \"\(text)\"")
        case .sequence:
            throw ConfigError(at: node.place, key: path, "expected a mapping (key: value lines), found a list")
        }
    }

    private static func join(_ path: String, _ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// Every key of the mapping, in order: for mappings whose keys are names.
    public mutating func allEntries() -> [ConfigNode.Entry] {
        asked += entries.map(\.key)
        return entries
    }

    /// The node under `key`; nil when the key is absent or empty.
    public mutating func node(_ key: String) -> ConfigNode? {
        asked.append(key)
        guard let value = entries.first(where: { $0.key == key })?.value, value.content != .empty else { return nil }
        return value
    }

    public func fullPath(_ key: String) -> String { Self.join(path, key) }

    /// An error about `key`, placed where its value stands.
    public func mistake(_ key: String, _ problem: String) -> ConfigError {
        ConfigError(at: entries.first { $0.key == key }?.value.place ?? place, key: fullPath(key), problem)
    }

    public mutating func string(_ key: String) throws(ConfigError) -> String? {
        guard let node = node(key) else { return nil }
        guard case .scalar(let text) = node.content else {
            throw mistake(key, "expected a single value, found a list or mapping")
        }
        return text
    }

    /// A value that `parse` understands; `expected` describes such values ("an address such as 192.0.2.1").
    public mutating func value<T>(_ key: String, expected: String, _ parse: (String) -> T?) throws(ConfigError) -> T? {
        guard let text = try string(key) else { return nil }
        guard let value = parse(text) else { throw mistake(key, "expected \(expected), found \"\(text)\"") }
        return value
    }

    public mutating func integer(_ key: String, in range: ClosedRange<Int>) throws(ConfigError) -> Int? {
        try value(key, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)") { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    public mutating func port(_ key: String) throws(ConfigError) -> UInt16? {
        try value(key, expected: "a port from 0 to 65535") { UInt16($0) }
    }

    public mutating func bool(_ key: String) throws(ConfigError) -> Bool? {
        try value(key, expected: "yes or no") { text in
            switch text.lowercased() {
            case "yes", "true", "on": true
            case "no", "false", "off": false
            default: nil
            }
        }
    }

    /// `250ms`, `30s`, `5m`, `2h`, `1d`; a bare number means seconds.
    public mutating func duration(_ key: String) throws(ConfigError) -> Duration? {
        try value(key, expected: "a duration such as 250ms, 30s, 5m or 2h") { Duration(text: $0) }
    }

    /// A number from 0 to 1, or a percentage.
    public mutating func fraction(_ key: String) throws(ConfigError) -> Double? {
        try value(key, expected: "a share such as 0.02 or 2%") { text in
            let percent = text.hasSuffix("%")
            guard let number = Double(percent ? text.dropLast() : text[...]) else { return nil }
            let share = percent ? number / 100 : number
            return (0...1).contains(share) ? share : nil
        }
    }

    public mutating func address(_ key: String) throws(ConfigError) -> IPAddress? {
        try value(key, expected: "an address such as 192.0.2.1 or 2001:db8::1") { IPAddress($0) }
    }

    public mutating func choice<T>(_ key: String, _ choices: KeyValuePairs<String, T>) throws(ConfigError) -> T? {
        let names = choices.map(\.key)
        return try value(key, expected: "one of \(names.joined(separator: ", "))") { text in
            choices.first { $0.key == text }?.value
        }
    }

    /// A list; a single value counts as a list of one.
    public mutating func list(_ key: String) -> [ConfigNode] {
        guard let node = node(key) else { return [] }
        if case .sequence(let nodes) = node.content { return nodes }
        return [node]
    }

    /// A list of single values that `parse` understands.
    public mutating func values<T>(_ key: String, expected: String, _ parse: (String) -> T?) throws(ConfigError) -> [T] {
        var result: [T] = []
        for (index, node) in list(key).enumerated() {
            guard case .scalar(let text) = node.content, let value = parse(text) else {
                let found = if case .scalar(let text) = node.content { "\"\(text)\"" } else { "a list or mapping" }
                throw ConfigError(at: node.place, key: "\(fullPath(key))[\(index)]", "expected \(expected), found \(found)")
            }
            result.append(value)
        }
        return result
    }

    /// A nested mapping; nil when absent.
    public mutating func section(_ key: String) throws(ConfigError) -> ConfigReader? {
        guard let node = node(key) else { return nil }
        return try ConfigReader(node, path: fullPath(key))
    }

    /// Reports the first key that nobody asked for, with the nearest one that exists.
    public func finish() throws(ConfigError) {
        guard let stranger = entries.first(where: { !asked.contains($0.key) }) else { return }
        let near = asked.map { ($0, editDistance($0, stranger.key)) }.min { $0.1 < $1.1 }
        let hint = near.map { $0.1 <= 2 ? " Did you mean \($0.0)?" : "" } ?? ""
        let known = asked.sorted().joined(separator: ", ")
        throw ConfigError(at: stranger.place, key: fullPath(stranger.key), "unknown key.\(hint) Known here: \(known)")
    }
}

extension Duration {
    /// `250ms`, `30s`, `5m`, `2h`, `1d`; a bare number means seconds. Nil for anything else, negative values included.
    public init?(text: String) {
        let units: KeyValuePairs<String, Int64> = [
            "ms": 1_000_000, "us": 1_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000,
            "d": 86_400_000_000_000,
        ]
        let unit = units.first { text.hasSuffix($0.key) }
        let number = unit.map { text.dropLast($0.key.count) } ?? text[...]
        guard let value = Double(number), value >= 0, value.isFinite else { return nil }
        let nanoseconds = value * Double(unit?.value ?? 1_000_000_000)
        guard nanoseconds < 9e18 else { return nil }
        self = .nanoseconds(Int64(nanoseconds))
    }
}

/// How many letters must change to turn one word into the other.
package func editDistance(_ a: String, _ b: String) -> Int {
    let target = Array(b.prefix(64))
    var row = Array(0...target.count)
    for (i, x) in a.prefix(64).enumerated() {
        var previous = row[0]
        row[0] = i + 1
        for (j, y) in target.enumerated() {
            let changed = previous + (x == y ? 0 : 1)
            previous = row[j + 1]
            row[j + 1] = min(changed, row[j] + 1, row[j + 1] + 1)
        }
    }
    return row[target.count]
}
