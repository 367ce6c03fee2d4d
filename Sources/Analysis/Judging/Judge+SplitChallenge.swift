import Base
import Capture

extension Judge {
    private static let fewestSplits = 3

    /// Challenges that are answered from another public address than they went to, or to another server than they came from, and refused
    /// each time: the one that is asked does not know the nonce, or not for that address.
    mutating func splitChallenges(_ history: AuthHistory, _ c: inout DialogCase, _ table: SignallingTable) -> Bool {
        guard history.firstSuccess == nil, c.dialog.kind == .registration || c.dialog.kind == .call else { return false }
        var moved: [(challenge: Int, answer: Int, refusal: Int)] = []
        var elsewhere: [(challenge: Int, answer: Int, refusal: Int)] = []
        for attempt in history.attempts where attempt.hasCredentials {
            guard let answer = attempt.step, let refusal = attempt.response, let used = history.challenge(for: attempt),
                c.steps[refusal].status == 401 || c.steps[refusal].status == 407
            else { continue }
            let challenge = history.challenges[used].step
            let (asked, told) = (c.steps[challenge].record, c.steps[answer].record)
            let (from, to) = (table.endpoints[told.source].address, table.endpoints[told.destination].address)
            let (asker, addressee) = (table.endpoints[asked.source].address, table.endpoints[asked.destination].address)
            guard !from.isUnknown, !to.isUnknown, !asker.isUnknown, !addressee.isUnknown else { continue }
            if asker == to, addressee != from, !addressee.isPrivateNetwork, !from.isPrivateNetwork {
                moved.append((challenge, answer, refusal))
            } else if asker != to, addressee == from {
                elsewhere.append((challenge, answer, refusal))
            }
        }
        let credentials = history.attempts.filter(\.hasCredentials).count
        if moved.count >= Self.fewestSplits, moved.count == credentials {
            twoWays(moved, &c, table)
            return true
        }
        if elsewhere.count >= Self.fewestSplits, elsewhere.count == credentials {
            twoServers(elsewhere, &c, table)
            return true
        }
        return false
    }

    private mutating func twoWays(
        _ rounds: [(challenge: Int, answer: Int, refusal: Int)], _ c: inout DialogCase, _ table: SignallingTable
    ) {
        let first = rounds[0]
        let (challenge, answer) = (c.steps[first.challenge], c.steps[first.answer])
        let (old, new) = (table.endpoints[challenge.record.destination].address, table.endpoints[answer.record.source].address)
        let server = c.server(answer, table)
        report(.natPortJump, .fault, variant: 2, server, &c) { c in
            Finding(
                .natPortJump, .fault,
                "\(c.who) cannot \(answer.method == .register ? "register" : "call"): its requests leave by two lines in turn. The challenge goes to "
                    + "\(old), the answer comes from \(new), and \(Self.name(server)) refuses it, \(rounds.count) times.",
                details: ["Many servers take a nonce only from the address that it was made for."],
                evidence: Self.split(first, c, table),
                culprit: .between("the phone behind \(old) and \(new)", Self.name(server)), confidence: .likely,
                remedies: [
                    Remedy(
                        .router,
                        "Let all that goes to \(server.address) leave by one line: a rule for that address or port, in place of balancing by packet or connection."
                    ),
                    Remedy(.phone, "Register over TCP or TLS: a connection stays with one line."),
                ], subject: Self.subject(c, answer, table))
        }
    }

    private mutating func twoServers(
        _ rounds: [(challenge: Int, answer: Int, refusal: Int)], _ c: inout DialogCase, _ table: SignallingTable
    ) {
        let first = rounds[0]
        let (challenge, answer) = (c.steps[first.challenge], c.steps[first.answer])
        let (asker, server) = (table.endpoints[challenge.record.source], table.endpoints[answer.record.destination])
        report(.authStaleLoop, .fault, variant: 2, server, &c) { c in
            Finding(
                .authStaleLoop, .fault,
                "\(c.who) cannot \(answer.method == .register ? "register" : "call"): the challenge comes from \(Self.name(asker)), the answer goes to "
                    + "\(Self.name(server)), which does not know that nonce and refuses it, \(rounds.count) times.",
                details: ["The name of the server leads to several addresses, and the phone takes another for each request."],
                evidence: Self.split(first, c, table), culprit: .between(Self.name(c.client(answer, table)), Self.name(server)),
                confidence: .likely,
                remedies: [
                    Remedy(
                        .phone, "Let the phone stay with one address: enter it in place of the name, or name an outbound proxy."),
                    Remedy(.server, "Let all servers behind that name share nonces (one secret for all)."),
                ], subject: Self.subject(c, answer, table))
        }
    }

    private static func split(
        _ round: (challenge: Int, answer: Int, refusal: Int), _ c: DialogCase, _ table: SignallingTable
    ) -> [Evidence] {
        [
            evidence(c.steps[round.challenge], table, credentialFields, "the challenge"),
            evidence(c.steps[round.answer], table, credentialFields, "its answer"),
            evidence(c.steps[round.refusal], table, credentialFields, "refused"),
        ]
    }

    /// Credentials for one server that another had challenged: that it refuses them says nothing of the password.
    func answersElsewhere(
        _ attempt: AuthHistory.Attempt, _ history: AuthHistory, _ c: DialogCase, _ table: SignallingTable
    ) -> Bool {
        guard let step = attempt.step, let used = history.challenge(for: attempt),
            let asked = history.attempts[history.challenges[used].attempt].step
        else { return false }
        let (first, second) = (
            table.endpoints[c.steps[asked].record.destination].address, table.endpoints[c.steps[step].record.destination].address
        )
        return first != second && !first.isUnknown && !second.isUnknown
    }
}
