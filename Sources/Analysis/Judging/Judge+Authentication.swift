import Base
import Capture

extension Judge {
    /// auth.*: which challenges were outstanding, which was answered, and how that was taken.
    mutating func authentication(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.steps.contains(where: { $0.hasChallenge || $0.hasCredentials }) else {
            if c.dialog.kind == .registration { summarise(AuthHistory(c), c, table) }
            return
        }
        let history = AuthHistory(c)
        tally(history, c, table)
        if splitChallenges(history, &c, table) || staleLoop(history, &c, table) {
            if c.dialog.kind == .registration { summarise(history, c, table) }
            return
        }
        var reuses: [Int] = []
        for index in history.attempts.indices where history.attempts[index].hasCredentials {
            guard let stepIndex = history.attempts[index].step else { continue }
            let verdict = verdict(of: history.attempts[index], c, table)
            if staleOutOfOrder(index, verdict, history, &c, table) { continue }
            if reused(index, verdict, history, c) {
                reuses.append(index)
                continue
            }
            if staleLate(index, verdict, history, &c, table) { continue }
            if answersElsewhere(history.attempts[index], history, c, table) { continue }
            badDigest(index, stepIndex, verdict, history, &c, table)
        }
        // The old nonce sent again and again belongs to what is told already.
        if let first = reuses.first, !wasReported(.authStaleOutOfOrder, c) { nonceReuse(first, reuses.count, history, &c, table) }
        noAnswer(history, &c, table)
        if c.dialog.kind == .registration { summarise(history, c, table) }
    }

    /// How a request with credentials was taken.
    enum AuthVerdict { case unknown, accepted, stale, challenged, forbidden, wrong }

    private func verdict(of attempt: AuthHistory.Attempt, _ c: DialogCase, _ table: SignallingTable) -> AuthVerdict {
        if let step = attempt.step {
            for remark in remarks(about: c.steps[step], c, table) {
                switch remark.remark {
                case .staleNonce: return .stale
                case .wrongPassword, .badAuthentication: return .wrong
                case .duplicateAuthentication, .failed, .retransmissionTimeout: break
                }
            }
        }
        guard let response = attempt.response else { return .unknown }
        let step = c.steps[response]
        switch step.status {
        case 401, 407:
            // A proxy behind the first one asks for its own realm: the credentials given were right.
            if step.realm != 0, let request = attempt.step.map({ c.steps[$0] }), request.realm != 0, request.realm != step.realm,
                request.otherRealm != step.realm,
                // Unless the nonce is of that very realm: then the answer only names another one.
                !c.steps.contains(where: {
                    $0.hasChallenge && $0.realm == step.realm && ($0.nonce == request.nonce || $0.otherNonce == request.nonce)
                })
            {
                return .accepted
            }
            return step.record.marks.contains(.isStale) ? .stale : .challenged
        case 403: return .forbidden
        default: return .accepted
        }
    }

    private func remarks(about step: Step, _ c: DialogCase, _ table: SignallingTable) -> [Remark] {
        (table.remarks[c.number] ?? []).filter { $0.request == step.record.place }
    }

    private static let fields = ["CSeq", "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate"]

    // MARK: auth.stale-out-of-order

