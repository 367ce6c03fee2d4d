/// Where the parts of the first line stand.
enum StartLinePlaces: Sendable {
    case request(method: TextSpan, uri: TextSpan)
    case response(status: Int, reason: TextSpan)
}

/// What taking a message apart gives: the work behind `SIPMessage.init`.
struct SIPMessageParts: Sendable {
    let text: [UInt8]
    let fields: [SIPMessage.Field]
    /// Bit `id & 63` is set for every name in `fields`: most questions after absent ones end here.
    let namesPresent: UInt64
    let startLine: StartLinePlaces
    let version: TextSpan
    let headerEnd: Int
    let body: Range<Int>
    let contentLength: Int?
    let flaw: SIPParseError?

    init(_ bytes: [UInt8], _ limits: SIPLimits) throws(SIPParseError) {
        guard bytes.count <= min(limits.messageBytes, Int(Int32.max)) else {
            throw SIPParseError(.messageTooLarge, at: limits.messageBytes)
        }
        var scan = FieldScan(limits: limits)
        (startLine, version) = try SIPText(bytes).withCursor {
            (cursor, _) throws(SIPParseError) -> (StartLinePlaces, TextSpan) in
            // RFC 3261 7.5: line ends before the start line are ignored.
            while cursor.peek == 0x0D, cursor.peek(1) == 0x0A { cursor.at &+= 2 }
            guard !cursor.isAtEnd else { throw SIPParseError(.empty, at: cursor.at) }
            let start = try scan.startLine(&cursor)
            try scan.readFields(cursor)
            return start
        }
        var text = bytes
        for place in scan.folds {
            text[place] = 0x20
            text[place + 1] = 0x20
        }
        scan.body = min(scan.headerEnd + 2, bytes.count)..<bytes.count
        scan.readContentLength(in: text)
        self.text = text
        fields = scan.fields
        namesPresent = scan.namesPresent
        headerEnd = scan.headerEnd
        body = scan.body
        contentLength = scan.contentLength
        flaw = scan.flaw
    }
}

/// Finds the lines of a message.
struct FieldScan {
    let limits: SIPLimits
    var fields: [SIPMessage.Field] = []
    /// The CR of every fold.
    var folds: [Int] = []
    var headerEnd = 0
    var namesPresent: UInt64 = 0
    var body = 0..<0
    var contentLength: Int?
    var flaw: SIPParseError?

    init(limits: SIPLimits) { self.limits = limits }

    private mutating func note(_ reason: SIPParseError.Reason, at offset: Int) {
        if flaw == nil { flaw = SIPParseError(reason, at: offset) }
    }

    /// RFC 3261 18.3: bytes beyond Content-Length are no part of the message; too few are an error.
    mutating func readContentLength(in text: [UInt8]) {
        var isFirst = true
        for field in fields where field.id == HeaderName.contentLength.id {
            let value = SIPText(unchecked: text, Int(field.value), Int(field.valueEnd))
            guard isFirst else {
                note(.repeated(.contentLength), at: Int(field.name))
                contentLength = nil
                return
            }
            isFirst = false
            guard let length = value.saturatedDecimal else {
                note(.number, at: Int(field.value))
                continue
            }
            contentLength = Int(length)
            guard Int(length) <= body.count else {
                note(.bodyTruncated, at: body.upperBound)
                continue
            }
            body = body.lowerBound..<(body.lowerBound + Int(length))
        }
    }

    /// Leaves the cursor behind the line's end.
    mutating func startLine(_ cursor: inout Cursor) throws(SIPParseError) -> (StartLinePlaces, TextSpan) {
        let start = cursor.at
        let lineEnd = cursor.placeOfLineEnd()
        guard lineEnd &- start <= limits.headerBytes else { throw SIPParseError(.headerTooLarge, at: start) }
        guard lineEnd &+ 1 < cursor.end, cursor.base[lineEnd] == 0x0D, cursor.base[lineEnd &+ 1] == 0x0A else {
            throw SIPParseError(lineEnd &+ 1 >= cursor.end ? .headerTruncated : .lineEnd, at: lineEnd)
        }
        defer { cursor.at = lineEnd &+ 2 }
        var line = cursor.part(start, lineEnd)
        if lineEnd &- start >= 4, line.matches(start, start &+ 4, "SIP/") { return try statusLine(&line) }
        line.skip(.token)
        let method = TextSpan(start, line.at)
        guard line.at > start else { throw SIPParseError(.startLine, at: start) }
        guard line.peek == 0x20 else { throw SIPParseError(line.isAtEnd ? .startLine : .method, at: line.at) }
        line.at &+= 1
        let uriStart = line.at
        var end = lineEnd
        while end > uriStart, line.isIn(.whitespace, line.base[end &- 1]) { end &-= 1 }
        if end < lineEnd { note(.startLineSpacing, at: end) }
        var versionStart = end
        while versionStart > uriStart, !line.isIn(.whitespace, line.base[versionStart &- 1]) { versionStart &-= 1 }
        guard versionStart > uriStart else { throw SIPParseError(.startLine, at: versionStart) }
        guard isVersion(line, versionStart, end) else { throw SIPParseError(.version, at: versionStart) }
        let uriEnd = versionStart &- 1
        guard uriEnd > uriStart else { throw SIPParseError(.startLine, at: uriStart) }
        for place in uriStart..<uriEnd where line.isIn(.whitespace, line.base[place]) {
            note(.startLineSpacing, at: place)
            break
        }
        if line.base[uriEnd] != 0x20 { note(.startLineSpacing, at: uriEnd) }
        return (.request(method: method, uri: TextSpan(uriStart, uriEnd)), TextSpan(versionStart, end))
    }

