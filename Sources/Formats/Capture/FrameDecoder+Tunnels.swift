import Base

/// Packets inside packets: what mirrors, overlays and mobile networks wrap around the traffic that matters.
///
/// A wrapping is opened only where its own header is whole and makes sense; otherwise the packet stays what it was.
extension FrameDecoder {
    /// Wrappings opened around one packet.
    static let mostTunnels = 4

    /// The IP packet within another.
    mutating func inside(
        _ batch: inout PayloadBatch, _ base: UnsafeRawPointer, _ at: Int, _ end: Int, _ context: inout Context, depth: Int
    ) {
        guard depth < Self.mostTunnels else {
            notes.malformed &+= 1
            return
        }
        context.flags.insert(.tunnelled)
        internet(&batch, base, at, end, &context, depth: depth + 1)
    }

    /// The Ethernet frame within a packet.
    private mutating func ethernet(
        _ batch: inout PayloadBatch, _ base: UnsafeRawPointer, _ at: Int, _ end: Int, _ context: inout Context, depth: Int
    ) {
        let start = Self.ip(base, at, end, .ethernet)
        if start >= 0 {
            inside(&batch, base, start, end, &context, depth: depth)
        } else if start == -1 {
            notes.notIP &+= 1
        } else {
            notes.malformed &+= 1
        }
    }

    // MARK: GRE (RFC 2784, RFC 2890) and ERSPAN

    mutating func gre(
        _ batch: inout PayloadBatch, _ base: UnsafeRawPointer, _ at: Int, _ end: Int, _ context: inout Context, depth: Int
    ) {
        switch Self.gre(base, at, end) {
        case .found(.ip(let start)): inside(&batch, base, start, end, &context, depth: depth)
        case .found(.ethernet(let start)): ethernet(&batch, base, start, end, &context, depth: depth)
        case .malformed: notes.malformed &+= 1
        case .notIP: notes.notIP &+= 1
        case .unknown: notes.otherProtocols[47, default: 0] &+= 1
        }
    }

    private enum GRE { case found(Inner), malformed, notIP, unknown }

    private static func gre(_ base: UnsafeRawPointer, _ at: Int, _ end: Int) -> GRE {
        guard at + 4 <= end else { return .malformed }
        let flags = base.half(at)
        let hasSequence = flags & 0x1000 != 0
        // Checksum, key and sequence number, four octets each. Version 1 is PPTP's; routing is of the past.
        let place =
            at + 4 + (flags & 0x8000 != 0 ? 4 : 0) + (flags & 0x2000 != 0 ? 4 : 0) + (hasSequence ? 4 : 0)
        guard flags & 0x4007 == 0, place < end else { return .unknown }
        switch base.half(at + 2) {
        case 0x0800, 0x86dd: return .found(.ip(place))
        case 0x6558: return .found(.ethernet(place))
        // ERSPAN: type I has no header of its own, type II has eight octets and a sequence number before it.
        case 0x88be: return .found(.ethernet(place + (hasSequence ? 8 : 0)))
        case 0x22eb:
            guard place + 12 <= end else { return .malformed }
            let last = base.load(fromByteOffset: place + 11, as: UInt8.self)
            let frameType = base.load(fromByteOffset: place + 10, as: UInt8.self) >> 2 & 31
            let start = place + 12 + (last & 1 == 1 ? 8 : 0)
            return .found(frameType == 2 ? .ip(start) : .ethernet(start))
        case 0x8847, 0x8848:
            let start = mpls(base, place, end)
            return start >= 0 ? .found(.ip(start)) : .notIP
        default: return .unknown
        }
    }

    // MARK: Over UDP

    /// Where VXLAN (also Linux's first number for it), its extension GPE, Geneve, GTP-U, TZSP and L2TP are sent to.
    @inline(__always)
    static func isTunnelPort(_ port: UInt16) -> Bool {
        port == 4_789 || port == 8_472 || port == 6_081 || port == 2_152 || port == 37_008 || port == 4_790
            || port == 1_701
    }

    /// A UDP datagram at `at`, with an octet of payload at least, to one of these ports. False: it is no such thing after all.
    mutating func tunnel(
        _ batch: inout PayloadBatch, _ base: UnsafeRawPointer, _ at: Int, _ end: Int, _ context: Context, depth: Int
    ) -> Bool {
        let inner = Self.inner(base, udp: at, end)
        guard let inner else { return false }
        var context = context
        switch inner {
        case .ethernet(let start): ethernet(&batch, base, start, end, &context, depth: depth)
        case .ip(let start): inside(&batch, base, start, end, &context, depth: depth)
        }
        return true
    }

