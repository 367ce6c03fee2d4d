import Base
import Capture

/// What datagrams and segments carry.
extension PacketRedactor {
    /// A datagram's payload.
    mutating func payload(_ frame: inout [UInt8], _ start: Int, _ end: Int) {
        guard start < end else { return }
        let bytes = Array(frame[start..<end])
        let stand: [UInt8]
        switch ContentGuess(bytes) {
        case .sip: stand = redactor.redact(message: bytes)
        case .rtp: stand = Redactor.redact(rtp: bytes)
        case .rtcp: stand = redactor.redact(rtcp: bytes)
        case .stun: stand = redactor.redact(stun: bytes)
        case .hep: stand = encapsulated(bytes)
        case .keepalive, .empty: return
        case .channelData: stand = bytes[..<4] + [UInt8](repeating: 0, count: bytes.count - 4)
        case .dtls: stand = bytes[..<13] + [UInt8](repeating: 0, count: bytes.count - 13)
        case .other: stand = Redactor.hidden(bytes)
        }
        frame.replaceSubrange(start..<end, with: stand)
    }

    /// A TCP segment's payload: the parts of the messages that lie in it.
    mutating func segment(
        _ frame: inout [UInt8], _ start: Int, _ end: Int, sequence: UInt32, _ messages: [Message]
    ) {
        let bytes = Array(frame[start..<end])
        frame.replaceSubrange(start..<end, with: segment(bytes, sequence, messages))
    }

    private mutating func segment(_ bytes: [UInt8], _ sequence: UInt32, _ messages: [Message]) -> [UInt8] {
        if Self.isRecord(bytes, 0) { return Self.records(bytes) }
        if bytes.starts(with: Array("GET ".utf8)) || bytes.starts(with: Array("HTTP/1.".utf8)) {
            return redactor.redact(web: bytes)
        }
        var out = Redactor.between(bytes)
        var isFound = false
        for message in messages {
            guard let first = message.sequence else { continue }
            let place = Int(Int32(bitPattern: first &- sequence))
            for index in max(0, place)..<max(0, place, min(out.count, place + message.after.count)) {
                out[index] = message.after[index - place]
                isFound = true
            }
        }
        return isFound ? out : webSocket(bytes, messages) ?? out
    }

    // MARK: TLS

    private static func isRecord(_ bytes: [UInt8], _ at: Int) -> Bool {
        at + 5 <= bytes.count && bytes[at] >= 0x14 && bytes[at] <= 0x17 && bytes[at + 1] == 3 && bytes[at + 2] <= 4
    }

    /// Headers of records stay, names and certificates in them do not.
    private static func records(_ bytes: [UInt8]) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: bytes.count)
        var at = 0
        while isRecord(bytes, at) {
            out.replaceSubrange(at..<(at + 5), with: bytes[at..<(at + 5)])
            at += 5 + Int(bytes.uint16(at: at + 3))
        }
        return out
    }

    // MARK: WebSocket

    /// Whole frames, masked again with their own keys. nil: these octets are no frames.
    private mutating func webSocket(_ bytes: [UInt8], _ messages: [Message]) -> [UInt8]? {
        var out = bytes
        var at = 0
        while at < bytes.count {
            let rest = Array(bytes[at...])
            guard let head = rest.withUnsafeBytes({ WebSocketFrame($0) }), head.header + head.length <= rest.count else {
                return nil
            }
            let plain = rest.withUnsafeBytes { head.payload($0) }
            let known = messages.first { $0.before == plain }
            var key: [UInt8] = [0, 0, 0, 0]
            if let mask = head.mask { key = [mask.0, mask.1, mask.2, mask.3] }
            for (offset, byte) in (known?.after ?? Redactor.between(plain)).enumerated() {
                out[at + head.header + offset] = byte ^ key[offset & 3]
            }
            at += head.header + head.length
        }
        return out
    }

    // MARK: HEP

    /// Chunks of numbers stay, addresses and the message are redacted, all else is hidden (HEPv3).
    private mutating func encapsulated(_ bytes: [UInt8]) -> [UInt8] {
        var out = bytes
        var at = 6
        while at + 6 <= bytes.count {
            let (vendor, type, length) = (bytes.uint16(at: at), bytes.uint16(at: at + 2), Int(bytes.uint16(at: at + 4)))
            guard length >= 6, at + length <= bytes.count else { break }
            let value = Array(bytes[(at + 6)..<(at + length)])
            let stand: [UInt8]
            switch (vendor, type) {
            case (0, 1), (0, 2), (0, 7...13): stand = value
            case (0, 3...6): stand = redactor.octets(value)
            case (0, 15):
                var inner = value
                payload(&inner, 0, inner.count)
                stand = inner
            // Most often a Call-ID.
            case (0, 17): stand = redactor.redact(text: value)
            default: stand = [UInt8](repeating: 0, count: value.count)
            }
            out.replaceSubrange((at + 6)..<(at + length), with: stand)
            at += length
        }
        for index in min(at, bytes.count)..<bytes.count { out[index] = 0 }
        return out
    }
}
