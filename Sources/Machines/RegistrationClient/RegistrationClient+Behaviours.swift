import Base

extension RegistrationClient {
    /// How it registers.
    enum Registration: Sendable {
        case modern(ModernRegistration)
        case seed(SeedRegistration)
    }
}

extension RegistrationClient.Registration {
    var nextDeadline: Instant? {
        switch self {
        case .modern(let modern): modern.nextDeadline
        case .seed(let seed): seed.nextDeadline
        }
    }

    var contact: Endpoint {
        switch self {
        case .modern(let modern): modern.watch.contact
        case .seed(let seed): seed.contact
        }
    }

    mutating func nextAction() -> RegistrationAction? {
        change({ $0.nextAction() }, { $0.nextAction() })
    }

    mutating func start(at now: Instant) { change({ $0.start(at: now) }, { $0.start(at: now) }) }
    mutating func stop(at now: Instant) { change({ $0.stop(at: now) }, { $0.stop(at: now) }) }
    mutating func advance(to now: Instant) { change({ $0.advance(to: now) }, { $0.advance(to: now) }) }

    mutating func addressChanged(to locals: [Endpoint], at now: Instant) {
        change({ $0.addressChanged(to: locals, at: now) }, { $0.addressChanged(to: locals, at: now) })
    }

    mutating func resolved(_ targets: [Endpoint], at now: Instant) {
        change({ $0.resolved(targets, at: now) }, { $0.resolved(targets, at: now) })
    }

    mutating func unresolvable(name: String, reason: String, at now: Instant) {
        change({ $0.unresolvable(name: name, reason: reason, at: now) }, { $0.unresolvable(name: name, reason: reason, at: now) })
    }

    mutating func stunSaw(_ mapped: Endpoint, of local: Endpoint, at now: Instant) {
        change({ $0.stunSaw(mapped, of: local, at: now) }, { $0.stunSaw(mapped, at: now) })
    }

    mutating func stunSilent(at now: Instant) { change({ $0.stunSilent(at: now) }, { _ in }) }

    mutating func keepaliveMapped(_ mapped: Endpoint, at now: Instant) {
        change({ $0.keepaliveMapped(mapped, at: now) }, { _ in })
    }

    mutating func keepaliveAnswered(seenAs: Endpoint?, at now: Instant) {
        change({ $0.keepaliveAnswered(seenAs: seenAs, at: now) }, { _ in })
    }

    mutating func keepaliveFailed(at now: Instant) { change({ $0.keepaliveFailed(at: now) }, { _ in }) }
    mutating func keepaliveInterrupted() { change({ $0.keepalive.interrupted() }, { _ in }) }
    mutating func unreachable(_ endpoint: Endpoint, at now: Instant) { change({ $0.unreachable(endpoint, at: now) }, { _ in }) }

    /// The seed speaks UDP alone.
    mutating func connectionLost(_ remote: Endpoint, livedFor: Duration?, at now: Instant) {
        change({ $0.connectionLost(remote, livedFor: livedFor, at: now) }, { _ in })
    }

    mutating func noAnswer(to cseq: UInt32, isUnreachable: Bool, at now: Instant) {
        change(
            { $0.noAnswer(to: cseq, isUnreachable: isUnreachable, at: now) },
            { $0.noAnswer(to: cseq, isUnreachable: isUnreachable, at: now) })
    }

    mutating func response(to cseq: UInt32, _ response: RegisterResponse, at now: Instant) -> SIPMeaning {
        change({ $0.response(to: cseq, response, at: now) }, { $0.response(to: cseq, response, at: now) })
    }

    private mutating func change<Result>(
        _ modern: (inout ModernRegistration) -> Result, _ seed: (inout SeedRegistration) -> Result
    ) -> Result {
        switch self {
        case .modern(var registration):
            defer { self = .modern(registration) }
            return modern(&registration)
        case .seed(var registration):
            defer { self = .seed(registration) }
            return seed(&registration)
        }
    }
}
