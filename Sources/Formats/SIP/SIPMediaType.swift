/// A media type: `application/sdp;charset=...` (RFC 3261 20.15).
public struct SIPMediaType: Hashable, Sendable, CustomStringConvertible {
    public var type: SIPText
    public var subtype: SIPText
    public var parameters: SIPParameters

    public init(_ type: SIPText, _ subtype: SIPText, parameters: SIPParameters = SIPParameters()) {
        self.type = type
        self.subtype = subtype
        self.parameters = parameters
    }

    /// Whether it is the named type, compared without case.
    public func matches(_ type: StaticString, _ subtype: StaticString) -> Bool {
        self.type.equalsCaseless(literal: type) && self.subtype.equalsCaseless(literal: subtype)
    }

    public var isSDP: Bool { matches("application", "sdp") }

    public var description: String { "\(type)/\(subtype)\(parameters)" }
}

extension Cursor {
    static func mediaType(_ cursor: inout Cursor, in bytes: [UInt8]) throws(SIPParseError) -> SIPMediaType {
        let start = cursor.at
        cursor.skip(.token)
        let typeEnd = cursor.at
        guard typeEnd > start, cursor.skipSeparator(UInt8(ascii: "/")) else { throw SIPParseError(.token, at: cursor.at) }
        let subtype = cursor.at
        cursor.skip(.token)
        let subtypeEnd = cursor.at
        guard subtypeEnd > subtype else { throw SIPParseError(.token, at: subtype) }
        var record = NoParameterRecord()
        let parameters = SharedBytes(bytes).parameters(try cursor.headerParameters(&record))
        guard cursor.isAtEnd else { throw SIPParseError(.unexpected, at: cursor.at) }
        return SIPMediaType(
            SIPText(unchecked: bytes, start, typeEnd), SIPText(unchecked: bytes, subtype, subtypeEnd), parameters: parameters)
    }
}
