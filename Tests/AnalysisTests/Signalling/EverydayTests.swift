import Analysis
import Base
import Testing

@Suite("Everyday ends and what many ignore accuse nobody")
struct EverydayTests {
    private func refuse(_ talk: inout Talk, _ at: Double, _ status: Int, reason: String, call: String) {
        talk.call = call
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, branch: "i\(at)", ["Contact: <sip:alice@192.168.1.20>"],
            body: Talk.sdp("198.51.100.7"))
        talk.up(at, invite)
        talk.down(at + 0.02, talk.response(status, to: invite, ["Reason: \(reason)"]))
        talk.up(at + 0.04, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "i\(at)"))
    }

    // MARK: Q.850

    @Test(
        "a 5xx whose cause is a person's doing is an outcome", arguments: [17, 18, 19, 20, 21], [500, 503, 504])
    func people(cause: Int, status: Int) throws {
        var talk = Talk()
        for turn in 0..<3 { refuse(&talk, Double(turn), status, reason: "Q.850; cause=\(cause)", call: "x\(turn)") }
        talk.later(60)
        #expect(talk.accusations() == [])
        let note = try #require(talk.finding(.sipRefused))
        #expect(note.summary.contains("(Q.850 cause \(cause))"))
        #expect(note.remedies.isEmpty)
    }

    @Test(
        "causes of the network stay a fault, and a SIP cause is none of Q.850",
        arguments: [
            "Q.850;cause=34", "Q.850;cause=38;text=\"x\"", "SIP;cause=17", "Q.850;cause=", "Q.850",
        ])
    func network(reason: String) {
        var talk = Talk()
        refuse(&talk, 0, 503, reason: reason, call: "x")
        talk.later(60)
        #expect(talk.accusations() == ["fault sip.refused"])
    }

    @Test("an end without a stated trouble is an outcome, and a fault where no call gets on", arguments: [16, 31], [1, 3])
    func plain(cause: Int, calls: Int) {
        var talk = Talk()
        for turn in 0..<calls { refuse(&talk, Double(turn), 503, reason: "Q.850;cause=\(cause)", call: "x\(turn)") }
        talk.later(60)
        #expect(talk.accusations() == (calls == 1 ? [] : ["fault sip.refused"]))
    }

    // MARK: What is ignored

    /// Sent again as RFC 3261 17.1.2 has it, and never answered.
    private func ignore(_ talk: inout Talk, at start: Double, _ method: String, _ more: [String]) {
        talk.call = "ignored\(start)"
        let request = talk.request(method, "sip:alice@pbx.example", 1, branch: "g\(start)", more)
        for wait in [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5] {
            talk.up(start + wait, request)
        }
    }

    private static let extras = [
        ["SUBSCRIBE", "Event: message-summary"], ["SUBSCRIBE", "Event: presence"], ["PUBLISH", "Event: presence"],
    ]

    @Test("a mailbox or presence that the server ignores while it registers the phone is a note", arguments: extras)
    func ignored(what: [String]) throws {
        var talk = Talk()
        talk.registers()
        ignore(&talk, at: 2, what[0], [what[1]])
        talk.call = "c1@192.168.1.20"
        talk.registers(at: 50, nonce: "n2", from: 3)
        ignore(&talk, at: 100, what[0], [what[1]])
        talk.later(200)
        #expect(talk.accusations() == [])
        #expect(try #require(talk.finding(.sipRetransmit)).summary.contains("it is there, and ignores \(what[0])"))
    }

    @Test("a server that answers nothing any more, and lamps that stay dark, are told", arguments: [true, false])
    func dead(isDead: Bool) {
        var talk = Talk()
        talk.registers()
        ignore(&talk, at: 2, "SUBSCRIBE", [isDead ? "Event: message-summary" : "Event: dialog"])
        talk.call = "c1@192.168.1.20"
        if !isDead { talk.registers(at: 50, nonce: "n2", from: 3) }
        talk.later(200)
        #expect(talk.accusations() == ["fault sip.retransmit"])
    }

    @Test("a server that took one like it before is told")
    func tookOne() {
        var talk = Talk()
        talk.call = "sub"
        let first = talk.request("SUBSCRIBE", "sip:alice@pbx.example", 1, ["Event: message-summary", "Expires: 60"])
        talk.up(0, first)
        talk.down(0.02, talk.response(200, to: first, ["Expires: 60"]))
        ignore(&talk, at: 20, "SUBSCRIBE", ["Event: message-summary"])
        talk.call = "c1@192.168.1.20"
        talk.registers(at: 60)
        talk.later(200)
        #expect(talk.accusations() == ["fault sip.retransmit"])
    }

    // MARK: RTP timeout

    private func timedOut(hasCall: Bool) -> Talk {
        var talk = Talk()
        if hasCall {
            let invite = talk.request(
                "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@192.168.1.20>"], body: Talk.sdp("198.51.100.7"))
            talk.up(0, invite)
            talk.down(
                1,
                talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: Talk.sdp("203.0.113.10", port: 14_000)))
            talk.up(1.05, talk.request("ACK", "sip:bob@203.0.113.10", 1, peer: "<sip:bob@pbx.example>;tag=s1"))
        }
        let bye = talk.request(
            "BYE", "sip:alice@198.51.100.7", 900, ["Reason: SIP;cause=200;text=\"RTP timeout\""], tag: "s1",
            peer: "<sip:alice@pbx.example>;tag=t1")
        talk.down(31, bye)
        talk.up(31.05, talk.response(200, to: bye))
        talk.later(90)
        return talk
    }

    @Test("a call that was never on hold and ends for want of audio names who was not heard, and no hold")
    func unheard() throws {
        let finding = try #require(timedOut(hasCall: true).finding(.sipTimerDrop))
        #expect(finding.summary.contains("203.0.113.10:5060 sent BYE because it heard no audio from 198.51.100.7:40000"))
        #expect(finding.remedies.allSatisfy { !$0.text.contains("hold") })
        #expect(finding.remedies.first?.text.contains("198.51.100.7:40000 to 203.0.113.10:14000") == true)
    }

    @Test("where the call itself is not in what was read, hold is not ruled out")
    func unknownHold() throws {
        let finding = try #require(timedOut(hasCall: false).finding(.sipTimerDrop))
        #expect(finding.remedies.first?.text.contains("on hold") == true)
    }
}
