import Analysis
import Base
import Testing

@Suite("Logs that name no ends")
struct UnnamedEndTests {
    /// A message of a call between tags `a`, who called, and `b`, without a word of where it went.
    private static func message(
        _ start: String, _ sequence: String, at second: String?, from tags: (String, String) = ("a", "b"), branch: String,
        intro: String = "", more: [String] = []
    ) -> String {
        var lines = second.map { ["10:11:\($0) \(intro)"] } ?? (intro.isEmpty ? [] : [intro])
        lines += [
            start, "Via: SIP/2.0/UDP host.invalid;branch=z9hG4bK\(branch);rport", "From: <sip:a@pbx.example>;tag=\(tags.0)",
            "To: <sip:b@pbx.example>" + (tags.1.isEmpty ? "" : ";tag=\(tags.1)"), "Call-ID: talk", "CSeq: \(sequence)",
        ]
        return (lines + more + ["Content-Length: 0", "", "", ""]).joined(separator: "\n")
    }

    /// A call with a change inside it at 10 s, and BYE 30 s after that.
    private static func held(answered: Bool, by tags: (String, String) = ("a", "b"), method: String = "INVITE") -> AnalysisResult
    {
        var text = message("INVITE sip:b@pbx.example SIP/2.0", "1 INVITE", at: "00.000", from: ("a", ""), branch: "1")
        text += message("SIP/2.0 200 OK", "1 INVITE", at: "01.000", branch: "1")
        text += message("ACK sip:b@203.0.113.5 SIP/2.0", "1 ACK", at: "01.020", branch: "2")
        text += message("\(method) sip:b@203.0.113.5 SIP/2.0", "2 \(method)", at: "11.000", from: tags, branch: "3")
        if answered {
            text += message("SIP/2.0 200 OK", "2 \(method)", at: "11.020", from: tags, branch: "3")
            if method == "INVITE" {
                text += message("ACK sip:b@203.0.113.5 SIP/2.0", "2 ACK", at: "11.040", from: tags, branch: "4")
            }
        }
        text += message("BYE sip:b@203.0.113.5 SIP/2.0", "3 BYE", at: "41.000", from: tags, branch: "5")
        text += message("SIP/2.0 200 OK", "3 BYE", at: "41.010", from: tags, branch: "5")
        return LogTests.result(Array(text.utf8))
    }

    @Test("a change of the call that was answered ended nothing, whoever asked for it", arguments: ["INVITE", "UPDATE"])
    func answeredChange(method: String) {
        #expect(!Self.held(answered: true, method: method).hasAccusations)
        #expect(!Self.held(answered: true, by: ("b", "a"), method: method).hasAccusations)
    }

