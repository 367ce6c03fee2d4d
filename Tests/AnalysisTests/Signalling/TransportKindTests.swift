import Base
import Capture
import Packet
import Testing

@testable import Analysis

@Suite("tls.failed and tcp.unanswered: what stands in the way")
struct TransportKindTests {
    private static let flow = PackedFlow(
        source: PackedAddress(IPAddress("192.168.1.20")!), 40_000, destination: PackedAddress(IPAddress("203.0.113.5")!), 5_061,
        .tcp)

    private func handshakes(_ events: [(StreamEvent.Kind, Bool)], port: UInt16 = 5_061, from: UInt16 = 40_000) -> [Finding] {
        var ledger = HandshakeLedger()
        var flow = Self.flow
        (flow.sourcePort, flow.destinationPort) = (from, port)
        for (index, (kind, isOfClient)) in events.enumerated() {
            ledger.event(
                StreamEvent(
                    frame: UInt64(index + 1), time: Instant(seconds: 1_700_000_000 + Int64(index)),
                    flow: isOfClient ? flow : flow.reversed, kind: kind), file: 0)
        }
        return Judge(options: AnalysisOptions()).handshakes(ledger)
    }

    private static let head = "192.168.1.20 gets no TLS connection to 203.0.113.5:5061: "

    @Test("an alert after the phone had no certificate: one is wanted; after the server's hello: no quarrel about ciphers")
    func alerts() throws {
        let wanted = handshakes([(.tls, true), (.tls, false), (.tlsNoCertificate, true), (.tlsAlert(40), false)])
        #expect(wanted.map(\.summary) == [Self.head + "the server wants a certificate of the phone."])
        let late = handshakes([(.tls, true), (.tls, false), (.tlsAlert(40), false)])
        #expect(
            late.map(\.summary) == [
                Self.head + "the server breaks the handshake off after both had agreed on version and cipher."
            ])
        let early = handshakes([(.tls, true), (.tlsAlert(40), false)])
        #expect(early.map(\.summary) == [Self.head + "the server finds no TLS version or cipher in common with it."])
        let old = handshakes([(.tls, true), (.tlsAlert(70), false)])
        #expect(old.map(\.summary) == [Self.head + "the server does not accept the version of TLS that it offers."])
        let none = handshakes([(.tls, true), (.tls, false), (.tlsNoCertificate, true), (.closed, true)])
        #expect(none.isEmpty)
    }

    private static func stalled(_ octets: Int, since: Int64 = 1, isAwaited: Bool = false) -> StreamEvent.Kind {
        .stalled(octets: octets, longest: 0, sends: 4, since: Instant(seconds: 1_700_000_000 + since), isAwaited: isAwaited)
    }

    @Test("a handshake whose octets never arrive: the MTU where they are many; nothing where they arrive after all, or later")
    func stuck() throws {
        let large = Self.stalled(1_400)
        let found = try #require(handshakes([(.tls, true), (.tls, false), (large, false), (.reset, true)]).first)
        #expect(
            found.summary == Self.head
                + "the server's part of the handshake is sent again and again and never arrives, as large packets get lost on the way (MTU)."
        )
        #expect(found.culprit == .between("203.0.113.5:5061", "192.168.1.20"))
        let own = handshakes([(.tls, true), (Self.stalled(517), true)])
        #expect(own.map(\.summary) == [Self.head + "its hello is sent again and again and never arrives."])
        #expect(handshakes([(.tls, true), (.tls, false), (large, false), (.moved, false), (.closed, true)]).isEmpty)
        let later = Self.stalled(1_400, since: 60)
        #expect(handshakes([(.tls, true), (.tls, false), (later, false), (.reset, true)]).isEmpty)
    }

    @Test("TLS to the port of plain SIP; a server that speaks TLS there, and a server's own port, are no matter")
    func misdirected() throws {
        let found = handshakes([(.tls, true), (.closed, false)], port: 5_060)
        #expect(
            found.map(\.summary) == [
                "192.168.1.20 speaks TLS to 203.0.113.5:5060, the port of plain SIP, and gets no answer but the end of the connection."
            ])
        #expect(handshakes([(.tls, true), (.tls, false), (.closed, true)], port: 5_060).isEmpty)
        #expect(handshakes([(.tls, true), (.closed, true)], port: 5_060, from: 5_061).isEmpty)
    }

    // MARK: Requests over TCP

    private static let invite = Array(
        (["INVITE sip:bob@example.com SIP/2.0", "Via: SIP/2.0/TCP 192.168.1.20:5060;branch=z9hG4bK1"]
            + ["From: <sip:alice@example.com>;tag=a", "To: <sip:bob@example.com>", "Call-ID: c1", "CSeq: 1 INVITE"]
            + ["Content-Length: 0", "", ""]).joined(separator: "\r\n").utf8)

    /// A connection on which an INVITE is sent once or more, and what comes back.
    private func requests(_ times: Int, back: [UInt8] = [], acknowledged: Bool = false) throws -> Finding? {
        var analyzer = Analyzer(sources: [SourceSummary(name: "a", kind: .capture)])
        var decoder = FrameDecoder()
        var batch = PayloadBatch(capacity: 65_536)
        var seconds: Int64 = 1_700_000_000
        func see(_ fromClient: Bool, _ flags: TCPHeader.Flags, _ sequence: UInt32, _ number: UInt32, _ payload: [UInt8] = [])
            throws
        {
            let (client, server) = (Endpoint("192.168.1.20:40000")!, Endpoint("203.0.113.5:5061")!)
            let packet = try TCPSegment(
                from: fromClient ? client : server, to: fromClient ? server : client, sequence: sequence, acknowledgment: number,
                flags: flags, payload: payload
            ).packet()
            seconds += 2
            packet.withUnsafeBytes {
                decoder.append(
                    $0, wire: packet.count, at: Instant(seconds: seconds), link: .raw, linkType: 101, to: &batch)
            }
        }
        let invite = Self.invite
        try see(true, .syn, 100, 0)
        try see(false, [.syn, .ack], 900, 101)
        try see(true, .ack, 101, 901)
        for _ in 0..<times { try see(true, [.ack, .psh], 101, 901, invite) }
        if acknowledged { try see(false, .ack, 901, 101 + UInt32(invite.count)) }
        if !back.isEmpty { try see(false, [.ack, .psh], 901, 101 + UInt32(invite.count), back) }
        let other = try IPPacket.bytes(
            of: Datagram(from: Endpoint("192.168.1.20:40000")!, to: Endpoint("192.0.2.9:9")!, [1, 2, 3]), IPOptions())
        other.withUnsafeBytes {
            decoder.append(
                $0, wire: other.count, at: Instant(seconds: seconds + 20), link: .raw, linkType: 101, to: &batch)
        }
        analyzer.observe(batch, file: 0)
        analyzer.blind(decoder.notes, in: Vantage(0))
        return analyzer.finish().findings.first { $0.name == .tcpUnanswered }
    }

    @Test("a request that not even TCP acknowledges is told from one that a program leaves unanswered")
    func dead() throws {
        let stuck = try #require(try requests(6))
        #expect(
            stuck.summary
                == "alice@example.com cannot call: the TCP connection to 203.0.113.5:5061 opens, but nothing that is sent over it is acknowledged."
        )
        #expect(stuck.remedies.count == 1)
        let silent = "alice@example.com cannot call: 203.0.113.5:5061 answers nothing over a TCP connection that stands."
        #expect(try requests(6, acknowledged: true)?.summary == silent)
        #expect(try requests(1, acknowledged: true)?.summary == silent)
    }

    @Test("plain SIP to a port that speaks TLS")
    func secure() throws {
        let found = try #require(try requests(1, back: [0x15, 3, 1, 0, 2, 2, 70]))
        #expect(
            found.summary
                == "alice@example.com cannot call: 203.0.113.5:5061 speaks TLS on that port, and answers the plain SIP with an alert of TLS."
        )
        #expect(found.culprit == .proved("192.168.1.20"))
    }
}
