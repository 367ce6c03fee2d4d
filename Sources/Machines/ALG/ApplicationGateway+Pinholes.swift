import Base

/// Openings that messages ask for.
extension ApplicationGateway {
    public var openPinholes: [ALGPinhole] { pinholes.byID.values.sorted { $0.id < $1.id } }

    public var hasPinholes: Bool { pinholes.count > 0 }

    public func pinhole(_ id: UInt64) -> ALGPinhole? { pinholes[id] }

    /// The oldest active media pinhole that leads to `inside`; nil: none.
    public func mediaPinhole(to inside: Endpoint) -> ALGPinhole? {
        pinholes.leading(to: inside).first { $0.purpose != .signalling && $0.isActive }
    }

    /// Opens a pinhole at `wanted` or, while that is taken, at the next port up by `step`; nil when no port is left.
    ///
    /// `pairs`: the port after it too, for RTCP (RFC 3550 11).
    mutating func open(
        _ purpose: ALGPinhole.Purpose, _ flow: ALGFlow, from peer: IPAddress?, at wanted: Endpoint, to inside: Endpoint,
        until: Instant, isActive: Bool, pairs: Bool, cap: Int, asks: Bool,
        _ isTaken: (SIPTransport, Endpoint, Endpoint) -> Bool
    ) -> Endpoint? {
        var external = wanted
        while true {
            let second = pairs ? Endpoint(external.address, external.port | 1) : nil
            let isFree =
                !clashes(purpose, flow, peer, external, inside, isTaken)
                && second.map { !clashes(purpose, flow, peer, $0, inside.next, isTaken) } ?? true
            if isFree { break }
            let step: UInt16 = pairs ? 2 : 1
            guard external.port <= .max - step else { return nil }
            external.port += step
        }
        if external != wanted { traces.statistics.notePortMoved() }
        add(purpose, flow, peer, external, inside, until, isActive, cap, asks)
        if pairs { add(purpose, flow, peer, external.next, inside.next, until, isActive, cap, asks) }
        return external
    }

    private func clashes(
        _ purpose: ALGPinhole.Purpose, _ flow: ALGFlow, _ peer: IPAddress?, _ external: Endpoint, _ inside: Endpoint,
        _ isTaken: (SIPTransport, Endpoint, Endpoint) -> Bool
    ) -> Bool {
        let transport = purpose == .signalling ? flow.transport : .udp
        for other in pinholes.at(transport, external) {
            // The flow's own pinhole of the same kind is replaced, not in the way.
            if other.flow == flow, other.purpose == purpose, other.from == peer { continue }
            if other.from == nil || peer == nil || other.from == peer { return true }
        }
        return external.address != inside.address && isTaken(transport, external, inside)
    }

    /// Whether other media, of another flow or of another kind, are expected from the same peer at this port or at the one after it.
    func isExpecting(_ purpose: ALGPinhole.Purpose, _ flow: ALGFlow, from peer: IPAddress, at external: Endpoint) -> Bool {
        [external, external.next].contains { place in
            pinholes.at(.udp, place).contains { $0.from == peer && ($0.flow != flow || $0.purpose != purpose) }
        }
    }

    private mutating func add(
        _ purpose: ALGPinhole.Purpose, _ flow: ALGFlow, _ peer: IPAddress?, _ external: Endpoint, _ inside: Endpoint,
        _ until: Instant, _ isActive: Bool, _ cap: Int, _ asks: Bool
    ) {
        let transport = purpose == .signalling ? flow.transport : .udp
        for other in pinholes.at(transport, external) where other.flow == flow && other.purpose == purpose && other.from == peer {
            closePinhole(other.id, .superseded)
        }
        let own = (flows[flow]?.pinholes ?? []).filter { pinholes[$0]?.purpose == purpose }
        if own.count >= cap, let oldest = own.first { closePinhole(oldest, .superseded) }
        if pinholes.count >= limits.pinholes, let oldest = pinholes.earliest {
            closePinhole(oldest, .evicted)
            traces.note(.evicted(.pinholes))
        }
        let pinhole = ALGPinhole(
            id: pinholes.nextID(), purpose: purpose, flow: flow, transport: transport, from: peer, external: external,
            inside: inside, until: until, isActive: isActive)
        pinholes.set(pinhole)
        flows[flow]?.pinholes.append(pinhole.id)
        traces.note(.opened(pinhole))
        if isActive, asks { requests.append(.open(pinhole)) }
    }

    mutating func closePinhole(_ id: UInt64, _ end: ALGPinhole.End) {
        guard let pinhole = pinholes.remove(id) else { return }
        flows[pinhole.flow]?.pinholes.removeAll { $0 == id }
        traces.note(.closed(pinhole, end))
        if pinhole.isActive { requests.append(.close(pinhole)) }
    }

    /// A media pinhole has done its work: a packet came and has a mapping now. A signalling pinhole stays.
    public mutating func used(_ pinhole: ALGPinhole) {
        guard pinhole.purpose != .signalling, let pinhole = pinholes.remove(pinhole.id) else { return }
        flows[pinhole.flow]?.pinholes.removeAll { $0 == pinhole.id }
        traces.note(.closed(pinhole, .used))
    }

    mutating func flushMedia(_ flow: ALGFlow) {
        for id in flows[flow]?.pinholes ?? [] where pinholes[id]?.purpose != .signalling { closePinhole(id, .flushed) }
    }

    mutating func flushSignalling(_ flow: ALGFlow) {
        if let id = flows[flow]?.pinholes.first(where: { pinholes[$0]?.purpose == .signalling }) { closePinhole(id, .flushed) }
    }

    /// The registrar granted `seconds` for the Contact `external`: its pinhole opens for so long. False without one.
    mutating func activate(_ flow: ALGFlow, _ transport: SIPTransport, _ external: Endpoint, _ seconds: UInt64, at now: Instant)
        -> Bool
    {
        let found = (flows[flow]?.pinholes ?? []).compactMap { pinholes[$0] }
            .first { $0.purpose == .signalling && $0.external == external && $0.transport == transport }
        guard var pinhole = found else { return false }
        pinhole.isActive = true
        pinhole.until = now + .seconds(Int64(min(seconds, 1 << 32)))
        pinholes.set(pinhole)
        traces.note(.activated(pinhole))
        requests.append(.open(pinhole))
        return true
    }
}

extension Endpoint {
    /// The same address, the next port; the last port has no next and stays.
    fileprivate var next: Endpoint { Endpoint(address, port == .max ? port : port + 1) }
}
