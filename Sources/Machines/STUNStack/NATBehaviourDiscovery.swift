import Base
import STUN

/// NAT behaviour discovery (RFC 5780 4): mapping (4.3), filtering (4.4), hairpinning (4.5) and lifetime (4.6), one after the
/// other, from ports of their own, so that no test is helped by a mapping another one made.
public struct NATBehaviourDiscovery: Machine {
    public enum Test: Hashable, Sendable, CaseIterable { case mapping, filtering, hairpinning, lifetime }

    public struct Plan: Hashable, Sendable {
        /// The server's primary endpoint.
        public var server: Endpoint
        /// Four of ours, different ports of one address: for mapping and hairpinning, for filtering, and two for lifetime.
        public var locals: [Endpoint]
        public var tests: Set<Test> = Set(Test.allCases)
        public var schedule = STUNSchedule.rfc8489()
        /// How long a datagram may take to come back from our own NAT, and how often it is tried.
        public var hairpinSchedule = STUNSchedule(initialPause: .milliseconds(500), sends: 3, finalPause: .seconds(1))
        /// The longest silence tried.
        public var longestLifetime = Duration.seconds(600)
        /// The search ends when the answer is known this well.
        public var lifetimeResolution = Duration.seconds(5)

        /// `locals`: four distinct endpoints of the server's family.
        public init(server: Endpoint, locals: [Endpoint]) {
            precondition(Set(locals).count == 4 && locals.count == 4, "four distinct local endpoints")
            self.server = server
            self.locals = locals
        }
    }

    public enum Input: Hashable, Sendable {
        /// Any datagram that reached one of the local endpoints.
        case received(Datagram)
        /// An ICMP error for what we sent.
        case unreachable
    }

    public enum Output: Hashable, Sendable {
        case send(Datagram)
        /// Comes once, last.
        case finished(NATBehaviourReport)
    }

    public enum Trace: Hashable, Sendable {
        case asking(Step)
        case ended(Step, STUNOutcome)
    }

    /// The tests in the order of RFC 5780; a payload is what the step before found out.
    public enum Step: Hashable, Sendable {
        case mapping1
        case mapping2(first: Endpoint, other: Endpoint)
        case mapping3(second: Endpoint, other: Endpoint)
        case filtering1
        case filtering2(other: Endpoint)
        case filtering3(other: Endpoint)
        case hairpin(Endpoint)
        case lifetimeOpen(LifetimeSearch)
        case lifetimeProbe(LifetimeSearch)
    }

    /// A bisection: alive after `low`, gone after `high` (if `highIsGone`), next silence `silence`.
    public struct LifetimeSearch: Hashable, Sendable {
        var low: Duration
        var high: Duration
        var highIsGone: Bool
        public var silence: Duration
    }

    enum State: Sendable {
        case asking(Step, STUNClientRequest)
        /// Keeping silent so that the mapping to `mapped` may expire.
        case silent(LifetimeSearch, mapped: Endpoint, until: Instant)
        case finished
    }

    let plan: Plan
    var state: State = .finished
    var report = NATBehaviourReport()
    private var entropy: Entropy
    private var outputs = Outbox<Output>()
    private var traces = TraceBox<Trace>(cap: 1024)

    /// Starts at once.
    public init(_ plan: Plan, entropy: Entropy, at now: Instant) {
        self.plan = plan
        self.entropy = entropy
        ask(.mapping1, at: now)
    }

    public var nextDeadline: Instant? {
        switch state {
        case .asking(_, let request): request.nextDeadline
        case .silent(_, _, let until): until
        case .finished: nil
        }
    }

    public mutating func nextOutput() -> Output? { outputs.next() }
    public mutating func nextTrace() -> Trace? { traces.next() }

    public mutating func receive(_ input: Input, at now: Instant) {
        switch state {
        case .asking(let step, var request):
            switch input {
            case .received(let datagram):
                if case .hairpin(let mapped) = step, isOwnRequest(datagram, request, mapped: mapped) {
                    report.hairpinning = .success(true)
                    traces.note(.ended(step, .cancelled))
                    return proceed(after: .hairpinning, at: now)
                }
                request.receive(.received(datagram), at: now)
            case .unreachable: request.receive(.unreachable, at: now)
            }
            settle(step, request, at: now)
        case .silent, .finished: return
        }
    }

    public mutating func advance(to now: Instant) {
        switch state {
        case .asking(let step, var request):
            request.advance(to: now)
            settle(step, request, at: now)
        case .silent(let search, let mapped, let until):
            guard until <= now else { return }
            ask(.lifetimeProbe(search), mapped: mapped, at: now)
        case .finished: return
        }
    }

    /// Starts a step's request. `mapped`: for the lifetime probe, whose answer shall go there.
    mutating func ask(_ step: Step, mapped: Endpoint? = nil, at now: Instant) {
        var writer = STUNWriter(.bindingRequest, STUNTransactionID(from: &entropy))
        var local = plan.locals[0]
        var server = plan.server
        var schedule = plan.schedule
        var sources = STUNClientRequest.Sources.server
        switch step {
        case .mapping1: break
        case .mapping2(_, let other): server = Endpoint(other.address, plan.server.port)
        case .mapping3(_, let other): server = other
        case .filtering1: local = plan.locals[1]
        case .filtering2:
            local = plan.locals[1]
            sources = .any
            writer.add(.changeRequest(STUNChangeRequest(address: true, port: true)))
        case .filtering3:
            local = plan.locals[1]
            sources = .any
            writer.add(.changeRequest(STUNChangeRequest(address: false, port: true)))
        case .hairpin(let mapped):
            server = mapped
            schedule = plan.hairpinSchedule
        case .lifetimeOpen: local = plan.locals[2]
        case .lifetimeProbe:
            local = plan.locals[3]
            if let mapped { writer.add(.responsePort(mapped.port)) }
        }
        let request = STUNClientRequest(writer, from: local, to: server, schedule: schedule, sources: sources, at: now)
        traces.note(.asking(step))
        settle(step, request, at: now)
    }

    mutating func finish() {
        state = .finished
        outputs.append(.finished(report))
    }

    /// Passes on what the request wants; its end moves us on.
    private mutating func settle(_ step: Step, _ request: STUNClientRequest, at now: Instant) {
        var request = request
        state = .asking(step, request)
        while let output = request.nextOutput() {
            switch output {
            case .send(let datagram): outputs.append(.send(datagram))
            case .finished(let outcome):
                traces.note(.ended(step, outcome))
                return conclude(step, outcome, at: now)
            }
        }
        while request.nextTrace() != nil {}
        state = .asking(step, request)
    }

    /// Our own request, come back in at the endpoint it left from.
    private func isOwnRequest(_ datagram: Datagram, _ request: STUNClientRequest, mapped: Endpoint) -> Bool {
        guard datagram.destination == request.local, let message = try? STUNMessage(datagram.payload) else { return false }
        return message.type == .bindingRequest && message.transactionID == request.transactionID
    }
}
