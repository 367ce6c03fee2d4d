import Analysis
import Base
import Testing

@Suite("Changes of a call that end it: fax, refreshes that nobody pays for, answers that were altered, port 9")
struct ChangedCallTests {
    private let there = "<sip:bob@pbx.example>;tag=s1"
    private let uri = "sip:bob@203.0.113.10"

    private func begin(_ talk: inout Talk, _ more: [String] = []) {
        let invite = talk.request(
            "INVITE", uri, 1, ["Contact: <sip:alice@198.51.100.7:5060>"] + more, body: Talk.sdp("198.51.100.7", port: 4_000))
        talk.up(0, invite)
        talk.down(1, talk.response(200, to: invite, ["Contact: <\(uri)>"] + more, body: Talk.sdp("203.0.113.10", port: 14_000)))
        talk.up(1.03, talk.request("ACK", uri, 1, branch: "a1", peer: there))
    }

    private func bye(_ talk: inout Talk, _ at: Double, _ number: Int) {
        let bye = talk.request("BYE", "sip:alice@198.51.100.7", number, tag: "s1", peer: "<sip:alice@pbx.example>;tag=t1")
        talk.down(at, bye)
        talk.up(at + 0.05, talk.response(200, to: bye))
        talk.later(at + 60)
    }

    /// T.38 asked for by the callee, refused, and so many seconds later the end.
    private func fax(end: Double) -> Talk {
        var talk = Talk.withoutNAT()
        begin(&talk)
        let body = Talk.sdp("203.0.113.10", port: 14_002).replacing("m=audio 14002 RTP/AVP 0 8", with: "m=image 14002 udptl t38")
        let ask = talk.request(
            "INVITE", "sip:alice@198.51.100.7", 1, branch: "fax", body: body, tag: "s1", peer: "<sip:alice@pbx.example>;tag=t1")
        talk.down(8, ask)
        talk.up(8.05, talk.response(488, to: ask))
        talk.down(
            8.1,
            talk.request("ACK", "sip:alice@198.51.100.7", 1, branch: "fax", tag: "s1", peer: "<sip:alice@pbx.example>;tag=t1"))
        bye(&talk, 8.05 + end, 2)
        return talk
    }

    @Test("T.38 that is refused, and an end before any fax could pass, is a fault; later the fax may have gone in the audio")
    func refusedFax() throws {
        let talk = fax(end: 2)
        #expect(talk.accusations() == ["fault sdp.mismatch"])
        #expect(
            try #require(talk.finding(.sdpMismatch)).summary
                == "198.51.100.7:5060 refused the call's media with 488: offered were T.38, asked for inside the call that was up, and "
                + "203.0.113.10:5060 ended that call without a fax.")
        #expect(fax(end: 30).accusations() == [])
    }

    /// A refresh at 300 s that is challenged, perhaps answered, and the BYE of the session timer.
    private func refresh(answered: Bool) -> Talk {
        var talk = Talk.withoutNAT()
        let timer = ["Session-Expires: 600;refresher=uac"]
        begin(&talk, timer)
        let body = Talk.sdp("198.51.100.7", port: 4_000)
        let first = talk.request("INVITE", uri, 2, branch: "i2", timer, body: body, peer: there)
        talk.up(300, first)
        talk.down(300.03, talk.challenge(407, to: first, nonce: "n1"))
        talk.up(300.06, talk.request("ACK", uri, 2, branch: "i2", peer: there))
        if answered {
            let again = talk.request("INVITE", uri, 3, branch: "i3", timer + talk.authorization("n1"), body: body, peer: there)
            talk.up(300.1, again)
            talk.down(
                300.2, talk.response(200, to: again, ["Contact: <\(uri)>"] + timer, body: Talk.sdp("203.0.113.10", port: 14_000)))
            talk.up(300.3, talk.request("ACK", uri, 3, branch: "a3", peer: there))
        }
        bye(&talk, 601, 2)
        return talk
    }

    @Test("a refresh that is challenged and never sent with credentials is why the session timer ends the call")
    func challengedRefresh() throws {
        let finding = try #require(refresh(answered: false).finding(.sipTimerDrop))
        #expect(
            finding.summary.contains("asked for a password for the refresh of the session (407) and 198.51.100.7:5060 gave none"))
        #expect(finding.remedies.first?.actor == .phone)
        #expect(refresh(answered: true).finding(.sipTimerDrop)?.summary.contains("gave none") != true)
    }

    /// REGISTER that comes again and again although it is challenged.
    private func unheard(altered: Bool) -> Talk {
        var talk = Talk()
        let register = talk.register(1)
        for turn in 0..<4 {
            talk.up(Double(turn) * Double(turn), register, from: Endpoint("192.168.1.20:5060")!)
            let answer = talk.challenge(to: register, nonce: "n1")
            talk.down(
                Double(turn) * Double(turn) + 0.02,
                altered ? answer.replacing("SIP/2.0/UDP 192.168.1.20:5060", with: "SIP/2.0/UDP 198.51.100.7:61001") : answer,
                to: Endpoint("192.168.1.20:5060")!)
        }
        talk.later(60)
        return talk
    }

    @Test("a challenge that comes back with another Via than the phone wrote is a helper's; one with its own is lost on the way")
    func alteredVia() throws {
        let talk = unheard(altered: true)
        #expect(talk.accusations() == ["fault sip.retransmit"])
        let finding = try #require(talk.finding(.sipRetransmit))
        #expect(finding.summary.contains("comes back with another address in Via than 192.168.1.20:5060 wrote"))
        #expect(finding.remedies.last?.actor == .phone)
        #expect(unheard(altered: false).finding(.sipRetransmit)?.summary.contains("never arrives") == true)
    }
}
