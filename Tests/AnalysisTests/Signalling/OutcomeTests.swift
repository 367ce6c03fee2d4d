import Analysis
import Base
import Testing

@Suite("What failed is told, and not blamed on the wrong thing")
struct OutcomeTests {
    @Test("a registration refused with 480 is never 'Nothing is wrong': its status stands in the verdict")
    func refused() {
        var talk = Talk()
        let register = talk.register(1)
        talk.up(0, register)
        talk.down(0.1, talk.response(480, to: register))
        talk.later(60)
        #expect(talk.accusations() == [])
        #expect(talk.result().verdict.hasPrefix("No NAT or ALG fault was found; 1 registration failed with 480"))
    }

    @Test("the same transaction again after its 401: the challenge is lost, and nothing is said of credentials")
    func unheardChallenge() {
        var talk = Talk()
        let register = talk.register(1)
        for turn in 0..<4 {
            talk.up(Double(turn), register)
            talk.down(Double(turn) + 0.02, talk.challenge(to: register, nonce: "n\(turn)"))
        }
        talk.later(60)
        #expect(talk.accusations() == ["fault sip.retransmit"])
        #expect(talk.finding(.authNoAnswer) == nil)
    }

    @Test("one repetition that crossed the 401 on its way: the phone heard it and has no password")
    func crossed() {
        var talk = Talk()
        let register = talk.register(1)
        talk.up(0, register)
        talk.up(0.5, register)
        talk.down(0.6, talk.challenge(to: register, nonce: "n1"))
        talk.later(60)
        #expect(talk.accusations() == ["fault auth.no-answer"])
    }
}
