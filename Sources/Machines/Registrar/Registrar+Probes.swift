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
            let id = probes.nextID()
            let number = UInt32(truncatingIfNeeded: entropy.next())
            let bytes = options(binding, on: flow, ClientToken(.probe, place: id, number: number))
            probes.add(
                .init(
                    transaction: ClientNonInviteTransaction(isReliable: flow.transport.isReliable, at: now), number: number,
                    flow: flow,
                    bytes: bytes, began: now, round: round, index: index, contact: contact), id: id)
            outbox.append(.send(on: flow, bytes, .probe))
        }
    }

    mutating func retry(_ id: UInt32, at now: Instant) {
        guard let probe = probes.probes[id] else { return }
        let actions = probes.advance(id, to: now)
        if actions.contains(.sendRequest) { outbox.append(.send(on: probe.flow, probe.bytes, .probe)) }
        if actions.contains(.timeout) { conclude(probe.round, probe.index, probe.contact, probe.flow, .timedOut) }
    }

    /// The answer to a probe that `expects` it.
    mutating func probeAnswered(_ token: ClientToken, _ status: Int, at now: Instant) {
        guard let probe = probes.probes[token.place] else { return }
        let actions = probes.receive(token.place, status: status, at: now)
        guard actions.contains(.deliver), status >= 200 else { return }
        let result = ProbeOutcome.Result.answered(status: status, after: now - probe.began)
        conclude(probe.round, probe.index, probe.contact, probe.flow, result)
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
