import Base
import Capture

extension Judge {
    /// An answer this quick is late for no server.
    private static let prompt = 5 * second
    /// Refusals in a row that make it a loop.
    private static let fewestRefusals = 3

    /// auth.stale-loop: prompt answers to fresh nonces, refused as stale again and again. The server does not know its own nonce, as where
    /// several registrars behind one address do not share them.
    mutating func staleLoop(_ history: AuthHistory, _ c: inout DialogCase, _ table: SignallingTable) -> Bool {
        // In a log without times the order alone tells: nothing else was said between.
        var quick: [(attempt: AuthHistory.Attempt, gap: Int64?)] = []
        var longest: [(attempt: AuthHistory.Attempt, gap: Int64?)] = []
        for (index, attempt) in history.attempts.enumerated() where attempt.hasCredentials {
            guard let step = attempt.step, let response = attempt.response, c.steps[response].record.marks.contains(.isStale),
                let used = history.challenge(for: attempt)
            else {
                // A success ends a row; a late or odd one in between does not.
                if let response = attempt.response, c.steps[response].status < 300 { quick = [] }
                continue
            }
            let gap = c.gap(c.steps[history.challenges[used].step], c.steps[step])
            guard gap ?? 0 < Self.prompt,
                // The newest challenge, for the first time.
                !history.challenges.contains(where: { $0.step < step && $0.step > history.challenges[used].step }),
                history.challenges[used].answers.count == 1,
                // Nor was another request under way whose challenge the server may have meant.
                history.superseding(used, by: index, c) == nil, !isCrossed(index, history)
            else { continue }
            quick.append((attempt, gap))
            if quick.count > longest.count { longest = quick }
        }
        guard longest.count >= Self.fewestRefusals, let first = longest.first, let last = longest.last,
            let asked = first.attempt.step, let refused = last.attempt.response
        else { return false }
        let slowest = longest.compactMap(\.gap).max()
        let request = c.steps[asked]
        let fields = ["CSeq", "Authorization", "WWW-Authenticate", "Proxy-Authorization", "Proxy-Authenticate"]
        report(.authStaleLoop, .fault, c.server(request, table), &c) { c in
            Finding(
                .authStaleLoop, .fault,
                "\(c.opening) cannot \(request.method == .register ? "register" : "call"): \(Self.name(c.server(request, table))) calls its own fresh nonces "
                    + "stale, \(longest.count) times in a row.",
                details: [
                    slowest.map {
                        "Each was answered within \(spoken(max($0, 1_000_000))), the first time, and as the newest one: neither late nor repeated."
                    }
                        ?? "Each was answered the first time, and as the newest one. The log tells no times: should each answer have come "
                        + "minutes later, it is the phone that is slow.",
                    "Servers behind one address that do not share their nonces do this, and servers whose clock jumps.",
                ],
                evidence: [
                    Self.evidence(request, table, fields, "a prompt answer"),
                    Self.evidence(c.steps[refused], table, fields, "stale once more, the last of \(longest.count)"),
                ], culprit: .proved(Self.name(c.server(request, table))), confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "Let all servers behind that address share nonces (one secret for all), or send each phone to the same one (sticky balancing)."
                    ),
                    Remedy(.server, "If there is only one, check its clock and the lifetime of its nonces."),
                ], subject: Self.subject(c, request, table))
        }
        return true
    }

    /// Another request of the dialog was sent before this one was settled.
    private func isCrossed(_ index: Int, _ history: AuthHistory) -> Bool {
        let attempt = history.attempts[index]
        guard let step = attempt.step, let response = attempt.response, let used = history.challenge(for: attempt) else {
            return true
        }
        return history.attempts.enumerated().contains { other, later in
            guard other != index, other != history.challenges[used].attempt, let sent = later.step else { return false }
            return sent < response && (later.response ?? Int.max) > step
        }
    }
}
