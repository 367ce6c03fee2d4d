import Base
import Capture
import ExplainReport
import Packet

/// What datagrams and segments carry.
extension PacketRedactor {
    /// A datagram's payload.
    mutating func payload(_ frame: inout [UInt8], _ start: Int, _ end: Int) {
        guard start < end else { return }
        let bytes = Array(frame[start..<end])
        switch ContentGuess(bytes) {
        case .sip: frame.replaceSubrange(start..<end, with: redactor.redact(message: bytes))
        case .rtp: Self.silence(&frame, start, end)
        case .rtcp: Self.reports(&frame, start, end)
        case .stun: stun(&frame, start, end)
        case .hep: encapsulated(&frame, start, end)
        case .keepalive, .empty: break
        case .channelData: Self.erase(&frame, start + 4, end)
        case .dtls: Self.erase(&frame, start + 13, end)
        case .other: Self.blank(&frame, start, end)
        }
    }

    /// A TCP segment's payload: the parts of the messages that lie in it.
    mutating func segment(
        _ frame: inout [UInt8], _ start: Int, _ end: Int, sequence: UInt32, _ messages: [ExcerptPlan.Message]
    ) {
        let bytes = Array(frame[start..<end])
        if bytes.count >= 5, bytes[0] >= 0x14, bytes[0] <= 0x17, bytes[1] == 3 {
            Self.erase(&frame, start + 5, end)
            return
        }
        if bytes.starts(with: Array("GET ".utf8)) || bytes.starts(with: Array("HTTP/1.".utf8)) {
            frame.replaceSubrange(start..<end, with: Self.handshake(bytes))
            return
        }
        var out = bytes
        var isDone = [Bool](repeating: false, count: bytes.count)
        for message in messages {
            guard let first = message.sequence else { continue }
            let place = Int(Int32(bitPattern: first &- sequence))
            for index in max(0, place)..<max(0, place, min(out.count, place + message.after.count)) {
                out[index] = message.after[index - place]
                isDone[index] = true
            }
        }
        if !isDone.contains(true), let redone = webSocket(bytes, messages) {
            out = redone
        } else {
            for index in out.indices where !isDone[index] { out[index] = Self.masked(out[index]) }
        }
        frame.replaceSubrange(start..<end, with: out)
    }

    // MARK: WebSocket

    /// Whole frames, masked again with their own keys. nil: these octets are no frames.
    private mutating func webSocket(_ bytes: [UInt8], _ messages: [ExcerptPlan.Message]) -> [UInt8]? {
        var out = bytes
        var at = 0
        while at < bytes.count {
            let rest = Array(bytes[at...])
            guard let head = rest.withUnsafeBytes({ WebSocketFrame($0) }), head.header + head.length <= rest.count else {
                return nil
            }
            let plain = rest.withUnsafeBytes { head.payload($0) }
            let known = messages.first { $0.before == plain }
            let redone: [UInt8] = known?.after ?? plain.map(Self.masked)
            var key: [UInt8] = [0, 0, 0, 0]
            if let mask = head.mask { key = [mask.0, mask.1, mask.2, mask.3] }
            for (offset, byte) in redone.enumerated() { out[at + head.header + offset] = byte ^ key[offset & 3] }
            at += head.header + head.length
        }
        return out
    }

    /// An HTTP head: what makes it a WebSocket's stays.
    private static func handshake(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var isFirst = true
        for line in bytes.split(separator: 0x0a, omittingEmptySubsequences: false) {
            let text = String(decoding: line, as: UTF8.self).lowercased()
            let kept = ["upgrade:", "connection:", "sec-websocket-", "http/1."]
            let stays = kept.contains { text.hasPrefix($0) }
            if !out.isEmpty || !isFirst { out.append(0x0a) }
            if stays {
                out += line
            } else if isFirst, text.hasPrefix("get ") {
                // The path may name somebody.
                let path = line.index(line.startIndex, offsetBy: 4)
                let end = max(path, line.lastIndex(of: 0x20) ?? path)
                out += line[..<path]
                out += line[path..<end].map(masked)
                out += line[end...]
            } else {
                let colon = line.firstIndex(of: 0x3a) ?? line.startIndex
                out += line[..<colon]
                out += line[colon...].map(masked)
            }
            isFirst = false
        }
        return out
    }

    // MARK: Media

    /// RTP: the header stays, what is said does not.
    private static func silence(_ frame: inout [UInt8], _ start: Int, _ end: Int) {
        var at = start + 12 + 4 * Int(frame[start] & 15)
        if frame[start] & 0x10 != 0, at + 4 <= end { at += 4 + 4 * Int(frame.uint16(at: at + 2)) }
        // Padding counts itself in the last octet.
        let last = frame[start] & 0x20 != 0 ? end - 1 : end
        guard at < last else { return }
        for index in at..<last { frame[index] = 0xff }
    }

