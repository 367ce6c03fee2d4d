import Base
import Foundation
import MediaControl
import SIP
import ServerNode
import Testing

@Suite("Changing a session that is up: RFC 3261 14, RFC 3264 8, RFC 3311, RFC 4028")
struct ChangingTests {
    static let hold = UA.offer("192.168.1.10", 16_384, direction: "sendonly", version: 2)

    @Test("Hold by re-INVITE: sendonly reaches the other phone, recvonly comes back, the media plane hears of it")
    func hold() throws {
        let f = try CallFixture()
        try f.talk()
        let ports = f.h.server.callUsage.ports
        let out = f.alice.send("INVITE", body: Self.hold)
        let reinvite = try #require(try f.bob.mine(out).first)
        #expect(reinvite.method == .invite)
        #expect(try reinvite.to.tag?.string == f.bob.localTag)
        #expect(reinvite.sdp.contains("a=sendonly\r\n") && reinvite.sdp.contains("m=audio \(f.port(2)) "))
        let answered = f.bob.respond(
            200, to: reinvite, body: UA.offer("198.51.100.77", 30_000, direction: "recvonly", version: 2))
        #expect(try f.methods(answered, f.bob) == ["ACK"])
        let ok = try #require(try f.alice.mine(answered).first)
        #expect(ok.statusCode == 200 && ok.sdp.contains("a=recvonly\r\n"))
        #expect(f.alice.ack().isEmpty)
        guard case .remote(_, let bob)? = f.h.media.last?.command else { return #expect(Bool(false), "no .remote came last") }
        #expect(!bob.sends && bob.receives && bob.epoch == 3)
        #expect(f.h.server.callUsage.ports == ports)
        // The version of our SDP rises with each change (RFC 3264 8).
        let versions = try f.bob.mine(f.h.sent).filter { $0.method == .invite && $0.isRequest }.map { version($0.sdp) }
        #expect(versions == [1, 2])
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    func version(_ sdp: String) -> Int {
        Int(sdp.split(separator: "\r\n").first { $0.hasPrefix("o=") }?.split(separator: " ")[2] ?? "") ?? 0
    }

    @Test("RFC 2543 hold with 0.0.0.0 becomes a direction, and no media go to nowhere")
    func oldHold() throws {
        let f = try CallFixture()
        try f.talk()
        let out = f.alice.send("INVITE", body: UA.offer("0.0.0.0", 16_384, version: 2))
        let reinvite = try #require(try f.bob.mine(out).first)
        #expect(reinvite.sdp.contains("a=sendonly\r\n") && reinvite.sdp.contains("c=IN IP4 198.51.100.1\r\n"))
    }

    @Test("A new address in a re-INVITE of the callee: the media plane gets it with a new epoch")
    func addressChange() throws {
        let f = try CallFixture()
        try f.talk()
        f.h.media = []
        let out = f.bob.send("INVITE", body: UA.offer("198.51.100.79", 32_000, version: 2))
        let reinvite = try #require(try f.alice.mine(out).first)
        let answered = f.alice.respond(200, to: reinvite, body: UA.offer("192.168.1.10", 16_384, version: 2))
        #expect(try f.methods(answered, f.alice) == ["ACK"])
        #expect(try f.statuses(answered, f.bob) == [200])
        f.bob.ack()
        #expect(f.commands.contains("remote 2 198.51.100.79:32000"))
        f.bob.send("BYE")
        f.expectNothingLeft()
    }

    @Test("UPDATE with SDP goes on as UPDATE where the other phone takes it, and its answer comes back")
    func update() throws {
        let f = try CallFixture()
        try f.talk()
        let out = f.alice.send("UPDATE", body: Self.hold)
        let update = try #require(try f.bob.mine(out).first)
        #expect(update.method == .update && update.sdp.contains("a=sendonly"))
        let answered = f.bob.respond(200, to: update, body: UA.offer("198.51.100.77", 30_000, direction: "recvonly", version: 2))
        let ok = try #require(try f.alice.mine(answered).first)
        #expect(ok.statusCode == 200 && ok.sdp.contains("a=recvonly"))
    }

    @Test("The other phone refuses the change: its status and Warning come back, the session stays, new ports are free again")
    func refused() throws {
        let f = try CallFixture()
        try f.talk()
        let before = f.h.server.callUsage.ports
        let video = "m=video 17000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        let out = f.alice.send("INVITE", body: UA.offer("192.168.1.10", 16_384, version: 2, extra: video))
        #expect(f.h.server.callUsage.ports == before + 2)
        let reinvite = try #require(try f.bob.mine(out).first)
        let answered = f.bob.respond(488, to: reinvite, extra: "Warning: 305 bob \"no video\"\r\n")
        let told = try #require(try f.alice.mine(answered).first)
        #expect(told.statusCode == 488)
        #expect(told.first(.warning)?.value.string == "305 bob \"no video\"")
        #expect(f.h.server.callUsage.ports == before)
        #expect(f.h.server.callUsage.calls == 1)
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    @Test("Video is added, then taken away: two streams more, two streams less")
    func video() throws {
        let f = try CallFixture()
        try f.talk()
        let video = "m=video 17000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        func round(_ offer: String, _ answer: String) throws {
            let reinvite = try #require(try f.bob.mine(f.alice.send("INVITE", body: offer)).first)
            f.bob.respond(200, to: reinvite, body: answer)
            f.alice.ack()
        }
        try round(
            UA.offer("192.168.1.10", 16_384, version: 2, extra: video),
            UA.offer("198.51.100.77", 30_000, version: 2, extra: video))
        #expect(f.h.server.callUsage.ports == 4)
        let none = video.replacingOccurrences(of: "17000", with: "0")
        try round(
            UA.offer("192.168.1.10", 16_384, version: 3, extra: none), UA.offer("198.51.100.77", 30_000, version: 3, extra: none))
        #expect(f.h.server.callUsage.ports == 2)
        f.alice.send("BYE")
        #expect(f.h.records[0].parties.map { $0.streams.map(\.kind) } == [["audio", "video"], ["audio", "video"]])
        f.expectNothingLeft()
    }

    @Test("Glare: while one side's change is under way the other's gets 491, and the first goes through")
    func glare() throws {
        let f = try CallFixture()
        try f.talk()
        let reinvite = try #require(try f.bob.mine(f.alice.send("INVITE", body: Self.hold)).first)
        let crossed = f.bob.send("INVITE", body: UA.offer("198.51.100.77", 30_000, version: 2))
        #expect(try f.statuses(crossed, f.bob) == [491])
        let answered = f.bob.respond(
            200, to: reinvite, body: UA.offer("198.51.100.77", 30_000, direction: "recvonly", version: 2))
        #expect(try f.statuses(answered, f.alice) == [200])
    }

    @Test("The other phone answers 491: the asker gets it, to try again")
    func glareThere() throws {
        let f = try CallFixture()
        try f.talk()
        let reinvite = try #require(try f.bob.mine(f.alice.send("INVITE", body: Self.hold)).first)
        #expect(try f.statuses(f.bob.respond(491, to: reinvite), f.alice) == [491])
        #expect(f.h.server.callUsage.calls == 1)
    }

    @Test("A second re-INVITE of the same phone before the first is answered: 500 with Retry-After (RFC 3261 14.2)")
    func twice() throws {
        let f = try CallFixture()
        try f.talk()
        f.alice.send("INVITE", body: Self.hold)
        let second = try #require(try f.alice.mine(f.alice.send("INVITE", body: Self.hold)).first)
        #expect(second.statusCode == 500 && second.contains(.retryAfter))
    }

    @Test("A re-INVITE without SDP: the other phone offers, the asker's ACK answers")
    func offerless() throws {
        let f = try CallFixture()
        try f.talk()
        let reinvite = try #require(try f.bob.mine(f.alice.send("INVITE")).first)
        #expect(reinvite.body.isEmpty)
        let offered = f.bob.respond(200, to: reinvite, body: UA.offer("198.51.100.77", 30_000, formats: "8", version: 2))
        let ok = try #require(try f.alice.mine(offered).first)
        #expect(ok.sdp.contains("RTP/AVP 8\r\n"))
        let out = f.alice.ack(body: UA.offer("192.168.1.10", 16_384, formats: "8", version: 2))
        let ack = try #require(try f.bob.mine(out).first)
        #expect(ack.method == .ack && ack.sdp.contains("m=audio \(f.port(2)) RTP/AVP 8\r\n"))
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    @Test("CANCEL of a re-INVITE: 487, the change is withdrawn, the call goes on")
    func cancelled() throws {
        let f = try CallFixture()
        try f.talk()
        f.alice.inviteBranch = "z9hG4bK-re"
        f.alice.cseq += 1
        f.alice.inviteSequence = f.alice.cseq
        let out = f.h.receive(f.alice.text("INVITE", branch: f.alice.inviteBranch, body: Self.hold), on: f.alice.flow)
        let reinvite = try #require(try f.bob.mine(out).first)
        f.bob.respond(100, to: reinvite)
        let cancelled = f.h.receive(
            f.alice.text("CANCEL", branch: f.alice.inviteBranch, cseq: f.alice.inviteSequence), on: f.alice.flow)
        #expect(try f.statuses(cancelled, f.alice) == [200, 487])
        #expect(try f.methods(cancelled, f.bob) == ["CANCEL"])
        // Bob's 200 crosses it: acknowledged, and nobody is hung up.
        #expect(try f.methods(f.bob.respond(200, to: reinvite, body: UA.offer("198.51.100.77", 30_000)), f.bob) == ["ACK"])
        #expect(f.h.server.callUsage.calls == 1)
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    @Test("Bob hangs up while Alice's re-INVITE waits: it gets 487, and she her BYE")
    func byeMeanwhile() throws {
        let f = try CallFixture()
        try f.talk()
        f.alice.send("INVITE", body: Self.hold)
        let out = f.bob.send("BYE")
        #expect(try f.methods(out, f.alice) == ["BYE"])
        #expect(try f.statuses(out, f.alice) == [487])
        f.expectNothingLeft()
    }

    @Test("The other phone has lost the dialog (481), or is silent: the call is over", arguments: [481, 0])
    func lost(_ status: Int) throws {
        let f = try CallFixture()
        try f.talk()
        let reinvite = try #require(try f.bob.mine(f.alice.send("INVITE", body: Self.hold)).first)
        let out = status == 0 ? f.h.advance(.seconds(33)) : f.bob.respond(status, to: reinvite)
        #expect(try f.statuses(out, f.alice).last == 480)
        #expect(try f.methods(out, f.alice).first == "BYE")
        f.expectNothingLeft()
    }

    @Test("The phone speaks from another port and proves itself: what we send follows, and that is told")
    func moved() throws {
        let f = try CallFixture()
        try f.talk()
        f.alice.flow = Harness.flow(Endpoint("203.0.113.7:41000")!)
        let out = try f.alice.sendSigned("INFO", extra: "Content-Type: application/dtmf-relay\r\n", body: "Signal=5\r\n")
        #expect(try f.bob.mine(out).count == 1)
        let over = f.bob.send("BYE")
        #expect(try f.methods(over, f.alice) == ["BYE"])
        #expect(f.h.lastTexts.contains("call 1: alice@pinhole now comes from 203.0.113.7:41000 instead of 203.0.113.7:40000"))
        #expect(!f.commands.contains { $0.hasPrefix("follow") })
    }

    @Test("The phone speaks from another address and proves itself: its media are believed from there")
    func movedAddress() throws {
        let f = try CallFixture()
        try f.talk()
        f.alice.flow = Harness.flow(Endpoint("198.18.0.9:41000")!)
        try f.alice.sendSigned("INFO", extra: "Content-Type: application/dtmf-relay\r\n", body: "Signal=5\r\n")
        #expect(f.commands.filter { $0.hasPrefix("follow") } == ["follow 1 198.18.0.9"])
    }

    @Test(
        "The phone registers from another port during a call, its contact moved or not: the call follows",
        arguments: [true, false])
    func movedByRegistration(_ movesContact: Bool) throws {
        let f = try CallFixture()
        try f.talk()
        let before = f.bob.flow
        f.bob.flow = Harness.flow(Endpoint("198.51.100.77:5099")!)
        var register = Register(user: "bob")
        register.callID = "reg-bob-5070-198.51.100.77"
        register.cseq = 10
        register.contact = movesContact ? "<sip:bob@198.51.100.77:5099>" : "<sip:bob@198.51.100.77:5070>"
        #expect(try f.h.register(register, password: "word", on: f.bob.flow).statusCode == 200)
        let out = f.alice.send("BYE")
        #expect(try f.methods(out, f.bob) == ["BYE"])
        #expect(!out.contains { $0.flow == before })
        f.expectNothingLeft()
    }

    // MARK: Session timers

    @Test("RFC 4028: less than 90 s is 422 with Min-SE")
    func tooSmall() throws {
        let f = try CallFixture()
        let out = try f.alice.invite("bob", extra: "Session-Expires: 60\r\n")
        let refusal = try #require(try f.alice.mine(out).first)
        #expect(refusal.statusCode == 422 && refusal.first(.minSE)?.value.string == "90")
    }

    @Test("RFC 4028: the phone's 422 raises our Session-Expires, once")
    func phoneWantsMore() throws {
        let f = try CallFixture()
        let invite = try f.ring()
        #expect(invite.first(.sessionExpires)?.value.string == "1800")
        let out = f.bob.respond(422, extra: "Min-SE: 3600\r\n")
        let again = try #require(try f.bob.mine(out).first { $0.method == .invite && $0.isRequest })
        #expect(again.first(.sessionExpires)?.value.string == "3600" && again.first(.minSE)?.value.string == "3600")
        #expect(try f.statuses(f.bob.respond(422, to: again, extra: "Min-SE: 3600\r\n"), f.alice) == [422])
    }

    @Test("RFC 4028: a phone that does not know timers is refreshed by us with UPDATE every 15 minutes; silence ends the call")
    func weRefresh() throws {
        let f = try CallFixture()
        f.alice.supported = "replaces"
        let ok = try f.talk()
        #expect(ok.first(.sessionExpires)?.value.string == "1800;refresher=uas")
        let due = f.h.advance(.seconds(900))
        let update = try #require(try f.alice.mine(due).first)
        #expect(update.method == .update && update.body.isEmpty)
        f.alice.respond(200, to: update, extra: "Session-Expires: 1800;refresher=uac\r\n")
        f.bob.respond(200, to: try f.bob.mine(due)[0])
        #expect(f.h.server.callUsage.calls == 1)
        let next = f.h.advance(.seconds(940))
        #expect(try f.methods(next, f.alice).contains("BYE"))
        f.expectNothingLeft()
    }

    @Test("RFC 4028 10, RFC 3261 14.1: a refresh answered 491 or 500 is tried again in time", arguments: [491, 500])
    func refreshRefused(_ status: Int) throws {
        let f = try CallFixture()
        f.alice.supported = "replaces"
        try f.talk()
        let due = f.h.advance(.seconds(900))
        let update = try #require(try f.alice.mine(due).first)
        f.bob.respond(200, to: try f.bob.mine(due).first)
        f.alice.respond(status, to: update, extra: status == 500 ? "Retry-After: 3\r\n" : "")
        let again = f.h.advance(.seconds(6))
        let second = try #require(try f.alice.mine(again).first)
        #expect(second.method == .update)
        f.alice.respond(200, to: second, extra: "Session-Expires: 1800;refresher=uac\r\n")
        #expect(try f.methods(f.h.advance(.seconds(890)), f.alice).isEmpty)
        #expect(f.h.server.callUsage.calls == 1)
    }

    @Test("A refresh that is refused to the end ends the call when the session does")
    func refreshRefusedForGood() throws {
        let f = try CallFixture()
        f.alice.supported = "replaces"
        try f.talk()
        var ended = false
        for _ in 0..<400 where !ended {
            let out = f.h.advance(.seconds(5))
            for update in try f.alice.mine(out) where update.method == .update { f.alice.respond(491, to: update) }
            for update in try f.bob.mine(out) where update.method == .update { f.bob.respond(200, to: update) }
            ended = f.h.server.callUsage.calls == 0
        }
        #expect(ended)
        f.expectNothingLeft()
    }

    @Test("A Min-SE beyond belief does not switch the search for dead calls off: we refresh every hour ourselves")
    func absurdMinSE() throws {
        let f = try CallFixture()
        let ok = try f.talk(extra: "Session-Expires: 4000000000;refresher=uac\r\nMin-SE: 4000000000\r\n")
        #expect(ok.first(.sessionExpires)?.value.string == "7200;refresher=uac")
        var out = f.h.advance(.seconds(7_200))
        for _ in 0..<3 where f.h.server.callUsage.calls > 0 {
            for update in try f.bob.mine(out) where update.method == .update { f.bob.respond(200, to: update) }
            out = f.h.advance(.seconds(40))
        }
        #expect(f.h.server.callUsage.calls == 0)
    }

    @Test("RFC 4028: a phone without UPDATE is refreshed by a re-INVITE with the SDP as it stands")
    func refreshByInvite() throws {
        let f = try CallFixture()
        f.alice.supported = "replaces"
        try f.ring()
        let answer = f.bob.response(200, body: UA.offer("198.51.100.77", 30_000)).replacingOccurrences(of: ", UPDATE", with: "")
        let out = f.h.receive(answer, on: f.bob.flow)
        try f.alice.take(try #require(try f.alice.mine(out).first))
        f.alice.ack()
        let due = f.h.advance(.seconds(900))
        let reinvite = try #require(try f.bob.mine(due).first)
        #expect(reinvite.method == .invite && version(reinvite.sdp) == 1)
        let acked = f.bob.respond(200, to: reinvite, body: UA.offer("198.51.100.77", 30_000))
        #expect(try f.methods(acked, f.bob) == ["ACK"])
        #expect(try f.alice.mine(acked).isEmpty)
    }

    @Test("RFC 4028: a phone that promised to refresh and does not is hung up a third of the interval, at most 32 s, early")
    func theyRefresh() throws {
        let f = try CallFixture()
        let ok = try f.talk(extra: "Session-Expires: 90;refresher=uac\r\n")
        #expect(ok.first(.sessionExpires)?.value.string == "90;refresher=uac")
        #expect(try ok.require.map(\.string) == ["timer"])
        #expect(try f.methods(f.h.advance(.seconds(59)), f.alice).isEmpty)
        f.alice.send("UPDATE", extra: "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n")
        #expect(try f.methods(f.h.advance(.seconds(59)), f.alice).isEmpty)
        #expect(try f.methods(f.h.advance(.milliseconds(1_400)), f.alice) == ["BYE"])
        #expect(f.h.records.last?.reason == "the session timer of alice@pinhole ran out")
        f.expectNothingLeft()
    }

    @Test("A re-INVITE that changes nothing is answered by us: the other phone is not bothered")
    func pureRefresh() throws {
        let f = try CallFixture()
        let ok = try f.talk()
        let out = f.alice.send("INVITE", body: UA.offer("192.168.1.10", 16_384))
        #expect(try f.bob.mine(out).isEmpty)
        let again = try #require(try f.alice.mine(out).first)
        #expect(again.statusCode == 200 && again.sdp == ok.sdp)
        f.alice.ack()
        f.alice.send("BYE")
        f.expectNothingLeft()
    }
}
