import Analysis
import Testing

@Suite("sip.timer-drop: a refresher that never refreshes; tcp.unanswered inside calls")
struct RefresherTests {
    /// A call of the phone with that Session-Expires in the 200, which the server ends so many seconds later.
    private func talk(
        _ timer: String, after seconds: Double, asks: Bool = false, byPhone: Bool = false, reason: [String] = []
    ) -> Talk {
        var talk = Talk.withoutNAT()
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7>", "Supported: timer"],
            body: Talk.sdp("198.51.100.7"))
        talk.up(0, invite)
        talk.down(
            1,
            talk.response(
                200, to: invite, ["Contact: <sip:bob@203.0.113.10>", "Session-Expires: \(timer)"], body: Talk.sdp("203.0.113.10"))
        )
        let peer = "<sip:bob@pbx.example>;tag=s1"
        talk.up(1.02, talk.request("ACK", "sip:bob@203.0.113.10", 1, branch: "ack", peer: peer))
        if asks {
            let update = talk.request("UPDATE", "sip:bob@203.0.113.10", 2, peer: peer)
            talk.up(450, update)
            talk.down(450.03, talk.response(200, to: update, ["Session-Expires: \(timer)"]))
        }
        let bye = talk.request("BYE", "sip:alice@198.51.100.7", 9, reason, peer: peer)
        if byPhone { talk.up(1 + seconds, bye) } else { talk.down(1 + seconds, bye) }
        let ok = talk.response(200, to: bye)
        if byPhone { talk.down(1.03 + seconds, ok) } else { talk.up(1.03 + seconds, ok) }
        talk.later(seconds + 60)
        return talk
    }

    @Test("who took the refresh on and sent none is named, with or without the BYE's own words", arguments: [884.0, 895, 890])
    func named(after: Double) throws {
        let finding = try #require(talk("900;refresher=uac", after: after).finding(.sipTimerDrop))
        #expect(finding.severity == .fault && finding.culprit == .proved("198.51.100.7:5060"))
        #expect(
            finding.summary.contains(
                "198.51.100.7:5060 had taken its refresh on (refresher=uac), and sent none for \(Int(after)) s"))
    }

    @Test("a refresh, the refresher's own hanging up, another refresher, or an earlier end accuse nobody")
    func innocent() {
        #expect(talk("900;refresher=uac", after: 884, asks: true).accusations() == [])
        #expect(talk("900;refresher=uac", after: 884, byPhone: true).accusations() == [])
        #expect(talk("900;refresher=uas", after: 884).accusations() == [])
        #expect(talk("900;refresher=uac", after: 700).accusations() == [])
        #expect(talk("900", after: 884).accusations() == [])
    }

    /// An INVITE over TCP from the server, never answered, and an OPTIONS of the same Call-ID that is.
    private func stream(answers: Bool, speaks: Bool = true, cancelled: Bool = false) -> Talk {
        var talk = Talk.withoutNAT()
        talk.transport = .tcp
        talk.registers()
        talk.call = "in"
        let invite = talk.request("INVITE", "sip:alice@198.51.100.7", 1, body: Talk.sdp("203.0.113.10"))
        talk.down(20, invite)
        if answers { talk.up(20.1, talk.response(180, to: invite)) }
        if cancelled {
            let cancel = talk.request("CANCEL", "sip:alice@198.51.100.7", 1, branch: "INVITE1")
            talk.down(30, cancel)
            talk.up(30.02, talk.response(200, to: cancel))
        }
        if speaks {
            let options = talk.request("OPTIONS", "sip:alice@198.51.100.7", 2)
            talk.down(55, options)
            talk.up(55.03, talk.response(200, to: options))
        }
        talk.later(100)
        return talk
    }

    @Test("an INVITE over TCP that its hearer passes over is told; answered or cancelled it is not")
    func passedOver() throws {
        let finding = try #require(stream(answers: false).finding(.tcpUnanswered))
        #expect(
            finding.summary
                == "198.51.100.7:5060 never answered the INVITE that 203.0.113.10:5060 sent it over TCP, not even with 100 Trying, though it goes "
                + "on with other requests.")
        #expect(stream(answers: true).finding(.tcpUnanswered) == nil)
        #expect(stream(answers: false, cancelled: true).finding(.tcpUnanswered)?.summary.contains("goes on with other") != true)
    }
}
