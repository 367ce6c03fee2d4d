import Analysis
import Base
import Testing

@Suite("NOTIFY that nobody subscribed to")
struct UnaskedTests {
    /// A phone registers; so many seconds later its server tells it of waiting messages, `times` times, and nothing comes back.
    private func talk(after wait: Double, times: Int = 5, registers: Bool = true, invites: Bool = false, tag: String = "") -> Talk
    {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "r1"
        if registers { talk.registers() }
        var server = talk
        server.call = "mwi"
        server.user = "mailbox"
        server.said = "203.0.113.10:5060"
        let notify = server.request(
            "NOTIFY", "sip:alice@198.51.100.7:40000", 1, ["Event: message-summary"], peer: "<sip:alice@pbx.example>\(tag)")
        for number in 0..<times { talk.down(0.05 + wait + [0, 0.5, 1.5, 3.5, 7.5][number], notify) }
        if invites {
            server.call = "in"
            let invite = server.request("INVITE", "sip:alice@198.51.100.7:40000", 1, peer: "<sip:alice@pbx.example>")
            for gap in [0, 0.5, 1.5, 3.5, 7.5] { talk.down(20 + gap, invite) }
        }
        talk.see(60, Endpoint("198.51.100.99:5060")!, talk.server, .keepalive)
        return talk
    }

    @Test("a phone that has just heard passes it over: a note")
    func passedOver() throws {
        let talk = talk(after: 0.01)
        #expect(talk.accusations() == [])
        let finding = try #require(talk.finding(.sipRetransmit))
        #expect(finding.severity == .note)
        #expect(finding.summary.hasSuffix("It hears the other end and goes on with all else, so it passes such a NOTIFY over."))
    }

    @Test("the same where the capture cuts messages before the credentials that show that it hears", arguments: [260, 300, 400])
    func cut(octets: Int) {
        #expect(!talk(after: 0.01).cut(octets).accusations().contains("fault sip.retransmit"))
    }

    @Test("one that was not heard for long, is rung in vain as well, or subscribed is told")
    func lost() {
        #expect(talk(after: 40).accusations() == ["fault sip.retransmit"])
        #expect(talk(after: 1, registers: false).accusations() == ["fault sip.retransmit"])
        #expect(talk(after: 0.01, invites: true).accusations().contains("fault sip.retransmit"))
        #expect(talk(after: 0.01, tag: ";tag=p1").accusations() == ["fault sip.retransmit"])
    }
}
