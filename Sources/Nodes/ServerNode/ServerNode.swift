import Base
@_exported import CallServer
import MediaControl
@_exported import Registrar
import SIP
import SIPStack
import STUN
import STUNStack
import Subscriptions

/// A SIP server: registrar (RFC 3261 10), digest authentication (RFC 7616), outbound flows (RFC 5626), keepalive towards the phones,
/// STUN on the SIP port (RFC 8489, RFC 5626 8).
///
/// The driver hands it every message with the flow it came by and sends what it says over the flow it names.
///
/// It is also a back-to-back user agent for calls (RFC 3261 6, 16, RFC 7092) with the media in the middle. What a driver has to do for them:
/// - Before the first call `.mediaPorts`: by media loop, the RTP ports that are bound (each with its next one for RTCP). Without ports every
///   call with SDP is refused with 503, except direct ones.
/// - `Output.media(loop:, command)`: to that loop, in order. `Input.media(event)`: what any loop says; every `.close` must be answered by
///   `.closed`, which gives the port back. `Output.record`: a call is over; to be stored or logged, nothing is expected back.
/// - `settings.calls.srtpAvailable` only if the media plane has an SRTP provider; `settings.calls.codecs` are what its rooms can mix.
public struct ServerNode: Machine {
    public enum Input: Sendable {
        /// UDP: one datagram's payload. Streams: one whole message, or the keepalive `\r\n\r\n` by itself.
        case received(on: FlowID, [UInt8])
        /// A connection is gone; its bindings cannot be reached until their phones register again.
        case closed(FlowID)
        /// Every change up to this sequence is durable; storage works again, if it did not.
        case persisted(through: UInt64)
        /// Nothing becomes durable from now on, until `.persisted`: registrations are answered all the same, for
        /// `ServerSettings.Expiry.unstored` at most. Whoever stores keeps the changes and goes on trying.
        case persistFailed(reason: String)
        /// The accounts there are from now on; bindings of accounts that went away stay until they expire.
        case accounts([Account])
        /// Bindings of an earlier life, before the first message.
        case restore([StoredBinding])
        /// The wall clock shows so much more than the instants told (less, where negative): it was set since the start. What is shown follows, what
        /// is timed does not.
        case wallClock(ahead: Duration)
        /// The media ports by loop, once and before the first call.
        case mediaPorts([[UInt16]])
        /// The media plane says something.
        case media(MediaEvent)
        /// What is chosen is another from now on, as far as that can change while the server runs (`ServerSettings.adopt`).
        case settings(ServerSettings)
        /// The server is about to stop: no call begins any more, all else goes on.
        case drain
        /// Every call ends now.
        case hangUp
        /// Send OPTIONS to every binding of an address of record; ends in `.probed`.
        case probe(aor: AddressOfRecord)
    }

    /// What lets a connection stay.
    public enum Proof: Hashable, Sendable {
        /// An account proved itself over it.
        case account
        /// A call of somebody who need not prove anything came by it.
        case call
    }

    public enum Output: Sendable {
        /// Leaves from `FlowID.local`.
        case send(on: FlowID, [UInt8])
        /// Open a connection to `FlowID.remote` from any port of `FlowID.local`'s address. What is sent over it waits until it stands; where it never
        /// does, `.closed` follows.
        case connect(FlowID)
        /// Whoever is at the other end of this connection is welcome: it lives as long as it likes.
        case proved(on: FlowID, by: Proof)
        /// Store this, then say `.persisted(through:)`. Sequences rise by one.
        case persist(sequence: UInt64, RegistrarChange)
        /// For the media plane: an edit of that loop's tables.
        case media(loop: Int, MediaCommand)
        /// A call is over, its media too.
        case record(CallRecord)
        /// So many wrong passwords of one account came that its owner is to be told.
        case guessed(username: String, from: FlowID)
        /// One outcome for each binding there was; none if nobody is registered.
        case probed(aor: AddressOfRecord, [ProbeOutcome])
    }

    public typealias Trace = ServerTrace

    public private(set) var settings: ServerSettings
    /// Switched off, traces cost nothing.
    public var traces: TraceBox<ServerTrace>

    var tally = ServerCounters()
    var outbox = Outbox<Output>()
    var accounts = AccountTable()
    var domains: DomainTable
    var authenticator: DigestAuthenticator
    var replies: ReplyBook
    var attempts: AttemptBook
    var sources: SourceGuard
    var guesses: GuessGuard
    /// Requests that were answered at the port in their Via although they came from another.
    var answeredAtVia = TwoGenerations<ReplyBook.Key, Bool>(cap: 4_096)
    var stun: STUNServer
    var writer: ReplyWriter
    // The rooms: what each says is carried out in `drain`.
    var registrar: Registrar
    var calls: CallServer
    var subscriptions: Subscriptions
    var clients: ClientTransactions<ClientToken, Asker>
    var invites: ServerTransactions<UInt64, Invite>
    /// Users whose dialogs changed, until their watchers are told.
    var changedDialogs: [AddressOfRecord] = []
    /// Connections that calls wanted and that are never opened, until what they say of them is carried out.
    var unopened: Set<FlowID> = []
    let keys: RequestKeys
    let ways: ReplyWays
    let addresses: OwnAddresses
    let reader: RegistrationReader

    /// An INVITE that came, and whose it is.
    struct Invite: Sendable {
        let request: ServerRequest
        let caller: AddressOfRecord
    }

    /// Who asks something of a phone.
    enum Asker: Sendable {
        case call(CallServer.Purpose)
        case subscription(UInt32)
        case probe(Probe)

