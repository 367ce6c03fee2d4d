import Analysis
import Base
import ShowText

/// The analysis as one self-contained HTML page: no script, nothing fetched; readable on a phone's screen and in dark mode.
public struct ExplainPage: Sendable {
    private static let mostFindings = 300
    private static let mostEvidence = 12

    let result: AnalysisResult
    /// Shown as the page's title.
    let title: String
    /// Ladders drawn at most.
    let mostLadders: Int

    public init(_ result: AnalysisResult, title: String, mostLadders: Int = 12) {
        self.result = result
        self.title = title
        self.mostLadders = mostLadders
    }

    public var html: String {
        var page = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        page +=
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">"
        // Nothing is fetched, whatever a capture smuggles in.
        page +=
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        page +=
            "<link rel=\"icon\" href=\"data:,\"><title>\(HTML.escaped(title))</title><style>\(Self.style)</style></head><body>\n"
        let sections: [(name: String, heading: String, content: String)] = [
            ("findings", "Findings", findings), ("ladders", "Who said what", ladders),
            ("registrations", "Ports and challenges over time", timelines), ("media", "Audio", StreamPlots(result).html),
            ("sides", "Both sides of the box", SideTable(result).html),
        ].filter { !$0.2.isEmpty }
        page += header(sections.map { ($0.name, $0.heading) }) + "<main>\n"
        for section in sections {
            page +=
                "<section id=\"\(section.name)\">\(HTML.element("h2", nil, HTML.escaped(section.heading)))\n\(section.content)</section>\n"
        }
        let zone = result.sources.contains { $0.kind == .log } ? "; those of a log that names no zone are as it wrote them" : ""
        return page + "</main>\n<footer>Made by pinhole explain. Times are UTC\(zone).</footer></body></html>\n"
    }

    // MARK: The first screen

    private func header(_ sections: [(name: String, heading: String)]) -> String {
        let accusing = result.findings.filter { $0.severity.accuses }
        let tone =
            accusing.contains { $0.severity == .fault }
            ? "fault" : accusing.isEmpty && !result.hasFailures && result.hasSubject ? "good" : "risk"
        var text = "<header>" + HTML.element("h1", nil, HTML.escaped(title))
        text += "<div class=\"verdict \(tone)\">" + HTML.element("p", "says", HTML.escaped(result.verdict))
        if let remedy = (accusing.first { $0.name != .captureBlind } ?? accusing.first)?.remedies.first {
            text += "<p><b>What helps:</b> \(HTML.escaped(remedy.text))</p>"
        }
        text += "</div><p class=\"chips\">"
        for severity in Severity.allCases {
            let number = result.findings.count { $0.severity == severity && $0.name != .captureBlind }
            if number > 0 {
                text += HTML.element(
                    "span", "chip \(severity.rawValue)", HTML.escaped(ExplainWords.count(number, severity.rawValue)))
            }
        }
        for section in sections.dropFirst() {
            text += "<a class=\"chip\" href=\"#\(section.name)\">\(HTML.escaped(section.heading))</a>"
        }
        text += "</p>\n<div class=\"sources\">"
        for (index, source) in result.sources.enumerated() where source.holder == nil {
            text += HTML.element("p", nil, HTML.escaped(ExplainWords.source(source)))
            let spots = ExplainWords.blindSpots(of: index, result)
            if !spots.isEmpty {
                text +=
                    "<ul>"
                    + spots.map {
                        HTML.element("li", $0.severity.accuses ? "risk" : nil, HTML.escaped($0.text))
                    }.joined() + "</ul>"
            }
        }
        let counts = ExplainWords.counts(result.counts)
        return text + HTML.element("p", nil, HTML.escaped(counts.isEmpty ? "No messages." : counts)) + "</div></header>\n"
    }

    // MARK: Findings

