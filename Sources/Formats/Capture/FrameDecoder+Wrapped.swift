/// Link types that put a header of their own before a frame of another one (the pcap LINKTYPE registry), and radio.
///
/// They are met seldom, so they are told apart by number behind the plain ones. An excerpt holds their IP packets as raw IP.
extension FrameDecoder {
    /// What a frame turned out to hold.
    enum Opened: Equatable {
        /// IP begins there.
        case ip(Int, end: Int)
        /// A frame of a plain link type.
        case frame(Int, LinkType)
        /// Several IP packets, or none that can be read, as the radio's own rules have it.
        case radio(Int, end: Int, padded: Bool)
        case notIP, malformed, unknown
    }

    /// Numbers for what Network Monitor alone has: above those of the registry.
    static let netMonRadio: UInt32 = 0x1_0006
    static let netMonRemark: UInt32 = 0x1_ffff

    /// A frame of a link type that is none of `LinkType`.
    mutating func wrapped(
        _ batch: inout PayloadBatch, at: Int, captured: Int, wire: Int, linkType: UInt32, _ context: inout Context
    ) {
        let base = UnsafeRawPointer(batch.input.start)
        let end = at + captured
        switch Self.open(base, at, end, linkType, depth: 0) {
        case .ip(let start, let end): packet(&batch, start, end, &context)
        case .frame(let start, let link):
            let place = Self.ip(base, start, end, link)
            if place >= 0 {
                packet(&batch, place, end, &context)
            } else if place == -1 {
                notes.notIP &+= 1
            } else {
                notes.malformed &+= 1
            }
        case .radio(let start, let end, let padded): radio(&batch, start, end, padded: padded, &context)
        case .notIP: notes.notIP &+= 1
        case .malformed: notes.malformed &+= 1
        case .unknown:
            if batch.keepsFrames {
                batch.frames.append(
                    FrameSpan(
                        number: notes.frames, time: .init(nanoseconds: context.time), captured: captured, wire: wire,
                        linkType: linkType, start: at))
            }
            if linkType == Self.exportedPDU, exported(UnsafeRawBufferPointer(start: base + at, count: captured), context, &batch)
            {
                return
            }
            notes.unknownLinkTypes[linkType, default: 0] &+= 1
        }
    }

    /// An IP packet that was dug out.
    mutating func packet(_ batch: inout PayloadBatch, _ start: Int, _ end: Int, _ context: inout Context) {
        guard start < end else {
            notes.malformed &+= 1
            return
        }
        if batch.keepsFrames {
            batch.frames.append(
                FrameSpan(
                    number: notes.frames, time: .init(nanoseconds: context.time), captured: end - start,
                    wire: context.flags.contains(.truncated) ? max(end - start, Int(context.wire)) : end - start,
                    linkType: LinkType.raw.rawValue, start: start))
        }
        let had = batch.records.count
        internet(&batch, UnsafeRawPointer(batch.input.start), start, end, &context, depth: 0)
        count(batch, from: had)
    }

