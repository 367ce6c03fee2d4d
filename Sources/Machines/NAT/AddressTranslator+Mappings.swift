import Base
import Packet

/// How mappings and their filter entries come, stay and go.
extension AddressTranslator {
    /// Makes a mapping; `outside`: where an expectation wants it. The first remote is not admitted yet.
    mutating func makeMapping(
        _ proto: NATProtocol, inside: PackedEndpoint, remote: PackedEndpoint?, origin: MappingOrigin, outside: PackedEndpoint?,
        _ now: Instant
    ) throws(Refusal) -> Int {
        try makeRoom(for: inside.address, now)
        var host = table.hostIndexMaking(inside.address)
        var chosen = chooseOutside(proto, inside, remote, host, outside)
        // A flood may use the ports up before it fills the table: the host's own flows make room first, nobody else's for its blocks.
        var tries = 0
        while chosen == nil, outside == nil, tries < 8, settings.limits.whenFull == .evictUnanswered,
            let victim = table.host(host)?.unanswered.oldest ?? (settings.ports.blocks == nil ? table.oldestUnanswered : nil)
        {
            tries += 1
            endMapping(victim, .evicted)
            host = table.hostIndexMaking(inside.address)
            chosen = chooseOutside(proto, inside, remote, host, nil)
        }
        guard let (address, port) = chosen else {
            releaseHostIfIdle(host)
            counters.refused &+= 1
            throw Refusal(.noFreePort, .prohibited)
        }
        let treatment = policy.treatment(proto, remotePort: proto == .icmp ? nil : remote?.port)
        var key: MappingKey?
        var filtering = treatment.filtering
        if case .expectation = origin {
            // The pinhole says who may come; and only their flows leave by it.
            filtering = .addressAndPortDependent
        } else {
            let dependence = treatment.mapping
            if dependence == .endpointIndependent || remote != nil {
                key = MappingKey(
                    side: SideKey(inside, proto, space: treatment.space),
                    remote: (remote ?? PackedEndpoint(bits: 0)).masked(dependence))
            }
            if let present = key, table.index(for: present) != nil { key = nil }
        }
        let record = MappingRecord(
            serial: 0, proto: proto, space: treatment.space, inside: inside,
            outside: PackedEndpoint(ports.addresses[address], port), address: address, remote: remote,
            filtering: filtering, origin: origin, key: key, host: host, created: now, lastUsed: now, expires: now, idle: 0)
        ports.take(proto, address, port)
        let index = table.insert(record)
        counters.created &+= 1
        extend(index, until: now.later(by: proto == .tcp ? policy.tcpTransitory : idle(index, remote)))
        if traces.isOn {
            let mapping = snapshot(index)
            traces.note(.created(mapping))
        }
        return index
    }

    private mutating func makeRoom(for host: IPv4Address, _ now: Instant) throws(Refusal) {
        let limits = settings.limits
        if let index = table.hostIndex(host), let record = table.host(index), record.mappings.count >= limits.mappingsPerHost {
            try evict(record.mappings.oldest, record.unanswered.oldest, orRefuse: .hostLimit)
        }
        if table.count >= limits.mappings { try evict(table.oldestIdle, table.oldestUnanswered, orRefuse: .mappingLimit) }
    }

    private mutating func evict(_ idle: Int?, _ unanswered: Int?, orRefuse reason: NATDropReason) throws(Refusal) {
        let victim: Int?
        switch settings.limits.whenFull {
        case .refuseNew: victim = nil
        case .evictUnanswered: victim = unanswered
        case .evictOldestIdle: victim = idle
        }
        guard let victim else {
            counters.refused &+= 1
            throw Refusal(reason, .prohibited)
        }
        endMapping(victim, .evicted)
    }

    /// The external address (by index) and port for a new mapping.
    private mutating func chooseOutside(
        _ proto: NATProtocol, _ inside: PackedEndpoint, _ remote: PackedEndpoint?, _ host: Int, _ wanted: PackedEndpoint?
    ) -> (address: Int, port: UInt16)? {
        if let wanted {
            guard let address = ports.addresses.firstIndex(of: wanted.address) else { return nil }
            return (address, wanted.port)
        }
        let count = ports.addresses.count
        let first: Int
        switch settings.pooling {
        case .paired: first = pairedAddress(for: inside.address)
        case .arbitrary: first = count == 1 ? 0 : Int.random(in: 0..<count, using: &ports.entropy)
        }
        for step in 0..<(settings.pooling == .paired ? 1 : count) {
            let address = (first + step) % count
            if let port = choosePort(proto, inside, remote, host, address) { return (address, port) }
        }
        return nil
    }

