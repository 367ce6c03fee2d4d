/// What stands around the lines comes off, before they are read.
extension LogReader {
    mutating func line(_ raw: [UInt8]) {
        lines += 1
        var line = raw
        while line.last == 0x0d { line.removeLast() }
        // Blanks that a page put behind the line's end.
        if line.last == 0x20, let end = line.lastIndex(where: { $0 != 0x20 }), line[end] == 0x0d {
            line = Array(line[...end])
            while line.last == 0x0d { line.removeLast() }
        }
        if isQuotedPrintable {
            guard let plain = plainly(line) else { return }
            line = plain
        }
        line = margin.cut(line)
        noteEncoding(line)
        if table != nil || lines == 1, takesRow(line) { return }
        if hasEntities { line = LogTypography.withoutEntities(line) }
        if isTypographic { line = LogTypography.plain(line) }
        if line.last == 0x3e, line.contains(text: "</span>") {
            line = LogDress.withoutSpans(line)
            if !hasEntities, LogTypography.hasEntities(line) {
                hasEntities = true
                line = LogTypography.withoutEntities(line)
            }
        }
        if line.contains(text: "](") { line = LogTypography.withoutLinks(line) }
        line = LogTraces.removed(LogDress.undressed(line))
        line = withoutEnd(line)
        if let text = content(line) { line = text }
        if line.count > widest {
            widest = line.count
            builder?.widest = widest
        }
        if isFolded(line) {
            undressed(line)
            return
        }
        let records = LogUnwrapping.records(line)
        guard !records.isEmpty else {
            undressed(line)
            return
        }
        for record in records { read(record) }
    }

    /// `cat -A` and vi's `:set list` end each line with a dollar sign: from the first start line on that does.
    private mutating func withoutEnd(_ line: [UInt8]) -> [UInt8] {
        guard line.last == 0x24 else { return line }
        let rest = LogTraces.removed(Array(line.dropLast()))
        if !isDollared { isDollared = LogDress.startLine(in: rest) != nil || opens(rest) }
        return isDollared ? rest : line
    }

    /// A string of a program or of JSON, where lines of the log are such strings.
    private mutating func content(_ line: [UInt8]) -> [UInt8]? {
        guard let text = LogTraces.literal(line) else { return nil }
        if !isLiteral { isLiteral = opens(text) || LogDress.startLine(in: text) == 0 }
        return isLiteral ? text : nil
    }

    /// `first`: where its text begins, if that has lines of its own in the log.
    mutating func read(_ record: LogUnwrapping, first: Int? = nil) {
        let now = lines
        defer { lines = now }
        var wrapped = record
        if wrapped.isWhole {
            release(followedBy: nil)
            if case .message = state { end(isTerminated: false) }
        }
        // Beside a whole log in a post stands what is the post's.
        if !wrapped.hint.isEmpty, wrapped.lines.lazy.filter({ LogDress.startLine(in: $0) != nil }).prefix(2).count < 2 {
            var hint = HintedLine(wrapped.hint)
            hint.read(&clock)
            recordTime = hint.time
            if wrapped.isWhole { remember(wrapped.hint) }
        }
        if wrapped.isPage, !hasEntities, wrapped.lines.contains(where: { LogTypography.hasEntities($0) }) {
            hasEntities = true
            wrapped.lines = wrapped.lines.map { LogTypography.withoutEntities($0) }
        }
        for (index, piece) in wrapped.lines.enumerated() {
            if let first { lines = min(first + index, now) }
            undressed(wrapped.hint.isEmpty ? piece : LogDress.undressed(piece))
        }
        if wrapped.isWhole {
            release(followedBy: nil)
            end(isTerminated: false)
        }
        recordTime = nil
    }

    mutating func undressed(_ line: [UInt8]) {
        let isHead = release(followedBy: line)
        headTime = recordTime
        learnHead(line)
        if !head.isEmpty, let start = LogDress.after(head, in: line) {
            headTime = LogLine(Array(line[..<start]), &clock).time ?? recordTime
            process(Array(line[start...]))
            headTime = nil
            return
        }
        if !isHead, let start = LogDress.startLine(in: line) ?? dottedStart(line), start > 0, start <= 256,
            // Octets of a packet's head may touch it.
            !LogDress.isSeam(line[start - 1])
                || line[..<start].contains(where: { LogDress.isDigit($0) || (0x41...0x5a).contains($0 & 0xdf) })
        {
            held = (line, start, lines)
            return
        }
        process(line)
        headTime = nil
    }

    /// A start line that ends with ngrep's dot, with something before it.
    private func dottedStart(_ line: [UInt8]) -> Int? {
        line.last == 0x2e ? LogDress.startLine(in: Array(line.dropLast())).flatMap { $0 > 0 ? $0 : nil } : nil
    }

    /// FreeSWITCH's rule stands between what opens a message and its start line: what it begins with each line does.
    private mutating func learnHead(_ line: [UInt8]) {
        guard head.isEmpty, builder?.framing.hasRule == true, builder?.isEmpty == true, line.last == 0x2d,
            let end = line.lastIndex(where: { $0 != 0x2d }), line.count - end > 20
        else { return }
        let text = line[...end].lastIndex { $0 != 0x20 }
        // One of the blanks is the head's, the others are how the message is set in.
        if let text, (4...200).contains(text) { head = Array(line[...min(text + 1, end)]) }
    }

    /// What was held back is read: without its head if the next line has the same one before a header field, or is one itself. True: each
    /// line has it.
    @discardableResult
    mutating func release(followedBy next: [UInt8]?) -> Bool {
        guard let (line, start, number) = held else { return false }
        held = nil
        // What follows may be a piece of the same line.
        let now = lines
        lines = number
        isDotting = line.last == 0x2e && next?.last == 0x2e
        defer { (lines, isDotting) = (now, false) }
        let candidate = Array(line[..<start])
        guard let next else {
            process(line)
            return false
        }
        // grep's `full-12-` before lines around what it found.
        let isGrep = line[start - 1] == 0x2d && start > 1 && LogDress.isDigit(line[start - 2])
        if LogDress.isSeam(line[start - 1]) || isGrep, let rest = LogDress.after(candidate, in: next),
            LogDress.isField(next[rest...])
        {
            head = candidate
            headTime = LogLine(candidate, &clock).time ?? recordTime
            process(Array(line[start...]))
            headTime = nil
            return true
        }
        if case .between = state, LogDress.isSIPField(next[...]) {
            let marks = LogLine(line, &clock)
            if framing(line, marks) == nil {
                remember(candidate)
                process(Array(line[start...]))
                return false
            }
        }
        process(line)
        return false
    }
}
