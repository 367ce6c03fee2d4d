import Base
import Capture
import Packet
import Testing

@testable import Analysis

@Suite("requests that are sent once, and nobody answers")
struct SilentEndTests {
    // MARK: UDP

    private func talk(
        _ refusals: [Double], requests: [Double], answered: Double? = nil, code: UInt8 = 3, box: String = "203.0.113.10"
    )
        -> Talk
    {
        var talk = Talk()
        for (index, at) in requests.enumerated() {
            let request = talk.register(index + 1)
            talk.up(at, request)
            if at == answered { talk.down(at + 0.02, talk.response(200, to: request, ["Expires: 3600"])) }
            if refusals.contains(at) {
                talk.see(
                    at + 0.01, Endpoint("\(box):0")!, talk.phone,
                    .icmp(type: 3, code: code, source: talk.phone, destination: talk.server))
            }
        }
        talk.see(200, Endpoint("198.51.100.99:5060")!, talk.server, .keepalive)
        return talk
    }

    @Test(
        "each is refused by ICMP at once, and its sender gives up as RFC 3261 18.4 says: a fault, with who refuses",
        arguments: [
            (
                UInt8(3), "203.0.113.10",
                "nobody answered: it arrives, and 203.0.113.10 refuses it by ICMP, as nothing listens on port 5060 there."
            ),
            (13, "192.168.1.1", "nobody answered: a filter at 192.168.1.1 refuses it by ICMP."),
            (1, "192.168.1.1", "nobody answered: 192.168.1.1 finds no host 203.0.113.10 (ICMP host unreachable)."),
        ])
    func refusedAtOnce(_ code: UInt8, _ box: String, _ words: String) throws {
        let talk = talk([0, 60, 120], requests: [0, 60, 120], code: code, box: box)
        #expect(talk.accusations() == ["fault sip.retransmit"])
        let finding = try #require(talk.finding(.sipRetransmit))
        #expect(finding.summary.contains("was sent once and"))
        #expect(finding.summary.hasSuffix(words))
    }

    @Test("a server that was restarted and answers the next one accuses nobody; nor does an error about an earlier packet")
    func comesBack() {
        #expect(talk([0], requests: [0, 60], answered: 60).accusations() == [])
        var late = Talk()
        late.see(
            -30, Endpoint("203.0.113.10:0")!, late.phone,
            .icmp(type: 3, code: 3, source: late.phone, destination: late.server))
        let request = late.register(1)
        late.up(0, request)
        late.down(0.1, late.response(200, to: request, ["Expires: 3600"]))
        #expect(late.accusations() == [])
    }

