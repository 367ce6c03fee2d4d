import Base
import MediaControl
import SIP
import ServerNode
import Testing

@Suite("Whose a request inside a dialog is: its leg's flow, its account's flows, its account's signature (RFC 3261 12.2.2, 22)")
struct BelongingTests {
    /// Somewhere else, with all that there is to know of the caller's dialog.
    private static let elsewhere = Harness.flow(Endpoint("192.0.2.66:6666")!)

    private static let changes = ["BYE", "INVITE", "UPDATE", "INFO", "MESSAGE", "REFER"]

    private static func extra(_ method: String) -> String { method == "REFER" ? "Refer-To: <sip:carol@pinhole>\r\n" : "" }

    private static func body(_ method: String) -> String {
        ["INVITE", "UPDATE"].contains(method) ? UA.offer("192.0.2.66", 6_000, version: 2) : ""
    }

    @Test(
        "With Call-ID and tags alone it is challenged and changes nothing: no CSeq, no target, no flow, no media",
        arguments: changes)
    func stranger(_ method: String) throws {
        let f = try CallFixture()
        try f.talk()
        let commands = f.commands.count
        let honest = f.alice.flow
        f.alice.flow = Self.elsewhere
        f.alice.cseq += 100
        let out = f.alice.send(method, extra: Self.extra(method), body: Self.body(method))
        #expect(try f.statuses(out, f.alice) == [401] && out.count == 1)
        #expect(f.commands.count == commands)
        // The honest phone goes on where it was, with a lower CSeq.
        f.alice.flow = honest
        f.alice.cseq -= 101
        #expect(try f.statuses(f.alice.send("BYE"), f.alice) == [200])
        f.expectNothingLeft()
    }

    @Test("Signed by another account it is refused, and the call goes on", arguments: changes)
    func otherAccount(_ method: String) throws {
        let f = try CallFixture()
        try f.talk()
        let honest = f.alice.flow
        f.alice.flow = Self.elsewhere
        let out = try f.alice.sendSigned(method, as: ("carol", "word"), extra: Self.extra(method), body: Self.body(method))
        #expect(try f.statuses(out, f.alice) == [481] && out.count == 1)
        #expect(f.h.server.callUsage.calls == 1)
        #expect(f.h.refusals.last?.refusal == .notOfItsDialog(AddressOfRecord("alice@pinhole")!))
        f.alice.flow = honest
        #expect(try f.statuses(f.alice.send("BYE"), f.alice) == [200])
    }

    @Test("A phone whose port moved signs, and is heard", arguments: ["BYE", "INFO"])
    func movedPort(_ method: String) throws {
        let f = try CallFixture()
        try f.talk()
        f.alice.flow = Harness.flow(Endpoint("203.0.113.7:41000")!)
        let out = try f.alice.sendSigned(method)
        #expect(try f.methods(out, f.bob) == [method])
    }

    @Test("The phone that was called signs as the account that was rung")
    func callee() throws {
        let f = try CallFixture()
        try f.talk()
        f.bob.flow = Harness.flow(Endpoint("198.51.100.77:5999")!)
        let out = try f.bob.sendSigned("BYE")
        #expect(try f.methods(out, f.alice) == ["BYE"])
    }

    @Test("Another flow that the account has registered needs no signature")
    func registeredFlow() throws {
        let f = try CallFixture()
        try f.talk()
        f.alice.flow = Harness.flow(Endpoint("203.0.113.7:42000")!)
        let second = UA(f.h, "alice", at: "203.0.113.7:42000")
        try second.register(instance: "000000000002")
        #expect(try f.statuses(f.alice.send("BYE"), f.alice) == [200])
    }

    @Test("Somebody else behind the same address, on his own port, is challenged")
    func neighbour() throws {
        let f = try CallFixture()
        try f.talk()
        let neighbour = UA(f.h, "carol", at: "203.0.113.7:50000")
        try neighbour.register()
        f.alice.flow = neighbour.flow
        #expect(try f.statuses(f.alice.send("BYE"), f.alice) == [401])
        #expect(f.h.server.callUsage.calls == 1)
    }

    @Test("An ACK from elsewhere moves nothing")
    func ack() throws {
        let f = try CallFixture()
        try f.ring()
        let ok = try #require(try f.alice.mine(f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000))).first)
        try f.alice.take(ok)
        let honest = f.alice.flow
        f.alice.flow = Self.elsewhere
        f.alice.ack()
        f.alice.flow = honest
        #expect(try f.methods(f.bob.send("BYE"), f.alice) == ["BYE"])
        #expect(!f.h.lastTexts.contains { $0.contains("now comes from") })
    }