    private mutating func staleOutOfOrder(
        _ index: Int, _ verdict: AuthVerdict, _ history: AuthHistory, _ c: inout DialogCase, _ table: SignallingTable
    ) -> Bool {
        let attempt = history.attempts[index]
        guard let step = attempt.step, let used = history.challenge(for: attempt),
            !history.challenges[used].answers.contains(where: { $0 < index }),
            let newer = history.superseding(used, by: index, c)
        else { return false }
        let remark = remarks(about: c.steps[step], c, table).first { $0.remark == .staleNonce }
        let severity: Severity
        switch verdict {
        case .accepted: return false
        case .unknown:
            // Whether the server minded is not in the capture.
            guard c.isFinal, c.silence(after: c.steps[step]) < 2 * second else { return false }
            severity = .risk
        case .stale, .challenged, .forbidden, .wrong: severity = .fault
        }
        let (old, new) = (history.challenges[used], history.challenges[newer])
        let request = c.steps[step]
        let (first, other) = (Self.nonce(c.steps[old.step], table), Self.nonce(c.steps[new.step], table))
        let outstanding = history.challenges.filter { $0.step < step && !$0.answers.contains { $0 < index } }.count
        let isLinked = c.dialog.progress.contains(.linkedByOrder)
        report(.authStaleOutOfOrder, severity, c.server(request, table), &c) { c in
            var details = [
                "\(max(2, outstanding)) challenges were outstanding: nonce \"\(first)\" for CSeq \(history.attempts[old.attempt].sequence) "
                    + "and nonce \"\(other)\" for CSeq \(history.attempts[new.attempt].sequence); CSeq \(attempt.sequence) answers the older one.",
                "The requests differ in CSeq and branch: this is no retransmission.",
            ]
            if isLinked { details.append("The messages show no Call-ID: they were linked by CSeq, nonce and order.") }
            if remark != nil {
                details.append("The server itself writes that the password was right and only the nonce was stale.")
            }
            let ports = Self.ports(c, table)
            if ports.count > 1 {
                details.append("The client's port changed meanwhile: \(ports.map { String($0) }.joined(separator: ", ")).")
            }
            var evidence = [
                Self.evidence(c.steps[old.step], table, Self.fields, "first challenge, nonce \(first)"),
                Self.evidence(c.steps[new.step], table, Self.fields, "newer challenge, nonce \(other)"),
                Self.evidence(request, table, Self.fields, "answers the older challenge"),
            ].sorted { ($0.place) < ($1.place) }
            if let remark { evidence.append(Self.evidence(remark, table)) }
            if let response = attempt.response {
                evidence.append(Self.evidence(c.steps[response], table, Self.fields, Self.taken(verdict)))
            }
            return Finding(
                .authStaleOutOfOrder, severity,
                "\(c.phone) sent a second \(request.method.token) before the first was settled, then answered the older of two challenges "
                    + "(nonce \(first), while \(other) was the newest)"
                    + (severity == .fault ? ": the server refused a right password as stale." : "."),
                details: details, evidence: evidence, culprit: Self.between(c, request, table),
                confidence: remark != nil ? .proved : verdict == .stale ? .likely : verdict == .unknown ? .possible : .likely,
                remedies: Self.outOfOrderRemedies(isMoving: ports.count > 1), subject: Self.subject(c, request, table))
        }
        return true
    }

    /// A port that moves meanwhile points to a helper; otherwise the phone comes first.
    private static func outOfOrderRemedies(isMoving: Bool) -> [Remedy] {
        let others = [
            Remedy(
                .phone, "Keep one request in flight and answer the newest challenge; lengthen the STUN or registration interval."),
            Remedy(.server, "Keep older nonces valid until they expire (a nonce that needs no memory, or one list per Call-ID)."),
        ]
        return isMoving ? [.disableALG] + others : others + [.disableALG]
    }

    private static func taken(_ verdict: AuthVerdict) -> String {
        switch verdict {
        case .stale: "refused as stale"
        case .challenged: "refused and challenged anew"
        case .forbidden, .wrong: "refused"
        case .accepted: "accepted"
        case .unknown: ""
        }
    }

    // MARK: auth.nonce-reuse

    /// The same nonce with the same count once more in another request, or again after the server had called it stale.
    private func reused(_ index: Int, _ verdict: AuthVerdict, _ history: AuthHistory, _ c: DialogCase) -> Bool {
        guard verdict == .stale || verdict == .challenged || verdict == .forbidden else { return false }
        let attempt = history.attempts[index]
        return history.attempts[..<index].contains { earlier in
            guard earlier.hasCredentials, earlier.method == attempt.method, earlier.nonce == attempt.nonce,
                earlier.branch != attempt.branch || earlier.branch == 0, earlier.leg == attempt.leg
            else { return false }
            // Who repeats the nonce in its next challenge asks for it once more: the first use was refused for another reason.
            let isAskedAgain = earlier.response.map { c.steps[$0].hasChallenge && c.steps[$0].nonce == attempt.nonce } ?? false
            if attempt.count != 0, earlier.count == attempt.count { return verdict == .stale || !isAskedAgain }
            guard let response = earlier.response, c.steps[response].status == 401 || c.steps[response].status == 407 else {
                return false
            }
            return c.steps[response].hasChallenge && c.steps[response].nonce != attempt.nonce
        }
    }

