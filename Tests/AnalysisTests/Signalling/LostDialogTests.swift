import Analysis
import Base
import Capture
import Testing

@Suite("sip.refused of a BYE: an end that lost the call")
struct LostDialogTests {
    /// A call whose callee is heard for so long of half a minute, and whose BYE is answered.
    private func call(heard: Double, status: Int, crossing: Bool = false, on: Double = 30) -> [Finding] {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:40000>"],
            body: Talk.sdp("198.51.100.7", port: 20_000))
        let ok = talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: Talk.sdp("203.0.113.10", port: 30_000))
        let peer = "<sip:bob@pbx.example>;tag=s1"
        let ack = talk.request("ACK", "sip:bob@203.0.113.10", 1, branch: "ack", peer: peer)
        let bye = talk.request("BYE", "sip:bob@203.0.113.10", 2, peer: peer)
        var packets: [Talk.Packet] = [
            Talk.Packet(at: 0, up: true, bytes: Array(invite.utf8)), Talk.Packet(at: 1, up: false, bytes: Array(ok.utf8)),
            Talk.Packet(at: 1.02, up: true, bytes: Array(ack.utf8)),
            Talk.Packet(at: 32, up: true, bytes: Array(bye.utf8)),
            Talk.Packet(at: 32.03, up: false, bytes: Array(talk.response(status, to: bye).utf8)),
        ]
        if crossing {
            packets.append(
                Talk.Packet(
                    at: 32.01, up: false, bytes: Array(bye.replacing("branch=z9hG4bKBYE2", with: "branch=z9hG4bKother").utf8)))
        }
        for number in 0..<max(1_500, Int(on * 50)) {
            let at = 1.05 + Double(number) * 0.02
            if number < 1_500 {
                packets.append(
                    Talk.Packet(at: at, up: true, bytes: MediaScene.rtp(0, number, UInt32(number * 160), 1), isAudio: true))
            }
            if at < 1.05 + heard {
                packets.append(
                    Talk.Packet(at: at, up: false, bytes: MediaScene.rtp(0, number, UInt32(number * 160), 2), isAudio: true))
            }
        }
        return talk.accusations(of: packets)
    }

    @Test("who falls silent and then answers the BYE with 481 has lost the call; the silence follows from it")
    func lost() throws {
        let found = call(heard: 12, status: 481)
        #expect(found.map(\.name) == [.sipRefused])
        #expect(
            try #require(found.first).summary
                == "203.0.113.10:5060 no longer knows the call of alice@pbx.example to bob@pbx.example: its audio stopped while the other end "
                + "went on, and it answered the BYE with 481.")
    }

    @Test("who answers the BYE with 481 and goes on sending audio has not ended the call")
    func goesOn() throws {
        let found = call(heard: 50, status: 481, on: 50)
        #expect(found.map(\.name) == [.sipRefused])
        #expect(
            try #require(found.first).summary
                == "198.51.100.7:40000 hung up, but 203.0.113.10:5060 answered its BYE with 481 Whatever and goes on sending audio: for "
                + "203.0.113.10:5060 the call goes on.")
        #expect(call(heard: 50, status: 481, crossing: true, on: 50).isEmpty)
    }

    @Test("heard to the last, BYEs that cross, or a BYE that is accepted accuse nobody of that")
    func innocent() {
        #expect(call(heard: 30, status: 481).isEmpty)
        #expect(call(heard: 30, status: 481, crossing: true).isEmpty)
        #expect(!call(heard: 12, status: 481, crossing: true).contains { $0.name == .sipRefused })
        #expect(!call(heard: 0, status: 481).contains { $0.name == .sipRefused })
        #expect(!call(heard: 12, status: 200).contains { $0.name == .sipRefused })
    }

    @Test(
        "a change and the BYE after it that both draw 481 say that the call was lost; a change alone, or a BYE that is accepted, do not"
    )
    func refusesAll() {
        func found(change: Int, bye: Int) -> Finding? {
            var talk = Talk()
            let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, body: Talk.sdp("192.168.1.20"))
            talk.up(0, invite)
            talk.down(1, talk.response(200, to: invite, body: Talk.sdp("203.0.113.10")))
            let peer = "<sip:bob@pbx.example>;tag=s1"
            talk.up(1.02, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "ack", peer: peer))
            let again = talk.request("INVITE", "sip:bob@pbx.example", 2, body: Talk.sdp("192.168.1.20"), peer: peer)
            talk.up(900, again)
            talk.down(900.02, talk.response(change, to: again))
            talk.up(900.03, talk.request("ACK", "sip:bob@pbx.example", 2, branch: "INVITE2", peer: peer))
            let end = talk.request("BYE", "sip:bob@pbx.example", 3, peer: peer)
            talk.up(900.1, end)
            talk.down(900.12, talk.response(bye, to: end))
            return talk.result().findings.first { $0.severity == .fault && $0.summary.contains("no longer knows the call") }
        }
        #expect(found(change: 481, bye: 481)?.culprit == .between("198.51.100.7:40000", "203.0.113.10:5060"))
        #expect(found(change: 481, bye: 200) == nil && found(change: 200, bye: 481) == nil)
    }

    @Test(
        "a BYE that is challenged and never sent with credentials leaves the call standing; one that is, or is crossed, does not",
        arguments: ["never", "again", "crossed"])
    func challenged(how: String) {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:40000>"], body: Talk.sdp("198.51.100.7"))
        talk.up(0, invite)
        talk.down(1, talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: Talk.sdp("203.0.113.10")))
        let peer = "<sip:bob@pbx.example>;tag=s1"
        talk.up(1.02, talk.request("ACK", "sip:bob@203.0.113.10", 1, branch: "ack", peer: peer))
        let bye = talk.request("BYE", "sip:bob@203.0.113.10", 2, peer: peer)
        talk.up(20, bye)
        talk.down(20.02, talk.challenge(407, to: bye, nonce: "n"))
        if how == "again" {
            let second = talk.request("BYE", "sip:bob@203.0.113.10", 3, talk.authorization("n"), peer: peer)
            talk.up(20.04, second)
            talk.down(20.06, talk.response(200, to: second))
        } else if how == "crossed" {
            let other = talk.request("BYE", "sip:alice@198.51.100.7:40000", 7, branch: "other", peer: peer)
            talk.down(21, other)
            talk.up(21.02, talk.response(200, to: other))
        }
        talk.later(60)
        #expect(talk.accusations() == (how == "never" ? ["fault auth.no-answer"] : []))
    }
}
