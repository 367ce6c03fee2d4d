import Base

/// Reads SIP messages, and what programs say about them, out of a text log: in any pieces, line by line.
///
/// Asterisk (chan_sip, pjsip), FreeSWITCH, Kamailio, OpenSIPS, sngrep; pastes of them with typographic quotes and dashes, HTML
/// references, left-out lines and text around; SIP messages that stand alone. Nothing traps; memory is bounded by a message.
public struct LogReader: Sendable {
    enum State {
        case between
        /// Kamailio's lines before the message.
        case kamailio([String: String], line: Int)
        /// It lies in `builder`, where it grows in place.
        case message(LoggedTime?)
    }

    /// Longest line believed; a longer one is cut in pieces.
    public static let mostLine = 65_536
    /// Paragraphs of text given; what comes after them is nobody's introduction.
    public static let mostProse = 2_000
    private static let mostParagraph = 8_192
    /// As many as some introduce a message by: an element of XML, an object of JSON, a member a line.
    private static let mostRecent = 12
    /// Further above a message, lines say nothing of it.
    private static let mostAbove = 14

    var state = State.between
    var builder: LogMessageBuilder?
    var items: [LoggedItem] = []
    private var taken = 0
    var isFinished = false
    /// What was given before the first date came was put on its day.
    var isShifted = false
    var heldOctets = 0
    var dumpTimes = DumpTimes()
    /// The longest line so far.
    var widest = 0
    /// The beginning of a line that is not complete.
    var carried: [UInt8] = []
    /// What was done to all lines alike.
    var paste = LogPaste()
    /// Until the first line feed a carriage return may end lines alone.
    var hasLineFeed = false
    /// A table of values, if the log is one.
    var table: LogTable?
    /// A mail's text, and the beginning of a line that goes on.
    var isQuotedPrintable = false
    var softly: [UInt8] = []
    private var decoding = Decoding.unknown
    var clock = LogClock()
    var isTypographic = false
    var hasEntities = false
    var margin = LogMargin()
    /// Each line ends with a dollar sign; is a string of its own.
    var isDollared = false
    var isLiteral = false
    var paragraph: (text: [UInt8], line: Int, last: Int)?
    var paragraphs = 0
    /// A line that bore a time and nothing else: Asterisk begins what it prints with a line end.
    private var announced: (time: LoggedTime, line: Int)?
    /// What stands before each line of the log, as far as it is known: time, host, program.
    var head: [UInt8] = []
    /// A line whose end is a start line: the next tells whether what precedes it is a head.
    var held: (line: [UInt8], start: Int, number: Int)?
    /// The line in hand and the next end with ngrep's dot.
    var isDotting = false
    /// Of the head taken off the line in hand.
    var headTime: LoggedTime?
    /// A packet as `tcpdump -X` prints it, in hexadecimal.
    private var dump: [UInt8] = []
    /// A packet as ngrep prints it without -W: rows of text, indented.
    private var folded: [UInt8] = []
    /// The last lines between messages, with their numbers: what a message that begins is introduced by.
    var recent: [(line: Int, text: [UInt8])] = []
    /// A packet told in words or octets.
    var packet = LoggedPacket()
    var followed = LogFollowedStream()
    /// Where the program itself stands.
    private var standing = LogStanding()
    /// Header fields without a start line: counted once until something else comes.
    var isOrphaned = false
    /// Of the record that the line in hand came in.
    var recordTime: LoggedTime?
    /// Given so far; of them those that end before they said.
    private var messages = 0
    private var shortened = 0
    /// What was there and could not be read.
    public internal(set) var gaps = LogGaps()
    /// Lines read so far.
    public internal(set) var lines = 0

    private enum Decoding {
        case unknown
        case utf8
        /// `odd`: half a character that waits for the rest.
        case utf16(isBigEndian: Bool, odd: UInt8?)
    }

    public init() {}

