import Analysis
import ShowText

extension ExplainText {
    /// Where the text of a finding begins; before it stands what the text is.
    private static let gutter = 8
    private static let mostEvidence = 8
    private static let mostExcerptLines = 8
    private static let mostNotes = 3

    func findings(_ style: ReportStyle) -> String {
        // What could not be seen stands with the sources.
        let told = result.findings.filter { $0.name != .captureBlind }
        let accusing = told.filter { $0.severity.accuses }
        let notes = told.filter { !$0.severity.accuses }
        guard !told.isEmpty else { return "No findings.\n\n" }
        var text = accusing.prefix(options.mostFindings).map { finding($0, style) }.joined()
        let more = accusing.dropFirst(options.mostFindings)
        if !more.isEmpty {
            text += style.paint("\(more.count) more (--finding NAME shows them in full)", .strong) + "\n"
            for finding in more.prefix(40) { text += brief(finding, style) }
            if more.count > 40 { text += indented("and \(more.count - 40) more.", style, .dim) }
            text += "\n"
        }
        guard !notes.isEmpty else { return text }
        if options.hidesNotes { return text + style.paint("\(notes.count) notes not shown.", .dim) + "\n\n" }
        for name in FindingName.allCases {
            let same = notes.filter { $0.name == name }
            if !same.isEmpty { text += note(same, style) }
        }
        return text + "\n"
    }

    private func head(_ finding: Finding, _ style: ReportStyle) -> String {
        let times = finding.count > 1 ? "  (\(finding.count) times)" : ""
        return
            "\(ExplainWords.mark(finding.severity, style.isUnicode)) \(finding.severity.rawValue)  \(finding.name.rawValue)\(times)"
    }

    private func finding(_ finding: Finding, _ style: ReportStyle) -> String {
        var text = style.paint(head(finding, style), ExplainWords.tone(finding.severity)) + "\n"
        text += indented(finding.summary, style, .strong)
        for (index, detail) in finding.details.enumerated() { text += line(index == 0 ? "Why" : "", detail, style) }
        var isFirst = true
        for evidence in finding.evidence.prefix(Self.mostEvidence) {
            let place = ExplainWords.place(evidence.place, result)
            text += line(isFirst ? "Seen" : "", evidence.says.isEmpty ? place : "\(place): \(evidence.says)", style, .accent)
            isFirst = false
            for excerpt in evidence.excerpt.split(separator: "\n").prefix(Self.mostExcerptLines) {
                // Two lines of a long header are enough to know it by.
                let room = 2 * (style.width - Self.gutter - 4)
                let cut = truncated(printable(String(excerpt)), to: room, isUnicode: style.isUnicode)
                text += indented(cut, style, .dim, by: Self.gutter + 4)
            }
        }
        if finding.evidence.count > Self.mostEvidence {
            text += line("", "\(finding.evidence.count - Self.mostEvidence) more places: --json lists all.", style, .dim)
        }
        text += line("Who", ExplainWords.culprit(finding.culprit), style)
        text += line("Sure", ExplainWords.certainty(finding.confidence), style)
        for (index, remedy) in finding.remedies.enumerated() {
            text += line(index == 0 ? "Do" : "or", remedy.text, style, index == 0 ? .strong : nil)
            for command in remedy.commands {
                text += indented(command, style, index == 0 ? .strong : nil, by: Self.gutter + 4)
            }
        }
        return text + "\n"
    }

    /// What is harmless takes little room: those of one name stand together.
    private func note(_ findings: [Finding], _ style: ReportStyle) -> String {
        let count = findings.reduce(0) { $0 + $1.count }
        var first = findings[0]
        first.count = count
        var text = style.paint(head(first, style), ExplainWords.tone(.note)) + "\n"
        for finding in findings.prefix(Self.mostNotes) {
            let place = finding.evidence.first.map { " (\(ExplainWords.place($0.place, result)))" } ?? ""
            text += indented(finding.summary + place, style)
            if findings.count == 1 { for detail in finding.details { text += indented(detail, style, .dim) } }
        }
        let more = findings.count - Self.mostNotes
        if more > 0 { text += indented("\(more) more of the same: --json lists all.", style, .dim) }
        return text
    }

    private func brief(_ finding: Finding, _ style: ReportStyle) -> String {
        let text = truncated(
            printable("\(head(finding, style))  \(finding.summary)"), to: style.width - 2, isUnicode: style.isUnicode)
        return "  " + style.paint(text, ExplainWords.tone(finding.severity)) + "\n"
    }

    /// A label in the margin, the text beside it.
    private func line(_ label: String, _ text: String, _ style: ReportStyle, _ tone: ReportTone? = nil) -> String {
        wrapped(printable(text), to: style.width - Self.gutter).enumerated().map { index, piece in
            let margin = padded(index == 0 ? "  \(label)" : "", to: Self.gutter)
            return (index == 0 ? style.paint(margin, .dim) : margin) + style.paint(piece, tone) + "\n"
        }.joined()
    }
}
