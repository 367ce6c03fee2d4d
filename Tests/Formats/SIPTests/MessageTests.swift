import Base
import Fixtures
import Foundation
import SIP
import Testing

@Suite("RFC 3261 7: messages")
struct MessageTests {
    func request(_ fields: String, body: String = "") -> [UInt8] {
        wire("INVITE sip:bob@example.com SIP/2.0\n\(fields)\n\n\(body)")
    }

    func parse(_ fields: String) throws -> SIPMessage { try SIPMessage(parsing: request(fields)) }

    @Test("everything a registrar needs is read from a REGISTER")
    func register() throws {
        let message = try SIPMessage(parsing: wire(registerText))
        #expect(message.method == .register)
        #expect(message.requestURIText == "sip:example.com")
        let via = try message.topVia
        #expect(via.knownTransport == .udp)
        #expect(via.sentBy == Endpoint(.v4(IPv4Address(192, 168, 1, 20)), 5060))
        #expect(via.rport == .requested)
        #expect(via.received == nil)
        #expect(via.branch == "z9hG4bK-524287-1---a1b2c3d4e5f60718")
        #expect(try message.from.tag == "8a7f6e5d")
        #expect(try message.to.tag == nil)
        #expect(try message.to.uri.sip?.aor == "sip:alice@example.com")
        #expect(try message.callID == "84721-YzY3ZGI1NjQ4OTBhYmNkZWYxMjM0NTY3ODkw")
        #expect(try message.cseq == CSeq(2, .register))
        #expect(try message.expires == 300)
        #expect(try message.maxForwards == 70)
        guard case .list(let contacts) = try message.contacts else {
            Issue.record("no list")
            return
        }
        #expect(contacts.count == 1)
        #expect(contacts[0].expires == 300)
        #expect(contacts[0].q == 700)
        #expect(contacts[0].instanceID == "<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>")
        #expect(contacts[0].regID == 1)
        #expect(contacts[0].uri.sip?.transport == "udp")
        let digest = try #require(try message.authorizations.first?.digest)
        #expect(digest.username == "alice")
        #expect(digest.realm == "example.com")
        #expect(digest.nonce == "4f3c2b1a09f8e7d6c5b4a39281706f5e")
        #expect(digest.uri == "sip:example.com")
        #expect(digest.response == "6629fae49393a05397450978507c4ef1")
        #expect(digest.cnonce == "0a4f113b")
        #expect(digest.nonceCount == 1)
        #expect(digest.qop == "auth")
        #expect(digest.algorithm == "MD5")
        #expect(digest.opaque == "5ccc069c403ebaf9")
        #expect(try message.supported == ["path", "outbound"])
        #expect(try message.allow.count == 10)
        #expect(message.userAgent == "Phone/5.6.7 (stamp 83372)")
        #expect(message.contentLength == 0)
    }

    @Test(
        "7.3.1: names compare without case, compact forms equal long ones, spelling stays",
        arguments: [
            ("v", HeaderName.via), ("VIA", .via), ("f", .from), ("T", .to), ("i", .callID), ("call-id", .callID), ("m", .contact),
            ("l", .contentLength), ("c", .contentType), ("e", .contentEncoding), ("k", .supported), ("s", .subject),
            ("o", .event),
            ("u", .allowEvents), ("r", .referTo), ("b", .referredBy), ("x", .sessionExpires), ("y", .identity),
            ("a", .acceptContact),
            ("j", .rejectContact), ("d", .requestDisposition), ("www-AUTHENTICATE", .wwwAuthenticate), ("rack", .rack),
            ("Proxy-Authorization", .proxyAuthorization), ("P-Access-Network-INFO", .pAccessNetworkInfo),
            ("flow-timer", .flowTimer),
            ("service-route", .serviceRoute), ("SIP-If-Match", .sipIfMatch),
        ])
    func names(_ spelling: String, _ name: HeaderName) throws {
        let made = HeaderName(SIPText(spelling))
        #expect(made == name)
        #expect(made.hashValue == name.hashValue)
        #expect(made.description == spelling)
        #expect(made.canonical == name.text)
        let message = try SIPMessage(salvaging: request("X-Other: 0\n\(spelling) : value"))
        #expect(message.first(name)?.value == "value")
        #expect(message.first(name)?.name.description == spelling)
    }

    @Test("unknown names compare without case and differ from known ones")
    func unknownNames() throws {
        let message = try parse("X-Foo: 1\nx-foo: 2\nVi: 3\nViaa: 4")
        #expect(message.all("X-FOO").map(\.value) == ["1", "2"])
        #expect(message.first(.via) == nil)
        #expect(HeaderName("X-a") != HeaderName("X-b"))
        #expect(HeaderName("X-a") == HeaderName("x-A"))
        #expect(message.headers.map(\.name.description) == ["X-Foo", "x-foo", "Vi", "Viaa"])
    }

