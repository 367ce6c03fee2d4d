import Analysis
import Base
import Capture
import Testing

@Suite("A call that one end had ended before: what its 481 says, and what tells more")
struct LostByeTests {
    /// A call of half a minute whose callee falls silent after ten seconds, and refuses the caller's BYE with 481.
    private func finding(
        goodbye: Double? = nil, contact: String = "198.51.100.7:40000", heardAfter: Bool = false
    ) throws -> Finding {
        var talk = Talk()
        talk.said = contact
        talk.call = "plain"
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@\(contact)>"], body: Talk.sdp("198.51.100.7", port: 20_000))
        let ok = talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: Talk.sdp("203.0.113.10", port: 30_000))
        let peer = "<sip:bob@pbx.example>;tag=s1"
        let bye = talk.request("BYE", "sip:bob@203.0.113.10", 2, peer: peer)
        var packets = [
            Talk.Packet(at: 0, up: true, bytes: Array(invite.utf8)), Talk.Packet(at: 1, up: false, bytes: Array(ok.utf8)),
            Talk.Packet(
                at: 1.02, up: true, bytes: Array(talk.request("ACK", "sip:bob@203.0.113.10", 1, branch: "a", peer: peer).utf8)),
            Talk.Packet(at: 32, up: true, bytes: Array(bye.utf8)),
            Talk.Packet(at: 32.03, up: false, bytes: Array(talk.response(481, to: bye).utf8)),
        ]
        for number in 0..<1_500 {
            let at = 1.05 + Double(number) * 0.02
            packets.append(
                Talk.Packet(at: at, up: true, bytes: MediaScene.rtp(0, number, UInt32(number * 160), 1), isAudio: true))
            if number < 500 {
                packets.append(
                    Talk.Packet(at: at, up: false, bytes: MediaScene.rtp(0, number, UInt32(number * 160), 2), isAudio: true))
            }
        }
        // Source 2 leaves: a receiver report first, then BYE.
        if let goodbye {
            let bytes: [UInt8] = [0x80, 201, 0, 1, 0, 0, 0, 2, 0x81, 203, 0, 1, 0, 0, 0, 2]
            packets.append(Talk.Packet(at: goodbye, up: false, bytes: bytes, isAudio: true))
        }
        return try #require(talk.accusations(of: packets).first { $0.name == .sipRefused })
    }

    @Test("481 alone accuses neither end: a lost BYE comes first, a lost call second")
    func both() throws {
        let finding = try finding()
        #expect(finding.culprit == .between("198.51.100.7:40000", "203.0.113.10:5060"))
        #expect(finding.details.contains { $0.contains("most often it had hung up before, and its BYE got lost on the way") })
        #expect(finding.remedies.first?.text.contains("whether it sent a BYE") == true)
    }

    @Test("RTCP's BYE at the end of its audio says that it hung up; one in the middle of it says nothing")
    func goodbye() throws {
        let told = try finding(goodbye: 11.06)
        #expect(
            told.summary
                == "203.0.113.10:5060 hung up, as its RTCP says, but its BYE did not arrive: the other end talked on to nobody, until its own BYE was answered with 481."
        )
        #expect(told.remedies.allSatisfy { $0.actor == .router })
        #expect(try finding(goodbye: 5).summary.contains("no longer knows the call"))
    }

    @Test("the private Contact of who talked on is where the BYE went; a public one is not named")
    func privateContact() throws {
        let told = try finding(contact: "192.168.1.20:5060")
        #expect(told.details.contains { $0.contains("names the private address 192.168.1.20.") })
        #expect(try !finding().details.contains { $0.contains("private address") })
    }

    @Test("audio to a closed port after RTCP's BYE: who hung up was not heard, and no relay failed")
    func gone() throws {
        func finding(goodbye: Bool) throws -> Finding {
            var scene = MediaScene()
            scene.call()
            scene.say(MediaScene.calleeAudio, MediaScene.callerAudio, at: 1.1) {
                $0.seconds = 30; $0.ssrc = 2
            }
            scene.say(MediaScene.callerAudio, MediaScene.calleeAudio, at: 1.1) {
                $0.seconds = 8; $0.ssrc = 1
            }
            if goodbye {
                scene.packet(
                    [0x80, 201, 0, 1, 0, 0, 0, 1, 0x81, 203, 0, 1, 0, 0, 0, 1], MediaScene.callerAudio, MediaScene.calleeAudio,
                    at: 9.1)
            }
            for second in 0..<21 {
                scene.icmp(
                    from: MediaScene.callerAudio.address, about: MediaScene.calleeAudio, MediaScene.callerAudio,
                    at: 9.3 + Double(second))
            }
            return try #require(scene.finish().findings.first { $0.name == .mediaNone && $0.severity == .fault })
        }
        let told = try finding(goodbye: true)
        #expect(
            told.summary.hasPrefix("The caller (198.51.100.5:5060) hung up, and the callee did not learn of it"))
        #expect(try finding(goodbye: false).summary.contains("stopped both ways"))
        #expect(try !finding(goodbye: false).remedies.contains { $0.text.contains("media relay") })
    }
}
