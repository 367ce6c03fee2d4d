import Base
import SIP
import ServerNode
import Testing

@Suite("NAT handling off: a Contact elsewhere answers a question before anything else is sent to it")
struct ContactProofTests {
    static let aor = AddressOfRecord("alice@pinhole")!
    /// Where the Contact says that the phone is.
    static let there = Harness.flow(Endpoint("192.0.2.9:5060")!)

    private func server(_ change: (inout ServerSettings) -> Void = { _ in }) -> Harness {
        var settings = ServerSettings()
        settings.natHandling = false
        settings.keepalive.interval = nil
        change(&settings)
        return Harness(settings)
    }

    /// From 203.0.113.7, with a Contact at 192.0.2.9: what is sent at once beyond the 200.
    private func register(_ h: Harness, cseq: UInt32 = 1, contact: String = "<sip:alice@192.0.2.9>") throws -> [SIPMessage] {
        let request = Register(cseq: cseq, via: "203.0.113.7:40000;rport", contact: contact)
        #expect(try h.register(request).statusCode == 200)
        return try h.advance(.zero).map { try SIPMessage(parsing: $0.bytes) }
    }

    private func answer(_ question: SIPMessage, _ status: Int = 200, from flow: FlowID = there) throws -> String {
        "SIP/2.0 \(status) X\r\nVia: \(question.first(.via)!.value)\r\nFrom: \(question.first(.from)!.value)\r\nTo: "
            + "\(question.first(.to)!.value);tag=1\r\nCall-ID: \(question.first(.callID)!.value)\r\nCSeq: 1 OPTIONS\r\n"
            + "Content-Length: 0\r\n\r\n"
    }