    @Test("7.3.1: folds are read as spaces and survive in the bytes")
    func folding() throws {
        let bytes = request("Subject: one\n two\n\t three\nX:\n y\nFrom:\n sip:a@b\n ;tag\n =\n 7")
        let message = try SIPMessage(parsing: bytes)
        #expect(message.first(.subject)?.value == "one   two  \t three")
        #expect(message.first("X")?.value == "y")
        #expect(try message.from.tag == "7")
        #expect(message.bytes == bytes)
        let header = try #require(message.first(.subject))
        #expect(Array(bytes[header.range]) == wire("one\n two\n\t three"))
        #expect(bytes[header.line].last == 0x0A)
    }

    @Test("20: several values, by commas and by fields, in order; commas in quotes and brackets separate nothing")
    func values() throws {
        let message = try parse(
            "Contact: \"a, b\" <sip:x@y;p=\\,z>, <sip:c@d>\nRoute: <sip:h1;lr>,<sip:h2;lr>\nRoute: <sip:h3;lr>\nK: a, b\nSupported:\nk:c"
        )
        #expect(message.values(of: .contact).count == 2)
        #expect(try message.routes.map(\.uriText) == ["sip:h1;lr", "sip:h2;lr", "sip:h3;lr"])
        #expect(try message.supported == ["a", "b", "c"])
    }

    @Test("20.10: Contact is a star, a list or nothing")
    func contacts() throws {
        #expect(try parse("Contact: *").contacts == .all)
        #expect(try parse("X: *").contacts == .list([]))
        #expect(throws: SIPParseError.self) { try parse("Contact: *\nContact: <sip:a@b>").contacts }
        #expect(throws: SIPParseError.self) { try parse("Contact: <sip:a@b>, *").contacts }
        guard case .list(let list) = try parse("m: sip:a@b;expires=5;q=0.05, <sip:c@d;q=1>;expires=99999999999;q=2").contacts
        else {
            Issue.record("no list")
            return
        }
        #expect(list.map(\.expires) == [5, .max])
        #expect(list.map(\.q) == [50, nil])
        #expect(list[1].uri.sip?.parameters["q"] == "1")
    }

    @Test("20.42, RFC 3581: Via with every parameter")
    func via() throws {
        let via = try parse(
            "v: SIP / 2.0 / TLS [2001:db8::1] : 5061 ; received=2001:db8::2;rport=40000;maddr=224.2.0.1;ttl=16;branch=z9hG4bKx ;x, SIP/2.0/UDP h"
        ).vias
        #expect(via.count == 2)
        #expect(via[0].sentBy?.description == "[2001:db8::1]:5061")
        #expect(via[0].received?.description == "2001:db8::2")
        #expect(via[0].rport == .port(40000))
        #expect(via[0].maddr == .ipv4(IPv4Address(224, 2, 0, 1)))
        #expect(via[0].ttl == 16)
        #expect(via[0].parameters.contains("X"))
        #expect(via[1].rport == .absent)
        #expect(via[1].branch == nil)
        #expect(via[1].text == "SIP/2.0/UDP h")
    }

