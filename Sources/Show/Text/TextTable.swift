/// A table of text: headings, rows, columns as wide as they need to be, the widest ones wrapped where there is no room.
public struct TextTable: Sendable {
    public enum Alignment: Hashable, Sendable { case left, right }

    public struct Column: Hashable, Sendable {
        public var heading: String
        public var alignment: Alignment

        public init(_ heading: String, _ alignment: Alignment = .left) {
            self.heading = heading
            self.alignment = alignment
        }
    }

    /// A cell's text and what it stands for.
    public struct Cell: Hashable, Sendable, ExpressibleByStringLiteral {
        public var text: String
        public var tone: ReportTone?

        public init(_ text: String, _ tone: ReportTone? = nil) {
            self.text = text
            self.tone = tone
        }

        public init(stringLiteral value: String) { self.init(value) }
    }

    public var columns: [Column]
    /// Rows with fewer cells than columns end early; surplus cells are left out.
    public var rows: [[Cell]]

    public init(_ columns: [Column], _ rows: [[Cell]]) {
        self.columns = columns
        self.rows = rows
    }

    /// Lines, each ended by a line feed. Control characters in cells are made visible.
    public func text(_ style: ReportStyle = .plain) -> String {
        guard !columns.isEmpty else { return "" }
        let safe = rows.map { row in row.prefix(columns.count).map { Cell(printable($0.text), $0.tone) } }
        let widths = widths(safe, style.width)
        var text = line(columns.map { Cell($0.heading, .strong) }, widths, style)
        let rule = widths.map { String(repeating: style.glyph("─", "-"), count: $0) }.joined(separator: "  ")
        text += style.paint(rule, .dim) + "\n"
        for row in safe { text += line(row, widths, style) }
        return text
    }

    /// The widest columns give way until the row fits; none falls below eight columns or its own need.
    private func widths(_ rows: [[Cell]], _ room: Int) -> [Int] {
        var widths = columns.map { displayWidth($0.heading) }
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], displayWidth(cell.text)) }
        }
        let gaps = 2 * (columns.count - 1)
        while widths.reduce(gaps, +) > room {
            guard let widest = widths.indices.max(by: { widths[$0] < widths[$1] }), widths[widest] > 8 else { break }
            widths[widest] -= 1
        }
        return widths
    }

    private func line(_ cells: [Cell], _ widths: [Int], _ style: ReportStyle) -> String {
        let parts = cells.enumerated().map { wrapped($1.text, to: widths[$0]) }
        var text = ""
        for row in 0..<(parts.map(\.count).max() ?? 0) {
            var line = ""
            for (index, part) in parts.enumerated() {
                let piece = row < part.count ? part[row] : ""
                let filled = padded(piece, to: widths[index], onTheLeft: columns[index].alignment == .right)
                // Spaces stay uncoloured, so that trailing ones can go.
                let painted =
                    piece.isEmpty
                    ? filled : filled.replacing(piece, with: style.paint(piece, cells[index].tone), maxReplacements: 1)
                line += (index > 0 ? "  " : "") + painted
            }
            while line.last == " " { line.removeLast() }
            text += line + "\n"
        }
        return text
    }
}

/// A plain table of all-left columns, as wide as it needs to be; without the last line feed.
public func textTable(_ headings: [String], _ rows: [[String]]) -> String {
    let table = TextTable(headings.map { TextTable.Column($0) }, rows.map { $0.map { TextTable.Cell(printable($0)) } })
    var text = table.text(ReportStyle(isUnicode: false, width: 10_000))
    if text.last == "\n" { text.removeLast() }
    return text
}
