import Base
import Packet

/// Takes frames apart: link layer, IP with its fragments, UDP, TCP, ICMP. What carries a payload becomes a record.
///
/// For files `CaptureDecoder` drives it; a live capture does so itself: `append` frames to a batch one after another.
public struct FrameDecoder: ~Copyable {
    /// The packet in hand.
    struct Context {
        var frame: UInt64
        var time: Int64
        var wire: UInt32
        var source = PackedAddress(high: 0, low: 0)
        var destination = PackedAddress(high: 0, low: 0)
        var flags: PayloadRecord.Flags = []
        var ttl: UInt8 = 0
        var ipID: UInt16 = 0
        /// The octets lie outside the batch's input and must be copied into its area.
        var isElsewhere = false
    }

    public internal(set) var notes = CaptureNotes()
    var streams: StreamTable
    var fragments: FragmentTable
    var senders = RadioSenders()
    /// Frames that carried the packet in hand, when it was put together.
    var parts: [UInt64] = []
    /// Payloads by `ContentGuess`, until `settle`.
    private var contents = InlineArray<16, UInt64>(repeating: 0)

    /// `tls`: what TLS is read with; nil: it is not.
    public init(limits: StreamTable.Limits = .init(), tls: TLSReading? = nil) {
        streams = StreamTable(limits: limits, tls: tls)
        fragments = FragmentTable()
    }

    /// Adds one frame that was just captured. `wire`: its length on the wire. `link` nil: unknown, by number `linkType`.
    public mutating func append(
        _ frame: UnsafeRawBufferPointer, wire: Int, at time: Instant, link: LinkType?, linkType: UInt32,
        to batch: inout PayloadBatch
    ) {
        let at = batch.filled
        batch.input.grow(to: at + frame.count, keeping: at)
        if let start = frame.baseAddress { (batch.input.start + at).copyMemory(from: start, byteCount: frame.count) }
        batch.filled = at + frame.count
        take(&batch, at: at, captured: frame.count, wire: wire, time: time.nanoseconds, link: link, linkType: linkType)
    }

    /// A frame that cannot be looked into counts all the same: numbers must agree with other programs'.
    mutating func skip() { notes.frames &+= 1 }

    /// What the capturing kernel says it has dropped so far.
    public mutating func noteDrops(_ count: UInt64) { notes.drops = count }

    /// Moves counts into `notes`.
    public mutating func settle() {
        for index in 0..<10 where contents[index] > 0 {
            notes.contents[index] &+= contents[index]
            contents[index] = 0
        }
    }

    /// No more frames: incomplete datagrams and messages are given as far as they came.
    public mutating func finish(_ batch: inout PayloadBatch) {
        for lost in fragments.removeAll() { incomplete(lost, &batch) }
        streams.finish(&batch, &notes)
        count(batch, from: 0)
        settle()
    }

    /// One frame whose octets lie in the batch's input.
    @inline(__always)
    mutating func take(
        _ batch: inout PayloadBatch, at: Int, captured: Int, wire: Int, time: Int64, link: LinkType?, linkType: UInt32
    ) {
        let time = CaptureTime.bounded(time)
        notes.count(at: time)
        if batch.keepsFrames, link != nil {
            batch.frames.append(
                FrameSpan(
                    number: notes.frames, time: Instant(nanoseconds: time), captured: captured, wire: wire, linkType: linkType,
                    start: at))
        }
        var context = Context(frame: notes.frames, time: time, wire: UInt32(clamping: wire))
        if captured < wire {
            notes.truncated &+= 1
            context.flags.insert(.truncated)
        }
        let base = UnsafeRawPointer(batch.input.start)
        guard let link else {
            wrapped(&batch, at: at, captured: captured, wire: wire, linkType: linkType, &context)
            return
        }
        let start = Self.ip(base, at, at + captured, link)
        guard start >= 0 else {
            if start == -1 { notes.notIP &+= 1 } else { notes.malformed &+= 1 }
            return
        }
        let had = batch.records.count
        internet(&batch, base, start, at + captured, &context, depth: 0)
        if fragments.isDue(time) {
            while let lost = fragments.expire(at: Instant(nanoseconds: time)) { incomplete(lost, &batch) }
        }
        count(batch, from: had)
    }

    @inline(__always)
    mutating func count(_ batch: borrowing PayloadBatch, from first: Int) {
        for index in first..<batch.records.count { contents[Int(batch.records[index].content.rawValue)] &+= 1 }
    }

