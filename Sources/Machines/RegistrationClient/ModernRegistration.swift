import Base
import SIPStack

/// How a current client registers: one REGISTER in flight, the newest challenge answered, failures paced, mapping changes
/// followed once (RFC 3261 10.2, 22.2; RFC 5626 4.2 to 4.5).
struct ModernRegistration: Sendable {
    /// One REGISTER and what led to it.
    struct Attempt: Hashable, Sendable {
        /// Of the REGISTER in flight.
        var cseq: UInt32
        var cause: RegisterCause
        var targets: [Endpoint]
        /// The place of the target in use.
        var place: Int
        var contact: Endpoint
        /// What the REGISTER in flight answers.
        var answered: ChallengeAnswer?
        /// `answered` is from an earlier success rather than from a challenge to this attempt.
        var reusesNonce = false
        var challengesSeen = 0
        var staleRounds = 0
        var wasHeard = false

        var target: Endpoint { targets[place] }

        var followsMapping: Bool {
            switch cause {
            case .mappingChanged: true
            case .start, .refresh, .retry, .failover, .answersChallenge, .answersStale, .tooBrief, .flowFailed, .addressChanged,
                .removedWithFormer, .stop:
                false
            }
        }
    }

    struct Binding: Hashable, Sendable {
        var until: Instant
        var refreshAt: Instant
        var contact: Endpoint
        var targets: [Endpoint]
        var place: Int
        var isOutbound: Bool
        /// A mapping change that waits for its turn.
        var followAt: Instant?
        var followCause: RegisterCause?

        var target: Endpoint { targets[place] }
    }

    enum State: Hashable, Sendable {
        case off
        case resolving(RegisterCause)
        /// The first REGISTER waits a moment for the STUN server.
        case discovering([Endpoint], until: Instant)
        case registering(Attempt)
        case registered(Binding)
        case refreshing(Binding, Attempt)
        case waiting(until: Instant, RegistrationStatus.Registration)
        case deregistering(Attempt, until: Instant)
    }

    /// A registrar that sends one challenge after the other is believed to be broken after so many.
    static let mostRounds = 8
    static let mostStaleRounds = 5
    /// The longest binding that is taken at its word, a week.
    static let longestExpiry: UInt32 = 604_800
    /// No two refreshes are closer than this, whatever the registrar grants.
    static let shortestRefresh = Duration.seconds(5)
    static let deregistrationPatience = Duration.seconds(4)

    var state = State.off
    var settings: RegistrationSettings
    var watch: MappingWatch
    var backoff = Backoff()
    var keepalive: KeepaliveRhythm
    var entropy: Entropy
    var expires: UInt32
    var cseq: UInt32 = 0
    /// The nonce of the last success, to be used again unasked.
    var knownNonce: ChallengeAnswer?
    /// The last binding, whatever became of us since.
    var bound: Binding?
    /// The Contact of the last binding that may still stand; a registrar without RFC 5626 has to be told to drop it.
    var standing: Endpoint?
    var namesPublicSender = false
    var nextSTUN: Instant?
    var stunIsAwaited = false
    var startedAt = Instant.epoch
    var outbox = Outbox<RegistrationAction>()

    init(settings: RegistrationSettings, local: Endpoint, entropy: Entropy) {
        self.settings = settings
        self.entropy = entropy
        watch = MappingWatch(local: local)
        keepalive = KeepaliveRhythm(settings)
        expires = settings.expires
    }

    mutating func nextAction() -> RegistrationAction? { outbox.next() }

    var nextDeadline: Instant? {
        var deadlines = [nextSTUN, keepalive.nextDeadline]
        switch state {
        case .off, .resolving, .registering, .refreshing: break
        case .discovering(_, let until), .waiting(let until, _), .deregistering(_, let until): deadlines.append(until)
        case .registered(let binding): deadlines += [binding.refreshAt, binding.followAt]
        }
        return deadlines.compactMap { $0 }.min()
    }

    // MARK: Commands

    mutating func start(at now: Instant) {
        guard case .off = state else { return }
        startedAt = now
        askSTUN(at: now)
        resolve(.start)
    }

    mutating func stop(at now: Instant) {
        nextSTUN = nil
        keepalive.stop()
        outbox.append(.stopKeepalive)
        switch state {
        case .off: finish()
        case .resolving, .discovering, .waiting:
            // The last binding may outlive our failures.
            if let bound, now < bound.until {
                deregister(bound.targets, bound.place, bound.contact, at: now)
            } else {
                finish()
            }
        case .registering(let attempt), .refreshing(_, let attempt):
            outbox.append(.abandon(cseq: attempt.cseq))
            deregister(attempt.targets, attempt.place, bound?.contact ?? attempt.contact, at: now)
        case .registered(let binding): deregister(binding.targets, binding.place, binding.contact, at: now)
        case .deregistering: break
        }
    }

