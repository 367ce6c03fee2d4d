import Base
import SIP
import SIPStack

/// Probes: OPTIONS that somebody asked for, to every binding of a user.
extension Registrar {
    /// Sends OPTIONS to every binding of a user; ends in `.probed`.
    package mutating func probe(_ aor: AddressOfRecord, at now: Instant) {
        let found = locations.locations(of: aor)
        guard !found.isEmpty else { return outbox.append(.probed(aor, [])) }
        let round = probes.open(.init(aor: aor, outcomes: Array(repeating: nil, count: found.count)))
        for (index, location) in found.enumerated() {
            counters.probes &+= 1
            let binding = location.binding
            let contact = SIPText(binding.contact)
            guard binding.reach == .reachable || location.keepalive.isUnproved else {
                conclude(round, index, contact, binding.flow, .unreachable); continue
            }
            guard let flow = ways.request(binding) else { conclude(round, index, contact, binding.flow, .unroutable); continue }
            guard !probes.isFull else { conclude(round, index, contact, flow, .refused); continue }
            let token = probeTokens.next()
            let probe = Probe(round: round, index: index, contact: contact, began: now)
            probes.began()
            outbox.append(.ask(ClientRequest(.options, options(binding, on: flow, token), token, on: flow, probe)))
        }
    }

    /// What became of a probe.
    package mutating func came(_ outcome: ClientOutcome, of sent: ClientRequest<ClientToken, Probe>, at now: Instant) {
        let result: ProbeOutcome.Result
        switch outcome {
        case .response(_, ..<200), .unwanted: return
        case .response(_, let status): result = .answered(status: status, after: now - sent.user.began)
        case .timeout: result = .timedOut
        case .unsent: result = .refused
        case .failed: result = .unreachable
        }
        probes.ended()
        conclude(sent.user.round, sent.user.index, sent.user.contact, sent.flow, result)
    }

    private mutating func conclude(
        _ round: UInt32, _ index: Int, _ contact: SIPText, _ flow: FlowID, _ result: ProbeOutcome.Result
    ) {
        let outcome = ProbeOutcome(contact: contact.string, flow: flow, result: result)
        guard let done = probes.conclude(round, index, outcome) else { return }
        let outcomes = done.outcomes.compactMap { $0 }
        for outcome in outcomes { note(.probed(done.aor, outcome)) }
        outbox.append(.probed(done.aor, outcomes))
    }
}
