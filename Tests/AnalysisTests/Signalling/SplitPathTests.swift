import Base
import Capture
import Testing

@testable import Analysis

@Suite("auth.*: a challenge and its answer on two paths")
struct SplitPathTests {
    private static let other = Endpoint("198.51.100.99:40000")!

    /// Rounds in which the phone is asked at one address and answers from another.
    private func rounds(_ count: Int, accepted: Bool, from: Endpoint = other, to: Endpoint? = nil, same: Bool = false) -> Talk {
        var talk = Talk()
        for round in 0..<count {
            let (time, number) = (Double(round) * 20, round * 2 + 1)
            let asked = talk.register(number)
            talk.up(time, asked)
            talk.down(time + 0.02, talk.challenge(to: asked, nonce: "n\(round)"))
            let answer = talk.register(number + 1, nonce: "n\(round)")
            let source = same ? talk.phone : from
            talk.up(time + 0.05, answer, from: source, to: to)
            talk.down(
                time + 0.07,
                accepted
                    ? talk.response(200, to: answer, ["Contact: <sip:alice@192.168.1.20:5060>;expires=3600"])
                    : talk.challenge(to: answer, nonce: "m\(round)"), to: source, from: to)
        }
        talk.later(Double(count) * 20 + 20)
        return talk
    }

    @Test("a pool of addresses whose answers are accepted is no fault, and the registration no failure")
    func pool() {
        let talk = rounds(6, accepted: true)
        var analyzer = Analyzer(sources: [SourceSummary(name: "pool", kind: .capture)])
        for observation in talk.seen { analyzer.observe(observation) }
        #expect(analyzer.splitting().map { _ in true } == nil, "two requests in a row are not one that crosses a router")
        let result = talk.result()
        #expect(result.findings.filter { $0.severity.accuses }.isEmpty)
        #expect(result.dialogs.first?.hasFailed == false)
    }

    @Test("refused from the address that was asked is a matter of the password")
    func password() {
        #expect(rounds(4, accepted: false, same: true).accusations() == ["fault auth.bad-digest"])
    }

    @Test("an answer to another server than asked says nothing of the password")
    func otherServer() {
        let found = rounds(4, accepted: false, to: Endpoint("203.0.113.11:5060")!, same: true).accusations()
        #expect(!found.contains("fault auth.bad-digest"))
    }

    @Test("a server that calls out without the password of its trunk is told from a phone; a phone stays a phone")
    func trunk() throws {
        var talk = Talk()
        talk.agent = "Asterisk PBX 20"
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1)
        talk.up(0, invite)
        talk.down(0.1, talk.challenge(407, to: invite, nonce: "n"))
        talk.up(0.2, talk.request("ACK", "sip:bob@pbx.example", 1))
        talk.later(40)
        #expect(
            talk.finding(.authNoAnswer)?.summary
                == "203.0.113.10:5060 asks the server 198.51.100.7:40000 (Asterisk PBX 20) for the password of its trunk, and it never gives one: "
                + "the INVITE stays refused.")
        var phone = Talk()
        phone.up(0, phone.request("INVITE", "sip:bob@pbx.example", 1))
        phone.down(0.1, phone.challenge(407, to: phone.request("INVITE", "sip:bob@pbx.example", 1), nonce: "n"))
        phone.later(40)
        #expect(phone.finding(.authNoAnswer)?.summary.hasPrefix("alice@pbx.example was asked for a password once") == true)
    }
}
