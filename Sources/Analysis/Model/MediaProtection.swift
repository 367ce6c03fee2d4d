/// How a call's media are protected, as its two descriptions say and the capture shows.
public struct MediaProtection: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        /// Plain RTP.
        case none
        /// Keys in the descriptions (RFC 4568).
        case sdes
        /// Keys by a DTLS handshake (RFC 5764).
        case dtls
    }

    /// How far a DTLS handshake got.
    public enum Handshake: String, Hashable, Sendable { case completed, incomplete, refused, unanswered }

    public var kind: Kind
    /// SDES: the suite that was agreed on.
    public var suite: String?
    /// Offered as an extra to plain RTP (RFC 8643).
    public var isExtra: Bool
    /// SDES: the keys went over signalling that anybody on its way can read.
    public var areKeysReadable: Bool
    /// DTLS: what was seen of the handshake; nil: nothing.
    public var handshake: Handshake?

    /// nil: the descriptions do not agree, or do not tell.
    init?(_ caller: MediaSecurity, _ callee: MediaSecurity, areKeysReadable: Bool) {
        let suite = callee.cryptos.first { one in caller.cryptos.contains { $0.suite == one.suite } }?.suite
        isExtra = !caller.isSecure
        if suite == nil, caller.hasFingerprint, callee.hasFingerprint {
            kind = .dtls
            self.areKeysReadable = false
        } else if let suite {
            kind = .sdes
            self.suite = suite
            self.areKeysReadable = areKeysReadable
        } else if !caller.isSecure, !callee.isSecure {
            kind = .none
            isExtra = false
            self.areKeysReadable = false
        } else {
            return nil
        }
    }
}
