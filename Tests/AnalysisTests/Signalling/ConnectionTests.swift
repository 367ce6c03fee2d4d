import Base
import Capture
import Packet
import Testing

@testable import Analysis

@Suite("tcp.refused and tcp.unanswered")
struct ConnectionTests {
    private static let phone = Endpoint("192.168.1.20:40000")!
    private static let server = Endpoint("203.0.113.5:5060")!
    private static let invite = Array(
        """
        INVITE sip:bob@example.com SIP/2.0\r
        Via: SIP/2.0/TCP 192.168.1.20:5060;branch=z9hG4bK1\r
        From: <sip:alice@example.com>;tag=a\r
        To: <sip:bob@example.com>\r
        Call-ID: c1\r
        CSeq: 1 INVITE\r
        Content-Length: 0\r
        \r

        """.utf8)

    /// Segments a second apart: who sends (true: the client), flags, sequence, payload.
    private static func findings(
        _ segments: [(Bool, TCPHeader.Flags, UInt32, [UInt8])], client: Endpoint = phone, server: Endpoint = server,
        also: [UInt8]? = nil
    ) throws -> [String] {
        var decoder = FrameDecoder()
        var batch = PayloadBatch(capacity: 65_536)
        var analyzer = Analyzer(sources: [SourceSummary(name: "a", kind: .capture)])
        var packets = try segments.map { fromClient, flags, sequence, payload in
            try TCPSegment(
                from: fromClient ? client : server, to: fromClient ? server : client, sequence: sequence, acknowledgment: 1,
                flags: flags,
                payload: payload
            ).packet()
        }
        if let also {
            packets.append(try IPPacket.bytes(of: Datagram(from: client, to: Endpoint(server.address, 5060), also), IPOptions()))
        }
        packets.append(try IPPacket.bytes(of: Datagram(from: client, to: Endpoint("192.0.2.9:9")!, [1, 2, 3]), IPOptions()))
        for (index, packet) in packets.enumerated() {
            let late = index == packets.count - 1 ? 20 : 0
            packet.withUnsafeBytes {
                decoder.append(
                    $0, wire: packet.count, at: Instant(seconds: 1_700_000_000 + Int64(index + late)), link: .raw, linkType: 101,
                    to: &batch)
            }
        }
        analyzer.observe(batch, file: 0)
        analyzer.blind(decoder.notes, in: Vantage(0))
        return analyzer.finish().findings.filter { $0.name != .captureBlind }.map { "\($0.severity) \($0.name.rawValue)" }
    }

    private static let syn: (Bool, TCPHeader.Flags, UInt32, [UInt8]) = (true, .syn, 100, [])

    @Test("a SYN answered with RST is a fault, unless the phone speaks SIP another way")
    func refused() throws {
        let segments: [(Bool, TCPHeader.Flags, UInt32, [UInt8])] = [Self.syn, (false, [.rst, .ack], 0, [])]
        #expect(try Self.findings(segments) == ["fault tcp.refused"])
        #expect(try Self.findings(segments, also: Self.invite).contains("note tcp.refused"))
        #expect(try Self.findings(segments, server: Endpoint("203.0.113.5:443")!) == [])
    }

    @Test("a SYN nobody answers is a fault; of a stranger that knocks once, a note; an answered one, nothing")
    func unanswered() throws {
        #expect(try Self.findings([Self.syn, Self.syn]) == ["fault tcp.unanswered"])
        #expect(try Self.findings([Self.syn], client: Endpoint("198.51.100.66:40000")!) == ["note tcp.unanswered"])
        #expect(try Self.findings([Self.syn, (false, [.syn, .ack], 900, [])]) == [])
    }

    @Test("a SYN that is sent again and again although it was answered: the answer is lost on the way back")
    func unheard() throws {
        let answer: (Bool, TCPHeader.Flags, UInt32, [UInt8]) = (false, [.syn, .ack], 900, [])
        let stranger = Endpoint("198.51.100.66:40000")!
        let again = [Self.syn, answer, Self.syn, answer, Self.syn, answer, Self.syn, answer]
        #expect(try Self.findings(again, client: stranger) == ["fault tcp.unanswered"])
        #expect(try Self.findings([Self.syn, answer, Self.syn, answer, (true, .ack, 101, [])], client: stranger) == [])
        #expect(try Self.findings(again, client: stranger, also: Self.invite).contains("fault tcp.unanswered") == false)
        #expect(try Self.findings(again, client: stranger, server: Endpoint("203.0.113.5:443")!) == [])
    }

    @Test("a stranger that asks for so long waits for the answer; a server that speaks SIP with others owes it none")
    func waits() throws {
        let stranger = Endpoint("198.51.100.66:40000")!
        let long = [(Bool, TCPHeader.Flags, UInt32, [UInt8])](repeating: Self.syn, count: 9)
        #expect(try Self.findings(long, client: stranger) == ["risk tcp.unanswered"])
        #expect(try Self.findings(Array(long.prefix(4)), client: stranger) == ["note tcp.unanswered"])
    }

