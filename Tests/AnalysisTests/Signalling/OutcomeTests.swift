import Analysis
import Base
import Testing

@Suite("What failed is told, and not blamed on the wrong thing")
struct OutcomeTests {
    @Test("a registration refused with 480 is told in the server's own words")
    func refused() {
        var talk = Talk()
        let register = talk.register(1)
        talk.up(0, register)
        talk.down(0.1, talk.response(480, to: register, ["Warning: 399 pbx \"no route\""]))
        talk.later(60)
        #expect(talk.accusations() == ["fault sip.refused"])
        let finding = talk.finding(.sipRefused)
        #expect(finding?.summary.hasPrefix("alice@pbx.example cannot register: ") == true)
        #expect(finding?.details.first == "Its Warning header says: 399 pbx \"no route\"")
    }

    @Test(
        "how calls end every day is an outcome; 404 is a note, 503 a fault", arguments: [486, 600, 603, 480, 408, 404, 403, 503])
    func calls(status: Int) {
        var talk = Talk()
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, body: Talk.sdp("192.168.1.20"))
        talk.up(0, invite)
        talk.down(0.1, talk.response(status, to: invite))
        talk.up(0.2, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "INVITE1"))
        talk.later(60)
        #expect(talk.accusations() == (status == 503 ? ["fault sip.refused"] : []))
        #expect((talk.finding(.sipRefused) != nil) == [404, 403, 503].contains(status))
        if status != 503 {
            #expect(talk.result().verdict.hasPrefix("No NAT or ALG fault was found; 1 call failed with \(status)"))
        }
    }

    @Test("the same transaction again after its 401: the challenge is lost, and nothing is said of credentials")
    func unheardChallenge() {
        var talk = Talk()
        let register = talk.register(1)
        for turn in 0..<4 {
            talk.up(Double(turn), register)
            talk.down(Double(turn) + 0.02, talk.challenge(to: register, nonce: "n\(turn)"))
        }
        talk.later(60)
        #expect(talk.accusations() == ["fault sip.retransmit"])
        #expect(talk.finding(.authNoAnswer) == nil)
    }

    @Test("one repetition that crossed the 401 on its way: the phone heard it and has no password")
    func crossed() {
        var talk = Talk()
        let register = talk.register(1)
        talk.up(0, register)
        talk.up(0.5, register)
        talk.down(0.6, talk.challenge(to: register, nonce: "n1"))
        talk.later(60)
        #expect(talk.accusations() == ["fault auth.no-answer"])
    }

    @Test("a user whose public address is new, as after a forced reconnect, jumped nowhere")
    func moved() {
        var talk = Talk()
        talk.registers(expires: 60)
        let again = talk.register(3, nonce: "n1", expires: 60)
        talk.up(40, again, from: Endpoint("198.51.100.99:41000")!)
        talk.down(40.1, talk.response(200, to: again), to: Endpoint("198.51.100.99:41000")!)
        talk.later(20)
        #expect(talk.accusations() == [])
    }

    @Test("two phones behind one address, their Call-IDs cut out of a log, are two phones", arguments: [true, false])
    func twoPhones(areTwo: Bool) {
        func register(_ port: Int, _ host: Int, _ sequence: Int) -> [String] {
            [
                "<--- SIP read from UDP:203.0.113.77:\(port) --->", "REGISTER sip:pbx.example SIP/2.0",
                "Via: SIP/2.0/UDP 192.168.1.\(host):5060;branch=z9hG4bK\(port)\(sequence);rport", "From: <sip:201@pbx.example>",
                "To: <sip:201@pbx.example>", "CSeq: \(sequence) REGISTER", "Content-Length: 0", "", "<------------->",
            ]
        }
        let lines =
            areTwo
            ? register(40_000, 50, 1) + register(40_017, 51, 1) + register(40_000, 50, 2) + register(40_017, 51, 2)
            : register(40_000, 50, 1) + register(40_017, 50, 2) + register(40_000, 50, 3)
        let result = LogTests.result(Array(lines.joined(separator: "\n").utf8))
        #expect(result.findings.contains { $0.name == .natPortJump } == !areTwo)
    }

    @Test(
        "the server's words, 'Correct auth, but based on stale nonce', are told without the messages around",
        arguments: [true, false])
    func staleInWords(recovers: Bool) {
        var lines = [
            "<--- SIP read from UDP:203.0.113.7:40112 --->", "REGISTER sip:pbx.example SIP/2.0",
            "Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bKq7;rport", "From: <sip:100@pbx.example>;tag=a1",
            "To: <sip:100@pbx.example>", "Call-ID: r7", "CSeq: 148 REGISTER",
            "Authorization: Digest realm=\"pbx\", nonce=\"n1\", username=\"100\", uri=\"sip:pbx.example\", response=\"00\"",
            "Content-Length: 0", "", "<------------->",
            "[2024-03-05 12:59:01] NOTICE[2240]: chan_sip.c:17383 check_auth: Correct auth, but based on stale nonce received from 'x'",
        ]
        if recovers {
            lines += [
                "<--- Transmitting (NAT) to 203.0.113.7:40112 --->", "SIP/2.0 200 OK",
                "Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bKq8;rport", "From: <sip:100@pbx.example>;tag=a1",
                "To: <sip:100@pbx.example>;tag=b", "Call-ID: r7", "CSeq: 149 REGISTER", "Content-Length: 0", "", "<------------>",
            ]
        }
        let found = LogTests.result(Array(lines.joined(separator: "\n").utf8)).findings.filter(\.severity.accuses).map(\.name)
        #expect(found.contains(.authStaleLate) == !recovers)
    }

    @Test("a refusal repeated although each is acknowledged: the ACK does not match; repeated once, nothing", arguments: [1, 6])
    func refusalAgain(count: Int) {
        var talk = Talk()
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, body: Talk.sdp("192.168.1.20"))
        talk.up(0, invite)
        for turn in 0..<count {
            talk.down(Double(turn) * 2 + 0.1, talk.response(486, to: invite))
            talk.up(Double(turn) * 2 + 0.2, talk.request("ACK", "sip:other@pbx.example", 1, branch: "INVITE1"))
        }
        talk.later(60)
        #expect(talk.accusations() == (count > 1 ? ["fault sip.retransmit"] : []))
    }

    @Test(
        "a port that changes on the phone's own LAN is the phone's; behind a NAT the helper is suspected",
        arguments: [true, false])
    func ownPort(isOnLAN: Bool) throws {
        var talk = Talk()
        for turn in 0..<4 {
            let port = UInt16(40_000 + turn * 7)
            let from = isOnLAN ? Endpoint("192.168.1.20:\(port)")! : Endpoint("198.51.100.7:\(port)")!
            let register = talk.register(turn + 1)
            talk.up(Double(turn) * 5, register, from: from)
            talk.down(Double(turn) * 5 + 0.02, talk.response(200, to: register), to: from)
        }
        talk.later(20)
        let jump = try #require(talk.finding(.natPortJump))
        #expect(jump.remedies.contains { $0.text.contains("ALG") } == !isOnLAN)
        #expect(jump.remedies.first?.actor == (isOnLAN ? .phone : .router))
    }

    @Test("a mapping that expired between refreshes jumped nowhere, also when the old port comes back")
    func expired() {
        var talk = Talk()
        for (turn, port) in [UInt16(40_000), 40_007, 40_000, 40_007].enumerated() {
            let register = talk.register(turn + 1, expires: 300)
            talk.up(Double(turn) * 150, register, port: port)
            talk.down(Double(turn) * 150 + 0.02, talk.response(200, to: register), port: port)
        }
        talk.later(20)
        #expect(talk.finding(.natPortJump) == nil)
    }

    @Test("a log that only says 'stale nonce' is believed, and asked for its messages")
    func words() {
        let line = "Nov 22 13:00:01 sbc kamailio[771]: NOTICE: <script>: Auth failed for 201@example.com code -4 stale nonce\n"
        let result = LogTests.result(Array((line + line).utf8))
        #expect(result.findings.filter(\.severity.accuses).map(\.name) == [.authStaleLate])
        #expect(result.findings.first { $0.name == .authStaleLate }?.count == 2)
    }

    @Test(
        "a BYE's Reason is told: no ACK is a fault, another failure a note, an ordinary end nothing",
        arguments: ["SIP;cause=200;text=\"ACK timeout\"", "SIP ;cause=488 ;text=\"Not Acceptable Here\"", "Q.850;cause=16"])
    func reasons(reason: String) {
        var talk = Talk()
        let bye = talk.request("BYE", "sip:bob@pbx.example", 2, ["Reason: \(reason)"], peer: "<sip:bob@pbx.example>;tag=s1")
        talk.up(0, bye)
        talk.down(0.1, talk.response(200, to: bye))
        talk.later(60)
        #expect(talk.accusations() == (reason.contains("ACK") ? ["fault sip.no-ack"] : []))
        #expect((talk.finding(.sipRefused) != nil) == reason.contains("488"))
    }

    @Test(
        "answers from another port than asked are told as such; taken at once they are nobody's fault", arguments: [true, false])
    func otherPort(isLost: Bool) throws {
        var talk = Talk()
        let register = talk.register(1)
        for turn in 0..<(isLost ? 5 : 1) {
            talk.up(Double(turn), register)
            talk.down(Double(turn) + 0.02, talk.challenge(to: register, nonce: "n\(turn)"), from: Endpoint("203.0.113.10:5062")!)
        }
        if !isLost {
            let second = talk.register(2, nonce: "n0")
            talk.up(1, second)
            talk.down(1.1, talk.response(200, to: second), from: Endpoint("203.0.113.10:5062")!)
        }
        talk.later(60)
        #expect(talk.accusations().filter { !$0.contains("capture") } == (isLost ? ["fault sip.retransmit"] : []))
        if isLost { #expect(talk.finding(.sipRetransmit)?.summary.contains("from port 5062 instead of 5060") == true) }
    }
}
