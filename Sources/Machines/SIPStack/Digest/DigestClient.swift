import Base

/// The client's side of digest authentication: one identity's answers to challenges (RFC 3261 22, RFC 7616 3.4).
public struct DigestClient: Sendable {
    /// What the identity knows.
    public enum Password: Hashable, Sendable {
        case text(String)
        /// Stored hashes instead, good for their realm only.
        case secret(DigestSecret)
    }

    private struct Session: Sendable {
        var challenge: DigestOffer
        var ha1: HashValue
        /// Requests answered with this nonce so far (`nc`).
        var count: UInt32
    }

    public let username: String
    public let password: Password
    /// Send H(user ":" realm) in place of the name where the server offers it.
    public var hidesUser: Bool
    private var session: Session?
    private var entropy: Entropy

    public init(username: String, password: Password, hidesUser: Bool = false, entropy: Entropy) {
        self.username = username
        self.password = password
        self.hidesUser = hidesUser
        self.entropy = entropy
    }

    /// The best of several challenges: strongest hash first, with qop before without, then in the server's order.
    /// nil when none can be answered with what this identity knows.
    public func choose(_ challenges: [DigestOffer]) -> DigestOffer? {
        var best: DigestOffer?
        for challenge in challenges where isAnswerable(challenge) {
            guard let rival = best else {
                best = challenge
                continue
            }
            let (mine, other) = (challenge.algorithm.hash, rival.algorithm.hash)
            if mine > other || mine == other && rival.qop.isEmpty && !challenge.qop.isEmpty { best = challenge }
        }
        return best
    }

    /// Reads header field values, passing over those that cannot be read or answered.
    public static func readable(_ values: [ArraySlice<UInt8>]) -> [DigestOffer] {
        values.prefix(16).compactMap { value in try? DigestOffer(parsing: value) }
    }

    /// Takes up the best of `challenges` and answers it; nil when none can be answered.
    ///
    /// The result is the value for Authorization after a 401, for Proxy-Authorization after a 407.
    public mutating func answer(_ challenges: [DigestOffer], for subject: DigestSubject) -> [UInt8]? {
        guard let challenge = choose(challenges), let ha1 = ha1(for: challenge) else { return nil }
        if session?.challenge.nonce == challenge.nonce, session?.challenge.algorithm == challenge.algorithm {
            // The same nonce once more: its counts go on.
            session?.challenge = challenge
        } else {
            session = Session(challenge: challenge, ha1: ha1, count: 0)
        }
        return authorize(subject)
    }

    /// Credentials from the challenge taken up last, without waiting for another (RFC 7616 3.6); nil before the first.
    public mutating func authorize(_ subject: DigestSubject) -> [UInt8]? {
        guard var current = session else { return nil }
        guard current.count < .max else {
            session = nil
            return nil
        }
        current.count += 1
        session = current
        let challenge = current.challenge
        var cnonce: [UInt8] = []
        var protection = DigestAnswer.Protection.legacy
        var nc: [UInt8] = []
        if let qop = challenge.qop.contains(.auth) ? .auth : challenge.qop.first {
            appendHex(entropy.next(), digits: 16, to: &cnonce)
            appendHex(UInt64(current.count), digits: 8, to: &nc)
            protection = .qop(qop, nc: nc[...], count: current.count, cnonce: cnonce[...])
        }
        return Self.credentials(
            username: username, ha1: current.ha1, challenge: challenge, subject: subject, protection: protection,
            hidesUser: hidesUser && challenge.offersUserHash)
    }

    /// Forgets the challenge, so that the next request goes out without credentials.
    public mutating func forget() { session = nil }

    /// The header field value for given inputs; everything random is passed in.
    package static func credentials(
        username: String, ha1: HashValue, challenge: DigestOffer, subject: DigestSubject,
        protection: DigestAnswer.Protection, hidesUser: Bool = false
    ) -> [UInt8] {
        let response = digestResponse(
            ha1: ha1, algorithm: challenge.algorithm, method: subject.method, uri: subject.uri, body: subject.body,
            nonce: challenge.nonce[...], protection: protection)
        var result: [UInt8] = []
        result.reserveCapacity(256 + challenge.nonce.count + subject.uri.count)
        result.append(literal: "Digest username=")
        if hidesUser {
            var text = Array(username.utf8)
            text.append(UInt8(ascii: ":"))
            text += challenge.realm
            appendQuoted(challenge.algorithm.hash.hash(text).hex[...], to: &result)
        } else {
            appendQuoted(ArraySlice(username.utf8), to: &result)
        }
        result.append(literal: ", realm=\"")
        result += challenge.realm
        result.append(literal: "\", nonce=\"")
        result += challenge.nonce
        result.append(literal: "\", uri=\"")
        result += subject.uri
        result.append(literal: "\", response=\"")
        result.append(hex: response)
        result.append(UInt8(ascii: "\""))
        if challenge.isAlgorithmStated {
            result.append(literal: ", algorithm=")
            result += challenge.algorithm.token.utf8
        }
        if case .qop(let qop, let nc, _, let cnonce) = protection {
            result.append(literal: ", cnonce=\"")
            result += cnonce
            result.append(literal: "\", qop=")
            result += qop.token.utf8
            result.append(literal: ", nc=")
            result += nc
        }
        if let opaque = challenge.opaque {
            result.append(literal: ", opaque=\"")
            result += opaque
            result.append(UInt8(ascii: "\""))
        }
        if hidesUser { result.append(literal: ", userhash=true") }
        return result
    }

    private func isAnswerable(_ challenge: DigestOffer) -> Bool {
        // A session key is made from the client's nonce, which only qop carries.
        if challenge.algorithm.isSession, challenge.qop.isEmpty { return false }
        switch password {
        case .text: return true
        case .secret(let secret): return secret[challenge.algorithm.hash] != nil
        }
    }

    private func ha1(for challenge: DigestOffer) -> HashValue? {
        switch password {
        case .secret(let secret): return secret[challenge.algorithm.hash]
        case .text(let text):
            var bytes = Array(username.utf8)
            bytes.append(UInt8(ascii: ":"))
            bytes += challenge.realm
            bytes.append(UInt8(ascii: ":"))
            bytes += text.utf8
            return challenge.algorithm.hash.hash(bytes)
        }
    }
}
