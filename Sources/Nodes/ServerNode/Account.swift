import Base
import CallServer
import SIPStack

/// Someone who may register: the name he proves, and which address of record is his (RFC 3261 10.3 step 4).
///
/// There is no password in it, only what a digest needs of one.
public struct Account: Hashable, Sendable {
    public typealias SRTP = SRTPWish

    /// Digest user name.
    public var username: String
    /// The realm the secret was made for. An account of another realm than the server's can never prove itself.
    public var realm: String
    /// User part of its address of record; usually the user name.
    public var user: String
    /// Domain of its address of record; nil: every domain the server answers for.
    public var domain: String?
    public var secret: DigestSecret
    /// Whether its media may go from phone to phone, past the server, where both sides of a call wish it.
    public var wantsDirectMedia: Bool
    /// nil: SRTP is offered first where its SIP is encrypted, where the other side of the call offers it, and to a phone that took nothing
    /// else before.
    public var srtp: SRTP?

    public init(
        username: String, realm: String, user: String? = nil, domain: String? = nil, secret: DigestSecret,
        wantsDirectMedia: Bool = false, srtp: SRTP? = nil
    ) {
        self.username = username
        self.realm = realm
        self.user = user ?? username
        self.domain = domain
        self.secret = secret
        self.wantsDirectMedia = wantsDirectMedia
        self.srtp = srtp
    }

    /// From a password in clear: for the lab and for tools that make accounts.
    public init(
        username: String, realm: String, password: String, user: String? = nil, domain: String? = nil,
        wantsDirectMedia: Bool = false, srtp: SRTP? = nil
    ) {
        self.init(
            username: username, realm: realm, user: user, domain: domain,
            secret: DigestSecret(username: username, realm: realm, password: password), wantsDirectMedia: wantsDirectMedia,
            srtp: srtp)
    }
}