    private static func open(_ base: UnsafeRawPointer, _ at: Int, _ end: Int, _ linkType: UInt32, depth: Int) -> Opened {
        func byte(_ place: Int) -> UInt8 { base.load(fromByteOffset: at + place, as: UInt8.self) }
        func little(_ place: Int) -> Int { Int(base.half(at + place).byteSwapped) }
        let room = end - at
        func inner(_ start: Int, _ link: LinkType) -> Opened { start < room ? .frame(at + start, link) : .malformed }
        func packet(_ start: Int) -> Opened { start < room ? .ip(at + start, end: end) : .malformed }
        switch linkType {
        // IEEE 802.11: bare, behind radiotap, Prism and AVS, and what Network Monitor puts before it.
        case 105: return .radio(at, end: end, padded: false)
        case 127: return radiotap(base, at, end)
        case 119:
            guard room >= 8 else { return .malformed }
            if base.word(at) & 0xffff_fff0 == 0x8021_1000 { return open(base, at, end, 163, depth: depth) }
            // The length in the writer's byte order.
            let length = byte(4) == 0 && byte(5) == 0 ? Int(base.word(at + 4)) : Int(base.word(at + 4).byteSwapped)
            return length >= 8 && length < room ? .radio(at + length, end: end, padded: false) : .malformed
        case 163:
            guard room >= 8 else { return .malformed }
            let length = Int(base.word(at + 4))
            return length >= 8 && length < room ? .radio(at + length, end: end, padded: false) : .malformed
        case netMonRadio:
            guard room >= 3, little(1) >= 3, little(1) < room else { return .malformed }
            return .radio(at + little(1), end: end, padded: false)
        // Per-packet information (CACE), and Apple's packet tap: a header of its length with a link type in it.
        case 192, 258, 149:
            let isTap = linkType != 192
            guard room >= (isTap ? 12 : 8), depth < 2 else { return .malformed }
            let length = isTap ? Int(base.word(at).byteSwapped) : little(2)
            let next = base.word(at + (isTap ? 8 : 4)).byteSwapped
            // A number that was free for all to use.
            if linkType == 149, length < 108 || length > 512 || base.word(at + 4).byteSwapped != 1 { return .unknown }
            guard length >= 8, length < room else { return .malformed }
            if let link = LinkType(rawValue: next) { return .frame(at + length, link) }
            return open(base, at + length, end, next, depth: depth + 1)
        case 239: return netfilter(base, at, end)
        // OpenBSD's and pfSense's packet filter: a header that names its length, padded to four.
        case 117: return room >= 1 ? packet((Int(byte(0)) + 3) & ~3) : .malformed
        // Their tunnels, Solaris' observer of its stack, FireWire, a logger of ports, MPLS alone.
        case 109: return packet(12)
        case 226: return packet(24)
        case 138:
            return room >= 18 ? (base.half(at + 16) == 0x0800 || base.half(at + 16) == 0x86dd ? packet(18) : .notIP) : .malformed
        case 240: return inner(4, .ethernet)
        case 241: return inner(12, .ethernet)
        case 219:
            let place = mpls(base, at, end)
            return place >= 0 ? .ip(place, end: end) : place == -1 ? .notIP : .malformed
        // PPP in its framings; PPPoE alone; Cisco's HDLC; RFC 2427; RFC 2684.
        case 50: return room >= 4 && (byte(0) == 0x0f || byte(0) == 0x8f) ? etherType(base, at + 2, end) : inner(0, .ppp)
        case 51: return inner(6, .ppp)
        case 166: return room >= 4 ? inner(byte(1) == 3 ? 2 : 0, .ppp) : .malformed
        case 204: return inner(1, .ppp)
        case 104: return etherType(base, at + 2, end)
        case 205: return etherType(base, at + 3, end)
        case 107:
            guard room >= 4 else { return .malformed }
            return byte(2) == 3 && byte(3) == 0xcc ? packet(4) : etherType(base, at + 2, end)
        case 11, 100: return snap(base, at, end)
        case netMonRemark: return .notIP
        default: return .unknown
        }
    }

    private static func etherType(_ base: UnsafeRawPointer, _ at: Int, _ end: Int) -> Opened {
        guard at + 2 <= end else { return .malformed }
        let place = etherType(base, base.half(at), at + 2, end)
        return place >= 0 ? .ip(place, end: end) : place == -1 ? .notIP : .malformed
    }

    /// LLC and SNAP with an EtherType in it.
    static func snap(_ base: UnsafeRawPointer, _ at: Int, _ end: Int) -> Opened {
        guard at + 8 <= end else { return .malformed }
        return isSNAP(base, at, end) ? etherType(base, at + 6, end) : .notIP
    }

    /// With the codes of RFC 1042 or IEEE 802.1H.
    static func isSNAP(_ base: UnsafeRawPointer, _ at: Int, _ end: Int) -> Bool {
        guard at + 8 <= end, base.word(at) == 0xaaaa_0300 else { return false }
        let code = base.half(at + 4)
        return code == 0 || code == 0xf8
    }

    /// Linux' NFLOG: four octets, then tags of the writer's byte order; 9 is the packet, from its IP header on.
    private static func netfilter(_ base: UnsafeRawPointer, _ at: Int, _ end: Int) -> Opened {
        for isSwapped in [true, false] {
            var place = at + 4
            while place + 4 <= end {
                let (length, type) = (base.half(place), base.half(place + 2))
                let size = Int(isSwapped ? length.byteSwapped : length)
                guard size >= 4, place + size <= end else { break }
                if (isSwapped ? type.byteSwapped : type) & 0x7fff == 9 {
                    return size > 4 ? .ip(place + 4, end: place + size) : .malformed
                }
                place += (size + 3) & ~3
            }
        }
        return .malformed
    }
}
