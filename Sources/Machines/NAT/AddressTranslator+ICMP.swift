import Base
import Packet

/// ICMP errors about translated packets (RFC 5508 4.2, RFC 5382 REQ-9, RFC 4787 REQ-10): the quoted packet is translated back,
/// and the mapping neither refreshed nor deleted.
extension AddressTranslator {
    /// What an error quotes: the flow as the quoted packet's sender and receiver saw it.
    private struct Quotation {
        var packet: IPPacket
        var proto: NATProtocol
        var source: PackedEndpoint
        var destination: PackedEndpoint

        /// `fromInternal`: the quoted packet came from the internal side, so that a query's identifier stands for its source.
        init(_ bytes: [UInt8], _ icmp: ICMPHeader, fromInternal: Bool) throws(Refusal) {
            let message = icmp.range.lowerBound..<bytes.count
            guard InternetChecksum.of(bytes, in: message) == 0 else { throw Refusal(.badChecksum) }
            do {
                packet = try IPPacket(quotedIn: bytes, icmp.payload)
            } catch {
                throw Refusal(.malformed(offset: error.offset))
            }
            guard case .v4(let header) = packet.header, let proto = NATProtocol(rawValue: packet.protocolNumber.rawValue) else {
                throw Refusal(.unsupportedProtocol(packet.protocolNumber.rawValue))
            }
            guard header.hasRightChecksum(bytes) else { throw Refusal(.badChecksum) }
            self.proto = proto
            if proto == .icmp {
                guard case .icmp(let query) = packet.transport, !query.meaning.isError else {
                    throw Refusal(.unsupportedICMP(type: icmp.type))
                }
                source = PackedEndpoint(header.source, fromInternal ? query.identifier : 0)
                destination = PackedEndpoint(header.destination, fromInternal ? 0 : query.identifier)
            } else {
                guard let (from, to) = packet.ports(bytes) else {
                    throw Refusal(.malformed(offset: icmp.payload.upperBound))
                }
                source = PackedEndpoint(header.source, from)
                destination = PackedEndpoint(header.destination, to)
            }
        }

        mutating func rewrite(_ side: IPPacket.Side, to endpoint: PackedEndpoint, in bytes: inout [UInt8]) {
            packet.put(side, to: endpoint, in: &bytes)
        }
    }

    /// About a packet that went out through a mapping.
    mutating func inboundError(
        _ bytes: inout [UInt8], _ packet: inout IPPacket, _ work: PacketWork, _ icmp: ICMPHeader, _ now: Instant
    ) throws(Refusal) -> NATVerdict {
        var quote = try Quotation(bytes, icmp, fromInternal: true)
        let index = try quotedSender(quote, now)
        quote.rewrite(.source, to: table[index].inside, in: &bytes)
        packet.rewrite(.destination, address: .v4(table[index].inside.address), in: &bytes)
        packet.refreshTransportChecksum(in: &bytes)
        return .forward(via: table.id(of: index))
    }

    /// The mapping from whose external side the quoted packet was sent, if that remote is one it deals with.
    private func quotedSender(_ quote: Quotation, _ now: Instant) throws(Refusal) -> Int {
        guard let index = mapping(at: quote.source, quote.proto, remote: quote.destination) else { throw Refusal(.noMapping) }
        let isKnown = quote.proto == .tcp ? admitsConnection(index, quote.destination) : admits(index, quote.destination, now)
        guard isKnown else { throw Refusal(.filtered) }
        return index
    }

    /// About a packet that came in, from its receiver or from a router on the way to it; both answer in the NAT's name.
    mutating func outboundError(_ bytes: inout [UInt8], _ packet: inout IPPacket, _ work: PacketWork, _ icmp: ICMPHeader)
        throws(Refusal) -> NATVerdict
    {
        var quote = try Quotation(bytes, icmp, fromInternal: false)
        guard let index = quotedReceiver(quote) else { throw Refusal(.noMapping) }
        let outside = table[index].outside
        let isHairpin = policy.isExternal(work.destination.address)
        guard isHairpin else {
            quote.rewrite(.destination, to: outside, in: &bytes)
            packet.rewrite(.source, address: .v4(outside.address), in: &bytes)
            packet.refreshTransportChecksum(in: &bytes)
            return .forward(via: table.id(of: index))
        }
        guard settings.hairpinning != .off else { throw Refusal(.hairpinningOff) }
        guard let sender = mapping(at: quote.source, quote.proto, remote: outside) else { throw Refusal(.noMapping) }
        quote.rewrite(.destination, to: outside, in: &bytes)
        quote.rewrite(.source, to: table[sender].inside, in: &bytes)
        packet.rewrite(.source, address: .v4(outside.address), in: &bytes)
        packet.rewrite(.destination, address: .v4(table[sender].inside.address), in: &bytes)
        packet.refreshTransportChecksum(in: &bytes)
        counters.hairpinned &+= 1
        return .hairpin(from: table.id(of: index), to: table.id(of: sender))
    }

    /// The mapping through which the quoted packet came in.
    private func quotedReceiver(_ quote: Quotation) -> Int? {
        if quote.proto != .icmp, let usual = existingMapping(quote.proto, from: quote.destination, to: quote.source) {
            return usual
        }
        // Several mappings of one endpoint, or a mapping that depends on the remote: the one that knows this remote, else the newest.
        var newest: Int?
        for (count, index) in table.inside(SideKey(quote.destination, quote.proto)).enumerated() {
            guard count < 64 else { break }
            newest = index
            if admitsConnection(index, quote.source) { return index }
        }
        return newest
    }
}