    /// Octets of the log that follow those before.
    public mutating func read(_ chunk: UnsafeRawBufferPointer) {
        var at = 0
        if case .unknown = decoding {
            decoding = .utf8
            if chunk.count >= 2, chunk[0] == 0xff, chunk[1] == 0xfe { decoding = .utf16(isBigEndian: false, odd: nil) }
            if chunk.count >= 2, chunk[0] == 0xfe, chunk[1] == 0xff { decoding = .utf16(isBigEndian: true, odd: nil) }
            if case .utf16 = decoding { at = 2 }
            if chunk.count >= 3, chunk[0] == 0xef, chunk[1] == 0xbb, chunk[2] == 0xbf { at = 3 }
        }
        if case .utf16(let isBigEndian, let odd) = decoding {
            var octets = odd.map { [$0] } ?? []
            octets.append(contentsOf: chunk[at...])
            decoding = .utf16(isBigEndian: isBigEndian, odd: octets.count % 2 == 1 ? octets.removeLast() : nil)
            let units = stride(from: 0, to: octets.count, by: 2).map { index -> UInt16 in
                let (a, b) = (UInt16(octets[index]), UInt16(octets[index + 1]))
                return isBigEndian ? a << 8 | b : b << 8 | a
            }
            Array(String(decoding: units, as: UTF16.self).utf8).withUnsafeBytes { split($0) }
        } else {
            split(UnsafeRawBufferPointer(rebasing: chunk[at...]))
        }
    }

    /// The same for a whole text.
    public mutating func read(_ text: [UInt8]) { text.withUnsafeBytes { read($0) } }

    /// The log has ended: what waits is given as it is.
    public mutating func finish() {
        if !carried.isEmpty {
            let last = carried
            carried = []
            take(last)
            give(paste.finish())
            builder?.isLineCut = true
        }
        give(paste.finish())
        finishTable()
        if !softly.isEmpty {
            isQuotedPrintable = false
            let last = softly
            softly = []
            lines -= 1
            line(last)
        }
        release(followedBy: nil)
        // Where others are as short, whoever hid addresses made them so.
        if let builder, builder.isCutOff, shortened == 0 || shortened * 4 < messages { gaps.endsInside = builder.firstLine }
        end(isTerminated: false)
        flushPacket()
        endParagraph()
        gaps.settle(messages: messages)
        isFinished = true
    }

    /// The next thing read, in the log's order; nil when more octets are needed.
    public mutating func nextItem() -> LoggedItem? {
        guard taken < items.count else {
            items.removeAll(keepingCapacity: true)
            (taken, heldOctets) = (0, 0)
            return nil
        }
        if isHolding { return nil }
        shiftHeld()
        defer { taken += 1 }
        return items[taken]
    }

    mutating func process(_ line: [UInt8]) {
        switch state {
        case .between: between(line)
        case .kamailio(let fields, let first): kamailio(line, fields, first)
        case .message: inMessage(line)
        }
    }

    private mutating func inMessage(_ line: [UInt8]) {
        let marks = LogLine(line, &clock)
        if let next = framing(line, marks) {
            end(isTerminated: false)
            open(next, marks)
            return
        }
        if let time = marks.time, Array(line[min(marks.start, line.count)...]).isBlank {
            announced = (time, lines)
            return
        }
        if marks.isMarked, builder?.isInText != true, let remark = LoggedRemark(line, marks) {
            // Threads write into each other's lines.
            if builder?.isWhole == true { end(isTerminated: false) }
            give(.remark(remark), lines, lines, marks.time, nil)
            return
        }
        if isFolded(line) {
            if folded.count < Self.mostLine { folded += line.dropFirst(2 + (builder?.framing.indent ?? 0)) }
            return
        }
        if !folded.isEmpty {
            end(isTerminated: false)
            process(line)
            return
        }
        if builder?.framing.isDump == true, builder?.isEmpty == true {
            if let octets = LogDress.dumped(line) {
                if dump.count < Self.mostLine { dump += octets }
                return
            }
            guard let start = LogDress.startLine(in: line) else { return }
            process(content: Array(line[start...]))
            return
        }
        process(content: marks.time != nil && line.first == 0x5b ? Array(line[marks.start...]) : line, of: line)
    }

