import Base

/// SIP messages, octet for octet.
extension Redactor {
    /// A SIP message, whole or cut, of the same length.
    public mutating func redact(message: [UInt8]) -> [UInt8] {
        var at = 0
        while at < message.count, message[at] == 0x0d || message[at] == 0x0a { at += 1 }
        var out = Array(message[..<at])
        out.reserveCapacity(message.count)
        var body = BodyLaw()
        var isFirst = true
        while at < message.count {
            let line = Self.logicalLine(message, at)
            let bytes = Array(message[at..<line.end])
            at = line.next
            if bytes.isEmpty {
                out += message[line.end..<line.next]
                break
            }
            out += isFirst ? startLine(bytes) : header(bytes, &body)
            out += message[line.end..<line.next]
            isFirst = false
        }
        if at < message.count { out += redact(body: Array(message[at...]), body) }
        return out
    }

    /// A line with those that are folded onto it (RFC 3261 7.3.1): where its value ends, and where the next begins.
    static func logicalLine(_ bytes: [UInt8], _ start: Int) -> (end: Int, next: Int) {
        var from = start
        while true {
            let feed = bytes[from...].firstIndex(of: 0x0a) ?? bytes.count
            let next = min(feed + 1, bytes.count)
            let end = feed > from && feed < bytes.count && bytes[feed - 1] == 0x0d ? feed - 1 : feed
            guard end > start, next < bytes.count, bytes[next] == 0x20 || bytes[next] == 0x09 else { return (end, next) }
            from = next
        }
    }

    /// One line of a message without its end: a start line, a header or a line of a session description.
    public mutating func redact(line: [UInt8]) -> [UInt8] {
        if line.count > 1, line[1] == UInt8(ascii: "="), (0x61...0x7a).contains(line[0]) { return redact(description: line) }
        if Self.isStartLine(line) { return startLine(line) }
        var body = BodyLaw()
        return header(line, &body)
    }

    static func isStartLine(_ line: [UInt8]) -> Bool {
        if line.starts(with: Array("SIP/".utf8)) { return true }
        guard let space = line.firstIndex(of: 0x20), Harmless.methods.contains(String(decoding: line[..<space], as: UTF8.self))
        else {
            return false
        }
        return true
    }

    // MARK: Start line

    private mutating func startLine(_ line: [UInt8]) -> [UInt8] {
        let parts = line.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
        if Self.lower(line.prefix(4)) == "sip/", parts.count >= 2 {
            let phrase = parts.count > 2 ? Array(parts[2]) : []
            let isVersion = parts[0].count == 7 && Self.isDigit(parts[0][parts[0].startIndex + 4])
            let head = (isVersion ? Array(parts[0]) : cover(parts[0])) + [0x20] + digits(parts[1], most: 3)
            return parts.count < 3 ? head : head + [0x20] + self.phrase(phrase, status: String(decoding: parts[1], as: UTF8.self))
        }
        guard let first = line.firstIndex(of: 0x20) else { return cover(line) }
        let method = Array(line[..<first])
        var out = Harmless.methods.contains(String(decoding: method, as: UTF8.self)) ? method : cover(method)
        // The version stands behind the last blank; a URI with blanks in it is one all the same.
        let last = line.lastIndex(of: 0x20) ?? first
        let isVersion = last > first && Self.lower(line[(last + 1)...].prefix(4)) == "sip/" && line.count - last <= 9
        let uri = Array(line[(first + 1)..<(isVersion ? last : line.count)])
        out.append(0x20)
        let lead = uri.prefix { $0 == 0x20 || $0 == 0x3c }
        out += lead + redact(uri: Array(uri[lead.count...]))
        return isVersion ? out + line[last..<min(line.count, last + 5)] + versionDigits(line[min(line.count, last + 5)...]) : out
    }

    private func versionDigits(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        bytes.map { Self.isDigit($0) || $0 == 0x2e ? $0 : UInt8(ascii: "x") }
    }

    /// A registered phrase as it is; of others the words of diagnosis.
    mutating func phrase(_ phrase: [UInt8], status: String) -> [UInt8] {
        let text = String(decoding: phrase, as: UTF8.self)
        return Harmless.phrases[status]?.contains(text) ?? false ? phrase : diagnosis(phrase)
    }

    /// Digits stay, up to a length at which no telephone number hides.
    mutating func digits(_ bytes: some Collection<UInt8>, most: Int = 10) -> [UInt8] {
        let isKept = bytes.count <= most && bytes.allSatisfy { Self.isDigit($0) || $0 == 0x2e }
        return isKept ? Array(bytes) : cover(bytes)
    }

