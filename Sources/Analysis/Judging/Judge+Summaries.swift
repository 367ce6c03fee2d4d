import Base
import Capture

extension Judge {
    /// Most registrations described in full; those with a finding always are.
    static let mostRegistrations = 2_000

    /// One registration's challenges, answers, mappings and keepalives.
    mutating func summarise(_ history: AuthHistory, _ c: DialogCase, _ table: SignallingTable) {
        guard c.isFinal, registrations.count < Self.mostRegistrations || c.dialog.progress.contains(.accused) else { return }
        let flow = table.flows[c.dialog.flow]
        var summary = RegistrationSummary(
            dialog: c.number, aor: c.aor, vantage: c.dialog.vantage,
            server: c.dialog.legs.first.flatMap { $0.server.isKnown ? $0.server.endpoint : nil }, challenges: [], mappings: [],
            grantedExpires: c.dialog.granted == Step.noNumber ? nil : c.dialog.granted)
        for (index, challenge) in history.challenges.enumerated().prefix(64) {
            let step = c.steps[challenge.step]
            let client = c.client(step, table)
            summary.challenges.append(
                .init(
                    nonce: Self.nonce(step, table), place: step.record.place, time: step.record.time,
                    sequence: step.record.sequence,
                    sentTo: client.isKnown || client.port != 0 ? client.endpoint : nil, isStale: challenge.isStale,
                    answers: challenge.answers.map { answer($0, to: index, history, c, table) },
                    outstanding: outstanding(at: index, history)))
        }
        for step in c.steps where step.flags.contains(.fromClient) || summary.mappings.isEmpty {
            note(c.client(step, table), step, in: &summary)
        }
        if let flow {
            let gaps = flow.gaps.sorted()
            if gaps.count >= 3 { summary.keepaliveInterval = .milliseconds(Int64(gaps[gaps.count / 2])) }
            if flow.provenIdle > 0 { summary.mappingLivedAtLeast = .milliseconds(Int64(flow.provenIdle)) }
        }
        let gone = (table.expiries[c.number] ?? []).map(\.pending.idle) + c.steps.filter { $0.idle >= 20_000 }.map(\.idle)
        if let shortest = gone.min() { summary.mappingGoneAfter = .milliseconds(Int64(shortest)) }
        registrations.append(summary)
    }

    private func answer(
        _ attempt: Int, to challenge: Int, _ history: AuthHistory, _ c: DialogCase, _ table: SignallingTable
    ) -> RegistrationSummary.Answer {
        let given = history.attempts[attempt]
        let step = c.steps[given.step ?? 0]
        let source = table.endpoints[step.record.source]
        return .init(
            place: step.record.place, time: step.record.time, sequence: step.record.sequence,
            source: source.isKnown || source.port != 0 ? source.endpoint : nil,
            isSuperseded: history.superseding(challenge, by: attempt, c) != nil, status: given.response.map { c.steps[$0].status }
        )
    }

    private func outstanding(at index: Int, _ history: AuthHistory) -> Int {
        let step = history.challenges[index].step
        return history.challenges[...index].filter { challenge in
            !challenge.answers.contains { history.attempts[$0].step.map { $0 < step } ?? false }
        }.count
    }

    private func note(_ client: PackedEndpoint, _ step: Step, in summary: inout RegistrationSummary) {
        guard client.isKnown || client.port != 0 else { return }
        if let last = summary.mappings.indices.last, summary.mappings[last].client == client.endpoint {
            summary.mappings[last].messages += 1
            summary.mappings[last].last = step.record.time
        } else if summary.mappings.count < 64 {
            summary.mappings.append(
                .init(
                    client: client.endpoint, first: step.record.time, last: step.record.time, place: step.record.place,
                    messages: 1))
        }
    }
}