    /// What a wrapping holds, and where.
    package enum Inner {
        case ethernet(Int)
        case ip(Int)
    }

    private static func inner(_ base: UnsafeRawPointer, udp at: Int, _ end: Int) -> Inner? {
        let payload = at + 8
        return switch base.half(at + 2) {
        case 6_081: geneve(base, payload, end)
        case 2_152: gtp(base, payload, end)
        case 37_008: tzsp(base, payload, end)
        case 4_790: vxlanGPE(base, payload, end)
        case 1_701: l2tp(base, payload, end)
        default: vxlan(base, payload, end)
        }
    }

    /// For whoever has the frame's octets: what the UDP datagram at `at` wraps; `end` at most the frame's length.
    package static func inner(ofUDP frame: [UInt8], _ at: Int, _ end: Int) -> Inner? {
        guard at + 8 < end, isTunnelPort(frame.uint16(at: at + 2)) else { return nil }
        return frame.withUnsafeBytes { bytes in bytes.baseAddress.flatMap { inner($0, udp: at, end) } }
    }

    /// The same of a GRE packet.
    package static func inner(ofGRE frame: [UInt8], _ at: Int, _ end: Int) -> Inner? {
        frame.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, case .found(let inner) = gre(base, at, end) else { return nil }
            return inner
        }
    }

    /// RFC 7348 5: the I flag, a network identifier, an Ethernet frame.
    private static func vxlan(_ base: UnsafeRawPointer, _ at: Int, _ end: Int) -> Inner? {
        guard at + 8 < end, base.load(fromByteOffset: at, as: UInt8.self) & 0x7f == 0x08,
            base.load(fromByteOffset: at + 7, as: UInt8.self) == 0, ip(base, at + 8, end, .ethernet) != -2
        else { return nil }
        return .ethernet(at + 8)
    }

    /// draft-ietf-nvo3-vxlan-gpe 3: the I and P flags, and what follows: IPv4, IPv6 or Ethernet.
    private static func vxlanGPE(_ base: UnsafeRawPointer, _ at: Int, _ end: Int) -> Inner? {
        guard at + 8 < end, base.load(fromByteOffset: at, as: UInt8.self) & 0x3c == 0x0c else { return nil }
        switch base.load(fromByteOffset: at + 3, as: UInt8.self) {
        case 1, 2: return version(base, at + 8, end)
        case 3: return ip(base, at + 8, end, .ethernet) != -2 ? .ethernet(at + 8) : nil
        default: return nil
        }
    }

    /// RFC 2661 3.1: a data message with its optional fields, then PPP.
    private static func l2tp(_ base: UnsafeRawPointer, _ at: Int, _ end: Int) -> Inner? {
        guard at + 8 < end else { return nil }
        let flags = base.half(at)
        guard flags & 0x8000 == 0, flags & 0x000f == 2 else { return nil }
        var start = at + 6 + (flags & 0x4000 != 0 ? 2 : 0) + (flags & 0x0800 != 0 ? 4 : 0)
        if flags & 0x0200 != 0 {
            guard start + 2 < end else { return nil }
            start += 2 + Int(base.half(start))
        }
        guard start + 4 < end else { return nil }
        let inner = ppp(base, base.half(start) == 0xff03 ? start + 2 : start, end)
        return inner >= 0 ? version(base, inner, end) : nil
    }

    /// RFC 8926 3.4.
    private static func geneve(_ base: UnsafeRawPointer, _ at: Int, _ end: Int) -> Inner? {
        guard at + 8 < end, base.load(fromByteOffset: at, as: UInt8.self) >> 6 == 0,
            base.load(fromByteOffset: at + 7, as: UInt8.self) == 0
        else { return nil }
        let start = at + 8 + Int(base.load(fromByteOffset: at, as: UInt8.self) & 0x3f) * 4
        guard start < end else { return nil }
        switch base.half(at + 2) {
        case 0x6558: return .ethernet(start)
        case 0x0800, 0x86dd: return .ip(start)
        default: return nil
        }
    }

    /// 3GPP TS 29.281 5.1: a G-PDU of version 1, with its optional fields and extension headers.
    private static func gtp(_ base: UnsafeRawPointer, _ at: Int, _ end: Int) -> Inner? {
        guard at + 8 < end else { return nil }
        let flags = base.load(fromByteOffset: at, as: UInt8.self)
        guard flags >> 4 == 3, base.load(fromByteOffset: at + 1, as: UInt8.self) == 0xff else { return nil }
        var start = at + 8
        if flags & 7 != 0 {
            guard start + 4 < end else { return nil }
            var next = flags & 4 != 0 ? base.load(fromByteOffset: start + 3, as: UInt8.self) : 0
            start += 4
            for _ in 0..<8 where next != 0 {
                guard start < end else { return nil }
                let size = Int(base.load(fromByteOffset: start, as: UInt8.self)) * 4
                guard size > 0, start + size < end else { return nil }
                next = base.load(fromByteOffset: start + size - 1, as: UInt8.self)
                start += size
            }
            guard next == 0 else { return nil }
        }
        return version(base, start, end)
    }

    /// TaZmen's sniffer protocol, as MikroTik and access points send it: tags up to an end tag, then an Ethernet frame.
    private static func tzsp(_ base: UnsafeRawPointer, _ at: Int, _ end: Int) -> Inner? {
        guard at + 5 < end, base.load(fromByteOffset: at, as: UInt8.self) == 1,
            base.load(fromByteOffset: at + 1, as: UInt8.self) <= 1, base.half(at + 2) == 1
        else { return nil }
        var place = at + 4
        for _ in 0..<32 where place < end {
            switch base.load(fromByteOffset: place, as: UInt8.self) {
            case 0: place += 1
            case 1: return place + 1 < end ? .ethernet(place + 1) : nil
            default:
                guard place + 1 < end else { return nil }
                place += 2 + Int(base.load(fromByteOffset: place + 1, as: UInt8.self))
            }
        }
        return nil
    }

    private static func version(_ base: UnsafeRawPointer, _ at: Int, _ end: Int) -> Inner? {
        guard at < end else { return nil }
        let version = base.load(fromByteOffset: at, as: UInt8.self) >> 4
        return version == 4 || version == 6 ? .ip(at) : nil
    }

    // MARK: MPLS (RFC 3032)

    /// Where the IP packet begins below a stack of labels at `at`; -1: something else lies there; -2: it is cut short.
    static func mpls(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Int {
        var at = start
        for _ in 0..<16 {
            guard at + 4 < end else { return -2 }
            let isBottom = base.load(fromByteOffset: at + 2, as: UInt8.self) & 1 == 1
            at += 4
            guard isBottom else { continue }
            switch base.load(fromByteOffset: at, as: UInt8.self) >> 4 {
            case 4, 6: return at
            // A control word (RFC 4385), then an Ethernet frame.
            case 0: return at + 4 < end ? ip(base, at + 4, end, .ethernet) : -2
            default: return -1
            }
        }
        return -1
    }

    // MARK: Exported PDUs

    /// LINKTYPE_WIRESHARK_UPPER_PDU: what Wireshark exports, without the packets around it; SIP out of TLS among it.
    static let exportedPDU: UInt32 = 252

    /// Tags of two octets number, two octets length, up to one of number 0; then the payload. False: no addresses, or damaged.
    mutating func exported(_ bytes: UnsafeRawBufferPointer, _ context: Context, _ batch: inout PayloadBatch) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        var at = 0
        var (source, destination): (IPAddress?, IPAddress?)
        var (from, to): (UInt16, UInt16) = (0, 0)
        var isStream = false
        while at + 4 <= bytes.count {
            let (tag, length) = (base.half(at), Int(base.half(at + 2)))
            at += 4
            guard at + length <= bytes.count else { return false }
            switch (tag, length) {
            case (0, _):
                guard let source, let destination else { return false }
                let payload = UnsafeRawBufferPointer(rebasing: bytes[(at + length)...])
                let had = batch.records.count
                batch.append(
                    payload, from: Endpoint(source, from), to: Endpoint(destination, to), isStream ? .tcp : .udp,
                    at: Instant(nanoseconds: context.time), frame: context.frame, content: nil, flags: .encapsulated)
                count(batch, from: had)
                return true
            case (20, 4): source = PackedAddress(v4: base.word(at)).address
            case (21, 4): destination = PackedAddress(v4: base.word(at)).address
            case (22, 16): source = PackedAddress(high: base.long(at), low: base.long(at + 8)).address
            case (23, 16): destination = PackedAddress(high: base.long(at), low: base.long(at + 8)).address
            // Wireshark's own numbers: 2 is TCP, 3 is UDP.
            case (24, 4): isStream = base.word(at) == 2
            case (25, 4): from = UInt16(truncatingIfNeeded: base.word(at))
            case (26, 4): to = UInt16(truncatingIfNeeded: base.word(at))
            default: break
            }
            at += length
        }
        return false
    }
}