    /// RTCP: reports stay; descriptions, farewells and applications lose their words.
    private static func reports(_ frame: inout [UInt8], _ start: Int, _ end: Int) {
        var at = start
        while at + 4 <= end {
            let length = (Int(frame.uint16(at: at + 2)) + 1) * 4
            let stop = min(end, at + length)
            if ![200, 201, 205, 206, 207].contains(frame[at + 1]) { blank(&frame, min(stop, at + 8), stop) }
            at += length
        }
    }

    // MARK: STUN

    /// STUN and TURN: addresses replaced as everywhere, names masked, the fingerprint made right (RFC 8489 14).
    private mutating func stun(_ frame: inout [UInt8], _ start: Int, _ end: Int) {
        guard start + 20 <= end else { return }
        let key = Array(frame[(start + 4)..<(start + 20)])
        var at = start + 20
        while at + 4 <= end {
            let type = frame.uint16(at: at)
            let length = Int(frame.uint16(at: at + 2))
            let value = at + 4
            guard value + length <= end else { return }
            switch type {
            case 0x0001, 0x0002, 0x0004, 0x0005, 0x000b, 0x8023, 0x802b, 0x802c:
                address(&frame, value, length, [UInt8](repeating: 0, count: 16))
            case 0x0020, 0x8020, 0x0012, 0x0016: address(&frame, value, length, key)
            case 0x0006, 0x0014, 0x0015, 0x802f, 0x0013: Self.blank(&frame, value, value + length)
            case 0x8028 where length == 4:
                let sum = Self.crc32(frame[start..<at]) ^ 0x5354_554e
                frame.put(sum, at: value)
            default: break
            }
            at = value + (length + 3) & ~3
        }
    }

    /// A family, a port and an address under `key`.
    private mutating func address(_ frame: inout [UInt8], _ at: Int, _ length: Int, _ key: [UInt8]) {
        let size = frame.indices.contains(at + 1) && frame[at + 1] == 2 ? 16 : 4
        guard length >= 4 + size else { return }
        let plain = (0..<size).map { frame[at + 4 + $0] ^ key[$0] }
        let known: IPAddress
        if size == 4 {
            known = .v4(IPv4Address(plain[0], plain[1], plain[2], plain[3]))
        } else {
            known =
                PackedAddress(
                    high: plain[..<8].reduce(0) { $0 << 8 | UInt64($1) }, low: plain[8...].reduce(0) { $0 << 8 | UInt64($1) }
                ).address
        }
        let stand: [UInt8]
        switch redactor.redact(known) {
        case .v4(let v4):
            let (a, b, c, d) = v4.octets
            stand = [a, b, c, d]
        case .v6(let v6): stand = v6.octets
        }
        guard stand.count == size else { return }
        for offset in 0..<size { frame[at + 4 + offset] = stand[offset] ^ key[offset] }
    }

    private static func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var sum: UInt32 = .max
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum >> 1 ^ (sum & 1 == 0 ? 0 : 0xedb8_8320) }
        }
        return ~sum
    }

    // MARK: HEP

    private mutating func encapsulated(_ frame: inout [UInt8], _ start: Int, _ end: Int) {
        var at = start + 6
        while at + 6 <= end {
            let type = frame.uint16(at: at + 2)
            let length = Int(frame.uint16(at: at + 4))
            guard length >= 6, at + length <= end else { break }
            let value = (at + 6)..<(at + length)
            switch (frame.uint16(at: at), type) {
            case (0, 1), (0, 2), (0, 7...12): break
            case (0, 3...6): plainAddress(&frame, value)
            case (0, 15): payload(&frame, value.lowerBound, value.upperBound)
            case (0, 17):
                // Most often a Call-ID.
                frame.replaceSubrange(value, with: redactor.redact(word: Array(frame[value])))
            default: Self.blank(&frame, value.lowerBound, value.upperBound)
            }
            at += length
        }
    }

    private mutating func plainAddress(_ frame: inout [UInt8], _ range: Range<Int>) {
        if range.count == 4 {
            let stand = redactor.redact(.v4(IPv4Address(bits: frame.uint32(at: range.lowerBound))))
            if case .v4(let v4) = stand { frame.put(v4.bits, at: range.lowerBound) }
        } else if range.count == 16 {
            let words = stride(from: 0, to: 16, by: 4).map { UInt64(frame.uint32(at: range.lowerBound + $0)) }
            let stand = redactor.redact(.v6(IPv6Address(high: words[0] << 32 | words[1], low: words[2] << 32 | words[3])))
            if case .v6(let v6) = stand { frame.replaceSubrange(range, with: v6.octets) }
        }
    }

    // MARK: Octets

    /// Letters and digits lose their meaning, the rest its place not.
    static func blank(_ frame: inout [UInt8], _ start: Int, _ end: Int) {
        guard start < end else { return }
        for index in start..<end { frame[index] = masked(frame[index]) }
    }

    static func erase(_ frame: inout [UInt8], _ start: Int, _ end: Int) {
        guard start < end else { return }
        for index in start..<end { frame[index] = 0 }
    }

    static func masked(_ byte: UInt8) -> UInt8 {
        switch byte {
        case 0x30...0x39: 0x30
        case 0x41...0x5a: 0x58
        case 0x61...0x7a: 0x78
        default: byte
        }
    }
}
