import Base
import Foundation
import SIP
import SIPStack
import ServerNode
import Testing

@Suite("Registrar, RFC 3261 section 10")
struct RegistrarTests {
    @Test("10.3: challenge, answer, 200 with the binding and its expires, and a Date")
    func mainPath() throws {
        let h = Harness()
        let first = Register()
        let challenge = try h.ask(first.text)
        #expect(challenge.statusCode == 401)
        #expect(
            try challenge.topVia.text.string
                == "SIP/2.0/UDP 192.168.1.10:5060;branch=z9hG4bKc1-1;received=203.0.113.7;rport=40000")
        #expect(challenge.all(.wwwAuthenticate).map { $0.value.string.contains("SHA-256") } == [true, false])
        let ok = try h.ask(first.answering(challenge, algorithm: "MD5").text)
        #expect(ok.statusCode == 200)
        #expect(h.contacts(ok) == ["<sip:alice@192.168.1.10:5060>;expires=3600"])
        #expect(ok.first(.date)?.value.string == "Fri, 15 Jan 2027 08:00:00 GMT")
        #expect(try ok.to.tag != nil)
        #expect(try ok.cseq.number == 2)
        #expect(h.alice.first?.flow == Harness.flow())
        #expect(h.alice.first?.reach == .reachable)
    }

    @Test("The exact bytes of a 200")
    func exactBytes() throws {
        let h = Harness()
        _ = try h.register()
        let text = String(decoding: try #require(h.sent.last).bytes, as: UTF8.self)
        let tag = String(text.components(separatedBy: "To: <sip:alice@pinhole>;tag=")[1].prefix(16))
        #expect(
            text == """
                SIP/2.0 200 OK\r
                Via: SIP/2.0/UDP 192.168.1.10:5060;branch=z9hG4bKc1-2;received=203.0.113.7;rport=40000\r
                From: <sip:alice@pinhole>;tag=f1\r
                To: <sip:alice@pinhole>;tag=\(tag)\r
                Call-ID: c1@192.168.1.10\r
                CSeq: 2 REGISTER\r
                Server: Pinhole\r
                Contact: <sip:alice@192.168.1.10:5060>;expires=3600\r
                Date: Fri, 15 Jan 2027 08:00:00 GMT\r
                Supported: path, outbound\r
                Content-Length: 0\r
                \r

                """)
    }

    @Test(
        "10.2.1.1, 10.3 step 7: expires from the contact, else from Expires, else the default; never longer than the longest",
        arguments: [
            ("<sip:alice@192.168.1.10>;expires=120", "600", 120),
            ("<sip:alice@192.168.1.10>", "600", 600),
            ("<sip:alice@192.168.1.10>", nil, 3600),
            ("<sip:alice@192.168.1.10>;expires=99999", nil, 7200),
            ("<sip:alice@192.168.1.10>;expires=99999999999999999999", nil, 7200),
            ("<sip:alice@192.168.1.10>;expires=soon", "600", 3600),
            ("<sip:alice@192.168.1.10>;EXPIRES=300", nil, 300),
        ] as [(String, String?, Int)])
    func expires(contact: String, header: String?, granted: Int) throws {
        let h = Harness()
        let ok = try h.register(Register(contact: contact, expires: header))
        #expect(ok.statusCode == 200)
        #expect(h.contacts(ok) == ["<sip:alice@192.168.1.10>;expires=\(granted)"])
        #expect(h.alice.first?.expires == h.now + .seconds(granted))
    }

    @Test(
        "10.3 step 7: 423 with Min-Expires only above zero, below an hour and below the minimum",
        arguments: [("1", 423), ("59", 423), ("60", 200), ("61", 200), ("0", 200)])
    func tooBrief(expires: String, status: Int) throws {
        let h = Harness()
        let answer = try h.register(Register(expires: expires))
        #expect(answer.statusCode == status)
        #expect(try answer.minExpires == (status == 423 ? 60 : nil))
    }

    @Test("10.3 step 7: a minimum above an hour refuses nothing of an hour or more")
    func hourIsEnough() throws {
        var settings = ServerSettings()
        settings.expiry.shortest = 7200
        let h = Harness(settings)
        #expect(try h.register(Register(expires: "3599")).statusCode == 423)
        #expect(try h.register(Register(callID: "c2", expires: "3600")).statusCode == 200)
    }

    @Test("10.2.3: without Contact the bindings are listed and left unchanged")
    func fetch() throws {
        let h = Harness()
        _ = try h.register(Register(contact: "<sip:alice@192.168.1.10>;q=0.5;expires=600"))
        h.advance(.seconds(100))
        let ok = try h.register(Register(callID: "c2", contact: nil))
        #expect(h.contacts(ok) == ["<sip:alice@192.168.1.10>;q=0.500;expires=500"])
        #expect(h.alice.first?.cseq == 2)
    }

    @Test("10.2.1: several contacts in one request, each with its parameters; the 200 lists all")
    func severalContacts() throws {
        let h = Harness()
        let ok = try h.register(
            Register(
                contact:
                    "<sip:alice@192.168.1.10>;expires=600, \"Al\" <sip:alice@192.168.1.11>;q=0.7;+sip.instance=\"<urn:uuid:1>\""))
        #expect(
            h.contacts(ok) == [
                "<sip:alice@192.168.1.10>;expires=600",
                "<sip:alice@192.168.1.11>;+sip.instance=\"<urn:uuid:1>\";q=0.700;expires=3600",
            ])
    }

    @Test("10.2.2: expires=0 removes that contact alone")
    func removeOne() throws {
        let h = Harness()
        _ = try h.register(Register(contact: "<sip:alice@192.168.1.10>, <sip:alice@192.168.1.11>"))
        let ok = try h.register(Register(cseq: 3, contact: "<sip:alice@192.168.1.10>;expires=0"))
        #expect(h.contacts(ok) == ["<sip:alice@192.168.1.11>;expires=3600"])
    }

    @Test("10.2.2: Contact: * with Expires: 0 removes all, whatever their Call-ID")
    func removeAll() throws {
        let h = Harness()
        _ = try h.register(Register())
        _ = try h.register(Register(callID: "c2", contact: "<sip:alice@192.168.1.11>"))
        #expect(h.alice.count == 2)
        let ok = try h.register(Register(callID: "c3", contact: "*", expires: "0"))
        #expect(ok.statusCode == 200)
        #expect(h.contacts(ok) == [])
        #expect(h.server.bindingCount == 0)
    }

    @Test(
        "10.3 step 6: * with another expiry, without one, or beside another contact is 400",
        arguments: [
            ("*", "60"), ("*", nil), ("*, <sip:alice@192.168.1.10>", "0"), ("<sip:alice@192.168.1.10>, *", "0"), ("*", "x"),
        ]
            as [(String, String?)])
    func wildcard(contact: String, expires: String?) throws {
        let h = Harness()
        _ = try h.register(Register())
        #expect(try h.register(Register(callID: "c2", contact: contact, expires: expires)).statusCode == 400)
        #expect(h.alice.count == 1)
    }

    @Test(
        "10.3 step 7: the same contact under the same Call-ID needs a higher CSeq, under another Call-ID not",
        arguments: [
            ("c1@192.168.1.10", 1, 500), ("c1@192.168.1.10", 0, 500), ("c1@192.168.1.10", 2, 200), ("other", 0, 200),
        ] as [(String, UInt32, Int)])
    func order(callID: String, cseq: UInt32, status: Int) throws {
        let h = Harness()
        _ = try h.register(Register(expires: "600"))
        let before = h.alice
        // Another challenge than before, lest its nonce be used up.
        h.now += .seconds(20)
        // The answer to the challenge carries cseq + 1; the binding has 2.
        let answer = try h.register(
            Register(callID: callID, cseq: cseq, branch: "z9hG4bKx\(cseq)", expires: "900", fromTag: "f2"))
        #expect(answer.statusCode == status)
        #expect((h.alice == before) == (status != 200))
        #expect(h.server.counters.outOfOrder == (status == 500 ? 1 : 0))
    }

    @Test("10.3 step 7: one contact that fails undoes the whole request")
    func allOrNothing() throws {
        let h = Harness()
        _ = try h.register(Register(contact: "<sip:alice@192.168.1.10>"))
        let before = h.alice
        let answer = try h.register(
            Register(
                cseq: 5,
                contact: "<sip:alice@192.168.1.77>, <sip:alice@192.168.1.10>;expires=0, <sip:alice@192.168.1.78>;expires=5"))
        #expect(answer.statusCode == 423)
        #expect(h.alice == before)
    }

    @Test("10.3 step 7: contacts are compared as URIs, not as text")
    func equivalence() throws {
        let h = Harness()
        _ = try h.register(Register(contact: "<sip:alice@Host.example:5062;transport=udp>"))
        _ = try h.register(Register(callID: "c2", contact: "<sip:%61lice@host.EXAMPLE:5062;transport=UDP>"))
        #expect(h.alice.count == 1)
        _ = try h.register(Register(callID: "c3", contact: "<sip:alice@host.example;transport=udp>"))
        #expect(h.alice.count == 2)
    }

    @Test("10.3 step 5: the AOR is canonical: parameters, escapes, port and the domain's case do not count")
    func canonical() throws {
        var settings = ServerSettings()
        settings.domains = ["Example.NET"]
        let h = Harness(settings)
        let text = Register(domain: "example.net").text.replacing(
            "To: <sip:alice@example.net>", with: "To: <sip:%61lice@EXAMPLE.net:5060;user=phone>")
        let challenge = try h.ask(text)
        let answer = Register(domain: "example.net").answering(challenge).text
            .replacing("To: <sip:alice@example.net>", with: "To: <sip:%61lice@EXAMPLE.net:5060;user=phone>")
        #expect(try h.ask(answer).statusCode == 200)
        #expect(h.server.allBindings().map(\.aor.description) == ["alice@example.net"])
    }

    @Test(
        "10.3 step 1, 5: a foreign domain is 404; an address of ours stands for the first domain",
        arguments: [
            ("example.net", 401), ("example.org", 404), ("198.51.100.1", 401), ("198.51.100.2", 404), ("pbx.example", 401),
        ])
    func domains(domain: String, status: Int) throws {
        var settings = ServerSettings()
        settings.domains = ["example.net"]
        settings.advertised = [.init(peers: IPPrefix("0.0.0.0/0")!, host: "pbx.example")]
        let h = Harness(settings)
        #expect(try h.ask(Register(domain: domain).text).statusCode == status)
        if status == 401 {
            _ = try h.register(Register(domain: domain, callID: "c2"))
            #expect(h.server.allBindings().map(\.aor.description) == ["alice@example.net"])
        }
    }

    @Test("10.3 step 4: proving one's own name gives no right to another's AOR: 403")
    func forbidden() throws {
        let h = Harness()
        let request = Register(user: "bob", username: "alice")
        #expect(try h.register(request).statusCode == 403)
        #expect(h.server.bindingCount == 0)
    }

    @Test("Bindings expire to the second, are traced and counted, and are gone from the 200")
    func expiry() throws {
        let h = Harness()
        _ = try h.register(Register(expires: "60"))
        h.advance(.milliseconds(59_999))
        #expect(h.alice.count == 1)
        h.advance(.milliseconds(1))
        #expect(h.alice.isEmpty)
        #expect(h.server.counters.expired == 1)
        #expect(h.traces.contains { if case .unbound(_, _, .expired) = $0 { true } else { false } })
    }

    @Test("Contacts of one AOR are capped: 403, and nothing changed")
    func contactCap() throws {
        var settings = ServerSettings()
        settings.limits.contactsPerAOR = 2
        let h = Harness(settings)
        for index in 1...3 {
            let status = try h.register(Register(callID: "c\(index)", contact: "<sip:alice@192.168.1.\(index)>")).statusCode
            #expect(status == (index < 3 ? 200 : 403))
        }
        #expect(h.alice.count == 2)
        let many = (1...17).map { "<sip:alice@10.0.0.\($0)>" }.joined(separator: ",")
        #expect(try h.register(Register(callID: "c9", contact: many)).statusCode == 403)
    }

    @Test("At the cap a contact that stopped answering gives way: a phone that reboots on new ports stays registered")
    func rebooting() throws {
        var settings = ServerSettings()
        settings.limits.contactsPerAOR = 3
        let h = Harness(settings)
        for index in 1...6 {
            let flow = Harness.flow(Endpoint("203.0.113.7:\(40_000 + index)")!)
            let answer = try h.register(Register(callID: "c\(index)", contact: "<sip:alice@192.168.1.1:\(index)>"), on: flow)
            #expect(answer.statusCode == 200)
            // Nobody answers keepalives any more: it boots again.
            h.advance(.seconds(120))
        }
        #expect(h.alice.map { String(decoding: $0.contact, as: UTF8.self) }.last == "sip:alice@192.168.1.1:6")
        #expect(h.alice.count == 3 && h.lastTexts.contains { $0.contains("gave way to a newer contact") })
    }

    @Test("Bindings in all are capped: 503 with Retry-After, refreshes still pass")
    func bindingCap() throws {
        var settings = ServerSettings()
        settings.limits.bindings = 1
        let h = Harness(settings)
        #expect(try h.register().statusCode == 200)
        let refused = try h.register(Register(user: "bob", callID: "c2", contact: "<sip:bob@10.0.0.1>"), password: "word")
        #expect(refused.statusCode == 503)
        #expect(try refused.retryAfter == 5)
        #expect(try h.register(Register(cseq: 3)).statusCode == 200)
    }

    @Test("A contact moved to another port under the same Call-ID leaves no ghost; switched off, it does")
    func ghosts() throws {
        for (replaces, count) in [(true, 1), (false, 2)] {
            var settings = ServerSettings()
            settings.replacesMovedContacts = replaces
            let h = Harness(settings)
            _ = try h.register(Register(contact: "<sip:alice@203.0.113.7:40000>"))
            let ok = try h.register(Register(cseq: 3, contact: "<sip:alice@203.0.113.7:40017>"))
            #expect(h.contacts(ok).count == count)
            #expect(h.server.counters.moved == (replaces ? 1 : 0))
        }
    }

    @Test("3608: configured Service-Routes come with the 200")
    func serviceRoute() throws {
        var settings = ServerSettings()
        settings.serviceRoutes = ["<sip:edge.example.net;lr>"]
        let ok = try Harness(settings).register()
        #expect(ok.first(.serviceRoute)?.value.string == "<sip:edge.example.net;lr>")
    }
}
