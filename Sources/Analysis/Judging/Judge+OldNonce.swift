import Base
import Capture

extension Judge {
    /// Requests with the same old nonce that make it a habit.
    static let fewestOldAnswers = 3

    /// auth.stale-loop of a phone: each refusal brings a fresh nonce, and the phone goes on using an old one, call after call.
    ///
    /// Innocent: one such request, where the next uses the fresh nonce, in this dialog or another.
    mutating func oldNonce(_ c: inout DialogCase, _ table: SignallingTable) {
        guard case .failed(let status) = c.dialog.outcome, status == 401 || status == 407, !c.dialog.progress.contains(.accused)
        else { return }
        let history = AuthHistory(c)
        guard let last = history.attempts.last, last.hasCredentials, last.nonce != 0, last.otherNonce == 0, let step = last.step
        else { return }
        let row = history.attempts.reversed().prefix { attempt in
            guard attempt.hasCredentials, attempt.nonce == last.nonce, let response = attempt.response else { return false }
            let refusal = c.steps[response]
            return refusal.hasChallenge && refusal.nonce != 0 && refusal.nonce != last.nonce && refusal.otherNonce == 0
        }
        guard let response = last.response, row.first?.step == step, c.silence(after: c.steps[response]) > Self.patience else {
            return
        }
        guard oldNonces[last.nonce] != nil || oldNonces.count < 1 << 16 else { return }
        oldNonces[last.nonce, default: 0] += row.count
        let (request, refusal) = (c.steps[step], c.steps[response])
        let client = c.client(request, table)
        let fields = ["CSeq", "Authorization", "WWW-Authenticate", "Proxy-Authorization", "Proxy-Authenticate"]
        let copy = c
        draft(
            .oldNonce(last.nonce, fresh: refusal.nonce, client.address), .authStaleLoop, .fault, variant: last.nonce, &c,
            server: c.server(request, table).address
        ) {
            Finding(
                .authStaleLoop, .fault,
                "\(copy.aor) cannot \(request.method == .register ? "register" : "call"): the phone answers an old challenge again and again, although each "
                    + "refusal by \(Self.name(copy.server(request, table))) carries a fresh nonce.",
                details: [
                    "None of the fresh nonces was used afterwards, in this dialog or another.",
                    "The newest challenge is the one to answer (RFC 7616 3.3); an old nonce is refused whatever the password.",
                ],
                evidence: [
                    Self.evidence(request, table, fields, "the old nonce"),
                    Self.evidence(refusal, table, fields, "refused, with a fresh one"),
                ], culprit: .proved(Self.name(client)), confidence: .likely,
                remedies: [
                    Remedy(
                        .phone,
                        "Update the phone's firmware: it has to answer the newest challenge. A restart clears the old one."),
                    Remedy(.server, "As a stopgap keep nonces valid for longer, and say stale=true when one has expired."),
                ], subject: Self.subject(copy, request, table))
        }
    }
}
