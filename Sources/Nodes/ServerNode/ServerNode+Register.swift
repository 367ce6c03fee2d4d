import Base
import SIP
import SIPStack

/// REGISTER, step by step (RFC 3261 10.3, RFC 5626 6, RFC 3327 5.3).
extension ServerNode {
    mutating func register(_ incoming: inout ServerRequest, _ target: SIPURI, at now: Instant) {
        var request = incoming
        defer { incoming = request }
        let (place, jumps) = attempts.arrive(keys.text(request.callID.bytes), from: request.flow.remote, at: now)
        request.attempt = place
        if !jumps.isEmpty { traces.note(.notice(.portJumps(callID: request.callID, attempts.seen(place)))) }
        // Step 1.
        guard domains.domain(target.host, local: request.flow.local) != nil else {
            return refuse(&request, 404, .foreignDomain(SIPText(target.host.description)), at: now)
        }
        // Step 3; step 2, extensions, is behind us.
        guard let account = authenticate(&request, at: now) else { return }
        // Steps 4 and 5. Until here an address of record that exists and one that does not looked the same.
        guard case .sip(let aorURI) = request.parts.to.uri,
            let domain = domains.domain(aorURI.host, local: request.flow.local), let user = aorURI.unescapedUser
        else { return refuse(&request, 404, .unknownAOR, at: now) }
        let aor = AddressOfRecord(user: user.bytes, domain: domain.bytes)
        guard account.mayRegister(user: user, domain: domain) else {
            return refuse(&request, 403, .notTheirs(aor, username: account.user), at: now)
        }
        guard commits.count < settings.limits.pendingCommits else { return refuse(&request, 503, .tablesFull, at: now) }
        let registration: Registration
        do throws(ServerTrace.Refusal) {
            registration = try reader.registration(request, aor, jumps, on: ways.home(request))
        } catch {
            return refuseRegistration(&request, error, at: now)
        }
        remember(request, at: now)
        apply(registration, &request, at: now)
    }

    /// Steps 6 to 8.
    private mutating func apply(_ registration: Registration, _ request: inout ServerRequest, at now: Instant) {
        let current = locations.locations(of: registration.aor)
        var rules = self.rules
        if isStorageFailing { rules.expiry.longest = min(rules.expiry.longest, rules.expiry.unstored) }
        switch rules.rule(registration, over: current, at: now) {
        case .refused(let refusal): refuseRegistration(&request, refusal, at: now)
        case .granted(let granted, let events):
            guard locations.count + granted.count - current.count <= settings.limits.bindings || granted.count <= current.count
            else {
                traces.note(.notice(.tableFull("bindings")))
                return refuse(&request, 503, .tablesFull, at: now)
            }
            let former = current.first?.binding.verdict
            let granted = events.isEmpty ? granted : install(registration.aor, granted, former: current, at: now)
            for event in events { note(event, registration.aor) }
            if calls.count > 0 { moveCalls(registration.aor, events, former: current) }
            if case .update = registration.wish, former != registration.verdict {
                traces.note(.notice(.path(registration.aor, registration.verdict, registration.flow)))
            }
            grant(registration, granted, isChanged: !events.isEmpty, formerCount: current.count, &request, at: now)
            if !events.isEmpty { bindingsChanged(registration.aor, at: now) }
        }
    }

    /// Calls of a phone that registered from another place go there too.
    private mutating func moveCalls(_ aor: AddressOfRecord, _ events: [RegistrarRules.Event], former: [LocationTable.Location]) {
        for case .bound(let binding, let kind) in events {
            switch kind {
            case .flowChanged(let flow): follow(aor, from: flow, to: binding.flow)
            case .replaced(let contact):
                guard let old = former.first(where: { $0.binding.contact == contact.bytes }) else { continue }
                follow(aor, from: old.binding.flow, to: binding.flow)
            case .added, .refreshed: break
            }
        }
    }

