import Base

/// Any URI that SIP carries: `sip:`/`sips:` and `tel:` taken apart, others as text (RFC 3261 19.1, RFC 3966, RFC 3986).
public enum SIPURIReference: Hashable, Sendable, CustomStringConvertible {
    case sip(SIPURI)
    case tel(TelURI)
    /// The whole URI, scheme included.
    case other(SIPText)

    /// The whole text must be one URI. Offsets of errors are those of the text's bytes.
    public init(parsing text: SIPText) throws(SIPParseError) {
        self = try text.withCursor { (cursor, bytes) throws(SIPParseError) -> SIPURIReference in
            try cursor.uri(in: bytes)
        }
    }

    /// The SIP or SIPS URI, nil for others.
    @inlinable public var sip: SIPURI? { if case .sip(let uri) = self { uri } else { nil } }

    /// As written, without the colon.
    public var scheme: SIPText {
        switch self {
        case .sip(let uri): uri.scheme == .sip ? "sip" : "sips"
        case .tel: "tel"
        case .other(let text):
            text.part(
                0..<(text.bytes.firstIndex(of: UInt8(ascii: ":")) ?? text.range.upperBound)
                    - text.range.lowerBound)
        }
    }

    public var text: SIPText {
        switch self {
        case .sip(let uri): uri.text
        case .tel(let uri): uri.text
        case .other(let text): text
        }
    }

    /// RFC 3261 19.1.4 for SIP, RFC 3966 4 for tel, bytes for others.
    public func isEquivalent(to other: SIPURIReference) -> Bool {
        switch (self, other) {
        case (.sip(let a), .sip(let b)): a.isEquivalent(to: b)
        case (.tel(let a), .tel(let b)): a.isEquivalent(to: b)
        case (.other(let a), .other(let b)): a == b
        case (.sip, _), (.tel, _), (.other, _): false
        }
    }

    public var description: String { text.string }

    func append(to bytes: inout [UInt8]) {
        switch self {
        case .sip(let uri): uri.append(to: &bytes)
        case .tel(let uri): bytes.append(uri.text)
        case .other(let text): bytes.append(text)
        }
    }
}

extension Cursor {
    /// A URI that fills the rest of this cursor.
    @inline(__always)
    mutating func uri(in bytes: [UInt8]) throws(SIPParseError) -> SIPURIReference {
        let start = at
        skip(.scheme)
        guard at > start, peek == UInt8(ascii: ":"), base[start] | 0x20 &- 0x61 < 26 else {
            throw SIPParseError(.scheme, at: start)
        }
        let colon = at
        at &+= 1
        switch shortName(start..<colon) {
        case "sip"?: return .sip(try sipURI(.sip, in: bytes))
        case "sips"?: return .sip(try sipURI(.sips, in: bytes))
        case "tel"?: return .tel(try telURI(in: bytes))
        default: break
        }
        try skipEscaped(.anyURI, until: end, else: .uri)
        guard isAtEnd, at > colon &+ 1 else { throw SIPParseError(.uri, at: at) }
        return .other(SIPText(unchecked: bytes, start, end))
    }
}

extension SIPText {
    /// Every `%HH` replaced by its byte; shares this text's bytes where there is none.
    public var percentDecoded: SIPText {
        guard reading({ $0.place(of: UInt8(ascii: "%")) }) != nil else { return self }
        var plain: [UInt8] = []
        var index = 0
        while let byte = self[index] {
            if byte == UInt8(ascii: "%"), let high = self[index + 1].flatMap(hexDigit),
                let low = self[index + 2].flatMap(hexDigit)
            {
                plain.append(high << 4 | low)
                index += 3
            } else {
                plain.append(byte)
                index += 1
            }
        }
        return SIPText(plain)
    }

    /// Escaped as the user part of a SIP URI needs it (RFC 3261 19.1.2).
    public var escapedUser: SIPText {
        guard bytes.contains(where: { !ByteSet.user.contains($0) }) else { return self }
        var escaped: [UInt8] = []
        for byte in bytes {
            if ByteSet.user.contains(byte) {
                escaped.append(byte)
            } else {
                escaped.append(UInt8(ascii: "%"))
                for digit in [byte >> 4, byte & 15] { escaped.append(digit < 10 ? 0x30 + digit : 0x37 + digit) }
            }
        }
        return SIPText(escaped)
    }
}
