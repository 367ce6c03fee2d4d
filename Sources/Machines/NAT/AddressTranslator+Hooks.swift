public import Base

/// Why a mapping or a port could not be had on demand.
public struct NATRefusal: Error, Hashable, Sendable {
    public var reason: NATDropReason

    public init(_ reason: NATDropReason) { self.reason = reason }
}

/// What an ALG, a port forwarding or a command line needs beyond packets: mappings to look at, choose, open and keep;
/// ports to announce; pinholes.
extension AddressTranslator {
    // MARK: Looking

    /// All mappings, oldest first.
    public var mappings: [NATMapping] {
        table.records.indices.filter { table.isLive($0) }
            .sorted { table[$0].serial < table[$1].serial }
            .map { snapshot($0) }
    }

    public var mappingCount: Int { table.count }

    /// nil: it has gone.
    public func mapping(_ id: MappingID) -> NATMapping? { table.index(of: id).map { snapshot($0) } }

    /// The mapping an outbound packet without `via` would use; nil: it would make one. For ICMP queries the internal port is
    /// the identifier. Call `advance` first if time has passed.
    public func mapping(for internal: Endpoint, _ proto: NATProtocol, remote: Endpoint) -> NATMapping? {
        guard let inside = PackedEndpoint(`internal`), let remote = PackedEndpoint(remote) else { return nil }
        return existingMapping(proto, from: inside, to: remote).map { snapshot($0) }
    }

    /// The newest mapping with this external endpoint.
    public func mapping(atExternal external: Endpoint, _ proto: NATProtocol) -> NATMapping? {
        PackedEndpoint(external).flatMap { table.outside(SideKey($0, proto)) }.map { snapshot($0.newest) }
    }

    /// All mappings of one internal endpoint, oldest first.
    public func mappings(of internal: Endpoint, _ proto: NATProtocol) -> [NATMapping] {
        guard let inside = PackedEndpoint(`internal`) else { return [] }
        return table.inside(SideKey(inside, proto)).map { snapshot($0) }
    }

    /// The external address that mappings of `host` get under paired pooling; the first one otherwise.
    public func externalAddress(for host: IPAddress) -> IPAddress {
        guard settings.pooling == .paired, case .v4(let host) = host else { return .v4(ports.addresses[0]) }
        return .v4(ports.addresses[pairedAddress(for: host)])
    }

    // MARK: Mappings on demand

    /// Makes one more mapping for an internal endpoint, whatever it has already, to send through by `outbound(_:via:at:)`.
    /// It becomes the one that packets without `via` use if there was none for them. `remote` picks the rule that applies.
    public mutating func open(
        _ proto: NATProtocol, for internal: Endpoint, remote: Endpoint?, at now: Instant
    ) throws(NATRefusal) -> NATMapping {
        advance(to: now)
        guard let inside = PackedEndpoint(`internal`), !policy.isExternal(inside.address) else {
            throw NATRefusal(.spoofedSource)
        }
        do throws(Refusal) {
            let index = try makeMapping(
                proto, inside: inside, remote: remote.flatMap { PackedEndpoint($0) }, origin: .request, outside: nil, now)
            return snapshot(index)
        } catch {
            throw NATRefusal(error.reason)
        }
    }

    /// Sets a mapping's idle time, which holds from now on whatever the rules say; for TCP, the established time.
    /// False: it has gone.
    @discardableResult
    public mutating func setIdle(of id: MappingID, to idle: Duration, at now: Instant) -> Bool {
        advance(to: now)
        guard let index = table.index(of: id) else { return false }
        let nanoseconds = FlowPolicy.nanoseconds(idle)
        table[index].idleOverride = nanoseconds
        table[index].idle = nanoseconds
        var next = table[index].sessions.oldest
        while let session = next {
            next = sessions.next(after: session)
            if let state = sessions[session].tcp {
                setLifetime(session, state, now)
            } else {
                sessions[session].expires = now.later(by: nanoseconds)
            }
        }
        table[index].expires = now.later(by: nanoseconds)
        queue(index)
        return true
    }

    /// False: it has gone already.
    @discardableResult
    public mutating func remove(_ id: MappingID, at now: Instant) -> Bool {
        advance(to: now)
        guard let index = table.index(of: id) else { return false }
        endMapping(index, .removed)
        return true
    }

    // MARK: Ports

    /// Takes `count` consecutive external ports (the first even if `even`) to announce for `internal`, its own port number
    /// first if ports are preserved. They stay taken until an expectation made there ends, or `releasePort`.
    public mutating func reservePorts(
        _ proto: NATProtocol, for internal: Endpoint, count: Int = 1, even: Bool = false
    ) throws(NATRefusal) -> Endpoint {
        guard let inside = PackedEndpoint(`internal`), (1...16).contains(count) else { throw NATRefusal(.noFreePort) }
        let address = pairedAddress(for: inside.address)
        guard let first = ports.chooseRun(proto, address, wanted: inside.port, count: count, even: even) else {
            counters.refused &+= 1
            throw NATRefusal(.noFreePort)
        }
        for step in 0..<count {
            let port = first + UInt16(step)
            ports.take(proto, address, port)
            reserved.insert(SideKey(PackedEndpoint(ports.addresses[address], port), proto))
        }
        return Endpoint(.v4(ports.addresses[address]), first)
    }

