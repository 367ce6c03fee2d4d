import Analysis
import Base
import ReportText

/// The analysis as one self-contained HTML page: no script, nothing fetched; readable on a phone's screen and in dark mode.
public struct ExplainPage: Sendable {
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
        page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">"
        page += "<link rel=\"icon\" href=\"data:,\"><title>\(HTML.escaped(title))</title><style>\(Self.style)</style></head><body>\n"
        page += "<header>\(HTML.element("h1", nil, HTML.escaped(title)))"
        let tone = result.findings.contains { $0.severity == .fault } ? "fault" : result.hasAccusations ? "risk" : "good"
        page += HTML.element("p", "verdict \(tone)", HTML.escaped(result.verdict)) + counts + "</header>\n<main>\n"
        page += section("Findings", "findings", findings)
        page += section("Ladders", "ladders", ladders)
        page += section("Ports and challenges", "registrations", timelines)
        page += section("Media", "media", StreamPlots(result).html)
        page += section("Both sides of the box", "sides", SideTable(result).html)
        return page + "</main>\n<footer>Made by pinhole explain. Times are UTC.</footer></body></html>\n"
    }

    private func section(_ heading: String, _ name: String, _ content: String) -> String {
        content.isEmpty ? "" : "<section id=\"\(name)\">\(HTML.element("h2", nil, HTML.escaped(heading)))\n\(content)</section>\n"
    }

    private var counts: String {
        let sources = result.sources.map { source -> String in
            let unit = source.kind == .log ? "lines" : source.kind == .live ? "messages" : "frames"
            return "\(ExplainWords.fileName(source.name)): \(source.frames) \(unit)"
                + (source.first.map { ", from \(CalendarTime($0))" } ?? "")
        }
        let counts = result.counts
        let totals = "\(counts.sip) SIP messages in \(counts.dialogs) dialogs, \(counts.rtp) RTP packets"
        return HTML.element("p", "dim", HTML.escaped((sources + [totals]).joined(separator: " · ")))
    }

    // MARK: Findings

    private var findings: String {
        guard !result.findings.isEmpty else { return HTML.element("p", nil, "None.") }
        return result.findings.map { finding in
            var card = "<article class=\"finding \(finding.severity.rawValue)\"><h3><span class=\"badge\">\(finding.severity.rawValue)</span> "
            card += HTML.escaped(finding.name.rawValue) + (finding.count > 1 ? " <small>\(finding.count) times</small>" : "") + "</h3>"
            card += HTML.element("p", nil, HTML.escaped(finding.summary))
            if !finding.details.isEmpty {
                card += "<ul>" + finding.details.map { HTML.element("li", nil, HTML.escaped($0)) }.joined() + "</ul>"
            }
            for evidence in finding.evidence.prefix(12) {
                let head = ExplainWords.place(evidence.place, result) + (evidence.says.isEmpty ? "" : ": \(evidence.says)")
                card += "<details><summary>\(HTML.escaped(head))</summary>\(HTML.element("pre", nil, HTML.escaped(evidence.excerpt)))</details>"
            }
            let who = "\(ExplainWords.culprit(finding.culprit)); \(finding.confidence.rawValue)"
            card += HTML.element("p", "dim", "Who: " + HTML.escaped(who))
            for remedy in finding.remedies {
                card += "<p class=\"remedy\">" + HTML.escaped(remedy.text + (remedy.device.map { " (\($0))" } ?? "")) + "</p>"
                if !remedy.commands.isEmpty {
                    card += HTML.element("pre", "command", HTML.escaped(remedy.commands.joined(separator: "\n")))
                }
            }
            return card + "</article>\n"
        }.joined()
    }

    // MARK: Ladders

    private var ladders: String {
        ExplainWords.dialogsWorthDrawing(result, most: mostLadders, withHealthy: true).map { index in
            let picture = DialogLadder(result, result.dialogs[index], most: 60)
            return HTML.element("h3", nil, HTML.escaped(picture.title)) + "<div class=\"wide\">\(SVGLadder(picture).text)</div>\n"
        }.joined()
    }

    // MARK: Time lines

    private var timelines: String {
        let accused = Set(result.findings.filter { $0.severity.accuses }.flatMap(\.subject.dialogs))
        let interesting = result.registrations.filter { !$0.challenges.isEmpty || $0.mappings.count > 1 }
        let ordered = interesting.filter { accused.contains($0.dialog) } + interesting.filter { !accused.contains($0.dialog) }
        return ordered.prefix(mostLadders).compactMap { registration in
            guard let line = RegistrationTimeline(registration, result) else { return nil }
            return HTML.element("h3", nil, HTML.escaped(registration.aor)) + "<div class=\"wide\">\(line.text)</div>\n"
        }.joined()
    }
}
