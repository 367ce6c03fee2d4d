import Base
import Capture
import Packet
import Testing

@testable import Analysis

@Suite("tcp.refused and tcp.unanswered of servers that open connections to phones")
struct ConnectionBackTests {
    private static let phone = Endpoint("198.51.100.7:41234")!
    private static let server = Endpoint("203.0.113.5:5060")!

    private static func text(_ start: String, _ method: String, via: String = "TCP", contact: String = "192.168.1.20:5060")
        -> [UInt8]
    {
        let lines = [
            start, "Via: SIP/2.0/\(via) 192.168.1.20:5060;branch=z9hG4bK1", "From: <sip:alice@example.com>;tag=a",
            "To: <sip:alice@example.com>" + (start.hasPrefix("SIP") ? ";tag=b" : ""), "Call-ID: r", "CSeq: 1 \(method)",
            "Contact: <sip:alice@\(contact)>;expires=3600", "Content-Length: 0", "", "",
        ]
        return Array(lines.joined(separator: "\r\n").utf8)
    }

    /// REGISTER and 200 over a connection of the phone's.
    private static func register(_ tap: inout StreamTap) throws {
        let (register, ok) = (text("REGISTER sip:example.com SIP/2.0", "REGISTER"), text("SIP/2.0 200 OK", "REGISTER"))
        try tap.segment(phone, server, .syn, 100, at: 0)
        try tap.segment(server, phone, [.syn, .ack], 900, at: 0.02)
        try tap.segment(phone, server, .ack, 101, at: 0.03)
        try tap.segment(phone, server, [.ack, .psh], 101, register, at: 0.04)
        try tap.segment(server, phone, [.ack, .psh], 901, ok, at: 0.06)
    }

    private static func accusations(_ tap: inout StreamTap) throws -> [Finding] {
        try tap.datagram(phone, Endpoint("192.0.2.9:9")!, [1, 2, 3], at: 200)
        return tap.findings().filter(\.severity.accuses)
    }

    /// Connections that the server opens after the registration.
    private func opens(to place: Endpoint, refused: Bool, registered: Bool = true, taken: Bool = false) throws -> [Finding] {
        var tap = StreamTap()
        if registered { try Self.register(&tap) }
        for turn in 0..<3 {
            let (from, at) = (Endpoint(Self.server.address, UInt16(50_000 + turn)), 30 + Double(turn) * 20)
            try tap.segment(from, place, .syn, 500, at: at)
            if refused { try tap.segment(place, from, [.rst, .ack], 0, at: at + 0.02) }
            if taken { try tap.segment(place, from, [.syn, .ack], 0, at: at + 0.02) }
        }
        return try Self.accusations(&tap)
    }

    @Test(
        "a server that opens a connection to the port a phone connected from, refused or unanswered, cannot call it",
        arguments: [true, false])
    func port(refused: Bool) throws {
        let found = try opens(to: Self.phone, refused: refused)
        #expect(found.map(\.name) == [refused ? .tcpRefused : .tcpUnanswered])
        let finding = try #require(found.first)
        #expect(finding.culprit == .proved("203.0.113.5:5060"))
        #expect(
            finding.summary
                == "203.0.113.5:5060 does not reach alice@example.com: it opens a new TCP connection to 198.51.100.7:41234, the port that the phone "
                + "had connected from, and \(refused ? "it is refused" : "nobody answers"), 3 times.")
    }

    @Test("a server that opens a connection to the private Contact of a phone that registered over TCP cannot call it")
    func contact() throws {
        let found = try opens(to: Endpoint("192.168.1.20:5060")!, refused: false)
        #expect(found.map(\.name) == [.tcpUnanswered])
        #expect(try #require(found.first).summary.contains("the private Contact of the phone, which stands behind a NAT"))
    }

    @Test("connections that are taken, and those of a server to hosts that never registered, accuse nobody")
    func innocent() throws {
        #expect(try opens(to: Self.phone, refused: false, taken: true).isEmpty)
        #expect(try opens(to: Self.phone, refused: true, registered: false).isEmpty)
        #expect(try opens(to: Endpoint("198.51.100.99:41234")!, refused: true).isEmpty)
    }

    /// A phone that registers over UDP, perhaps with a Contact for TCP, and whom the server calls by TCP and perhaps by UDP then.
    private func calls(contact: String, thenUDP: Bool) throws -> [Finding] {
        var tap = StreamTap()
        let at = Endpoint("192.168.1.20:5060")!
        let server = Endpoint("192.168.1.5:5060")!
        try tap.datagram(
            at, server, Self.text("REGISTER sip:example.com SIP/2.0", "REGISTER", via: "UDP", contact: contact), at: 0)
        try tap.datagram(server, at, Self.text("SIP/2.0 200 OK", "REGISTER", via: "UDP", contact: contact), at: 0.02)
        for turn in 0..<3 {
            let (from, time) = (Endpoint(server.address, UInt16(50_000 + turn)), 30 + Double(turn) * 20)
            try tap.segment(from, at, .syn, 500, at: time)
            try tap.segment(at, from, [.rst, .ack], 0, at: time + 0.02)
        }
        if thenUDP {
            func message(_ start: String) -> [UInt8] {
                Array(
                    String(decoding: Self.text(start, "INVITE", via: "UDP"), as: UTF8.self).replacing(
                        "Call-ID: r", with: "Call-ID: i"
                    )
                    .replacing("192.168.1.20:5060;branch", with: "192.168.1.5:5060;branch").utf8)
            }
            try tap.datagram(server, at, message("INVITE sip:alice@192.168.1.20 SIP/2.0"), at: 30.1)
            try tap.datagram(at, server, message("SIP/2.0 486 Busy Here"), at: 31)
        }
        return try Self.accusations(&tap)
    }

    @Test("a Contact for TCP of a phone that registers over UDP and refuses TCP: a fault, unless calls get through by UDP")
    func transport() throws {
        let found = try calls(contact: "192.168.1.20:5060;transport=tcp", thenUDP: false)
        #expect(found.map(\.name) == [.tcpRefused])
        #expect(
            try #require(found.first).summary
                == "192.168.1.5 cannot call alice@example.com: it opens a TCP connection to 192.168.1.20:5060, as the Contact of the phone says "
                + "(transport=tcp), and it is refused (RST); the phone registers over UDP.")
        #expect(try calls(contact: "192.168.1.20:5060;transport=tcp", thenUDP: true).isEmpty)
        #expect(try calls(contact: "192.168.1.20:5060", thenUDP: false).isEmpty)
    }
}
