import Base

/// What is no SIP: media, STUN, HTTP. Headers that diagnosis needs stay, contents do not.
extension Redactor {
    /// RTP: fixed header and contributors stay; extensions, speech, digits and pictures do not (RFC 3550 5.1).
    public static func redact(rtp bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= 12 else { return hidden(bytes) }
        var out = bytes
        var at = 12 + 4 * Int(bytes[0] & 15)
        if bytes[0] & 0x10 != 0, at + 4 <= bytes.count {
            let end = min(bytes.count, at + 4 + 4 * Int(bytes.uint16(at: at + 2)))
            for index in (at + 4)..<max(at + 4, end) { out[index] = 0 }
            at = end
        }
        // Padding counts itself in the last octet.
        let last = bytes[0] & 0x20 != 0 ? bytes.count - 1 : bytes.count
        for index in min(at, last)..<last { out[index] = 0xff }
        return out
    }

    /// RTCP: reports and feedback stay as far as their formats are known; descriptions, farewells and applications lose their words.
    public mutating func redact(rtcp bytes: [UInt8]) -> [UInt8] {
        var out = bytes
        var at = 0
        while at + 4 <= bytes.count {
            let (count, type) = (Int(bytes[at] & 31), bytes[at + 1])
            let end = min(bytes.count, at + (Int(bytes.uint16(at: at + 2)) + 1) * 4)
            let kept: Int =
                switch type {
                case 200: 28 + 24 * count
                case 201: 8 + 24 * count
                case 203: 4 + 4 * count
                // Transport feedback and pictures; but for 15, which is an application's.
                case 205, 206: count == 15 ? 12 : end - at
                case 202: 4
                default: 8
                }
            if type == 202 {
                describe(&out, at + 4, end)
            } else {
                for index in min(end, at + kept)..<end { out[index] = 0 }
            }
            at = max(end, at + 4)
        }
        for index in min(at, bytes.count)..<bytes.count { out[index] = 0 }
        return out
    }

    /// Chunks of sources, each with items of type, length and text (RFC 3550 6.5).
    private mutating func describe(_ out: inout [UInt8], _ start: Int, _ end: Int) {
        var at = start + 4
        while at + 2 <= end {
            if out[at] == 0 {
                // The next chunk begins at a multiple of four.
                at = start + (at - start) / 4 * 4 + 8
                continue
            }
            let length = min(Int(out[at + 1]), end - at - 2)
            out.replaceSubrange((at + 2)..<(at + 2 + length), with: cover(out[(at + 2)..<(at + 2 + length)]))
            at += 2 + length
        }
    }

    // MARK: STUN

    /// STUN and TURN: addresses are those of everywhere, numbers stay, all else is hidden; the fingerprint is right (RFC 8489 14).
    public mutating func redact(stun bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= 20 else { return Self.hidden(bytes) }
        var out = bytes
        let key = Array(bytes[4..<20])
        var at = 20
        while at + 4 <= bytes.count {
            let (type, length) = (bytes.uint16(at: at), Int(bytes.uint16(at: at + 2)))
            let value = (at + 4)..<min(bytes.count, at + 4 + length)
            switch type {
            case 0x0001, 0x0002, 0x0004, 0x0005, 0x000b, 0x8023, 0x802b, 0x802c:
                mapped(&out, value, [UInt8](repeating: 0, count: 16))
            case 0x0020, 0x8020, 0x0012, 0x0016: mapped(&out, value, key)
            // CHANGE-REQUEST, UNKNOWN-ATTRIBUTES, CHANNEL-NUMBER, LIFETIME, EVEN-PORT, REQUESTED-..., DONT-FRAGMENT, ICE's numbers.
            case 0x0003, 0x000a, 0x000c, 0x000d, 0x0017...0x001a, 0x0024...0x0027, 0x8029, 0x802a: break
            case 0x0009:
                let phrase = min(value.upperBound, value.lowerBound + 4)..<value.upperBound
                out.replaceSubrange(phrase, with: diagnosis(Array(bytes[phrase])))
            case 0x0006, 0x0014, 0x0015, 0x8022, 0x802e, 0x802f: out.replaceSubrange(value, with: cover(bytes[value]))
            case 0x8028 where value.count == 4:
                var crc = CRC32()
                crc.update(out[..<at])
                let sum = crc.value ^ 0x5354_554e
                for index in 0..<4 { out[value.lowerBound + index] = UInt8(truncatingIfNeeded: sum >> UInt32(24 - 8 * index)) }
            default: for index in value { out[index] = 0 }
            }
            at = value.upperBound + (value.count == length ? (4 - length & 3) & 3 : 0)
        }
        return out
    }

