import Base
import SIPStack

/// How the phone of 2007 registers: every STUN surprise starts another REGISTER without credentials, whatever is in flight;
/// an attempt answers one challenge, the first that arrives; `stale` means nothing to it.
struct SeedRegistration: Sendable {
    /// REGISTERs that belong together: one start and what STUN provoked meanwhile.
    struct Attempt: Hashable, Sendable {
        /// The CSeqs whose answers are still awaited.
        var inFlight: Set<UInt32>
        var challengesSeen: Int
        /// The CSeq that carries the credentials, once a challenge has been answered.
        var answering: UInt32?
    }

    struct Binding: Hashable, Sendable {
        var until: Instant
        var refreshAt: Instant
        var contact: Endpoint
        var keepaliveAt: Instant?
        /// REGISTERs sent since for a new mapping.
        var renewal: Attempt?
    }

    enum State: Hashable, Sendable {
        case off
        case resolving
        case registering(Attempt)
        case registered(Binding)
        /// Nothing more until the next STUN tick.
        case failed(RegistrationStatus.Registration)
        case deregistering(Attempt, until: Instant)
    }

    /// The time from a STUN answer to the REGISTER it provokes.
    static let reaction = Duration.milliseconds(1)
    /// REGISTERs awaited at once; beyond it the oldest is forgotten.
    static let mostInFlight = 16

    var state = State.off
    var settings: RegistrationSettings
    var target: Endpoint?
    var local: Endpoint
    var stun: Endpoint?
    var registrar: Endpoint?
    var contact: Endpoint
    var expires: UInt32
    var cseq: UInt32 = 0
    /// The Contacts of the latest REGISTERs.
    var given: [UInt32: Endpoint] = [:]
    var nextTick: Instant?
    var surprise: (at: Instant, from: Endpoint, to: Endpoint)?
    var outbox = Outbox<RegistrationAction>()

    init(settings: RegistrationSettings, local: Endpoint) {
        self.settings = settings
        self.local = local
        contact = local
        expires = settings.expires
    }

    mutating func nextAction() -> RegistrationAction? { outbox.next() }

    var nextDeadline: Instant? {
        var deadlines = [nextTick, surprise?.at]
        switch state {
        case .off, .resolving, .registering, .failed: break
        case .registered(let binding): deadlines += [binding.refreshAt, binding.keepaliveAt]
        case .deregistering(_, let until): deadlines.append(until)
        }
        return deadlines.compactMap { $0 }.min()
    }

    var mapping: RegistrationStatus.Mapping { RegistrationStatus.Mapping(local: local, stun: stun, registrar: registrar) }

    mutating func start(at now: Instant) {
        guard case .off = state else { return }
        state = .resolving
        publish()
        outbox.append(.resolve)
    }

    mutating func resolved(_ targets: [Endpoint], at now: Instant) {
        guard case .resolving = state, let first = targets.first(where: { localFor($0) != nil }) else { return }
        target = first
        if let matching = localFor(first), matching != local {
            local = matching
            contact = matching
        }
        nextTick = now + settings.stunInterval
        beginAttempt(.start, at: now)
        outbox.append(.askSTUN)
    }

    mutating func unresolvable(name: String, reason: String, at now: Instant) {
        guard case .resolving = state else { return }
        nextTick = now + settings.stunInterval
        fail(.unresolvable(name: name, reason: reason, retryAt: nextTick))
    }

    /// A new mapping of the SIP socket, or the old one again.
    mutating func stunSaw(_ mapped: Endpoint, at now: Instant) {
        stun = mapped
        switch state {
        case .off, .resolving, .deregistering: return
        case .registering, .registered, .failed: break
        }
        guard mapped.port != contact.port else {
            publish()
            return
        }
        surprise = (now + Self.reaction, contact, mapped)
        publish()
    }

    mutating func stop(at now: Instant) {
        nextTick = nil
        surprise = nil
        switch state {
        case .off, .resolving, .failed: finish()
        case .registering(let attempt):
            for cseq in attempt.inFlight.sorted() { outbox.append(.abandon(cseq: cseq)) }
            deregister(at: now)
        case .registered: deregister(at: now)
        case .deregistering: break
        }
    }

    mutating func addressChanged(to locals: [Endpoint], at now: Instant) {
        settings.locals = locals
        guard let first = locals.first(where: { endpoint in target.map { $0.address.isIPv6 == endpoint.address.isIPv6 } ?? true })
        else { return }
        local = first
        contact = first
        stun = nil
        switch state {
        case .off, .resolving, .deregistering: break
        case .registering, .registered, .failed: restart(.addressChanged, at: now)
        }
    }

    mutating func advance(to now: Instant) {
        if let due = surprise, due.at <= now {
            surprise = nil
            contact = due.to
            joinAttempt(.mappingChanged(from: due.from, to: due.to, seenBy: .stun), at: now)
        }
        switch state {
        case .off, .resolving, .registering, .failed: break
        case .registered(var binding):
            if let at = binding.keepaliveAt, at <= now {
                binding.keepaliveAt = now + settings.keepaliveInterval
                state = .registered(binding)
                if let target { outbox.append(.keepalive(settings.keepalive, target: target)) }
            }
            if binding.refreshAt <= now {
                binding.refreshAt = binding.until
                state = .registered(binding)
                if binding.until <= now { beginAttempt(.refresh, at: now) } else { joinAttempt(.refresh, at: now) }
            }
        case .deregistering(_, let until): if until <= now { finish() }
        }
        if let tick = nextTick, tick <= now { self.tick(at: now) }
    }

