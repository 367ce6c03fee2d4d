/// What a debug view leaves out unless asked: what lets its reader guess a password, hear a call or read along (RFC 7616, RFC 4568, RFC 8839 5.4,
/// RFC 3261 19.1.1), and what people write to each other (RFC 3428) or dial (RFC 6086). Everything else stays.
package enum SIPSecrets {
    private static let mark = Array("(hidden)".utf8)

    /// The lines of one message without them; a header that goes on in further lines is one.
    package static func hidden(_ lines: [String]) -> [String] {
        var result: [String] = []
        var isBody = false
        var hasBegun = false
        let kind = kind(lines)
        for line in lines {
            if line.isEmpty, hasBegun, !isBody {
                isBody = true
                if kind.isPrivate {
                    let body = lines.count - result.count - 1
                    result.append(line)
                    if body > 0 { result.append("(hidden: \(body) line\(body == 1 ? "" : "s") of \(kind.type))") }
                    return result
                }
            }
            hasBegun = hasBegun || !line.isEmpty
            if !isBody, line.first == " " || line.first == "\t", let last = result.popLast() {
                result.append(last + "\n" + line)
            } else {
                result.append(line)
            }
        }
        return result.flatMap { Self.hidden($0).split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
    }

    /// A message of the same length without them: each of their octets is an `x`, so that it can be read as before. Line ends and blanks stay.
    package static func masked(_ message: [UInt8]) -> [UInt8] {
        var message = message
        var head: [String] = []
        var at = 0
        while at < message.count {
            let line = at..<endOfLine(message, at, isHeader: true)
            at = line.upperBound + 1
            let text = message[line.last.map { message[$0] == cr } ?? false ? line.dropLast() : line]
            if text.isEmpty, head.contains(where: { !$0.isEmpty }) { break }
            head.append(String(decoding: text, as: UTF8.self))
            mask(secrets(in: Array(text)), of: line.lowerBound, &message)
        }
        if kind(head).isPrivate {
            mask([0..<max(0, message.count - at)], of: at, &message)
            return message
        }
        while at < message.count {
            let line = at..<endOfLine(message, at, isHeader: false)
            mask(secrets(in: Array(message[line])), of: line.lowerBound, &message)
            at = line.upperBound + 1
        }
        return message
    }

    private static let cr = UInt8(ascii: "\r")

    /// Where its line feed is, or the message's end; a header that goes on in further lines is one.
    private static func endOfLine(_ message: [UInt8], _ start: Int, isHeader: Bool) -> Int {
        var end = message[start...].firstIndex(of: 0x0a) ?? message.count
        while isHeader, end > start, end + 1 < message.count, message[end + 1] == 0x20 || message[end + 1] == 0x09 {
            end = message[(end + 1)...].firstIndex(of: 0x0a) ?? message.count
        }
        return end
    }

    private static func mask(_ ranges: [Range<Int>], of start: Int, _ message: inout [UInt8]) {
        for range in ranges {
            for index in range where !" \t\r\n".utf8.contains(message[start + index]) {
                message[start + index] = UInt8(ascii: "x")
            }
        }
    }

    private static func hidden(_ line: String) -> String {
        let bytes = Array(line.utf8)
        var out: [UInt8] = []
        var at = 0
        for secret in secrets(in: bytes) {
            out += bytes[at..<secret.lowerBound] + mark
            at = secret.upperBound
        }
        return String(decoding: out + bytes[at...], as: UTF8.self)
    }

    /// Whether the body is somebody's own words or digits, and what it is by its Content-Type.
    private static func kind(_ lines: [String]) -> (isPrivate: Bool, type: String) {
        let head = lines.drop { $0.isEmpty }.prefix { !$0.isEmpty }
        var isPrivate = head.first.map { $0.hasPrefix("MESSAGE ") || $0.hasPrefix("INFO ") } ?? false
        var type = "text"
        for line in head {
            guard let field = Field(line) else { continue }
            switch field.name {
            case "cseq": isPrivate = isPrivate || field.value.hasSuffix(" MESSAGE") || field.value.hasSuffix(" INFO")
            case "content-type", "c": type = String(field.value.prefix { $0 != ";" && $0 != " " })
            default: break
            }
        }
        return (isPrivate, type)
    }

    /// A header field or a line of SDP.
    private struct Field {
        var name: String
        var value: Substring

        init?(_ line: String) {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            name = line[..<colon].lowercased()
            while name.last == " " || name.last == "\t" { name.removeLast() }
            value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
        }
    }

    /// Where they lie in one line, or one header: in order, apart from each other. Empty ones are places where one should be.
    private static func secrets(in line: [UInt8]) -> [Range<Int>] {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return [] }
        var name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
        while name.last == " " || name.last == "\t" { name.removeLast() }
        let value = line[(colon + 1)...].firstIndex { $0 != 0x20 && $0 != 0x09 } ?? line.count
        func after(_ end: (UInt8) -> Bool) -> [Range<Int>] {
            let word = line[value...].firstIndex(where: end) ?? line.count
            return [min(word + 1, line.count)..<line.count]
        }
        switch name {
        case "authorization", "proxy-authorization":
            let scheme = line[value...].prefix { !" \t\n".utf8.contains($0) }
            guard String(decoding: scheme, as: UTF8.self).lowercased() == "digest" else {
                return after { " \t\n".utf8.contains($0) }
            }
            return parameters(["response", "cnonce"], in: line)
        case "authentication-info", "proxy-authentication-info": return parameters(["rspauth", "cnonce"], in: line)
        case "a=crypto": return keys(in: line)
        case "a=key-mgmt": return after { $0 == 0x20 }
        case "a=ice-pwd", "k=clear", "k=base64", "k=uri": return [value..<line.count]
        default: return passwords(in: line)
        }
    }

    /// `name="..."` or `name=token`, outside of quoted strings.
    private static func parameters(_ names: [String], in bytes: [UInt8]) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var at = 0
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "\"") {
                at = endOfQuote(bytes, at)
                continue
            }
            let isStart = at == 0 || " \t\n,".utf8.contains(bytes[at - 1])
            guard isStart, let value = value(of: names, in: bytes, at) else {
                at += 1
                continue
            }
            let isQuoted = value.lowerBound < bytes.count && bytes[value.lowerBound] == UInt8(ascii: "\"")
            let isEnded = value.count > 1 && bytes[value.upperBound - 1] == UInt8(ascii: "\"")
            found.append((value.lowerBound + (isQuoted ? 1 : 0))..<(value.upperBound - (isQuoted && isEnded ? 1 : 0)))
            at = value.upperBound
        }
        return found
    }

    /// Where the value lies of one of these parameters that begins at `at`.
    private static func value(of names: [String], in bytes: [UInt8], _ at: Int) -> Range<Int>? {
        func pastBlanks(_ place: Int) -> Int { bytes[place...].firstIndex { !" \t\n".utf8.contains($0) } ?? bytes.count }
        for name in names where begins(name, bytes, at) {
            let sign = pastBlanks(at + name.utf8.count)
            guard sign < bytes.count, bytes[sign] == UInt8(ascii: "=") else { continue }
            let start = pastBlanks(sign + 1)
            guard start < bytes.count else { return start..<start }
            if bytes[start] == UInt8(ascii: "\"") { return start..<endOfQuote(bytes, start) }
            return start..<(bytes[start...].firstIndex { " \t\n,".utf8.contains($0) } ?? bytes.count)
        }
        return nil
    }

    private static func endOfQuote(_ bytes: [UInt8], _ start: Int) -> Int {
        var at = start + 1
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") { at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1 }
        return min(at + 1, bytes.count)
    }

    /// `inline:` and the key and salt behind it, as often as they come.
    private static func keys(in bytes: [UInt8]) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var at = 0
        while at < bytes.count {
            guard begins("inline:", bytes, at) else {
                at += 1
                continue
            }
            let end = bytes[(at + 7)...].firstIndex { "|; \t".utf8.contains($0) } ?? bytes.count
            found.append((at + 7)..<end)
            at = end
        }
        return found
    }

    /// The password in `sip:user:password@host`.
    private static func passwords(in bytes: [UInt8]) -> [Range<Int>] {
        guard bytes.contains(UInt8(ascii: "@")) else { return [] }
        var found: [Range<Int>] = []
        var at = 0
        while at < bytes.count {
            let scheme = begins("sip:", bytes, at) ? 4 : begins("sips:", bytes, at) ? 5 : 0
            let user = at + scheme
            let end = bytes[user...].firstIndex { " \t\n<>\",".utf8.contains($0) } ?? bytes.count
            guard scheme > 0, let host = bytes[user..<end].firstIndex(of: UInt8(ascii: "@")),
                let colon = bytes[user..<host].firstIndex(of: UInt8(ascii: ":"))
            else {
                at += 1
                continue
            }
            found.append((colon + 1)..<host)
            at = host
        }
        return found
    }

    private static func begins(_ word: String, _ bytes: [UInt8], _ at: Int) -> Bool {
        guard at + word.utf8.count <= bytes.count else { return false }
        return zip(bytes[at...], word.utf8).allSatisfy { $0 | 0x20 == $1 | 0x20 }
    }
}
