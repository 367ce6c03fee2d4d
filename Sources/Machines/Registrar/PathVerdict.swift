import Base

/// What the way between a phone and us was seen to do to one REGISTER: source, Via, Contact and Call-ID compared.
public struct PathVerdict: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The packet's source differs from Via's sent-by: something translated addresses and the phone does not know, or it has several.
    public static let translated = PathVerdict(rawValue: 1 << 0)
    /// Via holds a private address.
    public static let privateVia = PathVerdict(rawValue: 1 << 1)
    /// Contact holds a private address while the source is public.
    public static let privateContact = PathVerdict(rawValue: 1 << 2)
    /// Contact's host and port are not the source's: requests sent to it as written go elsewhere.
    public static let contactElsewhere = PathVerdict(rawValue: 1 << 3)
    /// Via carries no `rport`: by the letter replies go to Via's port (RFC 3261 18.2.2, RFC 3581).
    public static let withoutRport = PathVerdict(rawValue: 1 << 4)
    /// Via or Contact are public, yet the Call-ID carries a private address: somebody rewrote the message, or the phone uses STUN.
    public static let rewrittenSuspected = PathVerdict(rawValue: 1 << 5)
    /// The source port changed from one REGISTER of this Call-ID to the next.
    public static let portJumped = PathVerdict(rawValue: 1 << 6)
    /// The source address changed from one REGISTER of this Call-ID to the next.
    public static let addressJumped = PathVerdict(rawValue: 1 << 7)
    /// More than one Via: a proxy stands between.
    public static let proxied = PathVerdict(rawValue: 1 << 8)
    /// Via and Contact name different public addresses or ports: one of them was rewritten, or the phone mixes sources.
    public static let viaContactDisagree = PathVerdict(rawValue: 1 << 9)
    /// The digest is over another URI of ours than the Request-URI: a helper rewrote that, or the phone signs what it dials.
    public static let signedElsewhere = PathVerdict(rawValue: 1 << 10)

    /// Nothing stands between that changes anything.
    public var isStraight: Bool { isDisjoint(with: [.translated, .contactElsewhere, .portJumped, .addressJumped, .proxied]) }
}