    mutating func tick(at now: Instant) {
        nextTick = now + settings.stunInterval
        switch state {
        case .off, .deregistering: return
        case .resolving: break
        case .failed:
            guard target != nil else {
                state = .resolving
                outbox.append(.resolve)
                return
            }
            beginAttempt(.retry(failures: 1), at: now)
        case .registering, .registered: break
        }
        outbox.append(.askSTUN)
    }

    // MARK: Steps

    mutating func accept(
        _ cseq: UInt32, _ acceptance: RegisterResponse.Acceptance, seenAs: Endpoint?, renewal: Attempt?, at now: Instant
    ) -> SIPMeaning {
        let granted = min(max(acceptance.expires ?? expires, 1), 604_800)
        let lifetime = Duration.seconds(Int64(granted))
        state = .registered(
            Binding(
                until: now + lifetime, refreshAt: now + max(lifetime / 2, .seconds(5)), contact: given[cseq] ?? contact,
                keepaliveAt: settings.keepalive == .none ? nil : now + settings.keepaliveInterval, renewal: renewal))
        publish()
        return .registered(cseq: cseq, expires: granted, seenAs: seenAs)
    }

    mutating func beginAttempt(_ cause: RegisterCause, at now: Instant) {
        var attempt = Attempt(inFlight: [], challengesSeen: 0, answering: nil)
        guard let cseq = register(cause, [], meaning: { .registersWithoutCredentials(cseq: $0, cause) }) else { return }
        attempt.inFlight.insert(cseq)
        state = .registering(attempt)
        publish()
    }

    /// Another REGISTER without credentials, beside whatever is in flight.
    mutating func joinAttempt(_ cause: RegisterCause, at now: Instant) {
        switch state {
        case .off, .resolving, .deregistering: return
        case .failed: beginAttempt(cause, at: now)
        case .registering(var attempt):
            guard let cseq = register(cause, [], meaning: { .registersWithoutCredentials(cseq: $0, cause) }) else { return }
            add(cseq, to: &attempt)
            state = .registering(attempt)
            publish()
        case .registered(var binding):
            guard let cseq = register(cause, [], meaning: { .registersWithoutCredentials(cseq: $0, cause) }) else { return }
            var renewal = binding.renewal ?? Attempt(inFlight: [], challengesSeen: 0, answering: nil)
            add(cseq, to: &renewal)
            binding.renewal = renewal
            state = .registered(binding)
        }
    }

    mutating func add(_ cseq: UInt32, to attempt: inout Attempt) {
        attempt.inFlight.insert(cseq)
        if attempt.inFlight.count > Self.mostInFlight, let oldest = attempt.inFlight.min() {
            attempt.inFlight.remove(oldest)
            outbox.append(.abandon(cseq: oldest))
        }
    }

    mutating func restart(_ cause: RegisterCause, at now: Instant) {
        switch state {
        case .registering(let attempt): for cseq in attempt.inFlight.sorted() { outbox.append(.abandon(cseq: cseq)) }
        case .off, .resolving, .registered, .failed, .deregistering: break
        }
        beginAttempt(cause, at: now)
        outbox.append(.askSTUN)
    }

    mutating func deregister(at now: Instant) {
        guard let cseq = register(.stop, [], expires: 0, meaning: { .deregisters(cseq: $0, nonce: nil) }) else {
            finish()
            return
        }
        state = .deregistering(Attempt(inFlight: [cseq], challengesSeen: 0, answering: nil), until: now + .seconds(4))
        publish()
    }

    mutating func register(
        _ cause: RegisterCause, _ credentials: [ChallengeAnswer], expires: UInt32? = nil, meaning: (UInt32) -> SIPMeaning
    ) -> UInt32? {
        guard let target else { return nil }
        cseq &+= 1
        given[cseq] = contact
        given[cseq &- 2 &* UInt32(Self.mostInFlight)] = nil
        outbox.append(.decided(.registers(cseq: cseq, to: target, contact: contact, cause: cause)))
        outbox.append(
            .register(
                RegisterPlan(
                    cseq: cseq, target: target, local: local, contact: contact, removes: nil, sentBy: contact,
                    expires: expires ?? self.expires, credentials: credentials, meaning: meaning(cseq))))
        return cseq
    }

    mutating func hold(_ attempt: Attempt, _ binding: Binding?) {
        if var binding {
            binding.renewal = attempt
            state = .registered(binding)
        } else {
            state = .registering(attempt)
        }
    }

    mutating func fail(_ registration: RegistrationStatus.Registration) {
        state = .failed(registration)
        publish()
    }

    mutating func finish() {
        state = .off
        nextTick = nil
        surprise = nil
        outbox.append(.stopKeepalive)
        outbox.append(.status(RegistrationStatus(.deregistered, mapping: mapping)))
        outbox.append(.stopped)
    }

    mutating func publish() {
        let registration: RegistrationStatus.Registration
        switch state {
        case .off: registration = .deregistered
        case .resolving:
            let name = settings.identity.outboundProxy ?? settings.identity.registrar
            // Nothing is looked up: the next step comes at once.
            if ServerAddress(name)?.literal != nil { return }
            registration = .resolving(name: name)
        case .registering: registration = target.map { .registering(at: $0) } ?? .starting
        case .registered(let binding):
            registration = target.map { .registered(until: binding.until, contact: binding.contact, at: $0) } ?? .starting
        case .failed(let why): registration = why
        case .deregistering: registration = .deregistering
        }
        outbox.append(.status(RegistrationStatus(registration, mapping: mapping)))
    }

    func localFor(_ target: Endpoint) -> Endpoint? {
        settings.locals.first { $0.address.isIPv6 == target.address.isIPv6 }
    }
}
