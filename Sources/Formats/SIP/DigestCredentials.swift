import Base

/// One Authorization or Proxy-Authorization value (RFC 3261 20.7).
public enum SIPCredentials: Hashable, Sendable {
    case digest(DigestCredentials)
    /// Another scheme, with what follows it as written.
    case other(scheme: SIPText, SIPText)

    @inlinable public var digest: DigestCredentials? { if case .digest(let digest) = self { digest } else { nil } }
}

/// The answer to a Digest challenge (RFC 7616 3.4).
///
/// Quoted values stand without their quotes, backslashes kept: the form that goes into the hash. See `withoutBackslashes`.
public struct DigestCredentials: Hashable, Sendable {
    @usableFromInline var storage = SharedBytes()
    @usableFromInline var places = Places()

    /// Where each value stands in `storage`.
    @usableFromInline
    struct Places: Sendable {
        @usableFromInline var username = TextSpan()
        @usableFromInline var usernameStar = TextSpan()
        @usableFromInline var realm = TextSpan()
        @usableFromInline var nonce = TextSpan()
        @usableFromInline var uri = TextSpan()
        @usableFromInline var response = TextSpan()
        @usableFromInline var algorithm = TextSpan()
        @usableFromInline var cnonce = TextSpan()
        @usableFromInline var opaque = TextSpan()
        @usableFromInline var qop = TextSpan()
        @usableFromInline var nonceCountText = TextSpan()
        @usableFromInline var written = TextSpan()
    }

    public var username: SIPText? {
        @inlinable get { storage.text(places.username) }
        set { places.username = storage.keep(newValue) }
    }
    /// `username*` (RFC 5987) as written.
    public var usernameStar: SIPText? {
        @inlinable get { storage.text(places.usernameStar) }
        set { places.usernameStar = storage.keep(newValue) }
    }
    public var realm: SIPText? {
        @inlinable get { storage.text(places.realm) }
        set { places.realm = storage.keep(newValue) }
    }
    public var nonce: SIPText? {
        @inlinable get { storage.text(places.nonce) }
        set { places.nonce = storage.keep(newValue) }
    }
    public var uri: SIPText? {
        @inlinable get { storage.text(places.uri) }
        set { places.uri = storage.keep(newValue) }
    }
    /// The digest in hexadecimal.
    public var response: SIPText? {
        @inlinable get { storage.text(places.response) }
        set { places.response = storage.keep(newValue) }
    }
    /// As written; nil stands for MD5.
    public var algorithm: SIPText? {
        @inlinable get { storage.text(places.algorithm) }
        set { places.algorithm = storage.keep(newValue) }
    }
    public var cnonce: SIPText? {
        @inlinable get { storage.text(places.cnonce) }
        set { places.cnonce = storage.keep(newValue) }
    }
    public var opaque: SIPText? {
        @inlinable get { storage.text(places.opaque) }
        set { places.opaque = storage.keep(newValue) }
    }
    public var qop: SIPText? {
        @inlinable get { storage.text(places.qop) }
        set { places.qop = storage.keep(newValue) }
    }
    /// `nc` as written: the hash is taken over this text.
    public var nonceCountText: SIPText? {
        @inlinable get { storage.text(places.nonceCountText) }
        set { places.nonceCountText = storage.keep(newValue) }
    }
    /// `userhash=true`: the user name is a hash (RFC 7616 3.4.4).
    public var isUserHashed = false
    /// All of it as it stood in the message, from the first parameter on; empty where made by hand.
    public var written: SIPText { storage.text(places.written) ?? SIPText() }

    public init() {}

    init(storage: SharedBytes, places: Places, isUserHashed: Bool) {
        self.storage = storage
        self.places = places
        self.isUserHashed = isUserHashed
    }

    public static func == (a: DigestCredentials, b: DigestCredentials) -> Bool { a.text == b.text }

    public func hash(into hasher: inout Hasher) { text.hash(into: &hasher) }

    /// `nc` as a number; nil where absent or not of eight hexadecimal digits.
    public var nonceCount: UInt32? {
        guard let text = nonceCountText, text.count == 8 else { return nil }
        return text.reading { cursor in
            var value: UInt32 = 0
            while !cursor.isAtEnd {
                guard let digit = hexDigit(cursor.peek) else { return nil }
                value = value << 4 | UInt32(digit)
                cursor.at &+= 1
            }
            return value
        }
    }

    /// As a header value, scheme included.
    public var text: SIPText {
        var writer = AuthenticationWriter()
        if let username { writer.quote("username", username) }
        if let usernameStar { writer.plain("username*", usernameStar) }
        if let realm { writer.quote("realm", realm) }
        if let nonce { writer.quote("nonce", nonce) }
        if let uri { writer.quote("uri", uri) }
        if let response { writer.quote("response", response) }
        if let algorithm { writer.plain("algorithm", algorithm) }
        if let cnonce { writer.quote("cnonce", cnonce) }
        if let opaque { writer.quote("opaque", opaque) }
        if let qop { writer.plain("qop", qop) }
        if let nonceCountText { writer.plain("nc", nonceCountText) }
        if isUserHashed { writer.plain("userhash", "true") }
        return SIPText(writer.bytes)
    }
}

