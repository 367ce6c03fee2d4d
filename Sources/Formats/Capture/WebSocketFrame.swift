/// The head of a WebSocket frame (RFC 6455 5.2).
package struct WebSocketFrame {
    package var isLast: Bool
    package var isCompressed: Bool
    package var opcode: UInt8
    /// Octets of the head, mask included, and of the payload.
    package var header: Int
    package var length: Int
    package var mask: (UInt8, UInt8, UInt8, UInt8)?

    /// nil when the head is not complete or no such head.
    package init?(_ b: UnsafeRawBufferPointer) {
        guard b.count >= 2 else { return nil }
        isLast = b[0] & 0x80 != 0
        isCompressed = b[0] & 0x40 != 0
        opcode = b[0] & 15
        guard b[0] & 0x30 == 0, opcode <= 2 || (opcode >= 8 && opcode <= 10) else { return nil }
        length = Int(b[1] & 0x7f)
        header = 2
        if length == 126 {
            guard b.count >= 4 else { return nil }
            length = Int(b[2]) << 8 | Int(b[3])
            header = 4
        } else if length == 127 {
            guard b.count >= 10 else { return nil }
            guard b[2] == 0, b[3] == 0, b[4] == 0, b[5] == 0 else { return nil }
            length = Int(b[6]) << 24 | Int(b[7]) << 16 | Int(b[8]) << 8 | Int(b[9])
            header = 10
        }
        if b[1] & 0x80 != 0 {
            guard b.count >= header + 4 else { return nil }
            mask = (b[header], b[header + 1], b[header + 2], b[header + 3])
            header += 4
        }
    }

    /// Unmasked; as much of it as is there.
    package func payload(_ b: UnsafeRawBufferPointer, most: Int = .max) -> [UInt8] {
        let end = min(b.count, header + min(length, most))
        guard header < end else { return [] }
        var bytes = Array(b[header..<end])
        if let mask {
            for index in bytes.indices {
                switch index & 3 {
                case 0: bytes[index] ^= mask.0
                case 1: bytes[index] ^= mask.1
                case 2: bytes[index] ^= mask.2
                default: bytes[index] ^= mask.3
                }
            }
        }
        return bytes
    }

    /// It holds the start of a SIP message.
    func startsSIP(_ b: UnsafeRawBufferPointer) -> Bool {
        guard opcode == 1 || opcode == 2, !isCompressed, length >= 8 else { return false }
        return payload(b, most: 512).withUnsafeBytes { SIPStart.isStart($0) }
    }
}
