import Base
import MediaControl

/// Where one stream's packets may come from: what signalling said, what the first packets showed, and then one endpoint only.
///
/// The signalled endpoint itself settles it with its first packet; any other needs three packets of one SSRC in sequence, and gives
/// way to one whose address signalling named for as long as that one is heard. Nothing passes before it is settled, and nobody else
/// is believed afterwards until signalling says so (a new epoch), or until the known source has been silent for 2 s and the very
/// same stream goes on elsewhere.
public struct SourceLatch: Sendable {
    /// What becomes of a packet.
    public enum Verdict: UInt8, Hashable, Sendable {
        /// From the source: it may pass.
        case accepted
        /// It settled the source, and passes.
        case locked
        /// It may become the source, but is not believed yet: it goes nowhere.
        case weighed
        case stranger
    }

    /// How much speaks for an endpoint, before any packet of its own does.
    private enum Rank: UInt8, Comparable, Sendable {
        case none, sameAddress

        static func < (a: Rank, b: Rank) -> Bool { a.rawValue < b.rawValue }
    }

    private struct Candidate: Sendable {
        var endpoint: Endpoint
        var ssrc: UInt32
        var sequence: UInt16
        var rank: Rank
        /// Packets in sequence, the latest included.
        var agreeing: Int
        var heard: Instant
    }

    /// Packets of one source that must agree.
    public static let needed = 3
    /// How many sources are weighed at a time; more push out those that have least to show.
    public static let most = 4
    /// How long the source must have been silent before its stream may go on from elsewhere.
    public static let silence = Duration.seconds(2)
    /// Whoever has less to show waits until one that has more was not heard for this long; and where the party's address is known, any
    /// other address waits this long for a packet from there.
    public static let precedence = Duration.milliseconds(500)
    /// How long media may come without a connectivity check before a party that agreed on ICE is taken for one that does not do it: an ALG
    /// has changed its SDP (RFC 8839 4.2.5), or it only says so.
    public static let patience = Duration.seconds(5)
    /// How long after a new epoch the former source is heard without being settled on again: its last packets may be on the way, and the
    /// first ones from where the party has gone.
    public static let farewell = Duration.seconds(3)

    /// The last settled source; still trusted while a new epoch has not settled on another.
    public private(set) var source: Endpoint?
    private var means = MediaSource.Means.signalled
    private var isOpen = true
    private var candidates: [Candidate] = []
    /// When the first packet since `open` was weighed.
    private var weighingSince: Instant?
    private var ssrc: UInt32 = 0
    private var sequence: UInt16 = 0
    private var lastHeard = Instant.epoch
    private var farewellUntil: Instant?
    /// The newest SDP names another endpoint than the one before.
    private var hasGone = false
    /// Packets of the source that were weighed before it was settled on.
    public private(set) var weighedBefore = 0

    private var signalled: Endpoint?
    private var kin: IPAddress?
    private var latches = true
    private var needsICE = false

    public init() {}

    public var isLocked: Bool { !isOpen && source != nil }
    public var settled: (endpoint: Endpoint, means: MediaSource.Means)? { isOpen ? nil : source.map { ($0, means) } }

    /// Where to send: the settled source, or what signalling said; nil: nowhere yet.
    public var destination: Endpoint? {
        if needsICE { return source }
        // A party that changed its address in SDP has gone there.
        if isOpen, hasGone { return signalled }
        return source ?? signalled
    }

    /// A new offer/answer round: learning begins afresh.
    ///
    /// `kin`: an address that belongs to the party (its signalling comes from there). `latches`: false where only `signalled` is ever
    /// believed. `needsICE`: only `nominate` settles.
    public mutating func open(signalled: Endpoint?, kin: IPAddress?, latches: Bool, needsICE: Bool, at now: Instant) {
        farewellUntil = source == nil ? nil : now + Self.farewell
        // Not so where it names an address that nobody vouches for: then what is sent goes on to where the party was heard.
        let isVouchedFor = !latches || signalled?.address == kin || signalled?.address == source?.address
        hasGone = source != nil && signalled != nil && self.signalled != signalled && isVouchedFor
        self.signalled = signalled
        self.kin = kin
        self.latches = latches
        self.needsICE = needsICE
        isOpen = true
        forgetCandidates()
        if !latches, source != signalled { source = nil }
    }

    /// The party is known to be at `address` now (RTCP after RTP has settled): learning begins afresh, and prefers it.
    public mutating func relearn(preferring address: IPAddress) {
        kin = address
        guard !needsICE, latches else { return }
        if source?.address != address { source = nil }
        isOpen = true
        farewellUntil = nil
        hasGone = false
        forgetCandidates()
    }

    /// ICE chose the pair: `endpoint` is the source. True if that changes anything.
    public mutating func nominate(_ endpoint: Endpoint, at now: Instant) -> Bool {
        guard isOpen || source != endpoint else { return false }
        weighedBefore = 0
        lock(endpoint, .ice)
        lastHeard = now
        return true
    }

