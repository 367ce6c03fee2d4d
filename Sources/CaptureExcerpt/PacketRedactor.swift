import Base
import Capture
import ExplainReport
import Packet

/// Hides names, numbers and addresses in frames, in place: lengths stay, checksums that were right are right afterwards.
///
/// Speech is blanked; what is not understood loses its letters and digits.
struct PacketRedactor {
    var redactor: Redactor
    private var stations: [[UInt8]: UInt32] = [:]

    init(_ redactor: Redactor) { self.redactor = redactor }

    /// `messages`: those that this frame and others carry together.
    mutating func redact(_ frame: inout [UInt8], link: LinkType, _ messages: [ExcerptPlan.Message]) {
        redactLink(&frame, link)
        guard let start = FrameDecoder.ip(frame, link) else { return }
        internet(&frame, start, messages, depth: 0)
    }

    /// The flow of the TCP segment that a frame carries; nil for anything else.
    static func connection(_ frame: [UInt8], _ link: LinkType) -> PackedFlow? {
        guard let start = FrameDecoder.ip(frame, link), let head = IPHead(frame, start), head.isFirst, head.number == 6,
            head.payload + 4 <= frame.count
        else { return nil }
        return PackedFlow(
            source: PackedAddress(head.source), frame.uint16(at: head.payload), destination: PackedAddress(head.destination),
            frame.uint16(at: head.payload + 2), .tcp)
    }

    // MARK: Link

    private mutating func redactLink(_ frame: inout [UInt8], _ link: LinkType) {
        switch link {
        case .ethernet:
            station(&frame, 0, 6)
            station(&frame, 6, 6)
        case .linuxSLL: station(&frame, 6, 6)
        case .linuxSLL2: station(&frame, 12, 6)
        case .raw, .rawOld, .rawBSD, .ipv4, .ipv6, .null, .loop, .ppp: break
        }
    }

    /// A hardware address becomes a locally administered one, the same for the same.
    private mutating func station(_ frame: inout [UInt8], _ at: Int, _ length: Int) {
        guard at + length <= frame.count else { return }
        let address = Array(frame[at..<(at + length)])
        // Groups and blanks name nobody.
        guard address[0] & 1 == 0, address.contains(where: { $0 != 0 }) else { return }
        let number = stations[address] ?? UInt32(stations.count + 1)
        stations[address] = number
        frame.replaceSubrange(at..<(at + 2), with: [0x02, 0])
        frame.put(number, at: at + 2)
    }

    // MARK: IP

    mutating func internet(_ frame: inout [UInt8], _ start: Int, _ messages: [ExcerptPlan.Message], depth: Int) {
        guard depth < 3, let head = IPHead(frame, start) else { return }
        let source = redactor.redact(head.source)
        let destination = redactor.redact(head.destination)
        head.replace(&frame, source, destination)
        let end = min(frame.count, head.end)
        guard head.payload < end else { return }
        let old = Array(frame[head.payload..<end])
        var shift = ChecksumShift()
        shift.add(from: head.source, to: source)
        shift.add(from: head.destination, to: destination)
        guard head.isFirst else {
            // Ports are in the first fragment only: the message tells what belongs here.
            laterFragment(&frame, head.payload, end, head.offset, messages)
            return
        }
        switch head.number {
        case 17: udp(&frame, head, end, old, shift, messages)
        case 6: tcp(&frame, head, end, old, shift, messages)
        case 1, 58: icmp(&frame, head, end, old, shift, depth: depth)
        case 4, 41: internet(&frame, head.payload, messages, depth: depth + 1)
        default: Self.blank(&frame, head.payload + 4, end)
        }
    }

