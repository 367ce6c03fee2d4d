import Analysis
import Base
import Testing

@Suite("What only all registrations of an account show")
struct AccountTests {
    /// REGISTER and its 200.
    private func register(
        _ talk: inout Talk, _ at: Double, call: String, asked: Int = 3_600, granted: Int = 60, said: String = "192.168.1.20:5060",
        port: UInt16 = 40_000, also: [String] = [], number: Int? = nil
    ) {
        talk.call = call
        talk.said = said
        let register = talk.register(number ?? Int(at) + 1, branch: "r\(at)", expires: asked)
        talk.up(at, register, port: port)
        talk.down(
            at + 0.02, talk.response(200, to: register, ["Contact: <sip:alice@\(said)>;expires=\(granted)"] + also), port: port)
    }

    private func miss(_ talk: inout Talk, _ at: Double) {
        var caller = talk
        caller.call = "miss\(at)"
        caller.user = "zoe"
        let trunk = Endpoint("203.0.113.90:5060")!
        let invite = caller.request("INVITE", "sip:alice@pbx.example", 1, branch: "m\(at)", peer: "<sip:alice@pbx.example>")
        talk.up(at, invite, from: trunk)
        talk.down(at + 0.1, caller.response(480, to: invite), to: trunk)
        talk.up(at + 0.2, caller.request("ACK", "sip:alice@pbx.example", 1, branch: "m\(at)"), from: trunk)
    }

    @Test(
        "reg.lapsed: half of what was asked for, though less was granted, with calls refused meanwhile, is a fault",
        arguments: [1_800.0, 3_570])
    func late(after: Double) throws {
        var talk = Talk()
        register(&talk, 0, call: "a")
        miss(&talk, 400)
        register(&talk, after, call: "b")
        #expect(talk.accusations() == ["fault reg.lapsed"])
        let finding = try #require(talk.finding(.regLapsed))
        #expect(
            finding.summary.contains(
                "granted 60 s, it comes again after \(after < 3_000 ? "1800 s" : "59 min"), and 203.0.113.10:5060 refused 1 call")
        )
    }

    @Test("reg.lapsed: twice by the same clock is a risk though no call was missed; once is none", arguments: [1, 2])
    func steady(times: Int) {
        var talk = Talk()
        for turn in 0...times { register(&talk, Double(turn) * 600, call: "a", number: turn + 1) }
        talk.later(Double(times) * 600 + 30)
        #expect(talk.accusations() == (times == 2 ? ["risk reg.lapsed"] : []))
    }

    @Test(
        "reg.lapsed: a device that is off for hours, and one that renews at another server meanwhile, accuse nobody",
        arguments: [false, true])
    func elsewhere(isOff: Bool) {
        var talk = Talk()
        for turn in 0..<4 {
            let at = Double(turn) * (isOff ? 40_000 : 100)
            let register = talk.register(4 * turn + 1)
            talk.up(at, register)
            talk.down(at + 0.02, talk.response(200, to: register, ["Contact: <sip:alice@\(talk.said)>;expires=60"]))
        }
        talk.later(160_000)
        #expect(!talk.accusations().contains { $0.hasSuffix("reg.lapsed") })
    }

    @Test("reg.lapsed: a phone that was off for a while, and one that renews in time, accuse nobody", arguments: [1_234.0, 50])
    func gone(after: Double) {
        var talk = Talk()
        register(&talk, 0, call: "a")
        if after > 60 { miss(&talk, 400) }
        register(&talk, after, call: "b")
        talk.later(after + 30)
        #expect(talk.finding(.regLapsed) == nil)
    }

    @Test("reg.lapsed: an answer that lists another device's Contact first grants what it says of one's own")
    func listedFirst() {
        var talk = Talk()
        for turn in 0..<4 {
            let at = Double(turn) * 50
            let register = talk.register(turn + 1, branch: "r\(turn)", expires: 60)
            talk.up(at, register)
            let others = "Contact: <sip:alice@192.168.1.99>;expires=7, <sip:alice@\(talk.said)>;expires=60"
            talk.down(at + 0.02, talk.response(200, to: register, [others]))
        }
        #expect(talk.finding(.regLapsed) == nil)
    }

    @Test("reg.lapsed: a phone that takes turns between two registrars renews in time")
    func rotation() {
        var talk = Talk()
        for turn in 0..<6 {
            let registrar = Endpoint("203.0.113.\(10 + turn % 2):5060")!
            let register = talk.register(turn + 1, branch: "r\(turn)", expires: 60)
            talk.up(Double(turn) * 50, register, to: registrar)
            let granted = ["Contact: <sip:alice@\(talk.said)>;expires=60"]
            talk.down(Double(turn) * 50 + 0.02, talk.response(200, to: register, granted), from: registrar)
        }
        #expect(talk.finding(.regLapsed) == nil)
    }

    @Test("a grant of any size is taken without harm", arguments: [4_294_967_295, 4_294_967_294, 2_147_483_648])
    func huge(granted: Int) {
        var talk = Talk()
        for turn in 0..<3 { register(&talk, Double(turn) * 600, call: "a", asked: granted, granted: granted) }
        #expect(talk.finding(.regLapsed) == nil)
    }

    @Test(
        "reg.flapping: two devices of one account, each alone in its answer, are a note; listed together, one that moved, nothing",
        arguments: ["alone", "together", "moved"])
    func devices(kind: String) {
        var talk = Talk()
        for turn in 0..<6 {
            let isSecond = kind == "moved" ? turn > 2 : turn % 2 == 1
            let (mine, other) = isSecond ? ("192.168.1.21:5060", "192.168.1.20:5060") : ("192.168.1.20:5060", "192.168.1.21:5060")
            register(
                &talk, Double(turn) * 25, call: "c\(isSecond)", asked: 60, said: mine, port: isSecond ? 41_000 : 40_000,
                also: kind == "together" ? ["Contact: <sip:alice@\(other)>;expires=30"] : [])
        }
        #expect(talk.accusations() == [])
        #expect((talk.finding(.regFlapping) != nil) == (kind == "alone"))
    }
}
