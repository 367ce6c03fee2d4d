import Base
import SIP
import SIPStack

/// Requests of our own towards the phones: keepalives and probes, all OPTIONS.
extension ServerNode {
    /// An OPTIONS to a binding (RFC 3261 11.1).
    func options(_ binding: Binding, on flow: FlowID, _ token: ClientToken) -> [UInt8] {
        let host = addresses.text(flow)
        var out: [UInt8] = []
        out.reserveCapacity(640)
        out.append(static: "OPTIONS ")
        // Headers of a URI have no place in a Request-URI (RFC 3261 19.1.1).
        out.append(contentsOf: binding.contact.prefix { $0 != UInt8(ascii: "?") })
        out.append(static: " SIP/2.0\r\nVia: SIP/2.0/")
        out.append(contentsOf: flow.transport.viaToken.utf8)
        out.append(0x20)
        out.append(contentsOf: host)
        out.append(static: ";rport;branch=")
        token.appendBranch(to: &out)
        if !binding.path.isEmpty {
            out.append(static: "\r\nRoute: ")
            out.append(contentsOf: binding.path)
        }
        out.append(static: "\r\nMax-Forwards: 70\r\nFrom: <sip:")
        out.append(contentsOf: host)
        out.append(static: ">;tag=")
        token.appendCore(to: &out)
        out.append(static: "\r\nTo: <")
        out.append(contentsOf: binding.contact.prefix { $0 != UInt8(ascii: "?") })
        out.append(static: ">\r\nCall-ID: ")
        token.appendCore(to: &out)
        out.append(UInt8(ascii: "@"))
        out.append(contentsOf: host.prefix { $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "[") })
        out.append(static: "\r\nCSeq: 1 OPTIONS\r\nContact: <sip:")
        out.append(contentsOf: host)
        out.append(static: ">\r\nAccept: application/sdp\r\n")
        if !settings.software.isEmpty {
            out.append(static: "User-Agent: ")
            for byte in settings.software.utf8 { out.append(byte < 0x20 ? 0x20 : byte) }
            out.append(static: "\r\n")
        }
        out.append(static: "Content-Length: 0\r\n\r\n")
        return out
    }

    // MARK: Deadlines of bindings

    /// Something of a record is due: expiries first, then keepalives.
    mutating func attend(_ slot: UInt32, at now: Instant) {
        guard let record = locations.record(slot) else { return }
        if record.locations.contains(where: { $0.binding.expires <= now }) {
            for location in record.locations where location.binding.expires <= now {
                tally.expired &+= 1
                traces.note(.unbound(record.aor, location.binding, .expired))
            }
            locations.replace(record.aor, with: record.locations.filter { $0.binding.expires > now })
            persistWithoutReply(record.aor)
            bindingsChanged(record.aor, at: now)
        }
        guard let remaining = locations.record(slot), remaining.aor == record.aor else { return }
        for index in remaining.locations.indices {
            if let due = remaining.locations[index].keepalive.deadline, due <= now { keepalive(slot, index, remaining, at: now) }
        }
        locations.reschedule(slot)
    }

    // MARK: Keepalive

    /// After a restart: all flows at once would be a burst, so each at its own time within one interval.
    mutating func spreadKeepalive(_ flow: FlowID, at now: Instant) -> KeepaliveState {
        guard flow.transport == .udp, let interval = settings.keepalive.interval else { return .off }
        let nanoseconds = max(interval.wholeNanoseconds, 1)
        return .waiting(until: now + .nanoseconds(Int64(registrarEntropy.next() % UInt64(nanoseconds))), misses: 0)
    }

    /// The next one, up to an eighth early, so that phones that registered together drift apart.
    mutating func nextKeepalive(at now: Instant) -> KeepaliveState {
        guard let interval = settings.keepalive.interval else { return .off }
        let early = UInt64(max(interval.wholeNanoseconds / 8, 1))
        return .waiting(until: now + interval - .nanoseconds(Int64(registrarEntropy.next() % early)), misses: 0)
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
            tally.keepalivesUnanswered &+= 1
            traces.note(.keepalive(record.aor, location.binding.flow, .unanswered(inARow: Int(misses))))
        }
        if Int(misses) >= max(settings.keepalive.failures, 1) {
            let again = settings.keepalive.deadInterval.map { now + $0 }
            locations.change(slot, index) { location in
                location.keepalive = .dead(until: again)
                if case .reachable = location.binding.reach { location.binding.reach = .flowDead(since: now) }
            }
            if case .reachable = location.binding.reach {
                tally.flowsDied &+= 1
                traces.note(.flowDead(record.aor, location.binding, unanswered: Int(misses)))
                persistWithoutReply(record.aor, formerCount: record.locations.count)
            }
            return
        }
        guard let flow = ways.request(location.binding) else {
            locations.change(slot, index) { $0.keepalive = .off }
            return
        }
        guard keepaliveGauge.take(settings.limits.keepalives, at: now) else {
            tally.keepalivesPostponed &+= 1
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
        let number = UInt32(truncatingIfNeeded: registrarEntropy.next())
        // A dead flow has one try at a time: its next miss leaves it dead.
        if case .flowDead = location.binding.reach { misses = UInt16(clamping: max(settings.keepalive.failures, 1) - 1) }
        locations.change(slot, index) {
            $0.keepalive = .asked(token: number, at: now, until: now + settings.keepalive.answerWithin, misses: misses)
        }
        tally.keepalivesSent &+= 1
        send(options(location.binding, on: flow, ClientToken(.keepalive, place: slot, number: number)), on: flow, .keepalive)
    }

    /// Whether a response answers a keepalive of ours.
    mutating func keepaliveAnswered(
        _ token: ClientToken, _ message: SIPMessage, _ status: Int, on flow: FlowID, at now: Instant
    ) -> Bool {
        guard let record = locations.record(token.place) else { return false }
        for index in record.locations.indices {
            if case .proving(token.number, _, 1...) = record.locations[index].keepalive {
                traces.note(.received(flow, message, meaning: .keepaliveAnswer))
                questionAnswered(token.place, index, record.aor, record.locations[index].binding, status, on: flow, at: now)
                return true
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
            tally.keepalivesAnswered &+= 1
            traces.note(.received(flow, message, meaning: .keepaliveAnswer))
            traces.note(.keepalive(record.aor, binding.flow, .answered(status: status, after: now - asked)))
            let isRevived = if case .flowDead = binding.reach { true } else { false }
            if isRevived {
                tally.flowsRevived &+= 1
                traces.note(.flowRevived(record.aor, binding))
            }
            noteHeard(token.place, index, record, isNews: isRevived, at: now)
            return true
        }
        return false
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
    mutating func closed(_ flow: FlowID, at now: Instant) {
        for slot in (streams.removeValue(forKey: flow) ?? []).sorted() {
            guard let record = locations.record(slot) else { continue }
            for index in record.locations.indices where record.locations[index].binding.flow == flow {
                locations.change(slot, index) { $0.binding.reach = .connectionLost(since: now) }
                traces.note(.flowDead(record.aor, record.locations[index].binding, unanswered: 0))
            }
            persistWithoutReply(record.aor, formerCount: record.locations.count)
        }
    }

    // MARK: Probes

    mutating func probe(_ aor: AddressOfRecord, at now: Instant) {
        let found = locations.locations(of: aor)
        guard !found.isEmpty else { return outbox.append(.probed(aor: aor, [])) }
        let round = probes.open(.init(aor: aor, outcomes: Array(repeating: nil, count: found.count)))
        for (index, location) in found.enumerated() {
            tally.probes &+= 1
            let binding = location.binding
            guard binding.reach == .reachable || location.keepalive.isUnproved else {
                conclude(round, index, binding, binding.flow, .unreachable); continue
            }
            guard let flow = ways.request(binding) else { conclude(round, index, binding, binding.flow, .unroutable); continue }
            guard !probes.isFull else { conclude(round, index, binding, flow, .refused); continue }
            let id = probes.nextID()
            let number = UInt32(truncatingIfNeeded: registrarEntropy.next())
            let bytes = options(binding, on: flow, ClientToken(.probe, place: id, number: number))
            probes.add(
                .init(
                    transaction: ClientNonInviteTransaction(isReliable: flow.transport.isReliable, at: now), number: number,
                    flow: flow,
                    bytes: bytes, began: now, round: round, index: index, contact: SIPText(binding.contact)), id: id)
            send(bytes, on: flow, .probe)
        }
    }

    mutating func retry(_ id: UInt32, at now: Instant) {
        guard let probe = probes.probes[id] else { return }
        let actions = probes.advance(id, to: now)
        if actions.contains(.sendRequest) { send(probe.bytes, on: probe.flow, .probe) }
        if actions.contains(.timeout) { conclude(probe, .timedOut) }
    }

    mutating func probeAnswered(
        _ token: ClientToken, _ message: SIPMessage, _ status: Int, on flow: FlowID, at now: Instant
    ) -> Bool {
        guard let probe = probes.probes[token.place], probe.number == token.number else { return false }
        traces.note(.received(flow, message, meaning: .probeAnswer))
        let actions = probes.receive(token.place, status: status, at: now)
        if actions.contains(.deliver), status >= 200 { conclude(probe, .answered(status: status, after: now - probe.began)) }
        return true
    }

    private mutating func conclude(
        _ round: UInt32, _ index: Int, _ binding: Binding, _ flow: FlowID, _ result: ProbeOutcome.Result
    ) {
        conclude(
            round, index, ProbeOutcome(contact: String(decoding: binding.contact, as: UTF8.self), flow: flow, result: result))
    }

    private mutating func conclude(_ probe: ProbeTable.Probe, _ result: ProbeOutcome.Result) {
        conclude(probe.round, probe.index, ProbeOutcome(contact: probe.contact.string, flow: probe.flow, result: result))
    }

    private mutating func conclude(_ round: UInt32, _ index: Int, _ outcome: ProbeOutcome) {
        guard let done = probes.conclude(round, index, outcome) else { return }
        let outcomes = done.outcomes.compactMap { $0 }
        for outcome in outcomes { traces.note(.probed(done.aor, outcome)) }
        outbox.append(.probed(aor: done.aor, outcomes))
    }
}
