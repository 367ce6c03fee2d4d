import Base

/// How a description would protect its first audio stream: SDES keys in it (RFC 4568), or certificates' fingerprints for DTLS (RFC 5763).
struct MediaSecurity: Hashable, Sendable {
    enum Profile: UInt8, Hashable, Sendable {
        /// RTP/AVP, RTP/AVPF, and whatever is not known to be secure.
        case plain
        /// RTP/SAVP and RTP/SAVPF: keys from anywhere.
        case secure
        /// UDP/TLS/RTP/SAVP(F) (RFC 5764 8).
        case dtls
    }

    /// RFC 8122 5.
    struct Fingerprint: Hashable, Sendable {
        /// `sha-256`, in lower case.
        var hash: String
        /// Empty where none is written.
        var digest: [UInt8]
        /// What is written are no octets: malformed, or made unreadable by whoever passed it on.
        var isReadable: Bool

        /// There is a digest, and one as long as its hash makes them.
        var isSound: Bool { !isReadable || !digest.isEmpty && Self.length(hash).map { $0 == digest.count } ?? true }

        private static func length(_ hash: String) -> Int? {
            ["md5": 16, "sha-1": 20, "sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64][hash]
        }
    }

    /// RFC 4145 4.
    enum Setup: UInt8, Hashable, Sendable { case unsaid, active, passive, either, held }

    struct Crypto: Hashable, Sendable {
        var suite: String
        /// Key and salt are as long as the suite has them; true where that is not known.
        var isKeyWhole: Bool
    }

    static let mostCryptos = 16
    static let mostFingerprints = 8

    var profile = Profile.plain
    var setup = Setup.unsaid
    var cryptos: [Crypto] = []
    var fingerprints: [Fingerprint] = []
    /// Keys come by other ways: MIKEY (RFC 4567), ZRTP (RFC 6189), or another profile is negotiated (RFC 5939).
    var hasOtherWays = false
    /// Another stream has keys or fingerprints, which may stand for this one (RFC 8843).
    var isKeyedElsewhere = false
    private var isOwn = false

    var hasFingerprint: Bool { fingerprints.contains(where: \.isSound) }
    var isSecure: Bool { profile != .plain }

    /// The protocol word of an `m=` line.
    mutating func profile(_ p: Bytes, _ from: Int, _ to: Int) {
        var at = from
        while at + 4 <= to {
            if p.starts(at, to, with: "savp") { profile = p.starts(from, to, with: "udp/tls") ? .dtls : .secure }
            at += 1
        }
    }

    /// An `a=` line of the session or, if `isMedia`, of the stream. False: it is about something else.
    @inline(__always)
    mutating func attribute(_ p: Bytes, _ from: Int, _ to: Int, isMedia: Bool) -> Bool {
        // Two letters tell most others apart.
        guard to &- from >= 6 else { return false }
        switch (lowered(p[from]), lowered(p[from &+ 1])) {
        case (0x63, 0x72), (0x66, 0x69), (0x73, 0x65), (0x6b, 0x65), (0x7a, 0x72), (0x74, 0x63), (0x70, 0x63), (0x61, 0x63):
            return keyed(p, from, to, isMedia)
        default: return false
        }
    }

    private mutating func keyed(_ p: Bytes, _ from: Int, _ to: Int, _ isMedia: Bool) -> Bool {
        if p.starts(from, to, with: "crypto:") {
            if cryptos.count < Self.mostCryptos, let crypto = Self.crypto(p, from + 7, to) { cryptos.append(crypto) }
        } else if p.starts(from, to, with: "fingerprint:") {
            // The stream's own count instead of the session's.
            if isMedia, !isOwn { fingerprints = [] }
            isOwn = isMedia
            if fingerprints.count < Self.mostFingerprints { fingerprints.append(Self.fingerprint(p, from + 12, to)) }
        } else if p.starts(from, to, with: "setup:") {
            setup = Self.setup(p, from + 6, to)
        } else if p.starts(from, to, with: "key-mgmt:") || p.starts(from, to, with: "zrtp-hash:")
            || p.starts(from, to, with: "tcap:")
            || p.starts(from, to, with: "pcfg:") || p.starts(from, to, with: "acfg:")
        {
            hasOtherWays = true
        } else {
            return false
        }
        return true
    }

    /// An `a=` line of another stream.
    mutating func elsewhere(_ p: Bytes, _ from: Int, _ to: Int) {
        if p.starts(from, to, with: "crypto:") || p.starts(from, to, with: "fingerprint:") { isKeyedElsewhere = true }
    }

    /// `1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^31` behind `crypto:`.
    private static func crypto(_ p: Bytes, _ from: Int, _ to: Int) -> Crypto? {
        guard p.number(from, to) != nil, let space = p.place(of: 0x20, from, to) else { return nil }
        let end = p.place(of: 0x20, space + 1, to) ?? to
        let suite = p.string(Span(space + 1, min(end, space + 65))).uppercased()
        guard let length = keyLength(suite) else { return Crypto(suite: suite, isKeyWhole: true) }
        guard end < to, p.starts(end + 1, to, with: "inline:") else { return Crypto(suite: suite, isKeyWhole: false) }
        var at = end + 8
        while at < to, p[at] != 0x7c, p[at] != 0x20, p[at] != 0x3d, p[at] != 0x3b { at += 1 }
        // Base64 without its padding.
        return Crypto(suite: suite, isKeyWhole: (at - end - 8) == (length * 8 + 5) / 6)
    }

    /// Octets of master key and salt (RFC 4568 6.2, RFC 6188, RFC 7714).
    private static func keyLength(_ suite: String) -> Int? {
        switch suite {
        case "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "F8_128_HMAC_SHA1_80": 30
        case "AES_192_CM_HMAC_SHA1_80", "AES_192_CM_HMAC_SHA1_32": 38
        case "AES_256_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32": 46
        case "AEAD_AES_128_GCM": 28
        case "AEAD_AES_256_GCM": 44
        default: nil
        }
    }

    /// `sha-256 AA:BB:...` behind `fingerprint:`.
    private static func fingerprint(_ p: Bytes, _ from: Int, _ to: Int) -> Fingerprint {
        var at = from
        while at < to, p[at] == 0x20 { at += 1 }
        let space = p.place(of: 0x20, at, to) ?? to
        var result = Fingerprint(hash: p.string(Span(at, min(space, at + 32))).lowercased(), digest: [], isReadable: true)
        at = space
        while at < to, result.digest.count <= 64 {
            if p[at] == 0x20 || p[at] == 0x3a {
                at += 1
                continue
            }
            guard at + 1 < to, let high = hex(p[at]), let low = hex(p[at + 1]) else {
                result.isReadable = false
                break
            }
            result.digest.append(high << 4 | low)
            at += 2
        }
        return result
    }

    private static func hex(_ byte: UInt8) -> UInt8? {
        let low = byte | 0x20
        if byte &- 0x30 <= 9 { return byte &- 0x30 }
        return low &- 0x61 < 6 ? low &- 0x61 + 10 : nil
    }

    private static func setup(_ p: Bytes, _ from: Int, _ to: Int) -> Setup {
        if p.starts(from, to, with: "actpass") { return .either }
        if p.starts(from, to, with: "active") { return .active }
        if p.starts(from, to, with: "passive") { return .passive }
        return p.starts(from, to, with: "holdconn") ? .held : .unsaid
    }
}
