import Base

/// A message in the making, line by line.
struct LogMessageBuilder {
    enum Verdict {
        case taken
        /// The line was the end; what is left of it is a line of its own.
        case ended(rest: [UInt8])
        /// The line belongs to what comes next.
        case endedBefore
    }

    private enum Phase {
        /// Blank lines and a rule may come first.
        case before
        case head
        case body(wanted: Int?)
        /// All that is said to belong to it is there.
        case behind
    }

    static let mostOctets = 131_072

    var framing: LogFraming
    let firstLine: Int
    var lastLine: Int
    private var phase = Phase.before
    private var bytes: [UInt8] = []
    private(set) var defects: [LoggedMessage.Defect] = []
    private var head = 0
    private var fields = 0
    private var saidLength: Int?
    private var describesSession = false
    private var bearsText = false
    /// The last line came without its end.
    var isLineCut = false
    /// The longest line so far: what a terminal or a form broke there goes on in the next.
    var widest = 0
    private var latestWidth = 0
    /// So many empty lines stand behind every line.
    private var spacing = 0
    private var blanks = 0
    /// What the lines are indented or quoted by.
    private var margin: [UInt8] = []
    private let isTypographic: Bool

    init(_ framing: LogFraming, line: Int, isTypographic: Bool, hasEntities: Bool) {
        self.framing = framing
        firstLine = line
        lastLine = line
        self.isTypographic = isTypographic
        if isTypographic { note(.typography) }
        if hasEntities { note(.htmlEntities) }
    }

    mutating func note(_ defect: LoggedMessage.Defect) { if !defects.contains(defect) { defects.append(defect) } }

    /// `line`: without its end, put in ASCII where the log is typographic.
    mutating func add(_ line: [UInt8], number: Int) -> Verdict {
        if let rest = closing(line) {
            lastLine = number
            return .ended(rest: rest)
        }
        switch phase {
        case .before:
            if line.isBlank || (framing.hasRule && Self.isRule(line)) { return .taken }
            guard framing.isSure || framing.end != .grammar || framing.isDump || line.contains(text: "SIP/") else {
                return .endedBefore
            }
            margin = Array(line.prefix { $0 == 0x20 || $0 == 9 || $0 == 0x3e })
            phase = .head
            return inHead(Array(line.dropFirst(margin.count)), number)
        case .head: return inHead(content(of: line), number)
        case .body(let wanted): return inBody(content(of: line), wanted, number)
        case .behind:
            let content = content(of: line)
            if content.isBlank { return framing.end == .grammar ? .ended(rest: []) : .taken }
            guard describesSession, Self.isDescription(content) else {
                if framing.end != .grammar, !framing.hasRule { note(.unterminated) }
                return .endedBefore
            }
            append(content, number)
            return .taken
        }
    }

    /// What was read, or nil when there was no message after all.
    consuming func finish(isTerminated: Bool) -> LoggedMessage? {
        if !isTerminated, framing.end != .grammar, !isWhole { note(.unterminated) }
        if bytes.isEmpty {
            guard framing.direction == .received, isTerminated else { return nil }
            // Only line ends were read: a phone keeps its mapping open.
            return message([13, 10, 13, 10])
        }
        if head == 0 {
            head = bytes.count
            note(.headersUnended)
        } else {
            var body = bytes.count - head
            if let saidLength {
                // The logging programs end what they print with a line end of their own.
                while body > saidLength, bytes.suffix(4).elementsEqual([13, 10, 13, 10]), body >= 2 {
                    bytes.removeLast(2)
                    body -= 2
                }
                if body == saidLength + 2, bytes.suffix(2).elementsEqual([13, 10]) {
                    // The body's last line had no end.
                    bytes.removeLast(2)
                    body = saidLength
                }
                while body < saidLength, body >= 4, bytes.suffix(4).elementsEqual([13, 10, 13, 10]) {
                    bytes.removeLast(2)
                    body -= 2
                }
                if body != saidLength { note(.contentLength(said: saidLength, found: body)) }
            } else {
                while bytes.count >= head + 4, bytes.suffix(4).elementsEqual([13, 10, 13, 10]) { bytes.removeLast(2) }
                if bytes.count == head + 2 { bytes.removeLast(2) }
            }
        }
        if !bytes.withUnsafeBytes({ SIPStart.isStart($0) }) { note(.fragmentary) }
        return message(bytes)
    }

    /// Nothing of the message came yet.
    var isEmpty: Bool { if case .before = phase { true } else { false } }

    /// What comes next is somebody's text, whatever it says.
    var isInText: Bool {
        if case .body(let wanted?) = phase { bearsText && bytes.count - head < wanted } else { false }
    }

    /// It stops where it says that more comes.
    var isCutOff: Bool {
        switch phase {
        case .before, .behind: false
        case .head: saidLength.map { $0 > 0 } ?? isLineCut
        case .body(let wanted): wanted.map { bytes.count - head + 2 < $0 } ?? false
        }
    }

