import Base

/// A ladder diagram: who sent what to whom when, time running down, with remarks.
public struct Ladder: Sendable {
    public struct Event: Hashable, Sendable {
        public enum Kind: Hashable, Sendable {
            /// A message from one participant to another, by their index.
            case arrow(from: Int, to: Int, label: String)
            /// A message that did not arrive: it ends before `to`.
            case lost(from: Int, to: Int, label: String)
            /// Something at one participant.
            case mark(at: Int)
            /// A heading over all columns.
            case heading(String)
        }

        /// From the ladder's start.
        public var at: Duration
        public var kind: Kind
        /// An arrow's label where there is no room for the full one.
        public var brief: String?
        /// What it means; lines are kept, long ones wrapped; empty for none.
        public var remark: String
        public var tone: ReportTone?
        /// What stands in the place of the time, where no time is known.
        public var stamp: String?

        public init(_ at: Duration, _ kind: Kind, _ remark: String = "", _ tone: ReportTone? = nil, brief: String? = nil) {
            self.at = at
            self.kind = kind
            self.brief = brief
            self.remark = remark
            self.tone = tone
        }
    }

    /// Left to right.
    public var participants: [String]
    public var events: [Event]

    public init(_ participants: [String], _ events: [Event] = []) {
        self.participants = participants
        self.events = events
    }

    /// Where things stand on a line.
    private struct Columns {
        /// Of each lifeline.
        var lifelines: [Int]
        /// Where remarks begin, and how wide they may be.
        var remarks: Int
        var remarkWidth: Int
    }

    private static let timeWidth = 11

    /// Lines, each ended by a line feed.
    public func text(_ style: ReportStyle = .plain) -> String {
        guard !participants.isEmpty else { return "" }
        let columns = columns(style.width)
        var text = header(columns, style)
        var last: Duration?
        for event in events {
            // A pause is shown, so that the eye sees what the clock says.
            if let last, event.at - last >= .seconds(2) {
                let pause = "\(Self.short(event.at - last)) later"
                text += line(time: "", cells(columns, style), style.paint(pause, .dim), columns) + "\n"
            }
            last = event.at
            text += self.text(event, columns, style)
        }
        return text
    }

    private func columns(_ width: Int) -> Columns {
        let count = participants.count
        // Two thirds for the ladder, one for remarks, but no gap wider than labels need, and none narrower than 12.
        let labels = events.map { event -> Int in
            switch event.kind {
            case .arrow(let from, let to, let label), .lost(let from, let to, let label):
                (displayWidth(label) + 6) / max(1, abs(to - from))
            case .mark, .heading: 0
            }
        }
        let names = participants.map { displayWidth($0) + 2 }
        let wanted = max(16, labels.max() ?? 0, names.max() ?? 0)
        // The remarks' own least room goes first on a narrow screen.
        let least = Self.timeWidth + 4
        let room = count > 1 ? min(width * 2 / 3 - least, width - least - 25) / (count - 1) : 0
        let gap = max(12, min(wanted, room))
        let lifelines = (0..<count).map { Self.timeWidth + 4 + $0 * gap }
        let remarks = (lifelines.last ?? 0) + 5
        return Columns(lifelines: lifelines, remarks: remarks, remarkWidth: max(20, width - remarks))
    }

    private func header(_ columns: Columns, _ style: ReportStyle) -> String {
        var line = ""
        for (index, name) in participants.enumerated() {
            let gap =
                index + 1 < columns.lifelines.count
                ? columns.lifelines[index + 1] - columns.lifelines[index] - 1 : columns.remarkWidth
            let name = truncated(printable(name), to: gap, isUnicode: style.isUnicode)
            let start = max(displayWidth(line) + (index == 0 ? 0 : 1), columns.lifelines[index] - displayWidth(name) / 2)
            line = padded(line, to: start) + name
        }
        return style.paint(line, .strong) + "\n" + self.line(time: "", cells(columns, style), "", columns) + "\n"
    }

    /// The lifelines as an array of one-column strings, up to where remarks begin.
    private func cells(_ columns: Columns, _ style: ReportStyle) -> [String] {
        var cells = [String](repeating: " ", count: columns.remarks)
        for lifeline in columns.lifelines { cells[lifeline] = style.glyph("│", "|") }
        return cells
    }

    private func line(time: String, _ cells: [String], _ remark: String, _ columns: Columns) -> String {
        var line = padded(time, to: Self.timeWidth, onTheLeft: true) + cells[Self.timeWidth...].joined()
        line += remark
        while line.last == " " { line.removeLast() }
        return line
    }

