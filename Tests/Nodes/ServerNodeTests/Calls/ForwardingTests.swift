import Base
import MediaControl
import SIP
import ServerNode
import Testing

@Suite("Forwarding by 302: RFC 3261 8.1.3.4 and 21.3, RFC 5806, RFC 7044")
struct ForwardingTests {
    typealias Sent = [(flow: FlowID, bytes: [UInt8])]

    /// Alice, Bob, Carol and Dave are registered; Bob rings.
    func ringing(
        _ change: (inout ServerSettings) -> Void = { _ in }, extra: String = ""
    ) throws -> (f: CallFixture, carol: UA, dave: UA) {
        let f = try CallFixture(change)
        let carol = UA(f.h, "carol", at: "198.51.100.79:5080")
        try carol.register()
        let dave = UA(f.h, "dave", at: "198.51.100.80:5090")
        try dave.register()
        try f.ring(extra: extra)
        return (f, carol, dave)
    }

    /// `phone` answers its INVITE by 302 to `targets`, Contact values.
    @discardableResult
    func forward(_ phone: UA, to targets: String..., status: Int = 302, extra: String = "") -> Sent {
        let own = "Contact: \(phone.contact)\r\n"
        let text = phone.response(status, extra: extra + targets.map { "Contact: \($0)\r\n" }.joined())
        return phone.h.receive(text.replacing(own, with: ""), on: phone.flow)
    }

    func ring(_ phone: UA, _ out: Sent) throws -> SIPMessage {
        let invite = try #require(try phone.mine(out).first { $0.method == .invite && $0.isRequest })
        try phone.called(by: invite)
        return invite
    }

    func words(_ f: CallFixture) -> [String] {
        f.h.lastTexts.filter { $0.contains("forwards") }
    }

    func history(_ invite: SIPMessage) -> [String] { invite.all(.historyInfo).map(\.value.string) }
    func diversions(_ invite: SIPMessage) -> [String] { invite.all(HeaderName("Diversion")).map(\.value.string) }

