import Base

/// How Microsoft's Network Monitor wrote a file: version 1 (RTSS) or 2 (GMBU); little-endian.
struct NetMonState {
    static let first: UInt32 = 0x5254_5353
    static let second: UInt32 = 0x474d_4255
    static let headLength = 128

    private let isFirst: Bool
    /// Octets before and behind each frame.
    fileprivate let head: Int
    fileprivate let trail: Int
    private let network: UInt32
    /// Nanoseconds since 1970, as if the clock on the wall had shown UTC.
    private let start: Int64
    /// Where the table of frames lies, which ends the frames.
    fileprivate let table: UInt32

    /// `bytes`: the head, whole.
    init(_ bytes: UnsafeRawBufferPointer) {
        func half(_ at: Int) -> Int64 { Int64(Self.half(bytes, at)) }
        isFirst = UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)) == Self.first
        head = isFirst ? 8 : 16
        // Minor versions of 2 added: the frame's network, its process, its time.
        let minor = bytes[4]
        trail = isFirst || minor == 0 ? 0 : minor == 1 ? 2 : minor == 2 ? 6 : 15
        network = UInt32(half(6))
        let days = CivilDate(year: half(8), month: Int(half(10)), day: Int(half(14))).daysSinceEpoch
        let seconds = ((days * 24 + half(16)) * 60 + half(18)) * 60 + half(20)
        start = seconds &* 1_000_000_000 &+ half(22) * 1_000_000
        table = Self.word(bytes, 24)
    }

    private static func half(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt16 {
        UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self))
    }

    fileprivate static func word(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
    }

    private static func long(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }

    /// Octets that the file lacks when it ends at `end`; nil when it reached its table.
    func missing(at end: UInt64) -> Int? { table > 0 && end < UInt64(table) ? Int(UInt64(table) - end) : nil }

    /// Lengths in the file and on the wire.
    fileprivate func lengths(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> (captured: UInt32, wire: UInt32) {
        isFirst
            ? (UInt32(Self.half(bytes, at + 6)), UInt32(Self.half(bytes, at + 4)))
            : (Self.word(bytes, at + 12), Self.word(bytes, at + 8))
    }

    /// The frame at `at` is whole, with `captured` octets.
    fileprivate func time(_ bytes: UnsafeRawBufferPointer, _ at: Int, captured: Int) -> Int64 {
        if trail == 15 {
            // Steps of 100 ns since 1601: in 2.3 each frame bears its own, in UTC.
            let ticks = Self.long(bytes, at + head + captured + 6)
            let (since, isBefore) = ticks.subtractingReportingOverflow(116_444_736_000_000_000)
            if !isBefore, since < 1 << 56 { return Int64(since) &* 100 }
        }
        return isFirst
            ? start &+ Int64(Self.word(bytes, at)) &* 1_000_000
            : start &+ Int64(truncatingIfNeeded: Self.long(bytes, at)) &* 1_000
    }

    fileprivate func link(_ bytes: UnsafeRawBufferPointer, _ at: Int, captured: Int) -> UInt32 {
        let number = trail == 0 ? network : UInt32(Self.half(bytes, at + head + captured))
        switch number {
        case 1: return LinkType.ethernet.rawValue
        case 2: return 6
        case 3: return 10
        // Among the numbers of NDIS, those that version 2 gave a meaning of its own.
        case 6: return FrameDecoder.netMonRadio
        case 7...9: return LinkType.raw.rawValue
        // What the program remarked, no frame: networks, processes, filters.
        case 0xffe0...: return FrameDecoder.netMonRemark
        // pcap's own numbers.
        case 0xe000...0xefff: return number & 0x0fff
        default: return 0x1_0000 | number
        }
    }
}

extension CaptureDecoder {
    /// Every complete frame from `start`; returns where it stopped.
    mutating func walkNetMon(_ batch: inout PayloadBatch, from start: Int, base: UInt64, _ state: inout NetMonState) -> Int {
        let bytes = UnsafeRawBufferPointer(start: batch.input.start, count: batch.filled)
        var at = start
        wanted = state.head
        while true {
            let place = base &+ UInt64(at)
            // Behind the frames there are tables only.
            if state.table > 0, place >= UInt64(state.table) { return batch.filled }
            guard at + state.head <= bytes.count else { break }
            let (captured, wire) = state.lengths(bytes, at)
            guard captured <= PcapFile.mostRecordOctets else {
                frames.notes.note(.recordLength(captured), at: place)
                container = .refused
                return batch.filled
            }
            let length = state.head + Int(captured) + state.trail
            guard at + length <= bytes.count else {
                wanted = length
                break
            }
            let number = state.link(bytes, at, captured: Int(captured))
            frames.take(
                &batch, at: at + state.head, captured: Int(captured), wire: max(Int(wire), Int(captured)),
                time: state.time(bytes, at, captured: Int(captured)), link: LinkType(rawValue: number), linkType: number)
            at += length
        }
        return at
    }
}
