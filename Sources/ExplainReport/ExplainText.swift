import Analysis
import Base
import ReportText

/// What `explain` says on a terminal: the verdict first, then findings, then ladders, streams and sides.
public struct ExplainText: Sendable {
    public struct Options: Sendable {
        /// Ladders are drawn of so many dialogs at most, those with accusing findings first.
        public var mostLadders = 3
        /// Lines of one ladder.
        public var mostMessages = 40
        /// Notes are counted, not told.
        public var hidesNotes = false
        /// Ladders of healthy dialogs too, where nothing accuses.
        public var showsHealthy = false

        public init() {}
    }

    let result: AnalysisResult
    let options: Options

    public init(_ result: AnalysisResult, _ options: Options = Options()) {
        self.result = result
        self.options = options
    }

    public func text(_ style: ReportStyle = .plain) -> String {
        var text = headline(style)
        text += sources(style)
        text += findings(style)
        text += ladders(style)
        text += registrations(style)
        text += StreamTable(result).text(style)
        text += SideTable(result).text(style)
        return text
    }

    private func headline(_ style: ReportStyle) -> String {
        let tone: ReportTone =
            result.findings.contains { $0.severity == .fault } ? .bad : result.hasAccusations ? .warning : .good
        var text = ""
        for line in wrapped(printable(result.verdict), to: style.width) {
            text += style.isColoured ? style.paint(line, tone) + "\n" : line + "\n"
        }
        return text + "\n"
    }

    private func sources(_ style: ReportStyle) -> String {
        let counts = result.counts
        var parts: [String] = []
        func add(_ count: Int, _ one: String, _ many: String) { if count > 0 { parts.append("\(count) \(count == 1 ? one : many)") } }
        add(counts.sip, "SIP message", "SIP messages")
        add(counts.dialogs, "dialog", "dialogs")
        add(counts.rtp, "RTP packet", "RTP packets")
        add(counts.rtcp, "RTCP packet", "RTCP packets")
        add(counts.stun, "STUN message", "STUN messages")
        add(counts.icmp, "ICMP error", "ICMP errors")
        add(counts.malformed, "malformed message", "malformed messages")
        var text = ""
        for source in result.sources {
            let unit = source.kind == .log ? "lines" : source.kind == .live ? "messages" : "frames"
            var line = "\(source.name): \(source.frames) \(unit)"
            if let first = source.first, let last = source.last {
                line += ", \(CalendarTime(first)) UTC, \(ExplainWords.duration(last - first))"
            }
            text += style.paint(printable(line), .dim) + "\n"
        }
        return text + style.paint(parts.isEmpty ? "no messages" : parts.joined(separator: ", "), .dim) + "\n\n"
    }

    // MARK: Findings

    private func findings(_ style: ReportStyle) -> String {
        let shown = result.findings.filter { !options.hidesNotes || $0.severity.accuses || $0.name == .captureBlind }
        guard !shown.isEmpty else { return "No findings.\n\n" }
        let text = shown.map { finding($0, style) }.joined()
        let hidden = result.findings.count - shown.count
        return hidden == 0 ? text : text + style.paint("\(hidden) notes not shown.", .dim) + "\n\n"
    }

    private func finding(_ finding: Finding, _ style: ReportStyle) -> String {
        var head = "\(ExplainWords.mark(finding.severity, style.isUnicode)) \(finding.severity.rawValue)  \(finding.name.rawValue)"
        if finding.count > 1 { head += "  (\(finding.count) times)" }
        var text = style.paint(head, ExplainWords.tone(finding.severity)) + "\n"
        text += indented(finding.summary, style)
        for detail in finding.details { text += indented(detail, style, .dim) }
        for evidence in finding.evidence.prefix(8) {
            let place = ExplainWords.place(evidence.place, result)
            text += indented("\(place): \(evidence.says)", style, .accent)
            for line in evidence.excerpt.split(separator: "\n").prefix(8) { text += indented("    \(line)", style, .dim) }
        }
        if finding.evidence.count > 8 { text += indented("\(finding.evidence.count - 8) more places.", style, .dim) }
        text += indented("Who: \(ExplainWords.culprit(finding.culprit)); \(finding.confidence.rawValue).", style)
        for (index, remedy) in finding.remedies.enumerated() {
            let device = remedy.device.map { " (\($0))" } ?? ""
            text += indented("\(index == 0 ? "Do" : "Or"): \(remedy.text)\(device)", style, .strong)
            for command in remedy.commands { text += indented("    \(command)", style, .strong) }
        }
        return text + "\n"
    }