    private mutating func nonceReuse(
        _ index: Int, _ times: Int, _ history: AuthHistory, _ c: inout DialogCase, _ table: SignallingTable
    ) {
        let attempt = history.attempts[index]
        guard let stepIndex = attempt.step, let response = attempt.response else { return }
        let recovered = history.lastSuccess.map { $0 > response } ?? false
        // Once, and put right at the next request, is what RFC 7616 3.3 has `stale` for; it still costs a round trip each time.
        let severity: Severity = times >= 2 || !recovered ? .fault : .risk
        guard let earlier = history.attempts[..<index].first(where: { $0.hasCredentials && $0.nonce == attempt.nonce }),
            let earlierStep = earlier.step
        else { return }
        let step = c.steps[stepIndex]
        let used = Self.nonce(step, table)
        report(.authNonceReuse, severity, c.server(step, table), &c) { c in
            let count = attempt.count == 0 ? "no count (nc)" : "nc=\(String(attempt.count, radix: 16))"
            return Finding(
                .authNonceReuse, severity,
                "\(c.phone) used nonce \(used) with \(count) again, and the server, which takes each only once, refused it.",
                details: [
                    attempt.count != 0 && earlier.count == attempt.count
                        ? "The count did not rise between the two requests; reuse is legal only while it rises (RFC 7616 3.4)."
                        : "The server had already answered this nonce with a new challenge.",
                    "The requests differ in CSeq and branch: this is no retransmission.",
                ],
                evidence: [
                    Self.evidence(c.steps[earlierStep], table, Self.fields, "first use"),
                    Self.evidence(step, table, Self.fields, "the same nonce again"),
                    Self.evidence(c.steps[response], table, Self.fields, "refused"),
                ],
                culprit: .unknown, confidence: .likely,
                remedies: [
                    Remedy(
                        .phone, "Take the newest challenge, or raise nc with each request; a firmware update usually does it."),
                    Remedy(.server, "Accept a nonce again while its count rises, and mark the refusal with stale=true."),
                ], subject: Self.subject(c, step, table))
        }
    }

    // MARK: auth.stale-late

    private mutating func staleLate(
        _ index: Int, _ verdict: AuthVerdict, _ history: AuthHistory, _ c: inout DialogCase, _ table: SignallingTable
    ) -> Bool {
        let attempt = history.attempts[index]
        guard verdict == .stale || verdict == .challenged, let stepIndex = attempt.step, let response = attempt.response,
            let used = history.challenge(for: attempt), !history.challenges[used].answers.contains(where: { $0 < index }),
            let late = c.gap(c.steps[history.challenges[used].step], c.steps[stepIndex])
        else { return false }
        guard late >= (verdict == .stale ? 5 * second : 30 * second) else { return false }
        if verdict == .challenged {
            // Without `stale` only a prompt success with the next challenge tells lateness from a wrong password.
            guard let success = history.lastSuccess, success > response else { return false }
        }
        let recovered = history.lastSuccess.map { $0 > response } ?? false
        let severity: Severity = recovered ? .risk : .fault
        let step = c.steps[stepIndex]
        let challenge = c.steps[history.challenges[used].step]
        let fine = acceptedAfter(history, c)
        let nonce = Self.nonce(challenge, table)
        report(.authStaleLate, severity, c.server(step, table), &c) { c in
            Finding(
                .authStaleLate, severity,
                "\(c.phone) answered the right challenge, but \(spoken(late)) after it was sent; by then the server had "
                    + "forgotten nonce \(nonce).",
                details: [
                    "The nonce's lifetime is not in the capture; inferred: shorter than \(spoken(late))"
                        + (fine > 0 ? ", longer than \(spoken(fine))." : "."),
                    verdict == .stale
                        ? "The server said stale=true: the password is right."
                        : "The server did not say stale=true, but took the same credentials with the next challenge.",
                ],
                evidence: [
                    Self.evidence(challenge, table, Self.fields, "the challenge"),
                    Self.evidence(step, table, Self.fields, "answered \(spoken(late)) later"),
                    Self.evidence(c.steps[response], table, Self.fields, "refused"),
                ],
                culprit: Self.between(c, step, table), confidence: .likely,
                remedies: [
                    Remedy(
                        .network,
                        "Find what delays the answer: a slow link, a box that holds messages back, a phone busy elsewhere."),
                    Remedy(.server, "Give nonces a longer lifetime."),
                ], subject: Self.subject(c, step, table))
        }
        return true
    }

    private func acceptedAfter(_ history: AuthHistory, _ c: DialogCase) -> Int64 {
        var longest: Int64 = 0
        for attempt in history.attempts where attempt.hasCredentials {
            guard let step = attempt.step, let response = attempt.response, c.steps[response].status < 300,
                let used = history.challenge(for: attempt), let gap = c.gap(c.steps[history.challenges[used].step], c.steps[step])
            else { continue }
            longest = max(longest, gap)
        }
        return longest
    }

    // MARK: auth.no-answer

