import Base
import STUN

extension NATBehaviourDiscovery {
    /// Draws from a step's end what it says, and goes on.
    mutating func conclude(_ step: Step, _ outcome: STUNOutcome, at now: Instant) {
        switch step {
        case .mapping1:
            switch mapped(outcome, silence: .noAnswer) {
            case .failure(let trouble):
                // Without the first answer no other test can succeed.
                if plan.tests.contains(.mapping) { report.mapping = .failure(trouble) }
                for test in [Test.filtering, .hairpinning, .lifetime] where plan.tests.contains(test) { fail(test, trouble) }
                finish()
            case .success(let (first, message)):
                report.reflexive = first
                guard plan.tests.contains(.mapping) else { return proceed(after: .mapping, at: now) }
                if first == plan.locals[0] {
                    report.mapping = .success(.noTranslation)
                    return proceed(after: .mapping, at: now)
                }
                guard let other = other(message) else {
                    report.mapping = .failure(.noAlternate)
                    return proceed(after: .mapping, at: now)
                }
                ask(.mapping2(first: first, other: other), at: now)
            }
        case .mapping2(let first, let other):
            switch mapped(outcome, silence: .alternateSilent) {
            case .failure(let trouble): report.mapping = .failure(trouble)
            case .success(let (second, _)):
                guard second == first else { return ask(.mapping3(second: second, other: other), at: now) }
                report.mapping = .success(.translated(.endpointIndependent))
            }
            proceed(after: .mapping, at: now)
        case .mapping3(let second, _):
            switch mapped(outcome, silence: .alternateSilent) {
            case .failure(let trouble): report.mapping = .failure(trouble)
            case .success(let (third, _)):
                report.mapping = .success(.translated(third == second ? .addressDependent : .addressAndPortDependent))
            }
            proceed(after: .mapping, at: now)
        case .filtering1:
            switch mapped(outcome, silence: .noAnswer) {
            case .failure(let trouble): report.filtering = .failure(trouble)
            case .success(let (_, message)):
                if let other = other(message) { return ask(.filtering2(other: other), at: now) }
                report.filtering = .failure(.noAlternate)
            }
            proceed(after: .filtering, at: now)
        case .filtering2(let other):
            if outcome == .timedOut { return ask(.filtering3(other: other), at: now) }
            report.filtering = filtering(outcome, .endpointIndependent) {
                $0.address != plan.server.address && $0.port != plan.server.port
            }
            proceed(after: .filtering, at: now)
        case .filtering3:
            if outcome == .timedOut {
                report.filtering = .success(.addressAndPortDependent)
            } else {
                report.filtering = filtering(outcome, .addressDependent) { $0.port != plan.server.port }
            }
            proceed(after: .filtering, at: now)
        case .hairpin:
            // A success means that something on the way, or we ourselves, answered the request that came back.
            if case .success = outcome { report.hairpinning = .success(true) } else { report.hairpinning = .success(false) }
            proceed(after: .hairpinning, at: now)
        case .lifetimeOpen(let search):
            switch mapped(outcome, silence: .noAnswer) {
            case .failure(let trouble):
                report.lifetime = .failure(trouble)
                proceed(after: .lifetime, at: now)
            case .success(let (mapped, _)):
                guard mapped != plan.locals[2] else {
                    report.lifetime = .failure(.noTranslation)
                    return proceed(after: .lifetime, at: now)
                }
                state = .silent(search, mapped: mapped, until: now + search.silence)
            }
        case .lifetimeProbe(let search): concludeProbe(search, outcome, at: now)
        }
    }

    /// Starts the next test that was asked for.
    mutating func proceed(after test: Test, at now: Instant) {
        let order = Test.allCases
        let later = order[((order.firstIndex(of: test) ?? 0) + 1)...]
        for next in later where plan.tests.contains(next) {
            switch next {
            case .mapping: continue
            case .filtering: return ask(.filtering1, at: now)
            case .hairpinning:
                guard let mapped = report.reflexive, mapped != plan.locals[0] else {
                    report.hairpinning = .failure(.noTranslation)
                    continue
                }
                return ask(.hairpin(mapped), at: now)
            case .lifetime:
                let longest = plan.longestLifetime
                return ask(.lifetimeOpen(LifetimeSearch(low: .zero, high: longest, highIsGone: false, silence: longest)), at: now)
            }
        }
        finish()
    }

    private mutating func concludeProbe(_ search: LifetimeSearch, _ outcome: STUNOutcome, at now: Instant) {
        var search = search
        switch outcome {
        case .success(let response):
            guard response.destination == plan.locals[2] else {
                // It came back to the port that asked: RESPONSE-PORT was not honoured.
                report.lifetime = .failure(.wrongAnswer)
                return proceed(after: .lifetime, at: now)
            }
            search.low = search.silence
        case .timedOut:
            search.high = search.silence
            search.highIsGone = true
        case .error(let code, _):
            report.lifetime = .failure(.refused(code))
            return proceed(after: .lifetime, at: now)
        case .notUnderstood, .unreachable, .cancelled:
            report.lifetime = .failure(outcome == .unreachable ? .unreachable : .wrongAnswer)
            return proceed(after: .lifetime, at: now)
        }
        if !search.highIsGone || search.high - search.low <= plan.lifetimeResolution {
            report.lifetime = .success(
                ObservedLifetime(aliveAfter: search.low, goneAfter: search.highIsGone ? search.high : nil))
            return proceed(after: .lifetime, at: now)
        }
        search.silence = search.low + (search.high - search.low) / 2
        ask(.lifetimeOpen(search), at: now)
    }

    /// What an answer from elsewhere says, if it came from where it had to.
    private func filtering(
        _ outcome: STUNOutcome, _ dependence: ObservedDependence, isRight: (Endpoint) -> Bool
    ) -> Result<ObservedDependence, DiscoveryTrouble> {
        switch outcome {
        case .success(let response): isRight(response.source) ? .success(dependence) : .failure(.wrongAnswer)
        case .error(let code, _): .failure(.refused(code))
        case .unreachable: .failure(.unreachable)
        case .notUnderstood, .cancelled, .timedOut: .failure(.wrongAnswer)
        }
    }

    private mutating func fail(_ test: Test, _ trouble: DiscoveryTrouble) {
        switch test {
        case .mapping: report.mapping = .failure(trouble)
        case .filtering: report.filtering = .failure(trouble)
        case .hairpinning: report.hairpinning = .failure(trouble)
        case .lifetime: report.lifetime = .failure(trouble)
        }
    }

    /// A usable second endpoint: both address and port differ from the server's.
    private func other(_ message: STUNMessage) -> Endpoint? {
        guard let other = message.otherEndpoint else { return nil }
        let differs = other.address != plan.server.address && other.port != plan.server.port
        return differs && other.address.isIPv6 == plan.server.address.isIPv6 ? other : nil
    }

    private func mapped(
        _ outcome: STUNOutcome, silence: DiscoveryTrouble
    ) -> Result<(Endpoint, STUNMessage), DiscoveryTrouble> {
        switch outcome {
        case .success(let response):
            guard let mapped = response.message.reflexiveEndpoint else { return .failure(.wrongAnswer) }
            return .success((mapped, response.message))
        case .error(let code, _): return .failure(.refused(code))
        case .notUnderstood, .cancelled: return .failure(.wrongAnswer)
        case .timedOut: return .failure(silence)
        case .unreachable: return .failure(.unreachable)
        }
    }
}