    /// A packet came. `authenticated`: SRTP proved that the party sent it; one such packet is enough.
    ///
    /// `learns`: false while no stream is wanted: then only the signalled endpoint can settle it, and nobody gets ahead of the party by
    /// knocking at ports of calls that still ring.
    public mutating func received(
        from endpoint: Endpoint, ssrc: UInt32, sequence: UInt16, authenticated: Bool, learns: Bool = true, at now: Instant
    ) -> Verdict {
        if !isOpen {
            if endpoint == source {
                if weighingSince != nil { forgetCandidates() }
                heard(ssrc, sequence, at: now)
                return .accepted
            }
            guard mayMatter(from: endpoint, ssrc: ssrc, sequence: sequence, at: now) else { return .stranger }
            return weigh(endpoint, ssrc, sequence, .none, authenticated, .moved, at: now)
        }
        if needsICE {
            // Before a nomination the former source alone is heard.
            if endpoint == source { return .accepted }
            guard mayMatter(from: endpoint, ssrc: ssrc, sequence: sequence, at: now) else { return .stranger }
            if !learns { return .weighed }
            let since = weighingSince ?? now
            weighingSince = since
            if now - since < Self.patience { return .weighed }
        }
        if endpoint == signalled {
            weighedBefore = 0
            lock(endpoint, .signalled)
            heard(ssrc, sequence, at: now)
            return .locked
        }
        guard latches else { return .stranger }
        if endpoint == source {
            heard(ssrc, sequence, at: now)
            if let farewellUntil, now < farewellUntil { return .accepted }
            weighedBefore = 0
            lock(endpoint, means)
            return .locked
        }
        guard learns || authenticated else { return .weighed }
        let isSameAddress = endpoint.address == signalled?.address || endpoint.address == kin
        return weigh(endpoint, ssrc, sequence, isSameAddress ? .sameAddress : .none, authenticated, .learnt, at: now)
    }

    /// Whether a packet from there can matter at all: what is not worth an SRTP authentication need not get one.
    public func mayMatter(from endpoint: Endpoint, ssrc: UInt32, sequence: UInt16, at now: Instant) -> Bool {
        if isOpen { return endpoint == source || (needsICE ? source == nil : latches || endpoint == signalled) }
        return endpoint == source
            || latches && !needsICE && now - lastHeard >= Self.silence && mayContinue(endpoint, ssrc, sequence)
    }

    /// Whether a packet from elsewhere goes on with the stream that fell silent.
    private func mayContinue(_ endpoint: Endpoint, _ ssrc: UInt32, _ sequence: UInt16) -> Bool {
        ssrc == self.ssrc && isContinuation(sequence, of: self.sequence)
    }

    private mutating func weigh(
        _ endpoint: Endpoint, _ ssrc: UInt32, _ sequence: UInt16, _ rank: Rank, _ authenticated: Bool, _ means: MediaSource.Means,
        at now: Instant
    ) -> Verdict {
        if weighingSince == nil { weighingSince = now }
        var new = Candidate(endpoint: endpoint, ssrc: ssrc, sequence: sequence, rank: rank, agreeing: 1, heard: now)
        if let index = candidates.firstIndex(where: { $0.endpoint == endpoint }) {
            let known = candidates[index]
            if known.ssrc == ssrc, isContinuation(sequence, of: known.sequence) { new.agreeing = known.agreeing + 1 }
            candidates[index] = new
        } else if candidates.count < Self.most {
            candidates.append(new)
        } else {
            // The one with least to show makes room, the stalest of equals; never a better one for a worse one.
            let weakest = candidates.indices.min {
                (candidates[$0].rank, candidates[$0].agreeing, candidates[$0].heard) < (
                    candidates[$1].rank, candidates[$1].agreeing, candidates[$1].heard
                )
            }!
            let isStale = now - candidates[weakest].heard >= Self.precedence
            if isStale || (candidates[weakest].rank, candidates[weakest].agreeing) <= (rank, 1) { candidates[weakest] = new }
        }
        guard authenticated || new.agreeing >= Self.needed && isUnrivalled(rank, means, at: now) else { return .weighed }
        weighedBefore = new.agreeing - 1
        lock(endpoint, means)
        heard(ssrc, sequence, at: now)
        return .locked
    }

    /// Whether nobody with more to show is heard, or may yet be.
    private func isUnrivalled(_ rank: Rank, _ means: MediaSource.Means, at now: Instant) -> Bool {
        guard means == .learnt else { return true }
        if rank == .none {
            if kin != nil, let weighingSince, now - weighingSince < Self.precedence { return false }
            // The former source still speaks.
            if source != nil, now - lastHeard < Self.precedence { return false }
        }
        return !candidates.contains { $0.rank > rank && now - $0.heard < Self.precedence }
    }

    private mutating func lock(_ endpoint: Endpoint, _ means: MediaSource.Means) {
        source = endpoint
        self.means = means
        isOpen = false
        farewellUntil = nil
        hasGone = false
        forgetCandidates()
    }

    private mutating func forgetCandidates() {
        candidates.removeAll(keepingCapacity: true)
        weighingSince = nil
    }

    private mutating func heard(_ ssrc: UInt32, _ sequence: UInt16, at now: Instant) {
        self.ssrc = ssrc
        self.sequence = sequence
        lastHeard = now
    }

    /// RFC 3550 A.1: MAX_DROPOUT.
    private func isContinuation(_ sequence: UInt16, of known: UInt16) -> Bool {
        let step = sequence &- known
        return step > 0 && step < 3_000
    }
}