    private mutating func noAnswer(_ history: AuthHistory, _ c: inout DialogCase, _ table: SignallingTable) {
        guard !history.attempts.contains(where: { $0.hasCredentials }), !c.isContinued, !wasReported(.natRportMissing, c),
            let first = history.challenges.first(where: { challenge in
                switch history.attempts[challenge.attempt].method {
                case .register, .invite, .subscribe, .publish, .message, .refer: history.attempts[challenge.attempt].step != nil
                case .ack, .bye, .cancel, .options, .prack, .update, .info, .notify, .other: false
                }
            }),
            !history.challenges.contains(where: {
                table.usedNonces.contains($0.nonce) || table.usedNonces.contains($0.otherNonce)
            }),
            let last = history.challenges.last, let stepIndex = history.attempts[first.attempt].step
        else { return }
        // Asked again much later, the phone has let the challenges before go by.
        let waited = max(c.silence(after: c.steps[last.step]), c.gap(c.steps[first.step], c.steps[last.step]) ?? 0)
        guard waited >= Self.patience || history.challenges.count >= 3 else { return }
        // What was cut off a later request, or hidden in it, may have been the credentials.
        guard
            !c.steps[first.step...].contains(where: {
                $0.isRequest && !$0.flags.isDisjoint(with: [.truncated, .hiddenCredentials])
            })
        else { return }
        let request = c.steps[stepIndex]
        // An answer with a success to the same without credentials: the challenge did not matter.
        guard history.lastSuccess.map({ $0 < last.step }) ?? true else { return }
        guard !table.programs[c.dialog.clientProgram].isScanner else { return }
        let challenge = c.steps[first.step]
        let count = history.challenges.count
        // One repetition may have crossed the challenge on its way.
        let isUnheard =
            c.steps[(first.step + 1)...].filter {
                $0.isRequest && $0.branch == request.branch && $0.method == request.method
                    && $0.record.marks.contains(.retransmission)
            }.count >= 2
        // The same transaction again after its 401: the phone has not heard the challenge, so nothing is known of its credentials.
        if isUnheard {
            challengeLost(request, challenge, &c, table)
            return
        }
        unanswered(request, challenge, count: count, waited: waited, nonce: c.steps[last.step].nonce, &c, table)
    }

    private mutating func tally(_ history: AuthHistory, _ c: DialogCase, _ table: SignallingTable) {
        guard let challenge = history.challenges.first, tallies.count < 1 << 18 else { return }
        let address = c.client(c.steps[challenge.step], table).address
        var tally = tallies[address] ?? Tally()
        if history.lastSuccess != nil { tally.successes += 1 }
        if tally.names.count < 16 { tally.names.insert(hash(c.dialog.from) ^ hash(c.dialog.to) &* 3) }
        tallies[address] = tally
    }

    // MARK: Helpers

    static func ports(_ c: DialogCase, _ table: SignallingTable) -> [UInt16] {
        var result: [UInt16] = []
        for step in c.steps {
            let port = c.client(step, table).port
            if port != 0, result.last != port { result.append(port) }
        }
        return result
    }

    static func nonce(_ step: Step, _ table: SignallingTable) -> String {
        guard let bytes = Self.bytes(step, table) else { return "(no longer at hand)" }
        return bytes.withUnsafeBytes { p in
            guard let facts = MessageFacts(p) else { return "?" }
            return p.string(facts.isRequest ? facts.credentials.nonce : facts.challenge.nonce)
        }
    }

    static func evidence(_ remark: Remark, _ table: SignallingTable) -> Evidence {
        Evidence(
            place: remark.place, time: remark.time == MessageRecord.unknownTime ? nil : Instant(nanoseconds: remark.time),
            excerpt: remark.text.isEmpty ? "\(remark.remark)" : remark.text, says: "the server's own words")
    }

    /// As `report`, keyed by server and, for what concerns one user alone, by user.
    mutating func report(
        _ name: FindingName, _ severity: Severity, variant: UInt64 = 0, _ server: PackedEndpoint, _ c: inout DialogCase,
        _ make: (DialogCase) -> Finding
    ) {
        let copy = c
        report(name, severity, variant: perUser(name) ? hash(c.dialog.from) : variant, &c, server: server.address) { make(copy) }
    }

    mutating func draft(
        _ condition: Draft.Condition, _ name: FindingName, _ severity: Severity, variant: UInt64? = nil,
        _ server: PackedEndpoint, _ c: inout DialogCase, _ make: (DialogCase) -> Finding
    ) {
        let copy = c
        let kind = variant ?? (perUser(name) ? hash(c.dialog.from) : 0)
        draft(condition, name, severity, variant: kind, &c, server: server.address) { make(copy) }
    }

    private func perUser(_ name: FindingName) -> Bool {
        switch name {
        case .authBadDigest, .authNoAnswer, .authNonceReuse, .natMappingExpired, .natRegisterLongerThanMapping: true
        default: false
        }
    }
}