    private func text(_ event: Event, _ columns: Columns, _ style: ReportStyle) -> String {
        var cells = cells(columns, style)
        switch event.kind {
        case .heading(let heading):
            let rule = style.glyph("──", "--")
            let head = "\(rule) \(Self.clock(event.at)) \(rule) "
            return wrapped(printable(heading), to: style.width - displayWidth(head)).enumerated().map { index, line in
                let start = index == 0 ? head : String(repeating: " ", count: displayWidth(head))
                return style.paint(start + line, event.tone ?? .strong) + "\n"
            }.joined()
        case .mark(let at):
            guard participants.indices.contains(at) else { return "" }
            cells[columns.lifelines[at]] = style.paint(style.glyph("●", "*"), event.tone)
        case .arrow(let from, let to, let label):
            guard draw(from, to, label, event.brief, isLost: false, event.tone, into: &cells, columns, style) else { return "" }
        case .lost(let from, let to, let label):
            guard draw(from, to, label, event.brief, isLost: true, event.tone ?? .bad, into: &cells, columns, style) else {
                return ""
            }
        }
        let remarks = event.remark.split(separator: "\n", omittingEmptySubsequences: false).flatMap {
            wrapped(printable(String($0)), to: columns.remarkWidth)
        }
        var text =
            line(time: event.stamp ?? Self.clock(event.at), cells, style.paint(remarks.first ?? "", event.tone), columns) + "\n"
        for remark in remarks.dropFirst() {
            text += line(time: "", self.cells(columns, style), style.paint(remark, event.tone), columns) + "\n"
        }
        return text
    }

    /// Draws an arrow with its label into the line; false if there is no such participant.
    private func draw(
        _ from: Int, _ to: Int, _ label: String, _ brief: String?, isLost: Bool, _ tone: ReportTone?,
        into cells: inout [String], _ columns: Columns, _ style: ReportStyle
    ) -> Bool {
        guard participants.indices.contains(from), participants.indices.contains(to), from != to else { return false }
        let (left, right) = (columns.lifelines[min(from, to)], columns.lifelines[max(from, to)])
        let dash = style.glyph("─", "-")
        let inside = right - left - 1
        var shaft = [String](repeating: dash, count: inside)
        // Head, two spaces and one piece of shaft, at the least.
        let room = inside - (isLost ? 5 : 4)
        let full = printable(label)
        let fitting = displayWidth(full) <= room ? full : printable(brief ?? label)
        let text = truncated(fitting, to: room, isUnicode: style.isUnicode)
        // Wide characters take a cell and leave the next empty.
        var letters: [String] = [" "]
        for character in text {
            letters.append(String(character))
            letters += [String](repeating: "", count: max(0, displayWidth(String(character)) - 1))
        }
        letters.append(" ")
        if text.isEmpty { letters = [] }
        let start = max(0, (inside - letters.count) / 2)
        for (index, letter) in letters.enumerated() where start + index < inside { shaft[start + index] = letter }
        let isRightwards = to > from
        let head = isLost ? style.glyph("✗", "x") : isRightwards ? style.glyph("▶", ">") : style.glyph("◀", "<")
        let place = isRightwards ? inside - 1 : 0
        shaft[place] = head
        if isLost { shaft[isRightwards ? inside - 2 : 1] = dash }
        for index in shaft.indices { cells[left + 1 + index] = "" }
        cells[left + 1] = style.paint(shaft.joined(), tone)
        return true
    }

    /// `1:02:03.456` or `3.456`, by need.
    package static func clock(_ time: Duration) -> String {
        let milliseconds = max(0, time.wholeMilliseconds)
        let fraction = padded3(milliseconds % 1000)
        let seconds = milliseconds / 1000
        if seconds < 60 { return "\(seconds).\(fraction)" }
        let rest = seconds % 60 < 10 ? "0\(seconds % 60)" : "\(seconds % 60)"
        if seconds < 3600 { return "\(seconds / 60):\(rest).\(fraction)" }
        let minutes = seconds / 60 % 60 < 10 ? "0\(seconds / 60 % 60)" : "\(seconds / 60 % 60)"
        return "\(seconds / 3600):\(minutes):\(rest).\(fraction)"
    }

    private static func padded3(_ value: Int64) -> String {
        let digits = String(value)
        return String(repeating: "0", count: 3 - digits.count) + digits
    }

    /// `5 s`, `2 min`, `1 h 5 min`.
    static func short(_ time: Duration) -> String {
        let seconds = time.wholeSeconds
        if seconds < 120 { return "\(seconds) s" }
        if seconds < 7200 { return seconds % 60 == 0 ? "\(seconds / 60) min" : "\(seconds / 60) min \(seconds % 60) s" }
        return seconds / 60 % 60 == 0 ? "\(seconds / 3600) h" : "\(seconds / 3600) h \(seconds / 60 % 60) min"
    }
}
