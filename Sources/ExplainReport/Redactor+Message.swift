import Base

/// Redacting what is written: SIP messages byte for byte, and the sentences of reports.
extension Redactor {
    /// A SIP message of the same length in which names, numbers, addresses, keys and bodies are replaced.
    public mutating func redact(message: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(message.count)
        var isSDP = true
        var inBody = false
        var at = 0
        while at < message.count {
            let end = message[at...].firstIndex(of: 0x0a).map { $0 + 1 } ?? message.count
            let line = Array(message[at..<end])
            if inBody {
                out += isSDP ? redact(sdp: line) : line.map(Self.masked)
            } else if line == [0x0d, 0x0a] || line == [0x0a] {
                inBody = true
                out += line
            } else {
                if let type = Self.value(of: ["content-type", "c"], in: line) {
                    let type = String(decoding: type, as: UTF8.self).lowercased()
                    isSDP = type.contains("application/sdp") || type.contains("sipfrag")
                }
                out += redact(header: line)
            }
            at = end
        }
        return out
    }

    /// A sentence of a report: addresses, `user@host`, SIP URIs and the names learnt so far.
    public mutating func redact(text: String) -> String {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var at = 0
        while at < bytes.count {
            if let (length, stand) = address(in: bytes, at: at) ?? uri(in: bytes, at: at) {
                out += stand
                at += length
            } else if Self.isWordByte(bytes[at]), at == 0 || !Self.isWordByte(bytes[at - 1]) {
                var end = at
                while end < bytes.count, Self.isWordByte(bytes[end]) { end += 1 }
                // A full stop ends a sentence, not a name.
                var last = end
                while last > at, bytes[last - 1] == UInt8(ascii: ".") { last -= 1 }
                let word = Array(bytes[at..<last])
                if end < bytes.count, bytes[end] == UInt8(ascii: "@") {
                    var hostEnd = end + 1
                    while hostEnd < bytes.count, Self.isWordByte(bytes[hostEnd]) { hostEnd += 1 }
                    while hostEnd > end + 1, bytes[hostEnd - 1] == UInt8(ascii: ".") { hostEnd -= 1 }
                    let host = Array(bytes[(end + 1)..<hostEnd])
                    out += redact(word: Array(bytes[at..<end])) + [UInt8(ascii: "@")] + redact(host: host)
                    at = hostEnd
                    continue
                }
                if stands(word, quoted: at > 0 && [0x22, 0x27].contains(bytes[at - 1])) {
                    out += word.contains(UInt8(ascii: ".")) ? redact(host: word) : redact(word: word)
                } else {
                    out += word
                }
                at = last
                if last == end { continue }
                out += bytes[last..<end]
                at = end
            } else {
                out.append(bytes[at])
                at += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Whether a word of a sentence is a name. Short numbers and the words of our own sentences are names in quotes only.
    private func stands(_ word: [UInt8], quoted: Bool) -> Bool {
        if quoted { return names.contains(word) || displayed.contains(word) }
        guard names.contains(word) else { return false }
        let isNumber = word.allSatisfy { (0x30...0x39).contains($0) }
        return isNumber ? word.count > 5 : !Self.plainWords.contains(word)
    }

    private static let plainWords = Set(
        [
            "phone", "server", "client", "router", "call", "port", "line", "frame", "from", "the", "and", "user", "nonce",
            "realm",
            "message", "audio", "answer", "request", "registration", "username", "unknown",
        ].map { Array($0.utf8) })

    // MARK: Lines

    /// One line of a message, without its end: a header or a line of a session description.
    mutating func redact(line: [UInt8]) -> [UInt8] {
        line.count > 1 && line[1] == UInt8(ascii: "=") ? redact(sdp: line) : redact(header: line)
    }

    /// What a program calls itself: addresses and twelve-digit hardware addresses are hidden, versions stay.
    mutating func hardware(_ text: String) -> String {
        let line = redact(header: Array("User-Agent: \(text)".utf8))
        return String(decoding: line.dropFirst(12), as: UTF8.self)
    }

    private mutating func redact(header line: [UInt8]) -> [UInt8] {
        let name = line.firstIndex(of: UInt8(ascii: ":")).map {
            String(decoding: line[..<$0].filter { $0 != 0x20 && $0 != 9 }, as: UTF8.self).lowercased()
        }
        var out: [UInt8] = []
        out.reserveCapacity(line.count)
        var at = 0
        if let name, let colon = line.firstIndex(of: UInt8(ascii: ":")), Self.addressHeaders.contains(name) {
            out += line[...colon]
            at = colon + 1
            // What stands before the first `<`, or a quoted string, is a display name.
            if let open = line[at...].firstIndex(of: UInt8(ascii: "<")) {
                out += words(Array(line[at..<open]))
                at = open
            }
        }
        if let name, name == "via" || name == "v", let space = line.lastIndexOfSentBy {
            out += line[..<space]
            at = space
            var end = at
            while end < line.count, !Self.endsHost(line[end]) || (line[at] == UInt8(ascii: "[") && line[end] != UInt8(ascii: ";"))
            {
                end += 1
            }
            out += bracketed(Array(line[at..<end]))
            at = end
        }
        if name == "call-id" || name == "i", let colon = line.firstIndex(of: UInt8(ascii: ":")) {
            return Array(line[...colon]) + callID(Array(line[(colon + 1)...]))
        }
        let namesProgram = name == "user-agent" || name == "server"
        while at < line.count {
            if namesProgram, let (length, stand) = hardwareAddress(in: line, at: at) {
                out += stand
                at += length
            } else if let (length, stand) = address(in: line, at: at) ?? uri(in: line, at: at) ?? parameter(in: line, at: at) {
                out += stand
                at += length
            } else {
                out.append(line[at])
                at += 1
            }
        }
        return out
    }

    /// A Call-ID may hold an address, a hardware address or a name, in any of its parts.
    private mutating func callID(_ value: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var at = 0
        while at < value.count {
            if let (length, stand) = address(in: value, at: at) {
                out += stand
                at += length
            } else if value[at] == UInt8(ascii: "@") {
                var end = at + 1
                while end < value.count, value[end] > 0x20 { end += 1 }
                out += [UInt8(ascii: "@")] + bracketed(Array(value[(at + 1)..<end]))
                at = end
            } else if Self.isAlphanumeric(value[at]) {
                var end = at
                while end < value.count, Self.isAlphanumeric(value[end]) { end += 1 }
                out += redact(word: Array(value[at..<end]))
                at = end
            } else {
                out.append(value[at])
                at += 1
            }
        }
        return out
    }

    /// Twelve hexadecimal digits in a row, or in pairs with colons or dashes.
    private mutating func hardwareAddress(in bytes: [UInt8], at start: Int) -> (length: Int, stand: [UInt8])? {
        guard Self.isHex(bytes[start]), start == 0 || !Self.isAlphanumeric(bytes[start - 1]) else { return nil }
        var end = start
        var digits = 0
        while end < bytes.count, digits < 13, Self.isHex(bytes[end]) || ([0x2d, 0x3a].contains(bytes[end]) && digits % 2 == 0) {
            if Self.isHex(bytes[end]) { digits += 1 }
            end += 1
        }
        while end > start, !Self.isHex(bytes[end - 1]) { end -= 1 }
        guard digits == 12, end == bytes.count || !Self.isAlphanumeric(bytes[end]) else { return nil }
        return (end - start, redact(word: Array(bytes[start..<end])))
    }

    private mutating func redact(sdp line: [UInt8]) -> [UInt8] {
        guard line.count > 2, line[1] == UInt8(ascii: "=") else { return line.map(Self.masked) }
        var out = Array(line[..<2])
        var at = 2
        switch line[0] {
        case UInt8(ascii: "o"):
            while at < line.count, line[at] != 0x20 { at += 1 }
            out += redact(word: Array(line[2..<at]))
        case UInt8(ascii: "s"), UInt8(ascii: "i"), UInt8(ascii: "e"), UInt8(ascii: "p"), UInt8(ascii: "u"):
            return out + words(Array(line[2...]))
        case UInt8(ascii: "a"):
            for secret in ["crypto:", "ice-pwd:", "ice-ufrag:", "key-mgmt:", "fingerprint:"]
            where line[2...].starts(with: Array(secret.utf8)) {
                let start =
                    secret == "crypto:" ? (line.firstRange(of: "inline:") ?? 2 + secret.utf8.count) : 2 + secret.utf8.count
                out = Array(line[..<min(start, line.count)])
                return out + words(Array(line[min(start, line.count)...]))
            }
        default: break
        }
        while at < line.count {
            if let (length, stand) = address(in: line, at: at) {
                out += stand
                at += length
            } else {
                out.append(line[at])
                at += 1
            }
        }
        return out
    }

    // MARK: Pieces

    /// Every run of letters and digits replaced by its stand-in.
    private mutating func words(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            var end = at
            while end < bytes.count, Self.isAlphanumeric(bytes[end]) { end += 1 }
            if end > at {
                let word = Array(bytes[at..<end])
                learn(displayed: word)
                out += redact(word: word)
                at = end
            } else {
                out.append(bytes[at])
                at += 1
            }
        }
        return out
    }

    /// A host, in brackets or not.
    private mutating func bracketed(_ host: [UInt8]) -> [UInt8] {
        if host.first == UInt8(ascii: "["), let close = host.firstIndex(of: UInt8(ascii: "]")) {
            return [UInt8(ascii: "[")] + keepingLength(Array(host[1..<close])) + host[close...]
        }
        if host.count > 2, !host.contains(UInt8(ascii: ":")) { learn(host) }
        return keepingLength(host)
    }

    private mutating func keepingLength(_ host: [UInt8]) -> [UInt8] {
        let stand = redact(host: host)
        // An address in an unusual spelling: hidden, though no longer the same as elsewhere.
        return stand.count == host.count ? stand : host.map { Self.isAlphanumeric($0) ? 0x30 : $0 }
    }

    /// An IPv4 or IPv6 address that begins here.
    private mutating func address(in bytes: [UInt8], at start: Int) -> (length: Int, stand: [UInt8])? {
        let first = bytes[start]
        guard Self.isHex(first) || first == UInt8(ascii: ":") else { return nil }
        if start > 0, Self.isAlphanumeric(bytes[start - 1]) || [0x2e, 0x3a].contains(bytes[start - 1]) {
            // `received=::1` and `RTP/AVP:` differ: only a word or a number before makes this the middle of something.
            return nil
        }
        var end = start
        var dots = 0
        var colons = 0
        while end < bytes.count, Self.isHex(bytes[end]) || bytes[end] == 0x2e || bytes[end] == 0x3a {
            if bytes[end] == 0x2e { dots += 1 }
            if bytes[end] == 0x3a { colons += 1 }
            end += 1
        }
        if colons < 2 {
            end = start
            while end < bytes.count, (0x30...0x39).contains(bytes[end]) || bytes[end] == 0x2e { end += 1 }
            guard dots >= 3 else { return nil }
        }
        while end > start, bytes[end - 1] == 0x2e { end -= 1 }
        guard end == bytes.count || !Self.isAlphanumeric(bytes[end]) else { return nil }
        let token = Array(bytes[start..<end])
        guard let address = IPAddress(utf8: token) else { return nil }
        let stand = Array("\(redact(address))".utf8)
        return (token.count, stand.count == token.count ? stand : token.map { Self.isAlphanumeric($0) ? 0x30 : $0 })
    }

    /// `sip:user@host`, `tel:number`: scheme and all.
    private mutating func uri(in bytes: [UInt8], at start: Int) -> (length: Int, stand: [UInt8])? {
        guard start == 0 || !Self.isAlphanumeric(bytes[start - 1]) else { return nil }
        guard let scheme = ["sip:", "sips:", "tel:"].first(where: { Self.starts(bytes, at: start, with: $0) }) else { return nil }
        var at = start + scheme.utf8.count
        var end = at
        while end < bytes.count, !Self.endsURI(bytes[end]) { end += 1 }
        var out = Array(bytes[start..<at])
        if scheme == "tel:" { return (end - start, out + redact(word: Array(bytes[at..<end]))) }
        if let sign = bytes[at..<end].lastIndex(of: UInt8(ascii: "@")) {
            let colon = bytes[at..<sign].firstIndex(of: UInt8(ascii: ":")) ?? sign
            let user = Array(bytes[at..<colon])
            learn(user)
            out += redact(word: user) + bytes[colon..<sign].map { $0 == 0x3a ? $0 : Self.masked($0) } + [UInt8(ascii: "@")]
            at = sign + 1
        }
        var hostEnd = at
        if at < end, bytes[at] == UInt8(ascii: "[") {
            while hostEnd < end, bytes[hostEnd] != UInt8(ascii: "]") { hostEnd += 1 }
        } else {
            while hostEnd < end, bytes[hostEnd] != UInt8(ascii: ":") { hostEnd += 1 }
        }
        out += bracketed(
            Array(bytes[at..<hostEnd]) + (hostEnd < end && bytes[hostEnd] == UInt8(ascii: "]") ? [UInt8(ascii: "]")] : []))
        if hostEnd < end, bytes[hostEnd] == UInt8(ascii: "]") { hostEnd += 1 }
        return (end - start, out + bytes[hostEnd..<end])
    }

    /// `username="x"`, `realm="x"` and other values that name somebody.
    private mutating func parameter(in bytes: [UInt8], at start: Int) -> (length: Int, stand: [UInt8])? {
        guard start == 0 || !Self.isAlphanumeric(bytes[start - 1]) else { return nil }
        for (name, isHost) in Self.namingParameters where Self.starts(bytes, at: start, with: name) {
            let from = start + name.utf8.count
            var end = from
            let isQuoted = name.last == "\""
            while end < bytes.count, isQuoted ? bytes[end] != UInt8(ascii: "\"") : !Self.endsHost(bytes[end]) { end += 1 }
            let value = Array(bytes[from..<end])
            learn(value)
            return (end - start, Array(bytes[start..<from]) + (isHost ? keepingLength(value) : redact(word: value)))
        }
        return nil
    }

    private static let namingParameters: [(String, Bool)] = [
        ("username=\"", false), ("realm=\"", true), ("response=\"", false), ("cnonce=\"", false), ("received=", true),
        ("maddr=", true),
        ("urn:uuid:", false),
    ]

    private static let addressHeaders: Set<String> = [
        "from", "f", "to", "t", "contact", "m", "p-asserted-identity", "p-preferred-identity", "remote-party-id", "diversion",
        "referred-by", "b", "refer-to", "r", "history-info", "p-called-party-id",
    ]

    /// The value of a header field if the line is one of these.
    private static func value(of names: [String], in line: [UInt8]) -> [UInt8]? {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let name = String(decoding: line[..<colon].filter { $0 > 0x20 }, as: UTF8.self).lowercased()
        return names.contains(name) ? Array(line[(colon + 1)...]) : nil
    }

    private static func masked(_ byte: UInt8) -> UInt8 {
        switch byte {
        case 0x30...0x39: 0x30
        case 0x41...0x5a: UInt8(ascii: "X")
        case 0x61...0x7a: UInt8(ascii: "x")
        case 0x80...: UInt8(ascii: "?")
        default: byte
        }
    }

    private static func starts(_ bytes: [UInt8], at start: Int, with text: String) -> Bool {
        guard start + text.utf8.count <= bytes.count else { return false }
        var at = start
        for byte in text.utf8 {
            // Schemes and parameter names know no case (RFC 3261 7.3.1).
            let seen = (0x41...0x5a).contains(bytes[at]) ? bytes[at] | 0x20 : bytes[at]
            if seen != byte { return false }
            at += 1
        }
        return true
    }

    private static func isHex(_ byte: UInt8) -> Bool { hexDigit(byte) != nil }
    private static func isWordByte(_ byte: UInt8) -> Bool { isAlphanumeric(byte) || [0x2e, 0x2d, 0x5f, 0x2b].contains(byte) }
    private static func endsHost(_ byte: UInt8) -> Bool { byte <= 0x20 || [0x3b, 0x2c, 0x3e, 0x22, 0x3a].contains(byte) }
    private static func endsURI(_ byte: UInt8) -> Bool {
        byte <= 0x20 || [0x3b, 0x2c, 0x3e, 0x22, 0x3f, 0x29, 0x27].contains(byte)
    }
}

extension [UInt8] {
    /// Where a Via's sent-by begins: after the blank that follows the transport.
    fileprivate var lastIndexOfSentBy: Int? {
        guard let slash = lastIndex(of: UInt8(ascii: "/")), let space = self[slash...].firstIndex(of: 0x20) else { return nil }
        var at = space
        while at < count, self[at] == 0x20 { at += 1 }
        return at < count ? at : nil
    }

    fileprivate func firstRange(of text: String) -> Int? {
        let wanted = Array(text.utf8)
        guard count >= wanted.count else { return nil }
        for start in 0...(count - wanted.count) where Array(self[start..<(start + wanted.count)]) == wanted {
            return start + wanted.count
        }
        return nil
    }
}
