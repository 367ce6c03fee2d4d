import Base
import MediaControl
import RTP
import SDP
import STUN
import STUNStack

/// A full ICE agent for one stream (RFC 8445): pairs candidates, checks them at a steady pace, nominates one a component or lets the
/// other side do so, and answers checks. Against an ICE-lite side it controls (RFC 8445 6.1.1).
///
/// Gathering is its owner's: it is made with the candidates. One foundation a kind and address family.
public struct ICEAgent: Machine {
    public enum Input: Sendable {
        /// The other side's description came; the same once more is a re-offer without restart, whose new candidates join in. `multiplexed`:
        /// RTCP shares the RTP port, so that one component is enough.
        case begin(SDPICE, multiplexed: Bool, isControlling: Bool)
        /// A STUN message on one of our ports.
        case received(Datagram)
        /// ICMP says that nobody listens there.
        case unreachable(Endpoint)
    }

    public enum Output: Hashable, Sendable {
        case send(Datagram)
        /// A check proved that the other side is there; audio from there may be heard at once.
        case proved(Endpoint)
        /// What audio (component 1) or RTCP (2) takes from now on.
        case selected(component: Int, local: Endpoint, remote: Endpoint)
        /// Every pair of a component failed.
        case failed
        case roleChanged(isControlling: Bool)
        /// STUN that is no check of theirs, or not with our password.
        case refused(from: Endpoint, reason: String)
    }

    /// All that it notices matters to its owner, and is output.
    public typealias Trace = Never

    /// A request that came before the other side's description.
    struct Early: Sendable {
        var local: Endpoint
        var source: Endpoint
        var priority: UInt32
        var nominates: Bool
    }

    /// A check of ours on its way.
    struct Check: Sendable {
        var pair: ICEPair.ID
        /// The role it claimed: only that can be in conflict (RFC 8445 7.2.5.1).
        var wasControlling: Bool
        var request: STUNClientRequest
    }

    public enum Phase: Hashable, Sendable {
        /// Without the other side's description.
        case idle
        case checking
        case completed
        case failed
    }

    /// RFC 8445 14.2.
    static let pace = Duration.milliseconds(50)
    /// RFC 8445 11.
    static let keepaliveInterval = Duration.seconds(15)
    /// How long the controlling side waits for a better pair after the first that works.
    static let nominationPatience = Duration.milliseconds(600)
    /// RFC 8445 6.1.2.5.
    static let mostPairs = 100
    static let mostRemotes = 40
    static let mostEarly = 16

    /// Ours, drawn when it was made.
    public let credentials: ICECredentials
    public let candidates: [ICECandidate]
    let timers: Duration
    let tieBreaker: UInt64
    public private(set) var isControlling: Bool
    /// What the other side said; nil before.
    public private(set) var remote: SDPICE?
    public private(set) var phase = Phase.idle
    private var components: Set<Int>
    var pairs: [ICEPair] = []
    var remotes: [ICECandidate] = []
    private var triggered: [ICEPair.ID] = []
    var requests: [STUNTransactionID: Check] = [:]
    private var deadlines = DeadlineQueue<STUNTransactionID>()
    private var nextCheck: Instant?
    private var nominateAt: Instant?
    private var nextKeepalive: Instant?
    /// By component, 1 for RTP and 2 for RTCP.
    public private(set) var selected: [Int: ICEPair] = [:]
    private var early: [Early] = []
    var entropy: Entropy
    private var outbox = Outbox<Output>()

    /// - Parameters:
    ///   - candidates: host ones, whose endpoints are sockets of ours, and reflexive ones with those as base.
    ///   - t1: of STUN retransmissions.
    public init(candidates: [ICECandidate], isControlling: Bool, t1: Duration, entropy seed: Entropy) {
        var entropy = seed
        // RFC 8445 5.3: 24 and 128 bits at least.
        credentials = ICECredentials(ufrag: entropy.hex(8), password: entropy.hex(32))
        tieBreaker = entropy.next()
        self.candidates = candidates
        self.isControlling = isControlling
        timers = t1
        components = Set(candidates.map(\.component))
        self.entropy = entropy
    }

    /// What our description says.
    public var description: SDPICE {
        SDPICE(ufrag: credentials.ufrag, password: credentials.password, candidates: candidates, endsCandidates: true)
    }

    public var isOver: Bool { phase == .completed || phase == .failed }

    /// Of all states.
    public var pairCount: Int { pairs.count }

    // MARK: Machine

    public var nextDeadline: Instant? { [nextCheck, nominateAt, nextKeepalive, deadlines.nextDeadline].compactMap { $0 }.min() }

    public mutating func receive(_ input: Input, at now: Instant) {
        switch input {
        case .begin(let remote, let multiplexed, let isControlling):
            begin(remote, multiplexed: multiplexed, isControlling: isControlling, at: now)
        case .received(let datagram): receive(datagram, at: now)
        case .unreachable(let endpoint): unreachable(endpoint, at: now)
        }
    }

