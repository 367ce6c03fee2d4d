import Base
import MediaControl

/// Where one stream's packets may come from: what signalling said, what the first packets showed, and then one endpoint only.
///
/// Whoever is silent cannot speak against a stranger, so a stranger is not heard at all: only what signalling vouches for is, in ranks. The
/// signalled endpoint settles it with its first packet, any other one needs three of one SSRC in sequence. A better rank takes over at
/// any time, and gives back if it falls silent for 2 s while the former source still sends. Of one rank nobody is believed after the
/// first until signalling says so (a new epoch), or until the known source has been silent for 2 s and the very same stream goes on.
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

    /// How much speaks for an endpoint.
    private enum Rank: UInt8, Comparable, Sendable {
        /// Nothing: believed only where anybody is.
        case none
        /// SDP names it, but SIP comes from elsewhere.
        case named
        /// SIP comes from its address.
        case sameAddress
        /// SIP comes from its address, and SDP names it.
        case signalled
        /// SRTP or ICE proved it.
        case proved

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
    /// Whoever has less to show waits until one that has more was not heard for this long; and where anybody is believed, an address
    /// nobody vouches for waits this long for a packet from the party's own.
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
    private var rank = Rank.none
    /// From whom the source took over.
    private var former: Endpoint?
    /// The source of the epoch before, where SDP now names another endpoint: its last packets take nothing over.
    private var gone: Endpoint?
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

    private(set) var signalled: Endpoint?
    private var kin: IPAddress?
    private var latches = true
    private var needsICE = false
    private var believesAnyone = false
    /// Whoever sends without being believed, as long as the party was not heard.
    private var outsider: Candidate?
    private var isOutsiderTold = false

    /// `believesAnyone`: packets of one stream from any address may settle it, where nothing better comes.
    public init(believesAnyone: Bool = false) { self.believesAnyone = believesAnyone }

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
    /// `kin`: where the party's signalling comes from. `latches`: false where only `signalled` is ever believed. `needsICE`: only
    /// `nominate` settles.
    public mutating func open(signalled: Endpoint?, kin: IPAddress?, latches: Bool, needsICE: Bool, at now: Instant) {
        farewellUntil = source == nil ? nil : now + Self.farewell
        // Not so where it names an address that nobody vouches for: then what is sent goes on to where the party was heard.
        let isVouchedFor = !latches || signalled?.address == kin || signalled?.address == source?.address
        let isNew = source != nil && signalled != nil && self.signalled != signalled
        hasGone = isNew && isVouchedFor
        gone = isNew ? source : nil
        self.signalled = signalled
        self.kin = kin
        self.latches = latches
        self.needsICE = needsICE
        isOpen = true
        former = nil
        isOutsiderTold = false
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
        gone = nil
        former = nil
        forgetCandidates()
    }

    /// The party's signalling comes from elsewhere now: whoever sends from there takes over.
    public mutating func follow(to kin: IPAddress) {
        self.kin = kin
        if let source, rank < .proved { rank = rank(of: source) }
    }

    /// ICE chose the pair: `endpoint` is the source. True if that changes anything.
    public mutating func nominate(_ endpoint: Endpoint, at now: Instant) -> Bool {
        guard isOpen || source != endpoint else { return false }
        weighedBefore = 0
        lock(endpoint, .ice, .proved)
        lastHeard = now
        return true
    }

    /// A packet came. `authenticated`: SRTP proved that the party sent it; one such packet is enough.
    ///
    /// `learns`: false while no stream is wanted: then only the signalled endpoint can settle it, and nobody gets ahead of the party by
    /// knocking at ports of calls that still ring. `needed`: how many packets must agree.
    public mutating func received(
        from endpoint: Endpoint, ssrc: UInt32, sequence: UInt16, authenticated: Bool, learns: Bool = true,
        needed: Int = Self.needed, at now: Instant
    ) -> Verdict {
        if !isOpen, endpoint == source {
            // A move that was begun is over, and nobody is given back to.
            if weighingSince != nil { forgetCandidates(upTo: rank) }
            heard(ssrc, sequence, at: now)
            return .accepted
        }
        guard mayMatter(from: endpoint, ssrc: ssrc, sequence: sequence, provable: authenticated, at: now) else {
            return .stranger
        }
        var new = Candidate(
            endpoint: endpoint, ssrc: ssrc, sequence: sequence, rank: authenticated ? .proved : rank(of: endpoint), agreeing: 1,
            heard: now)
        guard isOpen else {
            let takesOver = new.rank > rank && rank < .proved
            let means: MediaSource.Means = takesOver || endpoint == former ? Self.means(endpoint, signalled) : .moved
            let displaced = source
            let verdict = weigh(&new, means, authenticated ? 1 : needed, waits: false)
            if verdict == .locked, takesOver { former = displaced }
            return verdict
        }
        if needsICE {
            // Before a nomination the former source alone is heard.
            if endpoint == source { return .accepted }
            if !learns { return .weighed }
            let since = weighingSince ?? now
            weighingSince = since
            if now - since < Self.patience { return .weighed }
        }
        if endpoint == signalled { return settle(new, .signalled) }
        if endpoint == source {
            heard(ssrc, sequence, at: now)
            if let farewellUntil, now < farewellUntil { return .accepted }
            return settle(new, means)
        }
        guard learns || authenticated else { return .weighed }
        return weigh(&new, .learnt, authenticated ? 1 : needed, waits: true)
    }

    /// Whether a packet from there can matter at all: what is not worth an SRTP authentication need not get one. `provable`: SRTP may prove
    /// that it is the party's.
    public func mayMatter(
        from endpoint: Endpoint, ssrc: UInt32, sequence: UInt16, provable: Bool, at now: Instant
    ) -> Bool {
        if endpoint == source { return true }
        guard latches || endpoint == signalled else { return false }
        let theirs = rank(of: endpoint)
        let isBelievable = provable || theirs > .none || believesAnyone
        if isOpen { return isBelievable && (!needsICE || source == nil) }
        if endpoint == gone, let farewellUntil, now < farewellUntil { return false }
        if theirs > rank { return true }
        guard now - lastHeard >= Self.silence else { return false }
        let goesOn = ssrc == self.ssrc && isContinuation(sequence, of: self.sequence)
        return endpoint == former || isBelievable && !needsICE && goesOn
    }

    /// A stream that is not believed, while the party itself was not heard: told once an epoch, when three of its packets agree.
    public mutating func noteOutsider(_ endpoint: Endpoint, ssrc: UInt32, sequence: UInt16, at now: Instant) -> Bool {
        guard isOpen, source == nil, latches, !needsICE, !isOutsiderTold else { return false }
        var new = Candidate(endpoint: endpoint, ssrc: ssrc, sequence: sequence, rank: .none, agreeing: 1, heard: now)
        if let outsider, outsider.endpoint == endpoint { agree(&new, outsider) }
        isOutsiderTold = new.agreeing >= Self.needed
        outsider = isOutsiderTold ? nil : new
        return isOutsiderTold
    }

    private func rank(of endpoint: Endpoint) -> Rank {
        if endpoint.address == kin { return endpoint == signalled ? .signalled : .sameAddress }
        return endpoint == signalled ? .named : .none
    }

    private static func means(_ endpoint: Endpoint, _ signalled: Endpoint?) -> MediaSource.Means {
        endpoint == signalled ? .signalled : .learnt
    }

    private func agree(_ new: inout Candidate, _ known: Candidate) {
        if known.ssrc == new.ssrc, isContinuation(new.sequence, of: known.sequence) { new.agreeing = known.agreeing + 1 }
    }

    private mutating func weigh(_ new: inout Candidate, _ means: MediaSource.Means, _ needed: Int, waits: Bool) -> Verdict {
        if weighingSince == nil { weighingSince = new.heard }
        if let index = candidates.firstIndex(where: { $0.endpoint == new.endpoint }) {
            agree(&new, candidates[index])
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
            let isStale = new.heard - candidates[weakest].heard >= Self.precedence
            if isStale || (candidates[weakest].rank, candidates[weakest].agreeing) <= (new.rank, 1) { candidates[weakest] = new }
        }
        guard new.agreeing >= needed, !waits || isUnrivalled(new.rank, at: new.heard) else { return .weighed }
        return settle(new, means)
    }

    private mutating func settle(_ new: Candidate, _ means: MediaSource.Means) -> Verdict {
        weighedBefore = new.agreeing - 1
        lock(new.endpoint, means, new.rank)
        heard(new.ssrc, new.sequence, at: new.heard)
        return .locked
    }

    /// Whether nobody with more to show is heard, or may yet be.
    private func isUnrivalled(_ rank: Rank, at now: Instant) -> Bool {
        if rank == .none, kin != nil, let weighingSince, now - weighingSince < Self.precedence { return false }
        // The source of the epoch before still speaks.
        if let source, rank < max(self.rank(of: source), .named), now - lastHeard < Self.precedence { return false }
        return !candidates.contains { $0.rank > rank && now - $0.heard < Self.precedence }
    }

    private mutating func lock(_ endpoint: Endpoint, _ means: MediaSource.Means, _ rank: Rank) {
        source = endpoint
        self.means = means
        self.rank = rank
        isOpen = false
        former = nil
        hasGone = false
        forgetCandidates()
    }

    private mutating func forgetCandidates(upTo rank: Rank = .proved) {
        candidates.removeAll { $0.rank <= rank }
        outsider = nil
        if candidates.isEmpty { weighingSince = nil }
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
