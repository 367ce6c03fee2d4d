import Base
import Packet

/// From outside in.
extension AddressTranslator {
    mutating func translateInbound(_ bytes: inout [UInt8], _ packet: inout IPPacket, _ work: PacketWork, _ now: Instant)
        throws(Refusal) -> NATVerdict
    {
        guard policy.isExternal(work.destination.address) else { throw Refusal(.notOurAddress) }
        switch work.subject {
        case .laterFragment: return laterFragment(&bytes, &packet, work, now)
        case .icmpError(let icmp): return try inboundError(&bytes, &packet, work, icmp, now)
        case .flow(let proto, let flags):
            let index: Int
            do throws(Refusal) {
                index = try inboundMapping(proto, flags, from: work.source, to: work.destination, now)
            } catch {
                guard proto == .tcp, flags.opens, policy.holdsSYN else { throw Refusal(error.reason, .unsolicited) }
                throw Refusal(
                    error.reason,
                    .holdSYN(SessionKey(external: SideKey(work.destination, proto), remote: work.source)))
            }
            let id = table.id(of: index)
            packet.put(.destination, to: table[index].inside, in: &bytes)
            noteFirstFragment(packet, work, FragmentRoute(packet, .toInternal, from: id, to: nil), now)
            return .forward(via: id)
        }
    }

    /// The mapping with this external side that deals with `remote`; where ports are overloaded, the newest one otherwise.
    func mapping(at outside: PackedEndpoint, _ proto: NATProtocol, remote: PackedEndpoint) -> Int? {
        let key = SideKey(outside, proto)
        guard let (newest, isOnly) = table.outside(key) else { return nil }
        if isOnly { return newest }
        if let session = sessions.index(for: SessionKey(external: key, remote: remote)) { return sessions[session].mapping }
        if let session = sessions.index(for: SessionKey(external: key, remote: remote.masked(.addressDependent))) {
            return sessions[session].mapping
        }
        return newest
    }

    /// Finds the mapping and passes the filter, or meets an expectation; notes the connection, and refreshes.
    mutating func inboundMapping(
        _ proto: NATProtocol, _ flags: TCPHeader.Flags, from remote: PackedEndpoint, to outside: PackedEndpoint, _ now: Instant
    ) throws(Refusal) -> Int {
        var reason = NATDropReason.noMapping
        if let index = mapping(at: outside, proto, remote: remote) {
            reason = .filtered
            if proto == .tcp {
                switch inboundSegment(index, flags, from: remote, now) {
                case .admitted:
                    noteUse(index, .inbound, now)
                    return index
                case .filtered: break
                case .noConnection: reason = .noConnection
                }
            } else if admits(index, remote, now) {
                refresh(index, .inbound, remote: remote, now)
                return index
            }
        }
        let mayOpen = proto != .tcp || flags.opens
        if mayOpen, let (id, expectation) = expectationTable.match(proto, at: outside, from: remote) {
            return try meet(id, expectation, flags, from: remote, at: outside, now)
        }
        throw Refusal(reason)
    }

    /// Whether the filter lets `remote` in (UDP and ICMP queries).
    func admits(_ index: Int, _ remote: PackedEndpoint, _ now: Instant) -> Bool {
        let filtering = table[index].filtering
        if filtering == .endpointIndependent { return true }
        guard let session = sessions.index(for: sessionKey(index, remote.masked(filtering))) else { return false }
        return sessions[session].mapping == index && sessions[session].expires > now
    }

    func sessionKey(_ index: Int, _ remote: PackedEndpoint) -> SessionKey {
        SessionKey(external: SideKey(table[index].outside, table[index].proto), remote: remote)
    }

    /// An expectation comes true: its mapping is made, or an existing one of the same inside takes the new remote in.
    private mutating func meet(
        _ id: ExpectationID, _ expectation: Expectation, _ flags: TCPHeader.Flags, from remote: PackedEndpoint,
        at outside: PackedEndpoint, _ now: Instant
    ) throws(Refusal) -> Int {
        guard let inside = PackedEndpoint(expectation.internal) else { throw Refusal(.noMapping) }
        let proto = expectation.proto
        let index: Int
        if let present = table.outside(SideKey(outside, proto)), table[present.newest].inside == inside {
            index = present.newest
        } else {
            index = try makeMapping(
                proto, inside: inside, remote: remote, origin: .expectation(id), outside: outside, now)
        }
        noteUse(index, .inbound, now)
        if proto == .tcp {
            openConnection(index, remote, .opened(.inbound), now)
        } else {
            let until = now.later(by: idle(index, remote))
            admit(index, remote, until: until, extending: true, now)
            extend(index, until: until)
        }
        pin(remote, to: index)
        metExpectation = id
        traces.note(.expectationMet(id, by: remote.endpoint, table.id(of: index)))
        if !expectation.isPermanent { endExpectation(id, .met) }
        return index
    }
}
