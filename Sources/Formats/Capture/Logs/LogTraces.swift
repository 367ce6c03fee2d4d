/// What pagers, terminals, editors and forums leave in the text of a line: control characters made visible, bold, links of mails. Takes it off.
enum LogTraces {
    /// Of shapes that no line of a SIP message has.
    static func removed(_ line: [UInt8]) -> [UInt8] {
        var line = line
        while line.last == 0x4d, line.count > 1, line[line.count - 2] == 0x5e { line.removeLast(2) }
        if line.contains(text: "[") { line = withoutColours(line) }
        if line.contains(text: "<mailto:") { line = withoutMailLinks(line) }
        if let first = line.first(where: { $0 != 0x20 && $0 != 9 }), first == 0x2a || first == 0x60 || line.last == 0x2a {
            line = withoutMarks(line)
        }
        return line
    }

    /// `[0;32m` whose ESC was lost on the way, or stands there as `^[`.
    private static func withoutColours(_ line: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        // Up to where all is in `out`.
        var done = 0
        var at = 0
        while let open = line[at...].firstIndex(of: 0x5b) {
            var end = open + 1
            while end < line.count, end - open < 12, LogDress.isDigit(line[end]) || line[end] == 0x3b { end += 1 }
            at = open + 1
            guard end > open + 1, end < line.count, line[end] == 0x6d else { continue }
            let isVisible = open >= done + 2 && line[open - 1] == 0x5b && line[open - 2] == 0x5e
            out += line[done..<(isVisible ? open - 2 : open)]
            (done, at) = (end + 1, end + 1)
        }
        return done == 0 ? line : out + line[done...]
    }

    /// `<sip:a@pbx.example <mailto:a@pbx.example> >` as mail programs make of an address.
    private static func withoutMailLinks(_ line: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var done = 0
        while let open = line.firstIndex(of: " <mailto:", from: done), let close = line[open...].firstIndex(of: 0x3e) {
            out += line[done..<open]
            done = close + 1
            if done < line.count, line[done] == 0x20 { done += 1 }
        }
        return out + line[done...]
    }

    /// `**INVITE** sip:...`, `**Via:** ...`, `` `INVITE ...` ``: bold or code, where that hides a start line or a header field.
    private static func withoutMarks(_ line: [UInt8]) -> [UInt8] {
        func opens(_ text: [UInt8]) -> Bool { LogDress.startLine(in: text) == 0 || LogDress.isSIPField(text[...]) }
        let plain = line.filter { $0 != 0x2a && $0 != 0x60 }
        guard line.count - plain.count <= 6, opens(Array(plain.trimmed)), !opens(Array(line.trimmed)) else { return line }
        return plain
    }

    /// The content of a string in a program's source or in JSON that stands alone in its line: `"Via: ...\r\n" +`, `'...',`. Nil for
    /// another line.
    static func literal(_ line: [UInt8]) -> [UInt8]? {
        let text = line.trimmed
        guard let quote = text.first, quote == 0x22 || quote == 0x27, text.count > 1 else { return nil }
        var end = text.endIndex
        while end > text.startIndex + 1, [0x2c, 0x2b, 0x3b, 0x29, 0x5c, 0x5d, 0x20].contains(text[end - 1]) { end -= 1 }
        guard end > text.startIndex + 1, text[end - 1] == quote, text.endIndex - end <= 4 else { return nil }
        var out: [UInt8] = []
        var at = text.startIndex + 1
        while at < end - 1 {
            if text[at] == 0x5c, let (stand, next) = LogRecord.escape(line, at + 1) {
                out += stand
                at = next
            } else {
                out.append(text[at])
                at += 1
            }
        }
        while out.last == 0x0a { out.removeLast() }
        return out.contains(0x0a) ? nil : out
    }

    /// The strings of a list that are a log's lines: `["INVITE ...", "Via: ...", ...]`. Nil where none of them opens a message.
    static func list(_ line: [UInt8]) -> [[UInt8]]? {
        guard line.count > 200, var at = line.firstIndex(of: "[\"") else { return nil }
        at += 1
        var lines: [[UInt8]] = []
        var isLog = false
        while at < line.count, line[at] == 0x22 {
            var text: [UInt8] = []
            at += 1
            while at < line.count, line[at] != 0x22 {
                if line[at] == 0x5c, let (stand, next) = LogRecord.escape(line, at + 1) {
                    text += stand
                    at = next
                } else {
                    text.append(line[at])
                    at += 1
                }
            }
            at += 1
            while text.last == 0x0a { text.removeLast() }
            isLog = isLog || LogDress.startLine(in: text) != nil
            lines.append(text)
            while at < line.count, line[at] == 0x2c || line[at] == 0x20 { at += 1 }
        }
        return isLog && lines.count > 3 ? lines : nil
    }
}

/// What stands before each line of a log from its first on: the number of the line, an indentation, a quote's marks.
struct LogMargin: Sendable {
    private enum State { case unknown, none, blanks([UInt8]), numbers(next: Int) }
    private var state = State.unknown

    /// The line without it. A line that lacks it ends it.
    mutating func cut(_ line: [UInt8]) -> [UInt8] {
        switch state {
        case .none: return line
        case .unknown:
            guard !line.isBlank else { return line }
            if let (number, start) = Self.number(line), number <= 1 {
                state = .numbers(next: number + 1)
                return Array(line[start...])
            }
            let margin = Self.margin(line)
            guard !margin.isEmpty, margin.count <= 12, margin.count < line.count else {
                state = .none
                return line
            }
            state = .blanks(margin)
            return Array(line[margin.count...])
        case .blanks(let margin):
            if line.starts(with: margin) { return Array(line[margin.count...]) }
            let text = line.trimmed
            if margin.trimmed.starts(with: text) { return [] }
            state = .none
            return line
        case .numbers(let next):
            guard let (number, start) = Self.number(line), number == next else {
                if !line.isBlank { state = .none }
                return line
            }
            state = .numbers(next: next + 1)
            return Array(line[start...])
        }
    }

    /// Blanks, a quote's marks, and a list's or a comment's.
    private static func margin(_ line: [UInt8]) -> [UInt8] {
        var at = line.prefix { $0 == 0x20 || $0 == 9 || $0 == 0x3e }.count
        for mark in marks where line.starts(with: mark, at: at) {
            at += mark.utf8CodeUnitCount
            while at < line.count, line[at] == 0x20 || line[at] == 9 { at += 1 }
            break
        }
        return Array(line[..<at])
    }

    private static let marks: [StaticString] = ["* ", "- ", "# ", "// ", "\u{2022} "]

    /// `   12<tab>`, `12: `, `12| `, and where the line's own text begins.
    private static func number(_ line: [UInt8]) -> (Int, Int)? {
        var at = line.prefix { $0 == 0x20 }.count
        guard at < 8, let number = line.number(&at), at < line.count else { return nil }
        if line[at] == 9 { return (number, at + 1) }
        guard line[at] == 0x3a || line[at] == 0x7c, at + 1 == line.count || line[at + 1] == 0x20 else { return nil }
        return (number, min(at + 2, line.count))
    }
}
