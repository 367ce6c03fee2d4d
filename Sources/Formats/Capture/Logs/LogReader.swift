import Base

/// Reads SIP messages, and what programs say about them, out of a text log: in any pieces, line by line.
///
/// Asterisk (chan_sip, pjsip), FreeSWITCH, Kamailio, OpenSIPS, sngrep; pastes of them with typographic quotes and dashes, HTML
/// references, left-out lines and text around; SIP messages that stand alone. Nothing traps; memory is bounded by a message.
public struct LogReader: Sendable {
    private enum State {
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

    private var state = State.between
    private var builder: LogMessageBuilder?
    private var items: [LoggedItem] = []
    private var taken = 0
    /// The beginning of a line that is not complete.
    private var carried: [UInt8] = []
    private var decoding = Decoding.unknown
    private var clock = LogClock()
    private var isTypographic = false
    private var hasEntities = false
    private var paragraph: (text: [UInt8], line: Int, last: Int)?
    private var paragraphs = 0
    /// A line that bore a time and nothing else: Asterisk begins what it prints with a line end.
    private var announced: (time: LoggedTime, line: Int)?
    /// What stands before each line of the log, as far as it is known: time, host, program.
    private var head: [UInt8] = []
    /// A line whose end is a start line: the next tells whether what precedes it is a head.
    private var held: (line: [UInt8], start: Int)?
    /// Of the head taken off the line in hand.
    private var headTime: LoggedTime?
    /// A packet as `tcpdump -X` prints it, in hexadecimal.
    private var dump: [UInt8] = []
    /// The text is `tshark -V`'s dissection: packets told in words, field by field, without their octets.
    public private(set) var isDissection = false
    /// Lines read so far.
    public private(set) var lines = 0

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
            line(last)
        }
        release(followedBy: nil)
        end(isTerminated: false)
        endParagraph()
    }

    /// The next thing read, in the log's order; nil when more octets are needed.
    public mutating func nextItem() -> LoggedItem? {
        guard taken < items.count else {
            items.removeAll(keepingCapacity: true)
            taken = 0
            return nil
        }
        defer { taken += 1 }
        return items[taken]
    }

    // MARK: Lines

    private mutating func split(_ bytes: UnsafeRawBufferPointer) {
        var start = 0
        while start < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            guard let end = rest.firstIndex(of: 0x0a) else {
                carried.append(contentsOf: rest)
                if carried.count > Self.mostLine { flushLongLine() }
                return
            }
            carried.append(contentsOf: rest[..<end])
            start += end + 1
            if carried.count > Self.mostLine { flushLongLine() }
            let whole = carried
            carried.removeAll(keepingCapacity: true)
            line(whole)
        }
    }

    private mutating func flushLongLine() {
        while carried.count > Self.mostLine {
            let piece = Array(carried[..<Self.mostLine])
            carried.removeFirst(Self.mostLine)
            line(piece)
            lines -= 1
        }
    }

    private mutating func line(_ raw: [UInt8]) {
        lines += 1
        var line = raw
        while line.last == 0x0d { line.removeLast() }
        if hasEntities { line = LogTypography.withoutEntities(line) }
        if isTypographic { line = LogTypography.plain(line) }
        line = LogDress.undressed(line)
        if let pieces = LogDress.pieces(line), let start = LogDress.startLine(in: pieces[0]) {
            release(followedBy: nil)
            var first = Array(pieces[0][..<start])
            while first.last == 0x20 || first.last == 0x3a { first.removeLast() }
            headTime = LogLine(first, &clock).time
            if case .message = state { end(isTerminated: false) }
            if !first.isBlank { process(first) }
            process(Array(pieces[0][start...]))
            for piece in pieces.dropFirst() { process(piece) }
            headTime = nil
            end(isTerminated: false)
            return
        }
        let isHead = release(followedBy: line)
        if !head.isEmpty, let start = LogDress.after(head, in: line) {
            headTime = LogLine(Array(line[..<start]), &clock).time
            line.removeFirst(start)
            process(line)
            headTime = nil
            return
        }
        if !isHead, let start = LogDress.startLine(in: line), start > 0, line[start - 1] == 0x20, start <= 256,
            line[..<start].contains(where: LogDress.isDigit)
        {
            held = (line, start)
            return
        }
        process(line)
    }

    /// What was held back is read: without its head if the next line has the same one before a header field. True: it had.
    @discardableResult
    private mutating func release(followedBy next: [UInt8]?) -> Bool {
        guard let (line, start) = held else { return false }
        held = nil
        lines -= next == nil ? 0 : 1
        defer { lines += next == nil ? 0 : 1 }
        let candidate = Array(line[..<start])
        guard let next, let rest = LogDress.after(candidate, in: next), LogDress.isField(next[rest...]) else {
            process(line)
            return false
        }
        head = candidate
        headTime = LogLine(candidate, &clock).time
        process(Array(line[start...]))
        headTime = nil
        return true
    }

    private mutating func process(_ line: [UInt8]) {
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
        if marks.isMarked, let remark = LoggedRemark(line, from: marks.start, marks.level) {
            // Threads write into each other's lines.
            if builder?.isWhole == true { end(isTerminated: false) }
            give(.remark(remark), lines, lines, marks.time, nil)
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
        process(content: marks.time != nil && line.first == 0x5b ? Array(line[marks.start...]) : line)
    }

    private mutating func process(content line: [UInt8]) {
        var line = line
        if builder?.framing.isDotted == true, line.last == 0x2e { line.removeLast() }
        switch builder?.add(line, number: lines) {
        case .taken?, nil: break
        case .ended(let rest)?:
            end(isTerminated: true)
            if !rest.isBlank { process(rest) }
        case .endedBefore?:
            end(isTerminated: false)
            process(line)
        }
    }

    private mutating func between(_ line: [UInt8]) {
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
        if lines <= 40, line.starts(with: "Frame "), line.contains(text: " bytes on wire") { isDissection = true }
        if let rest = LogMessageBuilder.afterClosingDashes(line, atLeast: isTypographic ? 3 : 6) {
            // The end of a message that ended before: text was put between.
            if !rest.isBlank { process(rest) }
            return
        }
        let marks = LogLine(line, &clock)
        if let next = framing(line, marks) {
            endParagraph()
            open(next, marks)
        } else if line.count >= 20, line.allSatisfy({ $0 == 0x3d }) {
            endParagraph()
            state = .kamailio([:], line: lines)
        } else if Self.isBareStart(line, from: marks.start) {
            endParagraph()
            open(LogFraming(bare: ()), marks)
            process(marks.isMarked ? Array(line[min(marks.start, line.count)...]) : line)
        } else if let remark = LoggedRemark(line, from: marks.start, marks.level) {
            endParagraph()
            give(.remark(remark), lines, lines, marks.time, nil)
        } else if line.isBlank {
            endParagraph()
        } else if !marks.isMarked {
            add(toParagraph: line)
        } else if let time = marks.time, Array(line[min(marks.start, line.count)...]).isBlank {
            announced = (time, lines)
        }
    }

    private mutating func kamailio(_ line: [UInt8], _ fields: [String: String], _ first: Int) {
        if line.count >= 20, line.allSatisfy({ $0 == 0x7e }) {
            func peer(_ host: String, _ port: String) -> LoggedPeer? {
                fields[host].map { LoggedPeer(host: $0, port: fields[port].flatMap { UInt16($0) }) }
            }
            var framing = LogFraming(kamailio: fields["tag"] == "snd" ? .sent : .received)
            let (source, destination) = (peer("srcip", "srcport"), peer("dstip", "dstport"))
            (framing.remote, framing.local) = fields["tag"] == "snd" ? (destination, source) : (source, destination)
            framing.transport = fields["proto"].flatMap { LogFraming.transport(Array($0.utf8.prefix { $0 != 0x20 })[...]) }
            var at = 0
            let time = fields["time"].flatMap { clock.time(Array($0.utf8), &at) }
            builder = LogMessageBuilder(framing, line: first, isTypographic: isTypographic, hasEntities: hasEntities)
            state = .message(time)
            return
        }
        guard fields.count < 32, let colon = line.firstIndex(of: 0x3a) else {
            // Not Kamailio's after all.
            state = .between
            if !(line.count >= 20 && line.allSatisfy { $0 == 0x3d }) {
                process(line)
            } else {
                state = .kamailio([:], line: lines)
            }
            return
        }
        var fields = fields
        let value = Array(line[(colon + 1)...]).trimmed
        fields[String(decoding: line[..<colon], as: UTF8.self)] = String(decoding: value.prefix(200), as: UTF8.self)
        state = .kamailio(fields, line: first)
    }

    // MARK: Openings and ends

    private mutating func framing(_ line: [UInt8], _ marks: LogLine) -> LogFraming? {
        LogFraming(line, from: Self.pastQuote(line, marks.start), &clock)
    }

    private mutating func opens(_ line: [UInt8]) -> Bool {
        var trial = clock
        let marks = LogLine(line, &trial)
        return LogFraming(line, from: Self.pastQuote(line, marks.start), &trial) != nil
    }

    private mutating func open(_ framing: LogFraming, _ marks: LogLine) {
        builder = LogMessageBuilder(framing, line: lines, isTypographic: isTypographic, hasEntities: hasEntities)
        state = .message(framing.time ?? marks.time ?? announced.flatMap { $0.line == lines - 1 ? $0.time : nil } ?? headTime)
    }

    private mutating func end(isTerminated: Bool) {
        if !dump.isEmpty {
            let payload = LogDress.payload(of: dump)
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
        let (first, last, format) = (ended.firstLine, ended.lastLine, ended.framing.format)
        guard let message = ended.finish(isTerminated: isTerminated) else { return }
        give(.message(message), first, last, time, format)
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

    private mutating func endParagraph() {
        guard let (text, first, last) = paragraph else { return }
        paragraph = nil
        paragraphs += 1
        give(.prose(String(decoding: text, as: UTF8.self)), first, last, nil, nil)
    }

    private mutating func give(
        _ kind: LoggedItem.Kind, _ first: Int, _ last: Int, _ time: LoggedTime?, _ format: LogFormat?
    ) {
        items.append(LoggedItem(line: first, lastLine: max(first, last), time: time, format: format, kind: kind))
    }
}