    private mutating func refuseRegistration(_ request: inout ServerRequest, _ refusal: ServerTrace.Refusal, at now: Instant) {
        switch refusal {
        case .tooBrief(_, let shortest):
            var reply = ReplyWriter.Reply(423)
            reply.add("Min-Expires", number: shortest)
            refuse(&request, reply, refusal, at: now)
        case .outOfOrder:
            tally.outOfOrder &+= 1
            refuse(&request, ReplyWriter.Reply(500, reason: "CSeq Out Of Order"), refusal, at: now)
        case .tooManyContacts: refuse(&request, ReplyWriter.Reply(403, reason: "Too Many Contacts"), refusal, at: now)
        case .firstHopLacksOutbound: refuse(&request, 439, refusal, at: now)
        default: refuse(&request, 400, refusal, at: now)
        }
    }

    /// Makes bindings visible, with their keepalives.
    private mutating func install(
        _ aor: AddressOfRecord, _ granted: [LocationTable.Location], former: [LocationTable.Location], at now: Instant
    ) -> [LocationTable.Location] {
        var list = granted
        for index in list.indices where list[index].binding.updated == now {
            list[index].begin(former: former, ways: ways, keepalive: settings.keepalive.interval, at: now)
        }
        guard let slot = locations.replace(aor, with: list) else { return list }
        for location in list where location.binding.flow.transport.isReliable {
            streams[location.binding.flow, default: []].insert(slot)
        }
        return list
    }

    private mutating func note(_ event: RegistrarRules.Event, _ aor: AddressOfRecord) {
        switch event {
        case .bound(let binding, let kind):
            switch kind {
            case .added: tally.bound &+= 1
            case .refreshed, .flowChanged: tally.refreshed &+= 1
            case .replaced: tally.moved &+= 1
            }
            traces.note(.bound(aor, binding, kind))
        case .unbound(let binding, let reason):
            tally.unbound &+= 1
            traces.note(.unbound(aor, binding, reason))
        }
    }

    /// Step 8: the 200, at once or when the change is durable. While storage fails nothing becomes durable, and the 200 promises
    /// no more than `Expiry.unstored`: docs/decisions/0012.
    private mutating func grant(
        _ registration: Registration, _ granted: [LocationTable.Location], isChanged: Bool, formerCount: Int,
        _ request: inout ServerRequest, at now: Instant
    ) {
        let isStored = isChanged && settings.isPersistent
        if isStored {
            let sequence = commits.nextSequence()
            let change = RegistrarChange(aor: registration.aor, bindings: granted.map(\.binding), formerCount: formerCount)
            outbox.append(.persist(sequence: sequence, change))
            if !isStorageFailing {
                let reply = CommitQueue.HeldReply(registration: registration, granted: granted, request: request, at: now)
                return commits.append(.init(sequence: sequence, reply: reply))
            }
            tally.registeredUnstored &+= 1
        }
        answer(&request, success(registration, granted, at: now), .registered(bindings: granted.count), at: now)
    }

    private mutating func success(
        _ registration: Registration, _ granted: [LocationTable.Location], at now: Instant
    ) -> ReplyWriter.Reply {
        var reply = ReplyWriter.Reply(200)
        for location in granted {
            let binding = location.binding
            reply.lines.append(static: "Contact: <")
            reply.lines.append(contentsOf: binding.contact)
            reply.lines.append(static: ">")
            reply.lines.append(contentsOf: binding.parameters)
            if binding.q < 1000 {
                reply.lines.append(static: ";q=0.")
                reply.lines.append(contentsOf: [
                    0x30 + UInt8(binding.q / 100), 0x30 + UInt8(binding.q / 10 % 10), 0x30 + UInt8(binding.q % 10),
                ])
            }
            reply.lines.append(static: ";expires=")
            // Rounded up: a fresh binding shows what was granted.
            let left = max(0, (binding.expires - now).wholeNanoseconds)
            reply.lines.append(decimal: UInt64(left / 1_000_000_000 + (left % 1_000_000_000 == 0 ? 0 : 1)))
            reply.lines.append(static: "\r\n")
        }
        writer.addDate(now, to: &reply)
        guard settings.profile == .pinhole else { return reply }
        if !registration.path.isEmpty { reply.add("Path", registration.path) }
        writer.addServiceRoutes(to: &reply)
        reply.add("Supported", ReplyWriter.supported.utf8)
        if registration.usesOutbound {
            reply.add("Require", "outbound".utf8)
            reply.add("Flow-Timer", number: settings.flowTimer)
        }
        return reply
    }

