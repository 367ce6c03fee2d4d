import Base
import SIP
import ServerNode
import Testing

@Suite("Who calls: what a phone is shown it can dial, and who asks for privacy is not shown (RFC 3323, RFC 3325)")
struct NameTests {
    /// Bob registers once more, from another place and under another name of ours.
    private func secondBob(_ f: CallFixture, domain: String, at remote: String = "198.51.100.78:5070") throws -> UA {
        let phone = UA(f.h, "bob", at: remote)
        phone.domain = domain
        try phone.register()
        return phone
    }

    @Test(
        "From and To carry the domain that the phone registered with",
        arguments: [
            ("sip.example.net", "sip.example.net"), ("198.51.100.1", "198.51.100.1"), ("198.51.100.1:5060", "198.51.100.1"),
            ("198.51.100.1:5070", "198.51.100.1:5070"), ("[2001:db8::1]", "[2001:db8::1]"),
        ])
    func domain(registered: String, shown: String) throws {
        let f = try CallFixture()
        let phone = try secondBob(f, domain: registered)
        let out = try f.alice.invite("bob")
        let invite = try #require(try phone.mine(out).first)
        #expect(try invite.from.uriText.string == "sip:alice@\(shown)")
        #expect(try invite.to.uriText.string == "sip:bob@\(shown)")
        // The other of his phones knows us by another.
        let other = try #require(try f.bob.mine(out).first)
        #expect(try other.from.uriText.string == "sip:alice@pinhole" && other.to.uriText.string == "sip:bob@pinhole")
        #expect(f.h.contacts(invite) == ["<sip:198.51.100.1:5060>"])
    }

    @Test("Contact is our address as that phone sees it")
    func contact() throws {
        let f = try CallFixture {
            $0.advertised = [.init(peers: IPPrefix("203.0.113.0/24")!, host: "192.0.2.9", port: 5080)]
        }
        let phone = try secondBob(f, domain: "192.0.2.9", at: "203.0.113.8:5070")
        let invite = try #require(try phone.mine(try f.alice.invite("bob")).first)
        #expect(f.h.contacts(invite) == ["<sip:192.0.2.9:5080>"])
        #expect(try invite.from.uriText.string == "sip:alice@192.0.2.9")
    }

    @Test("A phone whose binding does not say is told our address, or the domain that is configured", arguments: [true, false])
    func unknown(hasDomain: Bool) throws {
        let f = try CallFixture { if hasDomain { $0.domains = ["pinhole"] } }
        let flow = Harness.flow(Endpoint("198.51.100.90:5070")!)
        let binding = Binding(
            contact: Array("sip:carol@198.51.100.90:5070".utf8), parameters: [UInt8](), callID: [1], instance: [UInt8](),
            path: [UInt8](), userAgent: [UInt8](), cseq: 1, expires: f.h.now + .seconds(600), updated: f.h.now, flow: flow)!
        f.h.input(.restore([StoredBinding(aor: AddressOfRecord("carol@pinhole")!, binding: binding)]))
        let invite = try #require(try f.alice.invite("carol").first { $0.flow == flow })
        let from = try SIPMessage(parsing: invite.bytes).from
        #expect(from.uriText.string == (hasDomain ? "sip:alice@pinhole" : "sip:alice@198.51.100.1"))
    }

    @Test("Who is of another domain of ours stays of it")
    func twoDomains() throws {
        let f = try CallFixture { $0.domains = ["pinhole", "example.org"] }
        f.h.input(
            .accounts([
                Account(username: "alice", realm: "pinhole", password: "secret", domain: "pinhole"),
                Account(username: "bob", realm: "pinhole", password: "word", domain: "example.org"),
            ]))
        let phone = try secondBob(f, domain: "example.org")
        f.alice.remoteURI = "sip:bob@example.org"
        f.alice.target = f.alice.remoteURI
        let out = try f.alice.sendSigned("INVITE", body: UA.offer("192.168.1.10", 16_384))
        let invite = try #require(try phone.mine(out).first)
        #expect(try invite.from.uriText.string == "sip:alice@pinhole" && invite.to.uriText.string == "sip:bob@example.org")
    }

