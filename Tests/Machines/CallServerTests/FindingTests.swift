import Base
import CallServer
import SIP
import SIPStack
import Testing

@Suite("A call while it is looked up whom to ring")
struct FindingTests {
    @Test("An answer that takes its time: the caller has his 100 at once, one, and nothing rings before it")
    func takesItsTime() throws {
        var desk = Desk()
        try desk.call()
        #expect(desk.names() == ["open", "look up bob@example.com"])
        let lookUp = desk.lookUp
        desk.wait(for: lookUp)
        desk.wait(for: lookUp)
        #expect(desk.names() == ["respond 100"])
        #expect(desk.wait(.seconds(4)) == [])
        #expect(desk.calls.usage.calls == 1)
        #expect(desk.calls.usage.lookUps == 1)
        #expect(
            desk.found(lookUp, Desk.user(Desk.bob, [desk.phone(Desk.bob, 41_000)])) == [
                "media open", "media open", "INVITE to 41000",
            ])
        #expect(desk.calls.usage.lookUps == 0)
    }

    @Test("An answer at once: 100 is said when phones are rung, and not where the call is refused")
    func atOnce() throws {
        var desk = Desk()
        try desk.call()
        _ = desk.names()
        let phone = desk.phone(Desk.bob, 41_000)
        #expect(
            desk.found(desk.lookUp, Desk.user(Desk.bob, [phone])) == [
                "media open", "respond 100", "media open", "INVITE to 41000",
            ])
    }

    @Test("Nobody is registered: 480")
    func nobody() throws {
        var desk = Desk()
        try desk.call()
        _ = desk.names()
        #expect(
            desk.found(desk.lookUp, Desk.user(Desk.bob, [])) == [
                "respond 480", "record: nobody is registered as bob@example.com",
            ])
        #expect(desk.calls.usage == CallUsage())
    }

    @Test("The user is gone meanwhile: 404")
    func gone() throws {
        var desk = Desk()
        try desk.call()
        _ = desk.names()
        let names = desk.found(desk.lookUp, Found(owner: .nobody("bob", domain: "example.com", isOurs: true)))
        #expect(names.first == "respond 404")
        #expect(desk.calls.usage == CallUsage())
    }

    @Test("CANCEL: 487, and the answer that comes after it rings nobody")
    func cancelled() throws {
        var desk = Desk()
        let invite = try desk.call()
        _ = desk.names()
        let lookUp = desk.lookUp
        desk.calls.cancelled(invite.key, reason: nil, at: desk.now)
        #expect(desk.names() == ["respond 487", "record: alice@example.com gave up"])
        #expect(desk.found(lookUp, Desk.user(Desk.bob, [desk.phone(Desk.bob, 41_000)])) == [])
        #expect(desk.calls.usage == CallUsage())
    }

    @Test("BYE ends it like CANCEL")
    func endedByBYE() throws {
        var desk = Desk()
        try desk.call()
        _ = desk.names()
        let lookUp = desk.lookUp
        // Nobody knows the tag of a dialog that no response told him; a phone may guess that it has one all the same.
        desk.calls.bye(try desk.request("BYE", to: "bob", cseq: 2, tag: "0000000000000000"), at: desk.now)
        #expect(desk.names() == ["refuse 481"])
        #expect(desk.found(lookUp, Desk.user(Desk.bob, [])).first == "respond 480")
    }

    @Test("The caller's connection closes: nobody is answered, and the late answer rings nobody")
    func connectionClosed() throws {
        var desk = Desk()
        let flow = Desk.flow(40_000, .tcp)
        try desk.call(on: flow)
        _ = desk.names()
        let lookUp = desk.lookUp
        desk.calls.closed(flow, at: desk.now)
        #expect(
            desk.names() == ["abandon", "record: the connection of alice@example.com closed"])
        #expect(desk.found(lookUp, Desk.user(Desk.bob, [desk.phone(Desk.bob, 41_000)])) == [])
        #expect(desk.calls.usage == CallUsage())
    }

    @Test("Nobody tells in time: 504, counted, and a late answer rings nobody")
    func overdue() throws {
        var desk = Desk()
        try desk.call()
        _ = desk.names()
        let lookUp = desk.lookUp
        #expect(
            desk.wait(.seconds(6)) == [
                "respond 504", "record: nobody told in time where bob@example.com can be reached",
            ])
        #expect(desk.calls.counters.lookUpsOverdue == 1)
        #expect(desk.found(lookUp, Desk.user(Desk.bob, [desk.phone(Desk.bob, 41_000)])) == [])
        #expect(desk.calls.usage == CallUsage())
    }

    @Test("So many look-ups are under way that one more is none: 503, counted")
    func full() throws {
        var desk = Desk { $0.limits.lookUps = 1 }
        try desk.call()
        _ = desk.names()
        try desk.call("two")
        #expect(desk.names().prefix(3) == ["open", "respond 503", "record: a table was full"])
        #expect(desk.calls.counters.callTablesFull == 1)
        #expect(desk.calls.usage.calls == 1)
    }

    @Test("An answer is taken once")
    func twice() throws {
        var desk = Desk()
        try desk.call()
        _ = desk.names()
        let lookUp = desk.lookUp
        let found = Desk.user(Desk.bob, [desk.phone(Desk.bob, 41_000)])
        #expect(desk.found(lookUp, found).contains("INVITE to 41000"))
        #expect(desk.found(lookUp, found) == [])
    }
}

