import Analysis
import Base
import ShowText

/// What `explain` says on a terminal: the verdict and the cure first, then what could not be seen, findings, ladders, streams and sides.
public struct ExplainText: Sendable {
    public struct Options: Sendable {
        /// Ladders are drawn of so many dialogs at most, those with accusing findings first.
        public var mostLadders = 3
        /// Lines of one ladder.
        public var mostMessages = 40
        /// Findings told in full; the rest gets a line each.
        public var mostFindings = 8
        /// Notes are counted, not told.
        public var hidesNotes = false
        /// Ladders of healthy dialogs too, where nothing accuses.
        public var showsHealthy = false

        public init() {}
    }

    /// Prose wider than this is hard to read, however wide the terminal is.
    private static let widestProse = 100

    let result: AnalysisResult
    let options: Options

    public init(_ result: AnalysisResult, _ options: Options = Options()) {
        self.result = result
        self.options = options
    }

    public func text(_ style: ReportStyle = .plain) -> String {
        var prose = style
        prose.width = min(style.width, Self.widestProse)
        var text = headline(prose)
        text += sources(prose)
        text += findings(prose)
        text += ladders(style)
        text += registrations(style)
        text += StreamTable(result).text(style)
        text += SideTable(result).text(style)
        while text.hasSuffix("\n\n") { text.removeLast() }
        return text
    }

    // MARK: The first screen

    private func headline(_ style: ReportStyle) -> String {
        let accusing = result.findings.filter { $0.severity.accuses }
        let tone: ReportTone =
            accusing.contains { $0.severity == .fault }
            ? .bad : accusing.isEmpty && !result.hasFailures && result.hasSubject && result.emptiedBy == nil ? .good : .warning
        var text = ""
        for line in wrapped(printable(result.verdict), to: style.width) { text += style.paint(line, tone) + "\n" }
        // The verdict tells the worst finding that is not about the capture itself: this is its cure.
        let worst = accusing.first { $0.name != .captureBlind } ?? accusing.first
        if let remedy = worst?.remedies.first {
            let lead = "What helps: "
            for (index, line) in wrapped(printable(remedy.text), to: style.width - lead.count).enumerated() {
                text += style.paint((index == 0 ? lead : String(repeating: " ", count: lead.count)) + line, .strong) + "\n"
            }
        }
        return text + "\n"
    }

    private func sources(_ style: ReportStyle) -> String {
        var text = ""
        for (index, source) in result.sources.enumerated() where source.holder == nil {
            for line in wrapped(printable(ExplainWords.source(source)), to: style.width) {
                text += style.paint(line, .dim) + "\n"
            }
            for spot in ExplainWords.blindSpots(of: index, result) {
                let tone: ReportTone = spot.severity.accuses ? .warning : .dim
                let head = spot.severity.accuses ? "capture.blind: " : ""
                text += indented(head + spot.text, style, tone)
            }
        }
        let counts = ExplainWords.counts(result.counts)
        for line in wrapped(counts.isEmpty ? "No messages." : counts, to: style.width) { text += style.paint(line, .dim) + "\n" }
        return text + "\n"
    }

    func indented(_ text: String, _ style: ReportStyle, _ tone: ReportTone? = nil, by depth: Int = 2) -> String {
        let indent = String(repeating: " ", count: depth)
        return wrapped(printable(text), to: style.width - depth).map { indent + style.paint($0, tone) + "\n" }.joined()
    }
}