    /// Takes exactly this external endpoint, say for a service of the router's own. False: taken, or not ours.
    public mutating func reservePort(_ proto: NATProtocol, exactly external: Endpoint) -> Bool {
        guard let outside = PackedEndpoint(external), let address = ports.addresses.firstIndex(of: outside.address),
            !ports.isTaken(proto, address, outside.port)
        else { return false }
        ports.take(proto, address, outside.port)
        reserved.insert(SideKey(outside, proto))
        return true
    }

    /// Gives a reservation back.
    public mutating func releasePort(_ proto: NATProtocol, _ external: Endpoint) {
        guard let outside = PackedEndpoint(external), reserved.remove(SideKey(outside, proto)) != nil else { return }
        releasePortIfUnused(proto, outside)
    }

    // MARK: Expectations

    /// Opens a pinhole. A reservation of its port passes over to it and ends with it.
    public mutating func expect(_ expectation: Expectation, at now: Instant) throws(ExpectationRefusal) -> ExpectationID {
        advance(to: now)
        guard expectation.expires > now else { throw .alreadyExpired }
        guard let outside = PackedEndpoint(expectation.external), let inside = PackedEndpoint(expectation.internal),
            let address = ports.addresses.firstIndex(of: outside.address)
        else { throw .notOurAddress }
        let key = SideKey(outside, expectation.proto)
        if let present = table.outside(key), table[present.newest].inside != inside, !settings.ports.overloads {
            throw .portTaken
        }
        guard expectationTable.allows(expectation.internal, at: key) else { throw .portTaken }
        let inserted = expectationTable.insert(expectation, outside: key, inside: SideKey(inside, expectation.proto))
        guard let id = inserted else { throw .limit }
        reserved.remove(key)
        ports.take(expectation.proto, address, outside.port)
        timers.set(.expectation(id.number), to: expectation.expires)
        traces.note(.expecting(id, expectation))
        return id
    }

    public func expectation(_ id: ExpectationID) -> Expectation? { expectationTable[id] }

    /// Those still open, oldest first.
    public var expectations: [(id: ExpectationID, expectation: Expectation)] {
        expectationTable.ids.compactMap { id in expectationTable[id].map { (id, $0) } }
    }

    /// Moves its expiry. False: it has gone.
    @discardableResult
    public mutating func setExpiry(of id: ExpectationID, to expires: Instant) -> Bool {
        guard expectationTable[id] != nil else { return false }
        expectationTable.setExpiry(id, to: expires)
        timers.set(.expectation(id.number), to: expires)
        return true
    }

    /// Closes a pinhole; mappings made through it stay. False: it has gone.
    @discardableResult
    public mutating func cancel(_ id: ExpectationID) -> Bool {
        guard expectationTable[id] != nil else { return false }
        endExpectation(id, .cancelled)
        return true
    }

    /// Closes all pinholes of a purpose (nil: of any), of one owner, for one internal host; returns how many.
    @discardableResult
    public mutating func flush(
        _ purpose: ExpectationPurpose?, owner: UInt64? = nil, internalHost: IPAddress? = nil
    ) -> Int {
        var count = 0
        for (id, expectation) in expectations {
            guard purpose == nil || expectation.purpose == purpose, owner == nil || expectation.owner == owner,
                internalHost == nil || expectation.internal.address == internalHost
            else { continue }
            endExpectation(id, .cancelled)
            count += 1
        }
        return count
    }

    mutating func endExpectation(_ id: ExpectationID, _ reason: ExpectationEnd) {
        guard let expectation = expectationTable.remove(id) else { return }
        timers.set(.expectation(id.number), to: nil)
        traces.note(.expectationEnded(id, reason))
        if let outside = PackedEndpoint(expectation.external) { releasePortIfUnused(expectation.proto, outside) }
    }

    // MARK: -

    /// Precondition: `index` is live.
    func snapshot(_ index: Int) -> NATMapping {
        let record = table[index]
        var expires = record.expires
        if record.proto == .tcp {
            // A mapping lives as long as the longest of its connections.
            var longest: Instant?
            var next = record.sessions.oldest
            while let session = next {
                next = sessions.next(after: session)
                longest = max(longest ?? sessions[session].expires, sessions[session].expires)
            }
            if let longest { expires = longest }
        }
        return NATMapping(
            id: table.id(of: index), proto: record.proto, internal: record.inside.endpoint,
            external: record.outside.endpoint, remote: record.remote?.endpoint, origin: record.origin, created: record.created,
            lastUsed: record.lastUsed, lastOutbound: record.lastOutbound, lastInbound: record.lastInbound, expires: expires,
            idle: .nanoseconds(record.idle), tcp: record.lastTCP)
    }
}
