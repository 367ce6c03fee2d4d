/// Contact of a request or response: `*` or a list (RFC 3261 20.10).
public enum SIPContacts: Hashable, Sendable {
    /// `*`: all bindings.
    case all
    /// Empty where there is no Contact.
    case list([NameAddress])
}

/// Header values by their grammar. Each getter parses anew and throws the fault of the value with its offset in `bytes`;
/// `.missing` where a field that every message must have is absent. Of a field that may stand once only the first counts.
extension SIPMessage {
    /// The first value of the first Via.
    public var topVia: Via {
        get throws(SIPParseError) {
            try required(.via) { (cursor, bytes) throws(SIPParseError) -> Via in try cursor.via(in: bytes) }
        }
    }

    /// All Via values, topmost first.
    public var vias: [Via] {
        get throws(SIPParseError) { try list(.via) { (cursor, bytes) throws(SIPParseError) -> Via in try cursor.via(in: bytes) } }
    }

    public var from: NameAddress {
        get throws(SIPParseError) { try whole(.from, Cursor.address) }
    }

    public var to: NameAddress {
        get throws(SIPParseError) { try whole(.to, Cursor.address) }
    }

    public var callID: SIPText {
        get throws(SIPParseError) { try whole(.callID, Cursor.callID) }
    }

    public var cseq: CSeq {
        get throws(SIPParseError) { try whole(.cseq, Cursor.cseqValue) }
    }

    public var contacts: SIPContacts {
        get throws(SIPParseError) {
            if let index = index(ofID: HeaderName.contact.id), value(of: fields[index]).equals(literal: "*") {
                guard let second = fields.dropFirst(index + 1).first(where: { $0.id == HeaderName.contact.id }) else {
                    return .all
                }
                throw SIPParseError(.repeated(.contact), at: Int(second.name))
            }
            return .list(try addresses(.contact))
        }
    }

    /// In seconds; larger numbers count as the largest. Nil where absent.
    public var expires: UInt32? {
        get throws(SIPParseError) { try number(.expires) }
    }

    /// In seconds; nil where absent.
    public var minExpires: UInt32? {
        get throws(SIPParseError) { try number(.minExpires) }
    }

    /// 0 to 255; nil where absent.
    public var maxForwards: UInt8? {
        get throws(SIPParseError) {
            guard let value = try number(.maxForwards) else { return nil }
            guard let small = UInt8(exactly: value) else {
                throw SIPParseError(.numberTooLarge, at: first(.maxForwards)?.range.lowerBound ?? 0)
            }
            return small
        }
    }

    /// In seconds, comment and parameters left out; nil where absent.
    public var retryAfter: UInt32? {
        get throws(SIPParseError) {
            try optional(.retryAfter) { (cursor, _) throws(SIPParseError) -> UInt32 in
                let value = try cursor.decimal(.number)
                cursor.skipWhitespace()
                let next = cursor.peek
                guard cursor.isAtEnd || next == UInt8(ascii: ";") || next == UInt8(ascii: "(") else {
                    throw SIPParseError(.unexpected, at: cursor.at)
                }
                return value
            }
        }
    }

    public var routes: [NameAddress] { get throws(SIPParseError) { try addresses(.route) } }
    public var recordRoutes: [NameAddress] { get throws(SIPParseError) { try addresses(.recordRoute) } }
    public var paths: [NameAddress] { get throws(SIPParseError) { try addresses(.path) } }
    public var serviceRoutes: [NameAddress] { get throws(SIPParseError) { try addresses(.serviceRoute) } }

    /// Option tags; empty where absent.
    public var require: [SIPText] { get throws(SIPParseError) { try tokens(.require) } }
    public var proxyRequire: [SIPText] { get throws(SIPParseError) { try tokens(.proxyRequire) } }
    public var supported: [SIPText] { get throws(SIPParseError) { try tokens(.supported) } }
    public var unsupported: [SIPText] { get throws(SIPParseError) { try tokens(.unsupported) } }

    /// Methods; empty where absent.
    public var allow: [SIPMethod] { get throws(SIPParseError) { try tokens(.allow).map { SIPMethod($0) } } }

    public var authorizations: [SIPCredentials] {
        get throws(SIPParseError) { try each(.authorization, Cursor.credentials) }
    }

