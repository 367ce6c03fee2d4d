import Base
import SIPStack

extension SeedRegistration {
    mutating func response(to cseq: UInt32, _ response: RegisterResponse, at now: Instant) -> SIPMeaning {
        if let seen = response.seenAs { registrar = seen }
        switch state {
        case .off, .resolving, .failed: return .strayResponse(code: response.code)
        case .registering(let attempt): return conclude(cseq, response, attempt, binding: nil, at: now)
        case .registered(let binding):
            guard let renewal = binding.renewal else { return .strayResponse(code: response.code) }
            return conclude(cseq, response, renewal, binding: binding, at: now)
        case .deregistering(let attempt, let until): return concludeStop(cseq, response, attempt, until, at: now)
        }
    }

    private mutating func conclude(
        _ cseq: UInt32, _ response: RegisterResponse, _ given: Attempt, binding: Binding?, at now: Instant
    ) -> SIPMeaning {
        var attempt = given
        guard attempt.inFlight.contains(cseq) else { return .strayResponse(code: response.code) }
        if case .provisional = response.verdict { return .provisional(cseq: cseq, code: response.code) }
        attempt.inFlight.remove(cseq)
        switch response.verdict {
        case .provisional: return .provisional(cseq: cseq, code: response.code)
        case .accepted(let acceptance):
            // What else is in flight belongs to the next attempt, which may answer a challenge again.
            let rest = attempt.inFlight.isEmpty ? nil : Attempt(inFlight: attempt.inFlight, challengesSeen: 0, answering: nil)
            return accept(cseq, acceptance, seenAs: response.seenAs, renewal: rest, at: now)
        case .challenged(let challenges, let isProxy):
            attempt.challengesSeen += 1
            guard let challenge = challenges.first else {
                fail(.authorizationError(.unsupported, retryAt: nextTick))
                return .challengeUnsupported(cseq: cseq)
            }
            let answer = ChallengeAnswer(challenge: challenge, isProxy: isProxy)
            if attempt.answering == cseq {
                fail(.authorizationError(.challengedAgain(stale: challenge.isStale), retryAt: nextTick))
                return challenge.isStale
                    ? .staleChallenge(cseq: cseq, number: attempt.challengesSeen, nonce: answer.nonceText)
                    : .challenge(cseq: cseq, number: attempt.challengesSeen, nonce: answer.nonceText)
            }
            let number = attempt.challengesSeen
            if attempt.answering == nil {
                attempt.answering = register(
                    .answersChallenge, [answer],
                    meaning: { .answersChallenge(cseq: $0, number: number, of: number, nonce: answer.nonceText) })
                if let answering = attempt.answering { attempt.inFlight.insert(answering) }
                hold(attempt, binding)
                return .challenge(cseq: cseq, number: number, nonce: answer.nonceText)
            }
            hold(attempt, binding)
            return .challengeIgnored(cseq: cseq, number: number, nonce: answer.nonceText)
        case .tooBrief(let minimum):
            if let minimum, minimum > expires {
                expires = minimum
                hold(attempt, binding)
                joinAttempt(.tooBrief(minimum: minimum), at: now)
            } else {
                fail(.rejected(code: response.code, reason: response.reason, retryAt: nextTick))
            }
            return .tooBrief(cseq: cseq, minimum: minimum)
        case .refused:
            fail(.rejected(code: response.code, reason: response.reason, retryAt: nextTick))
            return .refused(cseq: cseq, code: response.code, retryAfter: response.retryAfter)
        }
    }

    private mutating func concludeStop(
        _ cseq: UInt32, _ response: RegisterResponse, _ given: Attempt, _ until: Instant, at now: Instant
    ) -> SIPMeaning {
        guard given.inFlight.contains(cseq) else { return .strayResponse(code: response.code) }
        switch response.verdict {
        case .provisional: return .provisional(cseq: cseq, code: response.code)
        case .challenged(let challenges, let isProxy):
            guard given.answering == nil, let challenge = challenges.first else {
                finish()
                return .credentialsRefused(cseq: cseq)
            }
            let answer = ChallengeAnswer(challenge: challenge, isProxy: isProxy)
            let answering = register(.stop, [answer], expires: 0) { .deregisters(cseq: $0, nonce: answer.nonceText) }
            state = .deregistering(
                Attempt(inFlight: answering.map { [$0] } ?? [], challengesSeen: 1, answering: answering), until: until)
            return .challenge(cseq: cseq, number: 1, nonce: answer.nonceText)
        case .accepted:
            finish()
            return .deregistered(cseq: cseq)
        case .tooBrief, .refused:
            finish()
            return .refused(cseq: cseq, code: response.code, retryAfter: response.retryAfter)
        }
    }

    mutating func noAnswer(to cseq: UInt32, isUnreachable: Bool, at now: Instant) {
        switch state {
        case .off, .resolving, .failed: break
        case .registering(let attempt): lose(cseq, attempt, binding: nil, isUnreachable)
        case .registered(let binding): if let renewal = binding.renewal { lose(cseq, renewal, binding: binding, isUnreachable) }
        case .deregistering(let attempt, _): if attempt.inFlight.contains(cseq) { finish() }
        }
    }

    private mutating func lose(_ cseq: UInt32, _ given: Attempt, binding: Binding?, _ isUnreachable: Bool) {
        var attempt = given
        guard attempt.inFlight.remove(cseq) != nil else { return }
        // While another REGISTER is still out, or its answer has been given up by choice, there is nothing to report.
        guard attempt.inFlight.isEmpty, let target else {
            hold(attempt, binding)
            return
        }
        fail(isUnreachable ? .unreachable(target, retryAt: nextTick) : .noAnswer(from: target, retryAt: nextTick))
    }
}
