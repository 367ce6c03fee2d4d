import Analysis
import Base
import Testing

@Suite("sip.no-ack, sip.retransmit, sip.timer-drop, sip.fragmented and sdp.mismatch")
struct TransactionTests {
    private var talk: Talk {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        return talk
    }

    private func invite(_ talk: Talk, _ number: Int = 1, _ more: [String] = [], sdp: String? = nil, tagged: Bool = false)
        -> String
    {
        talk.request(
            "INVITE", "sip:bob@pbx.example", number, ["Contact: <sip:alice@198.51.100.7:40000>"] + more,
            body: sdp ?? Talk.sdp("198.51.100.7"),
            peer: tagged ? "<sip:bob@pbx.example>;tag=s1" : nil)
    }

    private func accept(_ talk: Talk, _ invite: String, _ more: [String] = [], sdp: String? = nil) -> String {
        talk.response(
            200, to: invite, ["Contact: <sip:bob@203.0.113.10>"] + more, body: sdp ?? Talk.sdp("203.0.113.10", port: 30_000))
    }

    private func ack(_ talk: Talk, _ number: Int = 1) -> String {
        talk.request("ACK", "sip:bob@203.0.113.10", number, branch: "ack\(number)", peer: "<sip:bob@pbx.example>;tag=s1")
    }

    private func bye(_ talk: Talk, _ number: Int = 9) -> String {
        talk.request("BYE", "sip:bob@203.0.113.10", number, peer: "<sip:bob@pbx.example>;tag=s1")
    }

    /// INVITE, 200, ACK if wanted.
    private func call(_ more: [String] = [], acknowledged: Bool = true) -> (Talk, String) {
        var talk = talk
        let invite = invite(talk, 1, more)
        talk.up(0, invite)
        let ok = accept(talk, invite)
        talk.down(1, ok)
        if acknowledged { talk.up(1.03, ack(talk)) }
        return (talk, ok)
    }

