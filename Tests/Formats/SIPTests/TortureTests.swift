import Foundation
import SIP
import Testing

/// One message of RFC 4475: what a user agent, a registrar and a proxy must do with it. The comment on each row says at which
/// layer the section places the test.
struct TortureCase: Sendable, CustomTestStringConvertible {
    enum Expected: Sendable, Hashable {
        case accept
        case respond(Int)
        case discard
    }

    var section: String
    var name: String
    var userAgent: Expected
    var registrar: Expected
    var proxy: Expected

    init(_ section: String, _ name: String, userAgent: Expected, registrar: Expected, proxy: Expected) {
        self.section = section
        self.name = name
        self.userAgent = userAgent
        self.registrar = registrar
        self.proxy = proxy
    }

    /// The same in every role.
    init(_ section: String, _ name: String, _ all: Expected) {
        self.init(section, name, userAgent: all, registrar: all, proxy: all)
    }

    var testDescription: String { "RFC 4475 \(section) \(name)" }

    static let all: [TortureCase] = [
        // Parser: valid. A registrar that serves REGISTER and OPTIONS only answers 405 to other known methods.
        TortureCase("3.1.1.1", "wsinv", userAgent: .accept, registrar: .respond(405), proxy: .accept),
        // "Endpoints will generate a 501 listing the methods they understand."
        TortureCase("3.1.1.2", "intmeth", userAgent: .respond(501), registrar: .respond(501), proxy: .accept),
        TortureCase("3.1.1.3", "esc01", userAgent: .accept, registrar: .respond(405), proxy: .accept),
        TortureCase("3.1.1.4", "escnull", userAgent: .respond(405), registrar: .accept, proxy: .accept),
        // "An endpoint would reject this message with a 501."
        TortureCase("3.1.1.5", "esc02", userAgent: .respond(501), registrar: .respond(501), proxy: .accept),
        TortureCase("3.1.1.6", "lwsdisp", .accept),
        TortureCase("3.1.1.7", "longreq", userAgent: .accept, registrar: .respond(405), proxy: .accept),
        TortureCase("3.1.1.8", "dblreq", userAgent: .respond(405), registrar: .accept, proxy: .accept),
        TortureCase("3.1.1.9", "semiuri", .accept),
        TortureCase("3.1.1.10", "transports", .accept),
        // Well formed; the application above may not support multipart bodies (415).
        TortureCase("3.1.1.11", "mpart01", userAgent: .respond(415), registrar: .respond(405), proxy: .accept),
        TortureCase("3.1.1.12", "unreason", .accept),
        TortureCase("3.1.1.13", "noreason", .accept),
        // Parser: invalid.
        TortureCase("3.1.2.1", "badinv01", .respond(400)),
        TortureCase("3.1.2.2", "clerr", .respond(400)),
        TortureCase("3.1.2.3", "ncl", .respond(400)),
        TortureCase("3.1.2.4", "scalar02", .respond(400)),
        TortureCase("3.1.2.5", "scalarlg", .discard),
        TortureCase("3.1.2.6", "quotbal", .respond(400)),
        // A method that is not served is refused before the Request-URI is looked at (RFC 3261 8.2).
        TortureCase("3.1.2.7", "ltgtruri", userAgent: .respond(400), registrar: .respond(405), proxy: .respond(400)),
        TortureCase("3.1.2.8", "lwsruri", .respond(400)),
        TortureCase("3.1.2.9", "lwsstart", .respond(400)),
        TortureCase("3.1.2.10", "trws", .respond(400)),
        TortureCase("3.1.2.11", "escruri", userAgent: .respond(400), registrar: .respond(405), proxy: .respond(400)),
        // "An element shouldn't [reject it] unless the contents of the Date header field were actually important."
        TortureCase("3.1.2.12", "baddate", userAgent: .accept, registrar: .respond(405), proxy: .accept),
        TortureCase("3.1.2.13", "regbadct", .respond(400)),
        TortureCase("3.1.2.14", "badaspec", .respond(400)),
        TortureCase("3.1.2.15", "baddn", .respond(400)),
        TortureCase("3.1.2.16", "badvers", .respond(505)),
        TortureCase("3.1.2.17", "mismatch01", .respond(400)),
        // "Any element should respond with a 501. A 400 is also acceptable": a proxy serves no method of its own.
        TortureCase("3.1.2.18", "mismatch02", userAgent: .respond(501), registrar: .respond(501), proxy: .respond(400)),
        TortureCase("3.1.2.19", "bigcode", .discard),
        // Transaction layer: no identifier behind the cookie; RFC 2543 matching takes over.
        TortureCase("3.2.1", "badbranch", .accept),
        // Application layer.
        TortureCase("3.3.1", "insuf", .respond(400)),
        TortureCase("3.3.2", "unkscm", .respond(416)),
        TortureCase("3.3.3", "novelsc", .respond(416)),
        // "A registrar would reject this request with a 400"; "proxies should treat this as any other request".
        TortureCase("3.3.4", "unksm2", userAgent: .respond(405), registrar: .respond(400), proxy: .accept),
        TortureCase("3.3.5", "bext01", .respond(420)),
        TortureCase("3.3.6", "invut", userAgent: .respond(415), registrar: .respond(405), proxy: .accept),
        // "A registrar that cares will reject with a 401": that is the authenticator's part, not one of form.
        TortureCase("3.3.7", "regaut01", userAgent: .respond(405), registrar: .accept, proxy: .accept),
        TortureCase("3.3.8", "multi01", .respond(400)),
        TortureCase("3.3.9", "mcl01", .respond(400)),
        TortureCase("3.3.10", "bcast", .discard),
        // "A proxy should respond 483. An endpoint should process the request."
        TortureCase("3.3.11", "zeromf", userAgent: .accept, registrar: .accept, proxy: .respond(483)),
        TortureCase("3.3.12", "cparam01", userAgent: .respond(405), registrar: .accept, proxy: .accept),
        TortureCase("3.3.13", "cparam02", userAgent: .respond(405), registrar: .accept, proxy: .accept),
        TortureCase("3.3.14", "regescrt", userAgent: .respond(405), registrar: .accept, proxy: .accept),
        // "The recipient could respond with a 406."
        TortureCase("3.3.15", "sdp01", userAgent: .respond(406), registrar: .respond(405), proxy: .accept),
        TortureCase("3.4.1", "inv2543", userAgent: .accept, registrar: .respond(405), proxy: .accept),
    ]
}

