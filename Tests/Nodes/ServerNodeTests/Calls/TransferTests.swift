import Base
import MediaControl
import SIP
import ServerNode
import Testing

@Suite("Transfer and pick-up: RFC 3515, RFC 3891, RFC 4488, RFC 5589")
struct TransferTests {
    /// Alice and Bob talk; Carol is registered.
    func talking() throws -> (CallFixture, UA) {
        let f = try CallFixture()
        let carol = UA(f.h, "carol", at: "198.51.100.79:5080")
        try carol.register()
        try f.talk()
        return (f, carol)
    }

    func fragments(_ out: [(flow: FlowID, bytes: [UInt8])], _ phone: UA) throws -> [String] {
        try phone.mine(out).filter { $0.isRequest && $0.method == .notify }.map { $0.sdp }
    }

    @Test("Blind: 202, NOTIFY 100, 180, 200; the transferor leaves, the two others agree anew and talk")
    func blind() throws {
        let (f, carol) = try talking()
        let out = f.alice.send("REFER", extra: "Refer-To: <sip:carol@pinhole>\r\n")
        #expect(try f.statuses(out, f.alice) == [202])
        #expect(try fragments(out, f.alice) == ["SIP/2.0 100 Trying\r\n"])
        let notify = try #require(try f.alice.mine(out).last)
        #expect(notify.first(.event)?.value.string == "refer;id=\(f.alice.cseq)")
        #expect(notify.first(.subscriptionState)?.value.string == "active;expires=180")
        f.alice.respond(200, to: notify)
        let invite = try #require(try carol.mine(out).first)
        #expect(try invite.from.uriText.string == "sip:bob@pinhole")
        #expect(invite.first(.referredBy)?.value.string == "<sip:alice@pinhole>")
        try carol.called(by: invite)
        #expect(try fragments(carol.respond(180), f.alice) == ["SIP/2.0 180 Ringing\r\n"])
        let answered = carol.respond(200, body: UA.offer("198.51.100.79", 34_000, formats: "0"))
        #expect(try fragments(answered, f.alice) == ["SIP/2.0 200 OK\r\n"])
        #expect(try f.methods(answered, f.alice) == ["NOTIFY", "BYE"])
        let last = try #require(try f.alice.mine(answered).first)
        #expect(last.first(.subscriptionState)?.value.string == "terminated;reason=noresource")
        for message in try f.alice.mine(answered) { f.alice.respond(200, to: message) }
        // RFC 3725: Bob is asked for an offer, Carol gets it, her answer goes back in the ACK.
        let ask = try #require(try f.bob.mine(answered).first)
        #expect(ask.method == .invite && ask.body.isEmpty)
        let offered = f.bob.respond(200, to: ask, body: UA.offer("198.51.100.77", 30_000, formats: "0 8", version: 2))
        let relayed = try #require(try carol.mine(offered).first)
        #expect(relayed.method == .invite && relayed.sdp.contains("RTP/AVP 0 8\r\n"))
        let agreed = carol.respond(200, to: relayed, body: UA.offer("198.51.100.79", 34_000, formats: "8", version: 2))
        #expect(try f.methods(agreed, carol) == ["ACK"])
        let ack = try #require(try f.bob.mine(agreed).first)
        #expect(ack.method == .ack && ack.sdp.contains("RTP/AVP 8\r\n"))
        let over = carol.send("BYE")
        #expect(try f.methods(over, f.bob) == ["BYE"])
        #expect(
            f.h.records.count == 1 && f.h.records[0].parties.map(\.address) == ["alice@pinhole", "bob@pinhole", "carol@pinhole"])
        f.expectNothingLeft()
    }

    @Test("The transfer fails: NOTIFY says why, the two talk on")
    func refused() throws {
        let (f, carol) = try talking()
        let out = f.alice.send("REFER", extra: "Refer-To: <sip:carol@pinhole>\r\n")
        try carol.called(by: try #require(try carol.mine(out).first))
        let busy = carol.respond(486)
        #expect(try fragments(busy, f.alice) == ["SIP/2.0 486 Busy Here\r\n"])
        #expect(try f.methods(busy, f.alice) == ["NOTIFY"])
        #expect(try f.bob.mine(busy).isEmpty)
        #expect(try f.bob.mine(f.alice.send("INFO")).count == 1)
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    @Test("The transferor hangs up while the target rings: the transfer goes on")
    func transferorLeaves() throws {
        let (f, carol) = try talking()
        let out = f.alice.send("REFER", extra: "Refer-To: <sip:carol@pinhole>\r\n")
        try carol.called(by: try #require(try carol.mine(out).first))
        let left = f.alice.send("BYE")
        #expect(try f.statuses(left, f.alice) == [200])
        #expect(try f.bob.mine(left).isEmpty)
        let answered = carol.respond(200, body: UA.offer("198.51.100.79", 34_000))
        #expect(try f.methods(answered, f.bob) == ["INVITE"])
        #expect(try f.methods(answered, f.alice).isEmpty)
        f.bob.send("BYE")
        f.expectNothingLeft()
    }

    @Test("A re-INVITE that waits while the target rings is overtaken by its answer: 487, and no transaction stays")
    func overtaken() throws {
        let (f, carol) = try talking()
        let out = f.alice.send("REFER", extra: "Refer-To: <sip:carol@pinhole>\r\n")
        try carol.called(by: try #require(try carol.mine(out).first))
        f.bob.send("INVITE", body: UA.offer("198.51.100.77", 30_002, version: 2))
        let answered = carol.respond(200, body: UA.offer("198.51.100.79", 34_000))
        #expect(try f.statuses(answered, f.bob) == [487])
        #expect(try f.methods(answered, f.bob) == ["INVITE"])
        f.bob.send("BYE")
        f.expectNothingLeft()
    }

    @Test("The transferor hangs up and the target refuses: the one who is left is hung up")
    func leftAlone() throws {
        let (f, carol) = try talking()
        let out = f.alice.send("REFER", extra: "Refer-To: <sip:carol@pinhole>\r\n")
        try carol.called(by: try #require(try carol.mine(out).first))
        f.alice.send("BYE")
        #expect(try f.methods(carol.respond(486), f.bob) == ["BYE"])
        f.expectNothingLeft()
    }

    @Test("The one who is transferred hangs up meanwhile: the target stops ringing")
    func transfereeLeaves() throws {
        let (f, carol) = try talking()
        let out = f.alice.send("REFER", extra: "Refer-To: <sip:carol@pinhole>\r\n")
        try carol.called(by: try #require(try carol.mine(out).first))
        carol.respond(180)
        let over = f.bob.send("BYE")
        #expect(try f.methods(over, carol) == ["CANCEL"])
        #expect(try f.methods(over, f.alice) == ["BYE"])
        carol.respond(487)
        f.expectNothingLeft()
    }

    @Test("Attended: the other party of the second call comes over, both calls of the transferor end")
    func attended() throws {
        let (f, carol) = try talking()
        let second = UA(f.h, "alice", at: "203.0.113.7:40000")
        second.callID = "second"
        second.localTag = "second"
        let out = try second.invite("carol")
        try carol.called(by: try #require(try carol.mine(out).first))
        let ok = try #require(try second.mine(carol.respond(200, body: UA.offer("198.51.100.79", 34_000))).last)
        try second.take(ok)
        second.ack()
        #expect(f.h.server.callUsage.calls == 2)
        let replaces = "second%3Bto-tag%3D\(second.remoteTag!)%3Bfrom-tag%3Dsecond"
        let refer = f.alice.send("REFER", extra: "Refer-To: <sip:carol@pinhole?Replaces=\(replaces)>\r\n")
        #expect(try f.statuses(refer, f.alice) == [202])
        #expect(try fragments(refer, f.alice) == ["SIP/2.0 100 Trying\r\n", "SIP/2.0 200 OK\r\n"])
        #expect(try f.methods(refer, f.alice).filter { $0 == "BYE" }.count == 2)
        let ask = try #require(try f.bob.mine(refer).first)
        #expect(ask.method == .invite && ask.body.isEmpty)
        let offered = f.bob.respond(200, to: ask, body: UA.offer("198.51.100.77", 30_000, version: 2))
        let relayed = try #require(try carol.mine(offered).first)
        let agreed = carol.respond(200, to: relayed, body: UA.offer("198.51.100.79", 34_000, version: 2))
        #expect(try f.methods(agreed, f.bob) == ["ACK"])
        #expect(f.h.server.callUsage.calls == 1)
        let over = f.bob.send("BYE")
        #expect(try f.methods(over, carol) == ["BYE"])
        f.expectNothingLeft()
    }

    @Test("Attended across two media loops: the party that comes over is offered a port of the other loop")
    func attendedAcrossLoops() throws {
        let f = try CallFixture(ports: [[20_000, 20_002, 20_004, 20_006], [21_000, 21_002, 21_004]])
        let carol = UA(f.h, "carol", at: "198.51.100.79:5080")
        try carol.register()
        try f.talk()
        let second = UA(f.h, "alice", at: "203.0.113.7:40000")
        second.callID = "second"
        second.localTag = "second"
        let out = try second.invite("carol")
        let invite = try #require(try carol.mine(out).first)
        #expect(invite.sdp.contains("m=audio 2100"))
        try carol.called(by: invite)
        try second.take(try #require(try second.mine(carol.respond(200, body: UA.offer("198.51.100.79", 34_000))).last))
        second.ack()
        let replaces = "second%3Bto-tag%3D\(second.remoteTag!)%3Bfrom-tag%3Dsecond"
        let refer = f.alice.send("REFER", extra: "Refer-To: <sip:carol@pinhole?Replaces=\(replaces)>\r\n")
        let ask = try #require(try f.bob.mine(refer).first)
        let offered = f.bob.respond(200, to: ask, body: UA.offer("198.51.100.77", 30_000, version: 2))
        let relayed = try #require(try carol.mine(offered).first)
        #expect(relayed.sdp.contains("m=audio 2000") && !relayed.sdp.contains("m=audio 2100"))
        let agreed = carol.respond(200, to: relayed, body: UA.offer("198.51.100.79", 34_000, version: 2))
        #expect(try f.methods(agreed, f.bob) == ["ACK"])
        guard case .bridge(let a, let b)? = f.h.media.last?.command else { return #expect(Bool(false), "no bridge") }
        #expect(f.h.media.last?.loop == 0 && a != b)
        f.bob.send("BYE")
        f.expectNothingLeft()
    }

    @Test("A call that was transferred too often: 503")
    func tooOften() throws {
        let f = try CallFixture({ $0.limits.legsPerCall = 10 })
        try f.talk()
        #expect(try f.statuses(f.alice.send("REFER", extra: "Refer-To: <sip:bob@pinhole>\r\n"), f.alice) == [503])
    }

    @Test("Into a room: the one who stays is offered what the room speaks")
    func room() throws {
        let (f, _) = try talking()
        let out = f.alice.send("REFER", extra: "Refer-To: <sip:8000@pinhole>\r\n")
        #expect(try fragments(out, f.alice).last == "SIP/2.0 200 OK\r\n")
        let offer = try #require(try f.bob.mine(out).first)
        #expect(offer.method == .invite && offer.sdp.contains("m=audio \(f.port(2)) RTP/AVP 0 8 101\r\n"))
        f.bob.respond(200, to: offer, body: UA.offer("198.51.100.77", 30_000, formats: "0", version: 2))
        #expect(f.commands.last?.hasPrefix("serve 2 room") == true)
        f.bob.send("BYE")
        f.expectNothingLeft()
    }

    /// Alice's second call, which a service answered: Replaces of it.
    func servedSecond(_ f: CallFixture, _ number: String, by user: String = "alice") throws -> (UA, String) {
        let second = UA(f.h, user, at: user == "alice" ? "203.0.113.7:40000" : "198.51.100.79:5080")
        second.callID = "second"
        second.localTag = "second"
        let ok = try #require(try second.mine(try second.invite(number)).last)
        try second.take(ok)
        second.ack()
        return (second, "<\(second.target)?Replaces=second%3Bto-tag%3D\(second.remoteTag!)%3Bfrom-tag%3Dsecond>")
    }

    @Test(
        "Attended into a room or service (Refer-To is the Contact of its call): who is transferred goes there, both calls of the transferor end",
        arguments: [("8000", "room"), ("600", "echo")])
    func attendedIntoService(_ number: String, _ service: String) throws {
        let (f, _) = try talking()
        let (_, target) = try servedSecond(f, number)
        let refer = f.alice.send("REFER", extra: "Refer-To: \(target)\r\n")
        #expect(try f.statuses(refer, f.alice) == [202])
        #expect(try fragments(refer, f.alice) == ["SIP/2.0 100 Trying\r\n", "SIP/2.0 200 OK\r\n"])
        #expect(try f.methods(refer, f.alice).filter { $0 == "BYE" }.count == 2)
        let offer = try #require(try f.bob.mine(refer).first)
        #expect(offer.method == .invite && offer.sdp.contains("m=audio \(f.port(2)) "))
        f.bob.respond(200, to: offer, body: UA.offer("198.51.100.77", 30_000, formats: "0", version: 2))
        #expect(f.commands.last?.hasPrefix("serve 2 \(service)") == true)
        #expect(f.h.server.callUsage.calls == 1)
        f.bob.send("BYE")
        #expect(f.h.records.count == 2)
        f.expectNothingLeft()
    }

    @Test("A room's PIN is asked of who is transferred into it, and its owner's rights stay his")
    func attendedWithoutRights() throws {
        let f = try CallFixture({ $0.calls.rooms = [.init(name: "board", pin: "4711", owner: "alice")] })
        try f.talk()
        let (_, target) = try servedSecond(f, "board")
        f.h.media = []
        let offer = try #require(try f.bob.mine(f.alice.send("REFER", extra: "Refer-To: \(target)\r\n")).first)
        f.bob.respond(200, to: offer, body: UA.offer("198.51.100.77", 30_000, formats: "0", version: 2))
        let entries = f.h.media.compactMap { media -> RoomEntry? in
            if case .serve(_, .room(let entry)) = media.command { entry } else { nil }
        }
        #expect(entries.map(\.party) == ["bob@pinhole"])
        #expect(entries.map(\.pin) == ["4711"] && entries.map(\.isOwner) == [false])
    }

    @Test("A call of another account with a service is nobody's second call: 404, and nothing happens to it")
    func attendedIntoAnothers() throws {
        let (f, _) = try talking()
        let (_, target) = try servedSecond(f, "8000", by: "carol")
        let refer = f.alice.send("REFER", extra: "Refer-To: \(target)\r\n")
        #expect(try f.statuses(refer, f.alice) == [404])
        #expect(f.h.server.callUsage.calls == 2)
    }

    @Test("Into a room of another media loop: all of a room is in one, the one who comes gets a port there")
    func attendedAcrossRoomLoops() throws {
        for number in ["8000", "8001"] {
            let f = try CallFixture(ports: [[20_000, 20_002, 20_004, 20_006], [21_000, 21_002, 21_004, 21_006]])
            try f.talk()
            let (_, target) = try servedSecond(f, number)
            let loop = try #require(f.h.media.last { if case .serve = $0.command { true } else { false } }?.loop)
            let offer = try #require(try f.bob.mine(f.alice.send("REFER", extra: "Refer-To: \(target)\r\n")).first)
            #expect(offer.sdp.contains(loop == 0 ? "m=audio 2000" : "m=audio 2100"))
            f.bob.respond(200, to: offer, body: UA.offer("198.51.100.77", 30_000, formats: "0", version: 2))
            #expect(f.h.media.last?.loop == loop)
            f.bob.send("BYE")
            f.expectNothingLeft()
        }
    }

    @Test("Refer-Sub: false: no NOTIFY at all (RFC 4488)")
    func silent() throws {
        let (f, _) = try talking()
        let out = f.alice.send("REFER", extra: "Refer-To: <sip:carol@pinhole>\r\nRefer-Sub: false\r\n")
        let accepted = try #require(try f.alice.mine(out).first)
        #expect(accepted.statusCode == 202 && accepted.first(.referSub)?.value.string == "false")
        #expect(try fragments(out, f.alice).isEmpty)
    }

    @Test(
        "REFERs that cannot be met",
        arguments: [
            ("", 400), ("Refer-To: <tel:+123>\r\n", 404), ("Refer-To: <mailto:bob@pinhole>\r\n", 400),
            ("Refer-To: <sip:a@pinhole>\r\nRefer-To: <sip:b@pinhole>\r\n", 400),
            ("Refer-To: <sip:nobody@pinhole>\r\n", 404),
        ])
    func bad(_ extra: String, _ status: Int) throws {
        let (f, _) = try talking()
        #expect(try f.statuses(f.alice.send("REFER", extra: extra), f.alice) == [status])
        #expect(f.h.server.callUsage.calls == 1)
    }

    @Test("An INVITE with Replaces of a dialog that is up takes that party's place")
    func replace() throws {
        let f = try CallFixture()
        try f.talk()
        let other = UA(f.h, "alice", at: "203.0.113.7:40001")
        other.callID = "other"
        let replaces = "Replaces: \(f.alice.callID);to-tag=\(f.alice.remoteTag!);from-tag=\(f.alice.localTag)\r\n"
        let out = try other.invite("bob", body: UA.offer("192.168.1.11", 18_000), extra: replaces)
        let reinvite = try #require(try f.bob.mine(out).first)
        let answered = f.bob.respond(200, to: reinvite, body: UA.offer("198.51.100.77", 30_000, version: 2))
        let ok = try #require(try other.mine(answered).first)
        #expect(ok.statusCode == 200)
        try other.take(ok)
        other.ack()
        #expect(try f.methods(answered, f.alice) == ["BYE"])
        #expect(try f.methods(f.bob.send("BYE"), other) == ["BYE"])
        f.expectNothingLeft()
    }

    @Test("Replaces of nothing: 481; without both tags: 400; early-only of a call that is up: 486")
    func badReplaces() throws {
        for (value, status) in [("x;to-tag=0123456789abcdef;from-tag=y", 481), ("x;to-tag=1", 400)] {
            let f = try CallFixture()
            #expect(try f.statuses(f.alice.invite("bob", extra: "Replaces: \(value)\r\n"), f.alice) == [status])
            f.expectNothingLeft()
        }
        let f = try CallFixture()
        try f.talk()
        let other = UA(f.h, "alice", at: "203.0.113.7:40001")
        other.callID = "other"
        let replaces = "Replaces: \(f.alice.callID);to-tag=\(f.alice.remoteTag!);from-tag=\(f.alice.localTag);early-only\r\n"
        #expect(try f.statuses(other.invite("bob", extra: replaces), other) == [486])
    }

    @Test("A NOTIFY of a former transfer that is never answered ends nothing of the next one")
    func unansweredNotifyOfFormer() throws {
        let (f, carol) = try talking()
        let busy = f.alice.send("REFER", extra: "Refer-To: <sip:carol@pinhole>\r\n")
        for notify in try f.alice.mine(busy) where notify.isRequest { f.alice.respond(200, to: notify) }
        try carol.called(by: try #require(try carol.mine(busy).first))
        // Its last NOTIFY is never answered.
        #expect(try fragments(carol.respond(486), f.alice) == ["SIP/2.0 486 Busy Here\r\n"])
        f.h.advance(.seconds(10))
        let again = f.alice.send("REFER", extra: "Refer-To: <sip:carol@pinhole>\r\n")
        for notify in try f.alice.mine(again) where notify.isRequest { f.alice.respond(200, to: notify) }
        try carol.called(by: try #require(try carol.mine(again).first { $0.method == .invite }))
        for notify in try f.alice.mine(carol.respond(180)) { f.alice.respond(200, to: notify) }
        f.h.advance(.seconds(25))
        let answered = carol.respond(200, body: UA.offer("198.51.100.79", 34_000, formats: "0"))
        #expect(try fragments(answered, f.alice) == ["SIP/2.0 200 OK\r\n"])
    }

    @Test("A SUBSCRIBE inside a call that is out of order, or of nobody's transfer, is refused once")
    func refusedSubscribe() throws {
        let f = try CallFixture()
        try f.talk()
        #expect(try f.statuses(f.alice.send("SUBSCRIBE", extra: "Event: refer\r\n"), f.alice) == [481])
        f.alice.cseq -= 2
        #expect(try f.statuses(f.alice.send("SUBSCRIBE", extra: "Event: refer\r\n"), f.alice) == [500])
    }
}