    @Test("of dialogs of which one direction only is there nobody says that nothing is wrong")
    func halfSeen() {
        var talk = Talk()
        for number in 1...3 { talk.up(Double(number) * 60, talk.register(number)) }
        #expect(
            talk.result().verdict.hasPrefix(
                "The one dialog was seen in one direction only, so that nobody can say whether anything failed."))
    }

    // MARK: TCP

    private static let phone = Endpoint("192.168.1.20:40000")!
    private static let server = Endpoint("203.0.113.5:5060")!

    private static func request(_ method: String, _ number: Int, _ call: String) -> [UInt8] {
        Array(
            """
            \(method) sip:bob@example.com SIP/2.0\r
            Via: SIP/2.0/TCP 192.168.1.20:5060;branch=z9hG4bK\(call)\(number)\r
            From: <sip:alice@example.com>;tag=\(call)\r
            To: <sip:bob@example.com>\r
            Call-ID: \(call)\r
            CSeq: \(number) \(method)\r
            Content-Length: 0\r
            \r

            """.utf8)
    }

    private static func answer(_ status: String, to request: [UInt8]) -> [UInt8] {
        let lines = String(decoding: request, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
            .dropFirst()
        return Array(("SIP/2.0 \(status)\r\n" + lines.joined(separator: "\r\n")).utf8)
    }

    /// One connection: at what second, whether the phone says it, and what; each is acknowledged by the other side.
    private static func accusations(_ said: [(at: Double, isPhone: Bool, bytes: [UInt8])]) throws -> [String] {
        var tap = StreamTap()
        var next: (phone: UInt32, server: UInt32) = (101, 901)
        func send(_ at: Double, _ isPhone: Bool, _ flags: TCPHeader.Flags, _ sequence: UInt32, _ bytes: [UInt8] = []) throws {
            try tap.segment(
                isPhone ? phone : server, isPhone ? server : phone, flags, sequence, bytes,
                acknowledgment: isPhone ? next.server : next.phone, at: at)
        }
        try send(-0.3, true, .syn, 100)
        try send(-0.2, false, [.syn, .ack], 900)
        try send(-0.1, true, .ack, 101)
        for one in said {
            try send(one.at, one.isPhone, [.ack, .psh], one.isPhone ? next.phone : next.server, one.bytes)
            if one.isPhone { next.phone += UInt32(one.bytes.count) } else { next.server += UInt32(one.bytes.count) }
            try send(one.at + 0.01, !one.isPhone, .ack, one.isPhone ? next.server : next.phone)
        }
        return tap.findings().filter { $0.severity.accuses && $0.name != .captureBlind }.map {
            "\($0.severity) \($0.name.rawValue)"
        }
    }

    @Test("over a connection that acknowledges each: another try, and something else that is answered, do not hide it")
    func overConnections() throws {
        let tries = [0.0, 40, 80].enumerated().map { (at: $1, isPhone: true, bytes: Self.request("REGISTER", $0 + 1, "r")) }
        #expect(try Self.accusations(tries) == ["fault tcp.unanswered"])
        let invite = Self.request("INVITE", 1, "i")
        let ping = Self.request("OPTIONS", 1, "o")
        #expect(
            try Self.accusations([(5, true, invite), (60, true, ping), (60.1, false, Self.answer("200 OK", to: ping))])
                == ["fault tcp.unanswered"])
    }

    @Test("a call that is rung, and a server that took twelve seconds while something else was asked, accuse nobody")
    func slow() throws {
        let invite = Self.request("INVITE", 1, "i")
        let ping = Self.request("OPTIONS", 1, "o")
        let pong = Self.answer("200 OK", to: ping)
        #expect(
            try Self.accusations([
                (5, true, invite), (5.1, false, Self.answer("100 Trying", to: invite)), (40, true, ping), (40.1, false, pong),
            ]) == [])
        let register = Self.request("REGISTER", 1, "r")
        #expect(
            try Self.accusations([
                (0, true, register), (11, true, ping), (11.1, false, pong), (12, false, Self.answer("200 OK", to: register)),
            ]) == [])
    }

    // MARK: Calls

    @Test(
        "a 200 that is never acknowledged, no audio of the caller, and a BYE that nobody answers are one cause, and it comes first"
    )
    func oneCause() throws {
        let talk = Talk()
        let sdp = { (place: String, port: Int) in
            "v=0\r\no=- 1 1 IN IP4 \(place)\r\ns=-\r\nc=IN IP4 \(place)\r\nt=0 0\r\nm=audio \(port) RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        }
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Content-Type: application/sdp", "Contact: <sip:alice@198.51.100.7:40000>"],
            body: sdp("198.51.100.7", 20_000))
        let ok = talk.response(
            200, to: invite, ["Content-Type: application/sdp", "Contact: <sip:bob@203.0.113.10>"],
            body: sdp("203.0.113.10", 30_000))
        var packets: [Talk.Packet] = [
            .init(at: 0, up: true, bytes: Array(invite.utf8)),
            .init(at: 0.1, up: false, bytes: Array(talk.response(180, to: invite).utf8)),
        ]
        for at in [1, 1.5, 2.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5, 32.5] {
            packets.append(.init(at: at, up: false, bytes: Array(ok.utf8)))
        }
        let bye =
            "BYE sip:alice@198.51.100.7:40000 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bKbye\r\n"
            + "From: <sip:bob@pbx.example>;tag=s1\r\nTo: <sip:\(talk.aor)>;tag=t1\r\nCall-ID: \(talk.call)\r\nCSeq: 7 BYE\r\n"
            + "Content-Length: 0\r\n\r\n"
        for at in [33, 33.5, 34.5, 36.5, 40.5, 44.5] { packets.append(.init(at: at, up: false, bytes: Array(bye.utf8))) }
        for number in 0..<1_600 {
            packets.append(
                .init(
                    at: 1.01 + Double(number) * 0.02, up: false,
                    bytes: MediaScene.rtp(0, number, UInt32(number) * 160, 7), isAudio: true))
        }
        let found = talk.accusations(of: packets)
        #expect(found.first?.name == .sipNoACK)
        #expect(!found.contains { $0.name == .mediaOneWay || $0.name == .mediaNone || $0.name == .sipRetransmit })
    }
}
