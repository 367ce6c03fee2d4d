import Analysis
import Base
import Testing

@Suite("A refused call is told by what would mend it, and everyday ends accuse nobody")
struct RefusedCallTests {
    /// One call and its refusal.
    private func refuse(
        _ talk: inout Talk, _ at: Double, _ status: Int, call: String, asking: [String] = ["Contact: <sip:alice@192.168.1.20>"],
        saying: [String] = [], to uri: String = "sip:bob@pbx.example", number: Int = 1
    ) {
        talk.call = call
        let invite = talk.request("INVITE", uri, number, branch: "i\(at)", asking, body: Talk.sdp("198.51.100.7"))
        talk.up(at, invite)
        talk.down(at + 0.02, talk.response(status, to: invite, saying))
        talk.up(at + 0.04, talk.request("ACK", uri, number, branch: "i\(at)"))
    }

    private func accept(_ talk: inout Talk, _ at: Double, call: String, asking: [String] = [], number: Int = 1) {
        talk.call = call
        let contact = ["Contact: <sip:alice@192.168.1.20>"]
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", number, branch: "i\(at)", contact + asking, body: Talk.sdp("198.51.100.7"))
        talk.up(at, invite)
        talk.down(at + 1, talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: Talk.sdp("203.0.113.10")))
        let there = "<sip:bob@pbx.example>;tag=s1"
        talk.up(at + 1.02, talk.request("ACK", "sip:bob@203.0.113.10", number, branch: "a\(at)", peer: there))
        let bye = talk.request("BYE", "sip:bob@203.0.113.10", number + 1, branch: "b\(at)", peer: there)
        talk.up(at + 5, bye)
        talk.down(at + 5.02, talk.response(200, to: bye))
    }

    @Test("422 again and again with the same Session-Expires names interval and phone")
    func interval() throws {
        var talk = Talk()
        for turn in 0..<3 {
            refuse(&talk, Double(turn) * 2, 422, call: "x\(turn)", asking: ["Session-Expires: 90"], saying: ["Min-SE: 1800"])
        }
        #expect(talk.accusations() == ["fault sip.refused"])
        let finding = try #require(talk.finding(.sipRefused))
        #expect(finding.count == 3)
        #expect(finding.details.first == "The INVITE says Session-Expires 90, the answer Min-SE 1800.")
        #expect(finding.remedies.first?.text.contains("1800 seconds") == true)
    }

    @Test(
        "422 or 420 once, then asked otherwise and taken, accuses nobody: in the same Call-ID or a new one",
        arguments: [422, 420], [true, false])
    func mended(status: Int, sameCall: Bool) {
        var talk = Talk()
        refuse(
            &talk, 0, status, call: "x", asking: ["Session-Expires: 90", "Require: 100rel"],
            saying: ["Min-SE: 1800", "Unsupported: 100rel"])
        accept(&talk, 1, call: sameCall ? "x" : "y", asking: ["Session-Expires: 1800"], number: 2)
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test(
        "503, and the same server takes the same call a moment later: a note; dialled again by a person, a fault",
        arguments: [0.3, 5.0])
    func takenAfterAll(wait: Double) throws {
        var talk = Talk()
        refuse(&talk, 0, 503, call: "x")
        accept(&talk, wait, call: "y")
        talk.later(60)
        let finding = try #require(talk.finding(.sipRefused))
        #expect((finding.severity == .note) == (wait < 2), "\(finding.summary)")
        #expect(finding.summary.contains("It took the same call") == (wait < 2))
    }

    @Test("420 names the extension that was required")
    func extensions() throws {
        var talk = Talk()
        refuse(&talk, 0, 420, call: "x", asking: ["Require: 100rel"], saying: ["Unsupported: 100rel"])
        talk.later(60)
        #expect(talk.accusations() == ["fault sip.refused"])
        #expect(talk.finding(.sipRefused)?.summary.contains("the caller requires 100rel, which 203.0.113.10:5060") == true)
    }

    @Test("400 to each call names what the INVITE lacks; once it is an outcome", arguments: [1, 3])
    func malformed(count: Int) {
        var talk = Talk()
        for turn in 0..<count { refuse(&talk, Double(turn) * 9, 400, call: "x\(turn)", asking: []) }
        talk.later(60)
        #expect(talk.accusations() == (count == 1 ? [] : ["fault sip.refused"]))
        #expect((talk.finding(.sipRefused)?.details.first?.contains("has no Contact") == true) == (count > 1))
    }

    @Test("who registered and does not know its own number is at fault; where it took another call, a number was wrong")
    func ownNumber() {
        for takes in [false, true] {
            var talk = Talk()
            talk.registers()
            for turn in 0..<2 {
                var caller = talk
                caller.call = "in\(turn)"
                caller.user = "zoe"
                let uri = "sip:s@198.51.100.7:40000"
                let invite = caller.request("INVITE", uri, 1, branch: "in\(turn)", body: Talk.sdp("203.0.113.10"))
                talk.down(10 + Double(turn), invite)
                let isTaken = takes && turn == 1
                talk.up(10.1 + Double(turn), caller.response(isTaken ? 200 : 404, to: invite))
                talk.down(10.2 + Double(turn), caller.request("ACK", uri, 1, branch: isTaken ? "ack" : "in\(turn)"))
            }
            let found = talk.result().findings.first { $0.name == .sipRefused }
            #expect(found?.severity == (takes ? .note : .fault))
            #expect(found?.summary.contains("198.51.100.7:40000") == true)
        }
    }

    @Test("a mistyped number, dialled twice, is an outcome that names who sent it")
    func mistyped() throws {
        var talk = Talk()
        talk.registers()
        for turn in 0..<2 { refuse(&talk, 10 + Double(turn) * 9, 404, call: "x\(turn)") }
        talk.later(60)
        #expect(talk.accusations() == [])
        #expect(try #require(talk.finding(.sipRefused)).summary.contains("203.0.113.10:5060 answered 404"))
    }

    @Test(
        "a caller whose every call is refused with 403 or 436 is told; one that other calls of were taken is not",
        arguments: [403, 436], [true, false])
    func notAllowed(status: Int, takes: Bool) {
        var talk = Talk()
        for turn in 0..<3 { refuse(&talk, Double(turn) * 9, status, call: "x\(turn)") }
        if takes { accept(&talk, 40, call: "y") }
        talk.later(100)
        #expect(talk.accusations() == (takes ? [] : ["fault sip.refused"]))
    }

    @Test("503 now and then from one that takes most calls is an outcome; from one that takes few a fault", arguments: [1, 3])
    func trouble(accepted: Int) {
        var talk = Talk()
        refuse(&talk, 0, 503, call: "x")
        for turn in 0..<accepted { accept(&talk, 10 + Double(turn) * 9, call: "y\(turn)") }
        talk.later(100)
        #expect(talk.accusations() == (accepted > 2 ? [] : ["fault sip.refused"]))
        #expect(talk.finding(.sipRefused) != nil)
    }

    @Test("a registrar that stands by and says 503 is a note where another took the account", arguments: [true, false])
    func standby(hasOther: Bool) {
        var talk = Talk()
        let spare = Endpoint("203.0.113.11:5060")!
        if hasOther { talk.registers() }
        talk.call = "spare"
        let register = talk.register(1, branch: "spare")
        talk.up(1, register, to: spare)
        talk.down(1.1, talk.response(503, to: register), from: spare)
        talk.later(60)
        #expect(talk.accusations() == (hasOther ? [] : ["fault sip.refused"]))
    }

    @Test("302 back to numbers that were tried is a circle; to another that answers, nothing", arguments: [true, false])
    func diverted(isCircle: Bool) throws {
        var talk = Talk()
        for turn in 0..<(isCircle ? 4 : 1) {
            let (here, there) = turn % 2 == 0 ? ("bob", "eve") : ("eve", "bob")
            refuse(
                &talk, Double(turn), 302, call: "x", saying: ["Contact: <sip:\(there)@pbx.example>"],
                to: "sip:\(here)@pbx.example", number: turn + 1)
        }
        if !isCircle { accept(&talk, 1, call: "x", number: 2) }
        talk.later(60)
        #expect(talk.accusations() == (isCircle ? ["fault sip.refused"] : []))
        if isCircle { #expect(try #require(talk.finding(.sipRefused)).details.first == "In this order: bob, eve, bob, eve.") }
    }

    @Test("483 after an INVITE that two boxes send to one another names both; a caller that allows few hops asked for it")
    func circle() throws {
        var talk = Talk()
        let gateway = Endpoint("203.0.113.80:5060")!
        let invite = talk.request("INVITE", "sip:0999@pbx.example", 1, branch: "first")
        talk.up(0, invite)
        for turn in 0..<6 {
            let isOut = turn % 2 == 0
            var hops = "Via: SIP/2.0/UDP 203.0.113.10;branch=z9hG4bKq0"
            for more in 0..<turn { hops += "\r\nVia: SIP/2.0/UDP 203.0.113.80;branch=z9hG4bKp\(more)" }
            let passed = talk.request("INVITE", "sip:0999@pbx.example", 1, branch: "hop\(turn)", [hops])
            talk.up(
                0.01 * Double(turn + 1), passed, from: isOut ? talk.server : gateway, to: isOut ? gateway : talk.server)
        }
        talk.down(1, talk.response(483, to: invite))
        talk.later(60)
        #expect(talk.accusations() == ["fault sip.refused"])
        let detail = try #require(talk.finding(.sipRefused)?.details.first)
        #expect(detail.contains("203.0.113.10") && detail.contains("203.0.113.80") && detail.contains("3 times each way"))

        var traced = Talk()
        let few = traced.request("INVITE", "sip:bob@pbx.example", 1).replacing("Max-Forwards: 70", with: "Max-Forwards: 2")
        traced.up(0, few)
        traced.down(0.1, traced.response(483, to: few))
        traced.later(60)
        #expect(traced.accusations() == [])
    }
}

extension String {
    fileprivate func replacing(_ old: String, with new: String) -> String {
        guard let range = firstRange(of: old) else { return self }
        return String(self[..<range.lowerBound]) + new + String(self[range.upperBound...])
    }
}
