import Base
import SIPStack

extension ModernRegistration {
    /// Takes a response to the REGISTER with that CSeq and says what it meant.
    mutating func response(to cseq: UInt32, _ response: RegisterResponse, at now: Instant) -> SIPMeaning {
        switch state {
        case .off, .resolving, .discovering, .registered, .waiting: return .strayResponse(code: response.code)
        case .registering(let attempt), .refreshing(_, let attempt):
            guard attempt.cseq == cseq else { return .strayResponse(code: response.code) }
            return conclude(attempt, response, at: now)
        case .deregistering(let attempt, let until):
            guard attempt.cseq == cseq else { return .strayResponse(code: response.code) }
            return concludeStop(attempt, response, until)
        }
    }

    /// Nothing came back to that REGISTER, or ICMP said that nothing will.
    mutating func noAnswer(to cseq: UInt32, isUnreachable: Bool, at now: Instant) {
        switch state {
        case .off, .resolving, .discovering, .registered, .waiting: return
        case .registering(let attempt), .refreshing(_, let attempt):
            guard attempt.cseq == cseq else { return }
            let target = attempt.target
            failOver(attempt, because: isUnreachable ? "nobody listens at \(target)" : "no answer from \(target)", at: now) {
                isUnreachable ? .unreachable(target, retryAt: $0) : .noAnswer(from: target, retryAt: $0)
            }
        case .deregistering(let attempt, _): if attempt.cseq == cseq { finish() }
        }
    }

    private mutating func conclude(_ given: Attempt, _ response: RegisterResponse, at now: Instant) -> SIPMeaning {
        var attempt = given
        attempt.wasHeard = true
        switch response.verdict {
        case .provisional:
            hold(attempt)
            return .provisional(cseq: attempt.cseq, code: response.code)
        case .accepted(let acceptance): return accept(attempt, acceptance, seenAs: response.seenAs, at: now)
        case .challenged(let challenges, let isProxy):
            if let seen = response.seenAs {
                heed(watch.registrarSaw(seen, on: .challenge, at: now), seen: seen, by: .registrar, at: now)
            }
            return answer(attempt, challenges, isProxy: isProxy, at: now)
        case .tooBrief(let minimum):
            guard let minimum, minimum > expires, minimum <= Self.longestExpiry else {
                refuse(response, at: now)
                return .tooBrief(cseq: attempt.cseq, minimum: minimum)
            }
            let asked = attempt.cseq
            expires = minimum
            attempt.cause = attempt.followsMapping ? attempt.cause : .tooBrief(minimum: minimum)
            again(attempt, because: .tooBrief(minimum: minimum)) { cseq, nonce in
                nonce.map { .registersWithKnownNonce(cseq: cseq, nonce: $0, .tooBrief(minimum: minimum)) }
                    ?? .registersWithoutCredentials(cseq: cseq, .tooBrief(minimum: minimum))
            }
            return .tooBrief(cseq: asked, minimum: minimum)
        case .refused:
            let meaning = SIPMeaning.refused(cseq: attempt.cseq, code: response.code, retryAfter: response.retryAfter)
            switch response.code {
            case 408, 500, 502, 503, 504:
                failOver(attempt, because: "\(response.code) \(response.reason)", atLeast: response.retryAfter, at: now) {
                    .rejected(code: response.code, reason: response.reason, retryAt: $0)
                }
            default: refuse(response, at: now)
            }
            return meaning
        }
    }

