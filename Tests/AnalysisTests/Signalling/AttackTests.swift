import Analysis
import Base
import Testing

@Suite("auth.attack")
struct AttackTests {
    private static let stranger = Endpoint("192.0.2.66:5060")!

    /// One refused registration: challenged, answered wrongly, refused.
    private func refused(
        _ talk: inout Talk, user: String, call: String, at seconds: Double, from source: Endpoint = stranger, tries: Int = 1
    ) {
        talk.user = user
        talk.call = call
        var number = 1
        let first = talk.register(number)
        talk.up(seconds, first, from: source)
        talk.down(seconds + 0.01, talk.challenge(to: first, nonce: "n\(call)"), to: source)
        for attempt in 0..<tries {
            number += 1
            let answer = talk.register(
                number, nonce: "n\(call)\(attempt == 0 ? "" : "-\(attempt)")", response: "\(attempt)bad\(call)")
            talk.up(seconds + 0.02 + Double(attempt) * 30, answer, from: source)
            talk.down(
                seconds + 0.03 + Double(attempt) * 30, talk.challenge(to: answer, nonce: "n\(call)-\(attempt + 1)"), to: source)
        }
    }

    @Test("one address that tries thirty names is an attack, told once, and no phone with a wrong password")
    func manyNames() throws {
        var talk = Talk()
        for number in 0..<30 { refused(&talk, user: "\(100 + number)", call: "g\(number)", at: Double(number)) }
        talk.later(100)
        #expect(talk.accusations() == ["risk auth.attack"])
        let finding = try #require(talk.finding(.authAttack))
        #expect(finding.culprit == .proved("192.0.2.66"))
        #expect(
            finding.summary
                == "Somebody tries to break into 203.0.113.10: 192.0.2.66 guessed names and passwords of 30 accounts, 30 times, without success."
        )
    }

    @Test("hundreds of guesses for one account, each under a Call-ID of its own and seconds apart, are an attack")
    func oneAccount() {
        var talk = Talk()
        for number in 0..<150 { refused(&talk, user: "100", call: "h\(number)", at: Double(number) * 0.5) }
        talk.later(200)
        #expect(talk.accusations() == ["risk auth.attack"])
    }

    @Test(
        "two dozen guesses within seconds are an attack; as many of a phone that begins anew each half minute are a wrong password",
        arguments: [true, false])
    func pace(isFast: Bool) {
        var talk = Talk()
        for number in 0..<24 {
            refused(&talk, user: "100", call: "p\(number)", at: Double(number) * (isFast ? 0.4 : 30))
        }
        talk.later(900)
        #expect(talk.accusations() == [isFast ? "risk auth.attack" : "fault auth.bad-digest"])
    }

    @Test(
        "403 to one who guesses is the attack's, not a registration that somebody should mend",
        arguments: ["Phone/1.0", "friendly-scanner"])
    func forbidden(agent: String) {
        var talk = Talk()
        talk.agent = agent
        for number in 0..<30 {
            talk.user = "\(100 + number)"
            talk.call = "f\(number)"
            let request = talk.register(1)
            talk.up(Double(number), request, from: Self.stranger)
            talk.down(Double(number) + 0.01, talk.response(403, to: request), to: Self.stranger)
        }
        talk.later(100)
        #expect(talk.accusations() == ["risk auth.attack"])
    }

    @Test("a few guesses each from thirty addresses, at the same names, are an attack from many places")
    func army() throws {
        var talk = Talk()
        for number in 0..<30 {
            let source = Endpoint("192.0.2.\(10 + number):5060")!
            for name in 0..<4 {
                refused(
                    &talk, user: "\(100 + (number + name) % 10)", call: "a\(number)-\(name)", at: Double(number * 4 + name),
                    from: source)
            }
        }
        talk.later(300)
        let finding = try #require(talk.finding(.authAttack))
        #expect(finding.summary.contains("30 addresses, most of all"))
        #expect(talk.accusations() == ["risk auth.attack"])
    }

    @Test("one phone with a wrong password that tries for ever has a wrong password")
    func wrongPassword() {
        var talk = Talk()
        refused(&talk, user: "alice", call: "w", at: 0, from: talk.phone, tries: 200)
        talk.later(7_000)
        #expect(talk.accusations() == ["fault auth.bad-digest"])
    }

    @Test("a fleet of thirty phones whose passwords were changed is no attack: each tries its own name")
    func fleet() {
        var talk = Talk()
        for number in 0..<30 {
            refused(
                &talk, user: "\(100 + number)", call: "f\(number)", at: Double(number),
                from: Endpoint("192.0.2.\(10 + number):5060")!, tries: 3)
        }
        talk.later(300)
        #expect(!talk.accusations().contains("risk auth.attack"))
    }

    @Test("an office of which some phones get in is no attack, whatever the others do")
    func office() {
        var talk = Talk()
        for number in 0..<30 { refused(&talk, user: "\(100 + number)", call: "o\(number)", at: Double(number), from: talk.phone) }
        talk.call = "good"
        talk.registers(at: 50)
        talk.later(300)
        #expect(!talk.accusations().contains("risk auth.attack"))
    }

    /// A call from a stranger that is challenged and goes no further; `isHeard`: whether anybody answers at all.
    private func dials(_ talk: inout Talk, _ number: String, call: String, at seconds: Double, isHeard: Bool = true) {
        talk.user = "100"
        talk.call = call
        let invite = talk.request(
            "INVITE", "sip:\(number)@pbx.example", 1, branch: "i\(call)", peer: "<sip:\(number)@pbx.example>")
        if isHeard {
            talk.up(seconds, invite, from: Self.stranger)
            let refusal = talk.challenge(to: invite, nonce: "n\(call)")
            talk.down(seconds + 0.01, refusal, to: Self.stranger)
            talk.up(
                seconds + 0.02,
                talk.request(
                    "ACK", "sip:\(number)@pbx.example", 1, branch: "i\(call)", peer: "<sip:\(number)@pbx.example>;tag=s1"),
                from: Self.stranger)
        } else {
            for at in [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5] { talk.up(seconds + at, invite, from: Self.stranger) }
        }
    }

    private static let prefixes = ["", "0", "00", "000", "9", "900", "011", "9011", "0011", "810", "+", "99"]

    @Test(
        "calls to one number behind a dozen prefixes, never with credentials, are fraud; that a ban leaves later ones unanswered accuses nobody"
    )
    func freeCalls() throws {
        var talk = Talk()
        for (index, prefix) in Self.prefixes.enumerated() {
            dials(&talk, "\(prefix)97259900012", call: "t\(index)", at: Double(index) * 2)
        }
        for index in 0..<5 { dials(&talk, "0\(index)97259900012", call: "u\(index)", at: 40 + Double(index), isHeard: false) }
        talk.later(100)
        #expect(talk.accusations() == ["risk auth.attack"])
        let finding = try #require(talk.finding(.authAttack))
        #expect(finding.culprit == .proved("192.0.2.66"))
        #expect(
            finding.summary
                == "Somebody tries to make calls at the expense of 203.0.113.10: 192.0.2.66 dialled one number behind 11 prefixes, without "
                + "credentials and without success.")
    }

    @Test("who lacks a password and dials as everybody does is no fraud, and its unanswered calls are told")
    func noPassword() {
        var talk = Talk()
        for (index, number) in ["004930123456", "0301234567", "08912345678", "110", "00441632960", "01712345678", "0555123456"]
            .enumerated()
        {
            dials(&talk, number, call: "w\(index)", at: Double(index) * 60)
        }
        dials(&talk, "0301234567", call: "late", at: 500, isHeard: false)
        talk.later(600)
        #expect(talk.finding(.authAttack) == nil)
        #expect(talk.accusations().contains("fault sip.retransmit"))
    }
}
