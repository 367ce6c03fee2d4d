import Analysis
import Base
import Testing

@Suite("private places in SDP that a server passes on, and its own")
struct PassedPrivateTests {
    /// A call to a phone behind the registrar, whose answer names `place` in SDP and `contact` in Contact; the caller's audio goes there.
    private func told(contact: String, route: Bool, agent: String = "Phone/2") -> Finding? {
        var talk = Talk()
        talk.call = "p1"
        talk.said = "198.51.100.7:40000"
        talk.registers()
        talk.call = "p2"
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:40000>"], body: Talk.sdp("198.51.100.7"))
        talk.up(1, invite)
        let ok = talk.response(
            200, to: invite,
            ["Contact: <sip:bob@\(contact):5060>"] + (route ? ["Record-Route: <sip:203.0.113.10;lr>"] : []),
            body: Talk.sdp("10.0.0.11")
        ).replacing("Server: PBX/2", with: "Server: \(agent)")
        talk.down(1.2, ok)
        talk.up(1.3, talk.request("ACK", "sip:bob@\(contact)", 1))
        for number in 0..<400 {
            talk.see(
                1.4 + Double(number) / 50, Endpoint("198.51.100.7:20000")!, Endpoint("10.0.0.11:20000")!,
                .rtp(MediaScene.rtp(0, number, UInt32(number * 160), 7)))
        }
        let bye = talk.request("BYE", "sip:bob@\(contact)", 2)
        talk.up(10, bye)
        talk.down(10.1, talk.response(200, to: bye))
        return talk.finding(.natPrivateSDP)
    }

    @Test("a phone's own address that a proxy passes on is not called the server's")
    func passedOn() throws {
        let finding = try #require(told(contact: "10.0.0.11", route: true))
        #expect(
            finding.summary
                == "203.0.113.10:5060 passes on a description that asks for its audio at the private address 10.0.0.11:20000: whoever sends there "
                + "reaches nobody.")
        #expect(finding.remedies.first?.text == "Relay the media and send to where it comes from (latching).")
    }

    @Test("a server whose relay or whose program names its own private address is told so")
    func own() throws {
        for one in [
            told(contact: "192.0.2.50", route: true), told(contact: "10.0.0.11", route: false),
            told(contact: "10.0.0.11", route: true, agent: "Asterisk PBX 18"),
        ] {
            #expect(try #require(one).summary.hasPrefix("The server 203.0.113.10:5060"))
        }
    }
}