    private mutating func accept(
        _ attempt: Attempt, _ acceptance: RegisterResponse.Acceptance, seenAs: Endpoint?, at now: Instant
    ) -> SIPMeaning {
        if acceptance.listsNobody, let former = standing, former != attempt.contact {
            return registerWithoutRemoving(attempt, seenAs: seenAs)
        }
        let granted = min(acceptance.expires ?? expires, Self.longestExpiry)
        guard granted > 0 else {
            wait(base: settings.timers.refusalBackoffBase, because: "the registrar granted no time at all", at: now) {
                .rejected(code: 200, reason: "but for 0 seconds", retryAt: $0)
            }
            return .registered(cseq: attempt.cseq, expires: 0, seenAs: seenAs)
        }
        backoff.succeed()
        knownNonce = attempt.answered
        let lifetime = Duration.seconds(Int64(granted))
        // Somewhere from 50 to 90 per cent, so that clients that started together do not stay together.
        let refresh = max(lifetime * Int64(500 + entropy.next() % 401) / 1000, Self.shortestRefresh)
        standing = acceptance.isOutbound ? nil : attempt.contact
        let binding = Binding(
            until: now + lifetime, refreshAt: now + refresh, contact: attempt.contact, targets: attempt.targets,
            place: attempt.place,
            isOutbound: acceptance.isOutbound, followAt: nil, followCause: nil)
        state = .registered(binding)
        bound = binding
        keepalive.registered(
            at: attempt.target, until: binding.until, flowTimer: acceptance.flowTimer, now: now, using: &entropy)
        outbox.append(.decided(.refreshes(at: binding.refreshAt, expiry: binding.until)))
        publish()
        let occasion = MappingWatch.Occasion.success(gave: attempt.contact, followsMapping: attempt.followsMapping)
        if let seenAs {
            heed(watch.registrarSaw(seenAs, on: occasion, at: now), seen: seenAs, by: .registrar, at: now)
        } else {
            let verdict = watch.registered(with: attempt.contact, followsMapping: attempt.followsMapping, at: now)
            heed(verdict, seen: watch.contact, by: .stun, at: now)
        }
        publish()
        return .registered(cseq: attempt.cseq, expires: granted, seenAs: seenAs)
    }

    /// A box on the way may have written the Contact that was to be removed like the new one: then both are gone.
    private mutating func registerWithoutRemoving(_ given: Attempt, seenAs: Endpoint?) -> SIPMeaning {
        standing = nil
        var attempt = given
        attempt.reusesNonce = attempt.answered != nil
        again(attempt, because: .removedWithFormer) { cseq, nonce in
            nonce.map { .registersWithKnownNonce(cseq: cseq, nonce: $0, .removedWithFormer) }
                ?? .registersWithoutCredentials(cseq: cseq, .removedWithFormer)
        }
        return .registered(cseq: given.cseq, expires: 0, seenAs: seenAs)
    }

    private mutating func answer(
        _ given: Attempt, _ challenges: [DigestOffer], isProxy: Bool, at now: Instant
    ) -> SIPMeaning {
        var attempt = given
        attempt.challengesSeen += 1
        let number = attempt.challengesSeen
        let asked = attempt.cseq
        guard let challenge = challenges.first else {
            deny(.unsupported, because: "the registrar offers nothing that can be answered here", at: now)
            return .challengeUnsupported(cseq: asked)
        }
        let former = attempt.answered
        let answer = ChallengeAnswer(challenge: challenge, isProxy: isProxy)
        let meaning: SIPMeaning
        if let former, former.isProxy == isProxy, former.challenge.realm == challenge.realm {
            if challenge.isStale {
                attempt.staleRounds += 1
                meaning = .staleChallenge(cseq: asked, number: number, nonce: answer.nonceText)
            } else if attempt.reusesNonce {
                meaning = .challenge(cseq: asked, number: number, nonce: answer.nonceText)
            } else {
                deny(.refused, because: "the registrar refused our answer to its newest challenge", at: now)
                return .credentialsRefused(cseq: asked)
            }
        } else {
            meaning = .challenge(cseq: asked, number: number, nonce: answer.nonceText)
        }
        guard attempt.staleRounds <= Self.mostStaleRounds, number <= Self.mostRounds else {
            deny(.staleForEver, because: "one challenge follows another", at: now)
            return meaning
        }
        attempt.answered = answer
        attempt.reusesNonce = false
        attempt.contact = watch.contact
        again(attempt, because: challenge.isStale ? .answersStale : .answersChallenge) { cseq, _ in
            .answersChallenge(cseq: cseq, number: number, of: number, nonce: answer.nonceText)
        }
        return meaning
    }