    public mutating func nextOutput() -> Output? { outbox.next() }
    public mutating func nextTrace() -> Never? { nil }
    mutating func emit(_ output: Output) { outbox.append(output) }

    private mutating func begin(_ remote: SDPICE, multiplexed: Bool, isControlling: Bool, at now: Instant) {
        if let former = self.remote, former.ufrag == remote.ufrag, former.password == remote.password {
            // A re-offer without restart; new candidates join in.
            self.remote = remote
            if phase == .checking { add(remote.candidates, at: now) }
            return
        }
        self.remote = remote
        self.isControlling = remote.isLite || isControlling
        if multiplexed { components = [1] }
        phase = .checking
        add(remote.candidates, at: now)
        let waiting = early
        early = []
        for request in waiting {
            asked(from: request.source, at: request.local, priority: request.priority, nominates: request.nominates, at: now)
        }
        if pairs.isEmpty { nextCheck = nil }
    }

    private mutating func add(_ candidates: [ICECandidate], at now: Instant) {
        for candidate in candidates.prefix(Self.mostRemotes) where candidate.isUDP && components.contains(candidate.component) {
            guard candidate.endpoint.port != 0, remotes.count < Self.mostRemotes,
                !remotes.contains(where: { $0.component == candidate.component && $0.endpoint == candidate.endpoint })
            else { continue }
            remotes.append(candidate)
            for local in hosts where local.component == candidate.component { pair(local, candidate) }
        }
        thaw()
        if nextCheck == nil, pairs.contains(where: { $0.state == .waiting }) { nextCheck = now }
    }

    /// Ours that are sockets.
    private var hosts: [ICECandidate] { candidates.filter { $0.kind == .host } }

    func host(at endpoint: Endpoint) -> ICECandidate? { hosts.first { $0.endpoint == endpoint } }

    @discardableResult
    mutating func pair(_ local: ICECandidate, _ remote: ICECandidate) -> Int? {
        guard local.endpoint.address.isIPv6 == remote.endpoint.address.isIPv6, components.contains(local.component) else {
            return nil
        }
        let new = ICEPair(local, remote)
        if let place = pairs.firstIndex(where: { $0.id == new.id }) { return place }
        guard pairs.count < Self.mostPairs else { return nil }
        pairs.append(new)
        return pairs.count - 1
    }

    /// RFC 8445 6.1.2.6: the first of each foundation may go, by component and then priority.
    private mutating func thaw() {
        let active = Set(pairs.filter { $0.state == .waiting || $0.state == .inProgress }.map(\.foundation))
        var best: [String: Int] = [:]
        for place in pairs.indices where pairs[place].state == .frozen && !active.contains(pairs[place].foundation) {
            guard let former = best[pairs[place].foundation] else {
                best[pairs[place].foundation] = place
                continue
            }
            if isBefore(pairs[place], pairs[former]) { best[pairs[place].foundation] = place }
        }
        for place in best.values { pairs[place].state = .waiting }
    }

    private func isBefore(_ a: ICEPair, _ b: ICEPair) -> Bool {
        if a.id.component != b.id.component { return a.id.component < b.id.component }
        return a.priority(isControlling: isControlling) > b.priority(isControlling: isControlling)
    }

    public mutating func advance(to now: Instant) {
        while let id = deadlines.popDue(at: now) { tell(id, at: now) { $0.advance(to: now) } }
        if let due = nextCheck, due <= now { check(at: now) }
        if let due = nominateAt, due <= now {
            nominateAt = nil
            nominate(isPatient: false, at: now)
        }
        if let due = nextKeepalive, due <= now { keepAlive(at: now) }
    }

    // MARK: Checks

    /// One check a tick: triggered ones first, then the best that waits, then the best that is frozen.
    private mutating func check(at now: Instant) {
        nextCheck = nil
        guard phase == .checking else { return }
        while !triggered.isEmpty {
            let id = triggered.removeFirst()
            guard let place = pairs.firstIndex(where: { $0.id == id }), pairs[place].state == .waiting || pairs[place].nominates
            else {
                continue
            }
            return send(place, at: now)
        }
        let isControlling = isControlling
        func best(_ state: ICEPair.State) -> Int? {
            pairs.indices.filter { pairs[$0].state == state }.max {
                pairs[$0].priority(isControlling: isControlling) < pairs[$1].priority(isControlling: isControlling)
            }
        }
        if best(.waiting) == nil { thaw() }
        if let place = best(.waiting) ?? best(.frozen) { send(place, at: now) }
    }

