import Analysis
import Base
import Capture
import Testing

@Suite("Calls that go on for one end alone")
struct MediaEndTests {
    private let peer = "<sip:bob@pbx.example>;tag=s1"

    private typealias Packet = Talk.Packet

    private var talk: Talk {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        return talk
    }

    private func audio(_ up: Bool, _ from: Double, _ to: Double) -> [Packet] {
        (0..<Int((to - from) * 50)).map { number in
            Packet(
                at: from + Double(number) * 0.02, up: up, bytes: MediaScene.rtp(0, number, UInt32(number * 160), up ? 1 : 2),
                isAudio: true)
        }
    }

    private func findings(_ packets: [Packet]) -> [Finding] { talk.accusations(of: packets) }

    private var setUp: (invite: String, packets: [Packet]) {
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:40000>"],
            body: Talk.sdp("198.51.100.7", port: 20_000))
        let ok = talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: Talk.sdp("203.0.113.10", port: 30_000))
        let ack = talk.request("ACK", "sip:bob@203.0.113.10", 1, branch: "ack", peer: peer)
        return (
            invite,
            [Packet(at: 0, up: true, bytes: Array(invite.utf8)), Packet(at: 5, up: false, bytes: Array(ok.utf8))]
                + [Packet(at: 5.02, up: true, bytes: Array(ack.utf8))]
        )
    }

    @Test(
        "a BYE refused by an end that goes on talking; one that stops, or takes the BYE, is over",
        arguments: [(404, 40.0, 2), (500, 40, 1), (404, 20.5, 2), (200, 40, 2)] as [(Int, Double, Int)])
    func refusedBye(status: Int, until: Double, number: Int) throws {
        let bye = talk.request("BYE", "sip:bob@203.0.113.10", number, peer: peer)
        let found = findings(
            setUp.packets + audio(true, 5.1, 20) + audio(false, 5.1, until) + [
                Packet(at: 20, up: true, bytes: Array(bye.utf8)),
                Packet(at: 20.02, up: false, bytes: Array(talk.response(status, to: bye).utf8)),
            ])
        let goesOn = status >= 400 && until > 30
        #expect(found.map(\.name) == (goesOn ? [.sipRefused] : []))
        if let finding = found.first {
            #expect(
                finding.summary
                    == "198.51.100.7:40000 hung up, but 203.0.113.10:5060 answered its BYE with \(status) Whatever and goes on sending audio: for 203.0.113.10:5060 the call goes on."
            )
            #expect(
                finding.culprit
                    == (number == 1 ? .proved("198.51.100.7:40000") : .between("198.51.100.7:40000", "203.0.113.10:5060")))
        }
    }

    @Test(
        "a cancelled call that is answered goes on without its caller: told of the caller where the two crossed, else of who answered",
        arguments: [(4.99, false, false), (1, false, false), (4.99, true, false), (4.99, false, true)] as [(Double, Bool, Bool)])
    func ghost(cancelled: Double, hangsUp: Bool, talks: Bool) throws {
        let cancel = talk.request("CANCEL", "sip:bob@pbx.example", 1, branch: "INVITE1")
        var packets = setUp.packets + audio(false, 5.1, hangsUp ? 5.4 : 40)
        packets.append(Packet(at: cancelled, up: true, bytes: Array(cancel.utf8)))
        packets.append(Packet(at: cancelled + 0.02, up: false, bytes: Array(talk.response(200, to: cancel).utf8)))
        let bye = talk.request("BYE", "sip:bob@203.0.113.10", 2, peer: peer)
        if hangsUp {
            packets.append(Packet(at: 5.3, up: true, bytes: Array(bye.utf8)))
            packets.append(Packet(at: 5.32, up: false, bytes: Array(talk.response(200, to: bye).utf8)))
        }
        if talks { packets += audio(true, 5.1, 40) }
        var other = talk
        other.call = "other"
        packets.append(Packet(at: 60, up: true, bytes: Array(other.request("OPTIONS", "sip:pbx.example", 1).utf8)))
        let found = findings(packets)
        #expect(found.map(\.name) == (hangsUp || talks ? [] : [.sipUnfinished]))
        if let finding = found.first {
            #expect(finding.culprit == .proved(cancelled > 4 ? "198.51.100.7:40000" : "203.0.113.10:5060"))
        }
    }
}