    private mutating func statusLine(_ line: inout Cursor) throws(SIPParseError) -> (StartLinePlaces, TextSpan) {
        let start = line.at
        while !line.isAtEnd, line.peek != 0x20 { line.at &+= 1 }
        let versionEnd = line.at
        guard isVersion(line, start, versionEnd) else { throw SIPParseError(.version, at: start) }
        guard line.skip(0x20) else { throw SIPParseError(.startLine, at: line.at) }
        let code = line.at
        line.skip(.digit)
        var digits = line.part(code, line.at)
        guard line.at &- code == 3, let status = try? digits.decimal(.statusCode), status >= 100, status <= 699 else {
            throw SIPParseError(.statusCode, at: code)
        }
        // The space is due even before an empty reason; devices that leave it out are understood all the same.
        guard line.isAtEnd || line.skip(0x20) else { throw SIPParseError(.statusCode, at: line.at) }
        if !line.matches(start, versionEnd, "SIP/2.0") { note(.unsupportedVersion, at: start) }
        return (.response(status: Int(status), reason: TextSpan(line.at, line.end)), TextSpan(start, versionEnd))
    }

    /// `SIP/` digits `.` digits.
    private func isVersion(_ line: Cursor, _ start: Int, _ end: Int) -> Bool {
        guard end &- start >= 7, line.matches(start, start &+ 4, "SIP/") else { return false }
        var version = line.part(start &+ 4, end)
        let major = version.at
        version.skip(.digit)
        guard version.at > major, version.skip(UInt8(ascii: ".")) else { return false }
        let minor = version.at
        version.skip(.digit)
        return version.at > minor && version.isAtEnd
    }

    /// Field lines up to the empty line.
    mutating func readFields(_ cursor: Cursor) throws(SIPParseError) {
        // As many as nearly every message has, and no more than the stack takes: an array would ask at each whether it is its own.
        try withUnsafeTemporaryAllocation(of: SIPMessage.Field.self, capacity: 48) {
            (few) throws(SIPParseError) -> Void in
            var count = 0
            try readFields(cursor, few, &count)
            fields.append(contentsOf: UnsafeBufferPointer(rebasing: few[..<count]))
        }
    }

    /// `few` is emptied into `fields` whenever it is full; `count` says how many it holds.
    @inline(__always)
    private mutating func readFields(
        _ cursor: Cursor, _ few: UnsafeMutableBufferPointer<SIPMessage.Field>, _ count: inout Int
    ) throws(SIPParseError) {
        let names = HeaderNameTable.shared
        // A copy that lives in registers; nobody reads on behind the fields.
        var cursor = cursor
        while true {
            let start = cursor.at
            guard start < cursor.end else {
                // Whole lines, but no empty one behind them: answerable.
                note(.headerTruncated, at: start)
                headerEnd = start
                return
            }
            if cursor.base[start] == 0x0D {
                guard cursor.peek(1) == 0x0A else { throw SIPParseError(.lineEnd, at: start) }
                headerEnd = start
                return
            }
            if count == few.count {
                fields.append(contentsOf: few)
                count = 0
            }
            guard fields.count &+ count < limits.headers else { throw SIPParseError(.tooManyHeaders, at: start) }
            let name = cursor.fieldName(names)
            let valueStart = name == nil ? start : cursor.at
            let lineEnd = try endOfField(&cursor, start)
            var from = valueStart
            var to = lineEnd
            while from < to, cursor.base[from] <= 0x20, isBlank(cursor.base[from]) { from &+= 1 }
            while to > from, cursor.base[to &- 1] <= 0x20, isBlank(cursor.base[to &- 1]) { to &-= 1 }
            if name == nil { note(.headerLine, at: cursor.endOfRun(of: .token, from: start, cursor.end)) }
            let id = name?.id ?? SIPMessage.Field.broken
            namesPresent |= 1 << UInt64(id & 63)
            few.initializeElement(
                at: count,
                to: SIPMessage.Field(
                    name: UInt32(truncatingIfNeeded: start), nameEnd: UInt32(truncatingIfNeeded: name?.end ?? start),
                    value: UInt32(truncatingIfNeeded: from), valueEnd: UInt32(truncatingIfNeeded: to),
                    id: id))
            count &+= 1
        }
    }

    @inline(__always)
    private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A }

    /// Where the line end of a field stands, folds skipped; leaves the cursor behind it.
    @inline(__always)
    private mutating func endOfField(_ cursor: inout Cursor, _ start: Int) throws(SIPParseError) -> Int {
        while true {
            let lineEnd = cursor.placeOfLineEnd()
            guard lineEnd &- start <= limits.headerBytes else { throw SIPParseError(.headerTooLarge, at: start) }
            guard lineEnd &+ 1 < cursor.end else { throw SIPParseError(.headerTruncated, at: cursor.end) }
            guard cursor.base[lineEnd] == 0x0D, cursor.base[lineEnd &+ 1] == 0x0A else {
                throw SIPParseError(.lineEnd, at: lineEnd)
            }
            cursor.at = lineEnd &+ 2
            guard cursor.peek == 0x20 || cursor.peek == 0x09 else { return lineEnd }
            folds.append(lineEnd)
        }
    }
}
