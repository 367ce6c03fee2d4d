import Base

/// What a client answers to a challenge, complete and understood: the value of Authorization or Proxy-Authorization
/// (RFC 7616 3.4). `DigestCredentials` of the SIP formats is the same value as mere text.
///
/// The slices share the message's storage. They are without quotes but keep their backslashes, as the digest covers them.
public struct DigestAnswer: Hashable, Sendable {
    public var username: ArraySlice<UInt8>
    public var realm: ArraySlice<UInt8>
    public var nonce: ArraySlice<UInt8>
    /// The Request-URI as the client saw it.
    public var uri: ArraySlice<UInt8>
    public var response: HashValue
    public var algorithm: DigestAlgorithm
    public var protection: Protection
    public var opaque: ArraySlice<UInt8>?
    /// `username` is H(user ":" realm) in hexadecimal (RFC 7616 3.4.4).
    public var isUserHashed: Bool

    /// With or without qop.
    public enum Protection: Hashable, Sendable {
        /// RFC 2069: neither count nor client nonce.
        case legacy
        /// `nc` as it stands in the text (it is hashed as text) and as a number.
        case qop(DigestQOP, nc: ArraySlice<UInt8>, count: UInt32, cnonce: ArraySlice<UInt8>)
    }

    /// Reads a header field value.
    public init(parsing value: ArraySlice<UInt8>) throws(DigestSyntaxError) {
        var parameters = try AuthParameters(value)
        // Places instead of slices: nothing is counted while reading. -1: absent.
        var places = InlineArray<12, (start: Int, end: Int)>(repeating: (-1, -1))
        while let (name, text) = try parameters.next() {
            guard let field = Field(name) else { continue }
            guard places[field.rawValue].start < 0 else {
                throw DigestSyntaxError(.repeated(String(decoding: name, as: UTF8.self)), offset: parameters.offset(of: name))
            }
            places[field.rawValue] = (text.startIndex, text.endIndex)
        }
        func optional(_ field: Field) -> ArraySlice<UInt8>? {
            let place = places[field.rawValue]
            return place.start < 0 ? nil : value[place.start..<place.end]
        }
        func required(_ field: Field) throws(DigestSyntaxError) -> ArraySlice<UInt8> {
            guard let text = optional(field) else { throw DigestSyntaxError(.missing("\(field)"), offset: value.count) }
            return text
        }
        if let token = optional(.algorithm) {
            guard let known = DigestAlgorithm(token: token) else {
                throw DigestSyntaxError(.unknownAlgorithm, offset: parameters.offset(of: token))
            }
            algorithm = known
        } else {
            algorithm = .md5
        }
        if optional(.username) == nil, let extended = optional(.usernameStar) {
            guard let name = decodedExtended(extended) else {
                throw DigestSyntaxError(.malformedParameter, offset: parameters.offset(of: extended))
            }
            username = name[...]
        } else {
            username = try required(.username)
        }
        realm = try required(.realm)
        nonce = try required(.nonce)
        uri = try required(.uri)
        let text = try required(.response)
        guard let response = HashValue(hex: text), response.count == algorithm.hash.length else {
            throw DigestSyntaxError(.malformedResponse, offset: parameters.offset(of: text))
        }
        self.response = response
        if let token = optional(.qop) {
            guard let qop = DigestQOP(token: token) else {
                throw DigestSyntaxError(.unknownQOP, offset: parameters.offset(of: token))
            }
            let nc = try required(.nc)
            let cnonce = try required(.cnonce)
            guard let count = hexCount(nc) else {
                throw DigestSyntaxError(.malformedCount, offset: parameters.offset(of: nc))
            }
            protection = .qop(qop, nc: nc, count: count, cnonce: cnonce)
        } else {
            // A session key needs the client's nonce, which only comes with qop.
            guard !algorithm.isSession else { throw DigestSyntaxError(.missing("qop"), offset: value.count) }
            protection = .legacy
        }
        opaque = optional(.opaque)
        isUserHashed = optional(.userhash).map { equalsIgnoringCase($0, "true") } ?? false
    }

    /// The user name with its backslashes taken out: the key of the account, unless `isUserHashed`.
    public var accountName: ArraySlice<UInt8> { unescaped(username) }

    private enum Field: Int {
        case username, realm, nonce, uri, response, algorithm, qop, nc, cnonce, opaque, userhash, usernameStar

        /// Told apart by length first: most names are of a length of their own.
        init?(_ name: ArraySlice<UInt8>) {
            switch name.count {
            case 2 where equalsIgnoringCase(name, "nc"): self = .nc
            case 3 where equalsIgnoringCase(name, "uri"): self = .uri
            case 3 where equalsIgnoringCase(name, "qop"): self = .qop
            case 5 where equalsIgnoringCase(name, "realm"): self = .realm
            case 5 where equalsIgnoringCase(name, "nonce"): self = .nonce
            case 6 where equalsIgnoringCase(name, "cnonce"): self = .cnonce
            case 6 where equalsIgnoringCase(name, "opaque"): self = .opaque
            case 8 where equalsIgnoringCase(name, "username"): self = .username
            case 8 where equalsIgnoringCase(name, "response"): self = .response
            case 8 where equalsIgnoringCase(name, "userhash"): self = .userhash
            case 9 where equalsIgnoringCase(name, "algorithm"): self = .algorithm
            case 9 where equalsIgnoringCase(name, "username*"): self = .usernameStar
            default: return nil
            }
        }
    }
}

/// `UTF-8''` and percent-encoded octets (RFC 5987 3.2.1, RFC 7616 3.4: username*); nil for other character sets.
private func decodedExtended(_ value: ArraySlice<UInt8>) -> [UInt8]? {
    let parts = value.split(separator: UInt8(ascii: "'"), maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, equalsIgnoringCase(parts[0], "UTF-8") else { return nil }
    var result: [UInt8] = []
    var place = parts[2].startIndex
    while place < parts[2].endIndex {
        if parts[2][place] == UInt8(ascii: "%") {
            guard place + 2 < parts[2].endIndex, let high = nibble(parts[2][place + 1]), let low = nibble(parts[2][place + 2])
            else {
                return nil
            }
            result.append(high << 4 | low)
            place += 3
        } else {
            result.append(parts[2][place])
            place += 1
        }
    }
    return result
}

private func hexCount(_ text: ArraySlice<UInt8>) -> UInt32? {
    guard text.count == 8 else { return nil }
    var value: UInt32 = 0
    for byte in text {
        guard let nibble = nibble(byte) else { return nil }
        value = value << 4 | UInt32(nibble)
    }
    return value
}
