extension FrameDecoder {
    /// Where the IP packet begins in a frame that lies in `at`..<`end`. -1: it carries something else; -2: it is cut short.
    @inline(__always)
    static func ip(_ base: UnsafeRawPointer, _ at: Int, _ end: Int, _ link: LinkType) -> Int {
        switch link {
        case .ethernet:
            guard at + 14 <= end else { return -2 }
            let type = base.half(at + 12)
            if type == 0x0800 || type == 0x86dd { return at + 14 }
            return etherType(base, type, at + 14, end)
        case .raw, .rawOld, .rawBSD, .ipv4, .ipv6:
            return at < end ? at : -2
        case .linuxSLL:
            guard at + 16 <= end else { return -2 }
            return etherType(base, base.half(at + 14), at + 16, end)
        case .linuxSLL2:
            guard at + 20 <= end else { return -2 }
            return etherType(base, base.half(at), at + 20, end)
        case .null, .loop:
            guard at + 4 < end else { return -2 }
            // The family number differs between systems and byte orders; the version nibble does not.
            let version = base.load(fromByteOffset: at + 4, as: UInt8.self) >> 4
            return version == 4 || version == 6 ? at + 4 : -1
        case .ppp:
            guard at + 2 <= end else { return -2 }
            return ppp(base, base.load(fromByteOffset: at, as: UInt8.self) == 0xff ? at + 2 : at, end)
        }
    }

    /// Behind an EtherType: IP, up to four VLAN tags (802.1Q, 802.1ad), PPPoE (RFC 2516), MPLS labels,
    /// 802.3 with LLC and SNAP.
    static func etherType(_ base: UnsafeRawPointer, _ first: UInt16, _ start: Int, _ end: Int) -> Int {
        var type = first
        var at = start
        for _ in 0..<5 {
            switch type {
            case 0x0800, 0x86dd: return at < end ? at : -2
            case 0x8100, 0x88a8, 0x9100:
                guard at + 4 <= end else { return -2 }
                type = base.half(at + 2)
                at += 4
            case 0x8864:
                guard at + 8 <= end else { return -2 }
                return ppp(base, at + 6, end)
            case 0x8847, 0x8848: return mpls(base, at, end)
            // A length, not a type: LLC, and SNAP with an EtherType in it.
            case 8...1_500:
                guard at + 8 <= end, base.word(at) == 0xaaaa_0300, base.half(at + 4) == 0 else { return -1 }
                type = base.half(at + 6)
                at += 8
            default: return -1
            }
        }
        return -1
    }

    /// The same for whoever has the frame's octets.
    package static func ip(_ frame: [UInt8], _ link: LinkType) -> Int? { ip(frame, in: 0..<frame.count, link) }

    /// The same for a frame within others; the range must lie within.
    package static func ip(_ frame: [UInt8], in range: Range<Int>, _ link: LinkType) -> Int? {
        let place = frame.withUnsafeBytes { bytes in
            bytes.baseAddress.map { ip($0, range.lowerBound, range.upperBound, link) } ?? -2
        }
        return place >= 0 ? place : nil
    }

    static func ppp(_ base: UnsafeRawPointer, _ at: Int, _ end: Int) -> Int {
        guard at + 2 < end else { return -2 }
        let number = base.half(at)
        return number == 0x0021 || number == 0x0057 ? at + 2 : -1
    }
}
