import Base

/// What an account stores in place of its password: H(user ":" realm ":" password) for each hash (RFC 7616 3.4.2, A1).
///
/// Good for one realm only. A hash that is nil cannot be used with this account.
public struct DigestSecret: Hashable, Sendable {
    public var md5: HashValue?
    public var sha256: HashValue?
    public var sha512256: HashValue?

    public init(md5: HashValue?, sha256: HashValue? = nil, sha512256: HashValue? = nil) {
        self.md5 = md5
        self.sha256 = sha256
        self.sha512256 = sha512256
    }

    public init(username: String, realm: String, password: String) {
        let text = Array("\(username):\(realm):\(password)".utf8)
        md5 = DigestHash.md5.hash(text)
        sha256 = DigestHash.sha256.hash(text)
        sha512256 = DigestHash.sha512256.hash(text)
    }

    /// A secret that nobody knows: what an unknown user's response is compared with, so that it costs the same time.
    public init(unknowable entropy: inout Entropy) {
        func draw(_ hash: DigestHash) -> HashValue? { HashValue(octets: entropy.bytes(hash.length)) }
        md5 = draw(.md5)
        sha256 = draw(.sha256)
        sha512256 = draw(.sha512256)
    }

    public subscript(hash: DigestHash) -> HashValue? {
        switch hash {
        case .md5: md5
        case .sha256: sha256
        case .sha512256: sha512256
        }
    }
}

/// H(user ":" realm), the user name of a client that hides it (RFC 7616 3.4.4): the key to look such an account up by.
public func userHash(username: String, realm: String, _ hash: DigestHash) -> HashValue {
    hash.hash(Array("\(username):\(realm)".utf8))
}
