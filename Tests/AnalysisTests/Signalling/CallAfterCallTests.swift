import Analysis
import Base
import Testing

@Suite("What fails call after call, and what fails once")
struct CallAfterCallTests {
    private func talk() -> Talk {
        var talk = Talk()
        talk.said = "192.168.1.20:5060"
        talk.phone = Endpoint("192.168.1.20:5060")!
        talk.server = Endpoint("192.168.1.5:5060")!
        return talk
    }

    /// A call that is refused.
    private func refuse(_ talk: inout Talk, _ turn: Int, _ status: Int, to number: String) {
        talk.call = "r\(turn)"
        let at = Double(turn) * 15
        let invite = talk.request("INVITE", "sip:\(number)@192.168.1.5", 1, branch: "i\(turn)", body: Talk.sdp("192.168.1.20"))
        talk.up(at, invite)
        talk.down(at + 0.05, talk.response(status, to: invite))
        talk.up(at + 0.06, talk.request("ACK", "sip:\(number)@192.168.1.5", 1, branch: "i\(turn)"))
    }

    /// A call that is answered and ended by the callee.
    private func take(_ talk: inout Talk, _ turn: Int, for seconds: Double, _ reason: [String] = []) {
        talk.call = "t\(turn)"
        let at = Double(turn) * 15
        let invite = talk.request(
            "INVITE", "sip:bob@192.168.1.5", 1, branch: "i\(turn)", ["Contact: <sip:alice@192.168.1.20>"],
            body: Talk.sdp("192.168.1.20"))
        talk.up(at, invite)
        talk.down(at + 1, talk.response(200, to: invite, ["Contact: <sip:bob@192.168.1.5>"], body: Talk.sdp("192.168.1.5")))
        talk.up(
            at + 1.02, talk.request("ACK", "sip:bob@192.168.1.5", 1, branch: "a\(turn)", peer: "<sip:bob@pbx.example>;tag=s1"))
        let bye = talk.request(
            "BYE", "sip:alice@192.168.1.20", 1, branch: "b\(turn)", reason, tag: "s1", peer: "<sip:alice@pbx.example>;tag=t1")
        talk.down(at + 1 + seconds, bye)
        talk.up(at + 1.02 + seconds, talk.response(200, to: bye))
    }

    @Test("404 to four different numbers, and none taken, is the dial plan")
    func numbers() throws {
        var talk = talk()
        for turn in 0..<4 { refuse(&talk, turn, 404, to: "030\(turn)") }
        #expect(talk.accusations() == ["fault sip.refused"])
        #expect(try #require(talk.finding(.sipRefused)).culprit == .proved("192.168.1.5:5060"))
    }

    @Test("one number again and again, three numbers, a call that is taken, strangers and scanners: an outcome")
    func numberLookAlikes() {
        var same = talk()
        for turn in 0..<6 { refuse(&same, turn, 404, to: "0301") }
        #expect(same.accusations() == [])
        var few = talk()
        for turn in 0..<3 { refuse(&few, turn, 404, to: "030\(turn)") }
        #expect(few.accusations() == [])
        var taken = talk()
        for turn in 0..<5 { refuse(&taken, turn, 404, to: "030\(turn)") }
        take(&taken, 6, for: 9)
        #expect(taken.accusations() == [])
        var stranger = Talk()
        for turn in 0..<5 { refuse(&stranger, turn, 404, to: "030\(turn)") }
        #expect(stranger.accusations() == [])
        var scanner = talk()
        scanner.agent = "friendly-scanner"
        for turn in 0..<5 { refuse(&scanner, turn, 404, to: "030\(turn)") }
        #expect(scanner.accusations() == [])
    }

    /// A challenge, and credentials with that nonce, refused once more.
    private func challenge(_ talk: inout Talk, _ turn: Int, nonce: String) {
        talk.call = "q\(turn)"
        let at = Double(turn) * 15
        for (round, credentials) in [
            [], ["Proxy-Authorization: Digest username=\"alice\", realm=\"pbx.example\", nonce=\"\(nonce)\", response=\"00\""],
        ]
        .enumerated() {
            let invite = talk.request(
                "INVITE", "sip:bob@192.168.1.5", round + 1, branch: "i\(turn)\(round)", credentials,
                body: Talk.sdp("192.168.1.20"))
            talk.up(at + Double(round), invite)
            talk.down(at + Double(round) + 0.02, talk.challenge(407, to: invite, nonce: "fresh\(turn)\(round)"))
            talk.up(at + Double(round) + 0.04, talk.request("ACK", "sip:bob@192.168.1.5", round + 1, branch: "i\(turn)\(round)"))
        }
    }

