/// Logs in the form of something else: a table of values, a mail's quoted-printable text.
extension LogReader {
    /// Whether the line belongs to the table that the log's first line is the heading of.
    mutating func takesRow(_ line: [UInt8]) -> Bool {
        if lines == 1, let heading = LogTable(heading: line) {
            table = heading
            return true
        }
        guard let row = table?.take(line, lines) else { return false }
        give(row)
        return true
    }

    mutating func finishTable() { if let row = table?.finish() { give(row) } }

    private mutating func give(_ row: LogTable.Row) {
        switch row {
        case .begun: break
        case .record(let record, let first): read(record, first: first)
        case .plain(let rows, let first):
            let now = lines
            for (index, row) in rows.enumerated() {
                lines = min(first + index, now)
                undressed(row)
            }
            lines = now
        }
    }

    /// RFC 2045 6.7: nil where the line goes on in the next.
    mutating func plainly(_ line: [UInt8]) -> [UInt8]? {
        var out = softly
        softly = []
        var end = line.count
        while end > 0, line[end - 1] == 0x20 || line[end - 1] == 9 { end -= 1 }
        let isSoft = end > 0 && line[end - 1] == 0x3d && out.count < Self.mostLine
        if isSoft { end -= 1 }
        var at = 0
        while at < end {
            if line[at] == 0x3d, at + 2 < end, let high = LogDress.hex(line[at + 1]), let low = LogDress.hex(line[at + 2]) {
                out.append(high << 4 | low)
                at += 3
            } else {
                out.append(line[at])
                at += 1
            }
        }
        guard isSoft else { return out }
        softly = out
        return nil
    }

    /// How a mail says that it, or its next part, is written.
    mutating func noteEncoding(_ line: [UInt8]) {
        guard line.first.map({ $0 | 0x20 == 0x63 }) == true, line.count < 80, case .between = state else { return }
        let words = String(decoding: line, as: UTF8.self).lowercased()
        guard words.hasPrefix("content-transfer-encoding:") else { return }
        isQuotedPrintable = words.hasSuffix("quoted-printable")
    }
}
