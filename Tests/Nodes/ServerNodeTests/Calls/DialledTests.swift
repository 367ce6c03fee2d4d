import Base
import SIP
import ServerNode
import Testing

@Suite("What is dialled, and how: tel: (RFC 3966), sips: (RFC 3261 26.2.2), Expires, bodies of several parts (RFC 5621)")
struct DialledTests {
    private func numbers(_ change: (inout ServerSettings) -> Void = { _ in }) throws -> (CallFixture, UA) {
        let f = try CallFixture(change)
        f.h.input(
            .accounts(
                [("alice", "secret"), ("101", "word"), ("+49301", "word"), ("bob", "word")].map {
                    Account(username: $0.0, realm: "pinhole", password: $0.1)
                }))
        let phone = UA(f.h, "101", at: "198.51.100.79:5080")
        try phone.register()
        return (f, phone)
    }

    // MARK: tel:

    @Test(
        "A number is a user: without separators, with a context that is a domain of ours or digits, with or without its plus",
        arguments: [
            "tel:101", "tel:1-0.1", "tel:(1)01", "tel:101;phone-context=pinhole", "tel:101;phone-context=+4930", "tel:+101",
            "TEL:+1-01",
        ])
    func number(uri: String) throws {
        let (f, phone) = try numbers()
        let out = try f.alice.invite("", uri: uri)
        let invite = try #require(try phone.mine(out).first)
        #expect(try invite.to.uriText.string == "sip:101@pinhole")
        try phone.called(by: invite)
        let ok = try #require(try f.alice.mine(phone.respond(200, body: UA.offer("198.51.100.79", 30_000, formats: "0"))).last)
        try f.alice.take(ok)
        f.alice.ack()
        #expect(try f.methods(f.alice.send("BYE"), phone) == ["BYE"])
    }

    @Test("The plus of a user's name counts before the number without it; a room is a number too; other domains are not ours")
    func otherNumbers() throws {
        let (f, _) = try numbers { $0.domains = ["pinhole"] }
        let plus = UA(f.h, "+49301", at: "198.51.100.81:5080")
        try plus.register()
        #expect(try f.methods(f.alice.invite("", uri: "tel:+49-30-1"), plus) == ["INVITE"])
        for (uri, status) in [("tel:8000", 200), ("tel:102", 404), ("tel:101;phone-context=example.com", 404)] {
            let caller = UA(f.h, "alice", at: "203.0.113.50:6000")
            caller.callID = "to-\(uri.utf8.count)-\(status)"
            #expect(try f.statuses(caller.invite("", uri: uri), caller).last == status)
        }
    }

    @Test("Nobody registers a number: 416")
    func registerNumber() throws {
        let h = Harness()
        #expect(try h.ask(Register().text.replacing("REGISTER sip:pinhole", with: "REGISTER tel:101")).statusCode == 416)
    }

    @Test("A transfer to a number")
    func transfer() throws {
        let (f, phone) = try numbers()
        try f.talk()
        #expect(try f.methods(f.alice.send("REFER", extra: "Refer-To: <tel:1-01>\r\n"), phone) == ["INVITE"])
    }

    // MARK: sips:

    @Test("sips: asked for in clear: 416, and nobody rings", arguments: [SIPTransport.udp, .tcp, .ws])
    func sipsInClear(transport: SIPTransport) throws {
        let f = try CallFixture(bob: "198.51.100.77:5070", transport)
        let out = try f.alice.invite("bob", uri: "sips:bob@pinhole")
        #expect(try f.statuses(out, f.alice) == [416] && f.bob.mine(out).isEmpty)
        #expect(try f.alice.mine(out)[0].first(.warning)?.value.string.contains("TLS") == true)
    }

