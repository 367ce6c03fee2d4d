import Base
import SIP
import SIPStack

/// What time does to bindings, and what keeps their flows alive (RFC 5626 4.4, 5.2).
extension Registrar {
    /// Something of a record is due: expiries first, then keepalives.
    mutating func attend(_ slot: UInt32, at now: Instant) {
        guard let record = locations.record(slot) else { return }
        if record.locations.contains(where: { $0.binding.expires <= now }) {
            for location in record.locations where location.binding.expires <= now {
                counters.expired &+= 1
                note(.unbound(record.aor, location.binding, .expired))
            }
            locations.replace(record.aor, with: record.locations.filter { $0.binding.expires > now })
            persistWithoutReply(record.aor)
            outbox.append(.changed(record.aor))
        }
        guard let remaining = locations.record(slot), remaining.aor == record.aor else { return }
        for index in remaining.locations.indices {
            if let due = remaining.locations[index].keepalive.deadline, due <= now { keepalive(slot, index, remaining, at: now) }
        }
        locations.reschedule(slot)
    }

    private mutating func keepalive(_ slot: UInt32, _ index: Int, _ record: LocationTable.Record, at now: Instant) {
        let location = record.locations[index]
        var misses: UInt16 = 0
        switch location.keepalive {
        case .off, .unproved: return
        case .proving(let token, _, let asked):
            return question(slot, index, record.aor, location.binding, token, asked, at: now)
        case .dead: break
        case .waiting(_, let before): misses = before
        case .asked(_, _, _, let before):
            misses = before &+ 1
            counters.keepalivesUnanswered &+= 1
            note(.keepalive(record.aor, location.binding.flow, .unanswered(inARow: Int(misses))))
        }
        if Int(misses) >= max(settings.keepalive.failures, 1) {
            let again = settings.keepalive.deadInterval.map { now + $0 }
            locations.change(slot, index) { location in
                location.keepalive = .dead(until: again)
                if case .reachable = location.binding.reach { location.binding.reach = .flowDead(since: now) }
            }
            if case .reachable = location.binding.reach {
                counters.flowsDied &+= 1
                note(.flowDead(record.aor, location.binding, unanswered: Int(misses)))
                persistWithoutReply(record.aor, formerCount: record.locations.count)
            }
            return
        }
        guard let flow = ways.request(location.binding) else {
            locations.change(slot, index) { $0.keepalive = .off }
            return
        }
        guard keepaliveGauge.take(settings.limits.keepalives, at: now) else {
            counters.keepalivesPostponed &+= 1
            let free = keepaliveGauge.nextFree(settings.limits.keepalives, at: now)
            let later = keepaliveLine.reserve(settings.limits.keepalives, notBefore: max(free, now + .milliseconds(1)))
            locations.change(slot, index) { location in
                if case .dead = location.keepalive {
                    location.keepalive = .dead(until: later)
                } else {
                    location.keepalive = .waiting(until: later, misses: misses)
                }
            }
            return
        }
        let number = UInt32(truncatingIfNeeded: entropy.next())
        // A dead flow has one try at a time: its next miss leaves it dead.
        if case .flowDead = location.binding.reach { misses = UInt16(clamping: max(settings.keepalive.failures, 1) - 1) }
        locations.change(slot, index) {
            $0.keepalive = .asked(token: number, at: now, until: now + settings.keepalive.answerWithin, misses: misses)
        }
        counters.keepalivesSent &+= 1
        ask(location.binding, on: flow, ClientToken(.keepalive, place: slot, number: number))
    }

    /// The answer to a keepalive that `expects` it.
    mutating func keepaliveAnswered(_ token: ClientToken, _ status: Int, on flow: FlowID, at now: Instant) {
        guard let record = locations.record(token.place) else { return }
        for index in record.locations.indices {
            if case .proving(token.number, _, 1...) = record.locations[index].keepalive {
                return questionAnswered(
                    token.place, index, record.aor, record.locations[index].binding, status, on: flow, at: now)
            }
            guard case .asked(token.number, let asked, _, _) = record.locations[index].keepalive else { continue }
            let binding = record.locations[index].binding
            let next = nextKeepalive(at: now)
            locations.change(token.place, index) { location in
                location.keepalive = next
                location.binding.answered = now
                if case .flowDead = location.binding.reach { location.binding.reach = .reachable }
            }
            locations.reschedule(token.place)
            counters.keepalivesAnswered &+= 1
            note(.keepalive(record.aor, binding.flow, .answered(status: status, after: now - asked)))
            let isRevived = if case .flowDead = binding.reach { true } else { false }
            if isRevived {
                counters.flowsRevived &+= 1
                note(.flowRevived(record.aor, binding))
            }
            return noteHeard(token.place, index, record, isNews: isRevived, at: now)
        }
    }

    /// Tells storage that a phone answers: at once where that is news, else now and then.
    private mutating func noteHeard(_ slot: UInt32, _ index: Int, _ record: LocationTable.Record, isNews: Bool, at now: Instant) {
        let location = record.locations[index]
        let last = max(location.noted ?? .epoch, location.binding.updated)
        guard
            isNews || now - last >= settings.limits.heardNoteInterval && heardNoteGauge.take(settings.limits.heardNotes, at: now)
        else { return }
        // All of the record goes to storage.
        for index in record.locations.indices { locations.change(slot, index) { $0.noted = now } }
        persistWithoutReply(record.aor, formerCount: record.locations.count)
    }

    /// A connection is gone.
    package mutating func closed(_ flow: FlowID, at now: Instant) {
        for slot in (streams.removeValue(forKey: flow) ?? []).sorted() {
            guard let record = locations.record(slot) else { continue }
            for index in record.locations.indices where record.locations[index].binding.flow == flow {
                locations.change(slot, index) { $0.binding.reach = .connectionLost(since: now) }
                note(.flowDead(record.aor, record.locations[index].binding, unanswered: 0))
            }
            persistWithoutReply(record.aor, formerCount: record.locations.count)
        }
    }
}