    private mutating func send(_ place: Int, at now: Instant) {
        guard let remote else { return }
        let pair = pairs[place]
        if pair.state != .succeeded { pairs[place].state = .inProgress }
        let key = STUNKey.shortTerm(password: remote.password)
        var writer = STUNWriter(.bindingRequest, STUNTransactionID(from: &entropy))
        writer.add(.username(Array("\(remote.ufrag):\(credentials.ufrag)".utf8)))
        let priority = ICECandidate.priority(.peerReflexive, component: pair.id.component)
        writer.add(.priority, bytes(priority))
        writer.add(isControlling ? .iceControlling : .iceControlled, bytes(tieBreaker))
        if pair.nominates, isControlling { writer.add(.useCandidate, [UInt8]()) }
        writer.addIntegrity(key)
        writer.addFingerprint()
        let request = STUNClientRequest(
            writer, from: pair.id.local, to: pair.id.remote, schedule: .rfc8489(rto: timers), key: key, at: now)
        requests[request.transactionID] = Check(pair: pair.id, wasControlling: isControlling, request: request)
        tell(request.transactionID, at: now) { _ in }
        nextCheck = now + Self.pace
    }

    private func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

    mutating func tell(_ id: STUNTransactionID, at now: Instant, _ work: (inout STUNClientRequest) -> Void) {
        guard var check = requests[id] else { return }
        work(&check.request)
        var outcome: STUNOutcome?
        while let output = check.request.nextOutput() {
            switch output {
            case .send(let datagram): emit(.send(datagram))
            case .finished(let result): outcome = result
            }
        }
        guard let outcome else {
            requests[id] = check
            deadlines.set(id, to: check.request.nextDeadline)
            return
        }
        requests[id] = nil
        deadlines.set(id, to: nil)
        finished(check, outcome, at: now)
    }

    mutating func trigger(_ id: ICEPair.ID, at now: Instant) {
        if !triggered.contains(id) { triggered.append(id) }
        if nextCheck == nil { nextCheck = now }
    }

    mutating func switchRole(to isControlling: Bool) {
        guard self.isControlling != isControlling else { return }
        self.isControlling = isControlling
        emit(.roleChanged(isControlling: isControlling))
        for place in pairs.indices { pairs[place].nominates = false }
    }

    // MARK: Conclusions

    /// After a check ended, or the other side chose.
    mutating func conclude(at now: Instant) {
        guard phase == .checking else { return }
        for component in components where selected[component] == nil {
            let chosen = pairs.filter { $0.id.component == component && $0.isNominated }.max {
                $0.priority(isControlling: isControlling) < $1.priority(isControlling: isControlling)
            }
            guard let chosen else { continue }
            selected[component] = chosen
            emit(.selected(component: component, local: chosen.id.local, remote: chosen.id.remote))
        }
        if selected.count == components.count { return complete(at: now) }
        if isControlling { nominate(isPatient: true, at: now) }
        for component in components where selected[component] == nil {
            let own = pairs.filter { $0.id.component == component }
            // The other side may still reach us from an address that it did not name: not before its checks would be over too.
            if !own.isEmpty, own.allSatisfy({ $0.state == .failed }) {
                phase = .failed
                stop()
                emit(.failed)
                return
            }
        }
    }

    /// RFC 8445 8.1.1: once every component has a pair that works; at once where none that is better is still open.
    private mutating func nominate(isPatient: Bool, at now: Instant) {
        guard isControlling, phase == .checking, !pairs.contains(where: \.nominates) else { return }
        var chosen: [Int] = []
        for component in components.sorted() {
            let own = pairs.indices.filter { pairs[$0].id.component == component }
            func rank(_ place: Int) -> UInt64 { pairs[place].priority(isControlling: true) }
            guard let best = own.filter({ pairs[$0].state == .succeeded }).max(by: { rank($0) < rank($1) }) else { return }
            let isOpen = own.contains { rank($0) > rank(best) && pairs[$0].state != .failed && pairs[$0].state != .succeeded }
            if isOpen, isPatient {
                nominateAt = nominateAt ?? now + Self.nominationPatience
                return
            }
            chosen.append(best)
        }
        nominateAt = nil
        for place in chosen {
            pairs[place].nominates = true
            trigger(pairs[place].id, at: now)
        }
    }

    private mutating func complete(at now: Instant) {
        phase = .completed
        stop()
        nextKeepalive = now + Self.keepaliveInterval
    }

    private mutating func stop() {
        for id in requests.keys { deadlines.set(id, to: nil) }
        requests = [:]
        triggered = []
        (nextCheck, nominateAt) = (nil, nil)
    }

    /// An indication that asks for no answer (RFC 8445 11).
    private mutating func keepAlive(at now: Instant) {
        nextKeepalive = now + Self.keepaliveInterval
        for component in selected.keys.sorted() {
            guard let pair = selected[component] else { continue }
            var writer = STUNWriter(.bindingIndication, STUNTransactionID(from: &entropy))
            writer.addFingerprint()
            emit(.send(Datagram(from: pair.id.local, to: pair.id.remote, writer.bytes)))
        }
    }

    mutating func remember(_ request: Early) { if early.count < Self.mostEarly { early.append(request) } }
}
