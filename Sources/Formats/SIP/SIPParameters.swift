/// One parameter: `name`, or `name=value`.
public struct SIPParameter: Hashable, Sendable {
    public var name: SIPText
    /// As written, quotes included; nil where there is no `=`.
    public var value: SIPText?

    public init(_ name: SIPText, _ value: SIPText? = nil) {
        self.name = name
        self.value = value
    }
}

/// The parameters behind a URI, a Via or an address: `;name=value;name...`, kept as text and looked up in place.
///
/// Texts keep their ranges in the message, so a parameter can be edited where it stands. Names are compared without case.
public struct SIPParameters: Hashable, Sendable, Sequence, CustomStringConvertible {
    /// From the first semicolon on; empty when there are none.
    public private(set) var text: SIPText

    public init() { text = SIPText() }

    init(checked text: SIPText) { self.text = text }

    public init(_ parameters: [SIPParameter]) {
        self.init()
        for parameter in parameters { append(parameter.name, parameter.value) }
    }

    public var isEmpty: Bool { text.isEmpty }

    /// The value of the first parameter of that name, quotes included; nil where it is absent or has no value.
    public subscript(_ name: StaticString) -> SIPText? {
        guard let place = place(of: name), let value = place.value else { return nil }
        return SIPText(unchecked: text.storage, value.lowerBound, value.upperBound)
    }

    public func contains(_ name: StaticString) -> Bool { place(of: name) != nil }

    public func find(_ name: StaticString) -> SIPParameter? {
        guard let place = place(of: name) else { return nil }
        return SIPParameter(
            SIPText(unchecked: text.storage, place.name.lowerBound, place.name.upperBound),
            place.value.map { SIPText(unchecked: text.storage, $0.lowerBound, $0.upperBound) })
    }

    /// Ranges in the bytes that `text` shares.
    func place(of name: StaticString) -> (name: Range<Int>, value: Range<Int>?)? {
        guard !text.isEmpty else { return nil }
        return text.reading { cursor in cursor.parameter(name) }
    }

    public func find(named name: SIPText) -> SIPParameter? { first { $0.name.equalsCaseless(name) } }

    public mutating func append(_ name: SIPText, _ value: SIPText? = nil) {
        var bytes = Array(text.bytes)
        bytes.append(UInt8(ascii: ";"))
        bytes.append(name)
        if let value {
            bytes.append(UInt8(ascii: "="))
            bytes.append(value)
        }
        text = SIPText(bytes)
    }

    /// Replaces the first parameter of that name where it stands, or appends it.
    public mutating func set(_ name: SIPText, _ value: SIPText? = nil) {
        var list = Array(self)
        if let place = list.firstIndex(where: { $0.name.equalsCaseless(name) }) {
            list[place].value = value
            self = SIPParameters(list)
        } else {
            append(name, value)
        }
    }

    /// Takes out every parameter of that name.
    public mutating func remove(_ name: SIPText) {
        guard find(named: name) != nil else { return }
        self = SIPParameters(filter { !$0.name.equalsCaseless(name) })
    }

    /// Escapes in names resolved as far as they need none: `%6C%72` is `lr` (RFC 3261 19.1.2).
    var withPlainNames: SIPParameters {
        SIPParameters(map { SIPParameter($0.name.normalizedEscapes, $0.value) })
    }

    public func makeIterator() -> Iterator { Iterator(rest: text) }

    public struct Iterator: IteratorProtocol {
        var rest: SIPText

        public mutating func next() -> SIPParameter? {
            let found: (SIPParameter, SIPText)? = rest.reading { cursor in
                guard let parameter = cursor.nextParameter() else { return nil }
                func text(_ range: Range<Int>) -> SIPText { SIPText(unchecked: rest.storage, range.lowerBound, range.upperBound) }
                return (SIPParameter(text(parameter.name), parameter.value.map(text)), text(cursor.at..<cursor.end))
            }
            rest = found?.1 ?? SIPText()
            return found?.0
        }
    }

    public var description: String { text.string }
}

extension Cursor {
    /// The first parameter of that name in text that `nextParameter` reads to its end.
    @inline(__always)
    mutating func parameter(_ name: StaticString) -> (name: Range<Int>, value: Range<Int>?)? {
        let length = name.utf8CodeUnitCount
        while at < end {
            // At a semicolon.
            at &+= 1
            skipWhitespace()
            let after = at &+ length
            if after <= end, matches(at, after, name), after == end || Cursor.endsName(base[after]) {
                let found = at..<after
                at = after
                guard skipSeparator(UInt8(ascii: "=")) else { return (found, nil) }
                let start = at
                if peek == UInt8(ascii: "\"") {
                    guard skipQuotedString() else { return nil }
                } else {
                    while at < end, base[at] != UInt8(ascii: ";"), base[at] != 0x20, base[at] != 0x09 { at &+= 1 }
                }
                return (found, start..<at)
            }
            while at < end, base[at] != UInt8(ascii: ";") {
                if base[at] == UInt8(ascii: "\"") {
                    guard skipQuotedString() else { return nil }
                } else {
                    at &+= 1
                }
            }
        }
        return nil
    }

    @inline(__always)
    private static func endsName(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "=") || byte == UInt8(ascii: ";") || byte == 0x20 || byte == 0x09
    }

    /// `;name` or `;name=value` with white space anywhere between; nil at the end or where the text is none.
    @inline(__always)
    mutating func nextParameter() -> (name: Range<Int>, value: Range<Int>?)? {
        while skipSeparator(UInt8(ascii: ";")) {
            let start = at
            while at < end, base[at] != UInt8(ascii: "="), base[at] != UInt8(ascii: ";"), base[at] != 0x20, base[at] != 0x09 {
                at &+= 1
            }
            let name = start..<at
            guard skipSeparator(UInt8(ascii: "=")) else {
                if name.isEmpty { continue }
                return (name, nil)
            }
            let valueStart = at
            if peek == UInt8(ascii: "\"") {
                guard skipQuotedString() else { return nil }
            } else {
                while at < end, base[at] != UInt8(ascii: ";"), base[at] != 0x20, base[at] != 0x09 { at &+= 1 }
            }
            return (name, valueStart..<at)
        }
        return nil
    }

    /// From the opening quote past the closing one; false where it never closes.
    @inline(__always)
    mutating func skipQuotedString() -> Bool {
        let start = at
        at = start &+ 1
        guard let close = place(of: UInt8(ascii: "\"")) else {
            at = start
            return false
        }
        if base[close &- 1] != UInt8(ascii: "\\") {
            at = close &+ 1
            return true
        }
        // Perhaps an escaped quote: step by step.
        var place = at
        at = start
        while place < end {
            switch base[place] {
            case UInt8(ascii: "\""):
                at = place &+ 1
                return true
            case UInt8(ascii: "\\"): place &+= 2
            default: place &+= 1
            }
        }
        return false
    }
}
