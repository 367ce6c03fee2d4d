import Analysis
import Base
import Testing

@Suite("What healed within the capture, and providers that are asked for a password")
struct HealingTests {
    /// Challenge, answer, and a refusal.
    private func refused(_ talk: inout Talk, at start: Double, _ status: Int = 403, call: String) {
        talk.call = call
        let first = talk.register(1)
        talk.up(start, first)
        talk.down(start + 0.02, talk.challenge(to: first, nonce: "n\(start)"))
        let second = talk.register(2, nonce: "n\(start)")
        talk.up(start + 0.03, second)
        talk.down(start + 0.05, talk.response(status, to: second))
    }

    private func registers(_ talk: inout Talk, at start: Double, call: String) {
        talk.call = call
        talk.registers(at: start, nonce: "n\(start)")
    }

    @Test("a password that is refused some times and then taken is a note that says when", arguments: [1, 3])
    func corrected(tries: Int) throws {
        var talk = Talk()
        for turn in 0..<tries { refused(&talk, at: Double(turn) * 30, call: "r\(turn)") }
        registers(&talk, at: 120, call: "ok")
        talk.later(200)
        #expect(talk.accusations() == [])
        let note = try #require(talk.finding(.authBadDigest))
        #expect(note.summary.contains("\(tries == 1 ? "once" : "3 times") and registered it"))
        #expect(note.remedies.map(\.text) == ["Nothing: the password was corrected."])
    }

    @Test("taken before and after, the password was right all the time")
    func flap() throws {
        var talk = Talk()
        registers(&talk, at: 0, call: "a")
        refused(&talk, at: 100, call: "b")
        refused(&talk, at: 200, call: "c")
        registers(&talk, at: 300, call: "d")
        talk.later(400)
        #expect(talk.accusations() == [])
        #expect(try #require(talk.finding(.authBadDigest)).summary.hasSuffix("the password was right all the time."))
    }

    @Test("who is refused at the end, or whom another host's success hides, stays a fault", arguments: [true, false])
    func unhealed(isLast: Bool) {
        var talk = Talk()
        if isLast { registers(&talk, at: 0, call: "a") }
        refused(&talk, at: 100, call: "b")
        if !isLast {
            talk.phone = Endpoint("198.51.100.8:40000")!
            registers(&talk, at: 200, call: "c")
        }
        talk.later(400)
        #expect(talk.accusations() == ["fault auth.bad-digest"])
    }

    @Test(
        "a registrar in trouble that takes the phone soon after is a note; after minutes an outage that is over",
        arguments: [30.0, 300])
    func unavailable(wait: Double) throws {
        var talk = Talk()
        refused(&talk, at: 0, 503, call: "a")
        registers(&talk, at: wait, call: "b")
        talk.later(400)
        #expect(talk.accusations() == (wait < 100 ? [] : ["fault sip.refused"]))
        let summary = try #require(talk.finding(.sipRefused)).summary
        #expect(summary.contains("could not register at first") && summary.contains("It was registered"))
    }

    @Test(
        "a log in which the same account registers after a wrong password is a note; another account heals nothing",
        arguments: ["201", "202"])
    func log(user: String) {
        let stamp = "[2024-01-31 12:00:00] "
        let lines = [
            "\(stamp)NOTICE[7]: chan_sip.c:1 handle_request_register: Registration from '\"201\" <sip:201@203.0.113.20>' failed for '198.51.100.7:5060' - Wrong password",
            "\(stamp)VERBOSE[7]: chan_sip.c:1 parse_register_contact: Registered SIP '\(user)' at 198.51.100.7:5060",
        ]
        let found = LogTests.result(Array(lines.map { $0 + "\n" }.joined().utf8)).findings.filter { $0.name == .authBadDigest }
        #expect(found.map(\.severity) == [user == "201" ? .note : .fault])
    }

    // MARK: Providers

    /// A call from outside that is challenged and given up.
    private func challenged(_ talk: inout Talk, at start: Double, number: Int, from provider: Endpoint) {
        talk.user = "017\(number)"
        talk.call = "p\(start)"
        let invite = talk.request(
            "INVITE", "sip:300@pbx.example", 1, branch: "p\(start)", ["Contact: <sip:x@203.0.113.77>"],
            body: Talk.sdp("203.0.113.77"))
        talk.up(start, invite, from: provider)
        talk.down(start + 0.02, talk.challenge(to: invite, nonce: "n\(start)"), to: provider)
        talk.up(start + 0.04, talk.request("ACK", "sip:300@pbx.example", 1, branch: "p\(start)"), from: provider)
    }

    @Test("many calling numbers of one address that are asked for a password are one finding at the PBX")
    func trunk() throws {
        var talk = Talk()
        talk.agent = "SBC"
        let provider = Endpoint("203.0.113.77:5060")!
        for number in 0..<4 { challenged(&talk, at: Double(number) * 10, number: number, from: provider) }
        talk.later(120)
        #expect(talk.accusations() == ["fault auth.no-answer"])
        let finding = try #require(talk.finding(.authNoAnswer))
        #expect(finding.count == 4)
        #expect(finding.remedies.first?.text.contains("provider 203.0.113.77 without a password") == true)
    }

    @Test("a single number that never answers is a phone's matter")
    func phone() throws {
        var talk = Talk()
        for turn in 0..<4 { challenged(&talk, at: Double(turn) * 10, number: 1, from: Endpoint("203.0.113.77:5060")!) }
        talk.later(120)
        #expect(try #require(talk.finding(.authNoAnswer)).remedies.first?.text.contains("Enter user name and password") == true)
    }

    @Test("another address of the same domain that is taken without a password shows the provider")
    func sibling() throws {
        var talk = Talk()
        talk.user = "0170"
        talk.call = "taken"
        let known = Endpoint("203.0.113.76:5060")!
        let invite = talk.request(
            "INVITE", "sip:300@pbx.example", 1, ["Contact: <sip:x@203.0.113.76>"], body: Talk.sdp("203.0.113.76"))
        talk.up(0, invite, from: known)
        talk.down(
            1, talk.response(200, to: invite, ["Contact: <sip:300@203.0.113.10>"], body: Talk.sdp("203.0.113.10")), to: known)
        talk.up(1.05, talk.request("ACK", "sip:300@203.0.113.10", 1, peer: "<sip:bob@pbx.example>;tag=s1"), from: known)
        let bye = talk.request("BYE", "sip:300@203.0.113.10", 2, peer: "<sip:bob@pbx.example>;tag=s1")
        talk.up(5, bye, from: known)
        talk.down(5.05, talk.response(200, to: bye), to: known)
        challenged(&talk, at: 20, number: 5, from: Endpoint("203.0.113.77:5060")!)
        talk.later(120)
        #expect(
            try #require(talk.finding(.authNoAnswer)).summary.contains(
                "takes calls of 203.0.113.76 from the same domain without one"))
    }
}
