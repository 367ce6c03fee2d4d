import Base
import SIP
import SIPStack

/// The location service (RFC 3261 10): who can be reached where, kept alive by OPTIONS over UDP flows (RFC 5626), stored before it is promised.
///
/// It knows nothing of challenges, accounts and calls: whoever owns it brings registrations that are proved and read.
///
/// Between `register` and its `.registered` output may lie a commit: see `Settings.isPersistent`.
public struct Registrar: Sendable {
    package enum Output: Sendable {
        /// A keepalive; leaves from `FlowID.local`.
        case send(on: FlowID, [UInt8])
        /// Send a probe; what comes of it is told by `came`.
        case ask(ClientRequest<ClientToken, Probe>)
        /// Open a connection to `FlowID.remote` from any port of `FlowID.local`'s address.
        case connect(FlowID)
        /// A registration took effect: its 200 may leave.
        case registered(Registered)
        /// Store this, then say `persisted`. Sequences rise by one.
        case persist(sequence: UInt64, RegistrarChange)
        /// A user's phone is reached by another flow than before, and whatever goes on with it, too.
        case moved(AddressOfRecord, from: FlowID, to: FlowID)
        /// A user's bindings are others than before.
        case changed(AddressOfRecord)
        /// One outcome for each binding there was; none if nobody is registered.
        case probed(AddressOfRecord, [ProbeOutcome])
        /// What was noticed, where `isTracing`.
        case trace(Trace)
    }

    /// A registration that took effect, and what its 200 says.
    package struct Registered: Sendable {
        package var request: ServerRequest
        package var aor: AddressOfRecord
        package var locations: [LocationTable.Location]
        /// Path values joined by commas; empty: none.
        package var path: [UInt8]
        /// RFC 5626 6.
        package var usesOutbound: Bool
        /// When it was asked for.
        package var at: Instant
    }

    /// May be exchanged while there are bindings: they stay as they are, and the next registration is ruled by the new ones.
    package var settings: Settings { didSet { rules = RegistrarRules(settings) } }
    var rules: RegistrarRules
    let ways: BindingWays
    /// Whether `.trace` comes.
    package var isTracing = false
    package var counters = Counters()
    var locations = LocationTable()
    var commits = CommitQueue()
    /// Nothing becomes durable at present.
    var isStorageFailing = false
    var probes: ProbeTable
    var probeTokens: ClientTokens
    /// By which new connections are numbered.
    let connectionKey: (UInt64, UInt64)
    /// Questions to Contacts elsewhere, by the address asked.
    var questions: TwoGenerations<IPAddress, Gauge>
    var keepaliveGauge = Gauge()
    var heardNoteGauge = Gauge()
    /// Where keepalives that have to wait stand in line.
    var keepaliveLine = Gauge()
    /// Which records have bindings over which connection.
    var streams: [FlowID: Set<UInt32>] = [:]
    var entropy: Entropy
    package internal(set) var outbox = Outbox<Output>()

    package init(settings: Settings, entropy: Entropy) {
        self.settings = settings
        var seed = entropy
        // Of a copy: what is drawn for probes changes nothing else.
        probeTokens = ClientTokens(.probe, entropy: seed.fork())
        connectionKey = (seed.next(), seed.next())
        self.entropy = entropy
        rules = RegistrarRules(settings)
        ways = BindingWays(natHandling: settings.natHandling, asksContacts: settings.asksContacts)
        probes = ProbeTable(cap: settings.limits.probes)
        questions = TwoGenerations(cap: settings.limits.sources)
    }

    // MARK: Outputs

    package mutating func nextOutput() -> Output? { outbox.next() }

    mutating func note(_ trace: @autoclosure () -> Trace) {
        if isTracing { outbox.append(.trace(trace())) }
    }

    // MARK: Queries

    /// Bindings in all.
    package var count: Int { locations.count }

    /// Registrations that wait for their commit.
    package var pendingCommits: Int { commits.count }

    /// Whether so many wait for their commit that no registration may be brought.
    package var isFull: Bool { commits.count >= settings.limits.pendingCommits }

    /// OPTIONS under way that somebody asked for.
    package var probeCount: Int { probes.count }

    /// Addresses that were asked whether they are the phone that a Contact says.
    package var questionCount: Int { questions.count }

    /// Whether a binding came by this flow.
    package func uses(_ flow: FlowID) -> Bool { locations.uses(flow) }

    package func locations(of aor: AddressOfRecord) -> [LocationTable.Location] { locations.locations(of: aor) }

    package func bindings(of aor: AddressOfRecord) -> [Binding] { locations.locations(of: aor).map(\.binding) }

    /// Every record, in no particular order.
    package var all: some Sequence<LocationTable.Record> { locations.all }

    /// Whether a response with this branch would answer a keepalive that went over that flow.
    package func awaits(_ token: ClientToken, on flow: FlowID) -> Bool {
        guard token.purpose == .keepalive else { return false }
        return locations.record(token.place)?.locations.contains {
            if case .asked(token.number, _, _, _) = $0.keepalive { $0.binding.flow == flow } else { false }
        } ?? false
    }

    /// A phone took one of SRTP and plain RTP and refused the other, or nobody knows any more.
    package mutating func keep(_ habit: LocationTable.SRTPHabit?, of aor: AddressOfRecord, contact: SIPText) {
        guard let slot = locations.slot(of: aor) else { return }
        for (index, location) in locations.locations(of: aor).enumerated()
        where contact.bytes.elementsEqual(location.binding.contact) {
            _ = locations.change(slot, index) { $0.srtp = habit }
        }
    }
}
