import Analysis
import Base
import Testing

@Suite("requests that nobody answers: what ICMP, Contact, time and the neighbours say of the reason")
struct UnreachedTests {
    private static let gaps = [0, 0.5, 1.5, 3.5, 7.5, 11.5]

    private func talk(_ call: String = "u1") -> Talk {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = call
        return talk
    }

    private func unanswered(_ box: String?, type: UInt8 = 3, code: UInt8) throws -> Finding? {
        var talk = talk()
        let request = talk.register(1)
        for gap in Self.gaps {
            talk.up(gap, request)
            if let box {
                talk.see(
                    gap + 0.01, Endpoint("\(box):0")!, talk.phone,
                    .icmp(type: type, code: code, source: talk.phone, destination: talk.server))
            }
        }
        talk.see(60, Endpoint("198.51.100.99:5060")!, talk.server, .keepalive)
        return talk.finding(.sipRetransmit)
    }

    @Test("the first sentence names who refuses by ICMP, and the remedy is there")
    func refusals() throws {
        let port = try #require(try unanswered("203.0.113.10", code: 3))
        #expect(
            port.summary.hasSuffix(
                "nobody answered: it arrives, and 203.0.113.10 refuses it by ICMP, as nothing listens on port 5060 there."))
        #expect(port.remedies.map(\.actor) == [.server])
        let loop = try #require(try unanswered("192.0.2.254", type: 11, code: 0))
        #expect(
            loop.summary.hasSuffix(
                "nobody answered: 192.0.2.254 gives it up on the way, as its time to live ends there (ICMP), as in a routing loop."
            ))
        #expect(loop.culprit == .proved("192.0.2.254"))
        let filter = try #require(try unanswered("100.64.0.1", code: 13))
        #expect(filter.summary.hasSuffix("nobody answered: a filter at 100.64.0.1 refuses it by ICMP."))
        let host = try #require(try unanswered("192.0.2.1", code: 1))
        #expect(host.summary.hasSuffix("nobody answered: 192.0.2.1 finds no host 203.0.113.10 (ICMP host unreachable)."))
    }

    @Test("without ICMP, or with a port unreachable that a box on the way sends, the reason stays open")
    func open() throws {
        #expect(try #require(try unanswered(nil, code: 0)).summary.hasSuffix("and nobody answered."))
        #expect(try #require(try unanswered("192.0.2.1", code: 3)).summary.hasSuffix("and nobody answered."))
    }

    @Test("errors that begin long after the first sending, or ended before it, tell of another trouble")
    func lateErrors() throws {
        var talk = talk()
        talk.see(
            -1, Endpoint("203.0.113.10:0")!, talk.phone,
            .icmp(type: 3, code: 3, source: talk.phone, destination: talk.server))
        let request = talk.register(1)
        for gap in Self.gaps { talk.up(gap, request) }
        talk.see(
            11.51, Endpoint("203.0.113.10:0")!, talk.phone,
            .icmp(type: 3, code: 3, source: talk.phone, destination: talk.server))
        talk.later(60)
        #expect(try #require(talk.finding(.sipRetransmit)).summary.hasSuffix("and nobody answered."))
        #expect(talk.accusations() == ["fault sip.retransmit"])
    }

    @Test("a forwarding that leads to a host without SIP: the one that has it is named")
    func forwarding() throws {
        var phone = talk("r1")
        phone.said = "192.168.1.10:5060"
        phone.phone = Endpoint("192.168.1.10:5060")!
        phone.registers()
        var call = phone
        call.call = "c9"
        let wrong = Endpoint("192.168.1.99:5060")!
        let invite = call.request("INVITE", "sip:alice@192.168.1.99", 1, body: Talk.sdp("203.0.113.10"))
        for gap in Self.gaps {
            call.down(20 + gap, invite, to: wrong)
            call.see(20.01 + gap, wrong, call.server, .icmp(type: 3, code: 3, source: call.server, destination: wrong))
        }
        call.later(90)
        let finding = try #require(call.finding(.sipRetransmit))
        #expect(finding.remedies.map(\.actor) == [.router, .server])
        #expect(
            finding.remedies[0].text
                == "Correct the port forwarding: 192.168.1.10 of the same network speaks SIP with 203.0.113.10.")
    }

    @Test("answers that come seconds after the last sending are late and not lost; soon after it, one of them was lost")
    func late() throws {
        for (answer, isLate) in [(5.0, true), (3.55, false)] {
            var talk = talk()
            let request = talk.register(1)
            for gap in [0, 0.5, 1.5, 3.5] { talk.up(gap, request) }
            talk.down(answer, talk.response(200, to: request, ["Contact: <sip:alice@198.51.100.7:40000>"]))
            talk.later(60)
            let finding = try #require(talk.finding(.sipRetransmit))
            #expect(finding.summary.hasSuffix("the answer came late, 5 s after the first.") == isLate)
            #expect((finding.remedies[0].actor == .server) == isLate)
        }
    }

    private func watch(calls: Bool, asked: Bool) -> Talk {
        var talk = talk("o0")
        let (spare, used) = (Endpoint("203.0.113.20:5060")!, Endpoint("203.0.113.21:5060")!)
        let ping = talk.request("OPTIONS", "sip:203.0.113.21", 1)
        talk.up(0, ping, to: used)
        talk.down(0.02, talk.response(200, to: ping), from: used)
        talk.call = "o1"
        let other = talk.request("OPTIONS", "sip:203.0.113.20", 1, branch: "spare")
        for gap in Self.gaps { talk.up(1 + gap, other, to: spare) }
        if calls {
            talk.call = "c1"
            let invite = talk.request("INVITE", "sip:bob@203.0.113.21", 1, body: Talk.sdp("198.51.100.7"))
            talk.up(20, invite, to: used)
            talk.down(21, talk.response(200, to: invite, body: Talk.sdp("203.0.113.21")), from: used)
            talk.up(21.1, talk.request("ACK", "sip:bob@203.0.113.21", 1, branch: "ack"), to: used)
        }
        if asked {
            talk.call = "c2"
            let invite = talk.request("INVITE", "sip:bob@203.0.113.20", 1, branch: "asked", body: Talk.sdp("198.51.100.7"))
            talk.up(40, invite, to: spare)
        }
        talk.later(120)
        return talk
    }

    @Test("a peer that is only watched, while calls go by another that answers, is a spare; one that is needed is a fault")
    func spare() {
        #expect(watch(calls: true, asked: false).accusations() == [])
        #expect(watch(calls: false, asked: false).accusations() == ["fault sip.retransmit"])
        #expect(watch(calls: true, asked: true).accusations() == ["fault sip.retransmit"])
    }

    private func moved(answered: Bool, corrected: Bool = false) -> Talk {
        var talk = talk("m1")
        talk.server = Endpoint("10.20.0.5:5060")!
        talk.said = "10.20.0.50:5060"
        talk.phone = Endpoint("10.20.0.61:5060")!
        talk.registers()
        if corrected {
            talk.said = "10.20.0.61:5060"
            talk.registers(at: 5, nonce: "n2", from: 3)
        }
        talk.call = "m2"
        let (old, new) = (Endpoint("10.20.0.50:5060")!, Endpoint("10.20.0.61:5060")!)
        let to = corrected ? new : old
        let invite = talk.request("INVITE", "sip:alice@\(to)", 1, body: Talk.sdp("10.20.0.5"))
        for gap in Self.gaps where !answered || gap == 0 { talk.down(20 + gap, invite, to: to) }
        if answered { talk.up(20.1, talk.response(486, to: invite), from: to) }
        talk.later(90)
        return talk
    }

    @Test("a phone that names an address it no longer has; not one that is answered there, or that has corrected it")
    func staleAddress() throws {
        let talk = moved(answered: false)
        #expect(talk.accusations() == ["fault nat.private-contact"])
        let finding = try #require(talk.finding(.natPrivateContact))
        #expect(
            finding.summary
                == "The INVITE for bob@pbx.example was sent to 10.20.0.50:5060, the address in the Contact that was registered, but that phone "
                + "registers from 10.20.0.61:5060: nobody answered.")
        #expect(moved(answered: true).accusations() == [])
        #expect(moved(answered: false, corrected: true).accusations() == ["fault sip.retransmit"])
    }

    private func provisional(contact: String, answered: Bool) -> Talk {
        var talk = talk("p1")
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:40000>"], body: Talk.sdp("198.51.100.7"))
        let progress = talk.response(
            183, to: invite, ["Contact: <sip:bob@\(contact):5060>", "RSeq: 1", "Require: 100rel"],
            body: Talk.sdp("203.0.113.10"))
        talk.up(0, invite)
        let prack = talk.request("PRACK", "sip:bob@\(contact):5060", 2, ["RAck: 1 1 INVITE"])
        for gap in answered ? [0] : Self.gaps {
            talk.down(0.3 + gap, progress)
            talk.up(0.33 + gap, prack, to: Endpoint("\(contact):5060")!)
        }
        if answered { talk.down(0.36, talk.response(200, to: prack)) }
        talk.down(20, talk.response(504, to: invite))
        talk.up(20.03, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "INVITE1"))
        talk.later(90)
        return talk
    }

    @Test(
        "a PRACK that goes to the private Contact of a provisional answer is lost because of that; a public one is not accused so"
    )
    func prack() throws {
        let talk = provisional(contact: "10.9.8.1", answered: false)
        #expect(talk.accusations() == ["fault nat.private-contact"])
        let summary = try #require(talk.finding(.natPrivateContact)).summary
        #expect(summary.hasPrefix("PRACK went to 10.9.8.1:5060, the private address in the Contact of "))
        #expect(summary.hasSuffix(", and was lost: the call is never set up."))
        #expect(provisional(contact: "203.0.113.10", answered: true).accusations() == ["fault sip.refused"])
    }
}
