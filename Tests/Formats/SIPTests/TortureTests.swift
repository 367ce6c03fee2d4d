import Fixtures
import Foundation
import SIP
import Testing

extension SIPVerdict {
    var outcome: TortureMessage.Outcome {
        switch self {
        case .accept: .accept
        case .respond(let refusal): .respond(refusal.status)
        case .discard: .discard
        }
    }
}

@Suite("RFC 4475: torture messages")
struct TortureTests {
    static let userAgent = SIPCapabilities(
        role: .userAgent, methods: [.invite, .ack, .bye, .cancel, .options, .message], mediaTypes: ["application/sdp"])
    static let registrar = SIPCapabilities(role: .registrar, methods: [.register, .options])
    static let proxy = SIPCapabilities(role: .proxy)

    func bytes(_ name: String) throws -> [UInt8] {
        try #require((TortureMessage.rfc4475 + TortureMessage.rfc5118).first { $0.name == name }).bytes
    }

    func receive(_ name: String, as element: SIPCapabilities = proxy) throws -> (message: SIPMessage?, verdict: SIPVerdict) {
        SIPVerdict.receive(try bytes(name), as: element)
    }

    func message(_ name: String) throws -> SIPMessage { try SIPMessage(parsing: try bytes(name)) }

    @Test("each of the RFC's 49 sections has its message")
    func complete() {
        let sections = ["3.1.1": 13, "3.1.2": 19, "3.2": 1, "3.3": 15, "3.4": 1]
        let all = sections.flatMap { section, count in (1...count).map { "\(section).\($0)" } }
        #expect(TortureMessage.rfc4475.map(\.section).sorted() == all.sorted())
        #expect(Set(TortureMessage.rfc4475.map(\.name)).count == 49)
        #expect(Set(TortureMessage.rfc5118.map(\.section)) == Set((1...10).map { "4.\($0)" }))
    }

    @Test(
        "each message gets the verdict of its section, in each role", arguments: TortureMessage.rfc4475 + TortureMessage.rfc5118)
    func verdict(_ row: TortureMessage) throws {
        #expect(SIPVerdict.receive(row.bytes, as: Self.userAgent).verdict.outcome == row.userAgent, "as a user agent")
        #expect(SIPVerdict.receive(row.bytes, as: Self.registrar).verdict.outcome == row.registrar, "as a registrar")
        #expect(SIPVerdict.receive(row.bytes, as: Self.proxy).verdict.outcome == row.proxy, "as a proxy")
    }

    @Test(
        "parsing loses no byte, and the fields with the body give back the whole",
        arguments: TortureMessage.rfc4475 + TortureMessage.rfc5118)
    func lossless(_ row: TortureMessage) throws {
        guard let message = try? SIPMessage(salvaging: row.bytes) else {
            #expect(row.name == "overlarge-status")
            return
        }
        #expect(message.bytes == row.bytes)
        var rebuilt = Array(row.bytes[..<message.headerStart])
        for header in message.headers { rebuilt += row.bytes[header.line] }
        rebuilt += [0x0D, 0x0A] + message.body
        #expect(rebuilt == Array(row.bytes[..<message.length]))
    }

