import Base
import SIP
import ServerNode
import Testing

@Suite("Phones that listen at the port in their Via and send from another: RFC 3261 18.2.2")
struct ViaPortTests {
    private static let sends = Harness.flow(Endpoint("203.0.113.7:49152")!)
    private static let listens = Harness.flow(Endpoint("203.0.113.7:5060")!)

    private static let phone =
        "User-Agent: Cisco-CP7960G/8.0\r\nSupported: (null),X-cisco-xsi-7.0.1\r\nDate: Fri, 15 Jan 2027 08:00:00 GMT\r\n"
        + "Allow: ACK,BYE,CANCEL,INVITE,NOTIFY,OPTIONS,REFER,REGISTER,UPDATE,SUBSCRIBE\r\n"

    private func register(_ callID: String = "c1", extra: String = phone) -> Register {
        Register(callID: callID, via: "203.0.113.7:5060", contact: "<sip:alice@203.0.113.7:5060>", extra: extra)
    }

    @Test(
        "Where both answers would be over three times as large as what asked, what is asked again is answered over its flow alone"
    )
    func small() {
        let h = Harness()
        let text = register(extra: "").text
        #expect(h.receive(text, on: Self.sends).map(\.flow) == [Self.listens])
        #expect(h.receive(text, on: Self.sends).map(\.flow) == [Self.sends])
    }

    @Test(
        "Without rport, Via's host being the source: answers and calls go to Via's port, and nobody says that something translates"
    )
    func registers() throws {
        let h = Harness()
        let challenge = try #require(h.receive(register().text, on: Self.sends).first)
        #expect(challenge.flow == Self.listens)
        let answer = register().answering(try SIPMessage(parsing: challenge.bytes))
        let out = h.receive(answer.text, on: Self.sends)
        #expect(out.map(\.flow) == [Self.listens])
        let binding = try #require(h.alice.first)
        #expect(binding.flow == Self.listens && binding.verdict == [.withoutRport])
    }

    @Test("What is asked again is answered over its flow as well: a box on the way may have written that Via")
    func retransmission() throws {
        let h = Harness()
        let challenge = try #require(h.receive(register().text, on: Self.sends).first)
        #expect(Set(h.receive(register().text, on: Self.sends).map(\.flow)) == [Self.listens, Self.sends])
        let answer = register().answering(try SIPMessage(parsing: challenge.bytes)).text
        #expect(h.receive(answer, on: Self.sends).map(\.flow) == [Self.listens])
        #expect(Set(h.receive(answer, on: Self.sends).map(\.flow)) == [Self.listens, Self.sends])
        #expect(h.receive(answer, on: Harness.flow(Endpoint("192.0.2.66:6666")!)).map(\.flow) == [Self.listens])
    }

    @Test(
        "With rport, or with another host in Via, answers follow the flow",
        arguments: ["203.0.113.7:5060;rport", "192.168.1.10:5060"])
    func followsFlow(_ via: String) throws {
        let h = Harness()
        var request = register()
        request.via = via
        #expect(h.receive(request.text, on: Self.sends).map(\.flow) == [Self.sends])
    }

    @Test("A connection's own port is no translation: a TCP phone with a public Contact has a straight way")
    func tcp() throws {
        let h = Harness()
        let flow = Harness.flow(Endpoint("203.0.113.7:49152")!, .tcp)
        var request = register()
        request.via = "203.0.113.7:5060;rport"
        #expect(try h.register(request, on: flow).statusCode == 200)
        #expect(h.alice.first?.verdict.isStraight == true)
    }

    @Test("Two users whose phones chose the same Call-ID, tag and CSeq are two; a copy that jumps ports is one request")
    func sameIdentifiers() throws {
        let h = Harness()
        #expect(try h.register(Register(branch: "z9hG4bKa")).statusCode == 200)
        var bob = Register(user: "bob", branch: "z9hG4bKb1", contact: "<sip:bob@192.168.1.11>")
        let other = Harness.flow(Endpoint("198.51.100.77:5070")!)
        let challenge = try h.ask(bob.text, on: other)
        bob.branch = "z9hG4bKb2"
        let answer = bob.answering(challenge, password: "word")
        #expect(try h.ask(answer.text, on: other).statusCode == 200)
        var copy = answer
        copy.branch = "z9hG4bKb3"
        #expect(try h.ask(copy.text, on: Harness.flow(Endpoint("198.51.100.77:5071")!)).statusCode == 482)
    }
}
