import Base
import Packet

/// Fragments of a capture on their way to whole packets: `Reassembler` with the numbers of the frames that brought them.
struct FragmentTable: ~Copyable {
    struct Key: Hashable {
        var source: PackedAddress
        var destination: PackedAddress
        var identification: UInt32
    }

    struct Trail {
        var frames: [UInt64]
        var started: Instant
        /// The first fragment's packet, if it came: it holds the ports and the start of the message.
        var first: [UInt8]?
        var context: FrameDecoder.Context
    }

    /// Datagrams incomplete at once; what is beyond is counted as incomplete.
    static let most = 1_024
    private static let patience: Duration = .seconds(60)

    private var reassembler: Reassembler
    private var trails: [Key: Trail] = [:]
    /// Nothing is due before.
    private var nextCheck = Int64.max

    init() {
        let limits = Reassembler.Limits(
            datagrams: Self.most, octets: 16 << 20, fragmentsPerDatagram: 128, time: Self.patience)
        // What a receiver does with overlaps differs; the first copy is what most of them keep for IPv4.
        reassembler = Reassembler(limits: limits, overlapV4: .firstWins)
    }

    @inline(__always)
    func isDue(_ time: Int64) -> Bool { time >= nextCheck }

    /// The whole packet, when this fragment completes it, with the frames that made it. `given` false: it had to be dropped.
    mutating func add(_ packet: [UInt8], _ key: Key, isFirst: Bool, _ context: FrameDecoder.Context) -> (
        packet: [UInt8]?, frames: [UInt64], given: Bool
    ) {
        let now = Instant(nanoseconds: context.time)
        switch reassembler.receive(packet, at: now) {
        case .whole(let whole):
            let trail = trails.removeValue(forKey: key)
            return (whole, (trail?.frames ?? []) + [context.frame], true)
        case .waiting:
            if trails[key] == nil {
                guard trails.count < Self.most else { return (nil, [], false) }
                trails[key] = Trail(frames: [], started: now, first: nil, context: context)
                nextCheck = min(nextCheck, (now + Self.patience).nanoseconds)
            }
            if trails[key]!.frames.count < 128 { trails[key]!.frames.append(context.frame) }
            if isFirst, trails[key]!.first == nil {
                trails[key]!.first = packet
                trails[key]!.context = context
            }
            return (nil, [], true)
        case .dropped:
            return (nil, [], false)
        }
    }

    /// One datagram whose time is over.
    mutating func expire(at now: Instant) -> Trail? {
        while reassembler.expire(at: now) != nil {}
        var earliest = Int64.max
        var due: Key?
        for (key, trail) in trails {
            let deadline = (trail.started + Self.patience).nanoseconds
            if deadline <= now.nanoseconds { due = key }
            earliest = min(earliest, deadline)
        }
        guard let due else {
            nextCheck = earliest
            return nil
        }
        return trails.removeValue(forKey: due)
    }

    /// Everything incomplete, in the order it began.
    mutating func removeAll() -> [Trail] {
        defer { trails = [:] }
        return trails.values.sorted { ($0.frames.first ?? 0) < ($1.frames.first ?? 0) }
    }
}

extension FrameDecoder {
    /// A fragment that lies in `at`..<`end`; its IP header says `total` octets.
    mutating func fragment(
        _ batch: inout PayloadBatch, _ base: UnsafeRawPointer, _ at: Int, _ end: Int, total: Int, _ context: inout Context,
        depth: Int
    ) {
        notes.fragments &+= 1
        let packet = [UInt8](UnsafeRawBufferPointer(start: base + at, count: end - at))
        guard at + total <= end, depth < 3 else {
            // Cut by the snap length: it can never be put together.
            notes.incompleteFragments &+= 1
            if packet[0] >> 4 == 4 { firstPart(packet, context, &batch) }
            return
        }
        let parsed: IPPacket
        do { parsed = try IPPacket(packet) } catch {
            notes.malformed &+= 1
            return
        }
        guard let fragment = parsed.fragment else {
            notes.malformed &+= 1
            return
        }
        let key = FragmentTable.Key(
            source: context.source, destination: context.destination, identification: fragment.identification)
        let (whole, frames, given) = fragments.add(packet, key, isFirst: fragment.offset == 0, context)
        if !given { notes.incompleteFragments &+= 1 }
        guard let whole else { return }
        notes.reassembled &+= 1
        parts = frames
        context.flags.insert(.reassembled)
        context.flags.remove(.truncated)
        context.isElsewhere = true
        whole.withUnsafeBytes { bytes in
            if let start = bytes.baseAddress { internet(&batch, start, 0, bytes.count, &context, depth: depth + 1) }
        }
        parts = []
    }

    /// A datagram of which fragments are missing: what came first is shown, marked as cut.
    mutating func incomplete(_ trail: FragmentTable.Trail, _ batch: inout PayloadBatch) {
        notes.incompleteFragments &+= 1
        guard let first = trail.first else { return }
        parts = trail.frames
        firstPart(first, trail.context, &batch)
        parts = []
    }

    private mutating func firstPart(_ packet: [UInt8], _ original: Context, _ batch: inout PayloadBatch) {
        guard let parsed = try? IPPacket(quotedIn: packet, 0..<packet.count), parsed.fragment?.offset == 0,
            parsed.protocolNumber == .udp
        else { return }
        var context = original
        context.flags.formUnion([.truncated, .ipFragment])
        context.isElsewhere = true
        let length = packet.count - parsed.payload.lowerBound
        guard length >= 8 else { return }
        packet.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            let said = Int(start.half(parsed.payload.lowerBound + 4))
            udp(&batch, start, parsed.payload.lowerBound, packet.count, length: max(said, length), context)
        }
    }
}
