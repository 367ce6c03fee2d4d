/// Keys agreed by SDES (RFC 4568): each direction has its own.
public struct SRTPParameters: Hashable, Sendable {
    public enum Suite: String, Hashable, Sendable, CaseIterable {
        case aesCM128HMACSHA1_80 = "AES_CM_128_HMAC_SHA1_80"
        case aesCM128HMACSHA1_32 = "AES_CM_128_HMAC_SHA1_32"
        case aesCM256HMACSHA1_80 = "AES_256_CM_HMAC_SHA1_80"
        case aeadAES128GCM = "AEAD_AES_128_GCM"
        case aeadAES256GCM = "AEAD_AES_256_GCM"

        /// Octets of master key and master salt together.
        public var keyLength: Int {
            switch self {
            case .aesCM128HMACSHA1_80, .aesCM128HMACSHA1_32: 30
            case .aesCM256HMACSHA1_80: 46
            case .aeadAES128GCM: 28
            case .aeadAES256GCM: 44
            }
        }
    }

    public var suite: Suite
    /// Master key and salt for what we send.
    public var localKey: [UInt8]
    /// Master key and salt for what we receive.
    public var remoteKey: [UInt8]

    public init(suite: Suite, localKey: [UInt8], remoteKey: [UInt8]) {
        self.suite = suite
        self.localKey = localKey
        self.remoteKey = remoteKey
    }
}
