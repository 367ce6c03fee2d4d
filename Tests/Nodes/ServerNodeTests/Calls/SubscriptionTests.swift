import Base
import SIP
import ServerNode
import Testing

@Suite("SUBSCRIBE and NOTIFY: RFC 6665 with dialog (4235), reg (3680), message-summary (3842)")
struct SubscriptionTests {
    /// SUBSCRIBE with credentials: the final answer and what else was sent.
    @discardableResult
    func subscribe(
        _ phone: UA, to user: String, event: String?, expires: Int? = 600
    ) throws -> (answer: SIPMessage, out: [(flow: FlowID, bytes: [UInt8])]) {
        phone.remoteURI = "sip:\(user)@pinhole"
        phone.target = phone.remoteURI
        let extra = (event.map { "Event: \($0)\r\n" } ?? "") + (expires.map { "Expires: \($0)\r\n" } ?? "")
        let challenge = try #require(try phone.mine(phone.send("SUBSCRIBE", extra: extra)).first)
        let value = challenge.all(.wwwAuthenticate).map(\.value.string).first { $0.contains("MD5") } ?? ""
        phone.authorization = Credentials(challenge: value).header(
            username: phone.user, password: phone.password, method: "SUBSCRIBE", uri: phone.target)
        let out = phone.send("SUBSCRIBE", extra: extra)
        phone.authorization = nil
        let answer = try #require(try phone.mine(out).first)
        if answer.statusCode == 200 { try phone.take(answer) }
        return (answer, out)
    }

    func watcher(_ f: CallFixture, _ user: String = "carol") -> UA {
        let phone = UA(f.h, user, at: "203.0.113.99:7000")
        phone.callID = "watch-\(user)"
        return phone
    }

