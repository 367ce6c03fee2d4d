import Analysis
import Base
import Capture
import Testing

@Suite("What a log of few lines is blamed for")
struct LogVerdictTests {
    private static func request(_ number: Int, _ credentials: String = "", method: String = "REGISTER") -> String {
        """
        \(method) sip:pbx.example SIP/2.0
        Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bK\(method)\(number);rport
        From: <sip:100@pbx.example>;tag=1
        To: <sip:100@pbx.example>
        Call-ID: c1
        CSeq: \(number) \(method)
        \(credentials.isEmpty ? "" : credentials + "\n")Content-Length: 0


        """
    }

    private static func answer(_ number: Int, _ status: String, _ more: String = "", method: String = "REGISTER") -> String {
        """
        SIP/2.0 \(status)
        Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bK\(method)\(number);rport=5060
        From: <sip:100@pbx.example>;tag=1
        To: <sip:100@pbx.example>;tag=s
        Call-ID: c1
        CSeq: \(number) \(method)
        \(more.isEmpty ? "" : more + "\n")Content-Length: 0


        """
    }

    private static func challenge(_ number: Int, _ nonce: String, isStale: Bool = false) -> String {
        answer(
            number, "401 Unauthorized",
            "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"\(nonce)\"\(isStale ? ", stale=true" : "")")
    }

    private static func credentials(_ nonce: String) -> String {
        "Authorization: Digest username=\"100\", realm=\"pbx\", nonce=\"\(nonce)\", uri=\"sip:pbx.example\", response=\"0f\""
    }

    private static func sent(_ text: String, _ local: String = "192.168.1.20:5060") -> String {
        "Request sent: tls:\(local)->tls:203.0.113.9:5061\n\(text)"
    }

    private static func received(_ text: String, _ local: String = "192.168.1.20:5060") -> String {
        "Response received: tls:\(local)<-tls:203.0.113.9:5061\n\(text)"
    }

    private static func result(_ parts: String...) -> AnalysisResult { LogTests.result(Array(parts.joined().utf8)) }

    // MARK: capture.blind

    @Test("a program's own log that tells of both directions is not blind, whichever port each message names")
    func ownLog() {
        let result = Self.result(
            Self.received(Self.challenge(1, "n1"), "192.168.1.20:53692"), Self.sent(Self.request(2, Self.credentials("n1"))))
        #expect(result.counts.sip == 2 && !result.hasAccusations)
        #expect(!result.findings.contains { $0.summary.contains("one direction") })
    }

    @Test("an excerpt of two messages that a program sent accuses nobody, and the advice is about the log")
    func excerpt() throws {
        let result = Self.result(Self.sent(Self.request(1, method: "OPTIONS")), Self.sent(Self.request(2)))
        #expect(!result.hasAccusations)
        let blind = try #require(result.findings.first { $0.summary.contains("one direction") })
        #expect(blind.severity == .note && blind.summary.hasSuffix("the other half is not in the log."))
        #expect(blind.remedies.allSatisfy { $0.commands.isEmpty && $0.text.contains("log") })
    }

    @Test("a log that tells of many talks and never of an answer does not show everything")
    func half() throws {
        let talks = (1...4).map { call in
            [1, 2].map { Self.sent(Self.request($0).replacingCallID("c\(call)")) }.joined()
        }
        let blind = try #require(
            Self.result(talks.joined()).findings.first { $0.summary.contains("Messages of 4 dialogs were seen in one direction") }
        )
        #expect(blind.severity == .risk)
    }

    @Test("no advice about a log asks for another tap")
    func advice() {
        let cut = String(Self.sent(Self.request(1)).dropLast(60))
        let unread =
            "REGSTER <sip:pbx.example> SIP\n" + Self.request(1).split(separator: "\n").dropFirst().joined(separator: "\n")
        for text in [cut, unread, Self.request(1), "nothing\n"] {
            for finding in Self.result(text).findings where finding.name == .captureBlind {
                #expect(finding.remedies.allSatisfy { $0.commands.isEmpty && !$0.text.contains("interface") }, "\(finding)")
            }
        }
    }

    // MARK: A challenge

    @Test("a first challenge is no failure: not at the log's end, and not before the request that answers it")
    func challenged() {
        for text in [
            Self.challenge(1, "n1"), Self.request(1) + Self.challenge(1, "n1"), Self.challenge(1, "n1", isStale: true),
            Self.request(1) + Self.challenge(1, "n1") + Self.request(2, Self.credentials("n1")),
        ] {
            let result = Self.result(text)
            #expect(!result.hasFailures && !result.verdict.contains("failed"), "\(result.verdict)")
        }
    }

    @Test("credentials that are refused are a failure, and so is a refusal")
    func refused() {
        let again =
            Self.request(1) + Self.challenge(1, "n1") + Self.request(2, Self.credentials("n1")) + Self.challenge(2, "n2")
        #expect(Self.result(again).hasFailures)
        #expect(Self.result(Self.request(1) + Self.answer(1, "403 Forbidden")).hasFailures)
    }

    @Test("a challenge that nobody answers while the capture goes on is one")
    func unanswered() {
        var talk = Talk()
        let first = talk.register(1)
        talk.up(0, first)
        talk.down(0.02, talk.challenge(to: first, nonce: "n1"))
        #expect(!talk.result().hasFailures)
        talk.later(60)
        #expect(talk.result().hasFailures)
    }

    // MARK: auth.stale-loop

    private static func loop(_ rounds: Int, _ ending: String = "", nonce: (Int) -> String = { "n\($0)" }) -> AnalysisResult {
        var text = request(1) + challenge(1, "n1")
        for round in 2...(rounds + 1) {
            text += request(round, credentials(nonce(round - 1))) + challenge(round, "n\(round)", isStale: true)
        }
        return result(text + ending)
    }

    @Test("fresh nonces called stale again and again are a loop in a log without times, too")
    func timeless() throws {
        let result = Self.loop(3)
        #expect(result.findings.filter(\.severity.accuses).map(\.name) == [.authStaleLoop])
        let loop = try #require(result.findings.first { $0.name == .authStaleLoop })
        #expect(loop.details[0].contains("The log tells no times"))
    }

    @Test("two in a row, or an answer to another nonce than the newest, are none")
    func noLoop() {
        #expect(!Self.loop(2).findings.contains { $0.name == .authStaleLoop })
        #expect(!Self.loop(4) { _ in "n1" }.findings.contains { $0.name == .authStaleLoop })
    }

    // MARK: Names

    @Test("a log that names neither phone nor port gets whole sentences")
    func nameless() throws {
        let refusal = """
            Mar  4 09:15:26 192.168.1.50 phone: received from 203.0.113.9
            SIP/2.0 403 Forbidden
            Via: SIP/2.0/UDP 192.168.1.20;branch=z9hG4bK1
            Call-ID: c1
            CSeq: 1 REGISTER
            Content-Length: 0


            """
        let finding = try #require(Self.result(refusal).findings.first { $0.name == .sipRefused })
        #expect(finding.summary == "A phone cannot register: 203.0.113.9 answered 403 Forbidden.")
    }
}

extension String {
    fileprivate func replacingCallID(_ id: String) -> String {
        split(separator: "\n", omittingEmptySubsequences: false).map { $0.hasPrefix("Call-ID:") ? "Call-ID: \(id)" : String($0) }
            .joined(separator: "\n")
    }
}
