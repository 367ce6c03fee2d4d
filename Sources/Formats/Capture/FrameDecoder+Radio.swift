/// Frames of a wireless network as they were on the air (IEEE 802.11-2020 9).
extension FrameDecoder {
    /// What the last frame of each sender was, to know a repetition that was heard twice.
    struct RadioSenders {
        private var last: [UInt64: UInt16] = [:]

        /// True: the same frame was heard before.
        mutating func repeats(_ sender: UInt64, _ sequence: UInt16, isRetry: Bool) -> Bool {
            if last.count > 1_024 { last.removeAll() }
            return last.updateValue(sequence, forKey: sender) == sequence && isRetry
        }
    }

    /// radiotap: version 0, a pad, its length, words that say which fields follow; little-endian.
    static func radiotap(_ base: UnsafeRawPointer, _ at: Int, _ end: Int) -> Opened {
        guard at + 8 <= end, base.load(fromByteOffset: at, as: UInt8.self) == 0 else { return .malformed }
        let length = Int(base.half(at + 2).byteSwapped)
        guard length >= 8, at + length < end else { return .malformed }
        let present = base.word(at + 4).byteSwapped
        var place = at + 8
        var more = present
        while more & 0x8000_0000 != 0 {
            guard place + 4 <= at + length else { return .malformed }
            more = base.word(place).byteSwapped
            place += 4
        }
        var stop = end
        var padded = false
        if present & 2 != 0 {
            // The first field is a time, aligned to eight octets from the header's start.
            if present & 1 != 0 { place = at + (place - at + 7) & ~7 + 8 }
            guard place < at + length else { return .malformed }
            let flags = base.load(fromByteOffset: place, as: UInt8.self)
            // It failed its checksum: nothing in it is to be trusted.
            if flags & 0x40 != 0 { return .malformed }
            if flags & 0x10 != 0 { stop -= 4 }
            padded = flags & 0x20 != 0
        }
        return at + length < stop ? .radio(at + length, end: stop, padded: padded) : .malformed
    }

    /// A frame on the air at `at`; `padded`: its header is filled up to four octets.
    mutating func radio(_ batch: inout PayloadBatch, _ at: Int, _ end: Int, padded: Bool, _ context: inout Context) {
        let base = UnsafeRawPointer(batch.input.start)
        guard at + 2 <= end else {
            notes.malformed &+= 1
            return
        }
        let (kind, flags) = (base.load(fromByteOffset: at, as: UInt8.self), base.load(fromByteOffset: at + 1, as: UInt8.self))
        // Management, control, and data frames without data.
        guard kind & 0x0f == 0x08, kind & 0x40 == 0 else {
            if kind & 3 == 0 { notes.notIP &+= 1 } else { notes.malformed &+= 1 }
            return
        }
        var header = 24 + (flags & 3 == 3 ? 6 : 0)
        var isAggregate = false
        if kind & 0x80 != 0 {
            if at + header < end { isAggregate = base.load(fromByteOffset: at + header, as: UInt8.self) & 0x80 != 0 }
            header += 2 + (flags & 0x80 != 0 ? 4 : 0)
        }
        if padded { header = (header + 3) & ~3 }
        let start = at + header
        guard start < end else {
            notes.malformed &+= 1
            return
        }
        let sequence = base.half(at + 22).byteSwapped
        let sender = UInt64(base.word(at + 10)) << 16 | UInt64(base.half(at + 14))
        if senders.repeats(sender, sequence, isRetry: flags & 0x08 != 0) {
            notes.repeatedRadio &+= 1
            return
        }
        // The first piece of several, or a later one: nobody cuts IP packets so these days.
        guard flags & 0x04 == 0, sequence & 15 == 0 else {
            notes.malformed &+= 1
            return
        }
        if isAggregate, flags & 0x40 == 0 || Self.isSNAP(base, start + 14, end) {
            aggregate(&batch, start, end, &context)
            return
        }
        guard flags & 0x40 != 0 else {
            llc(&batch, start, end, &context)
            return
        }
        // Some drivers decrypt and leave the mark, or the eight octets of the cipher's header, too.
        if Self.isSNAP(base, start, end) {
            llc(&batch, start, end, &context)
        } else if Self.isSNAP(base, start + 8, end) {
            llc(&batch, start + 8, end, &context)
        } else {
            notes.encryptedRadio &+= 1
        }
    }

    private mutating func llc(_ batch: inout PayloadBatch, _ start: Int, _ end: Int, _ context: inout Context) {
        switch Self.snap(UnsafeRawPointer(batch.input.start), start, end) {
        case .ip(let place, let end): packet(&batch, place, end, &context)
        case .malformed: notes.malformed &+= 1
        default: notes.notIP &+= 1
        }
    }

    /// An A-MSDU: addresses and length, then LLC; each but the last padded to four octets.
    private mutating func aggregate(_ batch: inout PayloadBatch, _ start: Int, _ end: Int, _ context: inout Context) {
        let base = UnsafeRawPointer(batch.input.start)
        var at = start
        while at + 14 < end {
            let length = Int(base.half(at + 12))
            guard length > 0 else { break }
            var inner = context
            if at + 14 + length > end { inner.flags.insert(.truncated) }
            llc(&batch, at + 14, min(end, at + 14 + length), &inner)
            at += (14 + length + 3) & ~3
        }
        if at == start { notes.malformed &+= 1 }
    }
}