    /// `whole`: the line with its time, should it turn out to be none of the message's.
    private mutating func process(content line: [UInt8], of whole: [UInt8]? = nil) {
        var line = line
        if builder?.framing.isDotted == true {
            // Pages leave blanks behind.
            let end = line.lastIndex { $0 != 0x20 }.map { $0 + 1 } ?? 0
            if end > 0, line[end - 1] == 0x2e { line.removeSubrange((end - 1)...) }
        }
        switch builder?.add(line, number: lines) {
        case .taken?, nil: break
        case .ended(let rest)?:
            end(isTerminated: true)
            if !rest.isBlank { process(rest) }
        case .endedBefore?:
            end(isTerminated: false)
            process(whole ?? line)
        }
    }

    mutating func between(_ line: [UInt8]) {
        if !hasEntities, LogTypography.hasEntities(line) {
            let plain = LogTypography.withoutEntities(line)
            if opens(plain) {
                hasEntities = true
                process(isTypographic ? LogTypography.plain(plain) : plain)
                return
            }
        }
        if !isTypographic, LogTypography.isTypographic(line) {
            let plain = LogTypography.plain(line)
            if opens(plain), !opens(line) {
                isTypographic = true
                process(plain)
                return
            }
        }
        if let rest = LogMessageBuilder.afterClosingDashes(line, atLeast: isTypographic ? 3 : 6) {
            // The end of a message that ended before: text was put between.
            if !rest.isBlank { process(rest) }
            return
        }
        if takesPacket(line) {
            endParagraph()
            return
        }
        let marks = LogLine(line, &clock)
        if let next = framing(line, marks) {
            endParagraph()
            open(next, marks)
        } else if line.count >= 20, line.trimmed.allSatisfy({ $0 == 0x3d }) {
            endParagraph()
            state = .kamailio([:], line: lines)
        } else if Self.isBareStart(isDotting ? line.dropLast() : line, from: marks.start) {
            endParagraph()
            let hint = LogHint(recent.filter { $0.line > lines - Self.mostAbove * paste.reach }.map(\.text), &clock)
            var framing = LogFraming(hint)
            framing.isDotted = isDotting
            open(framing, marks, hint.time)
            process(marks.isMarked ? Array(line[min(marks.start, line.count)...]) : line)
        } else if let (remark, time) = remark(line, marks) {
            endParagraph()
            remember(line)
            give(.remark(remark), lines, lines, time ?? headTime, nil)
        } else if line.isBlank {
            isOrphaned = false
            endParagraph()
        } else if !marks.isMarked {
            noteOrphan(line)
            noteStray(line)
            remember(line)
            add(toParagraph: line)
        } else if let time = marks.time, Array(line[min(marks.start, line.count)...]).isBlank {
            announced = (time, lines)
            remember(line)
        } else {
            noteStray(line)
            remember(line)
        }
    }

    mutating func remember(_ line: [UInt8]) {
        gaps.noteRow(line, lines)
        if recent.count == Self.mostRecent { recent.removeFirst() }
        recent.append((lines, line))
    }

    // MARK: Openings and ends

    mutating func framing(_ line: [UInt8], _ marks: LogLine) -> LogFraming? {
        LogFraming(line, from: Self.pastQuote(line, marks.start), &clock)
    }

    mutating func opens(_ line: [UInt8]) -> Bool {
        var trial = clock
        let marks = LogLine(line, &trial)
        return LogFraming(line, from: Self.pastQuote(line, marks.start), &trial) != nil
    }