    private func indented(_ text: String, _ style: ReportStyle, _ tone: ReportTone? = nil) -> String {
        let lead = text.prefix { $0 == " " }
        let indent = "  " + lead
        return wrapped(printable(String(text.dropFirst(lead.count))), to: style.width - indent.count).map {
            indent + style.paint($0, tone) + "\n"
        }.joined()
    }

    // MARK: Ladders

    private func ladders(_ style: ReportStyle) -> String {
        let chosen = ExplainWords.dialogsWorthDrawing(result, most: options.mostLadders, withHealthy: options.showsHealthy)
        return chosen.map { ladder(result.dialogs[$0], style) }.joined()
    }

    private func ladder(_ dialog: DialogSummary, _ style: ReportStyle) -> String {
        let picture = DialogLadder(result, dialog, most: options.mostMessages)
        return style.paint(printable(picture.title), .strong) + "\n" + picture.ladder.text(style) + "\n"
    }

    // MARK: Registrations

    private func registrations(_ style: ReportStyle) -> String {
        let accused = Set(result.findings.filter { $0.severity.accuses }.flatMap(\.subject.dialogs))
        let chosen = result.registrations.filter { accused.contains($0.dialog) && (!$0.challenges.isEmpty || $0.mappings.count > 1) }
        var text = ""
        for registration in chosen.prefix(options.mostLadders) {
            text += style.paint(printable("How \(registration.aor) registered"), .strong) + "\n"
            let rows = registration.challenges.prefix(24).map { challenge -> [TextTable.Cell] in
                let answers = challenge.answers.map { answer in
                    "CSeq \(answer.sequence)" + (answer.source.map { " from port \($0.port)" } ?? "")
                        + (answer.isSuperseded ? ", superseded" : "") + (answer.status.map { ": \($0)" } ?? "")
                }
                return [
                    TextTable.Cell(ExplainWords.place(challenge.place, result)), TextTable.Cell("\(challenge.sequence)"),
                    TextTable.Cell(ExplainWords.short(challenge.nonce)),
                    TextTable.Cell(challenge.sentTo.map { "\($0)" } ?? "-"),
                    TextTable.Cell("\(challenge.outstanding)", challenge.outstanding > 1 ? .warning : nil),
                    TextTable.Cell(
                        answers.isEmpty ? "never answered" : answers.joined(separator: "; "),
                        challenge.answers.contains { $0.isSuperseded } ? .bad : nil),
                ]
            }
            if !rows.isEmpty {
                text += TextTable(
                    [
                        .init("challenge at"), .init("CSeq", .right), .init("nonce"), .init("sent to"), .init("open", .right),
                        .init("answered by"),
                    ], rows
                ).text(style)
            }
            if registration.mappings.count > 1 {
                let ports = registration.mappings.prefix(12).map { "\($0.client)" }.joined(separator: ", ")
                text += indented("It came from \(ports).", style)
            }
            if let interval = registration.keepaliveInterval {
                text += indented("Something kept the mapping alive every \(ExplainWords.duration(interval)).", style, .dim)
            }
            if let lived = registration.mappingLivedAtLeast {
                text += indented("The mapping still worked after \(ExplainWords.duration(lived)) of silence.", style, .dim)
            }
            if let gone = registration.mappingGoneAfter {
                text += indented("The mapping was gone after \(ExplainWords.duration(gone)) of silence.", style, .dim)
            }
            text += "\n"
        }
        return text
    }
}
