import Analysis
import Base
import Capture
import Testing

@Suite("sip.refused of a BYE: an end that lost the call")
struct LostDialogTests {
    /// A call whose callee is heard for so long of half a minute, and whose BYE is answered.
    private func call(heard: Double, status: Int, crossing: Bool = false) -> [Finding] {
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
        var packets: [(at: Double, up: Bool, bytes: [UInt8], audio: Bool)] = [
            (0, true, Array(invite.utf8), false), (1, false, Array(ok.utf8), false), (1.02, true, Array(ack.utf8), false),
            (32, true, Array(bye.utf8), false), (32.03, false, Array(talk.response(status, to: bye).utf8), false),
        ]
        if crossing {
            packets.append((32.01, false, Array(bye.replacing("branch=z9hG4bKBYE2", with: "branch=z9hG4bKother").utf8), false))
        }
        for number in 0..<1_500 {
            let at = 1.05 + Double(number) * 0.02
            packets.append((at, true, MediaScene.rtp(0, number, UInt32(number * 160), 1), true))
            if at < 1.05 + heard { packets.append((at, false, MediaScene.rtp(0, number, UInt32(number * 160), 2), true)) }
        }
        var batch = PayloadBatch()
        for (frame, packet) in packets.sorted(by: { $0.at < $1.at }).enumerated() {
            let phone = packet.audio ? Endpoint("198.51.100.7:20000")! : talk.phone
            let server = packet.audio ? Endpoint("203.0.113.10:30000")! : talk.server
            batch.append(
                packet.bytes, from: packet.up ? phone : server, to: packet.up ? server : phone, .udp,
                at: Instant(nanoseconds: 1_700_000_000_000_000_000 + Int64(packet.at * 1e9)), frame: UInt64(frame + 1))
        }
        var analyzer = Analyzer(sources: [SourceSummary(name: "a", kind: .capture)])
        analyzer.observe(batch, file: 0)
        return analyzer.finish().findings.filter(\.severity.accuses)
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

    @Test("heard to the last, BYEs that cross, or a BYE that is accepted accuse nobody of that")
    func innocent() {
        #expect(call(heard: 30, status: 481).isEmpty)
        #expect(call(heard: 30, status: 481, crossing: true).isEmpty)
        #expect(!call(heard: 12, status: 481, crossing: true).contains { $0.name == .sipRefused })
        #expect(!call(heard: 0, status: 481).contains { $0.name == .sipRefused })
        #expect(!call(heard: 12, status: 200).contains { $0.name == .sipRefused })
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