    @Test("A CANCEL counts from its INVITE's address, whatever the port, and from a flow of the account; else it is 481")
    func cancel() throws {
        for (flow, status) in [
            ("203.0.113.7:40000", 200), ("203.0.113.7:41000", 200), ("192.0.2.66:6666", 481),
        ] {
            let f = try CallFixture()
            try f.ring()
            f.bob.respond(180)
            let cancel = f.alice.text(
                "CANCEL", uri: f.alice.remoteURI, branch: f.alice.inviteBranch, cseq: f.alice.inviteSequence)
            let out = f.h.receive(cancel, on: Harness.flow(Endpoint(flow)!))
            let first = try SIPMessage(parsing: try #require(out.first).bytes)
            #expect(first.statusCode == status)
            #expect(try f.methods(out, f.bob) == (status == 200 ? ["CANCEL"] : []))
        }
    }

    @Test("A caller without account counts by his address; nobody else does")
    func anonymous() throws {
        let f = try CallFixture { $0.calls.anonymousCalls = true }
        let stranger = UA(f.h, "zoe", at: "192.0.2.9:5060")
        stranger.localURI = "sip:zoe@elsewhere.example"
        let out = try stranger.invite("bob", body: UA.offer("192.0.2.9", 5_000), authenticates: false)
        try f.bob.called(by: try #require(try f.bob.mine(out).first))
        let ok = try #require(try stranger.mine(f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000))).first)
        try stranger.take(ok)
        stranger.ack()
        let home = stranger.flow
        stranger.flow = Self.elsewhere
        #expect(try f.statuses(stranger.send("BYE"), stranger) == [481])
        stranger.flow = Harness.flow(Endpoint("192.0.2.9:5099")!)
        #expect(try f.methods(stranger.send("BYE"), f.bob) == ["BYE"])
        #expect(home.remote.port == 5_060)
    }

    @Test("A subscription is refreshed and ended by its watcher alone")
    func subscription() throws {
        let f = try CallFixture()
        let carol = UA(f.h, "carol", at: "203.0.113.99:7000")
        carol.callID = "watch"
        carol.target = "sip:bob@pinhole"
        carol.remoteURI = carol.target
        let answers = try carol.mine(try carol.sendSigned("SUBSCRIBE", extra: "Event: dialog\r\nExpires: 600\r\n"))
        try carol.take(try #require(answers.first))
        carol.respond(200, to: answers.last)
        let home = carol.flow
        carol.flow = Self.elsewhere
        let out = carol.send("SUBSCRIBE", extra: "Event: dialog\r\nExpires: 0\r\n")
        #expect(try f.statuses(out, carol) == [401] && f.h.server.callUsage.subscriptions == 1)
        carol.flow = home
        carol.cseq -= 1
        carol.send("SUBSCRIBE", extra: "Event: dialog\r\nExpires: 0\r\n")
        #expect(f.h.server.callUsage.subscriptions == 0)
    }

    @Test("A transfer to a call that is another's is no transfer into it")
    func foreignReplaces() throws {
        let f = try CallFixture()
        try f.talk()
        // Carol talks to Dave; Alice knows their dialog.
        let carol = UA(f.h, "carol", at: "203.0.113.99:7000")
        let dave = UA(f.h, "dave", at: "203.0.113.98:7000", password: "word")
        try dave.register()
        let out = try carol.invite("dave", body: UA.offer("203.0.113.99", 5_000))
        try dave.called(by: try #require(try dave.mine(out).first))
        let ok = try #require(
            try carol.mine(dave.respond(200, body: UA.offer("203.0.113.98", 5_002))).first { $0.statusCode == 200 })
        try carol.take(ok)
        carol.ack()
        let replaces = "\(carol.callID)%3Bto-tag%3D\(carol.remoteTag!)%3Bfrom-tag%3D\(carol.localTag)"
        let refer = f.alice.send("REFER", extra: "Refer-To: <sip:dave@pinhole?Replaces=\(replaces)>\r\n")
        #expect(try f.methods(refer, carol).isEmpty)
        #expect(f.h.server.callUsage.calls == 2)
    }
}
