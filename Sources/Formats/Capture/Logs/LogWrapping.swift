/// Lines that a mail program broke between words, where each of them began alike before: with a time, a priority, an object's brace.
struct LogWrapping: Sendable {
    /// How the log's own lines begin: digits as zeros.
    private var head: [UInt8] = []
    /// No longer line has blanks that it could have been broken at.
    private let width: Int
    private var pending: LogPaste.Line?
    /// Of the pending line the last piece.
    private var last: [UInt8] = []

    private static let headLength = 10
    private static let longest = 65_536

    /// nil where the lines are whole.
    init?(_ lines: [LogPaste.Line]) {
        var counts: [[UInt8]: Int] = [:]
        for line in lines { if let head = Self.head(line.text) { counts[head, default: 0] += 1 } }
        width = lines.reduce(0) { Self.trimmed($1.text).contains(0x20) ? max($0, Self.trimmed($1.text).count) : $0 }
        guard (60...132).contains(width) else { return nil }
        // Blanks are no head, nor are the places of octets.
        let heads = counts.filter { $0.value >= 8 && !$0.key.allSatisfy { $0 == 0x20 || LogDress.hex($0) != nil } }
            .sorted { $0.value == $1.value ? $0.key.lexicographicallyPrecedes($1.key) : $0.value > $1.value }
        for (head, count) in heads.prefix(8) {
            self.head = head
            let (broken, ragged, others) = pieces(of: lines)
            // Text around a log has lines of its own; rows of octets are all as long.
            if broken >= 4, broken * 3 >= count, others * 20 <= broken, ragged * 2 >= broken { return }
        }
        return nil
    }

    /// Lines that do not begin like the log's own: how many were broken off the one before, of them off one that
    /// had room left; how many not.
    private func pieces(of lines: [LogPaste.Line]) -> (broken: Int, ragged: Int, others: Int) {
        var (broken, ragged, others) = (0, 0, 0)
        for (line, next) in zip(lines, lines.dropFirst())
        where Self.head(next.text) != head && !next.text.isBlank && !line.text.isBlank {
            if goesOn(line.text, next.text) { broken += 1 } else { others += 1 }
            if goesOn(line.text, next.text), Self.trimmed(line.text).count < width { ragged += 1 }
        }
        return (broken, ragged, others)
    }

    mutating func take(_ line: LogPaste.Line) -> [LogPaste.Line] {
        // Not bound to a name: it grows in place.
        if (pending?.text.count ?? Self.longest) < Self.longest, Self.head(line.text) != head, !line.text.isBlank,
            goesOn(last, line.text)
        {
            // A word longer than a line was cut where the line was full.
            let isCut = last.count == width && !last.contains(0x20)
            if !isCut, last.last != 0x20 { pending?.text.append(0x20) }
            pending?.text += line.text
            last = line.text
            return []
        }
        let done = pending
        (pending, last) = (line, line.text)
        return done.map { [$0] } ?? []
    }

    mutating func finish() -> LogPaste.Line? {
        defer { pending = nil }
        return pending
    }

    /// The next line's first word had no room in this one.
    private func goesOn(_ line: [UInt8], _ next: [UInt8]) -> Bool {
        !line.isBlank && next.first != 0x20 && Self.trimmed(line).count + 1 + next.prefix { $0 != 0x20 }.count > width
    }

    private static func head(_ line: [UInt8]) -> [UInt8]? {
        line.count < headLength ? nil : line.prefix(headLength).map { LogDress.isDigit($0) ? 0x30 : $0 }
    }

    private static func trimmed(_ line: [UInt8]) -> ArraySlice<UInt8> {
        line[..<(line.lastIndex { $0 != 0x20 && $0 != 13 }.map { $0 + 1 } ?? 0)]
    }
}