    @Test("20.7, 20.44: Digest, its quotes and its doubles")
    func digest() throws {
        let message = try parse(
            "WWW-Authenticate: Digest realm=\"a \\\"b\\\"\", nonce = \"n,1\" ,qop=\"auth,auth-int\", stale=TRUE, algorithm=SHA-256, x=y\nWWW-Authenticate: Basic abc=="
        )
        let challenges = try message.wwwAuthenticate
        let digest = try #require(challenges.first?.digest)
        #expect(digest.realm == "a \\\"b\\\"")
        #expect(digest.realm.withoutBackslashes == "a \"b\"")
        #expect(digest.nonce == "n,1")
        #expect(digest.qopOptions == ["auth", "auth-int"])
        #expect(digest.isStale)
        #expect(
            digest.text == "Digest realm=\"a \\\"b\\\"\", nonce=\"n,1\", stale=true, algorithm=SHA-256, qop=\"auth,auth-int\"")
        #expect(challenges.last == .other(scheme: "Basic", "abc=="))
        #expect(throws: SIPParseError.self) { try parse("Authorization: Digest nonce=\"a\", nonce=\"b\"").authorizations }
        #expect(throws: SIPParseError.self) { try parse("Authorization: Digest").authorizations }
        #expect(throws: SIPParseError.self) { try parse("Authorization: Digest nonce=\"a").authorizations }
        #expect(throws: SIPParseError.self) { try parse("WWW-Authenticate: Digest realm=\"a\"").wwwAuthenticate }
        var credentials = DigestCredentials()
        credentials.username = "alice"
        credentials.nonceCountText = "0000000a"
        credentials.qop = "auth"
        let again = try parse("Authorization: \(credentials.text)").authorizations.first?.digest
        #expect(again?.username == "alice")
        #expect(again?.nonceCount == 10)
    }

    @Test("18.3: Content-Length ends the body; more is ignored, less is an error")
    func contentLength() throws {
        #expect(try SIPMessage(parsing: request("l: 3", body: "abcdef")).body.elementsEqual("abc".utf8))
        #expect(try SIPMessage(parsing: request("X: 3", body: "abcdef")).body.count == 6)
        for (fields, reason) in [
            ("l: 7", .bodyTruncated), ("l: -1", .number), ("l: 3x", .number), ("l:", .number),
            ("l: 3\nl: 3", .repeated(.contentLength)),
            ("l: 99999999999999999999999", .bodyTruncated),
        ] as [(String, SIPParseError.Reason)] {
            let bytes = request(fields, body: "abcdef")
            #expect { try SIPMessage(parsing: bytes) } throws: { ($0 as? SIPParseError)?.reason == reason }
            #expect(try SIPMessage(salvaging: bytes).flaw?.reason == reason)
        }
    }

    @Test(
        "faults of form name reason and offset",
        arguments: [
            ("", SIPParseError.Reason.empty, 0), ("\r\n\r\n", .empty, 4), ("INVITE", .headerTruncated, 6),
            ("INVITE sip:a SIP/2.0\r", .headerTruncated, 20), ("INVITE sip:a\r\n\r\n", .startLine, 7),
            ("INVITE\r\n\r\n", .startLine, 6),
            ("IN(VITE sip:a SIP/2.0\r\n\r\n", .method, 2), ("INVITE sip:a HTTP/1.1\r\n\r\n", .version, 13),
            ("INVITE sip:a SIP/2\r\n\r\n", .version, 13), ("SIP/2.0 20 OK\r\n\r\n", .statusCode, 8),
            ("SIP/2.0 0200 OK\r\n\r\n", .statusCode, 8), ("SIP/2.0 099 OK\r\n\r\n", .statusCode, 8),
            ("SIP/2.0 700 OK\r\n\r\n", .statusCode, 8), ("SIP/2.0  200 OK\r\n\r\n", .statusCode, 8),
            ("SIP/3.0 200 OK\r\n\r\n", .unsupportedVersion, 0), ("INVITE sip:a SIP/2.0\nX: y\n\n", .lineEnd, 20),
            ("INVITE sip:a SIP/2.0\r\nX: y\nZ: 1\r\n\r\n", .lineEnd, 26),
            ("INVITE sip:a SIP/2.0\r\nX: y\rZ: 1\r\n\r\n", .lineEnd, 26),
            ("INVITE sip:a SIP/2.0\r\nX y\r\n\r\n", .headerLine, 23), ("INVITE sip:a SIP/2.0\r\n: y\r\n\r\n", .headerLine, 22),
            ("INVITE sip:a SIP/2.0\r\n X: y\r\n\r\n", .headerLine, 22),
            ("INVITE sip:a SIP/2.0\r\nX: y\r\n", .headerTruncated, 28),
            ("INVITE sip:a SIP/2.0\r\nX: y", .headerTruncated, 26), ("INVITE sip:a  SIP/2.0\r\n\r\n", .startLineSpacing, 12),
        ] as [(String, SIPParseError.Reason, Int)])
    func form(_ text: String, _ reason: SIPParseError.Reason, _ offset: Int) {
        #expect(throws: SIPParseError(reason, at: offset)) { try SIPMessage(parsing: Array(text.utf8)) }
    }

    @Test(
        "faults of values name reason and offset, in folded fields too",
        arguments: [
            ("From: sip:a@b;tag=", SIPParseError.Reason.parameter, 18), ("From: sip:a@b x", .unexpected, 14),
            ("From: <sip:a@b", .angleBracket, 6),
            ("From: \"x <sip:a@b>", .quote, 6), ("From: \"x\" sip:a@b", .angleBracket, 10),
            ("From:\n  <sip:a@b>;;", .parameter, 19),
            ("From: <sip:a@b>, <sip:c@d>", .unexpected, 15), ("X: 1", .missing(.from), 6),
        ] as [(String, SIPParseError.Reason, Int)])
    func valueFaults(_ field: String, _ reason: SIPParseError.Reason, _ offset: Int) throws {
        let start = "INVITE sip:bob@example.com SIP/2.0\r\n".utf8.count
        #expect(throws: SIPParseError(reason, at: start + offset)) { try parse(field).from }
    }

    @Test(
        "CSeq, Max-Forwards, Expires, Retry-After: range and form",
        arguments: [
            ("CSeq: 2147483647 INVITE", true), ("CSeq: 2147483648 INVITE", false), ("CSeq: 1", false), ("CSeq: 1INVITE", false),
            ("CSeq: -1 INVITE", false), ("CSeq: 1 INV(ITE", false),
        ])
    func cseq(_ field: String, _ isGood: Bool) throws {
        #expect(((try? parse(field).cseq) != nil) == isGood)
    }

    @Test("numbers: too large counts as the largest, garbage is refused, absence is nil")
    func numbers() throws {
        #expect(try parse("Expires: 4294967296").expires == .max)
        #expect(try parse("Expires: 0000000000000000000000007").expires == 7)
        #expect(throws: SIPParseError.self) { try parse("Expires: soon").expires }
        #expect(try parse("X: 1").expires == nil)
        #expect(throws: SIPParseError.self) { try parse("Max-Forwards: 256").maxForwards }
        #expect(try parse("Max-Forwards: 255").maxForwards == 255)
        #expect(try parse("Retry-After: 120 (busy) ;duration=60").retryAfter == 120)
        #expect(try parse("Min-Expires: 60").minExpires == 60)
        #expect(throws: SIPParseError.self) { try parse("Retry-After: 12x").retryAfter }
    }

    @Test("limits: bytes, fields, bytes of a field")
    func limits() throws {
        let bytes = request("A: 1\nB: 2\nC: 34567890123456789012345678901234567890")
        #expect(throws: SIPParseError(.messageTooLarge, at: 50)) {
            try SIPMessage(parsing: bytes, limits: SIPLimits(messageBytes: 50))
        }
        #expect(throws: SIPParseError(.tooManyHeaders, at: 48)) { try SIPMessage(parsing: bytes, limits: SIPLimits(headers: 2)) }
        #expect(throws: SIPParseError(.headerTooLarge, at: 48)) {
            try SIPMessage(parsing: bytes, limits: SIPLimits(headerBytes: 40))
        }
        #expect(try SIPMessage(parsing: bytes, limits: SIPLimits(messageBytes: bytes.count, headers: 3)).headers.count == 3)
    }

    @Test("line ends before the start line are passed over, and offsets still count from the first byte")
    func leadingLineEnds() throws {
        let message = try SIPMessage(parsing: [0x0D, 0x0A, 0x0D, 0x0A] + request("X: 1"))
        #expect(message.isRequest)
        #expect(message.first("x")?.range.lowerBound == 4 + 36 + 3)
    }

    @Test("a response's method is that of its CSeq")
    func response() throws {
        let message = try SIPMessage(parsing: wire("SIP/2.0 401 Unauthorized\nCSeq: 1 REGISTER\n\n"))
        #expect(message.method == .register)
        #expect(message.statusCode == 401)
        #expect(message.reason == "Unauthorized")
        #expect(!message.isRequest)
        #expect(throws: SIPParseError.self) { try message.requestURI() }
    }

    @Test("8.2.1, 17: a refused ACK stays unanswered; a request without Via too")
    func discarded() throws {
        let element = SIPCapabilities(role: .userAgent, methods: [.invite, .ack])
        let ack = try SIPMessage(parsing: wire("ACK sip:a SIP/2.0\nVia: SIP/2.0/UDP h\nCSeq: 1 INVITE\n\n"))
        #expect(ack.verdict(for: element).outcome == .discard)
        #expect(try parse("CSeq: 1 INVITE").verdict(for: element) == .discard(SIPParseError(.missing(.via), at: 52)))
    }

    @Test("texts: decimal, quotes, case")
    func texts() {
        #expect(SIPText("4294967295").decimal == .max)
        #expect(SIPText("4294967296").decimal == nil)
        #expect(SIPText("").decimal == nil)
        #expect(SIPText("a\"b\\").quoted == "\"a\\\"b\\\\\"")
        #expect(SIPText("a\"b\\").quoted.unquoted == "a\"b\\")
        #expect(SIPText("aBc").equalsCaseless("AbC"))
        #expect(!SIPText("aBc").equalsCaseless("AbD"))
        #expect(SIPText("aBc") != SIPText("abc"))
        #expect(SIPText([1, 2, 3, 4], in: 1..<3) == SIPText([2, 3]))
        #expect(SIPText([1, 2, 3, 4], in: 1..<3).hashValue == SIPText([2, 3]).hashValue)
        #expect(SIPText("a, \"b,c\" ,<d,e>,").commaSeparated == ["a", "\"b,c\"", "<d,e>"])
        #expect(SIPDate(unixSeconds: 1_289_690_940).text == "Sat, 13 Nov 2010 23:29:00 GMT")
        #expect(SIPDate(unixSeconds: 951_782_400).text == "Tue, 29 Feb 2000 00:00:00 GMT")
    }
}
