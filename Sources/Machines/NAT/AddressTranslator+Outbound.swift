import Base
import Packet

/// From inside out, and round the hairpin.
extension AddressTranslator {
    mutating func translateOutbound(
        _ bytes: inout [UInt8], _ packet: inout IPPacket, _ work: PacketWork, _ via: MappingID?, _ now: Instant
    ) throws(Refusal) -> NATVerdict {
        guard !policy.isExternal(work.source.address) else { throw Refusal(.spoofedSource) }
        switch work.subject {
        case .laterFragment: return laterFragment(&bytes, &packet, work, now)
        case .icmpError(let icmp): return try outboundError(&bytes, &packet, work, icmp)
        case .flow(let proto, let flags):
            let isHairpin = policy.isExternal(work.destination.address)
            if isHairpin {
                guard settings.hairpinning != .off else { throw Refusal(.hairpinningOff) }
                // An identifier says nothing about whose echo it is to become (RFC 5508 REQ-7 asks for it of basic NATs only).
                guard proto != .icmp else { throw Refusal(.noMapping) }
            }
            let index = try outboundMapping(proto, flags, from: work.source, to: work.destination, via, now)
            let outside = table[index].outside
            let id = table.id(of: index)
            guard isHairpin else {
                packet.put(.source, to: outside, in: &bytes)
                noteFirstFragment(packet, work, FragmentRoute(packet, .toExternal, from: id, to: nil), now)
                return .forward(via: id)
            }
            let target = try inboundMapping(proto, flags, from: outside, to: work.destination, now)
            let targetID = table.id(of: target)
            packet.put(.destination, to: table[target].inside, in: &bytes)
            if settings.hairpinning == .externalSource { packet.put(.source, to: outside, in: &bytes) }
            counters.hairpinned &+= 1
            noteFirstFragment(packet, work, FragmentRoute(packet, .toInternal, from: id, to: targetID), now)
            return .hairpin(from: id, to: targetID)
        }
    }

    /// The mapping that packets from `source` to `destination` use now, if there is one.
    func existingMapping(_ proto: NATProtocol, from source: PackedEndpoint, to destination: PackedEndpoint) -> Int? {
        if table.pinCount > 0 {
            let side = SideKey(source, proto, space: MappingKey.pinned)
            if let pinned = table.index(for: MappingKey(side: side, remote: destination)) { return pinned }
        }
        return table.index(for: mappingKey(proto, from: source, to: destination))
    }

    func mappingKey(_ proto: NATProtocol, from source: PackedEndpoint, to destination: PackedEndpoint) -> MappingKey {
        let treatment = policy.treatment(proto, remotePort: proto == .icmp ? nil : destination.port)
        return MappingKey(
            side: SideKey(source, proto, space: treatment.space), remote: destination.masked(treatment.mapping))
    }

    /// Finds or makes the mapping, notes the connection or filter entry, and refreshes.
    private mutating func outboundMapping(
        _ proto: NATProtocol, _ flags: TCPHeader.Flags, from source: PackedEndpoint, to destination: PackedEndpoint,
        _ via: MappingID?, _ now: Instant
    ) throws(Refusal) -> Int {
        let mayOpen = proto != .tcp || flags.opens || settings.picksUpTCPMidway
        let index: Int
        if let via {
            guard let chosen = table.index(of: via), table[chosen].inside == source, table[chosen].proto == proto else {
                throw Refusal(.unknownMapping)
            }
            index = chosen
        } else if let existing = existingMapping(proto, from: source, to: destination) {
            index = existing
        } else {
            guard mayOpen else { throw Refusal(.noConnection) }
            let expected = expectationTable.external(proto, of: source, towards: destination)
            if let expected, let present = table.outside(SideKey(expected, proto)), table[present.newest].inside == source {
                index = present.newest
                pin(destination, to: index)
            } else {
                index = try makeMapping(
                    proto, inside: source, remote: destination, origin: .outboundPacket, outside: expected, now)
            }
        }
        if proto == .tcp {
            try outboundSegment(index, flags, to: destination, mayOpen: mayOpen, now)
            noteUse(index, .outbound, now)
        } else {
            refresh(index, .outbound, remote: destination, now)
        }
        return index
    }

    /// Sends packets from the mapping's inside to `remote` through it, whatever the general behaviour.
    mutating func pin(_ remote: PackedEndpoint, to index: Int) {
        let record = table[index]
        guard record.pins.count < settings.limits.sessionsPerMapping,
            existingMapping(record.proto, from: record.inside, to: remote) != index
        else { return }
        table.pin(MappingKey(side: SideKey(record.inside, record.proto, space: MappingKey.pinned), remote: remote), to: index)
    }
}
