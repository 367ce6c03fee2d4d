import Base
import Capture

extension Judge {
    private static let fields = ["CSeq", "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate"]

    /// auth.bad-digest: the newest challenge was answered in time, and refused.
    mutating func badDigest(
        _ index: Int, _ stepIndex: Int, _ verdict: AuthVerdict, _ history: AuthHistory, _ c: inout DialogCase,
        _ table: SignallingTable
    ) {
        let attempt = history.attempts[index]
        let isWanted: Bool
        switch verdict {
        case .wrong: isWanted = true
        case .challenged:
            // A cached nonce refused without `stale` looks the same: only the answer to a challenge that was seen counts.
            isWanted = history.challenge(for: attempt) != nil
        case .forbidden:
            // A call is forbidden for many reasons; a registration hardly for another.
            isWanted =
                (attempt.method == .register || attempt.method == .subscribe || attempt.method == .publish)
                && !(attempt.response.map { isContactLimit(c.steps[$0], table) } ?? false)
        case .unknown, .accepted, .stale: isWanted = false
        }
        guard isWanted else { return }
        let step = c.steps[stepIndex]
        let response = attempt.response.map { c.steps[$0] }
        let outcome = recheck(step, history.challenge(for: attempt).map { c.steps[history.challenges[$0].step] }, table)
        let isSettled = outcome != .unknown || verdict == .wrong
        // The capture ends with it: what the phone did next is not to be seen.
        var isLast = false
        if !isSettled {
            // Later success with the same account, or a refusal that nothing followed yet: nothing to say.
            if let success = history.lastSuccess, let response = attempt.response, success > response { return }
            let refusals = history.attempts.filter { $0.hasCredentials && isRefused($0, c) }.count
            let waited = response.map { c.silence(after: $0) } ?? 0
            if verdict != .forbidden, refusals < 2, waited < Self.patience {
                guard isRefusedAtEnd(attempt, stepIndex, history, c) else { return }
                isLast = true
            }
        } else if let success = history.lastSuccess, let response = attempt.response, success > response, outcome == .right {
            return
        }
        guard !table.programs[c.dialog.clientProgram].isScanner else { return }
        let server = c.server(step, table)
        let source = table.endpoints[step.record.source]
        let condition: Draft.Condition
        if c.dialog.kind == .registration {
            let key = account(c.dialog.to, c)
            note(refusals: history, of: key, c)
            condition = .refusedPassword(source.address, key)
        } else {
            condition = .noScanner(source.address, nonce: 0)
        }
        let remark = (table.remarks[c.number] ?? []).first { $0.request == step.record.place }
        let severity: Severity = isLast ? .risk : .fault
        draft(condition, .authBadDigest, severity, server, &c) { c in
            var evidence: [Evidence] = []
            if let used = history.challenge(for: attempt) {
                evidence.append(Self.evidence(c.steps[history.challenges[used].step], table, Self.fields, "the challenge"))
            }
            evidence.append(Self.evidence(step, table, Self.fields, "the answer"))
            if let response { evidence.append(Self.evidence(response, table, Self.fields, "refused")) }
            if let remark { evidence.append(Self.evidence(remark, table)) }
            var (words, details, remedies) = Self.explain(outcome, verdict, response?.status)
            let realms = history.challenge(for: attempt).flatMap {
                Self.otherRealm(step, c.steps[history.challenges[$0].step], table)
            }
            if let realms {
                words = ": it names the realm \"\(realms.said)\", asked was \"\(realms.asked)\"."
                details = ["The digest is made with the realm (RFC 7616 3.4.2): with another one no password fits."]
                remedies = [
                    Remedy(
                        .phone,
                        "Let the phone answer with the realm of the challenge: leave its setting for realm or authentication domain empty."
                    )
                ]
            }
            if isLast { details.append("That is the last that is seen of it: whether another try succeeded is not to be seen.") }
            return Finding(
                .authBadDigest, severity, "\(c.opening) answered the newest challenge in time, and the server refused it\(words)",
                details: details, evidence: evidence,
                culprit: realms != nil ? .proved("the phone") : outcome == .unknown ? .unknown : Self.guilty(outcome),
                confidence: outcome == .unknown && remark == nil && realms == nil ? .likely : .proved, remedies: remedies,
                subject: Self.subject(c, step, table))
        }
    }