    @Test("Asked once at once; its answer makes it reachable, and is stored")
    func proved() throws {
        let h = server { $0.isPersistent = true }
        h.receive(Register(via: "203.0.113.7:40000;rport").text)
        let request = Register(via: "203.0.113.7:40000;rport", contact: "<sip:alice@192.0.2.9>")
        let challenge = try SIPMessage(parsing: h.sent.last!.bytes)
        h.receive(request.answering(challenge).text)
        h.input(.persisted(through: 1))
        let question = try #require(h.advance(.zero).first)
        #expect(question.flow == Self.there && h.alice.map(\.reach) == [.flowDead(since: h.now)])
        #expect(h.changes.map { $0.change.bindings.map(\.reach) } == [[.flowDead(since: h.now)]])
        h.receive(try answer(SIPMessage(parsing: question.bytes)), on: Self.there)
        #expect(h.alice.map(\.reach) == [.reachable])
        #expect(h.changes.last?.change.bindings.map(\.reach) == [.reachable])
        #expect(
            h.lastTexts.contains(
                "alice@pinhole registered from 203.0.113.7 with the Contact sip:alice@192.0.2.9: it answers, requests go there"))
    }

    @Test("Three questions, five seconds apart, and none any more until the phone registers again; calls do not ring there")
    func unproved() throws {
        let h = server()
        #expect(try register(h).map(\.method) == [.options])
        #expect(h.advance(.seconds(3_000)).count == 2)
        #expect(
            h.lastTexts.contains(
                "alice@pinhole registered from 203.0.113.7 with the Contact sip:alice@192.0.2.9: it does not answer as that phone, nothing is sent there"
            ))
        let caller = UA(h, "bob", at: "198.51.100.70:5060")
        let out = try caller.invite("alice")
        #expect(out.allSatisfy { $0.flow != Self.there })
        #expect(try caller.mine(out).last?.statusCode == 480)
        #expect(try register(h, cseq: 10).map(\.method) == [.options])
    }

    @Test(
        "What proves: 2xx, 405, 486, 501. What does not: an unknown user, a challenge, a redirection",
        arguments: [
            (200, true), (202, true), (405, true), (486, true), (501, true), (404, false), (401, false), (302, false),
            (403, false),
            (481, false), (180, false),
        ])
    func statuses(status: Int, proves: Bool) throws {
        let h = server()
        let question = try #require(try register(h).first)
        h.receive(try answer(question, status), on: Self.there)
        #expect((h.alice[0].reach == .reachable) == proves)
    }

    @Test("An answer from elsewhere, or to another question, proves nothing")
    func forged() throws {
        let h = server()
        let question = try #require(try register(h).first)
        h.receive(try answer(question))
        #expect(h.alice[0].reach != .reachable)
        let branch = try #require(try question.topVia.branch).string
        let last = branch.last == "0" ? "1" : "0"
        h.receive(try answer(question).replacing(branch, with: branch.dropLast() + last), on: Self.there)
        #expect(h.alice[0].reach != .reachable)
    }

    @Test(
        "Whoever registers again and again draws no more than 20 questions at once and one a second after, whatever the names and ports"
    )
    func bounded() throws {
        let h = server()
        var count = 0
        for turn in 1...60 {
            count += try register(h, cseq: UInt32(turn * 10), contact: "<sip:alice@192.0.2.9:\(5_000 + turn)>").count
            // Its newest takes the oldest's place: contacts are capped.
            let gone = Register(cseq: UInt32(turn * 10 + 5), via: "203.0.113.7:40000;rport", contact: "*", expires: "0")
            #expect(try h.register(gone).statusCode == 200)
        }
        #expect(count == 20)
    }

    @Test(
        "A Contact at the address that its REGISTER came from is reachable at once, at whichever port; so are connections and chan_sip's"
    )
    func notElsewhere() throws {
        let h = server()
        #expect(try register(h, contact: "<sip:alice@203.0.113.7:5060>").isEmpty && h.alice[0].reach == .reachable)
        let tcp = server()
        let flow = Harness.flow(Harness.phone, .tcp)
        #expect(try tcp.register(Register(contact: "<sip:alice@192.0.2.9>"), on: flow).statusCode == 200)
        #expect(tcp.advance(.zero).isEmpty && tcp.alice[0].reach == .reachable)
        let asterisk = Harness(.chanSIP(natHandling: false))
        #expect(try asterisk.register(Register(via: "203.0.113.7:40000", contact: "<sip:alice@192.0.2.9>")).statusCode == 200)
        #expect(asterisk.advance(.zero).isEmpty && asterisk.server.allBindings().map(\.binding.reach) == [.reachable])
        let usual = Harness()
        #expect(try usual.register(Register(contact: "<sip:alice@192.0.2.9>")).statusCode == 200)
        #expect(usual.advance(.zero).isEmpty && usual.alice[0].reach == .reachable)
    }

    @Test("What was proved stays so when it is refreshed; another Contact is asked anew")
    func refreshed() throws {
        let h = server()
        let question = try #require(try register(h).first)
        h.receive(try answer(question), on: Self.there)
        #expect(try register(h, cseq: 10).isEmpty && h.alice[0].reach == .reachable)
        #expect(try register(h, cseq: 20, contact: "<sip:alice@192.0.2.10>").count == 1)
    }

    @Test("After a restart it is asked again, within five seconds")
    func restarted() throws {
        let h = server()
        let question = try #require(try register(h).first)
        h.receive(try answer(question), on: Self.there)
        let next = server()
        next.input(.restore(h.server.allBindings()))
        #expect(next.alice[0].reach != .reachable)
        #expect(next.advance(.seconds(5)).filter { $0.flow == Self.there }.count >= 1)
    }

    @Test("Requests in a call follow its Contact to the address it came from, or to one that is proved: to no other")
    func inCalls() throws {
        for (contact, isFollowed) in [("203.0.113.7:6000", true), ("192.0.2.77:6000", false)] {
            let f = try CallFixture({ $0.natHandling = false })
            let caller = UA(f.h, "carol", at: "203.0.113.7:41000")
            caller.contactHost = contact
            let out = try caller.invite("bob")
            try f.bob.called(by: try #require(try f.bob.mine(out).first))
            let ok = try #require(try caller.mine(f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000))).last)
            try caller.take(ok)
            caller.ack()
            let bye = try #require(f.bob.send("BYE").first { $0.flow != f.bob.flow })
            #expect(bye.flow.remote == (isFollowed ? Endpoint(contact) : caller.flow.remote))
        }
    }
}
