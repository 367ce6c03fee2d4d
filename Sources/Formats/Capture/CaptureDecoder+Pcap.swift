/// How a classic pcap file writes its records.
struct PcapState {
    var swapped: Bool
    var isNanosecond: Bool
    /// 16, or 24 in the variant of early Linux kernels.
    var headerLength: Int
    var linkType: UInt32 = 0
    var link: LinkType?
    /// Octets skipped so far in search of a record that makes sense; nil while records do.
    var lost: UInt64?
    /// Seconds of the last record believed.
    var lastSeconds: UInt32?

    init?(magic: UInt32) {
        headerLength = 16
        switch magic {
        case 0xa1b2_c3d4: (swapped, isNanosecond) = (false, false)
        case 0xd4c3_b2a1: (swapped, isNanosecond) = (true, false)
        case 0xa1b2_3c4d: (swapped, isNanosecond) = (false, true)
        case 0x4d3c_b2a1: (swapped, isNanosecond) = (true, true)
        case 0xa1b2_cd34: (swapped, isNanosecond, headerLength) = (false, false, 24)
        case 0x34cd_b2a1: (swapped, isNanosecond, headerLength) = (true, false, 24)
        default: return nil
        }
    }

    /// Version 2.2 is AIX': link types by number of interface type, nanoseconds.
    mutating func becomeAIX() {
        isNanosecond = true
        let numbers: [UInt32: UInt32] = [6: 1, 9: 6, 15: 10, 24: 0]
        linkType = numbers[linkType] ?? linkType
    }

    /// A 32-bit field; the octets must be there.
    @inline(__always)
    func word(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt32 {
        let value = bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)
        return swapped ? UInt32(littleEndian: value) : UInt32(bigEndian: value)
    }
}

extension CaptureDecoder {
    /// Every complete record from `start`; returns where it stopped.
    mutating func walkPcap(_ batch: inout PayloadBatch, from start: Int, base: UInt64, _ state: inout PcapState) -> Int {
        let filled = batch.filled
        let bytes = UnsafeRawBufferPointer(start: batch.input.start, count: filled)
        let most =
            PcapFile.mostRecordOctets > frames.notes.snapLength || frames.notes.snapLength > limits.block
            ? PcapFile.mostRecordOctets : frames.notes.snapLength
        let header = state.headerLength
        let scale: Int64 = state.isNanosecond ? 1 : 1_000
        var at = start
        wanted = header
        while at + header <= filled {
            if state.lost != nil, !search(bytes, &at, base: base, most: most, &state) { break }
            let seconds = state.word(bytes, at)
            let captured = state.word(bytes, at + 8)
            if captured == 0 || captured > most {
                guard let isFile = beginsFile(bytes, at) else {
                    wanted = 24
                    break
                }
                if isFile {
                    isNextFile = true
                    break
                }
            }
            guard captured <= most else {
                frames.notes.note(.recordLength(captured), at: base &+ UInt64(at))
                state.lost = 0
                continue
            }
            let next = at + header + Int(captured)
            guard next <= filled else {
                wanted = header + Int(captured)
                break
            }
            let time = Int64(seconds) * 1_000_000_000 &+ Int64(state.word(bytes, at + 4)) &* scale
            state.lastSeconds = seconds
            frames.take(
                &batch, at: at + header, captured: Int(captured), wire: Int(state.word(bytes, at + 12)), time: time,
                link: state.link, linkType: state.linkType)
            at = next
        }
        return at
    }

    /// After damage: moves `at` to the next record that makes sense and is followed by one that does. False: not in here.
    private mutating func search(
        _ bytes: UnsafeRawBufferPointer, _ at: inout Int, base: UInt64, most: UInt32, _ state: inout PcapState
    ) -> Bool {
        let header = state.headerLength
        let from = at
        var place = state.lost == 0 ? at + 1 : at
        while place + header <= bytes.count {
            if Self.makesSense(bytes, place, most: most, state) {
                let next = place + header + Int(state.word(bytes, place + 8))
                if next + header > bytes.count {
                    // Its follower is not here yet: wait for it, or for the file's end.
                    state.lost = (state.lost ?? 0) &+ UInt64(place - from)
                    at = place
                    wanted = next + header - place
                    guard state.lost == 0 else { return false }
                    state.lost = 1
                    return false
                }
                if Self.makesSense(bytes, next, most: most, state) {
                    let skipped = (state.lost ?? 0) &+ UInt64(place - from)
                    frames.notes.note(.skipped(octets: skipped), at: base &+ UInt64(place))
                    state.lost = nil
                    at = place
                    return true
                }
            }
            place += 1
        }
        state.lost = max(1, (state.lost ?? 0) &+ UInt64(place - from))
        at = place
        return false
    }

    /// Where records begin that end where the file does; its end, when there are none.
    func tail(_ bytes: UnsafeRawBufferPointer, _ state: PcapState) -> Int {
        let most = PcapFile.mostRecordOctets
        var place = 0
        while place + state.headerLength <= bytes.count {
            var at = place
            while at + state.headerLength <= bytes.count, Self.makesSense(bytes, at, most: most, state) {
                at += state.headerLength + Int(state.word(bytes, at + 8))
            }
            if at == bytes.count { return place }
            place += 1
        }
        return bytes.count
    }

    private static func makesSense(_ bytes: UnsafeRawBufferPointer, _ at: Int, most: UInt32, _ state: PcapState) -> Bool {
        let captured = state.word(bytes, at + 8)
        let wire = state.word(bytes, at + 12)
        guard captured >= 14, captured <= most, wire >= captured, wire <= 1 << 20 else { return false }
        guard state.word(bytes, at + 4) < (state.isNanosecond ? 1_000_000_000 : 1_000_000) else { return false }
        guard let last = state.lastSeconds else { return true }
        return abs(Int64(state.word(bytes, at)) - Int64(last)) < 31 * 86_400
    }
}
