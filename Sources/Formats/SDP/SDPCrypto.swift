import RTP

/// `a=crypto`: one offer of keys for SRTP (RFC 4568 4).
public struct SDPCrypto: Hashable, Sendable {
    /// One `inline:` key (RFC 4568 6.1).
    public struct Key: Hashable, Sendable {
        /// Master key and master salt.
        public var bytes: [UInt8]
        /// As written: `2^20` or a number of packets; nil: the suite's own limit.
        public var lifetime: String?
        /// `1:4`: value and length of a master key identifier.
        public var identifier: String?

        public init(_ bytes: [UInt8], lifetime: String? = nil, identifier: String? = nil) {
            self.bytes = bytes
            self.lifetime = lifetime
            self.identifier = identifier
        }
    }

    /// 1 to 9 digits; an answer repeats the tag of the line it takes.
    public var tag: Int
    /// As written.
    public var suiteName: String
    public var keys: [Key]
    /// `KDR=0`, `UNENCRYPTED_SRTCP`, `WSH=64` and their like.
    public var sessionParameters: [String]

    public init(tag: Int, suite: SRTPParameters.Suite, key: [UInt8]) {
        self.tag = tag
        suiteName = suite.rawValue
        keys = [Key(key)]
        sessionParameters = []
    }

    init?(_ value: ArraySlice<UInt8>) {
        let parts = words(value)
        guard parts.count >= 3, let tag = decimal(parts[0], most: 999_999_999) else { return nil }
        self.tag = Int(tag)
        suiteName = string(parts[1])
        var keys: [Key] = []
        for field in parts[2].split(separator: UInt8(ascii: ";")) {
            let (method, info) = halves(field, at: UInt8(ascii: ":"))
            guard isSame(method, "inline".utf8), let info else { return nil }
            let fields = info.split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false)
            guard fields.count <= 3, let bytes = Base64.bytes(fields[0]), !bytes.isEmpty else { return nil }
            var key = Key(bytes)
            // Lifetime and identifier may each be left out; only the identifier has a colon.
            for extra in fields.dropFirst() {
                if extra.contains(UInt8(ascii: ":")) { key.identifier = string(extra) } else { key.lifetime = string(extra) }
            }
            keys.append(key)
        }
        guard !keys.isEmpty else { return nil }
        self.keys = keys
        sessionParameters = parts[3...].map { string($0) }
    }

    /// The suite, if it is one that is known here.
    public var suite: SRTPParameters.Suite? {
        if let suite = SRTPParameters.Suite.allCases.first(where: { isSame($0.rawValue, suiteName) }) { return suite }
        // Written so before RFC 6188, and still by several phones.
        return isSame(suiteName, "AES_CM_256_HMAC_SHA1_80") ? .aesCM256HMACSHA1_80 : nil
    }

    /// The suite and key if all of the line can be honoured: known suite, one key of the right length without an identifier,
    /// and no session parameter that changes the transform (RFC 4568 6.3.7: those with a dash may be ignored).
    public var usable: (suite: SRTPParameters.Suite, key: [UInt8])? {
        guard let suite, keys.count == 1, keys[0].identifier == nil, keys[0].bytes.count == suite.keyLength else { return nil }
        let harmless = sessionParameters.allSatisfy { $0.hasPrefix("-") || $0.uppercased().hasPrefix("WSH=") || $0 == "KDR=0" }
        return harmless ? (suite, keys[0].bytes) : nil
    }

    /// The attribute's value.
    public var text: String {
        let keyText = keys.map { key in
            (["inline:" + Base64.text(key.bytes)] + [key.lifetime, key.identifier].compactMap { $0 }).joined(separator: "|")
        }
        return (["\(tag) \(suiteName) \(keyText.joined(separator: ";"))"] + sessionParameters).joined(separator: " ")
    }
}