    /// IPv4 or IPv6 from `at`, of which `end` bounds what was captured.
    mutating func internet(
        _ batch: inout PayloadBatch, _ base: UnsafeRawPointer, _ at: Int, _ end: Int, _ context: inout Context, depth: Int
    ) {
        guard let view = IPView(base, at, end), view.isSound else {
            notes.malformed &+= 1
            return
        }
        context.ttl = view.timeToLive
        context.ipID = view.identification
        context.source = view.source
        context.destination = view.destination
        let stop = min(end, view.end)
        guard !view.isFragment else {
            fragment(&batch, base, at, stop, total: view.total, &context, depth: depth)
            return
        }
        transport(
            &batch, base, view.payload, stop, length: view.end - view.payload, view.number, &context, depth: depth)
    }

    /// `end` bounds what was captured, `length` is the transport's length as IP says.
    private mutating func transport(
        _ batch: inout PayloadBatch, _ base: UnsafeRawPointer, _ at: Int, _ end: Int, length: Int, _ number: UInt8,
        _ context: inout Context, depth: Int
    ) {
        switch number {
        case 17:
            if depth < Self.mostTunnels, at + 8 < end, Self.isTunnelPort(base.half(at + 2)),
                tunnel(&batch, base, at, end, context, depth: depth)
            {
                return
            }
            udp(&batch, base, at, end, length: length, context)
        case 6:
            guard let segment = TCPView(base, at, end, length: length) else {
                notes.malformed &+= 1
                return
            }
            notes.segments &+= 1
            streams.take(segment, base, context, parts, &batch, &notes)
        case 1: icmp(&batch, base, at, end, context, isIPv6: false)
        case 58: icmp(&batch, base, at, end, context, isIPv6: true)
        case 4, 41: inside(&batch, base, at, end, &context, depth: depth)
        case 47: gre(&batch, base, at, end, &context, depth: depth)
        default:
            notes.otherProtocols[number, default: 0] &+= 1
        }
    }

    @inline(__always)
    mutating func udp(
        _ batch: inout PayloadBatch, _ base: UnsafeRawPointer, _ at: Int, _ end: Int, length: Int, _ context: Context
    ) {
        guard at + 8 <= end, length >= 8 else {
            notes.malformed &+= 1
            return
        }
        var flags = context.flags
        var said = Int(base.half(at + 4))
        if said != length {
            // Zero: a jumbo, or left to the network card. Shorter than the packet: padding, or an ALG that forgot.
            if said == 0 {
                said = length
            } else {
                guard said >= 8 else {
                    notes.malformed &+= 1
                    return
                }
                flags.insert(.lengthLies)
                said = min(said, length)
            }
        }
        let held = min(said - 8, end - at - 8)
        let bytes = UnsafeRawBufferPointer(start: base + at + 8, count: held)
        let content = ContentGuess.guess(bytes)
        if content == .hep, encapsulated(bytes, context, &batch) { return }
        if held < said - 8 {
            flags.insert(.truncated)
            if content != .other { notes.truncatedPayloads &+= 1 }
        } else {
            flags.remove(.truncated)
        }
        var record = PayloadRecord(
            frame: context.frame, time: Instant(nanoseconds: context.time), source: context.source,
            destination: context.destination, offset: UInt32(truncatingIfNeeded: at + 8),
            length: UInt32(truncatingIfNeeded: held),
            wireLength: context.wire, framesStart: 0, framesCount: 0, sourcePort: base.half(at),
            destinationPort: base.half(at + 2),
            ipID: context.ipID, flags: flags, ttl: context.ttl, transport: .udp, content: content)
        if context.isElsewhere {
            batch.place(bytes, in: &record)
            batch.list(parts, in: &record)
        }
        batch.records.append(record)
    }
}

extension FrameDecoder {
    /// A capture of what a capture agent sends: what counts is what it saw. False: no HEPv3 packet after all.
    private mutating func encapsulated(_ bytes: UnsafeRawBufferPointer, _ context: Context, _ batch: inout PayloadBatch) -> Bool {
        guard let packet = try? HEPPacket(bytes), !packet.isCompressed else { return false }
        let payload = UnsafeRawBufferPointer(rebasing: bytes[packet.payload])
        batch.append(
            payload, from: packet.source, to: packet.destination, packet.ipProtocol == 6 ? .tcp : .udp,
            at: Instant(nanoseconds: context.time), frame: context.frame, content: nil, flags: .encapsulated)
        return true
    }
}

extension UnsafeRawPointer {
    /// Big-endian fields; the octets must be there.
    @inline(__always)
    func half(_ at: Int) -> UInt16 { UInt16(bigEndian: loadUnaligned(fromByteOffset: at, as: UInt16.self)) }

    @inline(__always)
    func word(_ at: Int) -> UInt32 { UInt32(bigEndian: loadUnaligned(fromByteOffset: at, as: UInt32.self)) }

    @inline(__always)
    func long(_ at: Int) -> UInt64 { UInt64(bigEndian: loadUnaligned(fromByteOffset: at, as: UInt64.self)) }
}
