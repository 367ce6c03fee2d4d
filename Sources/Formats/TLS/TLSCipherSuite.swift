/// A cipher suite (IANA's TLS registry), as far as reading its records goes: how keys are exchanged does not matter to a key log.
public struct TLSCipherSuite: Hashable, Sendable {
    public enum Protection: Hashable, Sendable {
        case aead(TLSPrimitives.AEAD)
        /// AES-CBC with HMAC (RFC 5246 6.2.3.2).
        case cbc(keySize: Int, mac: TLSPrimitives.Hash)
    }

    public var protection: Protection
    /// Of the key schedule, or of the PRF from TLS 1.2 on.
    public var hash: TLSPrimitives.Hash

    /// nil: not read here; `name(_:)` says what it is.
    public init?(_ number: UInt16) {
        switch number {
        case 0x1301: self.init(.aead(.aes128GCM), .sha256)
        case 0x1302: self.init(.aead(.aes256GCM), .sha384)
        case 0x1303: self.init(.aead(.chaCha20Poly1305), .sha256)
        case 0x1304: self.init(.aead(.aes128CCM), .sha256)
        case 0x1305: self.init(.aead(.aes128CCM8), .sha256)
        case 0x009c, 0x009e, 0x00a0, 0x00a2, 0x00a4, 0x00a6, 0x00a8, 0x00aa, 0x00ac, 0xc02b, 0xc02d, 0xc02f, 0xc031, 0xd001:
            self.init(.aead(.aes128GCM), .sha256)
        case 0x009d, 0x009f, 0x00a1, 0x00a3, 0x00a5, 0x00a7, 0x00a9, 0x00ab, 0x00ad, 0xc02c, 0xc02e, 0xc030, 0xc032, 0xd002:
            self.init(.aead(.aes256GCM), .sha384)
        case 0xcca8...0xccae: self.init(.aead(.chaCha20Poly1305), .sha256)
        case 0xc09c, 0xc09e, 0xc0a4, 0xc0a6, 0xc0ac, 0xd005: self.init(.aead(.aes128CCM), .sha256)
        case 0xc09d, 0xc09f, 0xc0a5, 0xc0a7, 0xc0ad: self.init(.aead(.aes256CCM), .sha256)
        case 0xc0a0, 0xc0a2, 0xc0a8, 0xc0aa, 0xc0ae, 0xd003: self.init(.aead(.aes128CCM8), .sha256)
        case 0xc0a1, 0xc0a3, 0xc0a9, 0xc0ab, 0xc0af: self.init(.aead(.aes256CCM8), .sha256)
        case 0x002f...0x0034, 0x008c, 0x0090, 0x0094, 0xc004, 0xc009, 0xc00e, 0xc013, 0xc018, 0xc01d...0xc01f, 0xc035:
            self.init(.cbc(keySize: 16, mac: .sha1), .sha256)
        case 0x0035...0x003a, 0x008d, 0x0091, 0x0095, 0xc005, 0xc00a, 0xc00f, 0xc014, 0xc019, 0xc020...0xc022, 0xc036:
            self.init(.cbc(keySize: 32, mac: .sha1), .sha256)
        case 0x003c, 0x003e...0x0040, 0x0067, 0x006c, 0x00ae, 0x00b2, 0x00b6, 0xc023, 0xc025, 0xc027, 0xc029, 0xc037:
            self.init(.cbc(keySize: 16, mac: .sha256), .sha256)
        case 0x003d, 0x0068...0x006b, 0x006d: self.init(.cbc(keySize: 32, mac: .sha256), .sha256)
        case 0x00af, 0x00b3, 0x00b7, 0xc024, 0xc026, 0xc028, 0xc02a, 0xc038:
            self.init(.cbc(keySize: 32, mac: .sha384), .sha384)
        default: return nil
        }
    }

    private init(_ protection: Protection, _ hash: TLSPrimitives.Hash) {
        self.protection = protection
        self.hash = hash
    }

    /// The registry's name of a suite met beside those read here; its number in hexadecimal otherwise.
    public static func name(_ number: UInt16) -> String {
        switch number {
        case 0x0001: "TLS_RSA_WITH_NULL_MD5"
        case 0x0002: "TLS_RSA_WITH_NULL_SHA"
        case 0x0004: "TLS_RSA_WITH_RC4_128_MD5"
        case 0x0005: "TLS_RSA_WITH_RC4_128_SHA"
        case 0x000a: "TLS_RSA_WITH_3DES_EDE_CBC_SHA"
        case 0x0016: "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA"
        case 0x003b: "TLS_RSA_WITH_NULL_SHA256"
        case 0x0041: "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA"
        case 0x0084: "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA"
        case 0x0096: "TLS_RSA_WITH_SEED_CBC_SHA"
        case 0xc007: "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA"
        case 0xc008: "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA"
        case 0xc011: "TLS_ECDHE_RSA_WITH_RC4_128_SHA"
        case 0xc012: "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"
        case 0xc03c...0xc071: "an ARIA suite (\(hexadecimal(number)))"
        case 0xc072...0xc09b: "a Camellia suite (\(hexadecimal(number)))"
        default: hexadecimal(number)
        }
    }

    private static func hexadecimal(_ number: UInt16) -> String {
        let digits = String(number, radix: 16)
        return "0x" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}
