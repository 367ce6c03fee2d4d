import Base

/// Why a packet cannot be cut to size.
public enum FragmentationError: Error, Hashable, Sendable {
    /// The IPv4 packet says Don't Fragment.
    case dontFragment
    /// Not even eight octets of payload fit.
    case mtuTooSmall
    case malformed(PacketError)
}

extension IPPacket {
    /// Cuts `packet` into fragments that fit `mtu` octets each (RFC 791 3.2, RFC 8200 4.5); one that fits comes back as it is.
    ///
    /// - Parameter identification: for the IPv6 Fragment header; IPv4 packets carry their own. Over IPv6 only the source may
    ///   fragment: that is the caller's to know.
    public static func fragments(
        of packet: [UInt8], mtu: Int, identification: UInt32 = 0
    ) throws(FragmentationError) -> [[UInt8]] {
        let parsed: IPPacket
        do { parsed = try IPPacket(packet) } catch { throw .malformed(error) }
        guard parsed.range.count > mtu else { return [packet] }
        switch parsed.header {
        case .v4(let header):
            guard !header.dontFragment else { throw .dontFragment }
            return try fragmentsV4(packet, parsed, header, mtu)
        case .v6(let header): return try fragmentsV6(packet, parsed, header, mtu, identification)
        }
    }

    private static func fragmentsV4(
        _ packet: [UInt8], _ parsed: IPPacket, _ header: IPv4Header, _ mtu: Int
    ) throws(FragmentationError) -> [[UInt8]] {
        let room = (mtu - header.range.count) / 8 * 8
        guard room >= 8 else { throw .mtuTooSmall }
        var result: [[UInt8]] = []
        var at = parsed.payload.lowerBound
        let first = Array(packet[header.range])
        // Options without the copied flag go in the first fragment only (RFC 791 3.1).
        var later = Array(packet[..<(header.range.lowerBound + 20)])
        later.append(contentsOf: copiedOptions(packet, header.options))
        later[0] = 0x40 | UInt8(later.count / 4)
        while at < parsed.payload.upperBound {
            let end = min(at + room, parsed.payload.upperBound)
            let more = end < parsed.payload.upperBound || header.moreFragments
            var fragment = result.isEmpty ? first : later
            let offset = header.fragmentOffset + at - parsed.payload.lowerBound
            fragment.replace(at: IPv4Header.Offset.totalLength, bigEndian: UInt16(fragment.count + end - at))
            fragment.replace(at: IPv4Header.Offset.flags, bigEndian: UInt16(offset / 8) | (more ? 0x2000 : 0))
            fragment.replace(at: IPv4Header.Offset.checksum, bigEndian: 0)
            let sum = InternetChecksum.of(fragment, in: 0..<fragment.count)
            fragment.replace(at: IPv4Header.Offset.checksum, bigEndian: sum)
            fragment.append(contentsOf: packet[at..<end])
            result.append(fragment)
            at = end
        }
        return result
    }

    private static func copiedOptions(_ packet: [UInt8], _ range: Range<Int>) -> [UInt8] {
        var copied: [UInt8] = []
        var at = range.lowerBound
        while at < range.upperBound, packet[at] != 0 {
            if packet[at] == 1 {
                at += 1
                continue
            }
            let length = Int(packet[at + 1])
            if packet[at] & 0x80 != 0 { copied.append(contentsOf: packet[at..<(at + length)]) }
            at += length
        }
        while copied.count % 4 != 0 { copied.append(0) }
        return copied
    }

    private static func fragmentsV6(
        _ packet: [UInt8], _ parsed: IPPacket, _ header: IPv6Header, _ mtu: Int, _ identification: UInt32
    ) throws(FragmentationError) -> [[UInt8]] {
        // Hop-by-hop options and everything up to a routing header travel in each fragment; the rest is cut (RFC 8200 4.5).
        var cut = header.range.lowerBound + 40
        var nextAt = header.range.lowerBound + IPv6Header.Offset.nextHeader
        if let last = header.extensions(packet).last(where: { $0.kind == .hopByHop || $0.kind == .routing }) {
            cut = last.range.upperBound
            nextAt = last.range.lowerBound
        }
        guard header.fragment == nil else { throw .dontFragment }
        let room = (mtu - (cut - header.range.lowerBound) - 8) / 8 * 8
        guard room >= 8 else { throw .mtuTooSmall }
        var prefix = Array(packet[header.range.lowerBound..<cut])
        let next = packet[nextAt]
        prefix[nextAt - header.range.lowerBound] = IPProtocol.fragment.rawValue
        var result: [[UInt8]] = []
        var at = cut
        while at < parsed.range.upperBound {
            let end = min(at + room, parsed.range.upperBound)
            let more = end < parsed.range.upperBound
            var fragment = prefix
            fragment.append(next)
            fragment.append(0)
            fragment.append(bigEndian: UInt16(at - cut) | (more ? 1 : 0))
            fragment.append(bigEndian: identification)
            fragment.append(contentsOf: packet[at..<end])
            fragment.replace(at: IPv6Header.Offset.payloadLength, bigEndian: UInt16(fragment.count - 40))
            result.append(fragment)
            at = end
        }
        return result
    }
}
