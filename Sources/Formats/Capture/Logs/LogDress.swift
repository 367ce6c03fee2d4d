/// What transports of logs put around every line: colours, quotes of mails, container names, priorities. Takes it off.
///
/// Each removal is of a shape that no line of a SIP message can have, so that a naked log passes unchanged.
enum LogDress {
    static func undressed(_ raw: [UInt8]) -> [UInt8] {
        var line = raw
        if line.contains(0x1b) { line = withoutColours(line) }
        if line.contains(0xc2) { line = withPlainBlanks(line) }
        switch line.first {
        case 0x3e:
            let quotes = line.prefix { $0 == 0x3e }.count
            line.removeFirst(quotes)
            if line.first == 0x20 { line.removeFirst() }
        case 0x3c:
            // syslog's priority: `<134>`.
            let digits = line.dropFirst().prefix(4).prefix { isDigit($0) }.count
            if (1...3).contains(digits), line.count > digits + 1, line[digits + 1] == 0x3e { line.removeFirst(digits + 2) }
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
        if line[..<end].suffix(8).elementsEqual(" SIP/2.0".utf8) {
            for method in methods {
                guard let at = line.firstIndex(of: method), at < end - 8, line.starts(with: method, at: at) else { continue }
                return at
            }
            return nil
        }
        guard let at = line.firstIndex(of: "SIP/2.0 "), at + 11 <= end, line[(at + 8)..<(at + 11)].allSatisfy(isDigit) else {
            return nil
        }
        return at
    }

    private static let methods: [StaticString] = [
        "REGISTER sip", "INVITE sip", "ACK sip", "BYE sip", "CANCEL sip", "OPTIONS sip", "SUBSCRIBE sip", "NOTIFY sip",
        "PRACK sip", "UPDATE sip", "INFO sip", "MESSAGE sip", "REFER sip", "PUBLISH sip", "INVITE tel", "MESSAGE tel",
    ]

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
            } else if at < line.count, line[at] == head[place] {
                at += 1
                place += 1
            } else {
                // Blanks at the end of an empty line are lost on the way.
                return at == line.count && head[place...].allSatisfy { $0 == 0x20 } ? at : nil
            }
        }
        return at
    }

    /// `Name: value`: what follows a start line.
    static func isField(_ line: ArraySlice<UInt8>) -> Bool {
        let name = line.prefix { SIPStart.isToken($0) }.count
        return name > 0 && name < line.count && line[line.startIndex + name] == 0x3a
    }

    /// syslog writes line ends as `#015#012`: the lines; nil where there are none.
    static func pieces(_ line: [UInt8]) -> [[UInt8]]? {
        guard line.contains(text: "#012") else { return nil }
        var result: [[UInt8]] = []
        var piece: [UInt8] = []
        var at = 0
        while at < line.count {
            if line[at] == 0x23, line.starts(with: "#012", at: at) {
                result.append(piece)
                piece = []
                at += 4
            } else if line[at] == 0x23, line.starts(with: "#015#012", at: at) {
                at += 4
            } else {
                piece.append(line[at])
                at += 1
            }
        }
        result.append(piece)
        return result
    }

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

    private static func hex(_ octet: UInt8) -> UInt8? {
        switch octet {
        case 0x30...0x39: octet - 0x30
        case 0x61...0x66: octet - 0x57
        case 0x41...0x46: octet - 0x37
        default: nil
        }
    }

    /// What UDP or TCP carries in a packet that was printed, with its link header (`-XX`) or without; empty for anything else.
    static func payload(of packet: [UInt8]) -> [UInt8] {
        for start in [0, 14] where packet.count > start + 40 {
            let header: Int
            let number: UInt8
            switch packet[start] >> 4 {
            case 4:
                header = Int(packet[start] & 15) * 4
                number = packet[start + 9]
            case 6:
                header = 40
                number = packet[start + 6]
            default: continue
            }
            let at = start + header
            guard header >= 20, at + 20 <= packet.count else { return [] }
            switch number {
            case 17: return Array(packet[(at + 8)...])
            case 6: return Array(packet[min(packet.count, at + Int(packet[at + 12] >> 4) * 4)...])
            default: continue
            }
        }
        return []
    }
}
