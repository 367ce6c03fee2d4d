/// What carried a text did to all of its lines alike: an empty line behind each, a number before each, long lines broken between words.
///
/// It is told by the first lines, which wait until then, and undone before anything reads them.
struct LogPaste: Sendable {
    struct Line {
        /// Counted from 1; of a line that was broken, its first piece's.
        var number: Int
        var text: [UInt8]
    }

    private static let mostLines = 240
    private static let mostOctets = 131_072
    /// Fewer lines show no habit.
    private static let fewest = 8

    private var waiting: [Line] = []
    private var octets = 0
    private var isDecided = false
    private var isNumbered = false
    private var isDoubled = false
    private var wrapping: LogWrapping?
    /// Empty lines since the last that was not; whether that one stood apart from the one before it.
    private var blanks = 1
    private var isApart = true
    /// Lines shown so far.
    private(set) var count = 0

    /// Nothing is to be undone: lines need not be shown.
    var isPlain: Bool { isDecided && !isNumbered && !isDoubled && wrapping == nil }

    /// So many lines of the text lie between two neighbours, at the most.
    var reach: Int { (isDoubled ? 2 : 1) * (wrapping == nil ? 1 : 3) }

    /// The next line, without its end; those that can be read now.
    mutating func take(_ line: [UInt8]) -> [Line] {
        count += 1
        let line = Line(number: count, text: line)
        if isDecided { return undone(line) }
        waiting.append(line)
        octets += line.text.count
        return waiting.count >= Self.mostLines || octets >= Self.mostOctets ? decided() : []
    }

    /// The text has ended: what waits.
    mutating func finish() -> [Line] {
        let rest = isDecided ? [] : decided()
        return rest + (wrapping?.finish().map { [$0] } ?? [])
    }

    private mutating func decided() -> [Line] {
        isDecided = true
        var lines = waiting
        waiting = []
        isNumbered = Self.areNumbered(lines)
        if isNumbered { for index in lines.indices { lines[index].text = Self.unnumbered(lines[index].text) } }
        isDoubled = Self.areDoubled(lines)
        if isDoubled { lines = lines.compactMap { spaced($0) } }
        wrapping = LogWrapping(lines)
        guard wrapping != nil else { return lines }
        return lines.flatMap { wrapping?.take($0) ?? [] }
    }

    private mutating func undone(_ line: Line) -> [Line] {
        var line = line
        if isNumbered { line.text = Self.unnumbered(line.text) }
        if isDoubled {
            guard let kept = spaced(line) else { return [] }
            line = kept
        }
        return wrapping?.take(line) ?? [line]
    }

    // MARK: Empty lines

    private static func areDoubled(_ lines: [Line]) -> Bool {
        var (apart, together) = (0, 0)
        for (line, next) in zip(lines, lines.dropFirst()) where !isEmpty(line.text) {
            if isEmpty(next.text) { apart += 1 } else { together += 1 }
        }
        return apart >= fewest && together * 8 <= apart
    }

    /// Every second empty line is the text's own; behind lines that stand together all are.
    private mutating func spaced(_ line: Line) -> Line? {
        guard Self.isEmpty(line.text) else {
            isApart = blanks > 0
            blanks = 0
            return line
        }
        blanks += 1
        return isApart && blanks % 2 == 1 ? nil : line
    }

    private static func isEmpty(_ line: [UInt8]) -> Bool { line.allSatisfy { $0 == 0x20 || $0 == 9 || $0 == 13 } }

    // MARK: Numbers

    /// `8123:text` as `grep -n` writes it, from wherever it begins.
    private static func areNumbered(_ lines: [Line]) -> Bool {
        let numbers = lines.map { number($0.text)?.value }
        let steps = zip(numbers, numbers.dropFirst()).count { first, second in
            first.flatMap { first in second.map { $0 == first + 1 } } ?? false
        }
        return steps >= fewest && steps * 10 >= (lines.count - 1) * 9
    }

    private static func unnumbered(_ line: [UInt8]) -> [UInt8] { number(line).map { Array(line[$0.end...]) } ?? line }

    private static func number(_ line: [UInt8]) -> (value: Int, end: Int)? {
        var at = line.prefix { $0 == 0x20 }.count
        guard at < 8, let value = line.number(&at), at < line.count, [0x3a, 0x2d, 0x7c, 9].contains(line[at]) else { return nil }
        return (value, at + 1)
    }
}