        /// Whether a call's leg waits for the answer.
        var isOfLeg: Bool {
            switch self {
            case .call(.fork), .call(.exchange), .call(.refresh): true
            case .call, .subscription, .probe: false
            }
        }
    }

    /// `entropy`: the node's own; the lab's makes its runs repeat to the byte.
    public init(settings: ServerSettings = ServerSettings(), entropy: Entropy, traces: TraceBox<ServerTrace> = TraceBox()) {
        var entropy = entropy
        let limits = settings.limits
        self.settings = settings
        self.traces = traces
        keys = RequestKeys((entropy.next(), entropy.next()), isChanSIP: settings.profile == .chanSIP)
        ways = ReplyWays(natHandling: settings.natHandling)
        addresses = OwnAddresses(settings.advertised)
        reader = RegistrationReader(
            contactsPerRequest: limits.contactsPerRequest, usualExpires: settings.expiry.usual,
            takesOutbound: settings.profile == .pinhole)
        let key = NonceKey(id: 1, secret: settings.nonceKey ?? entropy.bytes(32))
        let nonces: DigestAuthenticator.Nonces
        let digest: DigestAuthenticator.Settings
        switch settings.profile {
        case .pinhole:
            digest = .init(realm: settings.realm, algorithms: settings.algorithms)
            nonces = .stateless(
                NonceIssuer(keys: [key], settings: .init(lifetime: settings.nonceLifetime)),
                counts: CountWindow(cap: max(limits.nonces, 1)))
        case .chanSIP:
            digest = .init(realm: settings.realm, algorithms: [.md5], qop: [], checksURI: false)
            nonces = .onePerDialog(
                SingleNonceBook(
                    settings: .init(rechallenge: settings.chanSIPRechallenge, cap: max(limits.nonces, 1)), entropy: entropy.fork()
                ))
        }
        authenticator = DigestAuthenticator(settings: digest, nonces: nonces, entropy: &entropy, traces: TraceBox(isOn: false))
        domains = DomainTable(settings)
        replies = ReplyBook(cap: limits.serverTransactions, octets: limits.replyOctets)
        attempts = AttemptBook(cap: limits.attempts, lifetime: settings.nonceLifetime)
        sources = SourceGuard(limits: limits)
        guesses = GuessGuard(limits: limits)
        registrar = Registrar(settings: Registrar.Settings(settings, addresses), entropy: entropy.fork())
        stun = STUNServer(STUNServerSettings(software: settings.software))
        writer = ReplyWriter(
            software: settings.software, serviceRoutes: settings.serviceRoutes, isChanSIP: settings.profile == .chanSIP,
            natHandling: settings.natHandling)
        // A stream of chance for each of its parts, so that what one draws is no matter of what the others do.
        let callEntropy = entropy.fork()
        let subscriptionEntropy = entropy.fork()
        let tokenEntropy = entropy.fork()
        var subscriptionTokens = tokenEntropy
        subscriptionTokens = subscriptionTokens.fork()
        calls = CallServer(
            settings: CallServer.Settings(settings, addresses), ways: ways, writer: writer, entropy: callEntropy,
            tokens: ClientTokens(.call, entropy: tokenEntropy))
        subscriptions = Subscriptions(
            settings: Subscriptions.Settings(settings, addresses), entropy: subscriptionEntropy,
            tokens: ClientTokens(.subscription, entropy: subscriptionTokens))
        clients = ClientTransactions(
            cap: limits.callTransactions, perAccount: limits.transactionsPerAccount, timers: settings.calls.timers)
        invites = ServerTransactions(timers: settings.calls.timers)
    }

    /// Bindings, calls and subscriptions stay as they are; what is decided from now on is decided by the new settings.
    mutating func adopt(_ new: ServerSettings) {
        settings.adopt(new)
        registrar.settings = Registrar.Settings(settings, addresses)
        calls.settings = CallServer.Settings(settings, addresses)
        sources.limits = settings.limits
    }

    // MARK: Queries

    /// How often each thing happened since the server started.
    public var counters: ServerCounters {
        var counters = tally
        counters.transactionsEvicted = replies.evicted
        counters.attemptsEvicted = attempts.evicted
        counters.sourceTablesTurned = sources.turns
        counters.take(registrar.counters)
        counters.take(calls.counters)
        return counters
    }

    /// Bindings in all.
    public var bindingCount: Int { registrar.count }

    /// What calls hold right now; all zero where none is.
    public var callUsage: CallUsage {
        var usage = calls.usage
        usage.tags += subscriptions.count
        usage.subscriptions += subscriptions.count
        // Probes are no matter of calls.
        let probes = clients.count { if case .probe = $0 { true } else { false } }
        usage.clientTransactions = clients.count - probes
        usage.serverTransactions = invites.count
        usage.deadlines += clients.pendingDeadlines - probes + invites.pendingDeadlines + subscriptions.pendingDeadlines
        usage.accounts += clients.accounts
        usage.indexes += subscriptions.indexed
        return usage
    }

    /// Changes whose commit is awaited.
    public var pendingCommits: Int { registrar.pendingCommits }

    /// What became of credentials, each outcome apart.
    public var digestCounts: DigestCounts { authenticator.counts }

    /// What `.probe` would reach and a call would ring.
    public func bindings(of aor: AddressOfRecord) -> [Binding] { registrar.bindings(of: aor) }

    /// Everything that is registered, in no particular order.
    public func allBindings() -> [StoredBinding] {
        registrar.all.flatMap { record in record.locations.map { StoredBinding(aor: record.aor, binding: $0.binding) } }
    }
}
