import Base

extension RTCPPacket {
    /// Reads a compound packet (RFC 3550 6.1). That it starts with a report is not demanded (RFC 5506).
    public static func parse(_ bytes: [UInt8]) throws(RTCPError) -> [RTCPPacket] {
        guard bytes.count >= 4 else { throw RTCPError(.tooShort, at: bytes.count) }
        var packets: [RTCPPacket] = []
        var at = 0
        while at < bytes.count {
            guard bytes.count - at >= 4 else { throw RTCPError(.tooShort, at: at) }
            guard bytes[at] & 0xc0 == 0x80 else { throw RTCPError(.version, at: at) }
            guard packets.count < 64 else { throw RTCPError(.tooMany, at: at) }
            let length = 4 * (Int(bytes.uint16(at: at + 2)) + 1)
            guard length <= bytes.count - at else { throw RTCPError(.length, at: at + 2) }
            var end = at + length
            if bytes[at] & 0x20 != 0 {
                let padding = Int(bytes[end - 1])
                guard end == bytes.count, padding > 0, padding % 4 == 0, padding <= length - 4 else {
                    throw RTCPError(.padding, at: at)
                }
                end -= padding
            }
            guard let packet = body(type: bytes[at + 1], count: bytes[at] & 0x1f, bytes, (at + 4)..<end) else {
                throw RTCPError(.body, at: at)
            }
            packets.append(packet)
            at += length
        }
        return packets
    }

    private static func body(type: UInt8, count: UInt8, _ bytes: [UInt8], _ range: Range<Int>) -> RTCPPacket? {
        let start = range.lowerBound
        switch type {
        case 200:
            guard range.count >= 24 + 24 * Int(count) else { return nil }
            let info = RTCPSenderInfo(
                ntpTime: UInt64(bytes.uint32(at: start + 4)) << 32 | UInt64(bytes.uint32(at: start + 8)),
                timestamp: bytes.uint32(at: start + 12), packetCount: bytes.uint32(at: start + 16),
                octetCount: bytes.uint32(at: start + 20))
            return .senderReport(ssrc: bytes.uint32(at: start), info, blocks(bytes, at: start + 24, Int(count)))
        case 201:
            guard range.count >= 4 + 24 * Int(count) else { return nil }
            return .receiverReport(ssrc: bytes.uint32(at: start), blocks(bytes, at: start + 4, Int(count)))
        case 202: return descriptions(bytes, range, Int(count)).map(RTCPPacket.sourceDescription)
        case 203:
            guard range.count >= 4 * Int(count) else { return nil }
            let at = start + 4 * Int(count)
            var reason = ""
            if at < range.upperBound {
                let length = Int(bytes[at])
                guard length <= range.upperBound - at - 1 else { return nil }
                reason = String(decoding: bytes[(at + 1)..<(at + 1 + length)], as: UTF8.self)
            }
            return .goodbye((0..<Int(count)).map { bytes.uint32(at: start + 4 * $0) }, reason: reason)
        default: return .other(type: type, count: count, body: Array(bytes[range]))
        }
    }

    private static func blocks(_ bytes: [UInt8], at start: Int, _ count: Int) -> [RTCPReportBlock] {
        (0..<count).map { index in
            let at = start + 24 * index
            let lost = bytes.uint32(at: at + 4)
            return RTCPReportBlock(
                ssrc: bytes.uint32(at: at), fractionLost: UInt8(lost >> 24),
                // 24 bits with a sign.
                packetsLost: Int32(bitPattern: lost << 8) >> 8, highestSequence: bytes.uint32(at: at + 8),
                jitter: bytes.uint32(at: at + 12), lastSenderReport: bytes.uint32(at: at + 16),
                delaySinceLastSenderReport: bytes.uint32(at: at + 20))
        }
    }

