/// One interface of a pcapng section.
struct PcapNGInterface {
    var linkType: UInt32
    var link: LinkType?
    var snapLength: UInt32
    /// Ticks a second: ten or two to the power of `exponent`.
    var isBinary = false
    var exponent: UInt32 = 6
    /// Added to every time, seconds.
    var offsetSeconds: Int64 = 0
    var drops: UInt64 = 0

    /// Nanoseconds since the epoch; what does not fit wraps, harmlessly: `FrameDecoder` bounds it.
    @inline(__always)
    func time(high: UInt32, low: UInt32) -> Int64 {
        let ticks = UInt64(high) << 32 | UInt64(low)
        var nanoseconds: UInt64
        if isBinary {
            guard exponent < 64 else { return 0 }
            let seconds = exponent == 0 ? ticks : ticks >> UInt64(exponent)
            let fraction = exponent == 0 ? 0 : ticks & (1 << UInt64(exponent) &- 1)
            let (top, bottom) = fraction.multipliedFullWidth(by: 1_000_000_000)
            nanoseconds = exponent == 0 ? 0 : top << UInt64(64 - exponent) | bottom >> UInt64(exponent)
            nanoseconds = nanoseconds &+ seconds &* 1_000_000_000
        } else if exponent <= 9 {
            nanoseconds = ticks &* Self.tens[Int(9 - exponent)]
        } else {
            nanoseconds = exponent <= 28 ? ticks / Self.tens[Int(exponent - 9)] : 0
        }
        return Int64(truncatingIfNeeded: nanoseconds) &+ offsetSeconds &* 1_000_000_000
    }

    private static let tens: [UInt64] = (0..<20).map { power in (0..<power).reduce(UInt64(1)) { value, _ in value &* 10 } }
}

/// Where a pcapng file stands: the section's byte order and interfaces.
struct PcapNGState {
    var swapped = false
    var interfaces: [PcapNGInterface] = []
    /// Drops of the sections before.
    var earlierDrops: UInt64 = 0
    var dropsAreKnown = false
    var lastTime: Int64 = 0
    /// Octets skipped in search of a block that makes sense; nil while blocks do.
    var lost: UInt64?

    @inline(__always)
    func word(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt32 {
        let value = bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)
        return swapped ? UInt32(littleEndian: value) : UInt32(bigEndian: value)
    }

    @inline(__always)
    func half(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt16 {
        let value = bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self)
        return swapped ? UInt16(littleEndian: value) : UInt16(bigEndian: value)
    }
}

extension CaptureDecoder {
    private static var sectionHeader: UInt32 { 0x0a0d_0d0a }

