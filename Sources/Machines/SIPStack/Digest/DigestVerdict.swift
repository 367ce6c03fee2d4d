import Base

/// What became of a request's credentials. Wrong password, stale nonce and mangled message are three different things:
/// the first may be an attack, the second is ordinary, the third is some box on the way.
public enum DigestVerdict: Hashable, Sendable {
    /// The digest is right and its nonce good.
    case accepted(DigestAcceptance)
    /// No credentials for our realm: challenge.
    case absent
    /// The nonce is not good any more: challenge with `stale=true`. Of one that carries its own age nothing more is looked at; of chan_sip's the
    /// digest is right.
    case stale(NonceStatus)
    /// The digest is right, but this count of this nonce was used before: challenge with `stale=true`.
    case replayed(count: UInt32)
    /// The digest is wrong. Unknown users end here too, by the same path.
    case wrongPassword(DigestFailure)
    /// The message was changed on its way, or its sender writes it wrongly.
    case mangled(DigestMangling)

    /// Whether the client proved that it knows the password: true also for replayed and some stale and mangled ones.
    public var provesPassword: Bool {
        switch self {
        case .accepted, .replayed: true
        case .stale(let status):
            switch status {
            case .superseded, .spent: true
            case .valid, .expired, .foreign: false
            }
        case .absent, .wrongPassword: false
        case .mangled(let mangling): mangling.provesPassword
        }
    }

    /// Whether the next challenge is to say `stale=true`.
    public var isStale: Bool {
        switch self {
        case .stale, .replayed: true
        case .accepted, .absent, .wrongPassword, .mangled: false
        }
    }
}

/// How credentials were accepted.
public struct DigestAcceptance: Hashable, Sendable {
    public var algorithm: DigestAlgorithm
    /// `nc`; nil without qop.
    public var count: UInt32?
    /// Whether digest-uri and Request-URI differ to the letter; allowed where they mean the same or the settings say so.
    public var isURIDifferent: Bool
    /// Whether they name different users or hosts, and the caller took it all the same.
    public var isURIElsewhere: Bool

    public init(algorithm: DigestAlgorithm, count: UInt32?, isURIDifferent: Bool, isURIElsewhere: Bool = false) {
        self.algorithm = algorithm
        self.count = count
        self.isURIDifferent = isURIDifferent
        self.isURIElsewhere = isURIElsewhere
    }
}

/// Evidence of a wrong digest. For logs only: nothing of it may reach the client, who would learn which users exist.
public struct DigestFailure: Hashable, Sendable {
    public var nonce: NonceStatus
    public var isUserKnown: Bool

    public init(nonce: NonceStatus, isUserKnown: Bool) {
        self.nonce = nonce
        self.isUserKnown = isUserKnown
    }
}

/// How a message was found to be mangled.
public enum DigestMangling: Hashable, Sendable {
    /// The credentials cannot be read.
    case malformed(DigestSyntaxError)
    /// The nonce is ours, the realm is not.
    case realm(found: [UInt8])
    /// The digest is right for its own `uri`, but the Request-URI is another: it was rewritten.
    case requestURI(digest: [UInt8], request: [UInt8])
    /// The digest is right only for the Request-URI: the `uri` parameter was rewritten.
    case digestURI(digest: [UInt8], request: [UInt8])
    /// The digest is right only without qop: the sender left it out of the hash, or someone added it.
    case qop
    /// An algorithm that was never offered.
    case algorithmNotOffered(DigestAlgorithm)
    /// A quality of protection that was never offered; nil: none where one is demanded.
    case qopNotOffered(DigestQOP?)

    public var provesPassword: Bool {
        switch self {
        case .requestURI, .digestURI, .qop: true
        case .malformed, .realm, .algorithmNotOffered, .qopNotOffered: false
        }
    }
}

/// What a `DigestAuthenticator` has done, each outcome apart.
public struct DigestCounts: Hashable, Sendable {
    public var challenges: UInt64 = 0
    public var accepted: UInt64 = 0
    public var absent: UInt64 = 0
    public var stale: UInt64 = 0
    public var replayed: UInt64 = 0
    public var wrongPassword: UInt64 = 0
    public var mangled: UInt64 = 0

    public init() {}

    mutating func add(_ verdict: DigestVerdict) {
        switch verdict {
        case .accepted: accepted &+= 1
        case .absent: absent &+= 1
        case .stale: stale &+= 1
        case .replayed: replayed &+= 1
        case .wrongPassword: wrongPassword &+= 1
        case .mangled: mangled &+= 1
        }
    }
}

/// One decision of a `DigestAuthenticator`.
public struct DigestTrace: Hashable, Sendable {
    public var verdict: DigestVerdict
    public var callID: [UInt8]
    public var sequence: UInt32
    /// As sent; empty without readable credentials.
    public var username: [UInt8]
    public var nonce: [UInt8]
}