    @Test("Busy lamp: idle at first, early, confirmed and idle again, each NOTIFY after the one before was answered")
    func lamp() throws {
        let f = try CallFixture()
        let carol = watcher(f)
        let (answer, out) = try subscribe(carol, to: "bob", event: "dialog")
        #expect(answer.statusCode == 200 && answer.first(.expires)?.value.string == "600")
        let first = try #require(try carol.mine(out).last)
        #expect(first.method == .notify && first.first(.subscriptionState)?.value.string == "active;expires=600")
        #expect(first.first(.contentType)?.value.string == "application/dialog-info+xml")
        #expect(first.sdp.contains("version=\"0\" state=\"full\" entity=\"sip:bob@pinhole\">\r\n</dialog-info>"))
        carol.respond(200, to: first)
        try f.ring()
        let early = try #require(try carol.mine(f.bob.respond(180)).first)
        #expect(early.sdp.contains("<state>early</state>") && early.sdp.contains("direction=\"recipient\""))
        #expect(early.sdp.contains("<identity>sip:alice@pinhole</identity>"))
        // Identifiers are for those who may pick up.
        #expect(!early.sdp.contains("-tag") && !early.sdp.contains("call-id"))
        // Unanswered as yet: the next state waits.
        let answered = f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000))
        #expect(try carol.mine(answered).isEmpty)
        let confirmed = try #require(try carol.mine(carol.respond(200, to: early)).first)
        #expect(confirmed.sdp.contains("<state>confirmed</state>") && !confirmed.sdp.contains("local-tag"))
        carol.respond(200, to: confirmed)
        try f.alice.take(try #require(try f.alice.mine(answered).first))
        f.alice.ack()
        let idle = try #require(try carol.mine(f.alice.send("BYE")).first)
        #expect(idle.sdp.contains("entity=\"sip:bob@pinhole\">\r\n</dialog-info>"))
        carol.respond(200, to: idle)
        carol.send("SUBSCRIBE", extra: "Event: dialog\r\nExpires: 0\r\n")
        f.expectNothingLeft()
    }

    @Test("reg: one's own bindings, told anew when they change; another's are 403")
    func registrations() throws {
        let f = try CallFixture()
        let phone = UA(f.h, "bob", at: "198.51.100.77:5070")
        phone.callID = "watch"
        let (_, out) = try subscribe(phone, to: "bob", event: "reg")
        let first = try #require(try phone.mine(out).last)
        #expect(first.sdp.contains("<uri>sip:bob@198.51.100.77:5070</uri>") && first.sdp.contains("state=\"active\""))
        phone.respond(200, to: first)
        let other = UA(f.h, "bob", at: "198.51.100.78:5070")
        let before = f.h.sent.count
        // The 200 and the NOTIFY are two answers to what was asked once.
        #expect(throws: Harness.NotOneAnswer.self) { try other.register() }
        let told = try phone.mine(Array(f.h.sent[before...]))
        #expect(told.first?.sdp.contains("sip:bob@198.51.100.78:5070") == true)
        #expect(try subscribe(watcher(f), to: "bob", event: "reg").answer.statusCode == 403)
    }

    @Test("message-summary: no messages; another's mailbox is 403")
    func mailbox() throws {
        let f = try CallFixture()
        let carol = watcher(f)
        let (_, out) = try subscribe(carol, to: "carol", event: "message-summary")
        let notify = try #require(try carol.mine(out).last)
        #expect(notify.sdp == "Messages-Waiting: no\r\nMessage-Account: sip:carol@pinhole\r\nVoice-Message: 0/0 (0/0)\r\n")
        let nosy = watcher(f)
        nosy.callID = "nosy"
        #expect(try subscribe(nosy, to: "bob", event: "message-summary").answer.statusCode == 403)
    }

    @Test("Other events, or none: 489 with Allow-Events", arguments: ["presence", "refer", "dialogue", nil])
    func unknown(_ event: String?) throws {
        let f = try CallFixture()
        let answer = try subscribe(watcher(f), to: "bob", event: event).answer
        #expect(answer.statusCode == 489)
        #expect(answer.first(.allowEvents)?.value.string == "dialog, reg, message-summary, refer")
    }

    struct Wish: Sendable {
        var asked: Int?
        var status: Int
        var granted: String?

        init(_ asked: Int?, _ status: Int, _ granted: String?) {
            self.asked = asked
            self.status = status
            self.granted = granted
        }
    }

    @Test(
        "Expires: too brief is 423, too long is cut, 0 asks once, none is an hour",
        arguments: [Wish(30, 423, nil), Wish(86_400, 200, "7200"), Wish(0, 200, "0"), Wish(nil, 200, "3600")])
    func expiry(_ wish: Wish) throws {
        let f = try CallFixture()
        let carol = watcher(f)
        let (answer, out) = try subscribe(carol, to: "bob", event: "dialog", expires: wish.asked)
        #expect(answer.statusCode == wish.status && answer.first(.expires)?.value.string == wish.granted)
        if wish.status == 423 { #expect(answer.first(.minExpires)?.value.string == "60") }
        if wish.asked == 0 {
            #expect(try carol.mine(out).last?.first(.subscriptionState)?.value.string == "terminated;reason=timeout")
            f.expectNothingLeft()
        }
    }

    @Test("A subscription that is not refreshed ends with a NOTIFY that says so; a refreshed one goes on; nothing is left")
    func expires() throws {
        let f = try CallFixture()
        let carol = watcher(f)
        let (_, out) = try subscribe(carol, to: "bob", event: "dialog")
        carol.respond(200, to: try carol.mine(out).last)
        f.h.advance(.seconds(500))
        let refreshed = carol.send("SUBSCRIBE", extra: "Event: dialog\r\nExpires: 600\r\n")
        #expect(try f.statuses(refreshed, carol) == [200])
        carol.respond(200, to: try carol.mine(refreshed).last)
        #expect(f.h.advance(.seconds(599)).isEmpty)
        let end = try #require(try carol.mine(f.h.advance(.milliseconds(1_200))).first)
        #expect(end.first(.subscriptionState)?.value.string == "terminated;reason=timeout")
        f.expectNothingLeft()
    }

    @Test("A watcher that answers 481, or nothing, is forgotten", arguments: [481, 0])
    func forgotten(_ status: Int) throws {
        let f = try CallFixture()
        let carol = watcher(f)
        let (_, out) = try subscribe(carol, to: "bob", event: "dialog")
        if status > 0 { carol.respond(status, to: try carol.mine(out).last) } else { f.h.advance(.seconds(33)) }
        #expect(f.h.server.callUsage.subscriptions == 0)
        f.expectNothingLeft()
    }

    @Test("A watcher whose connection closes is forgotten")
    func closed() throws {
        let f = try CallFixture()
        let carol = UA(f.h, "carol", at: "203.0.113.99:7000", .tcp)
        try subscribe(carol, to: "bob", event: "dialog")
        f.h.input(.closed(carol.flow))
        #expect(f.h.server.callUsage.subscriptions == 0)
        f.expectNothingLeft()
    }

    @Test("Each account has so many subscriptions and no more: 503")
    func capped() throws {
        let f = try CallFixture({ $0.limits.subscriptionsPerAccount = 2 })
        for (index, status) in [200, 200, 503].enumerated() {
            let phone = watcher(f)
            phone.callID = "watch\(index)"
            #expect(try subscribe(phone, to: "bob", event: "dialog").answer.statusCode == status)
        }
    }

    @Test("Names in the documents cannot break out of the XML")
    func escaped() throws {
        let f = try CallFixture({ $0.calls.anonymousCalls = true })
        let carol = watcher(f)
        let (_, out) = try subscribe(carol, to: "bob", event: "dialog")
        carol.respond(200, to: try carol.mine(out).last)
        let stranger = UA(f.h, "x", at: "192.0.2.66:5060")
        stranger.localURI = "sip:a%22%3e%3cb&c@elsewhere.example"
        let rung = try stranger.invite("bob", authenticates: false)
        try f.bob.called(by: try #require(try f.bob.mine(rung).first))
        let early = try #require(try carol.mine(f.bob.respond(180)).first)
        #expect(early.sdp.contains("<identity>sip:a%22%3E%3Cb&amp;c@elsewhere.example</identity>"))
    }
}
