import Base
import SIP
import Testing

@Suite("RFC 3261 19.1: SIP URIs")
struct URITests {
    @Test(
        "19.1.4: equivalent URIs",
        arguments: [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x"
            ),
        ])
    func equivalent(_ a: String, _ b: String) throws {
        let (a, b) = try (SIPURI(parsing: SIPText(a)), SIPURI(parsing: SIPText(b)))
        #expect(a.isEquivalent(to: b))
        #expect(b.isEquivalent(to: a))
    }

    @Test(
        "19.1.4: URIs that are not equivalent",
        arguments: [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:alice@atlanta.com", "sips:alice@atlanta.com"),
            ("sip:alice@atlanta.com", "sip:atlanta.com"),
            ("sip:alice@atlanta.com", "sip:alice:x@atlanta.com"),
            ("sip:alice@atlanta.com", "sip:alice@atlanta.com;maddr=192.0.2.1"),
            ("sip:a%3Bb@atlanta.com", "sip:a;b@atlanta.com"),
        ])
    func different(_ a: String, _ b: String) throws {
        let (a, b) = try (SIPURI(parsing: SIPText(a)), SIPURI(parsing: SIPText(b)))
        #expect(!a.isEquivalent(to: b))
        #expect(!b.isEquivalent(to: a))
    }

    @Test(
        "parts and print: what was read is written",
        arguments: [
            "sip:alice@atlanta.com", "sip:alice:secretword@atlanta.com;transport=tcp",
            "sips:alice@atlanta.com?subject=project%20x&priority=urgent", "sip:+1-212-555-1212:1234@gateway.com;user=phone",
            "sips:1212@gateway.com", "sip:alice@192.0.2.4", "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
            "sip:alice;day=tuesday@atlanta.com", "sip:[2001:db8::9:1]:5080;lr", "sip:%00@host_1.example.com.:0",
            "tel:+1-201-555-0123", "tel:7042;phone-context=example.com", "tel:7042", "tel:863-1234;phone-context=+1-914-555",
            "urn:service:sos", "http://www.example.com/x?y=z", "isbn:2983792873",
        ])
    func print(_ text: String) throws {
        #expect(try SIPURIReference(parsing: SIPText(text)).text == SIPText(text))
    }

    @Test(
        "what is no URI names fault and offset",
        arguments: [
            ("", SIPParseError.Reason.scheme, 0), ("alice", .scheme, 0), (":x", .scheme, 0), ("1sip:x", .scheme, 0),
            ("sip:", .host, 4), ("sip:@host", .userInfo, 4), ("sip:a@", .host, 6), ("sip:a@b@c", .uri, 7),
            ("sip:al ice@host", .userInfo, 6), ("sip:a%4@host", .escape, 5), ("sip:a%zz@host", .escape, 5),
            ("sip:host:70000", .port, 8), ("sip:host:", .port, 9), ("sip:host:5x", .uri, 10),
            ("sip:host;", .parameter, 9), ("sip:host;a=", .parameter, 11), ("sip:host?a", .uriHeaders, 10),
            ("sip:-host", .host, 4), ("sip:host-.com", .host, 4), ("sip:a..b", .host, 6), ("sip:1.2.3", .host, 8),
            ("sip:1.2.3.256", .host, 10), ("sip:[::1", .host, 4), ("sip:[1.2.3.4]", .host, 4), ("sip:host>", .uri, 8),
            ("tel:", .uri, 4), ("tel:+", .uri, 5), ("mailto:", .uri, 7), ("x:a b", .uri, 3),
        ] as [(String, SIPParseError.Reason, Int)])
    func faults(_ text: String, _ reason: SIPParseError.Reason, _ offset: Int) {
        #expect(throws: SIPParseError(reason, at: offset)) { try SIPURIReference(parsing: SIPText(text)) }
    }

    @Test(
        "10.3 step 5: the canonical AOR drops parameters, port and password and resolves escapes",
        arguments: [
            ("sip:alice@Example.COM", "sip:alice@example.com"),
            ("sips:%61lice:pw@example.com:5061;user=phone", "sip:alice@example.com"),
            ("sip:alice@192.0.2.1:5060", "sip:alice@192.0.2.1"), ("sip:Example.com", "sip:example.com"),
            ("sip:a@[2001:DB8:0::1]", "sip:a@[2001:db8::1]"),
        ])
    func aor(_ text: String, _ aor: String) throws {
        #expect(try SIPURI(parsing: SIPText(text)).aor == SIPText(aor))
    }

    @Test("a URI made by hand is printed with its endpoint, and a user is escaped on request")
    func made() throws {
        let endpoint = Endpoint(.v4(IPv4Address(192, 0, 2, 7)), 5062)
        var uri = SIPURI(user: "bob", at: endpoint)
        uri.parameters.set("transport", "udp")
        uri.parameters.append("ob")
        #expect(uri.text == "sip:bob@192.0.2.7:5062;transport=udp;ob")
        #expect(uri.isOutbound)
        #expect(uri.endpoint == endpoint)
        #expect(uri.knownTransport == .udp)
        uri.parameters.remove("TRANSPORT")
        #expect(uri.text == "sip:bob@192.0.2.7:5062;ob")
        #expect(SIPText("a b@c%").escapedUser == "a%20b%40c%25")
        #expect(try SIPURI(parsing: "sips:x;transport=tcp").knownTransport == .tls)
        #expect(try SIPURI(parsing: "sip:192.000.002.001").host == .ipv4(IPv4Address(192, 0, 2, 1)))
    }

    @Test("RFC 3966 4: telephone numbers compare without separators, parameters without order")
    func tel() throws {
        func tel(_ text: SIPText) throws -> TelURI {
            guard case .tel(let uri) = try SIPURIReference(parsing: text) else { throw SIPParseError(.scheme, at: 0) }
            return uri
        }
        #expect(try tel("tel:+1-201-555-0123").isEquivalent(to: tel("TEL:+1(201)5550123")))
        #expect(try tel("tel:12;a=1;phone-context=X.com").isEquivalent(to: tel("tel:1-2;phone-context=x.com;a=1")))
        #expect(try !tel("tel:+12015550123").isEquivalent(to: tel("tel:+12015550124")))
        #expect(try !tel("tel:+12;a=1").isEquivalent(to: tel("tel:+12;a=2")))
        #expect(try !tel("tel:+12;a=1").isEquivalent(to: tel("tel:+12")))
        #expect(try tel("tel:+1-2").isGlobal)
        #expect(try tel("tel:7042;phone-context=example.com").phoneContext == "example.com")
    }
}
