extension CaptureDecoder {
    /// Every complete record of a snoop file (RFC 1761) from `start`; returns where it stopped.
    ///
    /// A record: length on the wire, length captured, length of the record with its 24 octets of head and its padding, drops, seconds,
    /// microseconds; all big-endian.
    mutating func walkSnoop(
        _ batch: inout PayloadBatch, from start: Int, base: UInt64, _ link: LinkType?, _ number: UInt32
    ) -> Int {
        let filled = batch.filled
        let bytes = UnsafeRawPointer(batch.input.start)
        var at = start
        wanted = 24
        while at + 24 <= filled {
            let captured = bytes.word(at + 4)
            let record = bytes.word(at + 8)
            guard captured <= PcapFile.mostRecordOctets, record >= 24 &+ captured, record <= limits.block else {
                frames.notes.note(.recordLength(max(captured, record)), at: base &+ UInt64(at))
                container = .refused
                return filled
            }
            guard at + Int(record) <= filled else {
                wanted = Int(record)
                break
            }
            frames.noteDrops(max(frames.notes.drops ?? 0, UInt64(bytes.word(at + 12))))
            let time = Int64(bytes.word(at + 16)) * 1_000_000_000 + Int64(bytes.word(at + 20)) * 1_000
            frames.take(
                &batch, at: at + 24, captured: Int(captured), wire: Int(bytes.word(at)), time: time, link: link, linkType: number)
            at += Int(record)
        }
        return at
    }
}
