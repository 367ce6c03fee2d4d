import Base
import Capture

/// Runs the capture decoder over `bytes`, for fuzzers: it must not trap, and every record must lie within its batch.
///
/// The first octet tells in what pieces the rest comes.
package func exerciseCaptureDecoder(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let file = Array(bytes.dropFirst())
    let whole = decodeAll(file, in: max(1, file.count))
    let pieces = decodeAll(file, in: 1 + Int(first) * 4)
    precondition(pieces.octets <= whole.octets &+ UInt64(file.count) * 64, "pieces give more than there is")
    precondition(whole.frames <= UInt64(file.count), "more frames than octets")
}

private func decodeAll(_ file: [UInt8], in size: Int) -> (frames: UInt64, octets: UInt64) {
    var decoder = CaptureDecoder(
        limits: .init(streams: .init(directions: 64, queuedOctets: 4_096, message: 8_192, octets: 65_536)))
    var batch = PayloadBatch(capacity: 65_536)
    batch.keepsFrames = true
    var octets: UInt64 = 0
    func look() {
        for record in batch.records {
            let payload = batch.payload(of: record)
            octets &+= UInt64(payload.count)
            precondition(batch.frames(of: record).allSatisfy { $0 >= 1 && $0 <= decoder.notes.frames }, "a frame that is none")
            _ = ContentGuess(payload)
        }
        for frame in batch.frames {
            // Used after the copy: the optimiser frees an array that nobody looks at before it is filled.
            withExtendedLifetime(batch.bytes(of: frame)) { precondition($0.count == frame.captured, "another frame's octets") }
        }
    }
    for start in stride(from: 0, to: file.count, by: size) {
        decoder.feed(Array(file[start..<min(file.count, start + size)]), into: &batch)
        look()
    }
    decoder.finish(&batch)
    look()
    return (decoder.notes.frames, octets)
}

/// The same for text logs: in pieces or whole, the same is read.
package func exerciseLogReader(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let text = Array(bytes.dropFirst())
    func read(in size: Int) -> [LoggedItem] {
        var reader = LogReader()
        var items: [LoggedItem] = []
        for start in stride(from: 0, to: text.count, by: size) {
            reader.read(Array(text[start..<min(text.count, start + size)]))
            while let item = reader.nextItem() { items.append(item) }
        }
        reader.finish()
        while let item = reader.nextItem() { items.append(item) }
        return items
    }
    let whole = read(in: max(1, text.count))
    // What the first octets are is asked of the first piece: it must hold them.
    precondition(read(in: 3 + Int(first)) == whole, "the pieces matter")
    for item in whole {
        precondition(item.line >= 1 && item.lastLine >= item.line, "lines in the wrong order")
        if case .message(let message) = item.kind { precondition(!message.bytes.isEmpty, "a message of nothing") }
    }
}

/// The same for HEPv3: what was parsed prints as it came, in any pieces.
package func exerciseHEPDecoder(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let stream = Array(bytes.dropFirst())
    if let packet = try? HEPPacket(stream) {
        precondition(packet.payload.upperBound <= stream.count, "a payload outside")
        let payload = Array(stream[packet.payload])
        if packet.source.address.isIPv6 == packet.destination.address.isIPv6,
            let again = HEPPacket.bytes(
                payload, from: packet.source, to: packet.destination, ipProtocol: packet.ipProtocol, at: packet.time,
                agent: packet.agent)
        {
            guard let parsed = try? HEPPacket(again) else { preconditionFailure("what was written is no packet") }
            precondition(parsed.source == packet.source && parsed.destination == packet.destination && parsed.time == packet.time)
            precondition(Array(again[parsed.payload]) == payload, "another payload")
        }
    }
    func read(in size: Int) -> (UInt64, UInt64) {
        var decoder = HEPDecoder()
        var batch = PayloadBatch(capacity: 65_536)
        var octets: UInt64 = 0
        for start in stride(from: 0, to: stream.count, by: size) {
            decoder.begin(&batch)
            stream[start..<min(stream.count, start + size)].withUnsafeBytes { decoder.stream($0, into: &batch) }
            for record in batch.records { octets &+= UInt64(batch.payload(of: record).count) }
        }
        decoder.finish()
        return (decoder.notes.frames, octets)
    }
    precondition(read(in: max(1, stream.count)) == read(in: 1 + Int(first)), "the pieces matter")
}