    @Test(
        "sips: reaches TLS and secure WebSocket alone; without such a phone 480, Warning 380",
        arguments: [SIPTransport.tls, .wss])
    func sips(transport: SIPTransport) throws {
        let f = try CallFixture()
        let caller = UA(f.h, "alice", at: "203.0.113.50:6000", .tls)
        let refused = try #require(try caller.mine(caller.invite("bob", uri: "sips:bob@pinhole")).last)
        #expect(refused.statusCode == 480 && refused.first(.warning)?.value.string.hasPrefix("380 ") == true)
        try caller.ackRefusal(refused)
        let secret = UA(f.h, "bob", at: "198.51.100.90:5061", transport)
        try secret.register()
        caller.callID = "second"
        let out = try caller.invite("bob", uri: "sips:bob@pinhole")
        #expect(try f.methods(out, secret) == ["INVITE"] && f.bob.mine(out).isEmpty)
        try secret.called(by: try #require(try secret.mine(out).first))
        // Gone: the phone in clear is no second choice.
        let failed = secret.respond(503)
        #expect(try f.bob.mine(failed).isEmpty && f.statuses(failed, caller) == [480])
    }

    @Test("Who was asked by sips: says so in Contact (RFC 3261 12.1.1), and the dialog goes on by it")
    func sipsContact() throws {
        let f = try CallFixture()
        let caller = UA(f.h, "alice", at: "203.0.113.50:6000", .tls)
        let secret = UA(f.h, "bob", at: "198.51.100.90:5061", .tls)
        try secret.register()
        let out = try caller.invite("bob", uri: "sips:bob@pinhole")
        try secret.called(by: try #require(try secret.mine(out).first))
        let ok = try #require(try caller.mine(secret.respond(200, body: UA.offer("198.51.100.90", 30_000))).last)
        #expect(f.h.contacts(ok) == ["<sips:198.51.100.1:5060;transport=tcp>"])
        try caller.take(ok)
        caller.ack()
        #expect(try f.methods(caller.send("BYE"), secret) == ["BYE"])
    }

    @Test("MESSAGE to sips: goes to no phone in clear")
    func sipsMessage() throws {
        let f = try CallFixture()
        let sender = UA(f.h, "alice", at: "203.0.113.50:6000", .tls)
        sender.remoteURI = "sips:bob@pinhole"
        sender.target = sender.remoteURI
        let out = try sender.sendSigned("MESSAGE", extra: "Content-Type: text/plain\r\n", body: "hello")
        #expect(try f.statuses(out, sender) == [480] && f.bob.mine(out).isEmpty)
    }

    // MARK: Expires

    @Test("INVITE with Expires: nobody answers within it: the phone's CANCEL, 487 to the caller (RFC 3261 13.3.1)")
    func expires() throws {
        let f = try CallFixture()
        try f.ring(extra: "Expires: 2\r\n")
        f.bob.respond(180)
        #expect(try f.methods(f.h.advance(.milliseconds(1_999)), f.bob).isEmpty)
        let out = f.h.advance(.milliseconds(1))
        #expect(try f.methods(out, f.bob) == ["CANCEL"] && f.statuses(out, f.alice) == [487])
        f.bob.respond(487)
        try f.alice.ackRefusal(try #require(try f.alice.mine(out).first))
        #expect(f.h.records.map(\.reason) == ["nobody answered within 2 s, as long as the caller would wait"])
        f.expectNothingLeft()
    }

    @Test(
        "Expires longer than a call rings, malformed, or over once it is answered: nothing of it",
        arguments: ["3600", "soon", "2"])
    func expiresElsewhere(value: String) throws {
        let f = try CallFixture()
        if value == "2" {
            try f.talk(extra: "Expires: 2\r\n")
            #expect(f.h.advance(.seconds(10)).isEmpty)
        } else {
            try f.ring(extra: "Expires: \(value)\r\n")
            f.bob.respond(180)
            #expect(try f.statuses(f.h.advance(.seconds(61)), f.alice).first == 480)
        }
    }

    // MARK: Bodies

    private func multipart(_ parts: [String], type: String = "mixed") -> (extra: String, body: String) {
        ("Content-Type: multipart/\(type);boundary=b\r\n", parts.map { "--b\r\n\($0)\r\n" }.joined() + "--b--\r\n")
    }

    private let sdp = "Content-Type: application/sdp\r\n\r\n" + UA.offer("192.168.1.10", 16_384)

    @Test("The SDP of a multipart offer goes on alone; parts that may be left out are")
    func mixed() throws {
        let f = try CallFixture()
        let (extra, body) = multipart([sdp, "Content-Type: application/x-a\r\nContent-Disposition: x;handling=optional\r\n\r\nx"])
        let out = try f.alice.invite("bob", body: body, extra: extra)
        let invite = try #require(try f.bob.mine(out).first)
        #expect(invite.first(.contentType)?.value.string == "application/sdp" && invite.sdp.hasPrefix("v=0\r\n"))
        try f.bob.called(by: invite)
        let answer = UA.offer("198.51.100.77", 30_000, formats: "0 101")
        let ok = try #require(try f.alice.mine(f.bob.respond(200, body: answer)).last)
        #expect(ok.statusCode == 200 && ok.sdp.contains("m=audio"))
    }

    @Test(
        "A part or a body that is unknown and needed: 415 with Accept; one that cannot be taken apart: 400",
        arguments: [
            ("Content-Type: application/x-a\r\n\r\nx", "mixed", 415), ("x", "signed", 415),
            ("Content-Type: application/sdp\r\n\r\nv=0", "mixed", 400),
        ])
    func refused(part: String, type: String, status: Int) throws {
        let f = try CallFixture()
        let (extra, body) = multipart([sdp, part], type: type)
        let answer = try #require(try f.alice.mine(f.alice.invite("bob", body: body, extra: extra)).last)
        #expect(answer.statusCode == status)
        guard status == 415 else { return }
        #expect(answer.first(.accept)?.value.string == "application/sdp, multipart/mixed")
        #expect(answer.first(.acceptEncoding)?.value.string == "identity")
    }

    @Test("No multipart: what is unknown and may be left out is no offer, what is needed is 415; no boundary: 400")
    func single() throws {
        for (extra, status) in [
            ("Content-Type: application/x-a\r\n", 415), ("Content-Type: multipart/mixed\r\n", 400),
            ("Content-Type: application/x-a\r\nContent-Disposition: x;handling=optional\r\n", 100),
        ] {
            let f = try CallFixture()
            let out = try f.alice.invite("bob", body: "x", extra: extra)
            #expect(try f.statuses(out, f.alice).last == status)
            if status == 100 { #expect(try f.bob.mine(out).first?.body.isEmpty == true) }
        }
    }

    @Test("A multipart re-INVITE and UPDATE are read like the first; refused ones say what is taken")
    func later() throws {
        let f = try CallFixture()
        try f.talk()
        let (bad, badBody) = multipart([sdp, "Content-Type: application/x-a\r\n\r\nx"])
        for method in ["INVITE", "UPDATE"] {
            let refused = try #require(try f.alice.mine(f.alice.send(method, extra: bad, body: badBody)).last)
            #expect(refused.statusCode == 415 && refused.contains(.accept), "\(method)")
        }
        let hold = "Content-Type: application/sdp\r\n\r\n" + UA.offer("192.168.1.10", 16_384, direction: "sendonly", version: 2)
        let (extra, body) = multipart([hold])
        let relayed = try #require(try f.bob.mine(f.alice.send("INVITE", extra: extra, body: body)).first)
        #expect(relayed.sdp.contains("a=sendonly") && relayed.first(.contentType)?.value.string == "application/sdp")
    }
}