    public var proxyAuthorizations: [SIPCredentials] {
        get throws(SIPParseError) { try each(.proxyAuthorization, Cursor.credentials) }
    }

    public var wwwAuthenticate: [SIPChallenge] {
        get throws(SIPParseError) { try each(.wwwAuthenticate, Cursor.challenge) }
    }

    public var proxyAuthenticate: [SIPChallenge] {
        get throws(SIPParseError) { try each(.proxyAuthenticate, Cursor.challenge) }
    }

    public var contentType: SIPMediaType? {
        get throws(SIPParseError) { try optional(.contentType, Cursor.mediaType) }
    }

    public var userAgent: SIPText? { index(ofID: HeaderName.userAgent.id).map { value(of: fields[$0]) } }

    public var server: SIPText? { index(ofID: HeaderName.server.id).map { value(of: fields[$0]) } }
}

extension SIPMessage {
    @inline(__always)
    private func required<Value>(
        _ name: HeaderName, _ parse: (inout Cursor, [UInt8]) throws(SIPParseError) -> Value
    ) throws(SIPParseError) -> Value {
        guard let index = index(ofID: name.id) else { throw SIPParseError(.missing(name), at: headerEnd) }
        return try value(of: fields[index]).withCursor(parse)
    }

    @inline(__always)
    private func whole<Value>(
        _ name: HeaderName, _ parse: (inout Cursor, [UInt8]) throws(SIPParseError) -> Value
    ) throws(SIPParseError) -> Value {
        try required(name) { (cursor, bytes) throws(SIPParseError) -> Value in
            let value = try parse(&cursor, bytes)
            guard cursor.isAtEnd else { throw SIPParseError(.unexpected, at: cursor.at) }
            return value
        }
    }

    @inline(__always)
    private func optional<Value>(
        _ name: HeaderName, _ parse: (inout Cursor, [UInt8]) throws(SIPParseError) -> Value
    ) throws(SIPParseError) -> Value? {
        guard let index = index(ofID: name.id) else { return nil }
        return try value(of: fields[index]).withCursor(parse)
    }

    @inline(__always)
    private func each<Value>(
        _ name: HeaderName, _ parse: (inout Cursor, [UInt8]) throws(SIPParseError) -> Value
    ) throws(SIPParseError) -> [Value] {
        var result: [Value] = []
        var next = index(ofID: name.id)
        while let index = next {
            result.append(try value(of: fields[index]).withCursor(parse))
            next = self.index(ofID: name.id, from: index + 1)
        }
        return result
    }

    /// Values separated by commas, over all fields of that name.
    @inline(__always)
    private func list<Value>(
        _ name: HeaderName, _ parse: (inout Cursor, [UInt8]) throws(SIPParseError) -> Value
    ) throws(SIPParseError) -> [Value] {
        var result: [Value] = []
        var next = index(ofID: name.id)
        while let index = next {
            try value(of: fields[index]).withCursor { (cursor, bytes) throws(SIPParseError) -> Void in
                repeat { result.append(try parse(&cursor, bytes)) } while cursor.skipSeparator(UInt8(ascii: ","))
                guard cursor.isAtEnd else { throw SIPParseError(.unexpected, at: cursor.at) }
            }
            next = self.index(ofID: name.id, from: index + 1)
        }
        return result
    }

    /// The addresses in all fields of that name: for headers made of name-addr without an accessor of their own.
    public func addresses(_ name: HeaderName) throws(SIPParseError) -> [NameAddress] {
        guard name.id > 0 else { return [] }
        return try list(name, Cursor.address)
    }

    /// The tokens in all fields of that name.
    public func tokens(_ name: HeaderName) throws(SIPParseError) -> [SIPText] {
        guard name.id > 0, index(ofID: name.id) != nil else { return [] }
        var result: [SIPText] = []
        result.reserveCapacity(8)
        for field in fields where field.id == name.id && field.value < field.valueEnd {
            try value(of: field).withCursor { (cursor, bytes) throws(SIPParseError) -> Void in
                repeat {
                    let start = cursor.at
                    cursor.skip(.token)
                    guard cursor.at > start else { throw SIPParseError(.token, at: start) }
                    result.append(SIPText(unchecked: bytes, start, cursor.at))
                } while cursor.skipSeparator(UInt8(ascii: ","))
                guard cursor.isAtEnd else { throw SIPParseError(.unexpected, at: cursor.at) }
            }
        }
        return result
    }

