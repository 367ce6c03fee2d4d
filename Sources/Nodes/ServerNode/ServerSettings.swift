import Base
import Registrar
import SIPStack

public typealias AddressOfRecord = SIPStack.AddressOfRecord

/// Everything about a server that is chosen rather than learnt.
///
/// A server built from `ServerSettings()` works: it is the registrar of every domain it is asked for, under one realm.
public struct ServerSettings: Sendable {
    /// Whose rules the registrar follows.
    public enum Profile: String, Sendable, CaseIterable {
        /// Ours: stateless nonces, every unexpired one good, several contacts an AOR.
        case pinhole
        /// Asterisk's chan_sip: MD5, one nonce a dialog, one contact a peer, the newest.
        case chanSIP = "chan_sip"
    }

    public typealias AdvertisedAddress = SIPStack.AdvertisedAddress

    public typealias Expiry = Registrar.Expiry
    public typealias Keepalive = Registrar.Keepalive

    public var profile: Profile = .pinhole
    /// On: replies and requests go over the flow a request came by (`nat=yes`, force_rport).
    /// Off: replies go where Via says (RFC 3261 18.2.2, RFC 3581), requests to the Contact as written.
    public var natHandling = true
    /// Domains we are the registrar of; the first is the one an IP address of ours stands for. Empty: every domain asked for is
    /// taken to mean `realm`'s.
    public var domains: [String] = []
    /// Realm of the challenges.
    public var realm = "pinhole"
    /// What a challenge offers, strongest first; a phone takes the first it knows (RFC 8760 2.4).
    public var algorithms: [DigestAlgorithm] = [.sha256, .md5]
    /// Server and User-Agent header.
    public var software = "Pinhole"
    /// On: a 200 waits for `.persisted(through:)`. Off: nothing is stored, answers leave at once.
    public var isPersistent = false
    /// What chan_sip answers to a right digest over an older nonce: versions differ.
    public var chanSIPRechallenge: SingleNonceBook.Rechallenge = .newNonce
    /// How long a nonce is good.
    public var nonceLifetime: Duration = .seconds(300)
    /// The key nonces are made with; at least 16 bytes. It survives restarts and is shared by a cluster. nil: drawn at start.
    public var nonceKey: [UInt8]?
    public var expiry = Expiry()
    public var keepalive = Keepalive()
    public var advertised: [AdvertisedAddress] = []
    /// Service-Route values handed to a phone that registered (RFC 3608), as `<sip:...;lr>`.
    public var serviceRoutes: [String] = []
    /// Whether a right digest over another URI of ours than the Request-URI is good.
    public enum DigestURI: Hashable, Sendable {
        case lenient, strict
    }

    public var digestURI = DigestURI.lenient
    /// A REGISTER that moves its one contact to another host or port, under the same Call-ID and user, replaces the contact it
    /// registered before instead of leaving a ghost behind until it expires.
    public var replacesMovedContacts = true
    /// Whether STUN binding requests are answered on the SIP port.
    public var answersSTUN = true
    /// Seconds between a client's keepalives, promised to phones that use outbound (RFC 5626 Flow-Timer). UDP only.
    public var flowTimer: UInt32 = 30
    /// Calls, rooms and services. With `.chanSIP` there are none: an INVITE ends in 501.
    public var calls = CallSettings()
    public var limits = ServerLimits()

    public init() {}

    /// Takes over what can change while a server runs: how long and how often registrations are kept and asked after, calls with their rooms and
    /// groups, how much is taken. Names, realm, addresses, keys, what the media plane can do and the sizes of tables stay.
    public mutating func adopt(_ new: ServerSettings) {
        expiry = new.expiry
        keepalive = new.keepalive
        digestURI = new.digestURI
        let (codecs, isSecurable) = (calls.codecs, calls.srtpAvailable)
        calls = new.calls
        calls.codecs = codecs
        calls.srtpAvailable = isSecurable
        limits.bindings = new.limits.bindings
        limits.contactsPerAOR = new.limits.contactsPerAOR
        limits.messagesPerSource = new.limits.messagesPerSource
        limits.calls = new.limits.calls
        limits.callsPerAccount = new.limits.callsPerAccount
    }

    /// chan_sip's habits: MD5, its realm, no OPTIONS of its own unless asked for (`qualify`).
    public static func chanSIP(natHandling: Bool) -> ServerSettings {
        var settings = ServerSettings()
        settings.profile = .chanSIP
        settings.natHandling = natHandling
        settings.realm = "asterisk"
        settings.algorithms = [.md5]
        settings.software = "Asterisk PBX"
        settings.answersSTUN = false
        settings.keepalive.interval = nil
        settings.expiry.usual = 120
        settings.expiry.longest = 3600
        settings.limits.contactsPerAOR = 1
        return settings
    }
}
