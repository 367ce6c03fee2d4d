import Base
import SIP
import SIPStack

/// REGISTER, from where it is proved and read (RFC 3261 10.3 steps 6 to 8).
extension Registrar {
    /// Throws where it changes nothing; otherwise `.registered` follows, at once or when the change is durable.
    package mutating func register(_ registration: Registration, _ request: ServerRequest, at now: Instant) throws(Refusal) {
        let current = locations.locations(of: registration.aor)
        var rules = self.rules
        if isStorageFailing { rules.expiry.longest = min(rules.expiry.longest, rules.expiry.unstored) }
        var (granted, events) = try rules.rule(registration, over: current, at: now)
        guard locations.count + granted.count - current.count <= settings.limits.bindings || granted.count <= current.count else {
            note(.full)
            throw .tablesFull
        }
        let former = current.first?.binding.verdict
        if !events.isEmpty { install(registration.aor, &granted, former: current, at: now) }
        for event in events { note(event, registration.aor) }
        noteMoves(registration.aor, events, former: current)
        if case .update = registration.wish, former != registration.verdict {
            note(.path(registration.aor, registration.verdict, registration.flow))
        }
        grant(registration, granted, isChanged: !events.isEmpty, formerCount: current.count, request, at: now)
        if !events.isEmpty { outbox.append(.changed(registration.aor)) }
    }

    private mutating func noteMoves(_ aor: AddressOfRecord, _ events: [RegistrarRules.Event], former: [LocationTable.Location]) {
        for case .bound(let binding, let kind) in events {
            switch kind {
            case .flowChanged(let flow): outbox.append(.moved(aor, from: flow, to: binding.flow))
            case .replaced(let contact):
                guard let old = former.first(where: { $0.binding.contact == contact.bytes }) else { continue }
                outbox.append(.moved(aor, from: old.binding.flow, to: binding.flow))
            case .added, .refreshed: break
            }
        }
    }

    /// Makes bindings visible, with their keepalives.
    private mutating func install(
        _ aor: AddressOfRecord, _ list: inout [LocationTable.Location], former: [LocationTable.Location], at now: Instant
    ) {
        for index in list.indices where list[index].binding.updated == now {
            list[index].begin(former: former, ways: ways, keepalive: settings.keepalive.interval, at: now)
        }
        guard let slot = locations.replace(aor, with: list) else { return }
        for location in list where location.binding.flow.transport.isReliable {
            streams[location.binding.flow, default: []].insert(slot)
        }
    }

    private mutating func note(_ event: RegistrarRules.Event, _ aor: AddressOfRecord) {
        switch event {
        case .bound(let binding, let kind):
            switch kind {
            case .added: counters.bound &+= 1
            case .refreshed, .flowChanged: counters.refreshed &+= 1
            case .replaced: counters.moved &+= 1
            }
            note(.bound(aor, binding, kind))
        case .unbound(let binding, let reason):
            counters.unbound &+= 1
            note(.unbound(aor, binding, reason))
        }
    }

    /// The 200, at once or when the change is durable. While storage fails nothing becomes durable, and the 200 promises no more than
    /// `Expiry.unstored`: docs/decisions/0012.
    private mutating func grant(
        _ registration: Registration, _ granted: [LocationTable.Location], isChanged: Bool, formerCount: Int,
        _ request: ServerRequest, at now: Instant
    ) {
        let registered = Registered(
            request: request, aor: registration.aor, locations: granted, path: registration.path,
            usesOutbound: registration.usesOutbound, at: now)
        if isChanged, settings.isPersistent {
            let sequence = commits.nextSequence()
            let change = RegistrarChange(aor: registration.aor, bindings: granted.map(\.binding), formerCount: formerCount)
            outbox.append(.persist(sequence: sequence, change))
            if !isStorageFailing { return commits.append(.init(sequence: sequence, reply: registered)) }
            counters.registeredUnstored &+= 1
        }
        outbox.append(.registered(registered))
    }
}
