import Base

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

    /// The texts of a line: each that holds a message with the object or the list around it as its own; without any, the member that is
    /// named like one. Empty where there is none.
    static func all(_ line: [UInt8]) -> [LogRecord] {
        var scan = Scan()
        scan.read(line)
        if scan.texts.count < 2 {
            guard let best = scan.texts.first ?? scan.best else { return [] }
            return [LogRecord(line, best, 0..<line.count, [])]
        }
        let places = scan.texts.map { $0.from..<min($0.end + 1, line.count) }
        return scan.texts.enumerated().map { index, text in
            // What opens the object stands before the text, what closes it behind: between the neighbours at the most.
            let low = scan.opening[index]
            let high = scan.closing[index] ?? line.count
            return LogRecord(line, text, low..<max(low, high), places)
        }
    }

    /// A member's value: where its name begins, its text, its end.
    private struct Place {
        var name: Int
        var from: Int
        var end: Int
    }

    private struct Scan {
        /// Strings that hold a message.
        var texts: [Place] = []
        /// Where the brackets around each open and close.
        var opening: [Int] = []
        var closing: [Int?] = []
        var best: Place?
        private var rank = Int.max
        private var depth: [(at: Int, texts: [Int])] = []
        static let deepest = 64

        mutating func read(_ line: [UInt8]) {
            var at = 0
            while at < line.count {
                switch line[at] {
                case 0x7b, 0x5b:
                    if depth.count < Scan.deepest { depth.append((at, [])) }
                    at += 1
                case 0x7d, 0x5d:
                    if let (_, inside) = depth.popLast() { for text in inside { closing[text] = at } }
                    at += 1
                case 0x22:
                    guard let next = string(line, at) else { return }
                    at = next
                default: at += 1
                }
            }
        }

        /// A string that is no name, or a name with its value; where what follows begins.
        private mutating func string(_ line: [UInt8], _ quote: Int) -> Int? {
            guard let close = LogRecord.closing(line, quote + 1) else { return nil }
            var value = close + 1
            while value < line.count, line[value] == 0x20 { value += 1 }
            guard value < line.count, line[value] == 0x3a else {
                note(line, Place(name: quote, from: quote, end: close))
                return close + 1
            }
            value += 1
            while value < line.count, line[value] == 0x20 { value += 1 }
            guard value < line.count else { return nil }
            let name = quote + 1
            let rank = LogRecord.names.firstIndex { $0.utf8CodeUnitCount == close - name && line.starts(with: $0, at: name) }
            if line[value] == 0x22 {
                guard let end = LogRecord.closing(line, value + 1) else { return nil }
                let place = Place(name: name, from: value, end: end)
                note(line, place)
                if let rank, rank < self.rank { (best, self.rank) = (place, rank) }
                return end + 1
            }
            if line[value] == 0x5b, let rank, rank < self.rank, value + 1 < line.count, LogDress.isDigit(line[value + 1]),
                let end = line[value...].firstIndex(of: 0x5d)
            {
                // systemd's journal writes text with control characters as numbers.
                (best, self.rank) = (Place(name: name, from: value, end: end), rank)
                return end + 1
            }
            return value
        }

        /// A whole message is no short string, and has lines.
        private mutating func note(_ line: [UInt8], _ place: Place) {
            guard place.end - place.from > 100, texts.count < 1_024,
                LogDress.innerStart(Array(line[place.from..<place.end])) != nil
            else { return }
            texts.append(place)
            opening.append(depth.last?.at ?? 0)
            closing.append(nil)
            if !depth.isEmpty { depth[depth.count - 1].texts.append(texts.count - 1) }
        }
    }

    private init(_ line: [UInt8], _ text: Place, _ around: Range<Int>, _ others: [Range<Int>]) {
        if line[text.from] == 0x22 {
            var at = text.from + 1
            while at < text.end {
                if line[at] == 0x5c, let (stand, end) = Self.escape(line, at + 1) {
                    self.text += stand
                    at = end
                } else {
                    self.text.append(line[at])
                    at += 1
                }
            }
        } else {
            for number in line[(text.from + 1)..<text.end].split(separator: 0x2c) {
                self.text.append(UInt8(String(decoding: Array(number).trimmed, as: UTF8.self)) ?? 0x3f)
            }
        }
        var at = around.lowerBound
        for other in others where other.lowerBound >= at && other.upperBound <= around.upperBound {
            rest += line[at..<other.lowerBound]
            at = other.upperBound
        }
        if others.isEmpty {
            rest = Array(line[..<text.name]) + Array(line[min(text.end + 1, line.count)...])
        } else {
            rest += line[min(at, around.upperBound)..<around.upperBound]
        }
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