@Suite("Look-ups of a call that rings")
struct LookUpsWhileRingingTests {
    /// Bob rings at 41000.
    private func ringing(_ desk: inout Desk, instance: String = "", _ more: [CallTarget] = []) throws -> ServerRequest {
        let invite = try desk.call()
        _ = desk.names()
        let phone = desk.phone(Desk.bob, 41_000, instance: instance)
        _ = desk.found(desk.lookUp, Desk.user(Desk.bob, [phone] + more))
        return invite
    }

    private static let toCarol = "<sip:carol@example.com>"

    @Test("A forward is looked up before it rings, and the caller hears of it then")
    func forwards() throws {
        var desk = Desk()
        _ = try ringing(&desk)
        let names = try desk.answered(desk.asked(.invite), 302, more: Self.toCarol)
        #expect(names.contains("look up carol@example.com"))
        #expect(!names.contains { $0.hasPrefix("respond") })
        let later = desk.found(desk.lookUp, Desk.user(Desk.carol, [desk.phone(Desk.carol, 42_000)]))
        #expect(later.contains("respond 181"))
        #expect(later.contains("INVITE to 42000"))
    }

    @Test("A forward that is not found in time is a refusal: 480")
    func forwardOverdue() throws {
        var desk = Desk()
        _ = try ringing(&desk)
        _ = try desk.answered(desk.asked(.invite), 302, more: Self.toCarol)
        let lookUp = desk.lookUp
        #expect(desk.wait(.seconds(6)).contains("respond 480"))
        #expect(desk.found(lookUp, Desk.user(Desk.carol, [desk.phone(Desk.carol, 42_000)])) == [])
    }

    @Test("The caller gives up while a forward is looked up: its answer rings nobody")
    func forwardCancelled() throws {
        var desk = Desk()
        let invite = try ringing(&desk)
        _ = try desk.answered(desk.asked(.invite), 302, more: Self.toCarol)
        let lookUp = desk.lookUp
        desk.calls.cancelled(invite.key, reason: nil, at: desk.now)
        #expect(desk.names().contains("respond 487"))
        #expect(!desk.found(lookUp, Desk.user(Desk.carol, [desk.phone(Desk.carol, 42_000)])).contains("INVITE to 42000"))
        #expect(desk.calls.usage.lookUps == 0)
    }

    @Test("Another phone refuses for all (603) while a forward is looked up: its answer rings nobody")
    func forwardDeclinedByAll() throws {
        var desk = Desk()
        try desk.call()
        _ = desk.names()
        _ = desk.found(desk.lookUp, Desk.user(Desk.bob, [desk.phone(Desk.bob, 41_000), desk.phone(Desk.bob, 41_001)]))
        let (first, second) = (desk.asked(.invite, to: 41_000), desk.asked(.invite, to: 41_001))
        _ = try desk.answered(first, 302, more: Self.toCarol)
        let lookUp = desk.lookUp
        _ = try desk.answered(second, 603)
        #expect(desk.found(lookUp, Desk.user(Desk.carol, [desk.phone(Desk.carol, 42_000)])).contains("respond 603"))
        #expect(desk.asked(.invite) == nil)
    }

