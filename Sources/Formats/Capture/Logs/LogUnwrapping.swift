import Base

/// A line that holds lines: a record of JSON or several, line ends written as escapes or dots, HTML's line breaks.
struct LogUnwrapping {
    /// A line is one line: empty.
    static func records(_ line: [UInt8]) -> [LogUnwrapping] {
        guard line.count > 3 else { return [] }
        if line.first == 0x7b || line.first == 0x5b && (line[1] == 0x7b || line[1] == 0x5b) {
            let records = LogRecord.all(line)
            if !records.isEmpty { return records.map { LogUnwrapping($0) } }
        }
        if line.first == 0x7b || line.first == 0x5b, let lines = LogTraces.list(line) { return [LogUnwrapping(lines: lines)] }
        let rows = LogInsert.records(line)
        if !rows.isEmpty { return rows }
        if let unfolded = LogUnfolding(line) { return [LogUnwrapping(lines: unfolded.lines)] }
        return LogUnwrapping(line).map { [$0] } ?? []
    }

    init(text: [UInt8], hint: [UInt8]) {
        lines = Self.split(text)
        self.hint = hint
        isWhole = lines.count > 2
    }

    private init(lines: [[UInt8]]) {
        self.lines = lines
        isWhole = true
    }

    init(_ record: LogRecord) {
        lines = Self.split(record.text)
        hint = record.rest
        isWhole = lines.count > 2
    }

    var lines: [[UInt8]]
    /// What the record says beside its text.
    var hint: [UInt8] = []
    /// The lines are a message, or several, to their end.
    var isWhole: Bool

    /// They come from a page, whose text holds character references.
    var isPage = false

    /// nil where the line is one line.
    init?(_ line: [UInt8]) {
        guard line.count > 3 else { return nil }
        // A message is not shorter.
        guard line.count > 100 else {
            if line.contains(0x3c), let broken = Self.broken(line) {
                lines = broken
                isWhole = false
                isPage = true
                return
            }
            return nil
        }
        if let start = LogDress.innerStart(line), let pieces = Self.escaped(line, start) ?? Self.dotted(line, start) {
            lines = pieces
            isWhole = true
        } else if line.contains(0x3c), let broken = Self.broken(line) {
            lines = broken
            // A message in a cell of a table.
            isWhole = broken.count > 3 && broken.contains { LogDress.startLine(in: $0) != nil }
            isPage = true
        } else {
            return nil
        }
    }

    private static func split(_ text: [UInt8]) -> [[UInt8]] {
        var lines = text.split(separator: 0x0a, omittingEmptySubsequences: false).map {
            $0.last == 13 ? Array($0.dropLast()) : Array($0)
        }
        if lines.count > 1, lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }

    /// `... REGISTER sip:pbx.example SIP/2.0\r\nVia: ...`, also `\\r\\n`, `\x0d\x0a`, `#015#012`: what precedes the message, then its lines.
    private static func escaped(_ line: [UInt8], _ start: Int) -> [[UInt8]]? {
        var text: [UInt8] = []
        var ends = 0
        // What precedes the message may be lines, too.
        let start = line[..<start].contains(text: "\\n") ? 0 : start
        var at = start
        while at < line.count {
            let octet = line[at]
            if octet == 0x23, line.starts(with: "#012", at: at) || line.starts(with: "#015", at: at) {
                if line[at + 3] == 0x32 {
                    text.append(0x0a)
                    ends += 1
                }
                at += 4
            } else if octet == 0x5c {
                var place = at
                while place < line.count, line[place] == 0x5c { place += 1 }
                guard let (stand, end) = LogRecord.escape(line, place) else {
                    text += line[at..<place]
                    at = place
                    continue
                }
                if stand == [0x0a] { ends += 1 }
                text += stand
                at = end
            } else {
                // What closes the quotes that the message stands in ends it.
                if ends > 1, text.last == 0x0a, [0x22, 0x27, 0x7d, 0x5d, 0x29].contains(octet) { break }
                text.append(octet)
                at += 1
            }
        }
        guard ends > 2 else { return nil }
        var first = Array(line[..<start])
        while let last = first.last, [0x20, 0x3a, 0x22, 0x27, 0x5b, 0x28].contains(last) { first.removeLast() }
        return [first] + split(text)
    }

    /// ngrep's other ways: CR and LF are a dot each, `... SIP/2.0..Via: ...`. A line begins behind two of them if it looks like one.
    private static func dotted(_ line: [UInt8], _ start: Int) -> [[UInt8]]? {
        var lines: [[UInt8]] = []
        var from = start
        var at = start
        var isBody = false
        while at + 1 < line.count {
            guard line[at] == 0x2e, line[at + 1] == 0x2e else {
                at += 1
                continue
            }
            let rest = line[(at + 2)...]
            let isEnd = rest.isEmpty || rest.starts(with: [0x2e, 0x2e])
            let isLine =
                isBody
                ? rest.count > 1 && (0x61...0x7a).contains(rest[at + 2]) && rest[at + 3] == 0x3d : LogDress.isField(rest)
            guard isEnd || isLine else {
                at += 1
                continue
            }
            lines.append(Array(line[from..<at]))
            at += 2
            from = at
            if isEnd, !isBody {
                lines.append([])
                isBody = true
                at = min(at + 2, line.count)
                from = at
            }
        }
        guard lines.count > 3 else { return nil }
        if from < line.count { lines.append(Array(line[from...])) }
        var first = Array(line[..<start])
        while first.last == 0x20 { first.removeLast() }
        return [first] + lines
    }

    /// `REGISTER sip:pbx.example SIP/2.0<br>Via: ...`, and lines that end in `<br />`.
    private static func broken(_ line: [UInt8]) -> [[UInt8]]? {
        var lines: [[UInt8]] = []
        var from = 0
        var at = 0
        while at < line.count {
            guard line[at] == 0x3c, at + 3 < line.count, let close = line[at..<min(line.count, at + 12)].firstIndex(of: 0x3e),
                isBreak(line[(at + 1)..<close])
            else {
                at += 1
                continue
            }
            lines.append(Array(line[from..<at]))
            at = close + 1
            from = at
        }
        guard !lines.isEmpty else { return nil }
        if from < line.count { lines.append(Array(line[from...])) }
        return lines
    }

    /// Of tags that no log writes itself.
    private static func isBreak(_ tag: ArraySlice<UInt8>) -> Bool {
        let names: [StaticString] = ["br", "p", "pre", "code", "div", "blockquote", "li"]
        let name = tag.drop { $0 == 0x2f }.prefix { $0 != 0x20 && $0 != 0x2f }.map { $0 | 0x20 }
        return names.contains { name.count == $0.utf8CodeUnitCount && name.starts(with: $0) }
    }
}
