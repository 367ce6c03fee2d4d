import Analysis
import Base
import Testing

@Suite("sip.unfinished: a call that somebody took and never finished")
struct UnfinishedTests {
    private func invited(_ more: Int...) -> (talk: Talk, invite: String) {
        var talk = Talk()
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, body: Talk.sdp("198.51.100.7"))
        talk.up(0, invite)
        for (place, status) in more.enumerated() { talk.down(0.1 + Double(place) * 0.2, talk.response(status, to: invite)) }
        return (talk, invite)
    }

    private func cancel(_ talk: inout Talk, _ at: Double) {
        let cancel = talk.request("CANCEL", "sip:bob@pbx.example", 1, branch: "INVITE1")
        talk.up(at, cancel)
        talk.down(at + 0.02, talk.response(200, to: cancel))
    }

    @Test("a cancelled call whose INVITE is never answered is a fault; where the capture ended, nothing", arguments: [100.0, 20])
    func cancelled(end: Double) {
        var (talk, _) = invited(100, 180)
        cancel(&talk, 10)
        talk.later(end)
        #expect(talk.accusations() == (end > 50 ? ["fault sip.unfinished"] : []))
    }

    @Test("487 as it should be, and a 200 that crossed the CANCEL, are ends", arguments: [487, 200])
    func ended(status: Int) {
        var (talk, invite) = invited(100, 180)
        cancel(&talk, 10)
        talk.down(10.03, talk.response(status, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: Talk.sdp("203.0.113.10")))
        talk.up(10.1, talk.request("ACK", "sip:bob@pbx.example", 1, branch: status == 200 ? "ack" : "INVITE1"))
        talk.later(100)
        #expect(talk.finding(.sipUnfinished) == nil)
    }

    @Test("100 and a minute of nothing until the caller gives up is a note, and the verdict says so")
    func stuck() throws {
        var (talk, invite) = invited(100)
        cancel(&talk, 60)
        talk.down(60.03, talk.response(487, to: invite))
        talk.up(60.1, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "INVITE1"))
        talk.later(120)
        #expect(talk.accusations() == [])
        #expect(talk.result().verdict.contains("203.0.113.10:5060 said 100 Trying and then nothing for 60 s"))
    }

    @Test("a call that rings, or is given up soon, is not stuck", arguments: [60.0, 8])
    func notStuck(after: Double) {
        var (talk, invite) = after > 10 ? invited(100, 180) : invited(100)
        cancel(&talk, after)
        talk.down(after + 0.03, talk.response(487, to: invite))
        talk.up(after + 0.1, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "INVITE1"))
        talk.later(120)
        #expect(talk.finding(.sipUnfinished) == nil)
    }

    @Test(
        "a scanner's call that rings is a risk; refused, or of a phone, nothing", arguments: ["friendly-scanner", "Phone/1.0"],
        [180, 401])
    func scanner(agent: String, status: Int) {
        var talk = Talk()
        talk.agent = agent
        for turn in 0..<3 {
            talk.call = "g\(turn)"
            let at = Double(turn) * 40
            let invite = talk.request("INVITE", "sip:1000@203.0.113.10", 1, branch: "g\(turn)")
            talk.up(at, invite)
            talk.down(at + 0.1, talk.response(status, to: invite))
            if status == 180 { talk.down(at + 20, talk.response(480, to: invite)) }
            talk.up(at + 20.1, talk.request("ACK", "sip:1000@203.0.113.10", 1, branch: "g\(turn)"))
        }
        let isRung = agent == "friendly-scanner" && status == 180
        #expect((talk.finding(.authAttack)?.severity == .risk) == isRung)
        if isRung { #expect(talk.finding(.authAttack)?.count == 3) }
    }
}
