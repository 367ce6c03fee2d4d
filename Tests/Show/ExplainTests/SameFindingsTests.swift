import Analysis
import Base
import Fixtures
import Redaction
import ShowExplain
import Testing

@Suite("A redacted excerpt is judged as the original")
struct SameFindingsTests {
    @Test("every recording of a router's sides: names, severities, counts and kinds of culprits", arguments: Recording.names)
    func recordings(_ name: String) throws {
        let tests = ExcerptTests()
        for side in [Recording.Side.inside, .outside] {
            let original = try Recording(name).pcap(side)
            let plain = tests.excerpt(original, filter: tests.everything())
            let hidden = tests.excerpt(original, filter: tests.everything(), redactor: ExcerptTests.redactor)
            let (a, b) = (tests.analyse(plain), tests.analyse(hidden))
            #expect(Self.told(a) == Self.told(b))
            #expect(a.counts == b.counts && plain.count == hidden.count)
            var redactor = ExcerptTests.redactor
            #expect(Self.told(redactor.redact(a)) == Self.told(a))
        }
    }

    static func told(_ result: AnalysisResult) -> [String] {
        result.findings.map { finding in
            let culprit =
                switch finding.culprit {
                case .unknown: "unknown"
                case .between: "between"
                case .proved: "proved"
                }
            return "\(finding.name) \(finding.severity) \(finding.count) \(culprit) \(finding.confidence)"
        }
    }
}
