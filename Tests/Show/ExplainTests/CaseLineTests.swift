import Analysis
import Base
import ShowExplain
import ShowText
import Testing

@Suite("Many files, a line each")
struct CaseLineTests {
    private static func result(_ findings: [(FindingName, Severity)], sip: Bool = true) -> AnalysisResult {
        var analyzer = Analyzer(sources: [SourceSummary(name: "a", kind: .capture)])
        if sip {
            analyzer.observe(
                Observation(
                    place: .frame(file: 0, number: 1), time: Instant(seconds: 1), source: nil, destination: nil, transport: nil,
                    what: .stun([])))
        }
        var result = analyzer.finish()
        result.findings = findings.map { Finding($0.0, $0.1, "It broke.") }
        return result
    }

    @Test("faults before risks, before what could not be read, before nothing, before the healthy")
    func order() {
        let lines = [
            CaseLine(name: "ok", result: Self.result([]), isUnread: false),
            CaseLine(name: "none", result: Self.result([], sip: false), isUnread: false),
            CaseLine(name: "bad", result: Self.result([(.mediaNone, .fault), (.mediaNone, .fault)]), isUnread: false),
            CaseLine(name: "half", result: Self.result([(.captureBlind, .risk)]), isUnread: true),
            CaseLine(name: "may", result: Self.result([(.algSuspected, .risk)]), isUnread: true),
        ]
        #expect(lines.sorted { $0.standing < $1.standing }.map(\.name) == ["bad", "may", "half", "none", "ok"])
        #expect(lines[2].findings == ["media.none"])
        #expect(
            lines[2].json.text
                == #"{"file":"bad","files":1,"standing":"fault","verdict":"It broke. 1 more finding accuses.","findings":["media.none"]}"#
        )
    }

    @Test("the table has a line a file; the page links to each and escapes what names hold")
    func shown() {
        var line = CaseLine(name: "<b>.pcap", result: Self.result([]), isUnread: false)
        line.page = "1.html"
        let table = CaseLine.table([line, CaseLine(unread: "gone", "It could not be opened.")], .plain)
        #expect(table.hasPrefix("2 files, each judged by itself: 1 unread, 1 healthy.\n"))
        #expect(table.contains("! unread  gone: It could not be opened.\n"))
        line.files = 2
        #expect(CaseLine.heading([line, line]) == "4 files in 2 cases")
        let page = CaseLine.index([line], title: "1 file")
        #expect(page.contains("<a href=\"1.html\">&lt;b&gt;.pcap</a>") && !page.contains("<b>"))
    }
}