extension SIPVerdict {
    var outcome: TortureCase.Expected {
        switch self {
        case .accept: .accept
        case .respond(let refusal): .respond(refusal.status)
        case .discard: .discard
        }
    }
}

@Suite("RFC 4475: torture messages", .enabled(if: Vectors.torture != nil, "the vectors lie in ../shared/vectors"))
struct TortureTests {
    static let userAgent = SIPCapabilities(
        role: .userAgent, methods: [.invite, .ack, .bye, .cancel, .options, .message], mediaTypes: ["application/sdp"])
    static let registrar = SIPCapabilities(role: .registrar, methods: [.register, .options])
    static let proxy = SIPCapabilities(role: .proxy)

    func receive(_ name: String, as element: SIPCapabilities = proxy) throws -> (message: SIPMessage?, verdict: SIPVerdict) {
        SIPVerdict.receive(try Vectors.torture(name), as: element)
    }

    func message(_ name: String) throws -> SIPMessage { try SIPMessage(parsing: try Vectors.torture(name)) }

    @Test("the table holds all 49 messages, each once")
    func complete() {
        #expect(TortureCase.all.count == 49)
        #expect(Set(TortureCase.all.map(\.name)).count == 49)
    }

    @Test("each message gets the verdict of its section, in each role", arguments: TortureCase.all)
    func verdict(_ row: TortureCase) throws {
        #expect(try receive(row.name, as: Self.userAgent).verdict.outcome == row.userAgent, "as a user agent")
        #expect(try receive(row.name, as: Self.registrar).verdict.outcome == row.registrar, "as a registrar")
        #expect(try receive(row.name, as: Self.proxy).verdict.outcome == row.proxy, "as a proxy")
    }