    /// A challenge answered at once, and refused by the same one with the same question, which nothing follows.
    private func isRefusedAtEnd(_ attempt: AuthHistory.Attempt, _ step: Int, _ history: AuthHistory, _ c: DialogCase) -> Bool {
        guard c.isFinal, let used = history.challenge(for: attempt), let response = attempt.response else { return false }
        let (asked, again) = (c.steps[history.challenges[used].step], c.steps[response])
        guard asked.status == again.status, asked.realm == again.realm, asked.record.source == again.record.source,
            c.gap(asked, c.steps[step]) ?? 0 < Self.promptness
        else { return false }
        return c.steps[(response + 1)...].allSatisfy { $0.method == .ack || !$0.isRequest && $0.branch == again.branch }
    }

    /// A nonce given no longer ago is not stale.
    private static let promptness: Int64 = 5 * second

    /// The realm of an answer, and that of the challenge whose nonce it uses, where they differ.
    private static func otherRealm(_ step: Step, _ challenge: Step, _ table: SignallingTable) -> (said: String, asked: String)? {
        guard step.realm != 0, challenge.realm != 0, step.nonce == challenge.nonce, step.realm != challenge.realm,
            let answer = bytes(step, table), let question = bytes(challenge, table)
        else { return nil }
        func realm(_ bytes: [UInt8], _ part: (MessageFacts) -> Span) -> String {
            bytes.withUnsafeBytes { p in MessageFacts(p).map { p.string(part($0)) } ?? "" }
        }
        return (realm(answer) { $0.credentials.realm }, realm(question) { $0.challenge.realm })
    }

    func isRefused(_ attempt: AuthHistory.Attempt, _ c: DialogCase) -> Bool {
        guard let response = attempt.response else { return false }
        let step = c.steps[response]
        return step.status == 403 || ((step.status == 401 || step.status == 407) && !step.record.marks.contains(.isStale))
    }

    private func recheck(_ step: Step, _ challenge: Step?, _ table: SignallingTable) -> DigestRecheck.Outcome {
        guard let hash = options.hash, !options.passwords.isEmpty, let message = Self.bytes(step, table) else { return .unknown }
        let user = message.withUnsafeBytes { p in MessageFacts(p).map { p.string($0.credentials.user) } ?? "" }
        let bare = user.split(separator: "@").first.map(String.init) ?? user
        guard let password = options.passwords[user] ?? options.passwords[bare] else { return .unknown }
        var recheck = DigestRecheck(hash: hash)
        return recheck.check(message, challenge: challenge.flatMap { Self.bytes($0, table) }, password: password)
    }

    private static func guilty(_ outcome: DigestRecheck.Outcome) -> Culprit {
        switch outcome {
        case .right: .proved("the server: its password or realm is another")
        case .differs: .proved("the phone, or a box that changed the field on the way")
        case .wrongPassword: .proved("the phone: its password is another than the one given")
        case .unknown: .unknown
        }
    }

    private static func explain(
        _ outcome: DigestRecheck.Outcome, _ verdict: AuthVerdict, _ status: Int?
    ) -> (words: String, details: [String], remedies: [Remedy]) {
        let check = Remedy(
            .phone, "Enter user name and password again; mind that the authentication name may differ from the number.")
        switch outcome {
        case .unknown:
            var details = ["The nonce was the newest one and no use of it came before: neither stale nor repeated."]
            if status == 403 { details.append("403 may also mean that the account is not allowed here, whatever its password.") }
            if verdict == .wrong {
                details.append("The server itself writes that the password is wrong.")
            } else {
                details.append("Give the password (--password user=...) to learn which field is wrong.")
            }
            return (": rejected.", details, [check, Remedy(.server, "Compare the account's password and realm.")])
        case .right:
            return (
                ", although the digest is right for the password given: the server's own copy differs.",
                ["Recomputed with the password given: equal."],
                [Remedy(.server, "Correct the account's password or realm on the server.")]
            )
        case .differs(let field, let said, let hashed):
            return (
                ": the field \(field) differs.",
                [
                    "The digest is right if \(field) is \"\(hashed)\", but the message says \"\(said)\".",
                    "Password and all other fields are right.",
                ],
                [
                    Remedy(.phone, "Make the phone hash the \(field) that it sends (firmware, or the setting for \(field))."),
                    .disableALG,
                ]
            )
        case .wrongPassword:
            return (
                ": the password is another than the one given.",
                ["Realm, URI, qop, method and user name were varied: none of them explains it."], [check]
            )
        }
    }
}
