import Base

/// Values of headers: quoted strings, URIs, parameters and what stands bare between them.
extension Redactor {
    mutating func structured(_ value: [UInt8], _ law: HeaderLaw) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(value.count)
        var at = 0
        // A parameter may begin: after `;` everywhere, after `,` and the scheme in credentials.
        var isAfterSemicolon = false
        while at < value.count {
            let byte = value[at]
            switch byte {
            case UInt8(ascii: "\""):
                let end = Self.quoteEnd(value, at)
                out += quoted(Array(value[at..<end]), law == .reason ? .reason : .text)
                at = end
            case UInt8(ascii: "<"):
                let close = value[at...].firstIndex(of: UInt8(ascii: ">")) ?? value.count
                out.append(byte)
                out += redact(uri: Array(value[(at + 1)..<close]))
                at = close
            case UInt8(ascii: "("):
                let close = value[at...].firstIndex(of: UInt8(ascii: ")")) ?? value.count
                out += law == .reason ? diagnosis(Array(value[at..<close])) : cover(value[at..<close])
                at = close
            case UInt8(ascii: ";"):
                isAfterSemicolon = true
                out.append(byte)
                at += 1
                continue
            case 0x20, 0x09, 0x0d, 0x0a:
                out.append(byte)
                at += 1
                continue
            case _ where Self.isToken(byte) || byte >= 0x80 || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "["):
                at = bare(value, at, law, isAfterSemicolon, &out)
            default:
                out.append(byte)
                at += 1
            }
            isAfterSemicolon = false
        }
        return out
    }

    /// What begins at a place without quotes: a parameter, a URI, a token. Returns where it ends.
    private mutating func bare(_ value: [UInt8], _ start: Int, _ law: HeaderLaw, _ isAfterSemicolon: Bool, _ out: inout [UInt8])
        -> Int
    {
        var end = start
        while end < value.count, Self.isToken(value[end]) { end += 1 }
        let token = value[start..<end]
        let lowered = Self.lower(token)
        var equals = end
        while equals < value.count, value[equals] == 0x20 || value[equals] == 0x09 { equals += 1 }
        let isNamed = !token.isEmpty && equals < value.count && value[equals] == UInt8(ascii: "=")
        if isNamed, law == .credentials || isAfterSemicolon || law == .reason {
            return parameter(value, start, end, equals, &out)
        }
        if isAfterSemicolon, !token.isEmpty {
            out += ParameterLaw.of(lowered) != nil || Harmless.tokens.contains(lowered) ? Array(token) : cover(token)
            return end
        }
        if end < value.count, value[end] == UInt8(ascii: ":"), law == .people, Harmless.schemes.contains(lowered) {
            // Without angle brackets parameters are the header's (RFC 3261 20).
            var stop = end
            while stop < value.count, value[stop] > 0x20, ![0x3b, 0x2c, 0x3e, 0x22].contains(value[stop]) { stop += 1 }
            out += redact(uri: Array(value[start..<stop]))
            return stop
        }
        var stop = max(end, start + 1)
        // Words that hang together are told apart no further: an address in brackets, a name with odd letters.
        while stop < value.count, value[stop] > 0x20, ![0x3b, 0x2c, 0x3e, 0x22, 0x3c, 0x28].contains(value[stop]),
            value[stop] != UInt8(ascii: "=") || law == .token
        {
            stop += 1
        }
        let whole = Array(value[start..<stop])
        switch law {
        case .numbers: out += whole.allSatisfy(Self.isDigitLike) && whole.count <= 10 ? whole : tokens(whole)
        case .tokens, .credentials:
            // The secret of Basic and Bearer stands bare behind the scheme.
            out += law == .credentials && start > 0 && !out.allSatisfy { $0 == 0x20 } ? cover(whole) : tokens(whole)
        case .reason: out += whole.count <= 3 && whole.allSatisfy(Self.isDigit) ? whole : tokens(whole)
        case .people, .token, .via, .program, .text: out += cover(whole)
        }
        return stop
    }

    private static func isDigitLike(_ byte: UInt8) -> Bool { isDigit(byte) || byte == 0x2e || byte == 0x3a }

    // MARK: Parameters

    /// `name = value` or `name="value"`, from `start` to the `=` and beyond. Returns where the value ends.
    mutating func parameter(_ value: [UInt8], _ start: Int, _ nameEnd: Int, _ equals: Int, _ out: inout [UInt8]) -> Int {
        let name = value[start..<nameEnd]
        let law = ParameterLaw.of(Self.lower(name))
        out += law == nil ? cover(name) : Array(name)
        out += value[nameEnd...equals]
        var at = equals + 1
        while at < value.count, value[at] == 0x20 || value[at] == 0x09 {
            out.append(value[at])
            at += 1
        }
        guard at < value.count else { return at }
        if value[at] == UInt8(ascii: "\"") {
            let end = Self.quoteEnd(value, at)
            out += quoted(Array(value[at..<end]), law ?? .text)
            return end
        }
        if value[at] == UInt8(ascii: "<") {
            let close = value[at...].firstIndex(of: UInt8(ascii: ">")) ?? value.count
            out += [value[at]] + redact(uri: Array(value[(at + 1)..<close]))
            return close
        }
        var end = at
        while end < value.count, value[end] > 0x20, ![0x3b, 0x2c, 0x3e, 0x3f, 0x26].contains(value[end]) { end += 1 }
        out += parameterValue(Array(value[at..<end]), law ?? .text)
        return end
    }

    mutating func parameterValue(_ value: [UInt8], _ law: ParameterLaw) -> [UInt8] {
        switch law {
        case .text:
            let lead = value.prefix { $0 == UInt8(ascii: "<") }
            let rest = Array(value[lead.count...])
            let colon = rest.firstIndex(of: UInt8(ascii: ":")) ?? 0
            return Harmless.schemes.contains(Self.lower(rest[..<colon])) ? lead + redact(uri: rest) : cover(value)
        case .count: return value.count <= 8 && value.allSatisfy { hexDigit($0) != nil } ? value : cover(value)
        case .digits: return digits(value)
        case .tokens: return tokens(value)
        case .reason: return diagnosis(value)
        }
    }

    /// With its quotes.
    private mutating func quoted(_ text: [UInt8], _ law: ParameterLaw) -> [UInt8] {
        let isClosed = text.count > 1 && text.last == UInt8(ascii: "\"")
        let inner = Array(text[1..<(isClosed ? text.count - 1 : text.count)])
        return [text[0]] + parameterValue(inner, law) + (isClosed ? [UInt8(ascii: "\"")] : [])
    }

    /// Where a quoted string ends, behind its closing quote.
    static func quoteEnd(_ bytes: [UInt8], _ start: Int) -> Int {
        var at = start + 1
        while at < bytes.count {
            if bytes[at] == 0x5c {
                at += 2
                continue
            }
            if bytes[at] == UInt8(ascii: "\"") { return at + 1 }
            at += 1
        }
        return bytes.count
    }

    /// Tokens of closed sets stay, others do not.
    mutating func tokens(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            guard Self.isToken(bytes[at]) else {
                let end = bytes[at...].firstIndex(where: Self.isToken) ?? bytes.count
                out += cover(bytes[at..<end])
                at = end
                continue
            }
            var end = at
            while end < bytes.count, Self.isToken(bytes[end]) { end += 1 }
            let token = bytes[at..<end]
            let isNumber = token.count <= 3 && token.allSatisfy { Self.isDigit($0) || $0 == 0x2e }
            out += isNumber || Harmless.tokens.contains(Self.lower(token)) ? Array(token) : cover(token)
            at = end
        }
        return out
    }

    // MARK: Via

    /// RFC 3261 20.42, several values behind commas.
    mutating func via(_ value: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var at = 0
        while at < value.count {
            let end = value[at...].firstIndex(of: UInt8(ascii: ",")) ?? value.count
            let one = Array(value[at..<end])
            // The protocol ends with the blank behind its last slash.
            let slash = one.lastIndex(of: UInt8(ascii: "/")) ?? 0
            var host = slash
            while host < one.count, !Self.isToken(one[host]) { host += 1 }
            while host < one.count, Self.isToken(one[host]) { host += 1 }
            let semicolon = one[min(host, one.count)...].firstIndex(of: UInt8(ascii: ";")) ?? one.count
            out +=
                tokens(Array(one[..<host])) + hostPort(Array(one[host..<semicolon])) + structured(Array(one[semicolon...]), .text)
            if end < value.count { out.append(UInt8(ascii: ",")) }
            at = end + 1
        }
        return out
    }

    /// A host, its port kept.
    mutating func hostPort(_ padded: [UInt8]) -> [UInt8] {
        let tail = padded.reversed().prefix { $0 <= 0x20 }.count
        let bytes = Array(padded.dropLast(tail))
        let blanks = padded.suffix(tail)
        var end = bytes.count
        while end > 0, Self.isDigit(bytes[end - 1]) { end -= 1 }
        let port = bytes[end...]
        // One colon alone: an IPv6 address stands in brackets before its port.
        let isPort =
            end > 0 && bytes[end - 1] == UInt8(ascii: ":") && !port.isEmpty && port.count <= 5
            && (bytes[..<(end - 1)].firstIndex(of: UInt8(ascii: ":")) == nil
                || (end > 1 && bytes[..<(end - 1)].last { $0 > 0x20 } == UInt8(ascii: "]")))
        return (isPort ? cover(bytes[..<end]) + port : cover(bytes)) + blanks
    }

    // MARK: URIs

    /// Scheme, user, host, port, parameters and headers of a URI without its brackets.
    mutating func redact(uri: [UInt8]) -> [UInt8] {
        guard let colon = uri.firstIndex(of: UInt8(ascii: ":")) else { return cover(uri) }
        let scheme = Self.lower(uri[..<colon].drop { $0 == 0x20 })
        guard Harmless.schemes.contains(scheme) else { return cover(uri) }
        let question = scheme == "sip" || scheme == "sips" ? uri.firstIndex(of: UInt8(ascii: "?")) ?? uri.count : uri.count
        var at = colon + 1
        var out = Array(uri[..<at])
        if scheme == "urn" { return out + tokens(Array(uri[at...])) }
        guard ["sip", "sips", "tel"].contains(scheme) else { return out + cover(uri[at...]) }
        // A user part may hold `;` and `?` (RFC 3261 25.1).
        if let sign = uri[at...].lastIndex(of: UInt8(ascii: "@")) {
            let isUsers =
                sign < question
                || uri[at..<question].firstIndex(of: UInt8(ascii: "@")) == nil && !uri[question...].contains(UInt8(ascii: "="))
            let last = isUsers ? sign : uri[at..<question].lastIndex(of: UInt8(ascii: "@"))
            if let last {
                out += cover(uri[at...last])
                at = last + 1
            }
        }
        let end = max(at, question)
        let semicolon = uri[at..<end].firstIndex(of: UInt8(ascii: ";")) ?? end
        out += scheme == "tel" ? cover(uri[at..<semicolon]) : hostPort(Array(uri[at..<semicolon]))
        out += structured(Array(uri[semicolon..<end]), .text)
        return out + headers(Array(uri[end...]))
    }

    /// `?Name=value&Name=value`: registered names stay.
    private mutating func headers(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            var end = at + 1
            while end < bytes.count, ![0x3f, 0x26].contains(bytes[end]) { end += 1 }
            let equals = bytes[at..<end].firstIndex(of: UInt8(ascii: "=")) ?? end
            let name = Array(bytes[(at + 1)..<max(at + 1, equals)])
            out.append(bytes[at])
            out += HeaderLaw.of(Self.lower(name)) == nil ? cover(name) : name
            out += cover(bytes[max(at + 1, equals)..<end])
            at = end
        }
        return out
    }
}