    @Test("credentials with a nonce that no challenge gave, call after call, are told; once, or with a call taken, not")
    func nonces() throws {
        var talk = talk()
        for turn in 0..<2 { challenge(&talk, turn, nonce: "foreign\(turn)") }
        talk.later(120)
        #expect(talk.accusations() == ["fault auth.bad-digest"])
        #expect(
            try #require(talk.finding(.authBadDigest)).summary
                == "alice@pbx.example cannot call: 192.168.1.20:5060 answers the challenge of 192.168.1.5:5060 with a nonce that is not in it, and "
                + "192.168.1.5:5060 answered 407 Whatever.")
        var once = self.talk()
        challenge(&once, 0, nonce: "foreign")
        once.later(120)
        #expect(once.accusations() == [])
        var taken = self.talk()
        for turn in 0..<2 { challenge(&taken, turn, nonce: "foreign\(turn)") }
        take(&taken, 3, for: 20)
        taken.later(120)
        #expect(taken.accusations() == [])
    }

    private func stuck(_ talk: inout Talk, _ turn: Int) {
        talk.call = "s\(turn)"
        let at = Double(turn) * 100
        let invite = talk.request("INVITE", "sip:bob@192.168.1.5", 1, branch: "i\(turn)", body: Talk.sdp("192.168.1.20"))
        talk.up(at, invite)
        talk.down(at + 0.02, talk.response(100, to: invite))
        let cancel = talk.request("CANCEL", "sip:bob@192.168.1.5", 1, branch: "i\(turn)")
        talk.up(at + 60, cancel)
        talk.down(at + 60.02, talk.response(200, to: cancel))
        talk.down(at + 60.03, talk.response(487, to: invite))
        talk.up(at + 60.05, talk.request("ACK", "sip:bob@192.168.1.5", 1, branch: "i\(turn)"))
    }

    @Test("100 and then nothing, call after call and none taken, is a fault; with one that is taken a note")
    func trying() {
        var talk = talk()
        for turn in 0..<2 { stuck(&talk, turn) }
        talk.later(400)
        #expect(talk.accusations() == ["fault sip.unfinished"])
        take(&talk, 30, for: 9)
        talk.later(700)
        #expect(talk.accusations() == [])
        #expect(talk.finding(.sipUnfinished)?.severity == .note)
    }

    private let incompatible = ["Reason: Q.850;cause=88;text=\"Incompatible destination\""]

    @Test("calls that end in the moment they are answered, for a failure that is named, each time")
    func atOnce() throws {
        var talk = talk()
        for turn in 0..<2 { take(&talk, turn, for: 0.05, incompatible) }
        #expect(talk.accusations() == ["fault sip.refused"])
        #expect(
            try #require(talk.finding(.sipRefused)).summary
                == "192.168.1.5:5060 ends each call with 192.168.1.20:5060 in the moment it is answered, and says why: Q.850;cause=88;"
                + "text=\"Incompatible destination\".")
    }

    @Test("once, with a call that lasts, later in the call, or for an everyday reason: nobody is accused")
    func atOnceLookAlikes() {
        func accusations(_ calls: [(Double, [String])]) -> [String] {
            var talk = talk()
            for (turn, call) in calls.enumerated() { take(&talk, turn, for: call.0, call.1) }
            return talk.accusations()
        }
        let failed = (0.05, incompatible)
        #expect(accusations([failed]) == [])
        #expect(accusations([failed, failed, (9, [])]) == [])
        #expect(accusations([(9, incompatible), (9, incompatible)]) == [])
        #expect(accusations([(0.05, ["Reason: Q.850;cause=16"]), (0.05, ["Reason: Q.850;cause=16"])]) == [])
    }

    @Test(
        "a registrar that lists the phone's Contact with expires=0 keeps nothing; for who asked so it is right",
        arguments: [3_600, 0])
    func bindings(asked: Int) {
        var talk = Talk()
        for round in 1...3 {
            let register = talk.register(round, expires: asked)
            talk.up(Double(round) * 10, register)
            talk.down(
                Double(round) * 10 + 0.02, talk.response(200, to: register, ["Contact: <sip:alice@192.168.1.20:5060>;expires=0"]))
        }
        #expect(talk.accusations() == (asked == 0 ? [] : ["fault sip.refused"]))
    }
}