    @Test("Followed to a user of ours: the caller gets 181, the target rings and hears who forwarded, log and record say so")
    func followed() throws {
        let (f, carol, _) = try ringing()
        let out = forward(f.bob, to: "<sip:carol@pinhole>")
        #expect(try f.methods(out, f.bob) == ["ACK"])
        #expect(try f.statuses(out, f.alice) == [181])
        let invite = try ring(carol, out)
        #expect(try invite.from.uriText.string == "sip:alice@pinhole")
        #expect(
            history(invite) == [
                "<sip:bob@pinhole?Reason=SIP%3Bcause%3D302>;index=1", "<sip:carol@pinhole;cause=302>;index=1.1;mp=1",
            ])
        #expect(diversions(invite) == ["<sip:bob@pinhole>;reason=unconditional;counter=1"])
        #expect(try f.statuses(carol.respond(180), f.alice) == [180])
        let ok = try #require(try f.alice.mine(carol.respond(200, body: UA.offer("198.51.100.79", 34_000))).first)
        #expect(ok.statusCode == 200)
        try f.alice.take(ok)
        f.alice.ack()
        f.alice.send("BYE")
        #expect(words(f) == ["call 1: bob@pinhole forwards to carol@pinhole"])
        #expect(f.h.records[0].reason == "bob@pinhole forwarded to carol@pinhole; alice@pinhole hung up")
        #expect(f.h.records[0].parties.map(\.address) == ["alice@pinhole", "bob@pinhole", "carol@pinhole"])
        #expect(f.h.records[0].parties.map(\.answered) == [true, false, true])
        f.expectNothingLeft()
    }

    @Test(
        "After ringing, and with the phone's own reason in Diversion",
        arguments: [
            ("", "no-answer", 408), ("Diversion: <sip:bob@pinhole>;reason=user-busy\r\n", "user-busy", 486),
            ("Diversion: <sip:bob@pinhole>;reason=\"a b\"\r\n", "no-answer", 408),
            ("Diversion: <sip:bob@pinhole>;reason=away\r\n", "away", 404),
        ])
    func reasons(_ extra: String, _ reason: String, _ cause: Int) throws {
        let (f, carol, _) = try ringing()
        f.bob.respond(180)
        let invite = try ring(carol, forward(f.bob, to: "<sip:carol@pinhole>", extra: extra))
        #expect(diversions(invite) == ["<sip:bob@pinhole>;reason=\(reason);counter=1"])
        #expect(history(invite).last == "<sip:carol@pinhole;cause=\(cause)>;index=1.1;mp=1")
    }

    @Test("The target rings as long as a call rings, from when it was forwarded")
    func ringsAnew() throws {
        let (f, carol, _) = try ringing()
        f.bob.respond(180)
        f.h.advance(.seconds(40))
        _ = try ring(carol, forward(f.bob, to: "<sip:carol@pinhole>"))
        carol.respond(180)
        #expect(try f.statuses(f.h.advance(.seconds(59)), f.alice).isEmpty)
        #expect(try f.statuses(f.h.advance(.seconds(2)), f.alice).first == 480)
        carol.respond(487)
        f.expectNothingLeft()
    }

    @Test("The target refuses: the caller gets its answer")
    func targetRefuses() throws {
        let (f, carol, _) = try ringing()
        _ = try ring(carol, forward(f.bob, to: "<sip:carol@pinhole>"))
        #expect(try f.statuses(carol.respond(486), f.alice) == [486])
        f.expectNothingLeft()
    }

    @Test("Forwarded twice: both are named, the latest first in Diversion")
    func chain() throws {
        let (f, carol, dave) = try ringing()
        _ = try ring(carol, forward(f.bob, to: "<sip:carol@pinhole>"))
        let invite = try ring(dave, forward(carol, to: "<sip:dave@pinhole>", status: 301))
        #expect(
            history(invite) == [
                "<sip:bob@pinhole?Reason=SIP%3Bcause%3D302>;index=1",
                "<sip:carol@pinhole;cause=302?Reason=SIP%3Bcause%3D301>;index=1.1;mp=1",
                "<sip:dave@pinhole;cause=302>;index=1.1.1;mp=1.1",
            ])
        #expect(
            diversions(invite) == [
                "<sip:carol@pinhole>;reason=unconditional;counter=1", "<sip:bob@pinhole>;reason=unconditional;counter=1",
            ])
        dave.respond(486)
        #expect(
            f.h.records[0].reason
                == "bob@pinhole forwarded to carol@pinhole; carol@pinhole forwarded to dave@pinhole; 486 Busy Here")
        f.expectNothingLeft()
    }

    // MARK: Guards

    @Test("In a circle: nobody is rung twice for a call; 480 with a Warning, and the log says why")
    func loop() throws {
        let (f, carol, _) = try ringing()
        _ = try ring(carol, forward(f.bob, to: "<sip:carol@pinhole>"))
        let back = forward(carol, to: "<sip:bob@pinhole>")
        let told = try #require(try f.alice.mine(back).first)
        #expect(told.statusCode == 480)
        #expect(
            told.first(.warning)?.value.string.hasSuffix("\"the phone forwards its calls: that was rung for this call before\"")
                == true)
        #expect(
            words(f).last == "call 1: carol@pinhole forwards to sip:bob@pinhole: not followed, that was rung for this call before"
        )
        f.expectNothingLeft()
    }

    @Test("To itself: not followed")
    func itself() throws {
        let (f, _, _) = try ringing()
        #expect(try f.statuses(forward(f.bob, to: "<sip:bob@pinhole>"), f.alice) == [480])
        f.expectNothingLeft()
    }

    @Test("Too many one behind the other, or in all: not followed", arguments: [true, false])
    func tooOften(_ inARow: Bool) throws {
        let (f, carol, dave) = try ringing({
            if inARow { $0.limits.forwardsInARow = 1 } else { $0.limits.forwardsPerCall = 1 }
        })
        _ = try ring(carol, forward(f.bob, to: "<sip:carol@pinhole>"))
        let out = forward(carol, to: "<sip:dave@pinhole>")
        #expect(try dave.mine(out).isEmpty)
        #expect(try f.statuses(out, f.alice) == [480])
        #expect(words(f).last?.hasSuffix("the call was forwarded too often") == true)
        f.expectNothingLeft()
    }

    @Test("More legs than a call may have: not followed")
    func tooManyLegs() throws {
        let (f, carol, _) = try ringing({
            $0.limits.forks = 2
            $0.limits.legsPerCall = 3
        })
        let out = forward(f.bob, to: "<sip:carol@pinhole>")
        #expect(try carol.mine(out).isEmpty)
        #expect(try f.statuses(out, f.alice) == [480])
        f.expectNothingLeft()
    }

    @Test("Nobody is registered there, or nobody has that number: 480 with a Warning that says so")
    func nobody() throws {
        for (target, why) in [("carol", "nobody is registered there"), ("nobody", "nobody here has that number")] {
            let f = try CallFixture()
            try f.ring()
            let told = try #require(try f.alice.mine(forward(f.bob, to: "<sip:\(target)@pinhole>")).first)
            #expect(told.statusCode == 480)
            #expect(told.first(.warning)?.value.string.contains(why) == true)
            #expect(words(f).last?.hasSuffix("not followed, \(why)") == true)
            f.expectNothingLeft()
        }
    }

    // MARK: Elsewhere

    @Test("Elsewhere: nothing is sent there; the caller gets 480 without the place, the log has it")
    func elsewhere() throws {
        for target in ["<sip:+4930123@provider.example>", "<tel:+4930123>", "<mailto:a@b.example>"] {
            let (f, _, _) = try ringing()
            let out = forward(f.bob, to: target)
            #expect(out.allSatisfy { $0.flow == f.alice.flow || $0.flow == f.bob.flow })
            let told = try #require(try f.alice.mine(out).first)
            #expect(told.statusCode == 480 && told.first(.contact) == nil)
            #expect(told.first(.warning)?.value.string.contains("that is not an address of this server") == true)
            #expect(String(decoding: told.bytes, as: UTF8.self).contains("4930123") == false)
            #expect(
                words(f).last
                    == "call 1: bob@pinhole forwards to \(target.dropFirst().dropLast()): not followed, that is not an address of this server"
            )
            f.expectNothingLeft()
        }
    }

    @Test("pass-on: the caller gets the 302 with the Contacts that lead elsewhere, and only those")
    func passOn() throws {
        let (f, carol, _) = try ringing({ $0.calls.forwarding = .passOn })
        let out = forward(f.bob, to: "<sip:+4930123@provider.example>;q=0.5", "<sip:nobody@pinhole>")
        let told = try #require(try f.alice.mine(out).first)
        #expect(told.statusCode == 302)
        #expect(told.all(.contact).map(\.value.string) == ["<sip:+4930123@provider.example>;q=0.5"])
        f.expectNothingLeft()
        // What is ours is followed all the same.
        f.alice.callID = "again"
        f.alice.remoteTag = nil
        let again = try f.alice.invite("bob")
        try f.bob.called(by: try #require(try f.bob.mine(again).first))
        _ = try ring(carol, forward(f.bob, to: "<sip:carol@pinhole>"))
    }

    @Test("refuse: nothing is followed, nothing passed on")
    func switchedOff() throws {
        let (f, carol, _) = try ringing({ $0.calls.forwarding = .refuse })
        let out = forward(f.bob, to: "<sip:carol@pinhole>")
        #expect(try carol.mine(out).isEmpty)
        #expect(try f.statuses(out, f.alice) == [480])
        f.expectNothingLeft()
    }

    @Test("Another kind of redirection, no Contact, or one that cannot be read: 480")
    func useless() throws {
        for (status, targets) in [
            (305, ["<sip:carol@pinhole>"]), (380, ["<sip:carol@pinhole>"]), (302, []), (302, ["*"]), (302, ["<sip:"]),
        ] {
            let (f, carol, _) = try ringing()
            let own = "Contact: \(f.bob.contact)\r\n"
            let text = f.bob.response(status, extra: targets.map { "Contact: \($0)\r\n" }.joined()).replacing(own, with: "")
            let out = f.h.receive(text, on: f.bob.flow)
            #expect(try carol.mine(out).isEmpty)
            #expect(try f.statuses(out, f.alice) == [480], "\(status) \(targets)")
            f.expectNothingLeft()
        }
    }

    // MARK: Several

    @Test("Contacts by falling q: equal ones ring at once, the next when none of them does any more")
    func order() throws {
        let (f, carol, dave) = try ringing()
        let out = forward(f.bob, to: "<sip:dave@pinhole>;q=0.1, <sip:nobody@pinhole>;q=0.7", "<sip:carol@pinhole>;q=0.7")
        #expect(try dave.mine(out).isEmpty)
        _ = try ring(carol, out)
        let next = carol.respond(486)
        #expect(try f.statuses(next, f.alice) == [181])
        let invite = try ring(dave, next)
        #expect(history(invite).last == "<sip:dave@pinhole;cause=302>;index=1.2;mp=1")
        #expect(try f.statuses(dave.respond(404), f.alice) == [486])
        f.expectNothingLeft()
    }

    @Test("The next Contact waits for what the first forwards on to")
    func orderOverChain() throws {
        let (f, carol, dave) = try ringing()
        _ = try ring(carol, forward(f.bob, to: "<sip:carol@pinhole>", "<sip:600@pinhole>;q=0.2"))
        let on = forward(carol, to: "<sip:dave@pinhole>")
        #expect(try f.statuses(on, f.alice) == [181])
        _ = try ring(dave, on)
        #expect(try f.statuses(dave.respond(486), f.alice) == [200])
        #expect(f.commands.last?.hasSuffix("echo") == true)
        f.alice.send("BYE")
    }

    @Test("The target's 603 ends it all: no further Contact is tried")
    func declinedForAll() throws {
        let (f, carol, dave) = try ringing()
        _ = try ring(carol, forward(f.bob, to: "<sip:carol@pinhole>", "<sip:dave@pinhole>;q=0.2"))
        let out = carol.respond(603)
        #expect(try dave.mine(out).isEmpty)
        #expect(try f.statuses(out, f.alice) == [603])
        f.expectNothingLeft()
    }

    @Test("One of two phones forwards: the other rings on, and may still answer; then the target stops")
    func otherBranch() throws {
        let f = try CallFixture()
        let twin = UA(f.h, "bob", at: "198.51.100.78:5070")
        twin.localTag = "twin"
        try twin.register()
        let carol = UA(f.h, "carol", at: "198.51.100.79:5080")
        try carol.register()
        let out = try f.alice.invite("bob")
        try f.bob.called(by: try #require(try f.bob.mine(out).first))
        try twin.called(by: try #require(try twin.mine(out).first))
        let forwarded = forward(f.bob, to: "<sip:carol@pinhole>")
        #expect(try twin.mine(forwarded).isEmpty)
        _ = try ring(carol, forwarded)
        carol.respond(180)
        // Both phones of a user may be set alike.
        #expect(try carol.mine(forward(twin, to: "<sip:carol@pinhole>")).isEmpty)
        let ok = carol.respond(200, body: UA.offer("198.51.100.79", 34_000))
        try f.alice.take(try #require(try f.alice.mine(ok).first))
        f.alice.ack()
        f.alice.send("BYE")
        f.expectNothingLeft()
    }
}
