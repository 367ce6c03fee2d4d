import Analysis
import Base
import Capture
import Testing

@Suite("Text logs")
struct LogTests {
    /// A story told on a web page: typographic quotes, words in place of addresses, lines left out, no Call-ID, and a router by name.
    private static let story = """
        My phone would not register from behind the new router, a Speedtouch 780. The server's debug output shows why.

        <— Transmitting (NAT) to <home>:52899 —>
        SIP/2.0 401 Unauthorized
        Via: SIP/2.0/UDP
        (…skip…)
        CSeq: 1 REGISTER
        WWW-Authenticate: Digest algorithm=MD5, realm=”pbx”, nonce=”aa11aa11
        Content-Length: 0

        Then, to another port:

        <— Transmitting (NAT) to <home>:52896 —>
        SIP/2.0 401 Unauthorized
        (… skip …) CSeq: 2 REGISTER
        WWW-Authenticate: Digest algorithm=MD5, realm=”pbx”, nonce=”bb22bb22”
        Content-Length: 0

        <— SIP read from <home>:52899 —>
        REGISTER sip:pbx.example SIP/2.0
        (…skip…)
        CSeq: 3 REGISTER
        Authorization: Digest username=”me”,realm=”pbx”,nonce=”aa11aa11“,uri=”sip:pbx.example”,response=”x”,algorithm=md5
        Content-Length: 0

        <————>[Jul 11 12:01:48] NOTICE[89797]: chan_sip.c:8167 check_auth: Correct auth, but based on stale nonce received from ‘”me” ‘

        """

    private func result(_ text: String) -> AnalysisResult { Self.result(Array(text.utf8)) }

    static func result(_ text: [UInt8]) -> AnalysisResult {
        var analyzer = Analyzer(sources: [SourceSummary(name: "story", kind: .log)])
        var reader = LogReader()
        reader.read(text)
        reader.finish()
        while let item = reader.nextItem() { analyzer.observe(item, file: 0) }
        return analyzer.finish()
    }

    @Test("a pasted story: both faults, both nonces, the three ports, and the cure for the router that the prose names")
    func pasted() throws {
        let result = result(Self.story)
        #expect(result.findings.filter(\.severity.accuses).map(\.name) == [.authStaleOutOfOrder, .natPortJump])
        let stale = try #require(result.findings.first { $0.name == .authStaleOutOfOrder })
        #expect(stale.severity == .fault && stale.confidence == .proved)
        #expect(stale.summary.contains("aa11aa11") && stale.summary.contains("bb22bb22"))
        #expect(stale.details.contains("The messages show no Call-ID: they were linked by CSeq, nonce and order."))
        #expect(stale.evidence.map(\.place) == [3, 13, 19, 26].map { .line(file: 0, number: $0) })
        let jump = try #require(result.findings.first { $0.name == .natPortJump })
        #expect(jump.details[0] == "Ports in order: 52899, 52896, 52899.")
        for finding in [stale, jump] {
            let cure = try #require(finding.remedies.first)
            #expect(cure.device == "SpeedTouch 780")
            #expect(
                cure.commands == [
                    "{Administrator}[connection]=>appconfig application=SIP SIP_ALG=disabled", "{Administrator}=>saveall",
                ])
        }
        #expect(result.dialogs.count == 1 && result.dialogs[0].isLinkedByOrder)
        #expect(result.devices.contains { $0.role == .router && $0.name == "SpeedTouch 780" })
    }

    @Test("the story says what it does not show, as notes that accuse nobody")
    func blind() {
        let blind = result(Self.story).findings.filter { $0.name == .captureBlind }
        #expect(blind.map(\.severity) == [.note, .note])
        #expect(blind.map(\.summary).contains { $0.contains("3 messages cut off") })
    }

    @Test("without the server's remark the refusal is not in the log: a risk, and no more certain than that")
    func unremarked() throws {
        let text = Self.story.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.contains("stale nonce") }
            .joined(separator: "\n")
        let stale = try #require(result(text).findings.first { $0.name == .authStaleOutOfOrder })
        #expect(stale.severity == .risk && stale.confidence == .possible)
    }

    @Test("a wrong password in the server's own words is proved")
    func wrongPassword() throws {
        let text = """
            <--- SIP read from UDP:198.51.100.7:5060 --->
            REGISTER sip:pbx.example SIP/2.0
            Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK1;rport
            From: <sip:me@pbx.example>;tag=1
            To: <sip:me@pbx.example>
            Call-ID: abc
            CSeq: 2 REGISTER
            Authorization: Digest username="me", realm="pbx", nonce="n1", uri="sip:pbx.example", response="00"
            Content-Length: 0

            <------------->
            [2024-03-01 10:00:00] NOTICE[1]: chan_sip.c:1 handle_request_register: Registration from '<sip:me@pbx.example>' failed for '198.51.100.7:5060' - Wrong password

            """
        let finding = try #require(result(text).findings.first { $0.name == .authBadDigest })
        #expect(finding.severity == .fault && finding.confidence == .proved)
    }
}
