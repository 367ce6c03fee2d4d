import Base
import SIP
import ServerNode
import Testing

@Suite("Picking up what rings elsewhere: RFC 3891, RFC 4235")
struct PickUpTests {
    /// Bob rings; what a watcher is told of his dialog, and the watcher.
    private func ringing(watcher user: String, groups: [Set<String>]) throws -> (f: CallFixture, watcher: UA, document: String) {
        let f = try CallFixture { $0.calls.pickupGroups = groups }
        let watcher = UA(f.h, user, at: "198.51.100.79:5080", password: "word")
        watcher.callID = "watch"
        watcher.target = "sip:bob@pinhole"
        watcher.remoteURI = watcher.target
        let answers = try watcher.mine(try watcher.sendSigned("SUBSCRIBE", extra: "Event: dialog\r\nExpires: 600\r\n"))
        try watcher.take(try #require(answers.first))
        watcher.respond(200, to: answers.last)
        try f.ring()
        let early = try #require(try watcher.mine(f.bob.respond(180)).first)
        watcher.respond(200, to: early)
        return (f, watcher, early.sdp)
    }

    private func attribute(_ name: String, _ document: String) -> String? {
        guard let range = document.range(of: " \(name)=\"") else { return nil }
        return String(document[range.upperBound...].prefix { $0 != "\"" })
    }

    private func replaces(_ document: String) throws -> String {
        let callID = try #require(attribute("call-id", document))
        let local = try #require(attribute("local-tag", document))
        let remote = try #require(attribute("remote-tag", document))
        return "Replaces: \(callID);to-tag=\(local);from-tag=\(remote)\r\n"
    }

    @Test("A member of the group gets the call by identifiers that are not the dialog's; the phone stops ringing")
    func member() throws {
        let (f, _, document) = try ringing(watcher: "carol", groups: [["bob", "carol"]])
        let invite = try #require(f.invite)
        #expect(!document.contains(try invite.callID.string) && !document.contains(f.bob.localTag))
        #expect(!document.contains(f.bob.remoteTag!))
        let carol = UA(f.h, "carol", at: "198.51.100.79:5080")
        let out = try carol.invite("bob", body: UA.offer("198.51.100.79", 34_000), extra: replaces(document))
        let ok = try #require(try carol.mine(out).last { $0.statusCode != nil })
        #expect(ok.statusCode == 200)
        try carol.take(ok)
        carol.ack()
        let answered = try #require(try f.alice.mine(out).first)
        #expect(answered.statusCode == 200)
        try f.alice.take(answered)
        f.alice.ack()
        #expect(try f.methods(out, f.bob) == ["CANCEL"])
        f.bob.respond(487)
        #expect(try f.methods(f.alice.send("BYE"), carol).contains("BYE"))
    }

    @Test("The tags the other way round, as some phones write them, do as well")
    func turned() throws {
        let (f, _, document) = try ringing(watcher: "carol", groups: [["bob", "carol"]])
        let local = try #require(attribute("local-tag", document))
        let remote = try #require(attribute("remote-tag", document))
        let turned = try replaces(document).replacing("to-tag=\(local)", with: "to-tag=\(remote)").replacing(
            "from-tag=\(remote)", with: "from-tag=\(local)")
        let carol = UA(f.h, "carol", at: "198.51.100.79:5080")
        let out = try carol.invite("bob", body: UA.offer("198.51.100.79", 34_000), extra: turned)
        #expect(try f.statuses(out, carol).last == 200)
    }

    @Test("Whoever is in no group with it learns no identifiers; with those of another he gets 403, and it rings on")
    func stranger() throws {
        let (f, _, document) = try ringing(watcher: "dave", groups: [["bob", "carol"]])
        #expect(attribute("call-id", document) == nil && document.contains("<state>early</state>"))
        let known = try ringing(watcher: "carol", groups: [["bob", "carol"]])
        let dave = UA(known.f.h, "dave", at: "198.51.100.80:5080")
        let out = try dave.invite("bob", body: UA.offer("198.51.100.80", 34_000), extra: replaces(known.document))
        #expect(try known.f.statuses(out, dave) == [403])
        #expect(try known.f.methods(out, known.f.bob).isEmpty && known.f.h.server.callUsage.calls == 1)
        #expect(f.h.server.callUsage.calls == 1)
    }

    @Test(
        "The dialog's own identifiers are its account's alone: another account gets 403, ringing or up", arguments: [false, true])
    func ownIdentifiers(_ isUp: Bool) throws {
        let f = try CallFixture { $0.calls.pickupGroups = [["bob", "carol"]] }
        if isUp { try f.talk() } else { try f.ring() }
        if !isUp { f.bob.respond(180) }
        let replaces = "Replaces: \(f.bob.callID);to-tag=\(f.bob.localTag);from-tag=\(f.bob.remoteTag!)\r\n"
        let carol = UA(f.h, "carol", at: "198.51.100.79:5080")
        let out = try carol.invite("bob", body: UA.offer("198.51.100.79", 34_000), extra: replaces)
        #expect(try f.statuses(out, carol) == [403])
        #expect(try f.methods(out, f.bob).isEmpty && f.methods(out, f.alice).isEmpty)
        #expect(f.h.server.callUsage.calls == 1)
    }

    @Test("Another phone of the account that rings picks up without any group")
    func ownAccount() throws {
        let (f, _, document) = try ringing(watcher: "bob", groups: [])
        let second = UA(f.h, "bob", at: "198.51.100.79:5080")
        let out = try second.invite("bob", body: UA.offer("198.51.100.79", 34_000), extra: replaces(document))
        #expect(try f.statuses(out, second).last == 200)
    }

    @Test("Once the call is up, the identifiers are worth nothing")
    func tooLate() throws {
        let (f, _, document) = try ringing(watcher: "carol", groups: [["bob", "carol"]])
        f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000))
        let carol = UA(f.h, "carol", at: "198.51.100.79:5080")
        let out = try carol.invite("bob", body: UA.offer("198.51.100.79", 34_000), extra: replaces(document))
        #expect(try f.statuses(out, carol) == [481])
    }
}

@Suite("Headers that make a phone answer by itself: RFC 3261 20.4, 20.9, RFC 7462")
struct IntercomTests {
    @Test(
        "They reach a phone only within an intercom group; what rings differently passes",
        arguments: [
            ("Alert-Info: <http://x>;answer-after=0", false), ("Alert-Info: info=alert-autoanswer;delay=0", false),
            ("Alert-Info: Ring Answer", false), ("Alert-Info: <urn:alert:source:internal>", true),
            ("Alert-Info: <urn:alert:source:internal>;answer-after=0", false), ("Call-Info: <sip:x>;answer-after=0", false),
            ("Call-Info: <http://x/icon.png>;purpose=icon", true), ("Call-Info: <sip:x>;purpose=icon;answer-after=0", false),
        ])
    func headers(_ header: String, _ passes: Bool) throws {
        for group in [[], [Set(["alice", "bob"])], [Set(["alice", "carol"])]] {
            let f = try CallFixture { $0.calls.intercomGroups = group }
            let invite = try f.ring(extra: header + "\r\n")
            let isThere = invite.contains(.alertInfo) || invite.contains(.callInfo)
            #expect(isThere == (passes || group == [["alice", "bob"]]))
        }
    }
}