    private mutating func udp(
        _ frame: inout [UInt8], _ head: IPHead, _ end: Int, _ old: [UInt8], _ addresses: ChecksumShift,
        _ messages: [ExcerptPlan.Message]
    ) {
        let at = head.payload
        guard at + 8 <= end else { return }
        var shift = addresses
        if head.isFragment, let message = messages.first(where: { $0.before.starts(with: frame[(at + 8)..<end]) }) {
            frame.replaceSubrange((at + 8)..<end, with: message.after[..<(end - at - 8)])
            // The checksum is over all fragments.
            shift.add(from: message.before[...], to: message.after[...])
        } else {
            payload(&frame, at + 8, end)
            shift.add(from: old[8...], to: frame[(at + 8)..<end])
        }
        // Zero: the sender computed none.
        let checksum = frame.uint16(at: at + 6)
        guard checksum != 0 else { return }
        let updated = shift.applied(to: checksum)
        frame.replace(at: at + 6, bigEndian: updated == 0 ? 0xffff : updated)
    }

    private mutating func tcp(
        _ frame: inout [UInt8], _ head: IPHead, _ end: Int, _ old: [UInt8], _ addresses: ChecksumShift,
        _ messages: [ExcerptPlan.Message]
    ) {
        let at = head.payload
        guard at + 20 <= end else { return }
        let start = at + Int(frame[at + 12] >> 4) * 4
        if start >= at + 20, start < end { segment(&frame, start, end, sequence: frame.uint32(at: at + 4), messages) }
        var shift = addresses
        if start <= end, start >= at { shift.add(from: old[(start - at)...], to: frame[start..<end]) }
        frame.replace(at: at + 16, bigEndian: shift.applied(to: frame.uint16(at: at + 16)))
    }

    private mutating func icmp(
        _ frame: inout [UInt8], _ head: IPHead, _ end: Int, _ old: [UInt8], _ addresses: ChecksumShift, depth: Int
    ) {
        let at = head.payload
        guard at + 8 <= end else { return }
        let type = frame[at]
        let quotes = head.number == 1 ? [3, 4, 5, 11, 12].contains(type) : type < 128
        if quotes { internet(&frame, at + 8, [], depth: depth + 1) } else { Self.blank(&frame, at + 8, end) }
        // Only ICMPv6 covers the addresses (RFC 4443 2.3).
        var shift = head.number == 58 ? addresses : ChecksumShift()
        shift.add(from: old[4...], to: frame[(at + 4)..<end])
        frame.replace(at: at + 2, bigEndian: shift.applied(to: frame.uint16(at: at + 2)))
    }

    private func laterFragment(
        _ frame: inout [UInt8], _ start: Int, _ end: Int, _ offset: Int, _ messages: [ExcerptPlan.Message]
    ) {
        // Eight octets of the datagram are UDP's header.
        let from = offset - 8
        let length = end - start
        for message in messages where from >= 0 && from + length <= message.before.count {
            guard message.before[from..<(from + length)].elementsEqual(frame[start..<end]) else { continue }
            frame.replaceSubrange(start..<end, with: message.after[from..<(from + length)])
            return
        }
        Self.blank(&frame, start, end)
    }
}

/// An IP header where it lies, of either family, up to what it carries.
struct IPHead {
    let start: Int
    let isIPv6: Bool
    let source: IPAddress
    let destination: IPAddress
    /// Protocol number of what it carries, behind any extension headers.
    var number: UInt8
    var payload: Int
    /// Where the packet ends, by its own length.
    let end: Int
    /// Of a fragment, in octets.
    var offset = 0
    var isFragment = false

    var isFirst: Bool { offset == 0 }

