import Base

/// Rows of a table as `mysqldump` writes them, of Homer's or Kamailio's captures: `INSERT INTO sip_capture VALUES (1,'2026-...',...),(...);`.
struct LogInsert {
    private struct Field {
        var text: [UInt8]
        var isString: Bool
    }

    /// Each row that holds a message with what its other columns say; empty for another line.
    static func records(_ line: [UInt8]) -> [LogUnwrapping] {
        guard line.count > 200, line.starts(with: "INSERT ") || line.first == 0x28,
            var at = line.first == 0x28 ? 0 : line.firstIndex(of: "VALUES").map({ $0 + 6 })
        else { return [] }
        var records: [LogUnwrapping] = []
        while let open = line[at...].firstIndex(where: { $0 != 0x20 && $0 != 0x2c }), line[open] == 0x28 {
            var fields: [Field] = []
            at = open + 1
            while let field = field(line, &at) { fields.append(field) }
            if let record = record(fields) { records.append(record) }
            guard at < line.count, line[at] == 0x29 else { break }
            at += 1
        }
        return records
    }

    /// Where the last row ends that lies within so many octets of a line too long to be kept; nil for another line.
    static func end(within most: Int, of line: [UInt8]) -> Int? {
        guard line.first == 0x28 || line.starts(with: "INSERT ") else { return nil }
        var at = min(most, line.count - 3)
        while at > 0, !line.starts(with: "),(", at: at) { at -= 1 }
        // What follows opens with its bracket.
        return at > 0 ? min(at + 2, most) : nil
    }

    /// The next value of the row; nil where it ends.
    private static func field(_ line: [UInt8], _ at: inout Int) -> Field? {
        while at < line.count, line[at] == 0x20 || line[at] == 0x2c { at += 1 }
        guard at < line.count, line[at] != 0x29 else { return nil }
        guard line[at] == 0x27 else {
            let start = at
            while at < line.count, line[at] != 0x2c, line[at] != 0x29 { at += 1 }
            return Field(text: Array(line[start..<at]), isString: false)
        }
        var text: [UInt8] = []
        at += 1
        while at < line.count {
            if line[at] == 0x5c, let (stand, end) = LogRecord.escape(line, at + 1) {
                text += stand
                at = end
            } else if line[at] == 0x27 {
                at += 1
                // A quote is written twice.
                guard at < line.count, line[at] == 0x27 else { break }
                text.append(0x27)
                at += 1
            } else {
                text.append(line[at])
                at += 1
            }
        }
        return Field(text: text, isString: true)
    }

    private static func record(_ fields: [Field]) -> LogUnwrapping? {
        guard
            let text = fields.first(where: { field in
                guard let end = field.text.firstIndex(of: 0x0a) else { return false }
                return LogDress.startLine(in: Array(field.text[..<end])) == 0
            })
        else { return nil }
        var hint: [UInt8] = []
        var names = ["src ", "dst "][...]
        for (index, field) in fields.enumerated() {
            if let name = names.first, let end = end(field, index + 1 < fields.count ? fields[index + 1] : nil) {
                hint += Array(name.utf8) + end + [0x20]
                names.removeFirst()
            } else if let time = time(field) {
                // Microseconds since 1970 tell more than the date before.
                hint = time + [0x20] + hint
            } else if field.text.elementsEqual("in".utf8) || field.text.elementsEqual("out".utf8) {
                hint += (field.text.count == 2 ? Array("received ".utf8) : Array("sent ".utf8))
            }
        }
        return LogUnwrapping(text: text.text, hint: hint)
    }

    /// `'192.0.2.1',5060` or `'udp:192.0.2.1:5060'`: an end, with its port.
    private static func end(_ field: Field, _ next: Field?) -> [UInt8]? {
        guard field.isString, (7...60).contains(field.text.count) else { return nil }
        if IPAddress(utf8: field.text[...]) != nil {
            guard let next, !next.isString, (1...5).contains(next.text.count), next.text.allSatisfy(LogDress.isDigit) else {
                return nil
            }
            let isLong = field.text.contains(0x3a)
            return (isLong ? [0x5b] + field.text + [0x5d] : field.text) + [0x3a] + next.text
        }
        let (transport, peer) = LogFraming.peer(field.text[...])
        guard transport != nil, let peer, peer.endpoint != nil else { return nil }
        return field.text
    }

    /// `2026-09-30 10:00:00`, or a number of microseconds.
    private static func time(_ field: Field) -> [UInt8]? {
        let text = field.text
        if field.isString {
            guard (19...29).contains(text.count), text[4] == 0x2d, text[13] == 0x3a else { return nil }
            return text
        }
        guard text.count == 16, text.first == 0x31, text.allSatisfy(LogDress.isDigit) else { return nil }
        return Array(text[..<10]) + [0x2e] + Array(text[10...])
    }
}