    /// Its body is as long as it says, or it has none.
    var isWhole: Bool {
        switch phase {
        case .before, .head: false
        case .body(let wanted): wanted == nil && bytes.count == head
        case .behind: true
        }
    }

    // MARK: Private

    private func message(_ bytes: [UInt8]) -> LoggedMessage {
        LoggedMessage(
            bytes: bytes, direction: framing.direction, remote: framing.remote, local: framing.local,
            transport: framing.transport,
            natConfigured: framing.natConfigured, defects: defects)
    }

    /// The line ends the message: what follows in it.
    private func closing(_ line: [UInt8]) -> [UInt8]? {
        switch framing.end {
        case .bracketedDashes:
            return Self.afterClosingDashes(line, atLeast: isTypographic ? 3 : 6)
        case .dashes: return line.trimmed.elementsEqual([0x2d, 0x2d, 0x2d]) ? [] : nil
        case .pipes: return line.count >= 20 && line.trimmed.allSatisfy { $0 == 0x7c } ? [] : nil
        case .octets:
            if case .before = phase { return nil }
            return framing.hasRule && Self.isRule(line) ? [] : nil
        case .grammar: return nil
        }
    }

    /// `<------------>`, which ends a message of chan_sip's: what follows it in the line. Typographic dashes count three or two; programs
    /// write 12 and 13.
    static func afterClosingDashes(_ line: [UInt8], atLeast fewest: Int) -> [UInt8]? {
        guard var at = line.firstIndex(where: { $0 != 0x20 && $0 != 9 }), line[at] == 0x3c else { return nil }
        at += 1
        let dashes = line[at...].prefix { $0 == 0x2d }.count
        guard dashes >= fewest, at + dashes < line.count, line[at + dashes] == 0x3e else { return nil }
        return Array(line[(at + dashes + 1)...])
    }

    private static func isRule(_ line: [UInt8]) -> Bool {
        let text = line.trimmed
        return text.count >= 20 && text.allSatisfy { $0 == 0x2d }
    }

    private func content(of line: [UInt8]) -> [UInt8] {
        line.starts(with: margin) ? Array(line.dropFirst(margin.count)) : line
    }

    private mutating func inHead(_ line: [UInt8], _ number: Int) -> Verdict {
        var line = line
        if line.isBlank {
            // Consoles and forums double the line ends, or more: no message ends right behind its start line.
            blanks += 1
            if !bytes.isEmpty, fields == 0, blanks <= 2 { spacing = blanks }
            if blanks <= spacing { return .taken }
            append([], number)
            head = bytes.count
            if case .octets(let count) = framing.end {
                phase = .body(wanted: max(0, count - head))
            } else {
                phase = .body(wanted: saidLength ?? (describesSession ? nil : 0))
            }
            return isComplete()
        }
        blanks = 0
        defer { latestWidth = line.count + margin.count }
        if isBroken(line), !bytes.isEmpty {
            bytes.removeLast(2)
            append(line, number)
            look(at: Array(lastField))
            doubtLength()
            return .taken
        }
        if framing.end == .grammar, describesSession, line.starts(with: "v=0") {
            // The empty line got lost on the way.
            _ = inHead([], number)
            return inBody(line, saidLength, number)
        }
        if let cleaned = Self.withoutSkip(line) {
            note(.skipped)
            line = cleaned
            if line.isBlank { return .taken }
        }
        if !bytes.isEmpty, !Self.isField(line) {
            // A line that is no header field ends what has no other end, and a paste that was cut.
            if framing.end == .grammar || isTypographic {
                note(.headersUnended)
                return .endedBefore
            }
        }
        for field in Self.unglued(line) {
            if field.count != line.count { note(.fragmentary) }
            if !bytes.isEmpty { fields += 1 }
            look(at: field)
            append(field, number)
        }
        doubtLength()
        return .taken
    }

    private mutating func inBody(_ line: [UInt8], _ wanted: Int?, _ number: Int) -> Verdict {
        if spacing > 0, line.isBlank { return .taken }
        // Whoever shortened addresses made the description shorter than it says.
        if framing.end == .grammar, describesSession, !bearsText, LogReader.isBareStart(line, from: 0) { return .endedBefore }
        if framing.end == .grammar || isTypographic, wanted == nil, !line.isBlank, !Self.isDescription(line) {
            return .endedBefore
        }
        append(line, number)
        return isComplete()
    }

    private mutating func isComplete() -> Verdict {
        if case .octets = framing.end { return octetsReached() }
        if case .body(let wanted?) = phase, bytes.count - head >= wanted { phase = .behind }
        return .taken
    }

    private mutating func octetsReached() -> Verdict {
        guard case .octets(let count) = framing.end, bytes.count >= count else { return .taken }
        guard framing.hasRule else { return .ended(rest: []) }
        // Another rule may close it, or what comes next does.
        phase = .behind
        return .taken
    }

    /// An empty line ends the header fields: where the octets are said to be over before, something was put into the text.
    private mutating func doubtLength() {
        if case .octets(let count) = framing.end, bytes.count >= count, !framing.hasRule { framing.end = .grammar }
    }