    private var findings: String {
        let told = result.findings.filter { $0.name != .captureBlind }
        guard !told.isEmpty else { return HTML.element("p", nil, "None: nothing here accuses anybody.") }
        var text = told.prefix(Self.mostFindings).map(card).joined()
        if told.count > Self.mostFindings {
            text += HTML.element("p", "dim", "\(told.count - Self.mostFindings) more findings: --json lists all.")
        }
        return text
    }

    private func card(_ finding: Finding) -> String {
        var card =
            "<article class=\"finding \(finding.severity.rawValue)\"><h3><span class=\"badge\">\(finding.severity.rawValue)</span> "
        card +=
            HTML.escaped(finding.name.rawValue) + (finding.count > 1 ? " <small>\(finding.count) times</small>" : "") + "</h3>"
        card += HTML.element("p", "summary", HTML.escaped(finding.summary))
        if !finding.details.isEmpty {
            card += "<ul>" + finding.details.map { HTML.element("li", nil, HTML.escaped($0)) }.joined() + "</ul>"
        }
        for evidence in finding.evidence.prefix(Self.mostEvidence) {
            let place = "<b>\(HTML.escaped(ExplainWords.place(evidence.place, result)))</b>"
            let first = evidence.excerpt.split(separator: "\n").first.map(String.init) ?? ""
            let says = " \(HTML.escaped(evidence.says.isEmpty ? first : evidence.says))"
            card +=
                "<details><summary>\(place)\(says)</summary>\(HTML.element("pre", nil, HTML.escaped(evidence.excerpt)))</details>"
        }
        if finding.evidence.count > Self.mostEvidence {
            card += HTML.element("p", "dim", "\(finding.evidence.count - Self.mostEvidence) more places: --json lists all.")
        }
        if finding.severity.accuses {
            card += "<dl><dt>Who</dt><dd>\(HTML.escaped(ExplainWords.culprit(finding.culprit)))</dd>"
            card += "<dt>Sure</dt><dd>\(HTML.escaped(ExplainWords.certainty(finding.confidence)))</dd></dl>"
        }
        for (index, remedy) in finding.remedies.enumerated() {
            card += "<div class=\"remedy\"><p><b>\(index == 0 ? "Do" : "Or")</b> \(HTML.escaped(remedy.text))</p>"
            if !remedy.commands.isEmpty {
                card += HTML.element("pre", nil, HTML.escaped(remedy.commands.joined(separator: "\n")))
            }
            card += "</div>"
        }
        return card + "</article>\n"
    }

    // MARK: Pictures

    private var ladders: String {
        let accused = DialogLadder.worthDrawing(result, withHealthy: false)
        // Where nobody is accused, a few healthy ones show how it went.
        let drawable = accused.isEmpty ? Array(DialogLadder.worthDrawing(result, withHealthy: true).prefix(4)) : accused
        var text = drawable.prefix(mostLadders).map { drawn in
            let picture = DialogLadder(result, drawn, most: 60)
            return figure(picture.title, SVGLadder(picture).text)
        }.joined()
        if accused.count > mostLadders {
            text += HTML.element(
                "p", "dim",
                "\(accused.count - mostLadders) more dialogs with findings are not drawn: filter by --call-id or --user.")
        }
        return text
    }

    private var timelines: String {
        let accused = Set(result.findings.filter { $0.severity.accuses }.flatMap(\.subject.dialogs))
        let interesting = result.registrations.filter { $0.challenges.count > 1 || $0.mappings.count > 1 }
        let ordered = interesting.filter { accused.contains($0.dialog) } + interesting.filter { !accused.contains($0.dialog) }
        return ordered.prefix(mostLadders).compactMap { registration in
            guard let line = RegistrationTimeline(registration) else { return nil }
            let facts = ExplainWords.mappingFacts(registration).map { HTML.element("p", "dim", HTML.escaped($0)) }.joined()
            return figure(registration.aor.isEmpty ? "The phone" : registration.aor, line.text) + facts
        }.joined()
    }

    private func figure(_ caption: String, _ svg: String) -> String {
        "<figure><figcaption>\(HTML.escaped(caption))</figcaption><div class=\"wide\">\(svg)</div></figure>\n"
    }
}
