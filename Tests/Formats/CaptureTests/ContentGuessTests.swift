import Capture
import Testing

@Suite("Content, told by octets and never by port")
struct ContentGuessTests {
    static let cookie: [UInt8] = [0x21, 0x12, 0xa4, 0x42]
    static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    static let rows: [(String, [UInt8], ContentGuess)] = [
        ("request", sipMessage(), .sip), ("response", Array("SIP/2.0 200 OK\r\n\r\n".utf8), .sip),
        ("own method, tel URI", Array("FROB tel:+123 SIP/2.0\r\n\r\n".utf8), .sip),
        ("lower-case scheme in capitals", Array("INVITE SIP:a@b SIP/2.0\r\n".utf8), .sip),
        ("absolute URI", Array("OPTIONS http://x/ SIP/2.0\r\n".utf8), .sip),
        ("leading line ends (RFC 3261 7.5)", [13, 10, 13, 10] + sipMessage(), .sip),
        ("HTTP", Array("GET / HTTP/1.1\r\nHost: sip:x\r\n\r\n".utf8), .other), ("text", Array("hello sip: world".utf8), .other),
        ("ping (RFC 5626 4.4.1)", [13, 10, 13, 10], .keepalive), ("zeros", zeros(4), .keepalive), ("one zero", [0], .keepalive),
        ("nothing", [], .empty), ("STUN request", [0, 1, 0, 0] + cookie + zeros(12), .stun),
        ("STUN, length lies", [0, 1, 0, 8] + cookie + zeros(12), .other),
        ("classic STUN (RFC 3489)", [0, 1, 0, 0] + zeros(16), .stun),
        ("not quite classic STUN", [0, 3, 0, 0] + zeros(16), .other),
        ("DNS answer that begins as STUN may", [0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] + zeros(20), .other),
        ("ChannelData", [0x40, 1, 0, 4, 1, 2, 3, 4], .channelData), ("RTP", [0x80, 0] + zeros(10 + 160), .rtp),
        ("RTP, marker, dynamic type", [0x80, 0xe0] + zeros(10 + 20), .rtp), ("RTP cut short", [0x80, 0] + zeros(4), .other),
        ("RTP whose sources do not fit", [0x8f, 0] + zeros(10), .other), ("RTCP", [0x80, 200, 0, 6] + zeros(24), .rtcp),
        ("RTCP, length lies", [0x80, 200, 0, 60] + zeros(24), .other), ("DTLS", [22, 0xfe, 0xfd] + zeros(20), .dtls),
        ("HEP", Array("HEP3".utf8) + [0, 6], .hep), ("SIP method HEP3", Array("HEP3 sip:a SIP/2.0\r\n".utf8), .hep),
    ]

    @Test("payloads", arguments: rows.map(\.0))
    func guess(name: String) throws {
        let (_, bytes, wanted) = try #require(Self.rows.first { $0.0 == name })
        #expect(ContentGuess(bytes) == wanted)
    }

    @Test("the port has no say: SIP on any, and no SIP on 5060")
    func ports() {
        let odd = decode(packets: [
            udp(sipMessage(), from: .init("192.0.2.1:53")!, to: .init("192.0.2.2:123")!), udp(Array("no sip at all".utf8)),
        ])
        #expect(odd.seen.map(\.content) == [.sip, .other])
    }
}