    // MARK: Headers

    private mutating func header(_ line: [UInt8], _ body: inout BodyLaw) -> [UInt8] {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return cover(line) }
        let blanks = line[..<colon].reversed().prefix { $0 == 0x20 || $0 == 0x09 }.count
        let name = Array(line[..<(colon - blanks)])
        let lowered = Self.lower(name)
        let value = Array(line[(colon + 1)...])
        guard let law = HeaderLaw.of(lowered) else {
            return standIn(header: name) + line[(colon - blanks)...colon] + cover(value)
        }
        if lowered == "content-type" || lowered == "c" { body = BodyLaw(contentType: value) }
        return line[...colon] + self.value(value, law)
    }

    /// A name nobody registered gets one that nobody registered.
    mutating func standIn(header name: [UInt8]) -> [UInt8] {
        let stand = cover(name)
        return HeaderLaw.of(Self.lower(stand)) == nil ? stand : name.map { Self.isAlphanumeric($0) ? UInt8(ascii: "z") : $0 }
    }

    mutating func value(_ value: [UInt8], _ law: HeaderLaw) -> [UInt8] {
        switch law {
        case .text: cover(value)
        case .program: program(value)
        case .via: via(value)
        case .people, .token, .credentials, .numbers, .tokens, .reason: structured(value, law)
        }
    }

    // MARK: Bodies

    private mutating func redact(body: [UInt8], _ law: BodyLaw) -> [UInt8] {
        switch law.kind {
        case .other: return Self.blank(body)
        case .description: return lines(body) { $0.redact(description: $1) }
        case .fragment: return redact(message: body)
        case .multipart:
            var part = BodyLaw()
            var isHead = false
            return lines(body) { redactor, line in
                if line.starts(with: [0x2d, 0x2d]) {
                    part = BodyLaw()
                    isHead = true
                    return redactor.cover(line)
                }
                if isHead {
                    if line.isEmpty { isHead = false }
                    return line.isEmpty ? [] : redactor.header(line, &part)
                }
                return part.kind == .description ? redactor.redact(description: line) : Self.blank(line)
            }
        }
    }

    private mutating func lines(_ bytes: [UInt8], _ law: (inout Redactor, [UInt8]) -> [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var at = 0
        while at < bytes.count {
            let feed = bytes[at...].firstIndex(of: 0x0a) ?? bytes.count
            let end = feed > at && feed < bytes.count && bytes[feed - 1] == 0x0d ? feed - 1 : feed
            let next = min(feed + 1, bytes.count)
            out += law(&self, Array(bytes[at..<end])) + bytes[end..<next]
            at = next
        }
        return out
    }
}

/// How a body is read, by its Content-Type.
struct BodyLaw {
    enum Kind { case description, fragment, multipart, other }

    var kind = Kind.other

    init() {}

    init(contentType: [UInt8]) {
        let type = Redactor.lower(contentType.drop { $0 == 0x20 || $0 == 0x09 })
        if type.hasPrefix("application/sdp") {
            kind = .description
        } else if type.hasPrefix("message/sipfrag") || type.hasPrefix("message/sip") {
            kind = .fragment
        } else if type.hasPrefix("multipart/") {
            kind = .multipart
        }
    }
}

/// The pieces that reports show by themselves.
extension Redactor {
    /// As in a Call-ID header.
    public mutating func redact(callID: [UInt8]) -> [UInt8] { value(callID, .token) }

    public mutating func redact(headerName name: [UInt8]) -> [UInt8] {
        HeaderLaw.of(Self.lower(name)) == nil ? standIn(header: name) : name
    }

    /// What a program calls itself.
    public mutating func redact(device: String) -> String { String(decoding: program(Array(device.utf8)), as: UTF8.self) }

    /// A start line, a header of the registry, or a line of a session description.
    public func isMessageLine(_ line: String) -> Bool {
        let bytes = Array(line.utf8)
        if bytes.count > 1, bytes[1] == UInt8(ascii: "="), (0x61...0x7a).contains(bytes[0]) { return true }
        if line.hasSuffix("SIP/2.0") || line.hasPrefix("SIP/") { return true }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 1 else { return false }
        return HeaderLaw.of(Self.lower(bytes[..<colon].filter { $0 > 0x20 })) != nil
    }
}
