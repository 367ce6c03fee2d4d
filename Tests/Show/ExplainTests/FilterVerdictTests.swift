import Analysis
import Base
import ShowExplain
import Testing

@Suite("Filters that let nothing pass say so")
struct FilterVerdictTests {
    private static func healthy() -> AnalysisResult {
        var analyzer = Analyzer(sources: [SourceSummary(name: "a.pcap", kind: .capture)])
        let options =
            "OPTIONS sip:pbx.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:100@pbx.example>;tag=a\r\n"
            + "To: <sip:pbx.example>\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        analyzer.observe(
            Observation(
                place: .frame(file: 0, number: 1), time: Instant(seconds: 1_700_000_000), source: Endpoint("192.0.2.1:5060"),
                destination: Endpoint("192.0.2.2:5060"), transport: .udp, what: .sip(Array(options.utf8), isCut: false)))
        return analyzer.finish()
    }

    @Test("nobody of that name, no such finding: the verdict names the filter; what passes is judged as ever")
    func verdicts() {
        let result = Self.healthy()
        #expect(ExplainFilter(user: "200").filtered(result).verdict == "Nothing that was read matches the filter (--user 200).")
        #expect(ExplainFilter(findings: ["nat"]).filtered(result).verdict == "Nothing that was read matches --finding nat.")
        #expect(ExplainFilter(user: "100").filtered(result).verdict == result.verdict)
        #expect(result.hasSubject && result.emptiedBy == nil)
    }

    @Test("a finding that does not exist is known as such; a family and a name are not")
    func names() {
        #expect(ExplainFilter(findings: ["nat.foo", "nat", "auth.stale-late", "n"]).unknownFindings == ["nat.foo", "n"])
    }

    @Test("a file with neither SIP nor media holds nothing to judge")
    func nothing() {
        var analyzer = Analyzer(sources: [SourceSummary(name: "a.pdf", kind: .log)])
        let result = analyzer.finish()
        #expect(!result.hasSubject && result.verdict.hasPrefix("No SIP message was seen, so there is nothing to judge."))
    }
}