    @Test("a request whose connection is reset before any answer is a fault; a reset after the answer is none")
    func reset() throws {
        let opening: [(Bool, TCPHeader.Flags, UInt32, [UInt8])] = [
            Self.syn, (false, [.syn, .ack], 900, []), (true, .ack, 101, []), (true, [.ack, .psh], 101, Self.invite),
        ]
        #expect(try Self.findings(opening + [(false, .rst, 901, [])]) == ["fault tcp.refused"])
        let answer = Array(String(decoding: Self.invite, as: UTF8.self).utf8)
        let busy = Array("SIP/2.0 486 Busy Here\r\n".utf8) + answer.drop { $0 != 10 }.dropFirst()
        #expect(
            try Self.findings(opening + [(false, [.ack, .psh], 901, busy), (false, .rst, 901 + UInt32(busy.count), [])])
                .contains { $0.hasSuffix("tcp.refused") } == false)
    }

    @Test("a refresh of a registration whose connection is reset is a fault; one that is answered after all is none")
    func refresh() throws {
        func text(_ start: String, _ number: Int) -> [UInt8] {
            let lines = [
                start, "Via: SIP/2.0/TCP 192.168.1.20:5060;branch=z9hG4bK\(number)", "From: <sip:alice@example.com>;tag=a",
                "To: <sip:alice@example.com>", "Call-ID: r1", "CSeq: \(number) REGISTER",
                "Contact: <sip:alice@192.168.1.20>;expires=60", "Content-Length: 0", "", "",
            ]
            return Array(lines.joined(separator: "\r\n").utf8)
        }
        let request = { text("REGISTER sip:example.com SIP/2.0", $0) }
        let ok = { text("SIP/2.0 200 OK", $0) }
        let next = 101 + UInt32(request(1).count)
        let opening: [(Bool, TCPHeader.Flags, UInt32, [UInt8])] = [
            Self.syn, (false, [.syn, .ack], 900, []), (true, .ack, 101, []), (true, [.ack, .psh], 101, request(1)),
            (false, [.ack, .psh], 901, ok(1)), (true, [.ack, .psh], next, request(2)),
        ]
        let after = 901 + UInt32(ok(1).count)
        #expect(try Self.findings(opening + [(false, .rst, after, [])]).contains("fault tcp.refused"))
        let answered = opening + [(false, [.ack, .psh], after, ok(2)), (false, .rst, after + UInt32(ok(2).count), [])]
        #expect(try !Self.findings(answered).contains("fault tcp.refused"))
    }

    @Test(
        "a request over a connection that stands, which nobody answers, or which the server closes, is a fault; an answered one is none"
    )
    func silence() throws {
        let opening: [(Bool, TCPHeader.Flags, UInt32, [UInt8])] = [
            Self.syn, (false, [.syn, .ack], 900, []), (true, .ack, 101, []), (true, [.ack, .psh], 101, Self.invite),
        ]
        #expect(try Self.findings(opening) == ["fault tcp.unanswered"])
        #expect(try Self.findings(opening + [(false, [.fin, .ack], 901, [])]) == ["fault tcp.unanswered"])
        let trying = Array("SIP/2.0 100 Trying\r\n".utf8) + Self.invite.drop { $0 != 10 }.dropFirst()
        #expect(try Self.findings(opening + [(false, [.ack, .psh], 901, trying)]) == [])
    }
}

@Suite("tls.failed")
struct HandshakeTests {
    private static let flow = PackedFlow(
        source: PackedAddress(IPAddress("192.168.1.20")!), 40_000, destination: PackedAddress(IPAddress("203.0.113.5")!), 5_061,
        .tcp)

    private func findings(_ events: [(StreamEvent.Kind, Bool)], port: UInt16 = 5_061) -> [Finding] {
        var ledger = HandshakeLedger()
        var flow = Self.flow
        flow.destinationPort = port
        for (index, (kind, isOfClient)) in events.enumerated() {
            ledger.event(
                StreamEvent(
                    frame: UInt64(index + 1), time: Instant(seconds: 1_700_000_000 + Int64(index)),
                    flow: isOfClient ? flow : flow.reversed,
                    kind: kind), file: 0)
        }
        return Judge(options: AnalysisOptions()).handshakes(ledger)
    }

    @Test("the phone's alert about the server's certificate, in words, and whose it is")
    func alert() throws {
        let found = findings([(.tls, true), (.tls, false), (.tlsAlert(48), true), (.closed, true)])
        let finding = try #require(found.first)
        #expect(found.count == 1 && finding.name == .tlsFailed && finding.severity == .fault)
        #expect(
            finding.summary
                == "192.168.1.20 gets no TLS connection to 203.0.113.5:5061: it does not trust the server's certificate.")
        #expect(finding.culprit == .proved("192.168.1.20"))
        #expect(finding.details == ["The alert unknown_ca (48) ended 1 handshake; none succeeded in this capture."])
        #expect(findings([(.tls, true), (.tlsAlert(70), false)]).first?.culprit == .proved("203.0.113.5:5061"))
        // 45: the certificate has expired, that of the other end.
        #expect(findings([(.tls, true), (.tls, false), (.tlsAlert(45), true)]).first?.culprit == .proved("203.0.113.5:5061"))
    }

    @Test("closed before the server said a word")
    func dropped() {
        #expect(findings([(.tls, true), (.reset, false)]).map(\.name) == [.tlsFailed])
    }

    @Test("a handshake that stands, a farewell, one success among failures, and the web's ports are no matter")
    func innocent() {
        #expect(findings([(.tls, true), (.tls, false), (.closed, true)]).isEmpty)
        #expect(findings([(.tls, true), (.tls, false), (.tlsAlert(0), true), (.closed, true)]).isEmpty)
        #expect(findings([(.tls, true), (.tlsAlert(40), false), (.tls, true), (.tls, false), (.closed, false)]).isEmpty)
        #expect(findings([(.tls, true), (.tlsAlert(48), true)], port: 443).isEmpty)
        #expect(findings([(.tls, true)]).isEmpty)
    }
}
