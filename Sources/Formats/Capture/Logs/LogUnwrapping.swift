import Base

/// A line that holds lines: a record of JSON, line ends written as escapes, HTML's line breaks.
struct LogUnwrapping {
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
        if line.first == 0x7b || line.first == 0x5b && line[1] == 0x7b,
            let record = LogRecord(line)
        {
            lines = Self.split(record.text)
            hint = record.rest
            isWhole = lines.count > 2
            return
        }
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
        if let start = LogDress.innerStart(line), let pieces = Self.escaped(line, start) {
            lines = pieces
            isWhole = true
        } else if line.contains(0x3c), let broken = Self.broken(line) {
            lines = broken
            isWhole = false
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

/// A record of JSON in a line, as containers, journals and log stores keep them.
struct LogRecord {
    var text: [UInt8] = []
    /// The line without its text: time, addresses, direction.
    var rest: [UInt8] = []

    /// By their rank: the first that is there is the text.
    private static let names: [StaticString] = [
        "log", "MESSAGE", "message", "msg", "line", "raw", "body", "text", "sip", "payload", "content", "data", "event",
        "textPayload",
    ]

    /// nil where none of its members is a text of a log.
    init?(_ line: [UInt8]) {
        var best: (rank: Int, name: Int, from: Int, end: Int)?
        var at = 0
        while at < line.count {
            guard line[at] == 0x22 else {
                at += 1
                continue
            }
            let name = at + 1
            guard let close = Self.closing(line, name) else { break }
            at = close + 1
            var value = at
            while value < line.count, line[value] == 0x20 { value += 1 }
            guard value < line.count, line[value] == 0x3a else { continue }
            value += 1
            while value < line.count, line[value] == 0x20 { value += 1 }
            guard value < line.count else { break }
            let rank = Self.names.firstIndex { $0.utf8CodeUnitCount == close - name && line.starts(with: $0, at: name) }
            if line[value] == 0x22 {
                guard let end = Self.closing(line, value + 1) else { break }
                if let rank, rank < best?.rank ?? .max { best = (rank, name, value, end) }
                at = end + 1
            } else if line[value] == 0x5b, let rank, rank < best?.rank ?? .max, value + 1 < line.count,
                LogDress.isDigit(line[value + 1]),
                let end = line[value...].firstIndex(of: 0x5d)
            {
                // systemd's journal writes text with control characters as numbers.
                best = (rank, name, value, end)
                at = end + 1
            } else {
                at = value
            }
        }
        guard let best else { return nil }
        if line[best.from] == 0x22 {
            var at = best.from + 1
            while at < best.end {
                if line[at] == 0x5c, let (stand, end) = Self.escape(line, at + 1) {
                    text += stand
                    at = end
                } else {
                    text.append(line[at])
                    at += 1
                }
            }
        } else {
            for number in line[(best.from + 1)..<best.end].split(separator: 0x2c) {
                text.append(UInt8(String(decoding: Array(number).trimmed, as: UTF8.self)) ?? 0x3f)
            }
        }
        rest = Array(line[..<best.name]) + Array(line[min(best.end + 1, line.count)...])
    }

    private static func closing(_ line: [UInt8], _ from: Int) -> Int? {
        var at = from
        while at < line.count, line[at] != 0x22 { at += line[at] == 0x5c ? 2 : 1 }
        return at < line.count ? at : nil
    }

    /// What an escape stands for, behind its backslash, and where it ends.
    static func escape(_ line: [UInt8], _ at: Int) -> ([UInt8], Int)? {
        guard at < line.count else { return nil }
        func number(_ from: Int, _ digits: Int, _ radix: Int) -> ([UInt8], Int)? {
            guard from + digits <= line.count,
                let code = UInt32(String(decoding: line[from..<(from + digits)], as: UTF8.self), radix: radix),
                let scalar = Unicode.Scalar(code)
            else { return nil }
            return (Array(String(Character(scalar)).utf8), from + digits)
        }
        switch line[at] {
        case 0x6e: return ([0x0a], at + 1)
        case 0x72: return ([], at + 1)
        case 0x74: return ([9], at + 1)
        case 0x22, 0x27, 0x5c, 0x2f: return ([line[at]], at + 1)
        case 0x78: return number(at + 1, 2, 16).map { $0.0 == [13] ? ([], $0.1) : $0 }
        case 0x75: return number(at + 1, 4, 16).map { $0.0 == [13] ? ([], $0.1) : $0 }
        case 0x30: return number(at, 3, 8).map { $0.0 == [13] ? ([], $0.1) : $0 }
        default: return nil
        }
    }
}