    /// The next REGISTER of the same attempt, to the same target.
    private mutating func again(_ given: Attempt, because cause: RegisterCause, _ meaning: (UInt32, String?) -> SIPMeaning) {
        var attempt = given
        attempt.cseq = cseq &+ 1
        hold(attempt)
        send(attempt, because: cause) { meaning(attempt.cseq, attempt.answered?.nonceText) }
    }

    private mutating func hold(_ attempt: Attempt) {
        switch state {
        case .registering: state = .registering(attempt)
        case .refreshing(let binding, _): state = .refreshing(binding, attempt)
        case .off, .resolving, .discovering, .registered, .waiting, .deregistering: break
        }
    }

    private mutating func deny(_ fault: RegistrationStatus.AuthorizationFault, because: String, at now: Instant) {
        knownNonce = nil
        wait(base: settings.timers.refusalBackoffBase, because: because, at: now) { .authorizationError(fault, retryAt: $0) }
    }

    private mutating func refuse(_ response: RegisterResponse, at now: Instant) {
        wait(
            base: settings.timers.refusalBackoffBase, atLeast: response.retryAfter,
            because: "\(response.code) \(response.reason)", at: now
        ) { .rejected(code: response.code, reason: response.reason, retryAt: $0) }
    }

    /// The next target at once (RFC 3263 4.3); when all have failed, a pause.
    private mutating func failOver(
        _ given: Attempt, because: String, atLeast: UInt32? = nil, at now: Instant,
        _ status: (Instant) -> RegistrationStatus.Registration
    ) {
        var attempt = given
        let next = attempt.place + 1
        if next < attempt.targets.count {
            outbox.append(.decided(.failsOver(from: attempt.target, to: attempt.targets[next])))
            attempt.place = next
            attempt.cause = .failover
            attempt.answered = nil
            attempt.reusesNonce = false
            attempt.challengesSeen = 0
            attempt.staleRounds = 0
            attempt.wasHeard = false
            attempt.contact = watch.contact
            again(attempt, because: .failover) { cseq, _ in .registersWithoutCredentials(cseq: cseq, .failover) }
            publish()
            return
        }
        if !attempt.wasHeard, let stun = watch.stun, stun != watch.local {
            // A registrar that ignores `rport` answers to the address in Via, which must then be the public one.
            namesPublicSender.toggle()
            outbox.append(.decided(.sentByChanges(to: namesPublicSender ? watch.contact : watch.local)))
        }
        knownNonce = nil
        wait(base: settings.timers.backoffBase, atLeast: atLeast, because: because, at: now, status)
    }

    private mutating func concludeStop(_ given: Attempt, _ response: RegisterResponse, _ until: Instant) -> SIPMeaning {
        var attempt = given
        let asked = attempt.cseq
        switch response.verdict {
        case .provisional: return .provisional(cseq: asked, code: response.code)
        case .accepted:
            finish()
            return .deregistered(cseq: asked)
        case .challenged(let challenges, let isProxy):
            attempt.challengesSeen += 1
            guard attempt.challengesSeen <= 3, let challenge = challenges.first,
                attempt.answered == nil || attempt.reusesNonce || challenge.isStale
            else {
                finish()
                return .credentialsRefused(cseq: asked)
            }
            let answer = ChallengeAnswer(challenge: challenge, isProxy: isProxy)
            attempt.answered = answer
            attempt.reusesNonce = false
            attempt.cseq = cseq &+ 1
            state = .deregistering(attempt, until: until)
            send(attempt, because: .answersChallenge, expires: 0) { .deregisters(cseq: attempt.cseq, nonce: answer.nonceText) }
            return challenge.isStale
                ? .staleChallenge(cseq: asked, number: attempt.challengesSeen, nonce: answer.nonceText)
                : .challenge(cseq: asked, number: attempt.challengesSeen, nonce: answer.nonceText)
        case .tooBrief, .refused:
            finish()
            return .refused(cseq: asked, code: response.code, retryAfter: response.retryAfter)
        }
    }
}