    @Test("MESSAGE, Referred-By and the dialog package say it in the same way")
    func elsewhere() throws {
        let f = try CallFixture()
        let carol = UA(f.h, "carol", at: "198.51.100.79:5080")
        carol.domain = "sip.example.net"
        try carol.register()
        f.bob.remoteURI = "sip:carol@pinhole"
        f.bob.target = f.bob.remoteURI
        let text = try #require(
            try carol.mine(f.bob.sendSigned("MESSAGE", extra: "Content-Type: text/plain\r\n", body: "hello")).first)
        #expect(
            try text.from.uriText.string == "sip:bob@sip.example.net" && text.to.uriText.string == "sip:carol@sip.example.net")
        let lamp = UA(f.h, "dave", at: "203.0.113.99:7000")
        lamp.remoteURI = "sip:bob@192.0.2.1"
        lamp.target = lamp.remoteURI
        try lamp.take(try #require(try lamp.mine(lamp.sendSigned("SUBSCRIBE", extra: "Event: dialog\r\n")).first))
        try f.talk()
        let notify = try #require(try f.h.sent.filter { $0.flow == lamp.flow }.map { try SIPMessage(parsing: $0.bytes) }.last)
        lamp.respond(200, to: notify)
        let news = try #require(try f.h.sent.filter { $0.flow == lamp.flow }.map { try SIPMessage(parsing: $0.bytes) }.last)
        #expect(
            news.sdp.contains("entity=\"sip:bob@192.0.2.1\"") && news.sdp.contains("<identity>sip:alice@192.0.2.1</identity>"))
        let rung = try #require(try carol.mine(f.alice.send("REFER", extra: "Refer-To: <sip:carol@pinhole>\r\n")).first)
        #expect(rung.first(.referredBy)?.value.string == "<sip:alice@sip.example.net>")
        #expect(try rung.from.uriText.string == "sip:bob@sip.example.net")
    }

    // MARK: Privacy

    @Test(
        "Who asks for privacy is shown to nobody: neither in the INVITE nor to those who watch",
        arguments: ["Privacy: id\r\n", "Privacy: header;user\r\n", "Privacy: user\r\n", "Privacy: critical; ID\r\n"])
    func privacy(header: String) throws {
        let f = try CallFixture()
        let lamp = UA(f.h, "carol", at: "203.0.113.99:7000")
        lamp.remoteURI = "sip:bob@pinhole"
        lamp.target = lamp.remoteURI
        let first = try lamp.mine(lamp.sendSigned("SUBSCRIBE", extra: "Event: dialog\r\n"))
        try lamp.take(first[0])
        lamp.respond(200, to: first[1])
        let extra =
            header + "P-Preferred-Identity: <sip:alice@pinhole>\r\nSubject: alice\r\nCall-Info: <http://alice>;purpose=icon\r\n"
        let invite = try f.ring(extra: extra)
        #expect(try invite.from.uriText.string == "sip:anonymous@anonymous.invalid")
        #expect(!String(decoding: invite.bytes, as: UTF8.self).contains("alice"))
        let early = try #require(try lamp.mine(f.bob.respond(180)).first)
        #expect(early.sdp.contains("<identity>sip:anonymous@anonymous.invalid</identity>") && !early.sdp.contains("alice"))
        // The administrator is told.
        f.alice.cancel()
        #expect(f.h.lastTexts.contains { $0.contains("alice@pinhole gave up") })
    }

    @Test(
        "An anonymous From asks for it too; Privacy: none, session and history do not", arguments: ["none", "session", "history"])
    func noPrivacy(value: String) throws {
        let f = try CallFixture()
        #expect(try f.ring(extra: "Privacy: \(value)\r\n").from.uriText.string == "sip:alice@pinhole")
        let g = try CallFixture()
        g.alice.localURI = "sip:anonymous@anonymous.invalid"
        #expect(try g.ring().from.uriText.string == "sip:anonymous@anonymous.invalid")
    }
}