    @Test("Whom a REFER means is looked up, and the call ends first: the REFER is refused, once")
    func transferOfEndedCall() throws {
        var desk = Desk()
        _ = try ringing(&desk)
        _ = try desk.answered(desk.asked(.invite), 200, more: "<sip:bob@203.0.113.7:41000>", body: Desk.offer)
        let tag = try #require(desk.lastTag)
        _ = desk.calls.acknowledged(try desk.request("ACK", to: "bob", cseq: 1, tag: tag), at: desk.now)
        desk.calls.refer(
            try desk.request("REFER", to: "bob", cseq: 2, tag: tag, more: "Refer-To: <sip:carol@example.com>\r\n"), at: desk.now)
        #expect(desk.names().contains("look up carol@example.com"))
        let lookUp = desk.lookUp
        desk.calls.bye(try desk.request("BYE", to: "bob", cseq: 3, tag: tag), at: desk.now)
        #expect(desk.names().contains("answer 200"))
        _ = desk.closeMedia()
        #expect(desk.calls.usage.calls == 0)
        #expect(desk.found(lookUp, Desk.user(Desk.carol, [])) == ["refuse 481"])
        #expect(desk.calls.usage == CallUsage())
    }

    @Test("Silence on one flow: the next is looked up first, and rung only if it still stands")
    func nextFlow() throws {
        var desk = Desk()
        let other = desk.phone(Desk.bob, 41_001, instance: "i")
        _ = try ringing(&desk, instance: "i", [other])
        let sent = try #require(desk.asked(.invite))
        desk.calls.came(.timeout, of: sent, at: desk.now)
        #expect(desk.names() == ["look up bob@example.com"])
        #expect(
            desk.found(desk.lookUp, Desk.user(Desk.bob, [other])).contains(
                "INVITE to \(sent.flow.remote.port == 41_001 ? 41_000 : 41_001)"))
    }

    @Test("Silence on one flow, and the next is gone: 480")
    func nextFlowGone() throws {
        var desk = Desk()
        _ = try ringing(&desk, instance: "i", [desk.phone(Desk.bob, 41_001, instance: "i")])
        desk.calls.came(.timeout, of: try #require(desk.asked(.invite)), at: desk.now)
        _ = desk.names()
        #expect(desk.found(desk.lookUp, Desk.user(Desk.bob, [])).contains("respond 480"))
    }

    @Test("Silence on one flow, and nobody tells in time whether the next stands: 480")
    func nextFlowOverdue() throws {
        var desk = Desk()
        _ = try ringing(&desk, instance: "i", [desk.phone(Desk.bob, 41_001, instance: "i")])
        desk.calls.came(.timeout, of: try #require(desk.asked(.invite)), at: desk.now)
        _ = desk.names()
        #expect(desk.wait(.seconds(6)).contains("respond 480"))
    }
}

@Suite("Look-ups for a MESSAGE")
struct MessageLookUpTests {
    private func message(_ desk: inout Desk) throws -> [String] {
        let request = try desk.request("MESSAGE", to: "bob", body: "hello")
        desk.calls.message(
            request, to: Desk.bob, isSecret: false, CallParty(address: Desk.alice, account: "alice"), at: desk.now)
        return desk.names()
    }

    @Test("It is delivered once the answer is there")
    func delivered() throws {
        var desk = Desk()
        #expect(try message(&desk) == ["look up bob@example.com"])
        #expect(desk.found(desk.lookUp, Desk.user(Desk.bob, [desk.phone(Desk.bob, 41_000)])) == ["MESSAGE to 41000"])
        #expect(try desk.answered(desk.asked(.message), 200) == ["answer 200"])
        #expect(desk.calls.usage == CallUsage())
    }

    @Test("Nobody tells in time: 504, and a late answer delivers nothing")
    func overdue() throws {
        var desk = Desk()
        _ = try message(&desk)
        let lookUp = desk.lookUp
        #expect(desk.wait(.seconds(6)) == ["refuse 504"])
        #expect(desk.found(lookUp, Desk.user(Desk.bob, [desk.phone(Desk.bob, 41_000)])) == [])
        #expect(desk.calls.usage == CallUsage())
    }
}
