/// A `tel:` URI (RFC 3966): a global number with `+`, or a local one with its `phone-context`. People and programs leave that out: `tel:101`.
public struct TelURI: Hashable, Sendable, CustomStringConvertible {
    /// As written, visual separators and leading `+` included.
    public var number: SIPText
    public var parameters: SIPParameters

    public init(number: SIPText, parameters: SIPParameters = SIPParameters()) {
        self.number = number
        self.parameters = parameters
    }

    public var isGlobal: Bool { number[0] == UInt8(ascii: "+") }

    /// Within which a local number counts: a domain, or the digits of a global number's beginning.
    public var phoneContext: SIPText? { parameters["phone-context"] }

    /// The number without visual separators, letters small.
    public var digits: SIPText {
        SIPText(number.bytes.filter { !"-.()".utf8.contains($0) }.map(asciiLowercased))
    }

    /// RFC 3966 4: numbers compare without separators, parameters regardless of order and case.
    public func isEquivalent(to other: TelURI) -> Bool {
        guard digits == other.digits else { return false }
        let mine = Array(parameters)
        let theirs = Array(other.parameters)
        guard mine.count == theirs.count else { return false }
        return mine.allSatisfy { parameter in
            guard let match = other.parameters.find(named: parameter.name) else { return false }
            return (match.value ?? SIPText()).equalsCaseless(parameter.value ?? SIPText())
        }
    }

    public var text: SIPText {
        var bytes = Array("tel:".utf8)
        bytes.append(number)
        bytes.append(parameters.text)
        return SIPText(bytes)
    }

    public var description: String { text.string }
}

extension Cursor {
    /// What follows `tel:`.
    mutating func telURI(in bytes: [UInt8]) throws(SIPParseError) -> TelURI {
        let start = at
        let isGlobal = skip(UInt8(ascii: "+"))
        let digits = at
        skip(.telDigit)
        guard (digits..<at).contains(where: { base[$0] &- 0x30 <= 9 || !isGlobal }) else {
            throw SIPParseError(.uri, at: digits)
        }
        let number = SIPText(unchecked: bytes, start, at)
        let mark = at
        let hasEscapedName = try uriParameters()
        var parameters = at > mark ? SIPParameters(checked: SIPText(unchecked: bytes, mark, at)) : SIPParameters()
        if hasEscapedName { parameters = parameters.withPlainNames }
        guard isAtEnd else { throw SIPParseError(.uri, at: at) }
        return TelURI(number: number, parameters: parameters)
    }
}
