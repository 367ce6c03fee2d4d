/// Orders the requests of a dialog or of a registration: a number below 2^31 and the method (RFC 3261 20.16).
public struct CSeq: Hashable, Sendable, CustomStringConvertible {
    public var number: UInt32
    public var method: SIPMethod

    public init(_ number: UInt32, _ method: SIPMethod) {
        self.number = number
        self.method = method
    }

    public var text: SIPText { SIPText(description) }

    public var description: String { "\(number) \(method)" }
}

extension Cursor {
    mutating func cseq(in bytes: [UInt8]) throws(SIPParseError) -> CSeq {
        let start = at
        let number = try decimal(.number)
        guard number < 1 << 31 else { throw SIPParseError(.numberTooLarge, at: start) }
        guard isIn(.whitespace, peek) else { throw SIPParseError(.unexpected, at: at) }
        skipWhitespace()
        let method = at
        skip(.token)
        guard at > method else { throw SIPParseError(.method, at: at) }
        guard isAtEnd else { throw SIPParseError(.unexpected, at: at) }
        return CSeq(number, SIPMethod(SIPText(unchecked: bytes, method, at)))
    }
}
