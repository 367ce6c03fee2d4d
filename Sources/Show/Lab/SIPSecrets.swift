/// What a debug view leaves out unless asked: what lets its reader guess a password, hear a call or read along (RFC 7616, RFC 4568, RFC 8839 5.4,
/// RFC 3261 19.1.1), and what people write to each other (RFC 3428) or dial (RFC 6086). Everything else stays.
enum SIPSecrets {
    private static let mark = Array("(hidden)".utf8)

    /// The lines of one message without them; a header that goes on in further lines is one.
    static func hidden(_ lines: [String]) -> [String] {
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
        return result.flatMap { hidden(in: $0).split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
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

    private static func hidden(in line: String) -> String {
        guard let field = Field(line) else { return line }
        func cut(_ text: some StringProtocol) -> String {
            String(line[..<field.value.startIndex]) + text + String(decoding: mark, as: UTF8.self)
        }
        switch field.name {
        case "authorization", "proxy-authorization":
            let scheme = field.value.prefix { $0 != " " && $0 != "\t" && $0 != "\n" }
            guard scheme.lowercased() == "digest" else { return cut(scheme + " ") }
            return parameters(["response", "cnonce"], hiddenIn: line)
        case "authentication-info", "proxy-authentication-info": return parameters(["rspauth", "cnonce"], hiddenIn: line)
        case "a=crypto": return keys(hiddenIn: line)
        case "a=key-mgmt": return cut(field.value.prefix { $0 != " " } + " ")
        case "a=ice-pwd", "k=clear", "k=base64", "k=uri": return cut("")
        default: return passwords(hiddenIn: line)
        }
    }

    /// `name="..."` or `name=token`, outside of quoted strings.
    private static func parameters(_ names: [String], hiddenIn text: String) -> String {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "\"") {
                let end = endOfQuote(bytes, at)
                out += bytes[at..<end]
                at = end
                continue
            }
            let isStart = at == 0 || " \t\n,".utf8.contains(bytes[at - 1])
            guard isStart, let value = value(of: names, in: bytes, at) else {
                out.append(bytes[at])
                at += 1
                continue
            }
            out += bytes[at..<value.lowerBound]
            let isQuoted = value.lowerBound < bytes.count && bytes[value.lowerBound] == UInt8(ascii: "\"")
            out += isQuoted ? [UInt8(ascii: "\"")] + mark + [UInt8(ascii: "\"")] : mark
            at = value.upperBound
        }
        return String(decoding: out, as: UTF8.self)
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
    private static func keys(hiddenIn text: String) -> String {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            guard begins("inline:", bytes, at) else {
                out.append(bytes[at])
                at += 1
                continue
            }
            out += bytes[at..<(at + 7)] + mark
            at = bytes[(at + 7)...].firstIndex { "|; \t".utf8.contains($0) } ?? bytes.count
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The password in `sip:user:password@host`.
    private static func passwords(hiddenIn text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "@")) else { return text }
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            let scheme = begins("sip:", bytes, at) ? 4 : begins("sips:", bytes, at) ? 5 : 0
            let user = at + scheme
            let end = bytes[user...].firstIndex { " \t\n<>\",".utf8.contains($0) } ?? bytes.count
            guard scheme > 0, let host = bytes[user..<end].firstIndex(of: UInt8(ascii: "@")),
                let colon = bytes[user..<host].firstIndex(of: UInt8(ascii: ":"))
            else {
                out.append(bytes[at])
                at += 1
                continue
            }
            out += bytes[at...colon] + mark
            at = host
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func begins(_ word: String, _ bytes: [UInt8], _ at: Int) -> Bool {
        guard at + word.utf8.count <= bytes.count else { return false }
        return zip(bytes[at...], word.utf8).allSatisfy { $0 | 0x20 == $1 | 0x20 }
    }
}
