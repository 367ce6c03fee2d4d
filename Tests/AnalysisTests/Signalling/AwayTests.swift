import Analysis
import Base
import Testing

@Suite("ends that are away for a while, and challenges and ACKs that go to somebody else")
struct AwayTests {
    private static let gaps = [0, 0.5, 1.5, 3.5, 7.5]

    private func talk(_ call: String = "w1") -> Talk {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = call
        return talk
    }

    @Test("a port that answers again later was away; one that does not is a fault", arguments: [true, false])
    func restart(back: Bool) throws {
        var talk = talk()
        let request = talk.register(1)
        for gap in Self.gaps {
            talk.up(gap, request)
            talk.see(
                gap + 0.01, Endpoint("203.0.113.10:0")!, talk.phone,
                .icmp(type: 3, code: 3, source: talk.phone, destination: talk.server))
        }
        talk.see(60, Endpoint("198.51.100.99:5060")!, talk.server, .keepalive)
        talk.call = "w2"
        if back { talk.registers(at: 30) }
        #expect(talk.accusations() == (back ? [] : ["fault sip.retransmit"]))
        let isBack = try #require(talk.finding(.sipRetransmit)).summary.hasSuffix(
            "It answers again later, so it was away for a while, as for a restart.")
        #expect(isBack == back)
    }

    @Test("one short outage of a server that answers all else is a note; two are a fault", arguments: [1, 2])
    func outage(count: Int) {
        var talk = talk()
        for number in 0..<4 {
            talk.call = "h\(number)"
            let request = talk.register(1, branch: "h\(number)")
            let start = Double(number) * 60
            for gap in number < count ? [0, 0.5, 1.5, 3.5] : [0] { talk.up(start + gap, request) }
            talk.down(
                start + (number < count ? 3.53 : 0.03),
                talk.response(200, to: request, ["Contact: <sip:alice@198.51.100.7:40000>"]))
        }
        talk.later(400)
        #expect(talk.accusations() == (count == 1 ? [] : ["fault sip.retransmit"]))
    }

    @Test("a registrar that refuses who is registered with another may be its standby", arguments: [true, false])
    func standby(isRegistered: Bool) {
        var talk = talk("s1")
        let refused = talk.register(1)
        talk.up(0, refused)
        talk.down(0.02, talk.response(503, to: refused))
        if isRegistered {
            talk.call = "s2"
            talk.server = Endpoint("203.0.113.11:5060")!
            talk.registers(at: 1)
        }
        talk.later(60)
        #expect(talk.accusations() == (isRegistered ? [] : ["fault sip.refused"]))
    }

    @Test("answers with another branch or CSeq than the request's cannot be matched", arguments: ["branch in Via", "CSeq"])
    func mismatched(what: String) throws {
        var talk = talk()
        let request = talk.register(5)
        let answer = talk.challenge(to: request, nonce: "n").replacing(
            what == "CSeq" ? "CSeq: 5" : "branch=z9hG4bKREGISTER5", with: what == "CSeq" ? "CSeq: 6" : "branch=z9hG4bKother")
        for gap in Self.gaps {
            talk.up(gap, request)
            talk.down(gap + 0.02, answer)
        }
        talk.later(60)
        let finding = try #require(talk.finding(.sipRetransmit))
        #expect(finding.severity == .fault)
        #expect(
            finding.summary.hasPrefix(
                "203.0.113.10:5060 answers the REGISTER of 198.51.100.7:40000 with another \(what) than it has"))
    }

    private func acknowledged(contact: String) -> Finding? {
        var talk = talk()
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:40000>"], body: Talk.sdp("198.51.100.7"))
        talk.up(0, invite)
        let ok = talk.response(200, to: invite, ["Contact: <sip:bob@\(contact)>"], body: Talk.sdp("203.0.113.10"))
        let ack = talk.request("ACK", "sip:bob@\(contact)", 1, branch: "ack", peer: "<sip:bob@pbx.example>;tag=s1")
        for gap in [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5] {
            talk.down(1 + gap, ok)
            talk.up(1.02 + gap, ack, to: Endpoint("203.0.113.12:5060")!)
        }
        talk.later(120)
        return talk.finding(.sipNoACK)
    }

    @Test("an ACK to a host that is neither in Contact nor sent the 200 is its sender's choice; one to Contact is not")
    func strayACK() throws {
        #expect(
            try #require(acknowledged(contact: "203.0.113.5")).summary
                == "198.51.100.7:40000 sends its ACK to 203.0.113.12:5060, but the 200 came from 203.0.113.10:5060 and its Contact names "
                + "203.0.113.5: the ACK gets lost, and the call ends after 32 s.")
        #expect(try #require(acknowledged(contact: "203.0.113.12")).summary.contains("as the Contact in the 200 says"))
    }

    @Test("a server that refuses a call as its own trunk is refused by ICMP: the trunk is named")
    func trunk() throws {
        var talk = talk("t1")
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, body: Talk.sdp("198.51.100.7"))
        let refusal = talk.response(503, to: invite)
        let (phone, hub, trunk) = (talk.phone, talk.server, Endpoint("192.0.2.80:5060")!)
        talk.up(0, invite)
        talk.call = "t2"
        talk.said = "203.0.113.10:5060"
        let leg = talk.request("INVITE", "sip:bob@192.0.2.80", 1, branch: "leg", body: Talk.sdp("203.0.113.10"))
        talk.up(0.02, leg, from: hub, to: trunk)
        talk.see(0.04, trunk, hub, .icmp(type: 3, code: 3, source: hub, destination: trunk))
        talk.down(0.06, refusal, to: phone, from: hub)
        talk.later(60)
        let finding = try #require(talk.finding(.sipRefused))
        #expect(
            finding.summary.hasSuffix("its own request to 192.0.2.80:5060 is refused by ICMP (port unreachable) from 192.0.2.80.")
        )
        #expect(finding.culprit == .proved("192.0.2.80"))
    }

    @Test("a call that was challenged and rings when the capture ends has not failed, nor one challenged in its last moment")
    func pending() {
        var talk = talk("q1")
        let first = talk.request("INVITE", "sip:bob@pbx.example", 1, body: Talk.sdp("198.51.100.7"))
        talk.up(0, first)
        talk.down(0.02, talk.challenge(to: first, nonce: "n"))
        let second = talk.request("INVITE", "sip:bob@pbx.example", 2, talk.authorization("n"), body: Talk.sdp("198.51.100.7"))
        talk.up(0.05, second)
        talk.down(0.07, talk.response(180, to: second))
        talk.later(5)
        #expect(!talk.result().verdict.contains("failed"))
    }

    @Test("outside addresses that alternate within a registration are a note while each of its requests succeeds")
    func alternating() throws {
        var talk = Talk()
        let other = Endpoint("198.51.100.8:40000")!
        for round in 0..<3 {
            let start = Double(round) * 50
            let first = talk.register(2 * round + 2)
            talk.up(start, first)
            talk.down(start + 0.02, talk.challenge(to: first, nonce: "p\(round)"))
            let second = talk.register(2 * round + 3, nonce: "p\(round)")
            talk.up(start + 0.05, second, from: other)
            talk.down(start + 0.07, talk.response(200, to: second, ["Contact: <sip:alice@192.168.1.20:5060>"]), to: other)
        }
        talk.later(200)
        let finding = try #require(talk.finding(.natPortJump))
        #expect(finding.severity == .note)
        #expect(finding.remedies.map(\.actor) == [.router])
    }
}