    @Test(
        "invalid messages name their fault and its place",
        arguments: [
            ("stray-separators", "SIP/2.0/UDP 198.51.100.15;", SIPParseError.Reason.parameter),
            ("length-beyond-the-end", nil, .bodyTruncated),
            ("negative-length", "Content-Length: ", .number),
            ("overlarge-numbers-in-a-request", "CSeq: ", .numberTooLarge),
            ("unended-quote", "To: ", .quote),
            ("request-uri-in-brackets", "INVITE ", .scheme),
            ("space-in-request-uri", "INVITE sip:otto@lab.example;", .startLineSpacing),
            ("two-spaces-in-request-line", "INVITE ", .startLineSpacing),
            ("space-after-version", "OPTIONS sip:otto@lab.example SIP/2.0", .startLineSpacing),
            ("headers-in-request-uri", "INVITE sip:otto@lab.example?", .uriHeaders),
            ("contact-without-brackets", "Contact: sip:mira@lab.example", .angleBracket),
            ("spaces-within-brackets", "To: \"Berg, Otto\" <", .scheme),
            ("comma-in-display-name", "From:   Lind", .displayName),
            ("unknown-version", "OPTIONS sip:otto@lab.example ", .unsupportedVersion),
            ("method-unlike-cseq", "CSeq: ", .methodMismatch),
            ("missing-fields", nil, .missing(.from)),
            (
                "repeated-single-fields",
                "From: sip:mira@lab.example;tag=35\r\nTo: sip:otto@gate.example\r\nTo: sip:lena@gate.example\r\n",
                .repeated(.from)
            ),
            ("two-lengths", "Content-Length: 11\r\nMax-Forwards: 61\r\n", .repeated(.contentLength)),
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
    func tortuous() throws {
        let message = try message("tortuous-invite")
        #expect(try message.to.tag == "55aa7")
        #expect(try message.to.uriText == "sip:otto@desk-17.lab.example")
        #expect(try message.from.displayName?.unquoted == #"Mira \ ""#)
        #expect(try message.from.tag == "m1r4")
        #expect(try message.maxForwards == 71)
        #expect(try message.cseq == CSeq(12, .invite))
        let vias = try message.vias
        #expect(vias.map(\.transport) == ["UDP", "TCP", "UDP"])
        #expect(vias.map { $0.host.description } == ["198.51.100.31", "relay.lab.example", "10.255.0.9"])
        #expect(vias.map(\.branch) == ["old0style", "z9hG4bKr31", "z9hG4bKr32"])
        #expect(vias.map(\.hasUniqueBranch) == [false, true, true])
        #expect(message.first(.subject)?.value == "")
        let folded = message.first("x-folded")?.value.string.split { " \t\r\n".contains($0) }
        #expect(folded?.joined(separator: " ") == "one two three four")
        #expect(message.first("X-Strange")?.value == ";,;;,,;;")
        #expect(try message.routes.first?.uri.sip?.isLooseRoute == true)
        guard case .list(let contacts) = try message.contacts else { return }
        #expect(contacts.first?.displayName?.unquoted == #"Quoted ""#)
        #expect(contacts.first?.q == 270)
        #expect(contacts.first?.parameters["fresh"] == "egg")
        #expect(contacts.first?.parameters.contains("lonely") == true)
        #expect(message.body.count == 119)
    }

    @Test("3.1.1.2: every token character counts as one; % is no escape in a method")
    func unusualCharacters() throws {
        let message = try message("all-token-characters")
        #expect(message.method == "!odd-Method0189_*+`.%done'~")
        let uri = try #require(try message.requestURI().sip)
        #expect(uri.user == "7_odd.user~(to-go!now)&don't+do$/mad?,/;;*")
        #expect(uri.password == "&pw+is=2,odd!*pa$s~w_d.(isn't-it)")
        #expect(uri.host == .name("lab.example"))
        #expect(try message.topVia.branch == "z9hG4bK-!%41*_+`'~.")
        #expect(try message.to.displayName?.unquoted.bytes.contains(0) == true)
        #expect(try message.from.displayName == "some~` words2'+_ here3*%!.-")
        #expect(try message.from.tag == "_tag~4'+`*%!-.")
        #expect(try message.from.parameters.find(named: "own''~+*_!.-%")?.value?.unquoted == "готово")
        #expect(try message.callID == "odd.id%ZZ-!.*_+'@word`~)(><:\\/\"][?}{")
        #expect(try message.maxForwards == 255)
    }

    @Test("3.1.1.3: escapes are resolved once, in names of URI parameters too")
    func escapes() throws {
        let message = try message("escapes-in-uris")
        let uri = try #require(try message.requestURI().sip)
        #expect(uri.unescapedUser == "sips:otto@lab.example")
        #expect(try message.to.uri.sip?.unescapedUser == "otto")
        #expect(try message.from.uri.sip?.unescapedUser == "with two spaces")
        #expect(try message.to.uri.isEquivalent(to: SIPURIReference(parsing: "sip:otto@lab.example")))
        guard case .list(let contacts) = try message.contacts, let contact = contacts.first?.uri.sip else { return }
        #expect(contact.isLooseRoute)
        #expect(contact.parameters["key"]?.percentDecoded == "val%41")
    }

    @Test("3.1.1.4: a NUL in a user part does not end it")
    func nulls() throws {
        let message = try message("escaped-nulls")
        #expect(try message.to.uri.sip?.aor == SIPText(Array("sip:no-\0-end@lab.example".utf8)))
        guard case .list(let contacts) = try message.contacts else { return }
        #expect(contacts.count == 2)
        #expect(contacts[0].uri.isEquivalent(to: contacts[1].uri) == false)
    }

    @Test("3.1.1.5: C%6Fntact is no Contact")
    func percentInName() throws {
        let message = try message("percent-in-names")
        #expect(message.method != .register)
        #expect(message.all(.contact).count == 2)
        #expect(message.contains("C%6Fntact"))
        #expect(try message.to.displayName?.unquoted == "%Q%51")
    }

    @Test("3.1.1.7: long values and 34 Vias in all spellings")
    func longValues() throws {
        let message = try message("long-values")
        let vias = try message.vias
        #expect(vias.count == 34)
        #expect(vias.last?.received?.description == "198.51.100.31")
        #expect(vias.last?.branch?.count == 210)
        #expect(try message.from.tag?.count == 160)
    }

    @Test("3.1.1.8: octets behind the body are no part of the message")
    func trailing() throws {
        let message = try message("datagram-with-a-second-message")
        #expect(message.length < message.bytes.count)
        #expect(message.body.isEmpty)
    }

    @Test("3.1.1.9: semicolons in the user part belong to it")
    func semicolonUser() throws {
        let uri = try #require(try message("semicolon-in-user").requestURI().sip)
        #expect(uri.unescapedUser == "otto;day=w@lab.example")
        #expect(uri.parameters.isEmpty)
    }

    @Test("3.1.1.10-13: transports, binary body, reason phrases")
    func others() throws {
        #expect(try message("unknown-transports").vias.map(\.knownTransport) == [.udp, nil, .tls, nil, .tcp])
        #expect(try message("multipart-with-binary").body.count == 187)
        #expect(try message("multipart-with-binary").contentType?.parameters["boundary"] == "c0ffee42")
        #expect(try message("odd-reason-phrase").reason?.string == "= 4**3 + 136, всё хорошо")
        #expect(try message("empty-reason-phrase").reason == "")
    }

    @Test("3.1.2.15: a comma is no part of an unquoted display name")
    func badDisplayName() throws {
        let message = try message("comma-in-display-name")
        let place = try #require(message.first(.from)).range.lowerBound
        #expect(throws: SIPParseError(.displayName, at: place + 4)) { try message.from }
        guard case .respond(let refusal) = message.verdict(for: Self.userAgent) else { return }
        #expect(refusal == SIPRefusal(400, SIPParseError(.displayName, at: place + 4)))
    }

    @Test("3.1.2.12: only GMT is a time zone")
    func date() throws {
        let message = try message("date-in-another-zone")
        let place = try #require(message.first(.date)).range.lowerBound
        #expect(throws: SIPParseError(.date, at: place + 26)) { try message.date }
        #expect(try self.message("multipart-with-binary").date?.text == "Tue, 14 Nov 2023 22:13:20 GMT")
    }

    @Test("3.2.1: a bare cookie identifies no transaction")
    func badBranch() throws { #expect(try message("bare-cookie").topVia.hasUniqueBranch == false) }

    @Test("3.3.5: the 420 names the tags of its own role")
    func unsupported() throws {
        for (element, tags) in [(Self.userAgent, ["moonlight", "starlight"]), (Self.proxy, ["sunlight", "twilight"])]
            as [(SIPCapabilities, [SIPText])]
        {
            guard case .respond(let refusal) = try receive("unsupported-extensions", as: element).verdict else {
                Issue.record("not answered")
                continue
            }
            #expect(refusal.unsupported == tags)
        }
    }

    @Test("3.3.7: an unknown authorization scheme stays readable")
    func unknownScheme() throws {
        #expect(try message("unknown-authorization").authorizations == [.other(scheme: "SecretHandshake", "grip=firm")])
    }

    @Test("3.3.12-14: parameters belong where the angle brackets put them")
    func contactParameters() throws {
        func contact(_ name: String) throws -> NameAddress {
            guard case .list(let list) = try message(name).contacts else { throw SIPParseError(.unexpected, at: 0) }
            return try #require(list.first)
        }
        let outside = try contact("contact-parameter")
        #expect(outside.parameters.contains("glitter"))
        #expect(outside.uri.sip?.parameters.isEmpty == true)
        let inside = try contact("uri-parameter-of-contact")
        #expect(inside.parameters.isEmpty)
        #expect(inside.uri.sip?.parameters.contains("glitter") == true)
        let escaped = try #require(try contact("uri-header-of-contact").uri.sip)
        #expect(escaped.text == "sip:mira@lab.example?Route=%3Csip:edge.lab.example%3E")
        #expect(escaped.headerFields.map(\.name) == [.route])
        #expect(escaped.headerFields.map(\.value) == ["<sip:edge.lab.example>"])
    }

    @Test("RFC 5118 4.3, 4.4: only behind the brackets is a port a port")
    func portOfReference() throws {
        #expect(try message("port-within-brackets").requestURI().sip?.port == nil)
        let uri = try #require(try message("port-behind-brackets").requestURI().sip)
        #expect(uri.port == 5070 && uri.host.description == "[2001:db8:7::10]")
    }

    @Test("RFC 5118 4.5: received means the same with brackets and without")
    func received() throws {
        let written = try ["received-with-brackets", "received-without-brackets"].map {
            try message($0).topVia.received?.description
        }
        #expect(written == ["2001:db8:7::9:255", "2001:db8:7::9:255"])
    }

    @Test("RFC 5118 4.7, 4.9: both families stand side by side, an IPv4-mapped address is IPv6")
    func families() throws {
        let hosts = try message("both-families-in-fields").vias.map { $0.host.description }
        #expect(hosts == ["[2001:db8:7::9:1]", "198.51.100.1", "[2001:db8:7::9:255]"])
        #expect(try message("ipv4-mapped").vias.allSatisfy { $0.host.description.hasPrefix("[::ffff:") })
    }
}