    /// Every complete block from `start`; returns where it stopped.
    mutating func walkPcapNG(_ batch: inout PayloadBatch, from start: Int, base: UInt64, _ state: inout PcapNGState) -> Int {
        let bytes = UnsafeRawBufferPointer(start: batch.input.start, count: batch.filled)
        var at = start
        wanted = 12
        while at + 12 <= bytes.count {
            if state.lost != nil, !search(bytes, &at, base: base, &state) { break }
            let type = state.word(bytes, at)
            if type == Self.sectionHeader {
                let order = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: at + 8, as: UInt32.self))
                guard order == 0x1a2b_3c4d || order == 0x4d3c_2b1a else {
                    frames.notes.note(.block(type: type), at: base &+ UInt64(at))
                    state.lost = 0
                    continue
                }
                state.swapped = order == 0x4d3c_2b1a
            }
            // The magics of pcap lie among the numbers left to private use.
            if type & 0x8000_0000 != 0 || type == 0x4d3c_b2a1 || type == 0x34cd_b2a1 {
                guard let isFile = beginsFile(bytes, at) else {
                    wanted = 24
                    break
                }
                if isFile {
                    isNextFile = true
                    break
                }
            }
            let length = state.word(bytes, at + 4)
            guard length >= 12, length & 3 == 0, length <= limits.block else {
                frames.notes.note(.block(type: type), at: base &+ UInt64(at))
                state.lost = 0
                continue
            }
            let next = at + Int(length)
            guard next <= bytes.count else {
                wanted = Int(length)
                break
            }
            guard state.word(bytes, next - 4) == length, block(&batch, bytes, type, at, next - 4, base: base, &state) else {
                frames.notes.note(.block(type: type), at: base &+ UInt64(at))
                state.lost = 0
                continue
            }
            at = next
        }
        return at
    }

    /// A block whose lengths agree; its body ends before `end`. False: it contradicts itself.
    private mutating func block(
        _ batch: inout PayloadBatch, _ bytes: UnsafeRawBufferPointer, _ type: UInt32, _ at: Int, _ end: Int, base: UInt64,
        _ state: inout PcapNGState
    ) -> Bool {
        let body = at + 8
        let room = end - body
        switch type {
        case 6:
            guard room >= 20 else { return false }
            let captured = Int(state.word(bytes, body + 12))
            guard captured <= room - 20 else { return false }
            packet(
                &batch, state.word(bytes, body), high: state.word(bytes, body + 4), low: state.word(bytes, body + 8),
                at: body + 20, captured: captured, wire: Int(state.word(bytes, body + 16)), base: base, &state)
            let options = body + 20 + (captured + 3) & ~3
            if options + 4 <= end { packetOptions(bytes, options, end, &state) }
        case 2:
            guard room >= 20 else { return false }
            let captured = Int(state.word(bytes, body + 12))
            guard captured <= room - 20 else { return false }
            let drops = state.half(bytes, body + 2)
            if drops != 0xffff { drop(UInt64(drops), &state) }
            packet(
                &batch, UInt32(state.half(bytes, body)), high: state.word(bytes, body + 4), low: state.word(bytes, body + 8),
                at: body + 20, captured: captured, wire: Int(state.word(bytes, body + 16)), base: base, &state)
        case 3:
            guard room >= 4 else { return false }
            let wire = Int(state.word(bytes, body))
            var captured = min(wire, room - 4)
            if let snap = state.interfaces.first?.snapLength, snap > 0 { captured = min(captured, Int(snap)) }
            // Simple packets bear no time: the last one known stands in.
            guard let interface = state.interfaces.first else {
                frames.notes.note(.interface(0), at: base &+ UInt64(at))
                frames.skip()
                return true
            }
            frames.take(
                &batch, at: body + 4, captured: captured, wire: wire, time: state.lastTime, link: interface.link,
                linkType: interface.linkType)
        case 1:
            guard room >= 8 else { return false }
            frames.notes.interfaces &+= 1
            guard state.interfaces.count < 65_536 else { return true }
            var interface = PcapNGInterface(
                linkType: UInt32(state.half(bytes, body)), link: LinkType(rawValue: UInt32(state.half(bytes, body))),
                snapLength: state.word(bytes, body + 4))
            if interface.snapLength > 0 { frames.notes.snapLength = max(frames.notes.snapLength, interface.snapLength) }
            Self.options(bytes, body + 8, end, state) { code, value in
                if code == 9, let power = value.first {
                    interface.isBinary = power & 0x80 != 0
                    interface.exponent = UInt32(power & 0x7f)
                } else if code == 14, value.count == 8 {
                    let raw = value.loadUnaligned(as: Int64.self)
                    interface.offsetSeconds = state.swapped ? Int64(littleEndian: raw) : Int64(bigEndian: raw)
                }
            }
            state.interfaces.append(interface)
        case 5:
            guard room >= 12 else { return false }
            interfaceStatistics(bytes, body, end, &state)
        case Self.sectionHeader:
            guard room >= 16 else { return false }
            frames.notes.sections &+= 1
            state.earlierDrops &+= state.interfaces.reduce(0) { $0 &+ $1.drops }
            state.interfaces = []
        case 10:
            frames.notes.secrets &+= 1
            guard room >= 8 else { return false }
            let length = Int(state.word(bytes, body + 4))
            guard length <= room - 8 else { return false }
            // "TLSK": a key log; other kinds are for other protocols.
            if state.word(bytes, body) == 0x544c_534b {
                let secrets = UnsafeRawBufferPointer(rebasing: bytes[(body + 8)..<(body + 8 + length)])
                frames.streams.add(secrets: secrets, &frames.notes)
            }
        default:
            frames.notes.otherBlocks &+= 1
        }
        return true
    }

    private mutating func packet(
        _ batch: inout PayloadBatch, _ index: UInt32, high: UInt32, low: UInt32, at: Int, captured: Int, wire: Int, base: UInt64,
        _ state: inout PcapNGState
    ) {
        guard Int(index) < state.interfaces.count else {
            frames.notes.note(.interface(index), at: base &+ UInt64(at))
            frames.skip()
            return
        }
        let time = state.interfaces[Int(index)].time(high: high, low: low)
        state.lastTime = time
        frames.take(
            &batch, at: at, captured: captured, wire: wire, time: time, link: state.interfaces[Int(index)].link,
            linkType: state.interfaces[Int(index)].linkType)
    }

    private mutating func packetOptions(
        _ bytes: UnsafeRawBufferPointer, _ from: Int, _ end: Int, _ state: inout PcapNGState
    ) {
        var dropped: UInt64?
        Self.options(bytes, from, end, state) { code, value in
            guard code == 4, value.count == 8 else { return }
            let raw = value.loadUnaligned(as: UInt64.self)
            dropped = state.swapped ? UInt64(littleEndian: raw) : UInt64(bigEndian: raw)
        }
        if let dropped { drop(dropped, &state) }
    }

    /// Drops since the packet before.
    private mutating func drop(_ count: UInt64, _ state: inout PcapNGState) {
        state.earlierDrops &+= count
        state.dropsAreKnown = true
        frames.notes.drops = state.interfaces.reduce(state.earlierDrops) { $0 &+ $1.drops }
    }

    private mutating func interfaceStatistics(
        _ bytes: UnsafeRawBufferPointer, _ body: Int, _ end: Int, _ state: inout PcapNGState
    ) {
        let index = Int(state.word(bytes, body))
        guard index < state.interfaces.count else { return }
        var drops: UInt64?
        Self.options(bytes, body + 12, end, state) { code, value in
            guard code == 5 || code == 7, value.count == 8 else { return }
            let raw = value.loadUnaligned(as: UInt64.self)
            drops = (drops ?? 0) &+ (state.swapped ? UInt64(littleEndian: raw) : UInt64(bigEndian: raw))
        }
        guard let drops else { return }
        // The counts run from the capture's start: the last one stands.
        state.interfaces[index].drops = drops
        frames.notes.drops = state.interfaces.reduce(state.earlierDrops) { $0 &+ $1.drops }
    }

    private static func options(
        _ bytes: UnsafeRawBufferPointer, _ from: Int, _ end: Int, _ state: PcapNGState,
        _ body: (UInt16, UnsafeRawBufferPointer) -> Void
    ) {
        var at = from
        while at + 4 <= end {
            let code = state.half(bytes, at)
            let length = Int(state.half(bytes, at + 2))
            guard code != 0, at + 4 + length <= end else { return }
            body(code, UnsafeRawBufferPointer(rebasing: bytes[(at + 4)..<(at + 4 + length)]))
            at += 4 + (length + 3) & ~3
        }
    }

    /// After damage: moves `at` to the next block of a known type whose two lengths agree. False: not in here.
    private mutating func search(
        _ bytes: UnsafeRawBufferPointer, _ at: inout Int, base: UInt64, _ state: inout PcapNGState
    ) -> Bool {
        let from = at
        var place = state.lost == 0 ? at + 1 : at
        while place + 12 <= bytes.count {
            defer { place += 1 }
            let raw = bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)
            let type = state.swapped ? UInt32(littleEndian: raw) : UInt32(bigEndian: raw)
            guard (type >= 1 && type <= 6) || type == Self.sectionHeader else { continue }
            var trial = state
            if type == Self.sectionHeader {
                let order = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: place + 8, as: UInt32.self))
                guard order == 0x1a2b_3c4d || order == 0x4d3c_2b1a else { continue }
                trial.swapped = order == 0x4d3c_2b1a
            }
            let length = trial.word(bytes, place + 4)
            guard length >= 12, length & 3 == 0, length <= PcapFile.mostRecordOctets + 64 else { continue }
            let next = place + Int(length)
            if next > bytes.count {
                state.lost = max(1, (state.lost ?? 0) &+ UInt64(place - from))
                at = place
                wanted = Int(length)
                return false
            }
            guard trial.word(bytes, next - 4) == length else { continue }
            frames.notes.note(.skipped(octets: (state.lost ?? 0) &+ UInt64(place - from)), at: base &+ UInt64(place))
            state.lost = nil
            at = place
            return true
        }
        state.lost = max(1, (state.lost ?? 0) &+ UInt64(place - from))
        at = place
        return false
    }
}