    /// Reads the values of all fields of that name and keeps none.
    @inline(__always)
    private func check<Value>(
        _ name: HeaderName, _ parse: (inout Cursor, [UInt8]) throws(SIPParseError) -> Value
    ) throws(SIPParseError) {
        for field in fields where field.id == name.id {
            try value(of: field).withCursor { (cursor, bytes) throws(SIPParseError) -> Void in
                repeat { _ = try parse(&cursor, bytes) } while cursor.skipSeparator(UInt8(ascii: ","))
                guard cursor.isAtEnd else { throw SIPParseError(.unexpected, at: cursor.at) }
            }
        }
    }

    /// Throws the first fault among the values that routing, matching and registering depend on; gives CSeq.
    func checkValues() throws(SIPParseError) -> CSeq {
        try check(.via) { (cursor, bytes) throws(SIPParseError) -> Via in try cursor.via(in: bytes) }
        _ = try (from, to, callID)
        let cseq = try cseq
        if let index = index(ofID: HeaderName.contact.id), value(of: fields[index]).equals(literal: "*") {
            _ = try contacts
        } else {
            try check(.contact, Cursor.address)
        }
        try check(.route, Cursor.address)
        try check(.recordRoute, Cursor.address)
        try check(.path, Cursor.address)
        for name in [HeaderName.require, .proxyRequire, .supported] where index(ofID: name.id) != nil {
            _ = try tokens(name)
        }
        _ = try contentType
        for field in fields
        where field.id == HeaderName.authorization.id || field.id == HeaderName.proxyAuthorization.id {
            _ = try value(of: field).withCursor(Cursor.credentials)
        }
        return cseq
    }

    private func number(_ name: HeaderName) throws(SIPParseError) -> UInt32? {
        guard let index = index(ofID: name.id) else { return nil }
        let text = value(of: fields[index])
        guard let value = text.saturatedDecimal else { throw SIPParseError(.number, at: text.range.lowerBound) }
        return value
    }
}

extension Cursor {
    @inline(__always)
    static func address(_ cursor: inout Cursor, in bytes: [UInt8]) throws(SIPParseError) -> NameAddress {
        try cursor.nameAddress(in: bytes)
    }

    @inline(__always)
    static func cseqValue(_ cursor: inout Cursor, in bytes: [UInt8]) throws(SIPParseError) -> CSeq {
        try cursor.cseq(in: bytes)
    }

    /// `word [ "@" word ]`.
    @inline(__always)
    static func callID(_ cursor: inout Cursor, in bytes: [UInt8]) throws(SIPParseError) -> SIPText {
        let start = cursor.at
        cursor.skip(.word)
        guard cursor.at > start else { throw SIPParseError(.word, at: start) }
        if cursor.skip(UInt8(ascii: "@")) {
            let second = cursor.at
            cursor.skip(.word)
            guard cursor.at > second else { throw SIPParseError(.word, at: second) }
        }
        return SIPText(unchecked: bytes, start, cursor.at)
    }
}

extension SIPText {
    /// Parts between commas that stand outside of quotes and angle brackets, trimmed.
    public var commaSeparated: [SIPText] {
        reading { cursor in
            var parts: [SIPText] = []
            var isDone = false
            while !isDone {
                cursor.skipWhitespace()
                let start = cursor.at
                var last = start
                scan: while true {
                    guard !cursor.isAtEnd else {
                        isDone = true
                        break
                    }
                    switch cursor.peek {
                    case UInt8(ascii: ","): break scan
                    case UInt8(ascii: "\""): if !cursor.skipQuotedString() { cursor.at = cursor.end }
                    case UInt8(ascii: "<"):
                        cursor.at = cursor.place(of: UInt8(ascii: ">")) ?? cursor.at
                        cursor.at &+= 1
                    case 0x20, 0x09:
                        cursor.at &+= 1
                        continue scan
                    default: cursor.at &+= 1
                    }
                    last = cursor.at
                }
                if last > start || !isDone { parts.append(SIPText(unchecked: storage, start, last)) }
                if !isDone { cursor.at &+= 1 }
            }
            return parts
        }
    }
}
