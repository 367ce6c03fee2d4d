import Analysis
import Base
import Testing

@Suite("nat.private-contact, nat.wrong-external: requests of a call that go to an address where nobody is")
struct UnroutableACKTests {
    private static let all = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]

    /// A call through a proxy with Record-Route, whose callee names `contact`. `inner`: the callee's leg is in the capture, too, and whether the
    /// ACK is passed on there.
    private func call(
        _ times: [Double], contact: String = "192.168.7.20:5060", route: Bool = true, inner: Bool = false, passes: Bool = false
    ) -> Talk {
        var talk = Talk.withoutNAT()
        let more = ["Contact: <sip:bob@\(contact)>"] + (route ? ["Record-Route: <sip:203.0.113.10;lr>"] : [])
        let phone = Endpoint("198.51.100.77:40123")!
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:5060>"])
        let ack = talk.request(
            "ACK", "sip:bob@\(contact)", 1, branch: "ack", ["Route: <sip:203.0.113.10;lr>"], peer: "<sip:bob@pbx.example>;tag=s1")
        func below(_ message: String) -> String {
            message.replacing("Via:", with: "Via: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bKproxy\r\nVia:", maxReplacements: 1)
        }
        talk.up(0, invite)
        if inner { talk.down(0.1, below(invite), to: phone) }
        for time in times {
            if inner { talk.up(1 + time, below(talk.response(200, to: invite, more)), from: phone) }
            talk.down(1.01 + time, talk.response(200, to: invite, more))
            talk.up(1.02 + time, ack)
            if passes { talk.down(1.03 + time, below(ack), to: phone) }
        }
        talk.up(34, talk.request("BYE", "sip:bob@\(contact)", 2, peer: "<sip:bob@pbx.example>;tag=s1"))
        talk.later(120)
        return talk
    }

    @Test("an ACK that comes to the proxy for the callee's private Contact and goes no farther", arguments: [false, true])
    func stranded(inner: Bool) throws {
        let talk = call(Self.all, inner: inner)
        #expect(talk.accusations() == ["fault nat.private-contact"])
        let finding = try #require(talk.finding(.natPrivateContact))
        #expect(
            finding.summary.contains(
                "names the private address 192.168.7.20:5060 in its Contact, and 203.0.113.10:5060 leaves it so"))
        #expect(finding.remedies[0].actor == .server)
    }

    @Test("a proxy that sends it back to where the 200 came from, and a Contact that can be reached: nobody, or as before")
    func innocent() {
        #expect(call([0], inner: true, passes: true).finding(.sipNoACK) == nil)
        #expect(call([0], inner: true, passes: true).accusations() == [])
        #expect(call(Self.all, contact: "203.0.113.30:5060").finding(.natPrivateContact) == nil)
        #expect(call(Self.all, route: false).finding(.natPrivateContact)?.summary.contains("leaves it so") != true)
    }

    // MARK: nat.wrong-external

    /// A PBX at 198.51.100.99 calls and names `said`; the far end's BYE goes where Contact says, `times`, and is answered at last or not.
    private func ended(said: String, contact: String? = nil, times: [Double] = all, speaks: Bool = false) -> Talk {
        var talk = Talk.withoutNAT()
        talk.phone = Endpoint("198.51.100.99:5060")!
        talk.said = "\(said):5060"
        talk.agent = "Asterisk PBX 18"
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@\(contact ?? said):5060>"])
        talk.up(0, invite)
        talk.down(0.5, talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"]))
        talk.up(0.6, talk.request("ACK", "sip:bob@203.0.113.10", 1, branch: "ack", peer: "<sip:bob@pbx.example>;tag=s1"))
        let bye = [
            "BYE sip:alice@\(contact ?? said):5060 SIP/2.0", "Via: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bKbye",
            "From: <sip:bob@pbx.example>;tag=s1", "To: <sip:alice@pbx.example>;tag=t1", "Call-ID: \(talk.call)", "CSeq: 7 BYE",
            "Content-Length: 0", "", "",
        ].joined(separator: "\r\n")
        let there = Endpoint("\(contact ?? said):5060")!
        if speaks {
            var other = talk
            other.call = "other"
            talk.up(2, other.request("OPTIONS", "sip:pbx.example", 1, branch: "other"), from: there)
        }
        for time in times { talk.down(20 + time, bye, to: there) }
        talk.later(200)
        return talk
    }

    @Test("Via and Contact name a public address from which nothing comes, and the BYE goes there in vain")
    func outdated() throws {
        let talk = ended(said: "198.51.100.5")
        #expect(talk.accusations() == ["fault nat.wrong-external"])
        let finding = try #require(talk.finding(.natWrongExternal))
        #expect(
            finding.summary
                == "The server 198.51.100.99:5060 (Asterisk PBX 18) calls itself 198.51.100.5 to the outside, but is heard from 198.51.100.99 alone: "
                + "the BYE of 203.0.113.10:5060 went to 198.51.100.5:5060 11 times within 32 s, and nobody answered.")
        #expect(finding.culprit == .proved("the server 198.51.100.99:5060 (Asterisk PBX 18)"))
        #expect(finding.remedies[0].commands.contains { $0.contains("external_signaling_address") })
    }

    @Test("an address that is heard as well, a Contact alone that names another host, and its own address: something else")
    func others() {
        #expect(ended(said: "198.51.100.5", speaks: true).finding(.natWrongExternal) == nil)
        #expect(ended(said: "198.51.100.99", contact: "198.51.100.5").finding(.natWrongExternal) == nil)
        #expect(ended(said: "198.51.100.99").accusations() == ["fault sip.retransmit"])
        #expect(ended(said: "198.51.100.5", times: [0]).finding(.natWrongExternal) == nil)
    }
}
