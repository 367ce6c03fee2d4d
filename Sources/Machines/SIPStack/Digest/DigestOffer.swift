import Base

/// One digest challenge that is understood: its algorithm and qop are known ones (RFC 7616 3.3, RFC 3261 20.44).
///
/// `DigestChallenge` of the SIP formats is the same header field value as mere text, of whatever algorithm.
public struct DigestOffer: Hashable, Sendable {
    /// Without quotes; backslashes kept, as the digest covers them.
    public var realm: [UInt8]
    public var nonce: [UInt8]
    public var algorithm: DigestAlgorithm
    /// Whether `algorithm` was said; where it was not, it is MD5, and the answer need not say it either.
    public var isAlgorithmStated: Bool
    /// Strongest last; empty means the form of RFC 2069, without qop.
    public var qop: [DigestQOP]
    public var opaque: [UInt8]?
    /// The digest was right, only the nonce too old: try again without asking the user.
    public var isStale: Bool
    /// The user name may be sent hashed (RFC 7616 3.4.4).
    public var offersUserHash: Bool

    public init(
        realm: String, nonce: [UInt8], algorithm: DigestAlgorithm = .md5, qop: [DigestQOP] = [.auth], opaque: [UInt8]? = nil,
        isStale: Bool = false, offersUserHash: Bool = false
    ) {
        var quoted: [UInt8] = []
        appendQuoted(ArraySlice(realm.utf8), to: &quoted)
        self.realm = Array(quoted.dropFirst().dropLast())
        self.nonce = nonce
        self.algorithm = algorithm
        isAlgorithmStated = true
        self.qop = qop
        self.opaque = opaque
        self.isStale = isStale
        self.offersUserHash = offersUserHash
    }

    /// Reads a header field value. A challenge with an unknown algorithm, or with no known qop among those offered, is an
    /// error: it must be passed over (RFC 7616 3.3).
    public init(parsing value: ArraySlice<UInt8>) throws(DigestSyntaxError) {
        var parameters = try AuthParameters(value)
        var found: (realm: [UInt8]?, nonce: [UInt8]?) = (nil, nil)
        algorithm = .md5
        isAlgorithmStated = false
        qop = []
        isStale = false
        offersUserHash = false
        while let (name, text) = try parameters.next() {
            if equalsIgnoringCase(name, "realm") {
                found.realm = Array(text)
            } else if equalsIgnoringCase(name, "nonce") {
                found.nonce = Array(text)
            } else if equalsIgnoringCase(name, "opaque") {
                opaque = Array(text)
            } else if equalsIgnoringCase(name, "stale") {
                isStale = equalsIgnoringCase(text, "true")
            } else if equalsIgnoringCase(name, "userhash") {
                offersUserHash = equalsIgnoringCase(text, "true")
            } else if equalsIgnoringCase(name, "algorithm") {
                guard let known = DigestAlgorithm(token: text) else {
                    throw DigestSyntaxError(.unknownAlgorithm, offset: parameters.offset(of: text))
                }
                algorithm = known
                isAlgorithmStated = true
            } else if equalsIgnoringCase(name, "qop") {
                for part in text.split(separator: UInt8(ascii: ",")) {
                    let token = part.drop(while: isBlank)
                    let end = token.lastIndex(where: { !isBlank($0) }).map { $0 + 1 } ?? token.startIndex
                    if let known = DigestQOP(token: token[token.startIndex..<end]), !qop.contains(known) { qop.append(known) }
                }
                guard !qop.isEmpty else { throw DigestSyntaxError(.unknownQOP, offset: parameters.offset(of: text)) }
            }
        }
        guard let realm = found.realm else { throw DigestSyntaxError(.missing("realm"), offset: value.count) }
        guard let nonce = found.nonce else { throw DigestSyntaxError(.missing("nonce"), offset: value.count) }
        self.realm = realm
        self.nonce = nonce
    }

    /// The header field value.
    public var bytes: [UInt8] {
        let (head, tail) = frame
        return head + nonce + tail
    }

    /// The header field value up to the nonce, and what follows it.
    var frame: (head: [UInt8], tail: [UInt8]) {
        var head: [UInt8] = []
        head += "Digest realm=\"".utf8
        head += realm
        head += "\", nonce=\"".utf8
        var result: [UInt8] = []
        result.append(UInt8(ascii: "\""))
        if isAlgorithmStated {
            result += ", algorithm=".utf8
            result += algorithm.token.utf8
        }
        if !qop.isEmpty {
            result += ", qop=\"".utf8
            for (index, quality) in qop.enumerated() {
                if index > 0 { result.append(UInt8(ascii: ",")) }
                result += quality.token.utf8
            }
            result.append(UInt8(ascii: "\""))
        }
        if let opaque {
            result += ", opaque=\"".utf8
            result += opaque
            result.append(UInt8(ascii: "\""))
        }
        if isStale { result += ", stale=true".utf8 }
        if offersUserHash { result += ", userhash=true".utf8 }
        return (head, result)
    }
}
