/// The cryptography that reading TLS needs, given by whoever owns a library for it. Every function is pure.
public struct TLSPrimitives: Sendable {
    public enum Hash: UInt8, Hashable, Sendable {
        case md5, sha1, sha256, sha384

        /// Octets of a digest.
        public var size: Int {
            switch self {
            case .md5: 16
            case .sha1: 20
            case .sha256: 32
            case .sha384: 48
            }
        }
    }

    /// Authenticated ciphers; nonces have 12 octets. The tag has 16, or 8 in `CCM8`.
    public enum AEAD: UInt8, Hashable, Sendable {
        case aes128GCM, aes256GCM, chaCha20Poly1305, aes128CCM, aes256CCM, aes128CCM8, aes256CCM8

        public var keySize: Int {
            switch self {
            case .aes128GCM, .aes128CCM, .aes128CCM8: 16
            case .aes256GCM, .aes256CCM, .aes256CCM8, .chaCha20Poly1305: 32
            }
        }

        public var tagSize: Int { self == .aes128CCM8 || self == .aes256CCM8 ? 8 : 16 }
    }

    /// HMAC (RFC 2104): a digest of the hash's size.
    public var hmac: @Sendable (_ hash: Hash, _ key: [UInt8], _ text: [UInt8]) -> [UInt8]
    /// What `sealed`, ciphertext and tag, holds; nil when the tag does not fit.
    public var open:
        @Sendable (_ cipher: AEAD, _ key: [UInt8], _ nonce: [UInt8], _ additional: [UInt8], _ sealed: [UInt8]) -> [UInt8]?
    /// AES in CBC mode (key of 16 or 32 octets), whole blocks, padding left in; nil when it cannot be.
    public var decryptCBC: @Sendable (_ key: [UInt8], _ vector: [UInt8], _ blocks: [UInt8]) -> [UInt8]?

    public init(
        hmac: @escaping @Sendable (Hash, [UInt8], [UInt8]) -> [UInt8],
        open: @escaping @Sendable (AEAD, [UInt8], [UInt8], [UInt8], [UInt8]) -> [UInt8]?,
        decryptCBC: @escaping @Sendable ([UInt8], [UInt8], [UInt8]) -> [UInt8]?
    ) {
        self.hmac = hmac
        self.open = open
        self.decryptCBC = decryptCBC
    }
}
