import Base

/// The caps of a server's tables and of what strangers may cause. A full table refuses, counts and traces; it never grows.
public struct ServerLimits: Hashable, Sendable {
    public typealias Rate = Base.Rate

    /// Longest SIP message taken, in bytes: longer requests get 513, longer responses are dropped.
    public var messageBytes = 16_384
    /// Bindings in all; beyond it 503.
    public var bindings = 2_000_000
    /// Contacts of one AOR; beyond it 403. For chan_sip a new contact takes the place of the oldest.
    public var contactsPerAOR = 10
    /// Contact header values in one REGISTER; beyond it 403.
    public var contactsPerRequest = 16
    /// REGISTERs that wait for their commit; beyond it 503.
    public var pendingCommits = 100_000
    /// Server transactions remembered to absorb retransmissions; the oldest give way.
    public var serverTransactions = 100_000
    /// Client transactions (probes) at once; beyond it a probe fails at once.
    public var clientTransactions = 10_000
    /// Call-IDs whose attempts are remembered for diagnosis; the oldest give way.
    public var attempts = 4_096
    /// Sources whose rates are tracked. When full the table starts over; what was tracked last stays known for one more round.
    public var sources = 65_536
    /// Messages of one source (IPv4 address, IPv6 /64); beyond it they are dropped unread. nil: no limit.
    public var messagesPerSource: Rate? = Rate(perSecond: 1_000, burst: 4_000)
    /// Replies to requests nobody has vouched for, 401s foremost, of one source, so that we amplify nobody's flood. A challenge that
    /// is answered rightly is given back. nil: no limit.
    public var unprovedRepliesPerSource: Rate? = Rate(perSecond: 50, burst: 200)
    /// The same for all sources together. nil: no limit.
    public var unprovedReplies: Rate? = Rate(perSecond: 50_000, burst: 100_000)
    /// OPTIONS to one address, from which no REGISTER came, that ask whether it is the phone that its Contact says (`nat: no`).
    public var questionsPerAddress = Rate(perMinute: 60, burst: 20)
    /// Messages, and replies to requests nobody has vouched for, of one flow whose source is over its limits, and of all such flows of a source.
    /// nil: none.
    public var newcomer: Rate? = Rate(perSecond: 2, burst: 8)
    public var newcomersPerSource = Rate(perSecond: 20, burst: 40)
    /// Wrong digests over good nonces of one source (IPv4 address, IPv6 /64; of a /56 four times as many, of a /48 sixteen times); beyond it
    /// credentials from there get 503, except of accounts that proved themselves from there. Stale answers never count. nil: no limit.
    public var badPasswordsPerSource: Rate? = Rate(perSecond: 2, burst: 60)
    /// The same for one account from wherever it did not prove itself. nil: no limit.
    public var guessesPerAccount: Rate? = Rate(perMinute: 6, burst: 30)
    /// The same for one account from a source that proved it.
    public var guessesOfOwner = Rate(perMinute: 60, burst: 60)
    /// How long an account that proved itself from a source is known there, how many sources of one account are kept, and of how many accounts;
    /// the oldest give way.
    public var proofLasts = Duration.seconds(30 * 86_400)
    public var provedSourcesPerAccount = 64
    public var provedAccounts = 200_000
    /// Keepalives a second for all flows together; those beyond it go out later.
    public var keepalives = Rate(perSecond: 20_000, burst: 2_000)
    /// Phones of which storage is told that they still answer, each every `heardNoteInterval` at most; the others' turn comes later.
    public var heardNotes = Rate(perSecond: 200, burst: 2_000)
    public var heardNoteInterval = Duration.seconds(300)
    /// Nonces of a dialog chan_sip keeps track of, and replay windows of proved nonces; the oldest give way.
    public var nonces = 100_000

    /// Calls at once; beyond it 503.
    public var calls = 10_000
    /// Calls at once that one account began; beyond it 503. Strangers count as one account. High enough for a gateway or a load test
    /// behind one account, low enough that one stolen password leaves room for others.
    public var callsPerAccount = 1_000
    /// How fast one account may begin calls; beyond it 503. nil: no limit.
    public var callRatePerAccount: Rate? = Rate(perMinute: 1_200, burst: 600)
    /// How much of the media ports the calls that one account began may hold, in percent; beyond it 503. Never fewer than eight.
    public var portPercentPerAccount = 50
    /// Look-ups of whom to ring at once; beyond it 503.
    public var lookUps = 20_000
    /// Phones rung for one call, and given one MESSAGE; further instances are left out.
    public var forks = 16
    /// Forwards that are followed for one call, and how many one behind the other.
    public var forwardsPerCall = 10
    public var forwardsInARow = 5
    /// Streams (`m=` lines) of one SDP; beyond it 488.
    public var mediaStreams = 8
    /// Legs that ever were part of one call, those that only rang included; beyond it a transfer or pick-up gets 503.
    public var legsPerCall = 64
    /// Subscriptions at once; beyond it 503.
    public var subscriptions = 20_000
    public var subscriptionsPerAccount = 200
    /// Requests of calls and subscriptions that wait for their answers.
    public var callTransactions = 100_000
    /// Those of them that pass on what one account said, MESSAGE and INFO; beyond it 503.
    public var transactionsPerAccount = 2_000
    /// Octets of replies kept to absorb retransmissions; the oldest give way.
    public var replyOctets = 64 << 20

    public init() {}

    /// No limit on rates, nor on what one account takes: for benchmarks and trusted networks. The tables keep their caps.
    public static var trusted: ServerLimits {
        var limits = ServerLimits()
        limits.trustEverybody()
        return limits
    }

    /// Lifts the limits on rates and on what one account takes; the others stay as they are.
    public mutating func trustEverybody() {
        messagesPerSource = nil
        unprovedRepliesPerSource = nil
        unprovedReplies = nil
        badPasswordsPerSource = nil
        guessesPerAccount = nil
        callsPerAccount = calls
        transactionsPerAccount = callTransactions
        callRatePerAccount = nil
        portPercentPerAccount = 100
    }
}
