/// A line being typed at a terminal (VT100): keys in, bytes to show out. One line, ASCII; a longer one than fits scrolls sideways.
struct LineEditor: Sendable {
    /// What a key led to, besides a changed line.
    enum Event: Hashable, Sendable {
        case line(String)
        /// Ctrl-C.
        case interrupt
        /// Ctrl-D on an empty line.
        case end
        case complete
        case help
    }

    enum Key: Hashable, Sendable {
        case text(UInt8)
        case enter, backspace, delete, left, right, up, down, home, end, tab, escape
        case control(UInt8)
    }

    static let longest = 1000
    static let historyCap = 50

    private(set) var line: [UInt8] = []
    private(set) var cursor = 0
    /// What stands before the line.
    var prompt = ""
    /// Columns.
    var width = 80
    /// Nothing that is typed is shown, nor kept in the history.
    var isSecret = false
    private var history: [[UInt8]] = []
    /// Which entry of the history is shown; its count: the line that is typed.
    private var shown = 0
    /// The typed line while another is shown.
    private var draft: [UInt8] = []

    var text: String { String(decoding: line, as: UTF8.self) }

    /// What stands before the cursor.
    var textBeforeCursor: String { String(decoding: line[..<cursor], as: UTF8.self) }

    // MARK: Keys

    /// Takes one key. `out`: appended to, what to show.
    mutating func take(_ key: Key, _ out: inout [UInt8]) -> Event? {
        switch key {
        case .text(let byte):
            if byte == 0x3f, !isSecret { return .help }
            insert([byte], &out)
        case .enter: return finish(&out)
        case .tab: return isSecret ? nil : .complete
        case .backspace: erase(cursor - 1, &out)
        case .delete: erase(cursor, &out)
        case .left: move(to: cursor - 1, &out)
        case .right: move(to: cursor + 1, &out)
        case .home: move(to: 0, &out)
        case .end: move(to: line.count, &out)
        case .up: recall(shown - 1, &out)
        case .down: recall(shown + 1, &out)
        case .escape: break
        case .control(let byte): return control(byte, &out)
        }
        return nil
    }

    private mutating func control(_ byte: UInt8, _ out: inout [UInt8]) -> Event? {
        switch byte {
        case 0x01: move(to: 0, &out)
        case 0x02: move(to: cursor - 1, &out)
        case 0x03:
            out += "^C\r\n".utf8
            clear()
            return .interrupt
        case 0x04:
            if line.isEmpty { return .end }
            erase(cursor, &out)
        case 0x05: move(to: line.count, &out)
        case 0x06: move(to: cursor + 1, &out)
        case 0x0b: replace(cursor..<line.count, &out)
        case 0x0c:
            out += "\u{1b}[H\u{1b}[2J".utf8
            draw(&out)
        case 0x0e: recall(shown + 1, &out)
        case 0x10: recall(shown - 1, &out)
        case 0x15: replace(0..<cursor, &out)
        case 0x17: replace(wordStart..<cursor, &out)
        default: out.append(Self.bell)
        }
        return nil
    }

    private static let bell: UInt8 = 0x07

    private var wordStart: Int {
        var at = cursor
        while at > 0, line[at - 1] == 0x20 { at -= 1 }
        while at > 0, line[at - 1] != 0x20 { at -= 1 }
        return at
    }

    private mutating func finish(_ out: inout [UInt8]) -> Event {
        let text = text
        out += "\r\n".utf8
        if !isSecret, !text.allSatisfy(\.isWhitespace), history.last != line {
            if history.count == Self.historyCap { history.removeFirst() }
            history.append(line)
        }
        clear()
        return .line(text)
    }

    /// What was typed at the login is nothing to come back to.
    mutating func forgetHistory() {
        history = []
        clear()
    }

    mutating func clear() {
        line = []
        cursor = 0
        draft = []
        shown = history.count
    }

    // MARK: Changing

    /// Puts bytes at the cursor; a bell where there is no room.
    mutating func insert(_ bytes: [UInt8], _ out: inout [UInt8]) {
        guard line.count + bytes.count <= Self.longest else {
            out.append(Self.bell)
            return
        }
        let isAtEnd = cursor == line.count
        line.insert(contentsOf: bytes, at: cursor)
        cursor += bytes.count
        guard !isSecret else { return }
        // The common case needs no more than the bytes themselves.
        if isAtEnd, prompt.utf8.count + line.count < width { out += bytes } else { draw(&out) }
    }

    /// Takes `count` bytes before the cursor out, for others to come.
    mutating func dropBeforeCursor(_ count: Int) {
        let count = min(count, cursor)
        line.removeSubrange(cursor - count..<cursor)
        cursor -= count
    }

    private mutating func erase(_ index: Int, _ out: inout [UInt8]) {
        guard line.indices.contains(index) else {
            if !isSecret { out.append(Self.bell) }
            return
        }
        replace(index..<index + 1, &out)
    }

    private mutating func replace(_ range: Range<Int>, _ out: inout [UInt8]) {
        line.removeSubrange(range)
        cursor = range.lowerBound
        draw(&out)
    }

    private mutating func move(to position: Int, _ out: inout [UInt8]) {
        guard (0...line.count).contains(position) else {
            if !isSecret { out.append(Self.bell) }
            return
        }
        cursor = position
        draw(&out)
    }

    private mutating func recall(_ index: Int, _ out: inout [UInt8]) {
        guard !isSecret, (0...history.count).contains(index), index != shown else {
            out.append(Self.bell)
            return
        }
        if shown == history.count { draft = line }
        shown = index
        line = index == history.count ? draft : history[index]
        cursor = line.count
        draw(&out)
    }

    // MARK: Showing

    /// Prompt and line anew, the cursor where it belongs.
    func draw(_ out: inout [UInt8]) {
        guard !isSecret else { return }
        let room = max(8, width - prompt.utf8.count - 1)
        let start = cursor <= room ? 0 : cursor - room
        let end = min(line.count, start + room)
        out += "\r\(prompt)".utf8
        out += line[start..<end]
        out += "\u{1b}[K".utf8
        if end > cursor { out += "\u{1b}[\(end - cursor)D".utf8 }
    }
}
