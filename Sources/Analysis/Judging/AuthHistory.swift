import Base

/// Challenges and answers of one dialog in their order (RFC 3261 22, RFC 7616).
struct AuthHistory: Sendable {
    /// One request, sent again or not, and how it was taken.
    struct Attempt: Sendable {
        /// Index into the case's steps; nil where only the response was seen.
        var step: Int?
        var sequence: UInt32
        var branch: UInt64
        var method: MessageMethod
        var leg: UInt8
        var hasCredentials = false
        var nonce: UInt64 = 0
        var otherNonce: UInt64 = 0
        var count: UInt32 = 0
        /// Index of the first final response.
        var response: Int?
    }

    struct Challenge: Sendable {
        /// Index of the response that carries it.
        var step: Int
        var attempt: Int
        var nonce: UInt64
        var otherNonce: UInt64
        var realm: UInt32
        var status: Int
        var isStale: Bool
        /// The attempts that used it.
        var answers: [Int] = []

        func has(_ nonce: UInt64) -> Bool { nonce != 0 && (nonce == self.nonce || nonce == otherNonce) }
    }

    var attempts: [Attempt] = []
    var challenges: [Challenge] = []
    /// Index of the first 2xx to an attempt, and the last.
    var firstSuccess: Int?
    var lastSuccess: Int?

    init(_ c: DialogCase) {
        for (index, step) in c.steps.enumerated() {
            guard step.method != .ack, step.method != .cancel else { continue }
            if step.isRequest {
                request(step, index)
            } else if step.status >= 200 {
                response(step, index, c)
            }
        }
    }

    private mutating func request(_ step: Step, _ index: Int) {
        guard step.isFirst || attempts.last(where: { $0.branch == step.branch && $0.method == step.method }) == nil else {
            return
        }
        if step.hasCredentials {
            for nonce in [step.nonce, step.otherNonce] where nonce != 0 {
                if let at = last(nonce, step.leg) { challenges[at].answers.append(attempts.count) }
            }
        }
        attempts.append(
            Attempt(
                step: index, sequence: step.record.sequence, branch: step.branch, method: step.method, leg: step.leg,
                hasCredentials: step.hasCredentials, nonce: step.nonce, otherNonce: step.otherNonce, count: step.count))
    }

    private mutating func response(_ step: Step, _ index: Int, _ c: DialogCase) {
        var at = attempts.lastIndex {
            $0.sequence == step.record.sequence && $0.method == step.method && $0.leg == step.leg
                && ($0.branch == step.branch || $0.branch == 0 || step.branch == 0)
        }
        if at == nil {
            attempts.append(
                Attempt(step: nil, sequence: step.record.sequence, branch: step.branch, method: step.method, leg: step.leg))
            at = attempts.count - 1
        }
        guard let attempt = at else { return }
        if step.isFirst, attempts[attempt].response == nil { attempts[attempt].response = index }
        if step.status < 300 {
            if firstSuccess == nil { firstSuccess = index }
            lastSuccess = index
        }
        guard step.hasChallenge, step.nonce != 0, !challenges.contains(where: { $0.nonce == step.nonce && $0.attempt == attempt })
        else { return }
        challenges.append(
            Challenge(
                step: index, attempt: attempt, nonce: step.nonce, otherNonce: step.otherNonce, realm: step.realm,
                status: step.status,
                isStale: step.record.marks.contains(.isStale)))
    }

    /// The latest challenge with a nonce, on the same hop if there is one.
    private func last(_ nonce: UInt64, _ leg: UInt8) -> Int? {
        challenges.lastIndex { $0.has(nonce) && attempts[$0.attempt].leg == leg } ?? challenges.lastIndex { $0.has(nonce) }
    }

    /// The challenge that credentials of an attempt answer.
    func challenge(for attempt: Attempt) -> Int? {
        guard let step = attempt.step else { return nil }
        let own = challenges.lastIndex {
            $0.step < step && attempts[$0.attempt].leg == attempt.leg && ($0.has(attempt.nonce) || $0.has(attempt.otherNonce))
        }
        return own ?? challenges.lastIndex { $0.step < step && ($0.has(attempt.nonce) || $0.has(attempt.otherNonce)) }
    }

    /// A newer challenge of another request that nobody had answered when `attempt` answered an older one; it may still have
    /// been on its way, as long as its request was.
    func superseding(_ challenge: Int, by attempt: Int, _ c: DialogCase) -> Int? {
        guard let step = attempts[attempt].step else { return nil }
        let old = challenges[challenge]
        let response = attempts[attempt].response ?? Int.max
        return challenges.indices.last { index in
            let other = challenges[index]
            guard index != challenge, other.attempt != old.attempt, other.attempt != attempt, other.step > old.step,
                other.step < response, other.realm == old.realm, other.status == old.status, !other.has(old.nonce),
                attempts[other.attempt].method == attempts[attempt].method, attempts[other.attempt].leg == attempts[attempt].leg,
                !other.answers.contains(where: { $0 < attempt })
            else { return false }
            if other.step < step { return true }
            // On its way: its request was sent before the answer, and without credentials.
            let asked = attempts[other.attempt]
            return !asked.hasCredentials && (asked.step.map { $0 < step } ?? false)
        }
    }
}
