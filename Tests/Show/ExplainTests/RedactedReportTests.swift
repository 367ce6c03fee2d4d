import Analysis
import Base
import Fixtures
import Redaction
import ShowExplain
import Testing

@Suite("Redacted reports")
struct RedactedReportTests {
    private static let secrets = [
        "alice", "Alice", "Smith", "smith", "pbx.example", "198.51.100.7", "203.0.113.10", "192.168.1.20", "77f1", "000413AABBCC",
        "0123456789abcdef", "case.pcap",
    ]

    private static func redactor() -> Redactor { Redactor(entropy: Entropy(labSeed: 11)) }

    @Test("No name, number or address is left in the text, the page or the JSON; findings are what they were")
    func hides() {
        let plain = Cases.stale(calls: 3)
        var redactor = Self.redactor()
        let redacted = redactor.redact(plain)
        let reports = [
            ExplainText(redacted).text(.plain), ExplainPage(redacted, title: redacted.sources[0].name).html,
            ExplainJSON(redacted).value.prettyText,
        ]
        for report in reports { for secret in Self.secrets { #expect(!report.contains(secret), "\(secret)") } }
        #expect(
            redacted.findings.map { "\($0.name) \($0.severity) \($0.count) \($0.confidence) \($0.evidence.map(\.place))" }
                == plain.findings.map { "\($0.name) \($0.severity) \($0.count) \($0.confidence) \($0.evidence.map(\.place))" })
        // What the finding rests on still stands there.
        for kept in ["52899", "52896", "REGISTER", "The phone of ", "snom300"] {
            #expect(reports[2].contains(kept), "\(kept)")
        }
    }

    @Test("A stand-in is the same in sentences, ladders and messages, and in packets by the same redactor")
    func consistent() throws {
        var redactor = Self.redactor()
        let packet = redactor.redact(Cases.home.address)
        let redacted = redactor.redact(Cases.stale())
        let user = String(decoding: redactor.redact(text: Array("alice".utf8)), as: UTF8.self)
        let finding = try #require(redacted.findings.first { $0.name == .natPortJump })
        #expect(finding.summary.contains("\(user)@"))
        #expect(finding.evidence[0].excerpt.contains("<sip:\(user)@"))
        #expect(redacted.dialogs[0].from.hasPrefix("\(user)@"))
        #expect(redacted.registrations[0].aor.hasPrefix("\(user)@"))
        #expect(redacted.dialogs[0].callID.hasPrefix("\(user)-"))
        #expect(finding.evidence[0].source?.address == packet)
        #expect(redacted.messages(of: redacted.dialogs[0])[0].source?.address == packet)
    }

    @Test("A user whose name is a short number or a word of ours does not garble sentences", arguments: ["100", "phone", "4711"])
    func plainNames(_ user: String) throws {
        let plain = Cases.stale(user: user, display: "The phone")
        var redactor = Self.redactor()
        let redacted = redactor.redact(plain)
        let text = ExplainText(redacted).text(.plain)
        #expect(!text.contains("\(user)@") && !text.contains("\"\(user)\"") && !text.contains(":\(user)@"))
        #expect(text.contains("The phone of ") && text.contains("answered the older of two"))
    }

    @Test("Recordings: no original address in any report, findings unchanged", arguments: Recording.names)
    func real(_ name: String) throws {
        let plain = try Cases.sides(name)
        var redactor = Self.redactor()
        let redacted = redactor.redact(plain)
        #expect(
            redacted.findings.map { "\($0.name) \($0.severity) \($0.count)" }
                == plain.findings.map { "\($0.name) \($0.severity) \($0.count)" })
        let report =
            ExplainPage(redacted, title: "x").html + ExplainJSON(redacted).value.text + ExplainText(redacted).text(.plain)
        for endpoint in plain.endpoints where !report.isEmpty {
            #expect(!report.contains("\(endpoint.address)"), "\(endpoint.address)")
        }
        #expect(!report.contains("sip:anna@"))
    }
}