    /// The index of the external address that all mappings of `host` share under paired pooling.
    func pairedAddress(for host: IPv4Address) -> Int { Int(host.bits % UInt32(ports.addresses.count)) }

    private mutating func choosePort(
        _ proto: NATProtocol, _ inside: PackedEndpoint, _ remote: PackedEndpoint?, _ host: Int, _ address: Int
    ) -> UInt16? {
        if settings.ports.blocks != nil { return choosePortInBlocks(proto, inside, host, address) }
        if settings.ports.preservesPort, settings.ports.overloads, ports.isTaken(proto, address, inside.port) {
            let outside = SideKey(PackedEndpoint(ports.addresses[address], inside.port), proto)
            let isOccupied = remote.map { sessions.index(for: SessionKey(external: outside, remote: $0)) != nil } ?? false
            if table.isOutsideUsed(outside), !expectationTable.holds(outside), !reserved.contains(outside), !isOccupied {
                return inside.port
            }
        }
        var neighbour: UInt16?
        if settings.ports.contiguous, inside.port & 1 == 1 {
            let even = PackedEndpoint(inside.address, inside.port - 1)
            for other in table.inside(SideKey(even, proto)) where table[other].address == address {
                neighbour = table[other].outside.port
            }
        }
        return ports.choose(proto, address, for: inside.port, neighbour: neighbour)
    }

    private mutating func choosePortInBlocks(
        _ proto: NATProtocol, _ inside: PackedEndpoint, _ host: Int, _ address: Int
    ) -> UInt16? {
        guard let setting = settings.ports.blocks, let held = table.host(host)?.blocks else { return nil }
        var count = 0
        for block in held where block.proto == proto && block.address == address {
            count += 1
            if let port = ports.choose(proto, address, inBlock: block.number, for: inside.port) { return port }
        }
        guard count < setting.perHost, let number = ports.takeBlock(proto, address) else { return nil }
        table.addBlock(HostRecord.Block(proto: proto, address: address, number: number), to: host)
        traces.note(
            .blockAssigned(
                host: inside.address, proto, external: ports.addresses[address], ports: ports.ports(ofBlock: number)))
        return ports.choose(proto, address, inBlock: number, for: inside.port)
    }

    private mutating func releaseHostIfIdle(_ index: Int) {
        guard let host = table.removeHostIfIdle(index) else { return }
        for block in host.blocks {
            ports.releaseBlock(block.proto, block.address, block.number)
            traces.note(
                .blockReleased(
                    host: host.address, block.proto, external: ports.addresses[block.address],
                    ports: ports.ports(ofBlock: block.number)))
        }
    }

    mutating func endMapping(_ index: Int, _ reason: MappingEnd) {
        if traces.isOn {
            let mapping = snapshot(index)
            traces.note(.ended(mapping, reason))
        }
        switch reason {
        case .idle, .closed: counters.expired &+= 1
        case .evicted: counters.evicted &+= 1
        case .removed: break
        }
        while let session = table[index].sessions.oldest { removeSession(session) }
        timers.set(.mapping(index), to: nil)
        let record = table[index]
        table.remove(index)
        releasePortIfUnused(record.proto, record.outside)
        releaseHostIfIdle(record.host)
    }

    /// Gives a port back unless a mapping, an expectation or a reservation still holds it.
    mutating func releasePortIfUnused(_ proto: NATProtocol, _ outside: PackedEndpoint) {
        let key = SideKey(outside, proto)
        guard !table.isOutsideUsed(key), !expectationTable.holds(key), !reserved.contains(key),
            let address = ports.addresses.firstIndex(of: outside.address)
        else { return }
        ports.release(proto, address, outside.port)
    }

    // MARK: Use and idle times

