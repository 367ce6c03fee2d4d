import Analysis
import Testing

@Suite("sip.no-ack: a caller that cancels what was accepted")
struct UnheardAcceptanceTests {
    /// A call accepted at 5 s whose 200 is repeated and never acknowledged; cancelled at a time, if one is given.
    private func talk(cancelled: Double?) -> Talk {
        var talk = Talk.withoutNAT()
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7>"], body: Talk.sdp("198.51.100.7"))
        talk.up(0, invite)
        talk.down(0.1, talk.response(180, to: invite))
        let ok = talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: Talk.sdp("203.0.113.10"))
        for at in [5, 5.5, 6.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5, 32.5, 36.5] where cancelled ?? 99 > at || at > 5 {
            talk.down(at, ok)
        }
        if let cancelled {
            talk.up(cancelled, talk.request("CANCEL", "sip:bob@pbx.example", 1, branch: "INVITE1"))
        }
        talk.later(90)
        return talk
    }

    @Test("a CANCEL long after the 200 proves that the 200 does not arrive: its way is told, not that of the ACK")
    func proved() throws {
        let finding = try #require(talk(cancelled: 19).finding(.sipNoACK))
        #expect(
            finding.summary
                == "203.0.113.10:5060 accepted the call, but its 200 does not reach 198.51.100.7:5060: no ACK came, and 14 s later "
                + "198.51.100.7:5060 cancelled the call as if it still rang.")
        #expect(finding.culprit == .between("203.0.113.10:5060", "198.51.100.7:5060"))
        #expect(talk(cancelled: 19).accusations() == ["fault sip.no-ack"])
    }

    @Test("a CANCEL that crosses the 200, or none, proves nothing of that")
    func innocent() {
        for at in [5.2, nil] {
            #expect(talk(cancelled: at).finding(.sipNoACK)?.summary.contains("as if it still rang") != true)
        }
    }
}
