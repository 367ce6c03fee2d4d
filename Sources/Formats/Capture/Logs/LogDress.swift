import Base

/// What transports of logs put around every line: colours, quotes of mails, container names, priorities. Takes it off.
///
/// Each removal is of a shape that no line of a SIP message can have, so that a naked log passes unchanged.
enum LogDress {
    static func undressed(_ raw: [UInt8]) -> [UInt8] {
        var line = raw
        if line.contains(text: "\u{1b}") { line = withoutColours(line) }
        if line.contains(text: "\u{a0}") { line = withPlainBlanks(line) }
        switch line.first {
        case 0x3e:
            let quotes = line.prefix { $0 == 0x3e }.count
            line.removeFirst(quotes)
            if line.first == 0x20 { line.removeFirst() }
        case 0x3c:
            // syslog's priority: `<134>`.
            let digits = line.dropFirst().prefix(4).prefix { isDigit($0) }.count
            if (1...3).contains(digits), line.count > digits + 1, line[digits + 1] == 0x3e {
                line.removeFirst(digits + 2)
                // Its version (RFC 5424).
                if line.starts(with: "1 "), line.count > 2, isDigit(line[2]) { line.removeFirst(2) }
            }
        case 0x7c:
            // A table's only cell: `| text |`.
            if line.count > 3, line[1] == 0x20, line.last == 0x7c, line[line.count - 2] == 0x20 {
                line = Array(line[2..<(line.count - 2)])
                while line.last == 0x20 { line.removeLast() }
            }
        case 0x5b:
            // `[pod/pbx-0/pbx] 2024-...`: whose log it is.
            if line.count > 8, (0x61...0x7a).contains(line[1]), let close = line.prefix(160).firstIndex(of: 0x5d),
                close + 2 < line.count,
                line[close + 1] == 0x20, isDigit(line[close + 2]), line[..<close].contains(0x2f), !line[..<close].contains(0x20)
            {
                line.removeFirst(close + 2)
            }
        default: break
        }
        if let start = afterContainer(line) { line.removeFirst(start) }
        return line
    }

    /// ECMA-48 sequences: ESC `[`, parameters, a letter.
    private static func withoutColours(_ line: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(line.count)
        var at = 0
        while at < line.count {
            guard line[at] == 0x1b, at + 1 < line.count, line[at + 1] == 0x5b else {
                if line[at] != 0x1b { out.append(line[at]) }
                at += 1
                continue
            }
            at += 2
            while at < line.count, line[at] < 0x40 { at += 1 }
            at += 1
        }
        return out
    }

    /// `<span class="line">...</span>`, as pages that colour text write each of its lines.
    static func withoutSpans(_ line: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var at = 0
        while at < line.count {
            if line[at] == 0x3c, line.starts(with: "<span", at: at) || line.starts(with: "</span", at: at),
                let close = line[at...].firstIndex(of: 0x3e)
            {
                at = close + 1
            } else {
                out.append(line[at])
                at += 1
            }
        }
        return out
    }

    /// Web pages keep words together with U+00A0.
    private static func withPlainBlanks(_ line: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(line.count)
        var at = 0
        while at < line.count {
            if line[at] == 0xc2, at + 1 < line.count, line[at + 1] == 0xa0 {
                out.append(0x20)
                at += 2
            } else {
                out.append(line[at])
                at += 1
            }
        }
        return out
    }

    /// `pbx-1  | ` as `docker compose logs` writes it: where the program's own line begins.
    private static func afterContainer(_ line: [UInt8]) -> Int? {
        guard let first = line.first, isNameOctet(first) else { return nil }
        let name = line.prefix(65).prefix { isNameOctet($0) }.count
        var at = name
        while at < line.count, line[at] == 0x20 { at += 1 }
        guard name <= 64, at > name, at < line.count, line[at] == 0x7c else { return nil }
        at += 1
        guard at < line.count else { return at }
        return line[at] == 0x20 ? at + 1 : nil
    }

