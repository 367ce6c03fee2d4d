import Analysis
import Base
import Testing

@Suite("auth.stale-loop of a phone that never takes the newest nonce")
struct OldNonceTests {
    /// Calls ten seconds apart, each with the old nonce; whether the phone then answers the fresh one.
    private func calls(_ count: Int, takesFresh: Bool = false, sameNonce: Bool = false) -> Talk {
        var talk = Talk()
        talk.registers(nonce: "old")
        for number in 0..<count {
            talk.call = "c\(number)"
            let at = 20 + Double(number) * 10
            let first = talk.request(
                "INVITE", "sip:bob@pbx.example", 1, branch: "a\(number)", talk.authorization("old", "0000000\(number + 2)"),
                body: Talk.sdp("192.168.1.20"))
            talk.up(at, first)
            talk.down(at + 0.02, talk.challenge(to: first, nonce: sameNonce ? "old" : "fresh\(number)"))
            talk.up(at + 0.03, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "a\(number)"))
            guard takesFresh else { continue }
            let second = talk.request(
                "INVITE", "sip:bob@pbx.example", 2, branch: "b\(number)", talk.authorization("fresh\(number)", "00000001"),
                body: Talk.sdp("192.168.1.20"))
            talk.up(at + 0.04, second)
            talk.down(at + 0.06, talk.response(486, to: second))
            talk.up(at + 0.07, talk.request("ACK", "sip:bob@pbx.example", 2, branch: "b\(number)"))
        }
        talk.later(200)
        return talk
    }

    @Test("call after call with the same old nonce, although each refusal brings a fresh one, is the phone's fault")
    func habit() throws {
        let talk = calls(4)
        #expect(talk.accusations() == ["fault auth.stale-loop"])
        let finding = try #require(talk.finding(.authStaleLoop))
        #expect(finding.count == 4)
        #expect(finding.remedies.map(\.actor) == [.phone, .server])
        #expect(
            finding.summary
                == "alice@pbx.example cannot call: the phone answers an old challenge again and again, although each refusal by "
                + "203.0.113.10:5060 carries a fresh nonce.")
    }

    @Test("twice may be chance; a phone that tries the old nonce first and then takes the fresh one is as it should be")
    func innocent() {
        #expect(!calls(2).accusations().contains("fault auth.stale-loop"))
        #expect(calls(4, takesFresh: true).accusations() == [])
        #expect(!calls(4, sameNonce: true).accusations().contains("fault auth.stale-loop"))
    }
}
