/// One line of a description: a letter, `=`, and a value (RFC 8866 5), kept byte for byte.
public struct SDPLine: Hashable, Sendable {
    /// How the line ended.
    public enum End: Hashable, Sendable {
        case crlf, lf
        /// The description stopped.
        case none
    }

    /// An ASCII letter.
    public var letter: Character { Character(Unicode.Scalar(type)) }
    public var type: UInt8
    public var value: [UInt8]
    public var end: End

    public init(type: UInt8, value: [UInt8], end: End = .crlf) {
        self.type = type
        self.value = value
        self.end = end
    }

    /// `letter`: one ASCII letter. Line ends and NULs in `value` are left out: they would start lines of their own.
    public init(_ letter: Character, _ value: String) {
        type = letter.asciiValue ?? UInt8(ascii: "x")
        self.value = Array(value.utf8)
        self.value.removeAll { $0 == 0 || $0 == 10 || $0 == 13 }
        end = .crlf
    }

    /// The value; bytes that are no UTF-8 are shown as replacement characters.
    public var text: String { String(decoding: value, as: UTF8.self) }

    /// The place of a line among the others of its section (RFC 8866 5): smaller comes first. Attributes come last.
    var rank: Int { Self.order.firstIndex(of: type) ?? Self.order.count }

    static let order = Array("vosiuepcbtrzka".utf8)
}

/// An attribute: `a=name` or `a=name:value` (RFC 8866 5.13).
public struct SDPAttribute: Hashable, Sendable {
    public var name: String
    /// nil: a property attribute, without a colon.
    public var value: String?

    public init(_ name: String, _ value: String? = nil) {
        self.name = name
        self.value = value
    }

    public var text: String { value.map { "\(name):\($0)" } ?? name }
}

/// The lines of the session's part, or those that follow one `m=` line, in their order.
public struct SDPSection: Hashable, Sendable {
    public var lines: [SDPLine]

    public init(_ lines: [SDPLine] = []) { self.lines = lines }

    /// The value of the first line of a type.
    public func first(_ letter: Character) -> [UInt8]? {
        guard let type = letter.asciiValue else { return nil }
        return lines.first { $0.type == type }?.value
    }

    /// Replaces the first line of a type and drops further ones, or puts one where it belongs; nil removes all of them.
    public mutating func set(_ letter: Character, _ value: String?) {
        guard let type = letter.asciiValue else { return }
        guard let value else {
            lines.removeAll { $0.type == type }
            return
        }
        var line = SDPLine(letter, value)
        if let index = lines.firstIndex(where: { $0.type == type }) {
            line.end = lines[index].end
            lines[index] = line
            let tail = lines[(index + 1)...].filter { $0.type != type }
            lines.replaceSubrange((index + 1)..., with: tail)
        } else {
            lines.insert(line, at: lines.firstIndex { $0.rank > line.rank } ?? lines.count)
        }
    }

    /// All attributes, in order.
    public var attributes: [SDPAttribute] {
        lines.compactMap { line in
            guard line.type == UInt8(ascii: "a") else { return nil }
            let (name, value) = halves(line.value[...], at: UInt8(ascii: ":"))
            return SDPAttribute(string(name), value.map(string))
        }
    }

    /// The values of all attributes of a name, as bytes; a property attribute gives an empty one.
    func values(of name: String) -> [ArraySlice<UInt8>] {
        lines.compactMap { $0.attributeValue(name) }
    }

    /// The value of the first attribute of a name; empty for a property attribute. nil: there is none.
    public func attribute(_ name: String) -> String? {
        for line in lines {
            if let value = line.attributeValue(name) { return string(value) }
        }
        return nil
    }

    /// The values of all attributes of a name.
    public func attributes(_ name: String) -> [String] { values(of: name).map(string) }

    public func has(_ name: String) -> Bool { lines.contains { $0.isAttribute(name) } }

    /// Appends `a=name` or `a=name:value`.
    public mutating func add(_ name: String, _ value: String? = nil) {
        lines.append(SDPLine("a", SDPAttribute(name, value).text))
    }

    public mutating func add(_ attribute: SDPAttribute) { lines.append(SDPLine("a", attribute.text)) }

    /// Removes every attribute whose name is among them.
    public mutating func remove(_ names: Set<String>) {
        lines.removeAll { $0.attributeName.map(names.contains) ?? false }
    }

}

extension SDPLine {
    /// Names are compared without case: RFC 8866 asks for exact case, phones disagree.
    func isAttribute(_ name: String) -> Bool {
        let name = name.utf8
        guard type == UInt8(ascii: "a"), value.count >= name.count else { return false }
        guard value.count == name.count || value[name.count] == UInt8(ascii: ":") else { return false }
        return isSame(value[..<name.count], name)
    }

    /// Empty for a property attribute; nil: it is no attribute of that name.
    func attributeValue(_ name: String) -> ArraySlice<UInt8>? {
        isAttribute(name) ? value[min(name.utf8.count + 1, value.count)...] : nil
    }

    /// In lower case; nil: it is no attribute.
    var attributeName: String? {
        guard type == UInt8(ascii: "a") else { return nil }
        return string(halves(value[...], at: UInt8(ascii: ":")).0.lazy.map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 })
    }
}
