import Base
import Hashes

/// A hash that SIP digest may name (RFC 8760 2.1), weakest first, so that comparison ranks them.
public enum DigestHash: UInt8, Hashable, Comparable, CaseIterable, Sendable {
    case md5, sha512256, sha256

    /// As in `algorithm=`, without `-sess`.
    public var token: String {
        switch self {
        case .md5: "MD5"
        case .sha256: "SHA-256"
        case .sha512256: "SHA-512-256"
        }
    }

    /// Octets of the output.
    public var length: Int { self == .md5 ? 16 : 32 }

    var function: HashFunction {
        switch self {
        case .md5: .md5
        case .sha256: .sha256
        case .sha512256: .sha512256
        }
    }

    public static func < (a: DigestHash, b: DigestHash) -> Bool { a.rawValue < b.rawValue }

    /// The hash of `bytes`.
    public func hash(_ bytes: [UInt8]) -> HashValue { hash(bytes[...]) }

    public func hash(_ bytes: ArraySlice<UInt8>) -> HashValue {
        bytes.withUnsafeBytes { hash(buffer: $0) }
    }
}

/// The value of the `algorithm` parameter (RFC 7616 3.3): a hash, with or without `-sess`.
public struct DigestAlgorithm: Hashable, Sendable, CustomStringConvertible {
    public var hash: DigestHash
    /// `-sess`: the secret is hashed once more with the nonce and the client's nonce (RFC 7616 3.4.2).
    public var isSession: Bool

    public init(_ hash: DigestHash, isSession: Bool = false) {
        self.hash = hash
        self.isSession = isSession
    }

    public static let md5 = DigestAlgorithm(.md5)
    public static let sha256 = DigestAlgorithm(.sha256)
    public static let sha512256 = DigestAlgorithm(.sha512256)

    /// Compared without case; nil for an algorithm that is not known. Both `SHA-512-256` and `SHA-512/256` are taken.
    public init?(token: ArraySlice<UInt8>) {
        var name = token
        isSession = equalsIgnoringCase(name.suffix(5), "-sess")
        if isSession { name = name.dropLast(5) }
        if equalsIgnoringCase(name, "MD5") {
            hash = .md5
        } else if equalsIgnoringCase(name, "SHA-256") {
            hash = .sha256
        } else if equalsIgnoringCase(name, "SHA-512-256") || equalsIgnoringCase(name, "SHA-512/256") {
            hash = .sha512256
        } else {
            return nil
        }
    }

    public var token: String { isSession ? hash.token + "-sess" : hash.token }
    public var description: String { token }
}

/// Quality of protection (RFC 7616 3.3).
public enum DigestQOP: UInt8, Hashable, Sendable, CaseIterable {
    /// Covers method and URI.
    case auth
    /// Covers the body as well.
    case authInt

    public var token: String { self == .auth ? "auth" : "auth-int" }

    public init?(token: ArraySlice<UInt8>) {
        if equalsIgnoringCase(token, "auth") {
            self = .auth
        } else if equalsIgnoringCase(token, "auth-int") {
            self = .authInt
        } else {
            return nil
        }
    }
}

/// ASCII comparison without case.
func equalsIgnoringCase(_ bytes: ArraySlice<UInt8>, _ text: StaticString) -> Bool {
    guard bytes.count == text.utf8CodeUnitCount else { return false }
    return text.withUTF8Buffer { wanted in
        var place = 0
        for byte in bytes {
            guard lowerCased(byte) == lowerCased(wanted[place]) else { return false }
            place += 1
        }
        return true
    }
}

func lowerCased(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte | 0x20 : byte }
