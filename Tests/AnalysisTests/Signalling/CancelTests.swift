import Analysis
import Base
import Testing

@Suite("A CANCEL that cancels nothing is told")
struct CancelTests {
    private let there = "<sip:bob@pbx.example>;tag=s1"
    private let uri = "sip:bob@203.0.113.10"

    /// An INVITE that rings, its CANCEL with that branch, and how both were answered.
    private func cancelled(_ branch: String, _ status: Int, final: Int?, at: Double) -> Talk {
        var talk = Talk()
        talk.said = "198.51.100.7:5060"
        talk.call = "c1@phone.example"
        talk.phone = Endpoint("198.51.100.7:5060")!
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, branch: "i1", ["Contact: <sip:alice@198.51.100.7:5060>"],
            body: Talk.sdp("198.51.100.7", port: 4_000))
        talk.up(0, invite)
        talk.down(0.2, talk.response(180, to: invite))
        let cancel = talk.request("CANCEL", "sip:bob@pbx.example", 1, branch: branch)
        talk.up(5, cancel)
        if final == 487 { talk.down(5.01, talk.response(487, to: invite)) }
        talk.down(5.03, talk.response(status, to: cancel))
        if final == 200 {
            talk.down(at, talk.response(200, to: invite, ["Contact: <\(uri)>"], body: Talk.sdp("203.0.113.10", port: 14_000)))
            talk.up(at + 0.05, talk.request("ACK", uri, 1, branch: "a1", peer: there))
            let bye = talk.request("BYE", uri, 2, peer: there)
            talk.up(at + 0.1, bye)
            talk.down(at + 0.13, talk.response(200, to: bye))
        }
        talk.later(120)
        return talk
    }

    @Test("a CANCEL with another branch than its INVITE cancels nothing", arguments: [200, nil])
    func astray(final: Int?) throws {
        let talk = cancelled("c9", 481, final: final, at: 30)
        #expect(talk.accusations() == ["fault sip.unfinished"])
        let finding = try #require(talk.finding(.sipUnfinished))
        #expect(
            finding.summary
                == "198.51.100.7:5060 cancelled its call in vain: its CANCEL has another branch than its INVITE, 203.0.113.10:5060 answered "
                + "481 Whatever, and the call \(final == nil ? "went on ringing." : "was answered all the same.")")
    }

    @Test("a CANCEL that crossed the answer, is taken although its branch differs, or ended the call is nothing")
    func astrayLookAlikes() {
        #expect(cancelled("i1", 481, final: 200, at: 5.02).accusations() == [])
        #expect(cancelled("c9", 481, final: 200, at: 5.1).accusations() == [])
        #expect(cancelled("i1", 200, final: 487, at: 0).accusations() == [])
        #expect(cancelled("c9", 200, final: 487, at: 0).accusations() == [])
    }
}
