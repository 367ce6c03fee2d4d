import Base
import SIPStack

extension Registrar {
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

    package struct Settings: Sendable {
        package var expiry = Expiry()
        package var keepalive = Keepalive()
        /// On: requests go over the flow a REGISTER came by. Off: to the Contact as written.
        package var natHandling = true
        /// Whether a Contact elsewhere has to answer before anything else is sent there (NAT handling off).
        package var asksContacts = true
        /// A 200 waits until its change is durable.
        package var isPersistent = false
        /// See `ServerSettings`.
        package var replacesMovedContacts = true
        /// chan_sip: the newest contact wins, CSeq is not compared.
        package var keepsNewestOnly = false
        /// User-Agent of the OPTIONS.
        package var software = ""
        package var addresses = OwnAddresses([])
        package var limits = Limits()

        package init() {}
    }

    /// Caps of its tables, and rates of what it sends by itself.
    package struct Limits: Sendable {
        package var bindings = 2_000_000
        package var contactsPerAOR = 10
        package var pendingCommits = 100_000
        package var probes = 10_000
        package var sources = 65_536
        package var questionsPerAddress = Rate(perMinute: 60, burst: 20)
        package var keepalives = Rate(perSecond: 20_000, burst: 2_000)
        package var heardNotes = Rate(perSecond: 200, burst: 2_000)
        package var heardNoteInterval = Duration.seconds(300)

        package init() {}
    }

    /// How often each thing happened.
    package struct Counters: Sendable {
        package var bound: UInt64 = 0
        package var refreshed: UInt64 = 0
        package var moved: UInt64 = 0
        package var unbound: UInt64 = 0
        package var expired: UInt64 = 0
        package var commits: UInt64 = 0
        package var commitsFailed: UInt64 = 0
        package var registeredUnstored: UInt64 = 0
        package var keepalivesSent: UInt64 = 0
        package var keepalivesAnswered: UInt64 = 0
        package var keepalivesUnanswered: UInt64 = 0
        package var keepalivesPostponed: UInt64 = 0
        package var flowsDied: UInt64 = 0
        package var flowsRevived: UInt64 = 0
        package var probes: UInt64 = 0
    }
}
