import Base

/// How often each thing happened since the server started. Read by the edges for metrics.
public struct ServerCounters: Hashable, Sendable {
    public var received: UInt64 = 0
    public var receivedBytes: UInt64 = 0
    public var sent: UInt64 = 0
    public var sentBytes: UInt64 = 0
    public var requests: UInt64 = 0
    public var responses: UInt64 = 0
    public var retransmissionsAbsorbed: UInt64 = 0
    public var stunRequests: UInt64 = 0
    public var streamPings: UInt64 = 0

    public var challenges: UInt64 = 0
    public var accepted: UInt64 = 0
    /// Right digest, expired or (chan_sip) superseded nonce.
    public var stale: UInt64 = 0
    /// Wrong password or unknown user: told apart in the trace only.
    public var wrongPassword: UInt64 = 0
    /// Credentials that cannot be what the phone sent or are no credentials at all.
    public var mangled: UInt64 = 0
    public var replayed: UInt64 = 0
    /// Credentials that were not looked at, as too many wrong ones came before.
    public var guessesRefused: UInt64 = 0

    public var bound: UInt64 = 0
    public var refreshed: UInt64 = 0
    public var moved: UInt64 = 0
    public var unbound: UInt64 = 0
    public var expired: UInt64 = 0
    public var outOfOrder: UInt64 = 0
    public var commits: UInt64 = 0
    public var commitsFailed: UInt64 = 0
    /// Registrations that were answered although nothing could be stored.
    public var registeredUnstored: UInt64 = 0

    public var keepalivesSent: UInt64 = 0
    public var keepalivesAnswered: UInt64 = 0
    public var keepalivesUnanswered: UInt64 = 0
    public var keepalivesPostponed: UInt64 = 0
    public var flowsDied: UInt64 = 0
    public var flowsRevived: UInt64 = 0
    public var probes: UInt64 = 0

    /// Calls for which a phone was rung, or a service answered.
    public var callsStarted: UInt64 = 0
    public var callsAnswered: UInt64 = 0
    /// Calls with a record, those that were refused before anybody rang among them.
    public var callsEnded: UInt64 = 0
    public var transfers: UInt64 = 0
    /// Calls ended because a phone never acknowledged our 200, or let its session timer run out.
    public var callsUnacknowledged: UInt64 = 0
    public var sessionsExpired: UInt64 = 0
    /// Calls, subscriptions or requests of ours refused because a table was full.
    public var callTablesFull: UInt64 = 0
    /// Streams refused because no media port was free.
    public var callsWithoutPort: UInt64 = 0
    /// SDPs that named a place which is not the phone's as far as its SIP tells.
    public var mediaElsewhere: UInt64 = 0
    /// Changes of a session that met another one under way (491).
    public var glares: UInt64 = 0
    /// Phones that asked for credentials of ours, and got none.
    public var challengesRefused: UInt64 = 0
    /// Look-ups of whom to ring that were not answered in time.
    public var lookUpsOverdue: UInt64 = 0
    /// Streams whose verdict the media plane did not give in time.
    public var verdictsMissing: UInt64 = 0

    /// Server transactions, Call-IDs' attempts, and half-tables of sources that gave way because a table was full.
    public var transactionsEvicted: UInt64 = 0
    public var attemptsEvicted: UInt64 = 0
    public var sourceTablesTurned: UInt64 = 0

    /// Replies by status class, 1xx first.
    public var replies1xx: UInt64 = 0
    public var replies2xx: UInt64 = 0
    public var replies3xx: UInt64 = 0
    public var replies4xx: UInt64 = 0
    public var replies5xx: UInt64 = 0
    /// Indexed by `DropReason.rawValue`.
    private var drops: [UInt64] = Array(repeating: 0, count: DropReason.allCases.count)

    /// Indexed by `RefusalReason.rawValue`.
    private var refusals: [UInt64] = Array(repeating: 0, count: RefusalReason.allCases.count)
    /// From a REGISTER's arrival to its 200, the commit it waited for among it.
    public internal(set) var registrationTimes = DurationHistogram.waits

    public init() {}

    /// How many requests were refused for `reason`, challenges not among them.
    public subscript(refused reason: RefusalReason) -> UInt64 { refusals[Int(reason.rawValue)] }

    mutating func refused(_ reason: RefusalReason) { refusals[Int(reason.rawValue)] &+= 1 }

    /// How many messages were dropped for `reason`.
    public subscript(dropped reason: DropReason) -> UInt64 { drops[Int(reason.rawValue)] }

    mutating func dropped(_ reason: DropReason) { drops[Int(reason.rawValue)] &+= 1 }

    mutating func replied(_ status: Int) {
        switch status / 100 {
        case 1: replies1xx &+= 1
        case 2: replies2xx &+= 1
        case 3: replies3xx &+= 1
        case 4: replies4xx &+= 1
        default: replies5xx &+= 1
        }
    }
}

/// Why a message was thrown away without an answer.
public enum DropReason: UInt8, Hashable, Sendable, CaseIterable {
    /// Neither SIP nor STUN nor a keepalive.
    case junk
    /// A bare CRLF over UDP: a keepalive that asks for no answer.
    case crlfOverUDP
    case empty
    case malformedResponse
    /// A request too broken to answer: its Via, From, To, Call-ID or CSeq cannot be read.
    case unanswerable
    case malformedACK
    case oversizeResponse
    /// No transaction of ours asked for it.
    case strayResponse
    case strayACK
    case sourceFlooding
    case unprovedRepliesOfSource
    case unprovedRepliesInAll
    /// The answer would be more than three times as large as what asked for it, and whoever asked may be somebody else.
    case amplification
    /// A copy of a request whose answer was repeated as often as its size allows.
    case repeatedTooOften
    case malformedSTUN
    case stunOff
    /// A reply that has no address to go to.
    case noReplyAddress
}