    /// nil when it is cut short.
    init?(_ b: [UInt8], _ start: Int) {
        self.start = start
        guard start < b.count else { return nil }
        if b[start] >> 4 == 4 {
            guard start + 20 <= b.count else { return nil }
            isIPv6 = false
            source = .v4(IPv4Address(bits: b.uint32(at: start + 12)))
            destination = .v4(IPv4Address(bits: b.uint32(at: start + 16)))
            number = b[start + 9]
            payload = start + Int(b[start] & 15) * 4
            guard payload >= start + 20 else { return nil }
            let total = Int(b.uint16(at: start + 2))
            end = total == 0 ? b.count : start + total
            let fragment = b.uint16(at: start + 6)
            offset = Int(fragment & 0x1fff) * 8
            isFragment = fragment & 0x3fff != 0
            return
        }
        guard b[start] >> 4 == 6, start + 40 <= b.count else { return nil }
        isIPv6 = true
        func address(_ at: Int) -> IPAddress {
            let words = [at, at + 4, at + 8, at + 12].map { UInt64(b.uint32(at: $0)) }
            return .v6(IPv6Address(high: words[0] << 32 | words[1], low: words[2] << 32 | words[3]))
        }
        source = address(start + 8)
        destination = address(start + 24)
        number = b[start + 6]
        payload = start + 40
        let length = Int(b.uint16(at: start + 4))
        end = length == 0 ? b.count : start + 40 + length
        for _ in 0..<8 {
            guard payload + 8 <= b.count else { return }
            switch number {
            case 0, 43, 60, 135: (number, payload) = (b[payload], payload + (Int(b[payload + 1]) + 1) * 8)
            case 51: (number, payload) = (b[payload], payload + (Int(b[payload + 1]) + 2) * 4)
            case 44:
                isFragment = true
                offset = Int(b.uint16(at: payload + 2) & 0xfff8)
                (number, payload) = (b[payload], payload + 8)
                if offset > 0 { return }
            default: return
            }
        }
    }

    /// Puts other addresses of the same family in place.
    func replace(_ b: inout [UInt8], _ source: IPAddress, _ destination: IPAddress) {
        func put(_ address: IPAddress, _ at: Int) {
            switch address {
            case .v4(let v4): b.put(v4.bits, at: at)
            case .v6(let v6): b.replaceSubrange(at..<(at + 16), with: v6.octets)
            }
        }
        put(source, start + (isIPv6 ? 8 : 12))
        put(destination, start + (isIPv6 ? 24 : 16))
        guard !isIPv6 else { return }
        var shift = ChecksumShift()
        shift.add(from: self.source, to: source)
        shift.add(from: self.destination, to: destination)
        b.replace(at: start + 10, bigEndian: shift.applied(to: b.uint16(at: start + 10)))
    }
}

extension [UInt8] {
    /// Big-endian; the octets must be there.
    mutating func put(_ value: UInt32, at place: Int) {
        replace(at: place, bigEndian: UInt16(truncatingIfNeeded: value >> 16))
        replace(at: place + 2, bigEndian: UInt16(truncatingIfNeeded: value))
    }
}

/// What a change of covered octets does to an Internet checksum (RFC 1624), gathered over several changes.
struct ChecksumShift {
    private var sum: UInt64 = 0

    /// Both begin at an even place and are equally long.
    mutating func add(from old: ArraySlice<UInt8>, to new: ArraySlice<UInt8>) {
        for (offset, (before, after)) in zip(old, new).enumerated() where before != after {
            let place = UInt64(offset & 1 == 0 ? 8 : 0)
            sum &+= UInt64(~(UInt16(before) << UInt16(place))) &+ UInt64(UInt16(after) << UInt16(place))
        }
    }

    mutating func add(from old: IPAddress, to new: IPAddress) {
        let (before, after) = (Self.octets(old), Self.octets(new))
        add(from: before[...], to: after[...])
    }

    func applied(to checksum: UInt16) -> UInt16 {
        var total = UInt64(~checksum) &+ sum
        while total >> 16 != 0 { total = total & 0xffff &+ total >> 16 }
        return ~UInt16(truncatingIfNeeded: total)
    }

    private static func octets(_ address: IPAddress) -> [UInt8] {
        switch address {
        case .v4(let v4):
            let (a, b, c, d) = v4.octets
            return [a, b, c, d]
        case .v6(let v6): return v6.octets
        }
    }
}
