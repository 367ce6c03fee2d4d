import Base
import Capture

extension Judge {
    /// auth.bad-digest of a call: the phone hears a challenge and answers with a nonce that is in none, and is refused, call after call.
    ///
    /// Innocent: credentials sent ahead with a nonce of before, one such call, and calls of which one is taken.
    mutating func foreignNonce(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.dialog.kind == .call, case .failed(let status) = c.dialog.outcome, status == 401 || status == 407,
            ![.authBadDigest, .authNonceReuse, .authStaleLate, .authStaleOutOfOrder].contains(where: { wasReported($0, c) }),
            !table.programs[c.dialog.clientProgram].isScanner
        else { return }
        let history = AuthHistory(c)
        guard let last = history.attempts.last(where: { $0.method == .invite && $0.response != nil }), last.hasCredentials,
            last.nonce != 0, history.challenge(for: last) == nil, let at = last.step, let answered = last.response,
            c.steps[answered].status == status
        else { return }
        let (request, refusal) = (c.steps[at], c.steps[answered])
        // It heard this one before it answered.
        guard
            let heard = c.steps[..<at].last(where: {
                $0.hasChallenge && $0.method == .invite && $0.leg == request.leg && $0.nonce != 0
                    && (request.realm == 0 || $0.realm == 0 || $0.realm == request.realm)
            })
        else { return }
        let key = caller(at: c.server(request, table), c)
        count(key) { $0.refused += 1 }
        let fields = ["CSeq", "Authorization", "WWW-Authenticate", "Proxy-Authorization", "Proxy-Authenticate"]
        let (phone, server) = (Self.name(c.client(request, table)), Self.name(c.server(request, table)))
        let copy = c
        func finding(_ severity: Severity) -> Finding {
            Finding(
                .authBadDigest, severity,
                "\(copy.aor) cannot call: \(phone) answers the challenge of \(server) with a nonce that is not in it, and \(server) answered "
                    + "\(Self.words(refusal, table)).",
                details: [
                    "The nonce of its answer is in no challenge of this call: whatever the password, the digest is refused (RFC 7616 3.3)."
                ],
                evidence: [
                    Self.evidence(heard, table, fields, "the challenge"), Self.evidence(request, table, fields, "another nonce"),
                    Self.evidence(refusal, table, fields, "refused"),
                ], culprit: severity == .fault ? .between(phone, server) : .unknown, confidence: .likely,
                remedies: [
                    Remedy(
                        .phone,
                        "Renew the firmware of \(phone): it has to answer the newest challenge. A restart clears an old one."),
                    Remedy(
                        .router, "If \(phone) sends the right one, something on the way changes it: capture at the phone too."),
                ], subject: Self.subject(copy, request, table))
        }
        draft(
            .refusal(.never(refused: key, accepted: key, least: 2), finding(.note), nil), .authBadDigest, .fault, variant: 77, &c,
            server: c.server(request, table).address
        ) { finding(.fault) }
    }
}
