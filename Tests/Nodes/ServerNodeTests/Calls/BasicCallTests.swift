import Base
import MediaControl
import SIP
import ServerNode
import Testing

@Suite("Calls between users: RFC 3261 12 to 17, as back-to-back user agent")
struct BasicCallTests {
    @Test("A call from INVITE to BYE: media in the middle, one dialog a side, a record at the end")
    func whole() throws {
        let f = try CallFixture()
        let out = try f.alice.invite("bob")
        #expect(try f.statuses(out, f.alice) == [100])
        let invite = try #require(try f.bob.mine(out).first)
        try f.bob.called(by: invite)
        #expect(invite.method == .invite)
        #expect(invite.requestURIText?.string == "sip:bob@198.51.100.77:5070")
        #expect(try invite.from.uriText.string == "sip:alice@pinhole")
        #expect(try invite.callID.string != f.alice.callID)
        #expect(invite.sdp.contains("c=IN IP4 198.51.100.1\r\n"))
        #expect(invite.sdp.contains("m=audio \(f.port(2)) RTP/AVP 0 8 101\r\n"))
        #expect(!invite.sdp.contains("192.168"))

        let ringing = f.bob.respond(180)
        #expect(try f.statuses(ringing, f.alice) == [180])
        let answered = f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000, formats: "0 101"))
        #expect(try f.methods(answered, f.bob) == ["ACK"])
        let ok = try #require(try f.alice.mine(answered).first)
        #expect(ok.statusCode == 200)
        #expect(ok.sdp.contains("c=IN IP4 198.51.100.1\r\n") && ok.sdp.contains("m=audio \(f.port(1)) RTP/AVP 0 101\r\n"))
        try f.alice.take(ok)
        #expect(f.alice.ack().isEmpty)
        #expect(
            f.commands == [
                "open 1 port \(f.port(1))", "open 2 port \(f.port(2))", "remote 1 192.168.1.10:16384",
                "remote 2 198.51.100.77:30000", "bridge 1 2",
            ])
        f.h.advance(.seconds(30))
        let over = f.alice.send("BYE")
        #expect(try f.statuses(over, f.alice) == [200])
        #expect(try f.methods(over, f.bob) == ["BYE"])
        f.bob.respond(200, to: try f.bob.mine(over)[0])
        #expect(f.commands.suffix(2) == ["close 1", "close 2"])
        let record = try #require(f.h.records.first)
        #expect(record.from == "alice@pinhole" && record.to == "bob@pinhole" && record.status == 200 && record.codec == "PCMU")
        #expect(record.talked == .seconds(30) && record.reason == "alice@pinhole hung up")
        f.expectNothingLeft()
    }

    @Test("INVITE without credentials is challenged; nobody rings")
    func unauthenticated() throws {
        let f = try CallFixture()
        let out = try f.alice.invite("bob", authenticates: false)
        #expect(try f.statuses(out, f.alice) == [401])
        #expect(try f.bob.mine(out).isEmpty)
        // The ACK of the 401 belongs to nothing that is kept, and is no stray one either.
        f.alice.remoteTag = try f.alice.mine(out)[0].to.tag?.string
        f.h.receive(f.alice.text("ACK", branch: f.alice.inviteBranch), on: f.alice.flow)
        #expect(f.h.drops.isEmpty)
        f.expectNothingLeft()
    }

    @Test("Anonymous calls, where allowed: strangers ring, but not under a user's name")
    func anonymous() throws {
        for (name, rings) in [("sip:mallory@elsewhere.example", true), ("sip:bob@pinhole", false), ("sip:carol@pinhole", false)] {
            let f = try CallFixture({ $0.calls.anonymousCalls = true })
            let stranger = UA(f.h, "mallory", at: "192.0.2.66:5060")
            stranger.localURI = name
            let out = try stranger.invite("bob", authenticates: false)
            #expect(try f.methods(out, f.bob) == (rings ? ["INVITE"] : []))
            #expect(try f.statuses(out, stranger) == [rings ? 100 : 401])
        }
    }

    @Test("The callee hangs up: BYE goes to the caller")
    func calleeHangsUp() throws {
        let f = try CallFixture()
        try f.talk()
        let out = f.bob.send("BYE")
        #expect(try f.statuses(out, f.bob) == [200])
        #expect(try f.methods(out, f.alice) == ["BYE"])
        #expect(f.h.records.map(\.reason) == ["bob@pinhole hung up"])
        f.expectNothingLeft()
    }

    @Test("CANCEL: 200 and 487 to the caller, CANCEL with the INVITE's branch to the phone that rang")
    func cancel() throws {
        let f = try CallFixture()
        let invite = try f.ring()
        f.bob.respond(180)
        let out = f.alice.cancel()
        #expect(try f.statuses(out, f.alice) == [200, 487])
        let cancel = try #require(try f.bob.mine(out).first)
        #expect(cancel.method == .cancel)
        #expect(try cancel.topVia.branch == invite.topVia.branch)
        f.bob.respond(200, to: cancel)
        let ack = f.bob.respond(487)
        #expect(try f.methods(ack, f.bob) == ["ACK"])
        try f.alice.ackRefusal(try f.alice.mine(out)[1])
        #expect(f.h.records.map(\.status) == [487])
        f.expectNothingLeft()
    }

    @Test("CANCEL before the phone said anything: it waits for the first provisional response (RFC 3261 9.1)")
    func earlyCancel() throws {
        let f = try CallFixture()
        try f.ring()
        #expect(try f.methods(f.alice.cancel(), f.bob).isEmpty)
        #expect(try f.methods(f.bob.respond(100), f.bob) == ["CANCEL"])
        f.bob.respond(487)
        f.expectNothingLeft()
    }

    @Test("The 200 crosses the CANCEL: it is acknowledged and hung up")
    func crossing() throws {
        let f = try CallFixture()
        try f.ring()
        f.bob.respond(180)
        f.alice.cancel()
        let out = f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000))
        #expect(try f.methods(out, f.bob) == ["ACK", "BYE"])
        f.expectNothingLeft()
    }

    @Test(
        "Refusals reach the caller; those that tell of the way or ask for a password become 480",
        arguments: [
            (486, 486), (603, 603), (600, 600), (404, 404), (488, 488), (500, 500), (503, 480), (302, 480), (401, 480),
            (407, 480),
            (430, 480), (408, 480), (480, 480), (487, 480),
        ])
    func refusals(_ given: Int, _ told: Int) throws {
        let f = try CallFixture()
        try f.ring()
        let out = f.bob.respond(given)
        #expect(try f.methods(out, f.bob) == ["ACK"])
        #expect(try f.statuses(out, f.alice) == [told])
        try f.alice.ackRefusal(try f.alice.mine(out)[0])
        #expect(f.h.records.map(\.status) == [told])
        f.expectNothingLeft()
    }

    @Test("A phone's challenge to our INVITE is never answered: no credentials of anybody leave the server")
    func digestLeak() throws {
        for status in [401, 407] {
            let f = try CallFixture()
            try f.ring()
            let name = status == 401 ? "WWW-Authenticate" : "Proxy-Authenticate"
            f.bob.respond(status, extra: "\(name): Digest realm=\"pinhole\", nonce=\"evil\", algorithm=MD5\r\n")
            f.expectNothingLeft()
            for (_, bytes) in f.h.sent {
                let message = try SIPMessage(parsing: bytes)
                #expect(!message.contains(.authorization) && !message.contains(.proxyAuthorization))
            }
            #expect(f.h.server.counters.challengesRefused == 1)
        }
    }

    @Test("Nobody answers: 480 after the ringing time, CANCEL to the phone")
    func noAnswer() throws {
        let f = try CallFixture()
        try f.ring()
        f.bob.respond(180)
        let out = f.h.advance(.seconds(60))
        #expect(try f.statuses(out, f.alice) == [480])
        #expect(try f.methods(out, f.bob) == ["CANCEL"])
        f.bob.respond(487)
        f.expectNothingLeft()
    }

    @Test("404 for no user, 404 for a foreign domain, 480 where nobody is registered")
    func nobody() throws {
        let f = try CallFixture({ $0.domains = ["pinhole"] })
        #expect(try f.statuses(f.alice.invite("nobody"), f.alice) == [404])
        let other = UA(f.h, "alice", at: "203.0.113.7:40000")
        other.callID = "second"
        #expect(try f.statuses(other.invite("carol"), other) == [480])
        #expect(f.h.records.map(\.reason) == ["nobody is registered as carol@pinhole"])
        // Nobody rang; what ended has a record.
        #expect(f.h.server.counters.callsStarted == 0 && f.h.server.counters.callsEnded == 1)
        f.expectNothingLeft()
    }

    @Test("The phone is silent: our INVITE is repeated for 32 s, then the caller gets 480")
    func silentPhone() throws {
        let f = try CallFixture()
        try f.ring()
        let out = f.h.advance(.seconds(33))
        #expect(try f.methods(out, f.bob).count == 6)
        #expect(try f.statuses(out, f.alice).first == 480)
        f.expectNothingLeft()
    }

    @Test("The 200 is repeated until the ACK: at 0.5, 1.5, 3.5, 7.5, 11.5 s and so on; after 32 s both sides get BYE")
    func noACK() throws {
        let f = try CallFixture()
        try f.ring()
        let answered = f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000))
        try f.alice.take(try #require(try f.alice.mine(answered).first))
        #expect(try f.statuses(f.h.advance(.seconds(12)), f.alice) == [200, 200, 200, 200, 200])
        let over = f.h.advance(.seconds(21))
        #expect(try f.methods(over, f.alice).first == "BYE")
        #expect(try f.methods(over, f.bob).first == "BYE")
        #expect(f.h.records.map(\.reason) == ["alice@pinhole never acknowledged our 200"])
        f.expectNothingLeft()
    }

    @Test("Bob hangs up before Alice's ACK came: her BYE waits for it (RFC 3261 15)")
    func byeBeforeACK() throws {
        let f = try CallFixture()
        try f.ring()
        let answered = f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000))
        try f.alice.take(try #require(try f.alice.mine(answered).first))
        #expect(try f.methods(f.bob.send("BYE"), f.alice).isEmpty)
        #expect(try f.methods(f.alice.ack(), f.alice) == ["BYE"])
        f.expectNothingLeft()
    }

    @Test("A repeated INVITE draws what was said last and rings nobody twice; a repeated 200 draws the same ACK")
    func repeated() throws {
        let f = try CallFixture()
        try f.ring()
        #expect(try f.statuses(f.h.receive(f.alice.lastInvite, on: f.alice.flow), f.alice) == [100])
        f.bob.respond(180)
        let again = f.h.receive(f.alice.lastInvite, on: f.alice.flow)
        #expect(try f.statuses(again, f.alice) == [180])
        #expect(try f.bob.mine(again).isEmpty)
        let answer = f.bob.response(200, body: UA.offer("198.51.100.77", 30_000))
        let first = f.h.receive(answer, on: f.bob.flow)
        let second = f.h.receive(answer, on: f.bob.flow)
        #expect(try f.bob.mine(first).map(\.bytes) == f.bob.mine(second).map(\.bytes))
        #expect(try f.alice.mine(second).isEmpty)
    }

    @Test("An INVITE without SDP: the phone's offer goes to the caller in the 200, the answer back in the ACK")
    func delayedOffer() throws {
        let f = try CallFixture()
        let invite = try f.ring(body: "")
        #expect(invite.body.isEmpty)
        let answered = f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000, formats: "8 0"))
        #expect(try f.methods(answered, f.bob).isEmpty)
        let ok = try #require(try f.alice.mine(answered).first)
        #expect(ok.sdp.contains("m=audio \(f.port(2)) RTP/AVP 8 0\r\n"))
        try f.alice.take(ok)
        let out = f.alice.ack(body: UA.offer("192.168.1.10", 16_384, formats: "8"))
        let ack = try #require(try f.bob.mine(out).first)
        #expect(ack.method == .ack)
        #expect(ack.sdp.contains("m=audio \(f.port(1)) RTP/AVP 8\r\n"))
        #expect(f.commands.contains("bridge 1 2") || f.commands.contains("bridge 2 1"))
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    @Test("The ACK of an INVITE without SDP brings none either: both sides are hung up")
    func delayedWithoutAnswer() throws {
        let f = try CallFixture()
        try f.ring(body: "")
        let answered = f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000))
        try f.alice.take(try #require(try f.alice.mine(answered).first))
        let out = f.alice.ack()
        #expect(try f.methods(out, f.bob) == ["ACK", "BYE"])
        #expect(try f.methods(out, f.alice) == ["BYE"])
        // An ACK is never refused: nothing of the kind is told.
        #expect(f.h.refusals.allSatisfy { $0.status != 488 })
        f.expectNothingLeft()
    }

    @Test("Two calls of one phone are two calls; each ends alone")
    func two() throws {
        let f = try CallFixture()
        try f.talk()
        let second = UA(f.h, "alice", at: "203.0.113.7:40000")
        second.callID = "second"
        second.localTag = "other"
        let out = try second.invite("bob")
        #expect(try f.bob.mine(out).count == 1)
        #expect(f.h.server.callUsage.calls == 2)
        second.cancel()
        #expect(try f.statuses(f.alice.send("BYE"), f.alice) == [200])
        f.expectNothingLeft()
    }
}
