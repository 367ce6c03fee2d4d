import Base
import Hashes
import STUN

/// What a message integrity code is keyed with (RFC 8489 9.1.1, 9.2.2).
///
/// Passwords are taken as they are: OpaqueString preparation (RFC 8265) changes nothing in ASCII, and who needs more applies it
/// before. A realm is given without its quotes.
public struct STUNKey: Hashable, Sendable {
    public let bytes: [UInt8]

    public init(bytes: [UInt8]) { self.bytes = bytes }

    /// A short-term credential's key: the password.
    public static func shortTerm(password: String) -> STUNKey { STUNKey(bytes: Array(password.utf8)) }

    /// A long-term credential's key: MD5 of username, realm and password with colons between, for which a server may name
    /// SHA-256 in PASSWORD-ALGORITHM.
    public static func longTerm(
        username: String, realm: String, password: String, algorithm: STUNPasswordAlgorithm = .md5
    ) -> STUNKey {
        let hash: HashFunction = algorithm == .sha256 ? .sha256 : .md5
        return STUNKey(bytes: hash.hash(Array("\(username):\(realm):\(password)".utf8)))
    }

    /// USERHASH (RFC 8489 14.4).
    public static func userhash(username: String, realm: String) -> [UInt8] {
        HashFunction.sha256.hash(Array("\(username):\(realm)".utf8))
    }

    /// HMAC-SHA1 over a message cut before MESSAGE-INTEGRITY, with the length field as if that attribute were the last.
    package func sha1(_ prefix: ArraySlice<UInt8>) -> [UInt8] {
        HashFunction.sha1.code(key: bytes, withLength(prefix, adding: 24))
    }

    /// HMAC-SHA256 likewise; `length`: of the attribute's value, which may be a truncated code.
    package func sha256(_ prefix: ArraySlice<UInt8>, length: Int = 32) -> [UInt8] {
        Array(HashFunction.sha256.code(key: bytes, withLength(prefix, adding: 4 + length)).prefix(length))
    }

    private func withLength(_ prefix: ArraySlice<UInt8>, adding attribute: Int) -> [UInt8] {
        var text = Array(prefix)
        text.replace(at: 2, bigEndian: UInt16(truncatingIfNeeded: prefix.count - STUNMessage.headerLength + attribute))
        return text
    }
}

extension STUNWriter {
    /// Appends MESSAGE-INTEGRITY over all that is there (RFC 8489 14.5).
    public mutating func addIntegrity(_ key: STUNKey) {
        add(.messageIntegrity(key.sha1(bytes[...])))
    }

    /// Appends MESSAGE-INTEGRITY-SHA256 (RFC 8489 14.6). `length`: 16 to 32, a multiple of 4.
    public mutating func addIntegritySHA256(_ key: STUNKey, length: Int = 32) {
        precondition((16...32).contains(length) && length % 4 == 0, "a code length RFC 8489 14.6 does not allow")
        add(.messageIntegritySHA256(key.sha256(bytes[...], length: length)))
    }
}

extension STUNMessage {
    /// Whether every integrity attribute that is there is right; nil if there is none.
    public func integrityIsValid(_ key: STUNKey) -> Bool? {
        var verdict: Bool?
        if let place = place(of: .messageIntegrity) {
            verdict = place.value.count == 20 && isEqualInConstantTime(bytes[place.value], key.sha1(bytes[..<place.start])[...])
        }
        if let place = place(of: .messageIntegritySHA256) {
            let count = place.value.count
            let isValid =
                (16...32).contains(count) && count % 4 == 0
                && isEqualInConstantTime(bytes[place.value], key.sha256(bytes[..<place.start], length: count)[...])
            verdict = (verdict ?? true) && isValid
        }
        return verdict
    }
}

/// Takes as long for a wrong code as for the right one.
private func isEqualInConstantTime(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>) -> Bool {
    guard a.count == b.count else { return false }
    return zip(a, b).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
}