    mutating func addressChanged(to locals: [Endpoint], at now: Instant) {
        settings.locals = locals
        switch state {
        case .off:
            if let first = locals.first { watch = MappingWatch(local: first) }
            return
        case .deregistering:
            finish()
            return
        case .registering(let attempt), .refreshing(_, let attempt): outbox.append(.abandon(cseq: attempt.cseq))
        case .resolving, .discovering, .registered, .waiting: break
        }
        keepalive.stop()
        outbox.append(.stopKeepalive)
        if let first = locals.first { watch = MappingWatch(local: first) }
        backoff.succeed()
        askSTUN(at: now)
        resolve(.addressChanged)
    }

    // MARK: News

    mutating func resolved(_ targets: [Endpoint], at now: Instant) {
        guard case .resolving(let cause) = state else { return }
        let reachable = targets.filter { localFor($0) != nil }
        guard let first = reachable.first, let local = localFor(first) else {
            unresolvable(
                name: settings.identity.registrar, reason: "its addresses are of a family that we have no address of",
                at: now)
            return
        }
        if watch.local != local { watch = MappingWatch(local: local) }
        let patience = startedAt + settings.timers.stunPatience
        if cause == .start, stunIsAwaited, now < patience {
            state = .discovering(reachable, until: patience)
            publish()
        } else {
            attempt(cause, reachable, place: 0, at: now)
        }
    }

    mutating func unresolvable(name: String, reason: String, at now: Instant) {
        guard case .resolving = state else { return }
        wait(base: settings.timers.backoffBase, because: reason, at: now) {
            .unresolvable(name: name, reason: reason, retryAt: $0)
        }
    }

    mutating func stunSilent(at now: Instant) {
        stunIsAwaited = false
        if case .discovering(let targets, _) = state { attempt(.start, targets, place: 0, at: now) }
    }

    mutating func keepaliveFailed(at now: Instant) {
        switch state {
        case .registered: break
        case .off, .resolving, .discovering, .registering, .refreshing, .waiting, .deregistering:
            keepalive.interrupted()
            return
        }
        switch keepalive.failed(at: now) {
        case .fallBack(let kind, let because):
            watch.registrarSTUNEnds()
            outbox.append(.decided(.keepaliveFallsBack(to: kind, because: because)))
        case .flowIsDead:
            guard case .registered(let binding) = state else { return }
            outbox.append(.decided(.flowFailed(binding.target, because: "keepalives are not answered any more")))
            attempt(.flowFailed, binding.targets, place: binding.place, at: now)
        }
    }

    /// ICMP says that nobody listens at `endpoint`; requests in flight are reported by `noAnswer` besides.
    mutating func unreachable(_ endpoint: Endpoint, at now: Instant) {
        guard case .registered(let binding) = state, binding.target == endpoint else { return }
        outbox.append(.decided(.flowFailed(endpoint, because: "the network reports that nobody listens there")))
        attempt(.flowFailed, binding.targets, place: binding.place, at: now)
    }

    // MARK: Time

    mutating func advance(to now: Instant) {
        switch state {
        case .off, .resolving, .registering, .refreshing: break
        case .discovering(let targets, let until): if until <= now { attempt(.start, targets, place: 0, at: now) }
        case .waiting(let until, _): if until <= now { resolve(.retry(failures: backoff.failures)) }
        case .deregistering(_, let until): if until <= now { finish() }
        case .registered(let binding):
            if binding.refreshAt <= now {
                attempt(.refresh, binding.targets, place: binding.place, at: now)
            } else if let at = binding.followAt, at <= now, let cause = binding.followCause {
                var settled = binding
                (settled.followAt, settled.followCause) = (nil, nil)
                state = .registered(settled)
                guard watch.contact != binding.contact || watch.isDisguised else { break }
                watch.follows(at: now)
                attempt(cause, binding.targets, place: binding.place, at: now)
            }
        }
        if let due = nextSTUN, due <= now { askSTUN(at: now) }
        if let target = keepalive.due(at: now, using: &entropy) { outbox.append(.keepalive(keepalive.kind, target: target)) }
    }

    // MARK: Steps