    @Test("parsing loses no byte, and the fields with the body give back the whole", arguments: TortureCase.all)
    func lossless(_ row: TortureCase) throws {
        let bytes = try Vectors.torture(row.name)
        guard let message = try? SIPMessage(salvaging: bytes) else {
            #expect(row.name == "bigcode")
            return
        }
        #expect(message.bytes == bytes)
        var rebuilt = Array(bytes[..<message.headerStart])
        for header in message.headers { rebuilt += bytes[header.line] }
        // The published bytes of baddn lack the empty line.
        if row.name != "baddn" { rebuilt += [0x0D, 0x0A] }
        rebuilt += message.body
        #expect(rebuilt == Array(bytes[..<message.length]))
    }

    @Test(
        "invalid messages name their fault and its place",
        arguments: [
            ("badinv01", "SIP/2.0/UDP 192.0.2.15;", SIPParseError.Reason.parameter),
            ("clerr", nil, .bodyTruncated),
            ("ncl", "Content-Length: ", .number),
            ("scalar02", "CSeq: ", .numberTooLarge),
            ("quotbal", "To: ", .quote),
            ("ltgtruri", "INVITE ", .scheme),
            ("lwsruri", "INVITE sip:user@example.com;", .startLineSpacing),
            ("lwsstart", "INVITE ", .startLineSpacing),
            ("trws", "OPTIONS sip:remote-target@example.com SIP/2.0", .startLineSpacing),
            ("escruri", "INVITE sip:user@example.com?", .uriHeaders),
            ("regbadct", "Contact: sip:user@example.com", .angleBracket),
            ("badaspec", "To: \"Watson, Thomas\" <", .scheme),
            ("baddn", nil, .headerTruncated),
            ("badvers", "OPTIONS sip:t.watson@example.org ", .unsupportedVersion),
            ("mismatch01", "CSeq: ", .methodMismatch),
            ("insuf", nil, .missing(.from)),
            (
                "multi01",
                "From: sip:caller@example.com;tag=3413415\r\nTo: sip:user@example.com\r\nTo: sip:other@example.net\r\n",
                .repeated(.from)
            ),
            ("mcl01", "Content-Length: 13\r\nMax-Forwards: 60\r\n", .repeated(.contentLength)),
        ] as [(String, String?, SIPParseError.Reason)])
    func faults(_ name: String, _ before: String?, _ reason: SIPParseError.Reason) throws {
        let received = try receive(name)
        guard case .respond(let refusal) = received.verdict, let message = received.message else {
            Issue.record("\(name) was not answered")
            return
        }
        #expect(refusal.error.reason == reason)
        let text = String(decoding: message.bytes, as: UTF8.self)
        let place = before.flatMap { text.range(of: $0) }.map { text.utf8.distance(from: text.startIndex, to: $0.upperBound) }
        #expect(
            refusal.error.offset == place
                ?? (reason == .bodyTruncated ? message.bytes.count : message.headers.last?.line.upperBound))
    }

    @Test("3.1.1.1: folds, compact forms and odd spacing are read through")
    func shortTortuous() throws {
        let message = try message("wsinv")
        #expect(try message.to.tag == "1918181833n")
        #expect(try message.to.uriText == "sip:vivekg@chair-dnrc.example.com")
        #expect(try message.from.displayName?.unquoted == #"J Rosenberg \""#)
        #expect(try message.from.tag == "98asjd8")
        #expect(try message.maxForwards == 68)
        #expect(try message.cseq == CSeq(9, .invite))
        let vias = try message.vias
        #expect(vias.map(\.transport) == ["UDP", "TCP", "UDP"])
        #expect(vias.map { $0.host.description } == ["192.0.2.2", "spindle.example.com", "192.168.255.111"])
        #expect(vias.map(\.branch) == ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"])
        #expect(vias.map(\.hasUniqueBranch) == [false, true, true])
        #expect(message.first(.subject)?.value == "")
        #expect(
            message.first("newfangledheader")?.value.string.split(separator: " ").joined(separator: " ")
                == "newfangled value continued newfangled value")
        #expect(message.first("UnknownHeaderWithUnusualValue")?.value == ";;,,;;,;")
        #expect(try message.routes.first?.uri.sip?.isLooseRoute == true)
        guard case .list(let contacts) = try message.contacts else { return }
        #expect(contacts.first?.displayName?.unquoted == #"Quoted string """#)
        #expect(contacts.first?.q == 330)
        #expect(contacts.first?.parameters["newparam"] == "newvalue")
        #expect(contacts.first?.parameters.contains("secondparam") == true)
        #expect(message.body.count == 150)
    }

    @Test("3.1.1.2: every token character counts as one; % is no escape in a method")
    func unusualCharacters() throws {
        let message = try message("intmeth")
        #expect(message.method == "!interesting-Method0123456789_*+`.%indeed'~")
        let uri = try #require(try message.requestURI().sip)
        #expect(uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
        #expect(uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
        #expect(uri.host == .name("example.com"))
        #expect(try message.topVia.branch == "z9hG4bK-.!%66*_+`'~")
        #expect(try message.to.displayName?.unquoted.bytes.contains(0) == true)
        #expect(try message.from.displayName == "token1~` token2'+_ token3*%!.-")
        #expect(try message.from.tag == "_token~1'+`*%!-.")
        #expect(try message.from.parameters.find(named: "fromParam''~+*_!.-%")?.value?.unquoted == "работающий")
        #expect(try message.callID == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{")
        #expect(try message.maxForwards == 255)
    }

    @Test("3.1.1.3: escapes are resolved once, in names of URI parameters too")
    func escapes() throws {
        let message = try message("esc01")
        let uri = try #require(try message.requestURI().sip)
        #expect(uri.unescapedUser == "sips:user@example.com")
        #expect(try message.to.uri.sip?.unescapedUser == "user")
        #expect(try message.from.uri.sip?.unescapedUser == "I have spaces")
        #expect(try message.to.uri.isEquivalent(to: SIPURIReference(parsing: "sip:user@example.com")))
        guard case .list(let contacts) = try message.contacts, let contact = contacts.first?.uri.sip else { return }
        #expect(contact.isLooseRoute)
        #expect(contact.parameters["name"]?.percentDecoded == "value%41")
    }

    @Test("3.1.1.4: a NUL in a user part does not end it")
    func nulls() throws {
        let message = try message("escnull")
        #expect(try message.to.uri.sip?.aor == SIPText(Array("sip:null-\0-null@example.com".utf8)))
        guard case .list(let contacts) = try message.contacts else { return }
        #expect(contacts.count == 2)
        #expect(contacts[0].uri.isEquivalent(to: contacts[1].uri) == false)
    }

    @Test("3.1.1.5: C%6Fntact is no Contact")
    func percentInName() throws {
        let message = try message("esc02")
        #expect(message.method != .register)
        #expect(message.all(.contact).count == 2)
        #expect(message.contains("C%6Fntact"))
        #expect(try message.to.displayName?.unquoted == "%Z%45")
    }

    @Test("3.1.1.7: long values and 34 Vias in all spellings")
    func longValues() throws {
        let message = try message("longreq")
        let vias = try message.vias
        #expect(vias.count == 34)
        #expect(vias.last?.received?.description == "192.0.2.5")
        #expect(vias.last?.branch?.count == 215)
        #expect(try message.from.tag?.count == 155)
    }

    @Test("3.1.1.8: octets behind the body are no part of the message")
    func trailing() throws {
        let message = try message("dblreq")
        #expect(message.length < message.bytes.count)
        #expect(message.body.isEmpty)
    }

    @Test("3.1.1.9: semicolons in the user part belong to it")
    func semicolonUser() throws {
        let uri = try #require(try message("semiuri").requestURI().sip)
        #expect(uri.unescapedUser == "user;par=u@example.net")
        #expect(uri.parameters.isEmpty)
    }

    @Test("3.1.1.10-13: transports, binary body, reason phrases")
    func others() throws {
        #expect(try message("transports").vias.map(\.knownTransport) == [.udp, nil, .tls, nil, .tcp])
        #expect(try message("mpart01").body.count == 553)
        #expect(try message("mpart01").contentType?.parameters["boundary"] == "7a9cbec02ceef655")
        #expect(try message("unreason").reason?.string.hasPrefix("= 2**3 * 5**2 ") == true)
        #expect(try message("noreason").reason == "")
    }

    @Test("3.1.2.15: a comma is no part of an unquoted display name")
    func badDisplayName() throws {
        let message = try SIPMessage(parsing: try Vectors.torture("baddn") + [0x0D, 0x0A])
        let place = try #require(message.first(.from)).range.lowerBound
        #expect(throws: SIPParseError(.displayName, at: place + 4)) { try message.from }
        guard case .respond(let refusal) = message.verdict(for: Self.userAgent) else { return }
        #expect(refusal == SIPRefusal(400, SIPParseError(.displayName, at: place + 4)))
    }

    @Test("3.1.2.12: only GMT is a time zone")
    func date() throws {
        let message = try message("baddate")
        let place = try #require(message.first(.date)).range.lowerBound
        #expect(throws: SIPParseError(.date, at: place + 26)) { try message.date }
        #expect(try self.message("mpart01").date?.text == "Sat, 15 Oct 2005 04:44:56 GMT")
    }

    @Test("3.2.1: a bare cookie identifies no transaction")
    func badBranch() throws { #expect(try message("badbranch").topVia.hasUniqueBranch == false) }

    @Test("3.3.5: the 420 names the tags of its own role")
    func unsupported() throws {
        for (element, tags) in [
            (Self.userAgent, ["nothingSupportsThis", "nothingSupportsThisEither"]),
            (Self.proxy, ["noProxiesSupportThis", "norDoAnyProxiesSupportThis"]),
        ] as [(SIPCapabilities, [SIPText])] {
            guard case .respond(let refusal) = try receive("bext01", as: element).verdict else {
                Issue.record("bext01 was not answered")
                continue
            }
            #expect(refusal.unsupported == tags)
        }
    }

    @Test("3.3.7: an unknown authorization scheme stays readable")
    func unknownScheme() throws {
        #expect(try message("regaut01").authorizations == [.other(scheme: "NoOneKnowsThisScheme", "opaque-data=here")])
    }

    @Test("3.3.12-14: parameters belong where the angle brackets put them")
    func contactParameters() throws {
        func contact(_ name: String) throws -> NameAddress {
            guard case .list(let list) = try message(name).contacts else { throw SIPParseError(.unexpected, at: 0) }
            return try #require(list.first)
        }
        let outside = try contact("cparam01")
        #expect(outside.parameters.contains("unknownparam"))
        #expect(outside.uri.sip?.parameters.isEmpty == true)
        let inside = try contact("cparam02")
        #expect(inside.parameters.isEmpty)
        #expect(inside.uri.sip?.parameters.contains("unknownparam") == true)
        let escaped = try #require(try contact("regescrt").uri.sip)
        #expect(escaped.text == "sip:user@example.com?Route=%3Csip:sip.example.com%3E")
        #expect(escaped.headerFields.map(\.name) == [.route])
        #expect(escaped.headerFields.map(\.value) == ["<sip:sip.example.com>"])
    }
}
