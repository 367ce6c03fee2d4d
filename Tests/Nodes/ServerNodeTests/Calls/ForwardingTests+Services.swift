import Base
import MediaControl
import SIP
import ServerNode
import Testing

/// Where a forward leads to a service, whose rights count, and forwards within transfers.
extension ForwardingTests {
    @Test(
        "To a room or service: the caller is answered by it, the other phones stop",
        arguments: [("8000", "room"), ("600", "echo")])
    func service(_ number: String, _ name: String) throws {
        let f = try CallFixture()
        let twin = UA(f.h, "bob", at: "198.51.100.78:5070")
        twin.localTag = "twin"
        try twin.register()
        let out = try f.alice.invite("bob")
        try f.bob.called(by: try #require(try f.bob.mine(out).first))
        try twin.called(by: try #require(try twin.mine(out).first))
        twin.respond(180)
        let answered = forward(f.bob, to: "<sip:\(number)@pinhole>")
        #expect(try f.methods(answered, twin) == ["CANCEL"])
        let ok = try #require(try f.alice.mine(answered).first { $0.statusCode == 200 })
        #expect(ok.sdp.contains("m=audio \(f.port(1)) "))
        #expect(f.commands.contains { $0.hasPrefix("serve 1 \(name)") })
        try f.alice.take(ok)
        f.alice.ack()
        twin.respond(487)
        f.alice.send("BYE")
        #expect(f.h.records[0].reason.hasPrefix("bob@pinhole forwarded to "))
        #expect(f.h.records[0].parties.last?.answered == true)
        f.expectNothingLeft()
    }

    @Test("A room's PIN is asked of the caller, though the room is the forwarder's")
    func roomOfForwarder() throws {
        let (f, _, _) = try ringing({ $0.calls.rooms = [.init(name: "board", pin: "4711", owner: "bob")] })
        forward(f.bob, to: "<sip:board@pinhole>")
        let entries = f.h.media.compactMap { media -> RoomEntry? in
            if case .serve(_, .room(let entry)) = media.command { entry } else { nil }
        }
        #expect(entries.map(\.party) == ["alice@pinhole"])
        #expect(entries.map(\.pin) == ["4711"] && entries.map(\.isOwner) == [false])
    }

    @Test("After early media of the phone that forwards: the service's answer is settled by a round of its own")
    func serviceAfterEarly() throws {
        let (f, _, _) = try ringing()
        f.bob.respond(183, body: UA.offer("198.51.100.77", 30_000, formats: "8"))
        let ok = try #require(try f.alice.mine(forward(f.bob, to: "<sip:8000@pinhole>")).first)
        #expect(ok.statusCode == 200)
        try f.alice.take(ok)
        let round = try #require(try f.alice.mine(f.alice.ack()).first)
        #expect(round.method == .invite && !round.body.isEmpty)
        f.alice.respond(200, to: round, body: UA.offer("192.168.1.10", 16_384, formats: "0", version: 2))
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    // MARK: Rights

    @Test(
        "A microphone opens only where each on the way may open the next one's",
        arguments: [
            ([["alice", "bob"], ["bob", "carol"]], true), ([["bob", "carol"]], false), ([["alice", "bob"]], false),
            ([["alice", "carol"]], false),
        ])
    func intercom(_ groups: [[String]], _ passes: Bool) throws {
        let (f, carol, _) = try ringing(
            { $0.calls.intercomGroups = groups.map { Set($0) } }, extra: "Alert-Info: <http://x>;answer-after=0\r\n")
        let invite = try ring(carol, forward(f.bob, to: "<sip:carol@pinhole>"))
        #expect((invite.first(.alertInfo) != nil) == passes)
    }

    @Test("Direct media that would be of no use to the target come to us instead")
    func directMedia() throws {
        let f = try CallFixture({ _ in }, alice: "198.51.100.70:5060")
        f.h.input(
            .accounts([
                Account(username: "alice", realm: "pinhole", password: "secret", wantsDirectMedia: true),
                Account(username: "bob", realm: "pinhole", password: "word", wantsDirectMedia: true),
                Account(username: "carol", realm: "pinhole", password: "word"),
            ]))
        let carol = UA(f.h, "carol", at: "198.51.100.79:5080")
        try carol.register()
        let invite = try f.ring(body: UA.offer("198.51.100.70", 16_384))
        #expect(invite.sdp.contains("c=IN IP4 198.51.100.70"))
        let forwarded = try ring(carol, forward(f.bob, to: "<sip:carol@pinhole>"))
        #expect(forwarded.sdp.contains("c=IN IP4 198.51.100.1\r\n"))
        let ok = try #require(try f.alice.mine(carol.respond(200, body: UA.offer("198.51.100.79", 34_000))).first)
        #expect(ok.sdp.contains("c=IN IP4 198.51.100.1\r\n"))
        try f.alice.take(ok)
        f.alice.ack()
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    // MARK: In transfers

    @Test(
        "The target of a transfer forwards: the transferor hears 181, whoever is rung then is the new target",
        arguments: [true, false])
    func inTransfer(_ toService: Bool) throws {
        let f = try CallFixture()
        let carol = UA(f.h, "carol", at: "198.51.100.79:5080")
        try carol.register()
        let dave = UA(f.h, "dave", at: "198.51.100.80:5090")
        try dave.register()
        try f.talk()
        _ = try ring(carol, f.alice.send("REFER", extra: "Refer-To: <sip:carol@pinhole>\r\n"))
        let out = forward(carol, to: toService ? "<sip:8000@pinhole>" : "<sip:dave@pinhole>")
        let told = try f.alice.mine(out).filter { $0.method == .notify }.map(\.sdp)
        if toService {
            #expect(told == ["SIP/2.0 200 OK\r\n"])
            let offer = try #require(try f.bob.mine(out).first)
            f.bob.respond(200, to: offer, body: UA.offer("198.51.100.77", 30_000, formats: "0", version: 2))
            #expect(f.commands.last?.hasPrefix("serve 2 room") == true)
        } else {
            #expect(told == ["SIP/2.0 181 Call Is Being Forwarded\r\n"])
            let invite = try ring(dave, out)
            #expect(try invite.from.uriText.string == "sip:bob@pinhole")
            #expect(diversions(invite) == ["<sip:carol@pinhole>;reason=unconditional;counter=1"])
            #expect(try f.methods(dave.respond(200, body: UA.offer("198.51.100.80", 36_000)), f.bob) == ["INVITE"])
        }
        f.bob.send("BYE")
        f.expectNothingLeft()
    }
}
