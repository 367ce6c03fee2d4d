import Analysis
import ShowText

/// One of many inputs, judged by itself: what a folder's table and index page show of it.
public struct CaseLine: Sendable {
    /// Worst first.
    public enum Standing: Int, Comparable, Sendable {
        case fault, risk, failed, unread, nothing, healthy

        public static func < (a: Standing, b: Standing) -> Bool { a.rawValue < b.rawValue }

        /// One word, as in JSON.
        public var word: String {
            switch self {
            case .fault: "fault"
            case .risk: "risk"
            case .failed: "failed"
            case .unread: "unread"
            case .nothing: "nothing"
            case .healthy: "healthy"
            }
        }
    }

    public var name: String
    public var standing: Standing
    public var verdict: String
    /// Names of the findings that accuse, each once, the worst first.
    public var findings: [String]
    /// How many files it is made of: those that show the same talks are judged together.
    public var files = 1
    /// Where its own page lies, relative to the index; nil where there is none.
    public var page: String?

    /// `isUnread`: it, or a part of it, could not be read.
    public init(name: String, result: AnalysisResult, isUnread: Bool) {
        self.name = name
        verdict = result.verdict
        var names: [String] = []
        for finding in result.findings
        where finding.severity.accuses && finding.name != .captureBlind && !names.contains(finding.name.rawValue) {
            names.append(finding.name.rawValue)
        }
        findings = names
        let accusing = result.findings.filter { $0.severity.accuses && $0.name != .captureBlind }
        standing =
            accusing.contains { $0.severity == .fault }
            ? .fault
            : !accusing.isEmpty
                ? .risk
                : isUnread || result.isUnread ? .unread : result.hasFailures ? .failed : result.hasSubject ? .healthy : .nothing
    }

    public init(unread name: String, _ reason: String) {
        self.name = name
        standing = .unread
        verdict = reason
        findings = []
    }

    public var json: JSONValue {
        .object([
            ("file", .string(name)), ("files", .integer(files)), ("standing", .string(standing.word)),
            ("verdict", .string(verdict)),
            ("findings", .array(findings.map { .string($0) })),
        ])
    }

    /// `✗ fault    name: verdict`, one line each, after a line that counts.
    public static func table(_ lines: [CaseLine], _ style: ReportStyle) -> String {
        var counts: [Standing: Int] = [:]
        for line in lines { counts[line.standing, default: 0] += 1 }
        let words = counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key.word)" }.joined(separator: ", ")
        var text =
            style.paint(
                "\(heading(lines)), each judged by itself: \(words.isEmpty ? "none" : words).",
                .strong) + "\n\n"
        for line in lines {
            let (sign, tone): (String, ReportTone) =
                switch line.standing {
                case .fault: ("✗", .bad)
                case .risk, .failed, .unread: ("!", .warning)
                case .nothing: ("·", .dim)
                case .healthy: ("✓", .good)
                }
            let word = line.standing.word.padding(toLength: 8)
            text += style.paint("\(sign) \(word)", tone) + printable("\(line.name): \(line.verdict)") + "\n"
        }
        return text
    }

    /// `12 files`, `5 files in 3 cases`.
    public static func heading(_ lines: [CaseLine]) -> String {
        let files = lines.reduce(0) { $0 + $1.files }
        return ExplainWords.count(files, "file") + (files == lines.count ? "" : " in \(ExplainWords.count(lines.count, "case"))")
    }

    /// A page that lists them, with links to their own pages.
    public static func index(_ lines: [CaseLine], title: String) -> String {
        var page = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        page +=
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">"
        page +=
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        page +=
            "<link rel=\"icon\" href=\"data:,\"><title>\(HTML.escaped(title))</title><style>\(ExplainPage.style)</style></head><body>\n"
        page += "<header>" + HTML.element("h1", nil, HTML.escaped(title)) + "</header><main>\n"
        for line in lines {
            let tone = line.standing == .fault ? "fault" : line.standing == .healthy ? "good" : "risk"
            let name = HTML.escaped(line.name)
            let head = line.page.map { "<a href=\"\(HTML.escaped($0))\">\(name)</a>" } ?? name
            page += "<section><h3>\(head) <small>\(line.standing.word)</small></h3>"
            page += "<div class=\"verdict \(tone)\"><p>\(HTML.escaped(line.verdict))</p></div></section>\n"
        }
        return page + "</main>\n<footer>Made by pinhole explain.</footer></body></html>\n"
    }
}

extension String {
    fileprivate func padding(toLength length: Int) -> String { self + String(repeating: " ", count: max(0, length - count)) }
}