    private mutating func append(_ line: [UInt8], _ number: Int) {
        lastLine = number
        guard bytes.count + line.count + 2 <= Self.mostOctets else {
            note(.tooLong)
            return
        }
        bytes += line
        bytes += [13, 10]
    }

    private mutating func look(at field: [UInt8]) {
        guard let colon = field.firstIndex(of: 0x3a) else { return }
        let name = String(decoding: field[..<colon].filter { $0 != 0x20 && $0 != 9 }, as: UTF8.self).lowercased()
        if name == "content-length" || name == "l" {
            var at = colon + 1
            while at < field.count, field[at] == 0x20 { at += 1 }
            saidLength = field.number(&at) ?? saidLength
        } else if name == "content-type" || name == "c" {
            describesSession = true
            bearsText = !field.contains(text: "sdp") && !field.contains(text: "SDP")
        }
    }

    /// What the line before was broken at: it is as long as any, and this one is no header field.
    private func isBroken(_ line: [UInt8]) -> Bool {
        guard Self.widths.contains(latestWidth), latestWidth == widest, line.count + margin.count <= widest,
            let first = line.first, ![0x20, 9, 0x3c, 0x5b, 0x2d].contains(first)
        else { return false }
        guard Self.isField(line) else { return true }
        // An address may be broken before its scheme or port.
        let next = line.firstIndex(of: 0x3a).map { $0 + 1 < line.count ? line[$0 + 1] : 0x20 } ?? 0x20
        return next != 0x20 && !LogDress.isSIPField(line[...])
    }

    /// Of mails, terminals and forms.
    private static let widths: Set<Int> = [70, 72, 74, 75, 76, 77, 78, 79, 80, 90, 100, 120, 132]

    /// The line in the making, without its end.
    private var lastField: ArraySlice<UInt8> {
        let end = bytes.count - 2
        let start = bytes[..<end].lastIndex(of: 0x0a).map { $0 + 1 } ?? 0
        return bytes[start..<end]
    }

    // MARK: Looks of lines

    /// `Name: value`, the continuation of one, or a start line.
    private static func isField(_ line: [UInt8]) -> Bool {
        if line.first == 0x20 || line.first == 9 { return true }
        var at = 0
        while at < line.count, SIPStart.isToken(line[at]) { at += 1 }
        let nameEnd = at
        while at < line.count, line[at] == 0x20 || line[at] == 9 { at += 1 }
        return nameEnd > 0 && at < line.count && line[at] == 0x3a
    }

    /// `v=0`.
    private static func isDescription(_ line: [UInt8]) -> Bool {
        line.count >= 2 && line[0] >= 0x61 && line[0] <= 0x7a && line[1] == 0x3d
    }

    /// nil when nothing says that something was left out; otherwise the line without saying so.
    private static func withoutSkip(_ line: [UInt8]) -> [UInt8]? {
        guard let open = line.firstIndex(where: { $0 == 0x28 || $0 == 0x5b || $0 == 0x2e }) else { return nil }
        let words: [StaticString] = ["skip", "snip", "cut", "omitted", "removed", "deleted"]
        if open == line.firstIndex(where: { $0 != 0x20 }) {
            // `(...skip...)`, `[snip]`, `...`: up to its close.
            let close: Int
            switch line[open] {
            case 0x28: close = line[open...].firstIndex(of: 0x29) ?? line.count - 1
            case 0x5b: close = line[open...].firstIndex(of: 0x5d) ?? line.count - 1
            default:
                guard line.allSatisfy({ $0 == 0x2e || $0 == 0x20 }) else { return nil }
                return []
            }
            let mark = line[open...close]
            guard mark.contains(text: "...") || words.contains(where: { mark.contains(text: $0) }) else { return nil }
            var rest = Array(line[(close + 1)...].drop { $0 == 0x20 })
            // The close of the mark may be missing.
            if rest.first == 0x28 { rest = [] }
            return rest
        }
        for opening in line.indices where line[opening] == 0x28 {
            if line.starts(with: "(...", at: opening) { return Array(line[..<opening]) }
            for word in words where line.starts(with: word, at: opening + 1) { return Array(line[..<opening]) }
        }
        return nil
    }

    /// Header fields that a paste has run together: `algorithm=md5Expires: 3600`.
    private static func unglued(_ line: [UInt8]) -> [[UInt8]] {
        var from = 2
        while let colon = line.firstIndex(of: ": ", from: from) {
            from = colon + 1
            for name in gluedNames {
                let at = colon - name.utf8CodeUnitCount
                guard at > 0, line.starts(with: name, at: at), SIPStart.isToken(line[at - 1]) || line[at - 1] == 0x22,
                    line[at - 1] != 0x2d, isField(line)
                else { continue }
                return [Array(line[..<at])] + unglued(Array(line[at...]))
            }
        }
        return [line]
    }

    private static let gluedNames: [StaticString] = [
        "Expires", "Content-Length", "Content-Type", "CSeq", "Call-ID", "User-Agent", "Max-Forwards", "Authorization",
    ]
}
