/// A TCP header (RFC 9293 3.1) where it lies, with the bounds of what follows it.
struct TCPView {
    var sourcePort: UInt16
    var destinationPort: UInt16
    var sequence: UInt32
    var acknowledgement: UInt32
    var flags: UInt8
    /// Octets of payload: where, how many the capture holds, how many were sent.
    var start: Int
    var held: Int
    var length: Int

    var isFIN: Bool { flags & 1 != 0 }
    var isSYN: Bool { flags & 2 != 0 }
    var isRST: Bool { flags & 4 != 0 }
    var isACK: Bool { flags & 16 != 0 }

    /// nil when it is cut short or contradicts itself.
    init?(_ base: UnsafeRawPointer, _ at: Int, _ end: Int, length: Int) {
        guard at + 20 <= end else { return nil }
        let header = Int(base.load(fromByteOffset: at + 12, as: UInt8.self) >> 4) * 4
        guard header >= 20, header <= length else { return nil }
        sourcePort = base.half(at)
        destinationPort = base.half(at + 2)
        sequence = base.word(at + 4)
        acknowledgement = base.word(at + 8)
        flags = base.load(fromByteOffset: at + 13, as: UInt8.self)
        start = min(at + header, end)
        held = max(0, end - start)
        self.length = length - header
        held = min(held, self.length)
    }
}
