import Base

/// What precedes the IP packet in each record of a capture (the pcap LINKTYPE registry).
public enum LinkType: UInt32, Hashable, Sendable {
    /// BSD loopback: a four-octet family in the writer's byte order.
    case null = 0
    case ethernet = 1
    /// Older numbers for `raw`.
    case rawOld = 12, rawBSD = 14
    /// The IP packet alone.
    case raw = 101
    /// OpenBSD loopback: the family in network order.
    case loop = 108
    /// PPP, with or without its HDLC-like address octets.
    case ppp = 9
    /// The IP packet alone, of one family.
    case ipv4 = 228, ipv6 = 229
    /// Linux cooked capture.
    case linuxSLL = 113
    /// Linux cooked capture, version 2.
    case linuxSLL2 = 276

    /// Where the IP packet lies within a record; nil for what is not IP, or is cut short.
    public func ipRange(_ bytes: [UInt8], _ record: Range<Int>) -> Range<Int>? {
        var at = record.lowerBound
        func ether(_ place: Int) -> Int? { place + 2 <= record.upperBound ? Int(bytes.uint16(at: place)) : nil }
        switch self {
        case .raw, .rawOld, .rawBSD, .ipv4, .ipv6: break
        case .ppp: at += bytes.count > at && bytes[at] == 0xff ? 4 : 2
        case .null, .loop: at += 4
        case .linuxSLL:
            guard let type = ether(at + 14), type == 0x0800 || type == 0x86dd else { return nil }
            at += 16
        case .linuxSLL2:
            guard let type = ether(at), type == 0x0800 || type == 0x86dd else { return nil }
            at += 20
        case .ethernet:
            at += 12
            // 802.1Q and 802.1ad tags, at most two.
            var tags = 0
            while let type = ether(at), type == 0x8100 || type == 0x88a8, tags < 2 {
                at += 4
                tags += 1
            }
            guard let type = ether(at), type == 0x0800 || type == 0x86dd else { return nil }
            at += 2
        }
        guard at < record.upperBound, bytes[at] >> 4 == 4 || bytes[at] >> 4 == 6 else { return nil }
        return at..<record.upperBound
    }
}