    /// A family, a port and an address under `key`.
    private mutating func mapped(_ out: inout [UInt8], _ value: Range<Int>, _ key: [UInt8]) {
        let size = value.count > 1 && out[value.lowerBound + 1] == 2 ? 16 : 4
        guard value.count >= 4 + size else {
            for index in value { out[index] = 0 }
            return
        }
        let place = value.lowerBound + 4
        let plain = (0..<size).map { out[place + $0] ^ key[$0] }
        for (offset, octet) in octets(plain).enumerated() { out[place + offset] = octet ^ key[offset] }
        for index in (place + size)..<value.upperBound { out[index] = 0 }
    }

    /// The stand-in of an address of four or sixteen octets.
    public mutating func octets(_ plain: [UInt8]) -> [UInt8] {
        guard plain.count == 4 || plain.count == 16 else { return Self.hidden(plain) }
        let address: IPAddress
        if plain.count == 4 {
            address = .v4(IPv4Address(bits: plain.uint32(at: 0)))
        } else {
            func half(_ at: Int) -> UInt64 { UInt64(plain.uint32(at: at)) << 32 | UInt64(plain.uint32(at: at + 4)) }
            address = .v6(IPv6Address(high: half(0), low: half(8)))
        }
        var out: [UInt8] = []
        out.append(redact(address))
        return out
    }

    // MARK: HTTP

    /// The head of an HTTP request or response: what makes it a WebSocket's stays, whom it was for does not.
    public mutating func redact(web bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var at = 0
        var isHead = true
        while at < bytes.count {
            let next = min(bytes.count, (bytes[at...].firstIndex(of: 0x0a) ?? bytes.count) + 1)
            var end = next
            while end > at, bytes[end - 1] == 0x0a || bytes[end - 1] == 0x0d { end -= 1 }
            let line = Array(bytes[at..<end])
            out += (!isHead ? Self.blank(line) : at == 0 ? webStart(line) : webField(line)) + bytes[end..<next]
            if line.isEmpty { isHead = false }
            at = next
        }
        return out
    }

    private mutating func webStart(_ line: [UInt8]) -> [UInt8] {
        var parts = line.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false).map(Array.init)
        func isVersion(_ part: [UInt8]) -> Bool { ["HTTP/1.0", "HTTP/1.1"].contains(String(decoding: part, as: UTF8.self)) }
        for index in parts.indices where !isVersion(parts[index]) {
            let text = String(decoding: parts[index], as: UTF8.self)
            let isResponse = isVersion(parts[0])
            switch (index, isResponse) {
            case (0, false) where Harmless.methods.contains(text): break
            case (1, true): parts[index] = digits(parts[index], most: 3)
            case (2, true): parts[index] = phrase(parts[index], status: String(decoding: parts[1], as: UTF8.self))
            default: parts[index] = cover(parts[index])
            }
        }
        return Array(parts.joined(separator: [0x20]))
    }

    private mutating func webField(_ line: [UInt8]) -> [UInt8] {
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.count
        let name = Self.lower(line[..<colon])
        let value = Array(line[colon...])
        guard Harmless.webFields.contains(name) else { return cover(line[..<colon]) + cover(value) }
        switch name {
        case "upgrade", "connection", "sec-websocket-protocol", "sec-websocket-version", "content-length":
            return line[..<colon] + tokens(value)
        case "user-agent", "server": return line[..<colon] + program(value)
        default: return line[..<colon] + cover(value)
        }
    }

    // MARK: Anything else

    /// Octets of which nothing is known: of no protocol's shape afterwards.
    public static func hidden(_ bytes: some Collection<UInt8>) -> [UInt8] { [UInt8](repeating: 0xff, count: bytes.count) }

    /// Octets of a text stream between what is known: only line ends stay.
    public static func between(_ bytes: some Collection<UInt8>) -> [UInt8] { blank(bytes) }

    /// A correlation identifier or another text that stands alone.
    public mutating func redact(text bytes: [UInt8]) -> [UInt8] { cover(bytes) }
}