    @Test("a 200 repeated for half a minute without ACK is a fault")
    func noACK() throws {
        var (talk, ok) = call(acknowledged: false)
        for gap in [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5] { talk.down(1 + gap, ok) }
        talk.later(120)
        #expect(talk.accusations() == ["fault sip.no-ack"])
        #expect(
            try #require(talk.finding(.sipNoACK)).details[0]
                == "The 200 was sent 11 times in 32 s; the ACK would have stopped it.")
    }

    @Test(
        "no ACK in the capture and no repetition: the ACK took another path; nor is a late ACK a fault", arguments: [false, true])
    func elsewhere(late: Bool) {
        var (talk, ok) = call(acknowledged: false)
        if late {
            talk.down(1.5, ok)
            talk.down(2.5, ok)
            talk.up(2.53, ack(talk))
        }
        let bye = bye(talk)
        talk.up(60, bye)
        talk.down(60.03, talk.response(200, to: bye))
        talk.later(120)
        #expect(talk.accusations() == [])
    }

    @Test("two repetitions and then a call of minutes: the ACK came by another path")
    func stopped() {
        var (talk, ok) = call(acknowledged: false)
        talk.down(1.5, ok)
        talk.down(2.5, ok)
        let bye = bye(talk)
        talk.up(200, bye)
        talk.down(200.03, talk.response(200, to: bye))
        talk.later(300)
        #expect(talk.accusations() == [])
    }

    @Test("the same request at T1, 2 T1, 4 T1 without an answer is a fault; once again is none", arguments: [1, 4])
    func again(times: Int) {
        var talk = talk
        let invite = invite(talk)
        var at = 0.0
        for index in 0...times {
            talk.up(at, invite)
            at += 0.5 * Double(1 << index)
        }
        talk.down(at, talk.response(486, to: invite))
        talk.later(120)
        #expect(talk.accusations() == (times == 1 ? [] : ["fault sip.retransmit"]))
    }

    @Test("a refusal repeated without ACK is a fault; with a late ACK it is none", arguments: [false, true])
    func refusalRepeated(late: Bool) {
        var talk = talk
        let invite = invite(talk)
        talk.up(0, invite)
        let refusal = talk.response(486, to: invite)
        for gap in [0, 0.5, 1.5, 3.5] { talk.down(0.1 + gap, refusal) }
        if late { talk.up(4, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "INVITE1")) }
        talk.later(120)
        #expect(talk.accusations() == (late ? [] : ["fault sip.retransmit"]))
    }

    @Test("the same packet twice within a millisecond is a copy in the capture, and is counted as such")
    func copies() {
        var talk = talk
        let invite = invite(talk)
        for index in 0..<4 { talk.up(Double(index) * 0.0003, invite) }
        talk.down(0.1, talk.response(486, to: invite))
        talk.later(120)
        #expect(talk.accusations() == [])
        #expect(talk.result().counts.duplicates == 3 && talk.result().counts.retransmissions == 0)
    }

    @Test("who reports by ICMP that nobody listens is named as proved")
    func refused() throws {
        var talk = talk
        let invite = invite(talk)
        for at in [0, 0.5, 1.5] { talk.up(at, invite) }
        talk.see(
            0.01, Endpoint("203.0.113.1:0"), talk.phone, .icmp(type: 3, code: 3, source: talk.phone, destination: talk.server))
        talk.later(120)
        let finding = try #require(talk.finding(.sipRetransmit))
        #expect(finding.severity == .fault && finding.culprit == .proved("203.0.113.1") && finding.confidence == .proved)
    }

    @Test(
        "BYE when the session interval ran out is a timer's; when it was refreshed, or at any other time, a user's",
        arguments: [(58.0, false, true), (90, false, true), (90, true, false), (47, false, false)])
    func session(seconds: Double, refreshed: Bool, drops: Bool) {
        var (talk, _) = call(["Session-Expires: 90;refresher=uac"])
        if refreshed {
            let update = talk.request("UPDATE", "sip:bob@203.0.113.10", 2, peer: "<sip:bob@pbx.example>;tag=s1")
            talk.up(45, update)
            talk.down(45.03, talk.response(200, to: update))
        }
        let bye = bye(talk)
        talk.down(1 + seconds + (drops && seconds == 58 ? 2 : 0), bye)
        talk.up(120, talk.response(200, to: bye))
        talk.later(200)
        #expect(talk.accusations() == (drops ? ["fault sip.timer-drop"] : []))
    }

    @Test(
        "a re-INVITE refused with 481 and a BYE right after it is a drop; 488 and a BYE much later is none",
        arguments: [(481, true), (488, false)])
    func refusedRefresh(status: Int, drops: Bool) {
        var (talk, _) = call()
        let again = invite(talk, 2, tagged: true)
        talk.up(900, again)
        talk.down(900.03, talk.response(status, to: again))
        let bye = bye(talk)
        talk.up(drops ? 900.2 : 1_300, bye)
        talk.down(1_300.1, talk.response(200, to: bye))
        talk.later(2_000)
        #expect(talk.accusations() == (drops ? ["fault sip.timer-drop"] : []))
    }

    @Test(
        "a request too long for a packet that nobody answers is a fault of fragments; answered it is none",
        arguments: [false, true])
    func long(answered: Bool) {
        var talk = talk
        let invite = invite(talk, 1, ["X-Long: " + String(repeating: "x", count: 1_600)])
        for at in answered ? [0] : [0, 0.5, 1.5, 3.5] { talk.up(at, invite) }
        if answered { talk.down(0.1, talk.response(486, to: invite)) }
        talk.later(120)
        #expect(talk.accusations() == (answered ? [] : ["fault sip.fragmented"]))
    }

    @Test(
        "answers that do not fit the offer",
        arguments: [
            ("18", "RTP/AVP", "0", "RTP/AVP", ["fault sdp.mismatch"]), ("0 8", "RTP/AVP", "8", "RTP/AVP", []),
            ("13 18", "RTP/AVP", "0 13", "RTP/AVP", ["fault sdp.mismatch"]),
            ("0", "RTP/SAVP", "0", "RTP/AVP", ["fault srtp.mismatch"]),
            ("107", "RTP/AVP", "120", "RTP/AVP", []),
        ])
    func answer(offered: String, profile: String, answered: String, other: String, expected: [String]) {
        var talk = talk
        let names: [String: [String]] = ["107": ["a=rtpmap:107 opus/48000/2"], "120": ["a=rtpmap:120 OPUS/48000"]]
        let invite = invite(talk, sdp: Talk.sdp("198.51.100.7", formats: offered, extra: names[offered] ?? [], profile: profile))
        talk.up(0, invite)
        talk.down(
            1,
            accept(talk, invite, sdp: Talk.sdp("203.0.113.10", formats: answered, extra: names[answered] ?? [], profile: other)))
        talk.up(1.03, ack(talk))
        talk.later(60)
        #expect(talk.accusations() == expected)
    }

    @Test(
        "488 to a call is a fault that names the codecs; to a change inside a call, or before a second try, it is a note",
        arguments: ["call", "change", "retry"])
    func notAcceptable(kind: String) throws {
        var talk = talk
        var number = 1
        if kind == "change" {
            let first = invite(talk, 1)
            talk.up(0, first)
            talk.down(1, accept(talk, first))
            talk.up(1.03, ack(talk))
            number = 2
        }
        let asked = invite(talk, number, sdp: Talk.sdp("198.51.100.7", formats: "18 9"), tagged: kind == "change")
        talk.up(5, asked)
        talk.down(5.1, talk.response(488, to: asked))
        if kind == "retry" {
            let second = invite(talk, 2)
            talk.up(6, second)
            talk.down(7, accept(talk, second))
            talk.up(7.03, ack(talk, 2))
        }
        talk.later(60)
        let finding = try #require(talk.finding(.sdpMismatch))
        #expect(finding.severity == (kind == "call" ? .fault : .note))
        #expect(finding.summary.contains("G729, G722"))
    }
}

@Suite("sip.retransmit: a server that waited in vain itself")
struct GivenUpTests {
    private func talk(_ status: Int) -> Talk {
        var talk = Talk()
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1)
        for at in [0, 0.5, 1.5, 3.5, 7.5] { talk.up(at, invite) }
        talk.down(32, talk.response(status, to: invite))
        talk.later(60)
        return talk
    }

    @Test("its 408 says that the request arrived: nobody is sent to look for it on the way")
    func timeout() throws {
        let finding = try #require(talk(408).finding(.sipRetransmit))
        #expect(finding.summary.contains("203.0.113.10:5060 then answered 408"))
        #expect(finding.culprit == .unknown && finding.remedies.map(\.actor) == [.server])
    }

    @Test("another late answer may have been late on the way")
    func late() throws {
        let finding = try #require(talk(200).finding(.sipRetransmit))
        #expect(finding.culprit == .between("198.51.100.7:40000", "203.0.113.10:5060"))
    }
}