extension Cursor {
    static func credentials(_ cursor: inout Cursor, in bytes: [UInt8]) throws(SIPParseError) -> SIPCredentials {
        let scheme = try cursor.authenticationScheme()
        guard cursor.matches(scheme.lowerBound, scheme.upperBound, "Digest") else {
            return .other(
                scheme: SIPText(unchecked: bytes, scheme.lowerBound, scheme.upperBound),
                SIPText(unchecked: bytes, cursor.at, cursor.end))
        }
        var digest = DigestCredentials.Places()
        var isUserHashed = false
        digest.written = TextSpan(cursor.at..<cursor.end)
        try cursor.authenticationParameters { (cursor, name, value) throws(SIPParseError) in
            guard let short = cursor.shortName(name) else {
                if cursor.matches(name.lowerBound, name.upperBound, "algorithm") {
                    try cursor.take(value, &digest.algorithm)
                } else if cursor.matches(name.lowerBound, name.upperBound, "username*") {
                    try cursor.take(value, &digest.usernameStar)
                }
                return
            }
            switch short {
            case "username": try cursor.take(value, &digest.username)
            case "realm": try cursor.take(value, &digest.realm)
            case "nonce": try cursor.take(value, &digest.nonce)
            case "uri": try cursor.take(value, &digest.uri)
            case "response": try cursor.take(value, &digest.response)
            case "cnonce": try cursor.take(value, &digest.cnonce)
            case "qop": try cursor.take(value, &digest.qop)
            case "nc": try cursor.take(value, &digest.nonceCountText)
            case "opaque": try cursor.take(value, &digest.opaque)
            case "userhash": isUserHashed = cursor.matches(value.lowerBound, value.upperBound, "true")
            default: break
            }
        }
        return .digest(DigestCredentials(storage: SharedBytes(bytes), places: digest, isUserHashed: isUserHashed))
    }

    /// A parameter may stand once.
    @inline(__always)
    func take(_ value: Range<Int>, _ slot: inout TextSpan) throws(SIPParseError) {
        guard !slot.isPresent else { throw SIPParseError(.parameter, at: value.lowerBound) }
        slot = TextSpan(value)
    }

    /// A token and the white space behind it.
    mutating func authenticationScheme() throws(SIPParseError) -> Range<Int> {
        let start = at
        skip(.token)
        let scheme = start..<at
        guard !scheme.isEmpty, isIn(.whitespace, peek) else { throw SIPParseError(.token, at: start) }
        skipWhitespace()
        return scheme
    }

    /// `name=value` by commas; quoted values are handed over without their quotes.
    @inline(__always)
    mutating func authenticationParameters(
        _ body: (Cursor, _ name: Range<Int>, _ value: Range<Int>) throws(SIPParseError) -> Void
    ) throws(SIPParseError) {
        // A copy that lives in registers.
        var cursor = self
        repeat {
            let start = cursor.at
            cursor.skip(.token)
            let name = start..<cursor.at
            guard !name.isEmpty, cursor.skipSeparator(UInt8(ascii: "=")) else { throw SIPParseError(.parameter, at: start) }
            var from = cursor.at
            var to: Int
            if cursor.peek == UInt8(ascii: "\"") {
                guard cursor.skipQuotedString() else { throw SIPParseError(.quote, at: from) }
                from &+= 1
                to = cursor.at &- 1
            } else {
                cursor.skip(.parameterValue)
                to = cursor.at
                guard to > from else { throw SIPParseError(.parameter, at: from) }
            }
            try body(cursor, name, from..<to)
        } while cursor.skipSeparator(UInt8(ascii: ","))
        guard cursor.isAtEnd else { throw SIPParseError(.unexpected, at: cursor.at) }
        at = cursor.at
    }
}

/// Puts `Digest name=value, ...` together.
struct AuthenticationWriter {
    var bytes: [UInt8] = Array("Digest ".utf8)
    private var isFirst = true

    init() { bytes.reserveCapacity(320) }

    /// The value as it stands between quotes: backslashes already in place.
    mutating func quote(_ name: StaticString, _ value: SIPText) {
        begin(name)
        bytes.append(UInt8(ascii: "\""))
        bytes.append(value)
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func plain(_ name: StaticString, _ value: SIPText) {
        begin(name)
        bytes.append(value)
    }

    private mutating func begin(_ name: StaticString) {
        if !isFirst { bytes.append(ascii: ", ") }
        isFirst = false
        bytes.append(ascii: name)
        bytes.append(UInt8(ascii: "="))
    }
}
