import Base
import SIP
import SIPStack

extension PhoneNode.Registration {
    var nextDeadline: Instant? {
        switch self {
        case .modern(let modern): modern.nextDeadline
        case .seed(let seed): seed.nextDeadline
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

extension PhoneNode {
    mutating func perform(_ action: RegistrationAction, at now: Instant) {
        switch action {
        case .resolve:
            guard let server = proxy ?? registrar else { return }
            lookups.resolve(server, for: .registrar, at: now)
        case .register(let plan): send(plan, at: now)
        case .abandon(let cseq):
            requests.abandon { if case .register(cseq, _) = $0 { true } else { false } }
        case .askSTUN: askSTUN(at: now)
        case .keepalive(let kind, let target): keepAlive(kind, target, at: now)
        case .stopKeepalive:
            stun.cancel(.keepalive)
            requests.abandon { if case .keepalive = $0 { true } else { false } }
        case .decided(let decision): traces.note(.decided(decision))
        case .status(let status): show(status)
        case .stopped: turnOff(at: now)
        }
    }

    private mutating func send(_ plan: RegisterPlan, at now: Instant) {
        guard let composer else { return }
        let branch = "z9hG4bK\(branches.hex(20))"
        let subject = DigestSubject(
            method: Array("REGISTER".utf8)[...], uri: Array(composer.requestURI.utf8)[...],
            callID: Array(composer.callIDText.utf8)[...],
            sequence: plan.cseq)
        var authorization: [(name: String, value: [UInt8])] = []
        for answer in plan.credentials {
            if answer.isProxy {
                if let value = proxyDigest.answer([answer.challenge], for: subject) {
                    authorization.append(("Proxy-Authorization", value))
                }
            } else if let value = digest.answer([answer.challenge], for: subject) {
                authorization.append(("Authorization", value))
            }
        }
        let request = OutgoingRequests.Request(
            purpose: .register(cseq: plan.cseq, contact: plan.contact),
            bytes: composer.register(plan, branch: branch, authorization: authorization), local: plan.local, remote: plan.target,
            transaction: ClientNonInviteTransaction(isReliable: settings.transport.isReliable, timers: transactionTimers, at: now)
        )
        counters.registersSent += 1
        begin(request, branch, plan.meaning, at: now)
    }

    private mutating func keepAlive(_ kind: PhoneSettings.Keepalive, _ target: Endpoint, at now: Instant) {
        guard let local = localFor(target) else { return }
        counters.keepalivesSent += 1
        switch kind {
        case .none: break
        case .crlf:
            traces.note(.crlfSent(local: local, remote: target))
            transmit(Array("\r\n\r\n".utf8), from: local, to: target, at: now)
        case .stun:
            guard !stun.isUnderWay(.keepalive) else { return }
            traces.note(.stunAsked(.keepalive, local: local, server: target))
            stun.ask(.keepalive, from: local, to: target, at: now)
        case .options:
            guard let composer else { return }
            optionsCSeq = optionsCSeq &+ 1 & 0x7fff_ffff
            let branch = "z9hG4bK\(branches.hex(20))"
            let request = OutgoingRequests.Request(
                purpose: .keepalive(cseq: optionsCSeq), bytes: composer.options(cseq: optionsCSeq, sentBy: local, branch: branch),
                local: local, remote: target,
                transaction: ClientNonInviteTransaction(
                    isReliable: settings.transport.isReliable, timers: transactionTimers, at: now))
            begin(request, branch, .keepaliveOptions(cseq: optionsCSeq), at: now)
        }
    }

    private mutating func begin(_ request: OutgoingRequests.Request, _ branch: String, _ meaning: SIPMeaning, at now: Instant) {
        requests.begin(request, branch: branch)
        note(request, meaning)
        transmit(request.bytes, from: request.local, to: request.remote, at: now)
    }

    // MARK: STUN and names

    private mutating func askSTUN(at now: Instant) {
        guard let server = settings.stunServer else { return }
        lookups.resolve(host: server.host, port: server.port, for: .stun, at: now)
    }

    private mutating func askSTUN(_ server: Endpoint, at now: Instant) {
        guard let local = localFor(server) else {
            registration.stunSilent(at: now)
            return
        }
        var questions: [(PhoneTrace.STUNPurpose, Endpoint)] = [(.sip, local)]
        if settings.behaviour == .seed { questions.append((.rtp, Endpoint(local.address, settings.rtpPort))) }
        for (purpose, source) in questions where !stun.isUnderWay(purpose) {
            traces.note(.stunAsked(purpose, local: source, server: server))
            stun.ask(purpose, from: source, to: server, at: now)
        }
    }

    mutating func take(_ event: STUNQueries.Event, at now: Instant) {
        switch event {
        case .send(let datagram): outbox.append(.send(datagram))
        case .mapped(let purpose, let local, let server, let mapped):
            traces.note(.stunObserved(purpose, local: local, server: server, mapped: mapped))
            switch purpose {
            case .sip: registration.stunSaw(mapped, of: local, at: now)
            case .rtp: break
            case .keepalive: registration.keepaliveMapped(mapped, at: now)
            }
        case .silent(let purpose, let server):
            traces.note(.stunSilent(purpose, server: server))
            switch purpose {
            case .sip: registration.stunSilent(at: now)
            case .rtp: break
            case .keepalive: registration.keepaliveFailed(at: now)
            }
        case .unreachable(let purpose, let server):
            traces.note(.stunRefused(purpose, server: server, reason: "nobody listens there"))
            switch purpose {
            case .sip: registration.stunSilent(at: now)
            case .rtp: break
            case .keepalive: registration.keepaliveInterrupted()
            }
        case .refused(let purpose, let server, let reason):
            traces.note(.stunRefused(purpose, server: server, reason: reason))
            switch purpose {
            case .sip: registration.stunSilent(at: now)
            case .rtp: break
            // Even a refusal has come through: the path is open.
            case .keepalive: registration.keepaliveAnswered(seenAs: nil, at: now)
            }
        }
    }

    mutating func take(_ event: NameLookups.Event, at now: Instant) {
        switch event {
        case .send(let datagram): outbox.append(.send(datagram))
        case .asks(let name): traces.note(.lookingUp(name: name))
        case .found(let name, let endpoints, let purpose, let wasAsked):
            if wasAsked { traces.note(.found(name: name, targets: endpoints)) }
            switch purpose {
            case .registrar: registration.resolved(endpoints, at: now)
            case .stun:
                if let server = endpoints.first(where: { localFor($0) != nil }) {
                    askSTUN(server, at: now)
                } else {
                    registration.stunSilent(at: now)
                }
            case .call(let id): calls?.resolved(id, endpoints, at: now)
            case .callSTUN: calls?.foundSTUN(endpoints, at: now)
            }
        case .notFound(let name, let reason, let purpose):
            traces.note(.notFound(name: name, reason: reason))
            switch purpose {
            case .registrar: registration.unresolvable(name: name, reason: reason, at: now)
            case .stun: registration.stunSilent(at: now)
            case .call(let id): calls?.unresolvable(id, reason, at: now)
            case .callSTUN: calls?.foundSTUN([], at: now)
            }
        }
    }

    func localFor(_ target: Endpoint) -> Endpoint? {
        settings.locals.first { $0.address.isIPv6 == target.address.isIPv6 }
    }
}