    mutating func resolve(_ cause: RegisterCause) {
        state = .resolving(cause)
        publish()
        outbox.append(.resolve)
    }

    /// Sends a REGISTER to the target at `place`, with known credentials where there are any.
    mutating func attempt(_ cause: RegisterCause, _ targets: [Endpoint], place: Int, at now: Instant) {
        switch cause {
        case .mappingChanged(let from, let to, let observer):
            if from != watch.contact { outbox.append(.decided(.adoptsContact(to, seenBy: observer))) }
        case .start, .refresh, .retry, .failover, .answersChallenge, .answersStale, .tooBrief, .flowFailed, .addressChanged,
            .removedWithFormer, .stop:
            break
        }
        let attempt = Attempt(
            cseq: cseq &+ 1, cause: cause, targets: targets, place: place, contact: watch.contact, answered: knownNonce,
            reusesNonce: knownNonce != nil)
        switch state {
        case .registered(let binding), .refreshing(let binding, _): state = .refreshing(binding, attempt)
        case .off, .resolving, .discovering, .registering, .waiting, .deregistering: state = .registering(attempt)
        }
        let known = knownNonce?.nonceText
        send(attempt, because: cause) {
            known.map { .registersWithKnownNonce(cseq: attempt.cseq, nonce: $0, cause) }
                ?? .registersWithoutCredentials(cseq: attempt.cseq, cause)
        }
        publish()
    }

    mutating func send(_ attempt: Attempt, because cause: RegisterCause, expires: UInt32? = nil, meaning: () -> SIPMeaning) {
        cseq = attempt.cseq
        let local = localFor(attempt.target) ?? watch.local
        outbox.append(.decided(.registers(cseq: cseq, to: attempt.target, contact: attempt.contact, cause: cause)))
        let former = standing.flatMap { $0 == attempt.contact || expires == 0 ? nil : $0 }
        if let former { outbox.append(.decided(.removesFormerContact(former))) }
        outbox.append(
            .register(
                RegisterPlan(
                    cseq: cseq, target: attempt.target, local: local, contact: attempt.contact, removes: former,
                    sentBy: namesPublicSender || !settings.rport ? attempt.contact : local, expires: expires ?? self.expires,
                    credentials: attempt.answered.map { [$0] } ?? [], meaning: meaning())))
    }

    /// Waits, longer after each failure, then starts over with the look-up.
    mutating func wait(
        base: Duration, atLeast: UInt32? = nil, because: String, at now: Instant,
        _ status: (Instant) -> RegistrationStatus.Registration
    ) {
        let pause = backoff.fail(
            base: base, cap: settings.timers.backoffCap, atLeast: atLeast.map { .seconds(Int64(min($0, 86_400))) },
            using: &entropy)
        let until = now + pause
        state = .waiting(until: until, status(until))
        outbox.append(.decided(.waits(until: until, failures: backoff.failures, because: because)))
        publish()
    }

    private mutating func deregister(_ targets: [Endpoint], _ place: Int, _ contact: Endpoint, at now: Instant) {
        let attempt = Attempt(
            cseq: cseq &+ 1, cause: .stop, targets: targets, place: place, contact: contact, answered: knownNonce,
            reusesNonce: knownNonce != nil)
        state = .deregistering(attempt, until: now + Self.deregistrationPatience)
        send(attempt, because: .stop, expires: 0) { .deregisters(cseq: attempt.cseq, nonce: attempt.answered?.nonceText) }
        publish()
    }

    mutating func finish() {
        state = .off
        keepalive.stop()
        standing = nil
        bound = nil
        nextSTUN = nil
        outbox.append(.stopKeepalive)
        publish()
        outbox.append(.stopped)
    }

    private mutating func askSTUN(at now: Instant) {
        guard settings.stunServer != nil else { return }
        nextSTUN = now + settings.stunInterval
        stunIsAwaited = true
        outbox.append(.askSTUN)
    }

    func localFor(_ target: Endpoint) -> Endpoint? {
        settings.locals.first { $0.address.isIPv6 == target.address.isIPv6 }
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
        case .discovering: registration = .starting
        case .registering(let attempt): registration = .registering(at: attempt.target)
        case .registered(let binding), .refreshing(let binding, _):
            registration = .registered(until: binding.until, contact: binding.contact, at: binding.target)
        case .waiting(_, let why): registration = why
        case .deregistering: registration = .deregistering
        }
        outbox.append(.status(RegistrationStatus(registration, mapping: watch.status)))
    }
}
