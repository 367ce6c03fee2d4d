import Base

/// A domain name (RFC 1035 3.1), kept as on the wire without compression and in lower case: names compare without case.
public struct DNSName: Hashable, Sendable, CustomStringConvertible {
    /// Length-prefixed labels and the final zero: 1 to 255 bytes.
    public let wire: [UInt8]

    public static let root = DNSName(checked: [0])

    /// `wire`: known to be well-formed.
    init(checked wire: [UInt8]) { self.wire = wire }

    /// `example.org`, with or without the final dot; `.` is the root. Nil for empty labels, labels above 63 bytes and names
    /// above 255. There are no escapes: a dot always ends a label.
    public init?(_ text: some StringProtocol) {
        if text == "." {
            self = .root
            return
        }
        var wire: [UInt8] = []
        var parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        if parts.last?.isEmpty == true { parts.removeLast() }
        guard !parts.isEmpty else { return nil }
        for part in parts {
            guard (1...63).contains(part.count), wire.count + part.count < 254 else { return nil }
            wire.append(UInt8(part.count))
            for byte in part { wire.append(lowerCase(byte)) }
        }
        wire.append(0)
        self.wire = wire
    }

    public var isRoot: Bool { wire.count == 1 }

    /// Without the root's empty one, first to last.
    public var labels: [ArraySlice<UInt8>] {
        var labels: [ArraySlice<UInt8>] = []
        var at = 0
        while wire[at] != 0 {
            let next = at + 1 + Int(wire[at])
            labels.append(wire[(at + 1)..<next])
            at = next
        }
        return labels
    }

    /// The name without its first label; nil for the root.
    public var parent: DNSName? {
        isRoot ? nil : DNSName(checked: Array(wire[(1 + Int(wire[0]))...]))
    }

    /// `label` put before this name; nil if the label or the whole would be too long.
    public func prefixed(by label: String) -> DNSName? {
        guard (1...63).contains(label.utf8.count), wire.count + 1 + label.utf8.count <= 255 else { return nil }
        return DNSName(checked: [UInt8(label.utf8.count)] + label.utf8.map(lowerCase) + wire)
    }

    /// Whether this name is `ancestor` or below it.
    public func isWithin(_ ancestor: DNSName) -> Bool {
        var name: DNSName? = self
        while let current = name {
            if current.wire.count == ancestor.wire.count { return current == ancestor }
            name = current.wire.count > ancestor.wire.count ? current.parent : nil
        }
        return false
    }

    /// Without the final dot; bytes that are not printable, dots and backslashes inside labels as `\DDD`.
    public var description: String {
        guard !isRoot else { return "." }
        return labels.map { label in
            label.map { byte -> String in
                if byte > 0x20, byte < 0x7f, byte != UInt8(ascii: "."), byte != UInt8(ascii: "\\") {
                    return String(Character(Unicode.Scalar(byte)))
                }
                let digits = String(byte)
                return "\\" + String(repeating: "0", count: 3 - digits.count) + digits
            }.joined()
        }.joined(separator: ".")
    }
}

/// ASCII only, as RFC 4343 has it.
func lowerCase(_ byte: UInt8) -> UInt8 {
    byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}