    private static func descriptions(_ bytes: [UInt8], _ range: Range<Int>, _ count: Int) -> [RTCPSourceDescription]? {
        var result: [RTCPSourceDescription] = []
        var at = range.lowerBound
        for _ in 0..<count {
            guard range.upperBound - at >= 4 else { return nil }
            var chunk = RTCPSourceDescription(ssrc: bytes.uint32(at: at), items: [])
            at += 4
            while true {
                guard at < range.upperBound else { return nil }
                let type = bytes[at]
                if type == 0 {
                    // The list's end, padded to the next word.
                    at += 4 - (at - range.lowerBound) % 4
                    break
                }
                guard range.upperBound - at >= 2, Int(bytes[at + 1]) <= range.upperBound - at - 2 else { return nil }
                let length = Int(bytes[at + 1])
                chunk.items.append(
                    .init(type: type, text: String(decoding: bytes[(at + 2)..<(at + 2 + length)], as: UTF8.self)))
                at += 2 + length
            }
            result.append(chunk)
        }
        return result
    }

    /// As it goes on the wire. Lists longer than 31 are cut.
    public var bytes: [UInt8] {
        var body: [UInt8] = []
        let type: UInt8
        let count: UInt8
        switch self {
        case .senderReport(let ssrc, let info, let blocks):
            (type, count) = (200, UInt8(min(31, blocks.count)))
            body.append(bigEndian: ssrc)
            body.append(bigEndian: info.ntpTime)
            body.append(bigEndian: info.timestamp)
            body.append(bigEndian: info.packetCount)
            body.append(bigEndian: info.octetCount)
            for block in blocks.prefix(31) { block.write(to: &body) }
        case .receiverReport(let ssrc, let blocks):
            (type, count) = (201, UInt8(min(31, blocks.count)))
            body.append(bigEndian: ssrc)
            for block in blocks.prefix(31) { block.write(to: &body) }
        case .sourceDescription(let chunks):
            (type, count) = (202, UInt8(min(31, chunks.count)))
            for chunk in chunks.prefix(31) {
                body.append(bigEndian: chunk.ssrc)
                for item in chunk.items where item.type != 0 {
                    let text = Array(item.text.utf8.prefix(255))
                    body += [item.type, UInt8(text.count)] + text
                }
                repeat { body.append(0) } while body.count % 4 != 0
            }
        case .goodbye(let sources, let reason):
            (type, count) = (203, UInt8(min(31, sources.count)))
            for source in sources.prefix(31) { body.append(bigEndian: source) }
            let text = Array(reason.utf8.prefix(255))
            if !text.isEmpty {
                body.append(UInt8(text.count))
                body += text
            }
        case .other(let otherType, let otherCount, let bytes):
            (type, count) = (otherType, otherCount & 0x1f)
            body = bytes
        }
        while body.count % 4 != 0 { body.append(0) }
        body.removeLast(max(0, body.count - 262_140))
        var result: [UInt8] = [0x80 | count, type]
        result.append(bigEndian: UInt16(truncatingIfNeeded: body.count / 4))
        return result + body
    }

    /// A compound packet.
    public static func compound(_ packets: [RTCPPacket]) -> [UInt8] { packets.flatMap(\.bytes) }
}

extension RTCPReportBlock {
    fileprivate func write(to bytes: inout [UInt8]) {
        bytes.append(bigEndian: ssrc)
        let lost = UInt32(bitPattern: min(0x7f_ffff, max(-0x80_0000, packetsLost))) & 0xff_ffff
        bytes.append(bigEndian: UInt32(fractionLost) << 24 | lost)
        bytes.append(bigEndian: highestSequence)
        bytes.append(bigEndian: jitter)
        bytes.append(bigEndian: lastSenderReport)
        bytes.append(bigEndian: delaySinceLastSenderReport)
    }

    /// Round trip in 65,536ths of a second for the sender of the report that this block answers (RFC 3550 6.4.1); nil where no
    /// sender report was seen, or clocks contradict. `now`: middle 32 bits of our NTP time.
    public func roundTrip(now: UInt32) -> UInt32? {
        guard lastSenderReport != 0 else { return nil }
        let span = now &- lastSenderReport &- delaySinceLastSenderReport
        return span < 0x8000_0000 ? span : nil
    }
}