    private static func isNameOctet(_ octet: UInt8) -> Bool {
        isDigit(octet) || (0x41...0x5a).contains(octet & 0xdf) || octet == 0x2d || octet == 0x2e || octet == 0x5f
    }

    static func isDigit(_ octet: UInt8) -> Bool { (0x30...0x39).contains(octet) }

    // MARK: Heads

    /// Where a SIP start line begins that ends the line: a method with a URI, or a status. Nil where there is none.
    static func startLine(in line: [UInt8]) -> Int? {
        var end = line.count
        while end > 0, line[end - 1] == 0x20 || line[end - 1] == 0x0d { end -= 1 }
        guard end >= 12 else { return nil }
        if line[end - 1] == 0x30, line.starts(with: " SIP/2.0", at: end - 8) { return request(line, before: end - 8) }
        guard let at = line.firstIndex(of: "SIP/2.0 "), at + 11 <= end, line[(at + 8)..<(at + 11)].allSatisfy(isDigit) else {
            return nil
        }
        return at
    }

    /// The same where line ends written as escapes follow.
    static func innerStart(_ line: [UInt8]) -> Int? {
        var from = 0
        // A column may name the protocol before.
        for _ in 0..<4 {
            guard let at = line.firstIndex(of: "SIP/2.0", from: from), at + 12 < line.count else { return nil }
            if let start = innerStart(line, at) { return start }
            from = at + 7
        }
        return nil
    }

    private static func innerStart(_ line: [UInt8], _ at: Int) -> Int? {
        switch line[at + 7] {
        case 0x20: line[(at + 8)..<(at + 11)].allSatisfy(isDigit) ? at : nil
        case 0x5c, 0x23: at > 0 && line[at - 1] == 0x20 ? request(line, before: at - 1) : nil
        case 0x2e:
            at > 0 && line[at - 1] == 0x20 && (line[at + 8] == 0x2e || line[at + 8] == 0x5c)
                ? request(line, before: at - 1) : nil
        default: nil
        }
    }

    /// `REGISTER sip:pbx.example` that ends at `end`: where it begins.
    static func request(_ line: [UInt8], before end: Int) -> Int? {
        guard let blank = line[..<end].lastIndex(of: 0x20), line[blank..<end].prefix(8).contains(0x3a) else { return nil }
        var at = blank
        while at > 0, (0x41...0x5a).contains(line[at - 1]) { at -= 1 }
        // What an octet of a packet's head looks like may touch the method.
        for method in methods where line[at..<blank].suffix(method.utf8CodeUnitCount).starts(with: method) {
            return blank - method.utf8CodeUnitCount
        }
        return blank - at >= 3 ? at : nil
    }

    private static let methods: [StaticString] = [
        "REGISTER", "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "SUBSCRIBE", "NOTIFY", "PRACK", "UPDATE", "INFO", "MESSAGE",
        "REFER",
        "PUBLISH",
    ]

    /// What may stand right before a start line that does not open its line.
    static func isSeam(_ octet: UInt8) -> Bool {
        switch octet {
        case 0x20, 9, 0x22, 0x27, 0x28, 0x3a, 0x3e, 0x5b, 0x60, 0x7c: true
        default: false
        }
    }

    /// Where the line goes on behind a head of the same shape; runs of digits may differ. Nil where it has another.
    static func after(_ head: [UInt8], in line: [UInt8]) -> Int? {
        var at = 0
        var place = 0
        while place < head.count {
            if isDigit(head[place]) {
                let digits = line[min(at, line.count)...].prefix { isDigit($0) }.count
                guard digits > 0 else { return nil }
                at += digits
                while place < head.count, isDigit(head[place]) { place += 1 }
            } else if at < line.count, line[at] == head[place] || isGrep(head[place]) && isGrep(line[at]) && !head.contains(0x20)
            {
                at += 1
                place += 1
                // Columns that are filled up with blanks: not the last, behind which the text may be indented.
                if head[place - 1] == 0x20, let next = head[place...].firstIndex(where: { $0 != 0x20 }) {
                    place = next
                    while at < line.count, line[at] == 0x20 { at += 1 }
                }
            } else {
                // Blanks at the end of an empty line are lost on the way.
                return at == line.count && head[place...].allSatisfy { $0 == 0x20 } ? at : nil
            }
        }
        return at
    }

