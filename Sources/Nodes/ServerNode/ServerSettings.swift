import Base
import SIPStack

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

    /// The host by which peers of one network are told to reach us.
    public struct AdvertisedAddress: Hashable, Sendable {
        /// Peers whose source address lies in here.
        public var peers: IPPrefix
        /// Host of Via and Contact in requests we send them.
        public var host: String
        /// nil: the port of the socket the flow lives on.
        public var port: UInt16?

        public init(peers: IPPrefix, host: String, port: UInt16? = nil) {
            self.peers = peers
            self.host = host
            self.port = port
        }
    }

    /// How long bindings last (RFC 3261 10.3 step 7), in seconds.
    public struct Expiry: Hashable, Sendable {
        /// Shorter requests, and only those below an hour, are refused with 423.
        public var shortest: UInt32 = 60
        /// Granted where a request asks for none.
        public var usual: UInt32 = 3600
        /// Longer requests are cut to this.
        public var longest: UInt32 = 7200
        /// The most while nothing can be stored: what a restart loses is back after this time.
        public var unstored: UInt32 = 120

        public init() {}
    }

    /// The OPTIONS we send over each UDP flow, so that the NAT in front of the phone keeps its mapping.
    public struct Keepalive: Hashable, Sendable {
        /// From one OPTIONS to the next; each is up to an eighth early, so that they spread. nil: none are sent.
        public var interval: Duration? = .seconds(25)
        /// An answer, whatever its status, is awaited this long; then the OPTIONS is sent again.
        public var answerWithin: Duration = .seconds(5)
        /// So many in a row without an answer: the flow is dead.
        public var failures: Int = 3
        /// How often a dead flow is tried again, as its network may come back. nil: never.
        public var deadInterval: Duration? = .seconds(120)

        public init() {}
    }

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
