import Base
import MediaControl
import SIP
import ServerNode
import Testing

@Suite("UPDATE before the answer: RFC 3311 5, RFC 3262, RFC 6337 3.1")
struct EarlyUpdateTests {
    static let early = UA.offer("198.51.100.77", 30_000)
    static let hold = UA.offer("192.168.1.10", 16_384, direction: "sendonly", version: 2)
    static let held = UA.offer("198.51.100.77", 30_000, direction: "recvonly", version: 2)

    /// Bob answered in a reliable 183, which both PRACKs acknowledged.
    func agreed(_ f: CallFixture = try! CallFixture(), prack: Bool = true) throws -> CallFixture {
        f.alice.supported = "100rel, timer, replaces"
        if f.invite == nil { try f.ring() }
        let out = f.bob.respond(183, extra: "Require: 100rel\r\nRSeq: 1\r\n", body: Self.early)
        f.bob.respond(200, to: try f.bob.mine(out).first { $0.method == .prack })
        let told = try #require(try f.alice.mine(out).first)
        try f.alice.take(told)
        guard prack else { return f }
        let rseq = try #require(told.first(.rseq)?.value.string)
        #expect(
            try f.statuses(f.alice.send("PRACK", extra: "RAck: \(rseq) \(f.alice.inviteSequence) INVITE\r\n"), f.alice) == [200])
        return f
    }

    /// Bob's 200 to the INVITE; what Alice got.
    func answer(_ f: CallFixture, body: String = "") throws -> SIPMessage {
        let ok = try #require(try f.alice.mine(f.bob.respond(200, to: f.invite, body: body)).first { $0.statusCode == 200 })
        f.alice.ack()
        return ok
    }

    @Test("The caller holds before the answer: UPDATE goes on in the phone's early dialog, without a session timer")
    func fromCaller() throws {
        let f = try agreed()
        let out = f.alice.send("UPDATE", body: Self.hold)
        let update = try #require(try f.bob.mine(out).first)
        #expect(update.method == .update && update.sdp.contains("a=sendonly\r\n") && update.sdp.contains("m=audio \(f.port(2)) "))
        #expect(try update.to.tag?.string == f.bob.localTag)
        #expect(update.first(.sessionExpires) == nil)
        let ok = try #require(try f.alice.mine(f.bob.respond(200, to: update, body: Self.held)).first)
        #expect(ok.statusCode == 200 && ok.sdp.contains("a=recvonly\r\n") && ok.sdp.contains("m=audio \(f.port(1)) "))
        guard case .remote(_, let bob)? = f.h.media.last?.command else { return #expect(Bool(false), "no .remote came last") }
        #expect(!bob.sends && bob.receives)
        // The 200 that repeats the first answer does not undo what was agreed on since (RFC 3261 13.2.1).
        f.h.media = []
        #expect(try answer(f, body: Self.early).body.isEmpty)
        guard case .remote(_, let still)? = f.h.media.last?.command else { return #expect(Bool(false), "no .remote came last") }
        #expect(!still.sends && still.receives)
        #expect(f.h.server.callUsage.ports == 2)
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    @Test("The phone that rings moves its media before the answer: UPDATE goes on to the caller")
    func fromCallee() throws {
        let f = try agreed()
        let out = f.bob.send("UPDATE", body: UA.offer("198.51.100.77", 30_010, version: 2))
        let update = try #require(try f.alice.mine(out).first)
        #expect(update.method == .update && update.sdp.contains("m=audio \(f.port(1)) "))
        f.h.media = []
        let answered = f.alice.respond(200, to: update, body: UA.offer("192.168.1.10", 16_384, version: 2))
        #expect(try f.statuses(answered, f.bob) == [200])
        #expect(f.commands.contains("remote 2 198.51.100.77:30010"))
        #expect(try answer(f).body.isEmpty)
        f.bob.send("BYE")
        f.expectNothingLeft()
    }

    @Test("Refused by the other side: its status comes back, the session and the call stay as they were")
    func refused() throws {
        let f = try agreed()
        let video = "m=video 17000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        let update = try #require(
            try f.bob.mine(f.alice.send("UPDATE", body: UA.offer("192.168.1.10", 16_384, version: 2, extra: video))).first)
        #expect(f.h.server.callUsage.ports == 4)
        #expect(try f.statuses(f.bob.respond(488, to: update), f.alice) == [488])
        #expect(f.h.server.callUsage.ports == 2)
        #expect(try answer(f, body: Self.early).sdp.contains("m=audio \(f.port(1)) "))
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    @Test("481 to it is no end: the phone that rings is judged by its answer to the INVITE")
    func lost() throws {
        let f = try agreed()
        let update = try #require(try f.bob.mine(f.alice.send("UPDATE", body: Self.hold)).first)
        #expect(try f.statuses(f.bob.respond(481, to: update), f.alice) == [480])
        #expect(try answer(f, body: Self.early).statusCode == 200)
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    @Test("The phone answers the call before the UPDATE: the call stands, the UPDATE goes on")
    func crossed() throws {
        let f = try agreed()
        let update = try #require(try f.bob.mine(f.alice.send("UPDATE", body: Self.hold)).first)
        #expect(try answer(f, body: Self.early).body.isEmpty)
        let ok = try #require(try f.alice.mine(f.bob.respond(200, to: update, body: Self.held)).first)
        #expect(ok.statusCode == 200 && ok.sdp.contains("a=recvonly\r\n"))
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    @Test("A second UPDATE while one waits: 491, and the first goes through")
    func glare() throws {
        let f = try agreed()
        let update = try #require(try f.bob.mine(f.alice.send("UPDATE", body: Self.hold)).first)
        #expect(try f.statuses(f.bob.send("UPDATE", body: UA.offer("198.51.100.77", 30_010, version: 2)), f.bob) == [491])
        #expect(try f.statuses(f.bob.respond(200, to: update, body: Self.held), f.alice) == [200])
        f.alice.cancel()
        f.bob.respond(487, to: f.invite)
        f.expectNothingLeft()
    }

    @Test("The phone refuses the call while an UPDATE waits: both are answered, nothing is left")
    func refusedMeanwhile() throws {
        let f = try agreed()
        let update = try #require(try f.bob.mine(f.alice.send("UPDATE", body: Self.hold)).first)
        #expect(try f.statuses(f.bob.respond(486, to: f.invite), f.alice) == [491, 486])
        #expect(f.bob.respond(200, to: update, body: Self.held).isEmpty)
        f.expectNothingLeft()
    }

    @Test("The caller gives up while its UPDATE waits: 487 for both")
    func cancelled() throws {
        let f = try agreed()
        let update = try #require(try f.bob.mine(f.alice.send("UPDATE", body: Self.hold)).first)
        f.alice.remoteTag = nil
        #expect(try f.statuses(f.alice.cancel(), f.alice) == [200, 487, 487])
        f.bob.respond(200, to: update, body: Self.held)
        f.bob.respond(487, to: f.invite)
        f.expectNothingLeft()
    }

    // MARK: Not legal yet

    @Test("Before a reliable answer is acknowledged it is 500 with Retry-After, from either side")
    func tooEarly() throws {
        let unreliable = try CallFixture()
        try unreliable.ring()
        try unreliable.alice.take(try #require(try unreliable.alice.mine(unreliable.bob.respond(183, body: Self.early)).first))
        for f in [unreliable, try agreed(prack: false)] {
            let refusal = try #require(try f.alice.mine(f.alice.send("UPDATE", body: Self.hold)).first)
            #expect(refusal.statusCode == 500 && refusal.first(.retryAfter)?.value.string == "3")
            #expect(try f.statuses(f.bob.send("UPDATE", body: Self.held), f.bob) == [500])
            #expect(try answer(f, body: Self.early).statusCode == 200)
            f.alice.send("BYE")
            f.expectNothingLeft()
        }
    }

    @Test("A phone that takes no UPDATE is sent none")
    func noUpdate() throws {
        let f = try CallFixture()
        f.alice.supported = "100rel"
        try f.ring()
        let text = f.bob.response(183, extra: "Require: 100rel\r\nRSeq: 1\r\n", body: Self.early)
        let out = f.h.receive(text.replacing(", UPDATE", with: ""), on: f.bob.flow)
        let told = try #require(try f.alice.mine(out).first)
        try f.alice.take(told)
        f.alice.send("PRACK", extra: "RAck: \(told.first(.rseq)!.value) \(f.alice.inviteSequence) INVITE\r\n")
        let update = f.alice.send("UPDATE", body: Self.hold)
        #expect(try f.statuses(update, f.alice) == [500])
        #expect(try f.bob.mine(update).isEmpty)
    }

    // MARK: Forks

    /// Bob's second phone rings, too.
    func forked() throws -> (CallFixture, UA) {
        let f = try CallFixture()
        let other = UA(f.h, "bob", at: "198.51.100.78:5070")
        other.localTag = "second"
        try other.register()
        f.alice.supported = "100rel, timer, replaces"
        let out = try f.alice.invite("bob")
        f.invite = try f.bob.mine(out).first
        try f.bob.called(by: try #require(f.invite))
        try other.called(by: try #require(try other.mine(out).first))
        return (try agreed(f), other)
    }

    @Test("Only the phone whose early media the caller hears may change them: another that rings gets 500")
    func otherFork() throws {
        let (f, other) = try forked()
        let out = other.respond(183, extra: "Require: 100rel\r\nRSeq: 9\r\n", body: UA.offer("198.51.100.78", 31_000))
        other.respond(200, to: try other.mine(out).first)
        #expect(try f.statuses(other.send("UPDATE", body: UA.offer("198.51.100.78", 31_002, version: 2)), other) == [500])
        #expect(try f.methods(f.alice.send("UPDATE", body: Self.hold), f.bob) == ["UPDATE"])
    }

    @Test("Another phone answers while an UPDATE waits: 491, what was is restored, and both agree anew after the ACK")
    func otherWins() throws {
        let (f, other) = try forked()
        let update = try #require(try f.bob.mine(f.alice.send("UPDATE", body: Self.hold)).first)
        let out = other.respond(200, body: UA.offer("198.51.100.78", 31_000, formats: "8"))
        #expect(try f.statuses(out, f.alice) == [491, 200])
        #expect(try f.methods(out, f.bob) == ["CANCEL"])
        #expect(f.bob.respond(200, to: update, body: Self.held).isEmpty)
        let ask = try #require(try f.alice.mine(f.alice.ack()).first)
        #expect(ask.method == .invite && ask.body.isEmpty)
        f.bob.respond(487, to: f.invite)
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    @Test("Another phone answers after an UPDATE: its answer comes by a round of its own, not in the 200")
    func otherWinsLater() throws {
        let (f, other) = try forked()
        let update = try #require(try f.bob.mine(f.alice.send("UPDATE", body: Self.hold)).first)
        f.bob.respond(200, to: update, body: Self.held)
        let ok = try #require(
            try f.alice.mine(other.respond(200, body: UA.offer("198.51.100.78", 31_000, formats: "8"))).first)
        #expect(ok.statusCode == 200 && ok.body.isEmpty)
        #expect(try f.methods(f.alice.ack(), f.alice) == ["INVITE"])
        f.bob.respond(487, to: f.invite)
        f.alice.send("BYE")
        f.expectNothingLeft()
    }
}
