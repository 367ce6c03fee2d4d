/// One WWW-Authenticate or Proxy-Authenticate value (RFC 3261 20.44: one challenge a field).
public enum SIPChallenge: Hashable, Sendable {
    case digest(DigestChallenge)
    /// Another scheme, with what follows it as written.
    case other(scheme: SIPText, SIPText)

    public var digest: DigestChallenge? { if case .digest(let digest) = self { digest } else { nil } }
}

/// A Digest challenge (RFC 7616 3.3). Quoted values stand without their quotes, backslashes kept.
public struct DigestChallenge: Hashable, Sendable {
    public var realm: SIPText
    public var nonce: SIPText
    public var domain: SIPText?
    public var opaque: SIPText?
    /// `stale=true`: the answer was right but its nonce had expired.
    public var isStale: Bool
    /// As written; nil stands for MD5.
    public var algorithm: SIPText?
    /// The whole list as written, `auth,auth-int`; nil for RFC 2069.
    public var qop: SIPText?
    public var isUserHashed: Bool

    public init(
        realm: SIPText, nonce: SIPText, domain: SIPText? = nil, opaque: SIPText? = nil, isStale: Bool = false,
        algorithm: SIPText? = nil, qop: SIPText? = "auth", isUserHashed: Bool = false
    ) {
        self.realm = realm
        self.nonce = nonce
        self.domain = domain
        self.opaque = opaque
        self.isStale = isStale
        self.algorithm = algorithm
        self.qop = qop
        self.isUserHashed = isUserHashed
    }

    /// The options of `qop`, empty for RFC 2069.
    public var qopOptions: [SIPText] { qop?.commaSeparated ?? [] }

    /// As a header value, scheme included.
    public var text: SIPText {
        var writer = AuthenticationWriter()
        writer.quote("realm", realm)
        if let domain { writer.quote("domain", domain) }
        writer.quote("nonce", nonce)
        if let opaque { writer.quote("opaque", opaque) }
        if isStale { writer.plain("stale", "true") }
        if let algorithm { writer.plain("algorithm", algorithm) }
        if let qop { writer.quote("qop", qop) }
        if isUserHashed { writer.plain("userhash", "true") }
        return SIPText(writer.bytes)
    }
}

extension Cursor {
    static func challenge(_ cursor: inout Cursor, in bytes: [UInt8]) throws(SIPParseError) -> SIPChallenge {
        let start = cursor.at
        let scheme = try cursor.authenticationScheme()
        guard cursor.matches(scheme.lowerBound, scheme.upperBound, "Digest") else {
            return .other(
                scheme: SIPText(unchecked: bytes, scheme.lowerBound, scheme.upperBound),
                SIPText(unchecked: bytes, cursor.at, cursor.end))
        }
        var realm: SIPText?
        var nonce: SIPText?
        var challenge = DigestChallenge(realm: SIPText(), nonce: SIPText(), qop: nil)
        /// A parameter may stand once.
        func take(_ value: Range<Int>, _ slot: inout SIPText?) throws(SIPParseError) {
            guard slot == nil else { throw SIPParseError(.parameter, at: value.lowerBound) }
            slot = SIPText(unchecked: bytes, value.lowerBound, value.upperBound)
        }
        try cursor.authenticationParameters { (cursor, name, value) throws(SIPParseError) in
            let (from, to) = (name.lowerBound, name.upperBound)
            if cursor.matches(from, to, "realm") {
                try take(value, &realm)
            } else if cursor.matches(from, to, "nonce") {
                try take(value, &nonce)
            } else if cursor.matches(from, to, "domain") {
                try take(value, &challenge.domain)
            } else if cursor.matches(from, to, "opaque") {
                try take(value, &challenge.opaque)
            } else if cursor.matches(from, to, "stale") {
                challenge.isStale = cursor.matches(value.lowerBound, value.upperBound, "true")
            } else if cursor.matches(from, to, "algorithm") {
                try take(value, &challenge.algorithm)
            } else if cursor.matches(from, to, "qop") {
                try take(value, &challenge.qop)
            } else if cursor.matches(from, to, "userhash") {
                challenge.isUserHashed = cursor.matches(value.lowerBound, value.upperBound, "true")
            }
        }
        guard let realm, let nonce else { throw SIPParseError(.parameter, at: start) }
        challenge.realm = realm
        challenge.nonce = nonce
        return .digest(challenge)
    }
}
