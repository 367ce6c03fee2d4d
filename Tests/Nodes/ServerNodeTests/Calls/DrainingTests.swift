import Base
import SIP
import ServerNode
import Testing

@Suite("A server that is about to stop takes no calls, and lets those that run go on")
struct DrainingTests {
    @Test("While it drains an INVITE gets 503 with Retry-After, nobody rings, and REGISTER is answered as ever")
    func refuses() throws {
        let f = try CallFixture()
        f.h.input(.drain)
        let out = try f.alice.invite("bob")
        #expect(try f.statuses(out, f.alice) == [503])
        #expect(try f.alice.mine(out).first?.first(.retryAfter)?.value.string == "5")
        #expect(try f.bob.mine(out).isEmpty)
        #expect(try f.bob.register().statusCode == 200)
        f.expectNothingLeft()
    }

    @Test("A call that runs while it drains goes on: its re-INVITE and its BYE are answered")
    func goesOn() throws {
        let f = try CallFixture()
        try f.talk()
        f.h.input(.drain)
        #expect(f.h.server.callUsage.calls == 1)
        let over = f.alice.send("BYE")
        #expect(try f.statuses(over, f.alice) == [200])
        f.bob.respond(200, to: try f.bob.mine(over)[0])
        #expect(f.h.records.map(\.reason) == ["alice@pinhole hung up"])
        f.expectNothingLeft()
    }

    @Test("Hanging up sends BYE with its reason to both who talk; the record says why")
    func hangsUpTalking() throws {
        let f = try CallFixture()
        try f.talk()
        f.h.input(.drain)
        let out = f.h.input(.hangUp)
        for phone in [f.alice, f.bob] {
            let bye = try #require(try phone.mine(out).first)
            #expect(bye.method == .bye)
            #expect(bye.first(.init("Reason"))?.value.string == "SIP;cause=503;text=\"the server stops\"")
            phone.respond(200, to: bye)
        }
        #expect(f.h.records.map(\.reason) == ["the server stops"])
        #expect(f.h.server.callUsage.calls == 0)
        f.expectNothingLeft()
    }

    @Test("Hanging up cancels what rings, and the caller who waits gets 503")
    func hangsUpRinging() throws {
        let f = try CallFixture()
        try f.ring()
        f.bob.respond(180)
        let out = f.h.input(.hangUp)
        #expect(try f.statuses(out, f.alice) == [503])
        #expect(try f.methods(out, f.bob) == ["CANCEL"])
        #expect(f.h.records.map(\.reason) == ["the server stops"])
        f.expectNothingLeft()
    }
}

@Suite("Settings change while the server runs")
struct SettingsChangeTests {
    @Test("A room that is added can be called, one that is gone cannot, and a call that runs goes on")
    func rooms() throws {
        let f = try CallFixture { $0.calls.rooms = [.init(name: "meeting")] }
        try f.talk()
        var settings = f.h.server.settings
        settings.calls.rooms = [.init(name: "board")]
        f.h.input(.settings(settings))
        let carol = UA(f.h, "carol", at: "203.0.113.9:5060")
        #expect(try f.statuses(try carol.invite("meeting"), carol) == [404])
        let dave = UA(f.h, "dave", at: "203.0.113.10:5060")
        #expect(try f.statuses(try dave.invite("board"), dave) == [200])
        let over = f.alice.send("BYE")
        #expect(try f.statuses(over, f.alice) == [200])
    }

    @Test("A registration after the change is granted by the new rules; the binding there was keeps its time")
    func expiry() throws {
        let h = Harness(ServerSettings(), accounts: [("alice", "secret"), ("carol", "word")])
        try UA(h, "alice", at: "203.0.113.7:40000").register()
        let before = try #require(h.server.allBindings().first?.binding.expires)
        var settings = h.server.settings
        settings.expiry.longest = 120
        settings.expiry.usual = 120
        h.input(.settings(settings))
        try UA(h, "carol", at: "203.0.113.9:40000").register()
        let expiries = Dictionary(uniqueKeysWithValues: h.server.allBindings().map { ($0.aor.user, $0.binding.expires) })
        #expect(expiries == ["alice": before, "carol": h.now + .seconds(120)])
    }

    @Test("What the media plane can do, the realm and the domains stay as they were")
    func stays() throws {
        var settings = ServerSettings()
        settings.calls.srtpAvailable = true
        settings.calls.codecs = []
        let h = Harness(settings, accounts: [])
        var new = ServerSettings()
        new.realm = "other"
        new.domains = ["other.example"]
        new.limits.calls = 3
        h.input(.settings(new))
        #expect(h.server.settings.calls.srtpAvailable && h.server.settings.calls.codecs.isEmpty)
        #expect(h.server.settings.realm == "pinhole" && h.server.settings.domains.isEmpty)
        #expect(h.server.settings.limits.calls == 3)
    }
}