    private mutating func open(_ framing: LogFraming, _ marks: LogLine, _ hinted: LoggedTime? = nil) {
        var framing = framing
        framing.indent = marks.isMarked ? 0 : marks.start
        builder = LogMessageBuilder(framing, line: lines, isTypographic: isTypographic, hasEntities: hasEntities)
        builder?.widest = widest
        isOrphaned = false
        let announced = announced.flatMap { $0.line >= lines - paste.reach ? $0.time : nil }
        // The fullest of them; of equals the nearest.
        var times = [framing.time, marks.time, announced, headTime, hinted].compactMap { $0 }
        if times.isEmpty, let time = LogHint(members, &clock).time { times = [time] }
        state = .message(times.dropFirst().reduce(times.first) { $0!.basis.rank < $1.basis.rank ? $1 : $0 })
    }

    /// Members of a JSON object that stand right before, a line each.
    private var members: [[UInt8]] {
        Array(recent.reversed().prefix { $0.text.trimmed.first == 0x22 && $0.text.contains(text: "\":") }.map(\.text).reversed())
    }

    /// A row of a packet that ngrep prints without -W.
    func isFolded(_ line: [UInt8]) -> Bool {
        guard line.starts(with: "  "), let builder, builder.framing.isDotted, builder.isEmpty else { return false }
        return line.prefix { $0 == 0x20 }.count >= builder.framing.indent + 2
    }

    mutating func end(isTerminated: Bool) {
        if !folded.isEmpty {
            let lines = LogUnwrapping.records(folded).first?.lines.dropFirst() ?? [folded]
            folded = []
            for line in lines where builder != nil { _ = builder?.add(line, number: self.lines) }
        }
        if !dump.isEmpty {
            let payload = LogDress.carried(dump)?.payload ?? []
            dump = []
            for piece in payload.split(separator: 0x0a, omittingEmptySubsequences: false) {
                let content = piece.last == 0x0d ? piece.dropLast() : piece
                if case .taken? = builder?.add(Array(content), number: lines) { continue }
                break
            }
        }
        guard case .message(let time) = state, let ended = builder.take() else {
            state = .between
            return
        }
        state = .between
        if ended.isCutOff { shortened += 1 }
        let (first, last, format, isDump) = (ended.firstLine, ended.lastLine, ended.framing.format, ended.framing.isDump)
        recent.removeAll(keepingCapacity: true)
        guard var message = ended.finish(isTerminated: isTerminated) else { return }
        if !message.bytes.withUnsafeBytes({ SIPStart.isStart($0) }), !message.bytes.allSatisfy({ $0 == 13 || $0 == 10 }) {
            gaps.note(line: first, Array(message.bytes.prefix { $0 != 13 }))
        }
        messages += 1
        standing.complete(&message, isKnownProgram: format != nil)
        give(.message(message), first, last, time, format, isDump: isDump)
    }

    // MARK: Text

    private mutating func add(toParagraph line: [UInt8]) {
        guard paragraphs < Self.mostProse else { return }
        if paragraph == nil { paragraph = ([], lines, lines) }
        guard paragraph!.text.count + line.count < Self.mostParagraph else {
            endParagraph()
            return
        }
        if !paragraph!.text.isEmpty { paragraph!.text.append(0x0a) }
        paragraph!.text += line
        paragraph!.last = lines
    }

    mutating func endParagraph() {
        guard let (text, first, last) = paragraph else { return }
        paragraph = nil
        paragraphs += 1
        give(.prose(String(decoding: text, as: UTF8.self)), first, last, nil, nil)
    }

    mutating func give(
        _ kind: LoggedItem.Kind, _ first: Int, _ last: Int, _ time: LoggedTime?, _ format: LogFormat?, isDump: Bool = false
    ) {
        append(
            LoggedItem(line: first, lastLine: max(first, last), time: time, format: format, kind: kind), isDump: isDump)
    }
}