    @Test("one that nobody answered did, and who asked is named")
    func unansweredChange() {
        #expect(
            Self.held(answered: false).findings.map(\.summary) == [
                "A timer ended the call, nobody hung up: the caller sent BYE 30 s after a INVITE inside the call that nobody answered."
            ])
        #expect(
            Self.held(answered: false, by: ("b", "a")).findings.first?.culprit == .between("the caller", "the called end"))
    }

    @Test("Messages are drawn between caller and called end")
    func ladder() throws {
        let result = Self.held(answered: true, by: ("b", "a"))
        let messages = result.messages(of: try #require(result.dialogs.first))
        #expect(
            messages.map { $0.sourceName } == [
                "the caller", "the called end", "the caller", "the called end", "the caller", "the called end", "the called end",
                "the caller",
            ])
        #expect(messages.allSatisfy { $0.sourceName != $0.destinationName })
    }

    /// A 200 that is repeated, at the same moments or at none.
    private static func repeated(_ hasTimes: Bool, _ intro: [String] = ["", ""], isAgain: Bool = false) -> AnalysisResult {
        func at(_ second: String) -> String? { hasTimes ? second : nil }
        var text = ""
        if isAgain {
            text += message(
                "INVITE sip:b@pbx.example SIP/2.0", "1 INVITE", at: at("00.000"), from: ("a", ""), branch: "0", intro: intro[0])
            text += message(
                "SIP/2.0 401 Unauthorized", "1 INVITE", at: at("00.100"), from: ("a", "c"), branch: "0", intro: intro[1],
                more: ["WWW-Authenticate: Digest realm=\"p\", nonce=\"n1\""])
            text += message(
                "ACK sip:b@pbx.example SIP/2.0", "1 ACK", at: at("00.200"), from: ("a", "c"), branch: "0", intro: intro[0])
        }
        text += message(
            "INVITE sip:b@pbx.example SIP/2.0", "2 INVITE", at: at("00.300"), from: ("a", ""), branch: "1", intro: intro[0],
            more: isAgain
                ? ["Authorization: Digest username=\"a\", realm=\"p\", nonce=\"n1\", uri=\"sip:b@pbx.example\", response=\"0f\""]
                : [])
        for second in ["01.000", "01.500", "02.500", "04.500", "08.500"] {
            text += message("SIP/2.0 200 OK", "2 INVITE", at: at(second), branch: "1", intro: intro[1])
        }
        return LogTests.result(Array(text.utf8))
    }

    @Test("without times no duration is told")
    func timeless() throws {
        let finding = try #require(Self.repeated(false).findings.first { $0.name == .sipNoACK })
        #expect(finding.details.first == "The 200 was sent 5 times; the ACK would have stopped it.")
        #expect(
            Self.repeated(true).findings.first { $0.name == .sipNoACK }?.details.first
                == "The 200 was sent 5 times in 7.5 s; the ACK would have stopped it.")
    }

    @Test("an INVITE repeated with credentials is the call, not a change of it")
    func repeatedWithCredentials() {
        for result in [Self.repeated(true, isAgain: true), Self.repeated(true)] {
            #expect(
                result.findings.first { $0.name == .sipNoACK }?.summary
                    == "The called end accepted the call and repeated its 200 4 times, but no ACK came: it will end the call after 32 s."
            )
        }
    }

    @Test("a log that tells sent from received names its program by what that does")
    func programs() throws {
        func culprit(_ result: AnalysisResult) -> Culprit? { result.findings.first { $0.name == .sipNoACK }?.culprit }
        #expect(
            culprit(Self.repeated(true, ["Sent message:", "Received message:"]))
                == .between("the logging program", "the far end"))
        #expect(
            culprit(Self.repeated(true, ["Received message:", "Sent message:"]))
                == .between("the far end", "the logging program"))
    }

    /// A call that a server's log tells, whose near end is named from the ACK on, and a change that was answered.
    @Test("an end that a log names late is the same end")
    func namedLate() {
        func from(_ text: String) -> String { "Received message from 198.51.100.7:1061\n" + text }
        func to(_ text: String) -> String { "Sent message to 198.51.100.7:1061\n" + text }
        var text = from(Self.message("INVITE sip:b@pbx.example SIP/2.0", "1 INVITE", at: nil, from: ("a", ""), branch: "1"))
        text += to(Self.message("SIP/2.0 200 OK", "1 INVITE", at: nil, branch: "1"))
        text += from(Self.message("ACK sip:b@203.0.113.5:5060 SIP/2.0", "1 ACK", at: nil, branch: "2"))
        text += from(Self.message("INVITE sip:b@203.0.113.5:5060 SIP/2.0", "2 INVITE", at: nil, branch: "3"))
        text += to(Self.message("SIP/2.0 200 OK", "2 INVITE", at: nil, branch: "3"))
        let result = LogTests.result(Array(text.utf8))
        let ends = Set(
            result.messages(of: result.dialogs[0]).flatMap {
                [$0.sourceName ?? "\($0.source!)", $0.destinationName ?? "\($0.destination!)"]
            })
        #expect(ends == ["198.51.100.7:1061", "203.0.113.5:5060"])
    }

    @Test("the same word in place of both addresses tells no ends apart")
    func sameWord() {
        let result = Self.repeated(true, ["x.x.x.x -> x.x.x.x", "x.x.x.x -> x.x.x.x"])
        #expect(result.findings.first { $0.name == .sipNoACK }?.culprit == .between("the caller", "the called end"))
    }
}

@Suite("Logs whose Call-IDs were replaced by one word")
struct SharedCallIDTests {
    private static func log(_ callID: (String) -> String) -> String {
        func message(_ start: String, _ user: String, _ tag: String, _ sequence: String, _ more: String = "") -> String {
            """
            \(start)
            Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bK\(tag)\(sequence.prefix(1))
            From: <sip:\(user)@pbx.example>;tag=\(tag)
            To: <sip:\(user)@pbx.example>
            Call-ID: \(callID(tag))
            CSeq: \(sequence)
            \(more)Content-Length: 0


            """
        }
        let credentials =
            "Authorization: Digest username=\"312\", realm=\"p\", nonce=\"n\", uri=\"sip:pbx.example\", response=\"0f\"\n"
        return message("REGISTER sip:pbx.example SIP/2.0", "311", "t1", "1 REGISTER")
            + message("SIP/2.0 200 OK", "311", "t1", "1 REGISTER")
            + message("REGISTER sip:pbx.example SIP/2.0", "312", "t2", "1 REGISTER")
            + message(
                "SIP/2.0 401 Unauthorized", "312", "t2", "1 REGISTER", "WWW-Authenticate: Digest realm=\"p\", nonce=\"n\"\n")
            + message("REGISTER sip:pbx.example SIP/2.0", "312", "t2", "2 REGISTER", credentials)
            + message("SIP/2.0 403 Forbidden", "312", "t2", "2 REGISTER")
    }

    @Test(
        "dialogs are told apart by their tags, and the report says so",
        arguments: ["<redacted>", "xxxxxxxx@192.168.1.20", "***", "[hidden]", "REDACTED"])
    func standIn(word: String) {
        let result = LogTests.result(Array(Self.log { _ in word }.utf8))
        #expect(result.dialogs.map(\.from) == ["311@pbx.example", "312@pbx.example"])
        #expect(
            result.findings.contains {
                $0.severity.accuses && $0.summary.contains("312@pbx.example") && !$0.summary.contains("311")
            })
        #expect(result.findings.contains { $0.summary.contains("6 messages bear a stand-in as Call-ID") })
    }

    @Test("a Call-ID of its own is one, however short", arguments: ["x", "c1", "redactedcall7", "0-1@pbx"])
    func own(word: String) {
        let result = LogTests.result(Array(Self.log { "\($0)\(word)" }.utf8))
        #expect(result.dialogs.count == 2 && !result.findings.contains { $0.summary.contains("stand-in") })
    }
}
