import Base
import Capture

/// Takes frames apart as the decoder does and puts stand-ins in place: lengths stay, checksums that were right are right afterwards.
///
/// What the walk does not understand is blanked: no octet of a frame stays but those of known headers.
package struct PacketRedactor {
    /// A message that lies in several frames, before and after redaction.
    package struct Message: Sendable {
        package var before: [UInt8]
        package var after: [UInt8]
        /// TCP sequence number of the first octet; nil for what is no part of a stream, or is masked in it (WebSocket).
        package var sequence: UInt32?

        package init(before: [UInt8], after: [UInt8], sequence: UInt32?) {
            self.before = before
            self.after = after
            self.sequence = sequence
        }
    }

    var redactor: Redactor
    private var stations: [[UInt8]: UInt32] = [:]

    package init(_ redactor: Redactor) { self.redactor = redactor }

    /// `messages`: those that this frame and others carry together.
    package mutating func redact(_ frame: inout [UInt8], link: LinkType, _ messages: [Message] = []) {
        let head = redactLink(&frame, 0, link)
        guard let start = FrameDecoder.ip(frame, link) else { return Self.hide(&frame, head, frame.count) }
        redactTags(&frame, head - 2, start)
        internet(&frame, start, frame.count, messages, depth: 0)
    }

    /// The flow of the TCP segment that a frame carries; nil for anything else.
    package static func connection(_ frame: [UInt8], _ link: LinkType) -> PackedFlow? {
        guard let start = FrameDecoder.ip(frame, link), let head = IPView(frame, start, frame.count), head.isFirst,
            head.number == 6,
            head.payload + 4 <= frame.count
        else { return nil }
        return PackedFlow(
            source: head.source, frame.uint16(at: head.payload), destination: head.destination,
            frame.uint16(at: head.payload + 2), .tcp)
    }

    static func hide(_ frame: inout [UInt8], _ start: Int, _ end: Int) {
        guard start < end else { return }
        for index in start..<end { frame[index] = 0xff }
    }

    // MARK: Link

    /// Hides the link header's addresses. Returns where it ends.
    private mutating func redactLink(_ frame: inout [UInt8], _ at: Int, _ link: LinkType) -> Int {
        switch link {
        case .ethernet:
            station(&frame, at, 6)
            station(&frame, at + 6, 6)
            return at + 14
        case .linuxSLL:
            station(&frame, at + 6, 8)
            return at + 16
        case .linuxSLL2:
            station(&frame, at + 12, 8)
            return at + 20
        case .null, .loop: return at + 4
        case .ppp: return at + 2
        case .raw, .rawOld, .rawBSD, .ipv4, .ipv6: return at
        }
    }

    /// A hardware address becomes a locally administered one, the same for the same.
    private mutating func station(_ frame: inout [UInt8], _ at: Int, _ length: Int) {
        guard at + length <= frame.count else { return Self.hide(&frame, at, frame.count) }
        let address = Array(frame[at..<(at + 6)])
        for index in (at + 6)..<max(at + 6, at + length) { frame[index] = 0 }
        // Groups and blanks name nobody, but for groups that are an IP group's.
        guard address[0] & 1 == 0, address.contains(where: { $0 != 0 }) else { return }
        if stations.count >= 100_000 { stations.removeAll() }
        let number = stations[address] ?? UInt32(stations.count + 1)
        stations[address] = number
        frame.replaceSubrange(at..<(at + 2), with: [0x02, 0])
        frame.put(number, at: at + 2)
    }

    /// Between an EtherType at `type` and the IP packet at `end`: tags and labels name nobody, an Ethernet header below labels does.
    private mutating func redactTags(_ frame: inout [UInt8], _ type: Int, _ end: Int) {
        var type = type
        while type >= 0, type + 2 <= end, [0x8100, 0x88a8, 0x9100].contains(frame.uint16(at: type)) { type += 4 }
        guard type >= 0, type + 2 <= end, [0x8847, 0x8848].contains(frame.uint16(at: type)) else { return }
        var at = type + 2
        while at + 4 <= end, frame[at + 2] & 1 == 0 { at += 4 }
        // The last label, a control word, the frame.
        guard at + 8 + 14 <= end else { return }
        redactTags(&frame, redactLink(&frame, at + 8, .ethernet) - 2, end)
    }

    // MARK: IP

    /// From `start`, of which `limit` bounds what was captured.
    mutating func internet(_ frame: inout [UInt8], _ start: Int, _ limit: Int, _ messages: [Message], depth: Int) {
        guard start < limit else { return }
        guard depth <= 4, let head = IPView(frame, start, limit), head.payload <= limit else {
            return Self.hide(&frame, start, limit)
        }
        let (source, destination) = (redactor.redact(head.sourceAddress), redactor.redact(head.destinationAddress))
        head.replace(&frame, source, destination)
        let end = min(limit, max(head.payload, head.end))
        // Padding holds what the memory held.
        for index in end..<limit { frame[index] = 0 }
        guard head.payload < end else { return }
        let old = Array(frame[head.payload..<end])
        var shift = ChecksumShift()
        shift.add(from: head.sourceAddress, to: source)
        shift.add(from: head.destinationAddress, to: destination)
        guard head.isFirst else {
            // Ports are in the first fragment only: the message tells what belongs here.
            laterFragment(&frame, head.payload, end, head.offset, messages)
            return
        }
        switch head.number {
        case 17: udp(&frame, head, end, old, shift, messages, depth: depth)
        case 6: tcp(&frame, head, end, old, shift, messages)
        case 1, 58: icmp(&frame, head, end, old, shift, depth: depth)
        case 4, 41: internet(&frame, head.payload, end, messages, depth: depth + 1)
        case 47: wrapped(&frame, head.payload, FrameDecoder.inner(ofGRE: frame, head.payload, end), port: 0, end, depth: depth)
        default: Self.hide(&frame, head.payload, end)
        }
    }

    /// What a tunnel's header at `at` wraps. `port`: of UDP, which tells the kind of header; 0 for GRE.
    private mutating func wrapped(
        _ frame: inout [UInt8], _ at: Int, _ inner: FrameDecoder.Inner?, port: UInt16, _ end: Int, depth: Int
    ) {
        switch inner {
        case .ip(let start):
            Self.hideTunnel(&frame, at, min(start, end), port)
            internet(&frame, start, end, [], depth: depth + 1)
        case .ethernet(let start):
            guard start <= end else { return Self.hide(&frame, at, end) }
            Self.hideTunnel(&frame, at, start, port)
            let head = redactLink(&frame, start, .ethernet)
            guard let ip = FrameDecoder.ip(frame, in: start..<end, .ethernet) else { return Self.hide(&frame, head, end) }
            redactTags(&frame, head - 2, ip)
            internet(&frame, ip, end, [], depth: depth + 1)
        case nil: Self.hide(&frame, at, end)
        }
    }

    /// Identifiers of networks and subscribers, options and tags: how long they are stays.
    private static func hideTunnel(_ frame: inout [UInt8], _ at: Int, _ end: Int, _ port: UInt16) {
        func clear(_ from: Int, _ to: Int) {
            for index in min(from, end)..<max(min(from, end), min(to, end)) { frame[index] = 0 }
        }
        switch port {
        case 0: break
        case 2_152: clear(at + 4, at + 8)
        case 37_008:
            var tag = at + 4
            while tag + 1 < end {
                let length = frame[tag] <= 1 ? 0 : Int(frame[tag + 1]) + 1
                clear(tag + 2, tag + 1 + length)
                tag += 1 + length
            }
        case 6_081:
            clear(at + 4, at + 7)
            var option = at + 8
            while option + 4 <= end {
                let length = 4 + Int(frame[option + 3] & 31) * 4
                clear(option + 4, option + length)
                option += length
            }
        default: clear(at + 4, at + 7)
        }
    }

    private mutating func udp(
        _ frame: inout [UInt8], _ head: IPView, _ end: Int, _ old: [UInt8], _ addresses: ChecksumShift,
        _ messages: [Message], depth: Int
    ) {
        let at = head.payload
        guard at + 8 <= end else { return Self.hide(&frame, at, end) }
        var shift = addresses
        if head.isFragment, let message = messages.first(where: { $0.before.starts(with: frame[(at + 8)..<end]) }) {
            frame.replaceSubrange((at + 8)..<end, with: message.after[..<(end - at - 8)])
            // The checksum is over all fragments.
            shift.add(from: message.before[...], to: message.after[...])
        } else {
            if let inner = FrameDecoder.inner(ofUDP: frame, at, end) {
                wrapped(&frame, at + 8, inner, port: frame.uint16(at: at + 2), end, depth: depth)
            } else {
                payload(&frame, at + 8, end)
            }
            shift.add(from: old[8...], to: frame[(at + 8)..<end])
        }
        // Zero: the sender computed none.
        let checksum = frame.uint16(at: at + 6)
        guard checksum != 0 else { return }
        let updated = shift.applied(to: checksum)
        frame.replace(at: at + 6, bigEndian: updated == 0 ? 0xffff : updated)
    }

    private mutating func tcp(
        _ frame: inout [UInt8], _ head: IPView, _ end: Int, _ old: [UInt8], _ addresses: ChecksumShift,
        _ messages: [Message]
    ) {
        let at = head.payload
        guard at + 20 <= end else { return Self.hide(&frame, min(end, at + 16), end) }
        let start = max(at + 20, at + Int(frame[at + 12] >> 4) * 4)
        Self.hideOptions(&frame, at + 20, min(start, end))
        if start < end { segment(&frame, start, end, sequence: frame.uint32(at: at + 4), messages) }
        var shift = addresses
        shift.add(from: old[20...], to: frame[(at + 20)..<end])
        frame.replace(at: at + 16, bigEndian: shift.applied(to: frame.uint16(at: at + 16)))
    }

    /// Of TCP's options those with numbers stay: segment size, window, acknowledgements, times.
    private static func hideOptions(_ frame: inout [UInt8], _ start: Int, _ end: Int) {
        var at = start
        while at < end {
            let kind = frame[at]
            if kind <= 1 {
                at += 1
                continue
            }
            let size = at + 1 < end ? max(2, Int(frame[at + 1])) : 2
            let stop = min(end, at + size)
            if ![2, 3, 4, 5, 8].contains(kind) { for index in at..<stop { frame[index] = 1 } }
            at = stop
        }
    }

    private mutating func icmp(
        _ frame: inout [UInt8], _ head: IPView, _ end: Int, _ old: [UInt8], _ addresses: ChecksumShift, depth: Int
    ) {
        let at = head.payload
        guard at + 8 <= end else { return Self.hide(&frame, at, end) }
        let type = frame[at]
        let quotes = head.number == 1 ? [3, 4, 5, 11, 12].contains(type) : type < 128
        if head.number == 1, type == 5 {
            frame.replaceSubrange((at + 4)..<(at + 8), with: redactor.octets(Array(frame[(at + 4)..<(at + 8)])))
        }
        if quotes { internet(&frame, at + 8, end, [], depth: depth + 1) } else { Self.hide(&frame, at + 8, end) }
        // Only ICMPv6 covers the addresses (RFC 4443 2.3).
        var shift = head.number == 58 ? addresses : ChecksumShift()
        shift.add(from: old[4...], to: frame[(at + 4)..<end])
        frame.replace(at: at + 2, bigEndian: shift.applied(to: frame.uint16(at: at + 2)))
    }

    private func laterFragment(
        _ frame: inout [UInt8], _ start: Int, _ end: Int, _ offset: Int, _ messages: [Message]
    ) {
        // Eight octets of the datagram are UDP's header.
        let from = offset - 8
        let length = end - start
        for message in messages where from >= 0 && from + length <= message.before.count {
            guard message.before[from..<(from + length)].elementsEqual(frame[start..<end]) else { continue }
            frame.replaceSubrange(start..<end, with: message.after[from..<(from + length)])
            return
        }
        Self.hide(&frame, start, end)
    }
}
