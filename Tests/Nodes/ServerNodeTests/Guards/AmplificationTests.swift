import Base
import SIP
import ServerNode
import Testing

@Suite("Answers to whoever may be somebody else")
struct AmplificationTests {
    private static let victim = Harness.flow(Endpoint("192.0.2.9:9")!)

    @Test("A copy draws the stored answer only with equal Call-ID, CSeq, From tag and Authorization")
    func copies() throws {
        let h = Harness()
        let challenge = try h.ask(Register().text)
        let request = Register().answering(challenge)
        let answer = try #require(h.receive(request.text).first)
        #expect(h.receive(request.text).map(\.bytes) == [answer.bytes])
        // The same branch, and little more.
        var other = Register(callID: "x")
        other.branch = request.branch
        #expect(try h.ask(other.text).statusCode == 401)
        var unsigned = request
        unsigned.authorization = nil
        #expect(h.receive(unsigned.text).allSatisfy { $0.bytes != answer.bytes })
    }

    @Test("Whoever signed with a nonce that went elsewhere draws no more than three times what he sends")
    func allowance() throws {
        let h = Harness()
        let challenge = try h.ask(Register().text)
        let request = Register().answering(challenge)
        let text = request.text
        let first = try #require(h.receive(text, on: Self.victim).first)
        // His flow is known by the binding now: that of another request is not.
        #expect(first.flow == Self.victim)
        var message = Register(callID: "m").text.replacing("REGISTER", with: "MESSAGE")
        message = message.replacing("sip:pinhole SIP", with: "sip:bob@pinhole SIP")
        let out = h.receive(message, on: Self.victim)
        #expect(out.reduce(0) { $0 + $1.bytes.count + 28 } <= 3 * (message.utf8.count + 28))
    }

    @Test("An answer that would be over three times as large is not sent to a stranger over UDP; over TCP it is")
    func tiny() throws {
        let h = Harness()
        let text =
            "OPTIONS sip:pinhole SIP/2.0\r\nv:SIP/2.0/UDP a;branch=z9hG4bK1\r\nf:<sip:a>;tag=1\r\n"
            + "t:<sip:b>\r\ni:1\r\nCSeq:1 OPTIONS\r\n\r\n"
        let out = h.receive(text)
        #expect(out.allSatisfy { $0.bytes.count + 28 <= 3 * (text.utf8.count + 28) })
        let tcp = Harness.flow(Endpoint("203.0.113.7:50001")!, .tcp)
        #expect(h.receive(text.replacing("/UDP", with: "/TCP"), on: tcp).count == 1)
    }

    @Test("A flow that registered reads and is answered while its address floods")
    func knownFlow() throws {
        var settings = ServerSettings()
        settings.limits.messagesPerSource = .init(perSecond: 1, burst: 4)
        settings.limits.unprovedRepliesPerSource = .init(perSecond: 1, burst: 4)
        settings.limits.unprovedReplies = .init(perSecond: 1, burst: 20)
        let h = Harness(settings)
        #expect(try h.register(Register()).statusCode == 200)
        let flood = Harness.flow(Endpoint("203.0.113.7:1111")!)
        for index in 1...30 { h.receive(Register(callID: "flood\(index)").text, on: flood) }
        for index in 1...30 {
            h.receive(Register(callID: "all\(index)").text, on: Harness.flow(Endpoint("198.18.0.\(index):5")!))
        }
        #expect(h.server.counters[dropped: .sourceFlooding] > 0 && h.server.counters[dropped: .unprovedRepliesInAll] > 0)
        #expect(try h.register(Register(callID: "again")).statusCode == 200)
        #expect(h.receive(Register(callID: "flood").text, on: flood).isEmpty)
    }

    @Test("Nobody moves an INVITE's answers to where he is")
    func inviteCopy() throws {
        let f = try CallFixture()
        try f.ring()
        let out = f.h.receive(f.alice.lastInvite, on: Harness.flow(Endpoint("192.0.2.66:6666")!))
        #expect(try SIPMessage(parsing: try #require(out.first).bytes).statusCode == 482)
        #expect(try f.statuses(f.bob.respond(180), f.alice) == [180])
    }
}
