import Base
import Capture
import Packet
import Testing

@testable import Analysis

@Suite("tcp.refused of requests that are reset, and tcp.unanswered of phones called over the wrong transport")
struct ResetTests {
    private static let phone = Endpoint("192.168.1.20:40000")!
    private static let server = Endpoint("203.0.113.5:5060")!

    private static func text(
        _ start: String, _ number: Int, _ method: String, call: String, contact: String, pad: Int = 0, via: String = "TCP"
    )
        -> [UInt8]
    {
        let lines = [
            start, "Via: SIP/2.0/\(via) 192.168.1.20:5060;branch=z9hG4bK\(call)\(number)", "From: <sip:alice@example.com>;tag=a",
            "To: <sip:alice@example.com>" + (start.hasPrefix("SIP") ? ";tag=b" : ""), "Call-ID: \(call)",
            "CSeq: \(number) \(method)",
            "Contact: <sip:alice@192.168.1.20\(contact)>;expires=60", "Subject: \(String(repeating: "x", count: pad))",
            "Content-Length: 0", "", "",
        ]
        return Array(lines.joined(separator: "\r\n").utf8)
    }

    private static func segment(
        _ tap: inout StreamTap, _ isUp: Bool, _ flags: TCPHeader.Flags, _ sequence: UInt32, _ payload: [UInt8] = [],
        at seconds: Double, port: UInt16 = 40_000
    ) throws {
        let client = Endpoint(phone.address, port)
        try tap.segment(isUp ? client : server, isUp ? server : client, flags, sequence, payload, at: seconds)
    }

    private static func findings(_ tap: inout StreamTap, end: Double) throws -> [Finding] {
        try tap.datagram(phone, Endpoint("192.0.2.9:9")!, [1, 2, 3], at: end)
        return tap.findings().filter { $0.name != .captureBlind }
    }

    /// REGISTER that passes, and after `idle` seconds an INVITE that is reset `after` so many more, on each of several connections.
    private func resets(_ count: Int, idle: Double, after: Double = 0.1) throws -> [Finding] {
        var tap = StreamTap()
        for number in 0..<count {
            let (start, port) = (Double(number) * 400, UInt16(40_000 + number))
            let register = Self.text("REGISTER sip:example.com SIP/2.0", 1, "REGISTER", call: "r\(number)", contact: "")
            let ok = Self.text("SIP/2.0 200 OK", 1, "REGISTER", call: "r\(number)", contact: "")
            let invite = Self.text("INVITE sip:bob@example.com SIP/2.0", 2, "INVITE", call: "i\(number)", contact: "", pad: 1_000)
            try Self.segment(&tap, true, .syn, 100, at: start, port: port)
            try Self.segment(&tap, false, [.syn, .ack], 900, at: start + 0.02, port: port)
            try Self.segment(&tap, true, .ack, 101, at: start + 0.03, port: port)
            try Self.segment(&tap, true, [.ack, .psh], 101, register, at: start + 0.04, port: port)
            try Self.segment(&tap, false, [.ack, .psh], 901, ok, at: start + 0.06, port: port)
            let next = 101 + UInt32(register.count)
            try Self.segment(&tap, true, [.ack, .psh], next, invite, at: start + idle, port: port)
            try Self.segment(&tap, false, .rst, 901 + UInt32(ok.count), at: start + idle + after, port: port)
        }
        return try Self.findings(&tap, end: Double(count) * 400 + 60).filter { $0.name == .tcpRefused }
    }

    @Test("a connection that is reset at once by each request is refused for the request's sake, told once")
    func atOnce() throws {
        let found = try resets(3, idle: 5)
        #expect(found.map(\.count) == [3])
        let finding = try #require(found.first)
        #expect(
            finding.summary
                == "The call of alice@example.com failed: 203.0.113.5:5060 resets the TCP connection (RST) on the request instead of answering it."
        )
        #expect(finding.details.first == "The connection was not idle: it carried another message 4.9 s before.")
        #expect(finding.remedies.map(\.actor) == [.server, .phone])
    }

    @Test("after long idleness, or long after the request, a reset is a firewall's that forgot the connection")
    func forgotten() throws {
        for found in [try resets(1, idle: 300), try resets(1, idle: 5, after: 20)] {
            #expect(
                found.map(\.summary) == [
                    "The call of alice@example.com failed: its TCP connection was reset (RST) before anybody answered."
                ])
        }
    }

    private func called(contact: String, tries: Bool = true) throws -> [Finding] {
        var tap = StreamTap()
        let register = Self.text("REGISTER sip:example.com SIP/2.0", 1, "REGISTER", call: "r", contact: contact, via: "UDP")
        let ok = Self.text("SIP/2.0 200 OK", 1, "REGISTER", call: "r", contact: contact, via: "UDP")
        let at = Endpoint(Self.phone.address, 5_060)
        try tap.datagram(at, Self.server, register, at: 0)
        try tap.datagram(Self.server, at, ok, at: 0.02)
        let caller = Endpoint("198.51.100.9:5060")!
        let invite = Array(
            String(
                decoding: Self.text("INVITE sip:alice@example.com SIP/2.0", 7, "INVITE", call: "c", contact: "", via: "UDP"),
                as: UTF8.self
            )
            .replacing("From: <sip:alice@", with: "From: <sip:carol@").utf8)
        let refusal = Array(
            String(
                decoding: Self.text("SIP/2.0 503 Service Unavailable", 7, "INVITE", call: "c", contact: "", via: "UDP"),
                as: UTF8.self
            )
            .replacing("From: <sip:alice@", with: "From: <sip:carol@").utf8)
        try tap.datagram(caller, Self.server, invite, at: 10)
        for gap in tries ? [0.0, 1, 3] : [] {
            try tap.segment(Endpoint(Self.server.address, 45_000), at, .syn, 100, acknowledgment: 0, at: 10.1 + gap)
        }
        try tap.datagram(Self.server, caller, refusal, at: 42)
        return try Self.findings(&tap, end: 120)
    }

    @Test("a phone that registers over UDP with a Contact for TCP cannot be called, and refused calls follow from it")
    func wrongTransport() throws {
        let found = try called(contact: ";transport=tcp")
        #expect(found.filter(\.severity.accuses).map(\.name) == [.tcpUnanswered])
        let finding = try #require(found.first { $0.name == .tcpUnanswered })
        #expect(
            finding.summary
                == "203.0.113.5 cannot call alice@example.com: it opens a TCP connection to 192.168.1.20:5060, as the Contact of the phone says "
                + "(transport=tcp), and nobody answers; the phone registers over UDP.")
        #expect(finding.details.last?.contains("503") == true)
        let other = try called(contact: "").filter(\.severity.accuses)
        #expect(other.map(\.name) == [.tcpUnanswered])
        #expect(other.first?.summary == "203.0.113.5 gets no TCP connection to 192.168.1.20:5060: nobody answers its SYN.")
        #expect(try called(contact: "", tries: false).filter(\.severity.accuses).map(\.name) == [.sipRefused])
    }
}