    // MARK: Durability

    mutating func persisted(through sequence: UInt64, at now: Instant) {
        if isStorageFailing {
            isStorageFailing = false
            traces.note(.storageWorks)
        }
        while let done = commits.popFirst(through: sequence) {
            tally.commits &+= 1
            if let reply = done.reply { answer(reply, at: now) }
        }
    }

    private mutating func answer(_ held: CommitQueue.HeldReply, at now: Instant) {
        var request = held.request
        let reply = success(held.registration, held.granted, at: now)
        answer(&request, reply, .registered(bindings: held.granted.count), at: now)
    }

    /// Storage works no more: what waits for it is answered all the same, for `Expiry.unstored` at most, and so is what comes from now on.
    /// Storage keeps the changes and says `.persisted` when it has them.
    mutating func persistFailed(_ reason: String, at now: Instant) {
        isStorageFailing = true
        var waiting: [CommitQueue.HeldReply] = []
        while let failed = commits.popFirst(through: .max) {
            tally.commitsFailed &+= 1
            if let reply = failed.reply { waiting.append(reply) }
        }
        traces.note(.commitFailed(reason: reason, requests: waiting.count))
        for var reply in waiting {
            let aor = reply.registration.aor
            shorten(&reply.granted, since: reply.at, at: now)
            var current = locations.locations(of: aor)
            if shorten(&current, since: reply.at, at: now) {
                locations.replace(aor, with: current)
                persistWithoutReply(aor)
            }
            tally.registeredUnstored &+= 1
            answer(reply, at: now)
        }
    }

    /// What was registered since `start` ends after `Expiry.unstored`. Returns whether that changes anything.
    @discardableResult
    private func shorten(_ locations: inout [LocationTable.Location], since start: Instant, at now: Instant) -> Bool {
        let latest = now + .seconds(Int64(settings.expiry.unstored))
        var isChanged = false
        for index in locations.indices
        where locations[index].binding.updated >= start && locations[index].binding.expires > latest {
            locations[index].binding.expires = latest
            isChanged = true
        }
        return isChanged
    }

    /// Bindings of an earlier life. Their phones' UDP flows are taken to live still; connections are gone.
    mutating func restore(_ stored: [StoredBinding], at now: Instant) {
        var lists: [AddressOfRecord: [LocationTable.Location]] = [:]
        var order: [AddressOfRecord] = []
        var counts = (restored: 0, unreachable: 0, refused: 0)
        var incomplete: Set<AddressOfRecord> = []
        for entry in stored {
            if lists[entry.aor] == nil { order.append(entry.aor) }
            guard entry.binding.expires > now, locations.count + counts.restored < settings.limits.bindings else {
                counts.refused += 1
                incomplete.insert(entry.aor)
                lists[entry.aor, default: []] += []
                continue
            }
            var location = LocationTable.Location(binding: entry.binding)
            if entry.binding.flow.transport.isReliable {
                if case .reachable = entry.binding.reach { location.binding.reach = .connectionLost(since: now) }
                if entry.binding.opensTo == nil { counts.unreachable += 1 }
            } else {
                restoreUDP(&location, at: now)
            }
            lists[entry.aor, default: []].append(location)
            counts.restored += 1
        }
        for aor in order {
            let list = lists[aor] ?? []
            locations.replace(aor, with: list)
            // What had expired meanwhile is taken out of storage as well.
            if incomplete.contains(aor) { persistWithoutReply(aor) }
        }
        traces.note(.restored(bindings: counts.restored, unreachable: counts.unreachable, refused: counts.refused))
    }

    /// Stores what `aor` has now; nobody waits for it.
    mutating func persistWithoutReply(_ aor: AddressOfRecord, formerCount: Int = .max) {
        guard settings.isPersistent else { return }
        let sequence = commits.nextSequence()
        if !isStorageFailing { commits.append(.init(sequence: sequence)) }
        outbox.append(
            .persist(
                sequence: sequence,
                RegistrarChange(aor: aor, bindings: locations.locations(of: aor).map(\.binding), formerCount: formerCount)))
    }
}