    /// Between name, number and line: a colon where it found something, a dash around it.
    private static func isGrep(_ octet: UInt8) -> Bool { octet == 0x3a || octet == 0x2d }

    /// `Name: value`: what follows a start line.
    static func isField(_ line: ArraySlice<UInt8>) -> Bool {
        let name = line.prefix { SIPStart.isToken($0) }.count
        return name > 0 && name < line.count && line[line.startIndex + name] == 0x3a
    }

    /// A header field that every message has or many: no sentence of a log looks like one.
    static func isSIPField(_ line: ArraySlice<UInt8>) -> Bool {
        guard let colon = line.firstIndex(of: 0x3a), colon > line.startIndex, colon - line.startIndex <= 16 else { return false }
        return fieldNames.contains(String(decoding: line[line.startIndex..<colon], as: UTF8.self).lowercased())
    }

    private static let fieldNames: Set<String> = [
        "via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "contact", "m", "max-forwards", "record-route", "route",
        "authorization", "www-authenticate", "user-agent", "server", "allow", "supported", "content-length", "l", "date",
        "expires",
    ]

    // MARK: tcpdump -X

    /// `	0x0010:  c633 640a a03e  .3d..>`: the octets; nil for another line.
    static func dumped(_ line: [UInt8]) -> [UInt8]? {
        var at = line.prefix { $0 == 0x20 || $0 == 9 }.count
        guard line.starts(with: "0x", at: at), line.count > at + 8, line[at + 6] == 0x3a else { return nil }
        at += 7
        while at < line.count, line[at] == 0x20 { at += 1 }
        var octets: [UInt8] = []
        // Groups of two octets with a blank between; two blanks end them.
        while at + 1 < line.count, octets.count < 16, let high = hex(line[at]), let low = hex(line[at + 1]) {
            octets.append(high << 4 | low)
            at += 2
            if at < line.count, line[at] == 0x20 {
                at += 1
                if at < line.count, line[at] == 0x20 { break }
            }
        }
        return octets
    }

    static func hex(_ octet: UInt8) -> UInt8? {
        switch octet {
        case 0x30...0x39: octet - 0x30
        case 0x61...0x66: octet - 0x57
        case 0x41...0x46: octet - 0x37
        default: nil
        }
    }

    struct Carried {
        var payload: [UInt8]
        var source: LoggedPeer
        var destination: LoggedPeer
        var transport: PayloadTransport
    }

    /// What UDP or TCP carries in a packet that was printed, with a link header or without; nil for anything else.
    static func carried(_ packet: [UInt8]) -> Carried? {
        for start in [0, 14, 16, 18, 20] where packet.count > start + 28 {
            // A MAC address may begin like IP: its length then is none.
            guard let view = IPView(packet, start, packet.count), view.saysLength, view.number == 17 || view.number == 6 else {
                continue
            }
            let (at, number) = (view.payload, view.number)
            guard at + 8 <= packet.count, view.end >= at + 8 else { continue }
            let end = min(packet.count, view.end)
            guard let skip = number == 17 ? 8 : at + 13 < packet.count ? Int(packet[at + 12] >> 4) * 4 : nil, at + skip <= end
            else {
                continue
            }
            func peer(_ address: IPAddress, _ port: Int) -> LoggedPeer {
                LoggedPeer(host: address.description, port: packet.uint16(at: port))
            }
            return Carried(
                payload: Array(packet[(at + skip)..<end]), source: peer(view.sourceAddress, at),
                destination: peer(view.destinationAddress, at + 2), transport: number == 17 ? .udp : .tcp)
        }
        return nil
    }
}
