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

    /// Alice's eight long Contacts are asked for, signed over a nonce that went to her and not to where the question comes from.
    private func question(_ h: Harness, padded: Bool) throws -> (first: String, copy: String) {
        for index in 1...8 {
            let contact = "<sip:alice@192.168.1.\(index);x=\(String(repeating: "y", count: 250))>"
            #expect(try h.register(Register(callID: "c\(index)", contact: contact)).statusCode == 200)
        }
        var query = Register(callID: "query", contact: nil)
        query = query.answering(try h.ask(query.text))
        let copy = query.text
        if padded { query.extra = "Subject: \(String(repeating: "z", count: 2_000))\r\n" }
        return (query.text, copy)
    }

    @Test("Whoever signs with a nonce that went elsewhere draws no answer over three times as large as what he sends")
    func elsewhere() throws {
        let h = Harness()
        let question = try question(h, padded: false)
        #expect(h.receive(question.first, on: Self.victim).isEmpty)
        #expect(h.server.counters[dropped: .amplification] == 1)
    }

    @Test("Copies of it share one allowance: three times what they take")
    func allowance() throws {
        let h = Harness()
        let question = try question(h, padded: true)
        let answer = try #require(h.receive(question.first, on: Self.victim).first)
        var taken = 0
        var drawn = 0
        for _ in 1...10 {
            taken += question.copy.utf8.count + 28
            drawn += h.receive(question.copy, on: Self.victim).reduce(0) { $0 + $1.bytes.count + 28 }
            #expect(drawn <= 3 * taken)
        }
        #expect(drawn == 5 * (answer.bytes.count + 28) && h.server.counters[dropped: .repeatedTooOften] == 5)
    }

    @Test("What goes to Via's port and over the flow counts twice: together no more than three times what asked")
    func both() throws {
        let h = Harness()
        let text =
            "OPTIONS sip:pinhole SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\n"
            + "To: <sip:b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nSubject: \(String(repeating: "z", count: 60))\r\n\r\n"
        var drawn: [Int] = []
        for _ in 1...2 { drawn.append(h.receive(text, on: Self.victim).reduce(0) { $0 + $1.bytes.count + 28 }) }
        #expect(drawn.allSatisfy { $0 > 0 && $0 <= 3 * (text.utf8.count + 28) })
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

    @Test(
        "A phone that never registered does so behind the address of one who floods from another port; many ports buy him little")
    func newcomer() throws {
        var settings = ServerSettings()
        settings.limits.messagesPerSource = .init(perSecond: 1, burst: 4)
        settings.limits.unprovedRepliesPerSource = .init(perSecond: 1, burst: 4)
        let h = Harness(settings)
        let flood = Harness.flow(Endpoint("203.0.113.7:1111")!)
        let answered = (1...40).filter { !h.receive(Register(callID: "flood\($0)").text, on: flood).isEmpty }
        #expect(answered.count == 4 + 8)
        #expect(try h.register(Register()).statusCode == 200)
        let ports = (2_000...2_200).filter { port in
            !h.receive(Register(callID: "p\(port)").text, on: Harness.flow(Endpoint("203.0.113.7:\(port)")!)).isEmpty
        }
        #expect(ports.count == 40 - 8 - 2)
    }

    @Test("A phone whose own address and port are forged refreshes, and answers keepalives, all the same")
    func forgedFlow() throws {
        var settings = ServerSettings()
        settings.limits.messagesPerSource = .init(perSecond: 1, burst: 4)
        settings.limits.unprovedRepliesPerSource = .init(perSecond: 1, burst: 4)
        let h = Harness(settings)
        #expect(try h.register(Register()).statusCode == 200)
        let keepalive = try #require(h.advance(.seconds(30)).last).bytes
        for index in 1...40 {
            #expect(h.receive(Register(callID: "forged\(index)", cseq: 9).text).count <= 1)
        }
        #expect(h.server.counters[dropped: .sourceFlooding] > 0)
        #expect(h.receive(Register(callID: "a call of its own", cseq: 2).text).isEmpty)
        h.receive(try response(to: keepalive))
        #expect(h.server.counters.keepalivesAnswered == 1)
        #expect(try h.register(Register(cseq: 3)).statusCode == 200)
    }

    @Test("Nobody moves an INVITE's answers to where he is")
    func inviteCopy() throws {
        let f = try CallFixture()
        try f.ring()
        let out = f.h.receive(f.alice.lastInvite, on: Harness.flow(Endpoint("192.0.2.66:6666")!))
        #expect(try SIPMessage(parsing: try #require(out.first).bytes).statusCode == 482)
        #expect(try f.statuses(f.bob.respond(180), f.alice) == [180])
    }

    @Test("A copy of an INVITE whose Via a helper rewrote is a copy: it draws what was said last, and rings nobody again")
    func rewrittenInvite() throws {
        let f = try CallFixture()
        try f.ring()
        f.bob.respond(180)
        let rewritten = f.alice.lastInvite.replacing("UDP 203.0.113.7:40000;", with: "UDP 203.0.113.7:61000;")
        #expect(rewritten != f.alice.lastInvite)
        let out = f.h.receive(rewritten, on: f.alice.flow)
        #expect(try f.statuses(out, f.alice) == [180] && out.count == 1)
        #expect(f.h.server.counters.retransmissionsAbsorbed == 1 && f.h.server.callUsage.calls == 1)
        // Another branch is another way of the same request, from elsewhere it is somebody else's.
        let branch = rewritten.replacing("branch=z9hG4bK-i2", with: "branch=z9hG4bK-i3")
        #expect(try f.statuses(f.h.receive(branch, on: f.alice.flow), f.alice) == [482])
        let elsewhere = f.h.receive(rewritten, on: Harness.flow(Endpoint("192.0.2.66:6666")!))
        #expect(try elsewhere.map { try SIPMessage(parsing: $0.bytes).statusCode } == [482])
        #expect(try f.statuses(f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000)), f.alice) == [200])
    }

    @Test(
        "Refusals of strangers' calls and messages count as those of requests that nobody has vouched for, while there is no call yet",
        arguments: [("INVITE", "nobody", 404), ("MESSAGE", "nobody", 404), ("MESSAGE", "carol", 480)])
    func strangersRefusals(_ method: String, _ callee: String, _ status: Int) throws {
        let f = try CallFixture {
            $0.calls.anonymousCalls = true
            $0.limits.unprovedRepliesPerSource = .init(perSecond: 1, burst: 4)
        }
        let flow = Harness.flow(Endpoint("192.0.2.66:5060")!)
        let answered = try (1...40).flatMap { number in
            let text =
                "\(method) sip:\(callee)@pinhole SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66;branch=z9hG4bK\(number)\r\nMax-Forwards: 70\r\n"
                + "From: <sip:x@elsewhere.example>;tag=1\r\nTo: <sip:\(callee)@pinhole>\r\nCall-ID: \(number)\r\nCSeq: 1 \(method)\r\n"
                + "Contact: <sip:x@192.0.2.66>\r\nContent-Length: 0\r\n\r\n"
            return try f.h.receive(text, on: flow).compactMap { try SIPMessage(parsing: $0.bytes).statusCode }
        }
        // The source's own budget, then what a newcomer has.
        #expect(answered == [Int](repeating: status, count: 4 + 8))
        #expect(f.h.server.counters[dropped: .unprovedRepliesOfSource] == 28)
    }

    @Test("A flow stays known as long as one of its bindings is there, however many there were")
    func manyBindings() throws {
        var settings = ServerSettings()
        settings.keepalive.interval = nil
        settings.limits.messagesPerSource = .init(perSecond: 1, burst: 1)
        let h = Harness(settings)
        let gateway = Harness.flow()
        let stored = try (0...65_536).map { index in
            let none = [UInt8]()
            let binding = try #require(
                Binding(
                    contact: Array("sip:u\(index)@192.168.1.10".utf8), parameters: none, callID: none, instance: none, path: none,
                    userAgent: none, cseq: 1, expires: h.now + .seconds(index == 0 ? 60 : 7_200), updated: h.now, flow: gateway))
            return StoredBinding(aor: AddressOfRecord(user: "u\(index)", domain: "pinhole"), binding: binding)
        }
        h.keeps = false
        h.input(.restore(stored))
        h.advance(.seconds(61))
        #expect(h.server.bindingCount == 65_536)
        #expect(h.receive(Register(callID: "a").text, on: gateway).count == 1)
        #expect(h.receive(Register(callID: "b").text, on: gateway).count == 1)
    }
}