    mutating func noteUse(_ index: Int, _ direction: NATDirection, _ now: Instant) {
        table.noteUse(index, direction, at: now)
    }

    /// A UDP packet or ICMP query went by (RFC 4787 4.3).
    mutating func refresh(_ index: Int, _ direction: NATDirection, remote: PackedEndpoint, _ now: Instant) {
        let isFirstAnswer = direction == .inbound && table[index].lastInbound == nil && policy.udpUnanswered != nil
        noteUse(index, direction, now)
        let idle = idle(index, remote)
        let until = now.later(by: idle)
        let refreshes = direction == .outbound ? policy.outboundRefreshes : policy.inboundRefreshes
        admit(index, remote, until: until, extending: refreshes, only: direction == .inbound, now)
        if refreshes {
            extend(index, until: until)
            if tracesRefreshes {
                traces.note(.refreshed(table.id(of: index), direction, expires: table[index].expires))
            }
        } else if isFirstAnswer {
            let since = table[index].lastOutbound ?? table[index].created
            extend(index, until: since.later(by: idle))
        }
        table[index].idle = idle
    }

    /// Nanoseconds that use towards `remote` keeps the mapping alive.
    func idle(_ index: Int, _ remote: PackedEndpoint?) -> Int64 {
        if let override = table[index].idleOverride { return override }
        let proto = table[index].proto
        if let idle = policy.treatment(proto, remotePort: proto == .icmp ? nil : remote?.port).idle { return idle }
        switch proto {
        case .icmp: return policy.icmpQuery
        case .tcp: return policy.tcpEstablished
        case .udp:
            if let unanswered = policy.udpUnanswered, table[index].lastInbound == nil { return unanswered }
            return policy.udp
        }
    }

    /// Moves the expiry on, never back. The deadline queue hears of it when the old deadline comes: a refresh costs no heap work.
    mutating func extend(_ index: Int, until: Instant) {
        if table[index].expires < until { table[index].expires = until }
        queue(index)
    }

    mutating func queue(_ index: Int) {
        let expires = table[index].expires
        if let queued = table[index].queued, queued <= expires { return }
        table[index].queued = expires
        timers.set(.mapping(index), to: expires)
    }

    mutating func mappingDue(_ index: Int, _ now: Instant) {
        table[index].queued = nil
        // A TCP mapping lives by its connections.
        if table[index].proto == .tcp, table[index].sessions.count > 0 { return }
        guard table[index].expires <= now else { return queue(index) }
        endMapping(index, .idle)
    }

    // MARK: Filter entries

    /// Lets `remote` in, where the filter asks for that. `only`: an entry there already is extended, none is made.
    mutating func admit(
        _ index: Int, _ remote: PackedEndpoint, until: Instant, extending: Bool, only: Bool = false, _ now: Instant
    ) {
        var dependence = table[index].filtering
        if dependence == .endpointIndependent {
            // Not to filter, but to tell overloaded ports apart.
            guard settings.ports.overloads else { return }
            dependence = .addressAndPortDependent
        }
        let key = sessionKey(index, remote.masked(dependence))
        if let session = sessions.index(for: key), sessions[session].mapping == index {
            // An entry that had run out comes to life again only by a packet that would have made it.
            let expires = sessions[session].expires
            if extending || !only && expires <= now { sessions[session].expires = max(expires, until) }
            sessions.touch(session, in: &table[index].sessions)
        } else if !only {
            makeRoomForSession(index)
            _ = sessions.insert(SessionRecord(key: key, mapping: index, expires: until), to: &table[index].sessions)
        }
    }

    mutating func makeRoomForSession(_ index: Int) {
        guard table[index].sessions.count >= max(1, settings.limits.sessionsPerMapping),
            let oldest = table[index].sessions.oldest
        else { return }
        counters.sessionsEvicted &+= 1
        traces.note(.sessionEvicted(table.id(of: index), remote: sessions[oldest].key.remote.endpoint))
        removeSession(oldest)
    }

    mutating func removeSession(_ session: Int) {
        if sessions[session].queued != nil { timers.set(.session(session), to: nil) }
        let mapping = sessions[session].mapping
        sessions.remove(session, from: &table[mapping].sessions)
    }
}
