import Base
import Capture
import Packet
import Redaction
import ShowExplain
import Testing

/// Frames of every kind with secrets in them, walked as they lie.
@Suite("Secrets do not leave in frames")
struct SecretFrameTests {
    static let secret = Array("Zq7secret 203.0.113.77 Zq7secret".utf8)
    static let station: [UInt8] = [0x00, 0x15, 0x65, 0xaa, 0xbb, 0xcc]
    static let message = Array(
        "OPTIONS sip:Zq7secretA@203.0.113.77 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.77;branch=z9hG4bKZq7secret\r\nSubject: Zq7secret\r\nCall-ID: Zq7secret\r\n\r\n"
            .utf8)
    static let (phone, server) = (Endpoint("203.0.113.77:5060")!, Endpoint("203.0.113.78:5060")!)

    static func ethernet(_ payload: [UInt8], _ type: UInt16 = 0x0800, tags: [UInt8] = []) -> [UInt8] {
        station + station + tags + [UInt8(type >> 8), UInt8(type & 255)] + payload
    }

    static func udp(_ payload: [UInt8], port: UInt16 = 5060) -> [UInt8] {
        ExcerptTests.datagram(payload, from: phone, to: Endpoint(server.address, port))
    }

    static func ip(_ number: UInt8, _ payload: [UInt8], options: [UInt8] = []) -> [UInt8] {
        let total = UInt16(20 + options.count + payload.count)
        return [
            0x45 + UInt8(options.count / 4), 0, UInt8(total >> 8), UInt8(total & 255), 0, 1, 0, 0, 64, number, 0, 0, 203, 0, 113,
            77, 203, 0, 113, 78,
        ] + options + payload
    }

    static func tcp(_ payload: [UInt8]) -> [UInt8] {
        ip(
            6,
            [0x13, 0xc4, 0x13, 0xc4, 0, 0, 0, 1, 0, 0, 0, 1, 0x80, 0x18, 1, 1, 0, 0, 0, 0] + [253, 12] + secret.prefix(10)
                + payload)
    }

    static let frames: [(String, [UInt8])] = {
        let sip = udp(message)
        let inner = ethernet(sip)
        let rtp: [UInt8] = [0x90, 101, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 0xbe, 0xde, 0, 8] + secret + secret
        let description: [UInt8] = [0x81, 202, 0, 10, 0, 0, 0, 9, 1, 32] + secret + [0, 0]
        let farewell: [UInt8] = [0x81, 203, 0, 10, 0, 0, 0, 9, 32] + secret + [0, 0, 0]
        let application: [UInt8] = [0x81, 204, 0, 9, 0, 0, 0, 9] + secret
        func attribute(_ type: UInt8, _ high: UInt8 = 0) -> [UInt8] { [high, type, 0, 32] + secret }
        let attributes =
            [0x06, 0x08, 0x13, 0x14, 0x15].flatMap { attribute($0) } + attribute(0x22, 0x80) + attribute(0x77, 0x80)
            + [0, 1, 0, 8, 0, 1, 0x13, 0xc4, 203, 0, 113, 77, 0x80, 0x28, 0, 4, 1, 2, 3, 4]
        let stun: [UInt8] =
            [0, 1, UInt8(attributes.count >> 8), UInt8(attributes.count & 255), 0x21, 0x12, 0xa4, 0x42]
            + [UInt8](repeating: 7, count: 12) + attributes
        let hello: [UInt8] = [0x16, 3, 1, 0, 40, 1, 0, 0, 36, 3, 3] + secret + [0]
        let chunk = { (type: UInt8, value: [UInt8]) -> [UInt8] in [0, 0, 0, type, 0, UInt8(value.count + 6)] + value }
        let hep: [UInt8] =
            Array("HEP3".utf8) + [0, 0] + chunk(3, [203, 0, 113, 77]) + chunk(4, [203, 0, 113, 78]) + chunk(14, secret)
            + chunk(17, secret) + chunk(15, message) + chunk(19, secret)
        return [
            ("SIP", inner), ("padded", inner + secret), ("VLAN", ethernet(sip, tags: [0x81, 0, 0, 5])),
            ("MPLS with Ethernet", ethernet([0, 0, 0x11, 64, 0, 0, 0, 0] + inner, 0x8847)), ("LLDP", ethernet(secret, 0x88cc)),
            ("ARP", ethernet([0, 1, 8, 0, 6, 4, 0, 1] + station + [203, 0, 113, 77] + station + [203, 0, 113, 78], 0x0806)),
            ("IP options", ethernet(ip(17, Array(sip[20...]), options: [7, 8, 4, 203, 0, 113, 77, 0]))),
            ("DNS", ethernet(udp([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9] + secret, port: 53))),
            ("DHCP", ethernet(udp([1, 1, 6, 0] + secret, port: 67))),
            ("SSDP", ethernet(udp(Array("NOTIFY * HTTP/1.1\r\nHost: Zq7secret\r\n\r\n".utf8), port: 1900))),
            ("T.38", ethernet(udp([0, 7] + secret))), ("text", ethernet(udp(secret))), ("RTP", ethernet(udp(rtp))),
            ("SDES", ethernet(udp(description))),
            ("BYE", ethernet(udp(farewell))), ("APP", ethernet(udp(application))), ("STUN", ethernet(udp(stun))),
            ("DTLS", ethernet(udp([0x16, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32] + secret))),
            ("channel", ethernet(udp([0x40, 0, 0, 32] + secret))),
            ("HEP", ethernet(udp(hep, port: 9060))), ("TLS", ethernet(tcp(hello))), ("TLS goes on", ethernet(tcp(secret))),
            ("MSRP", ethernet(tcp(Array("MSRP Zq7secret SEND\r\nTo-Path: msrp://203.0.113.77/Zq7secret\r\n\r\nZq7secret".utf8)))),
            (
                "HTTP",
                ethernet(
                    tcp(
                        Array(
                            "GET /Zq7secret HTTP/1.1\r\nHost: Zq7secret\r\nZq7secret: 1\r\nCookie: Zq7secret\r\n\r\nZq7secret"
                                .utf8)))
            ),
            ("WebSocket", ethernet(tcp([0x81, 32] + secret))), ("ESP", ethernet(ip(50, secret))),
            ("SCTP", ethernet(ip(132, secret))),
            ("ICMP quotes", ethernet(ip(1, [3, 3, 0, 0, 0, 0, 0, 0] + sip))),
            ("echo", ethernet(ip(1, [8, 0, 0, 0, 0, 1, 0, 1] + secret))),
            ("redirect", ethernet(ip(1, [5, 1, 0, 0, 203, 0, 113, 79] + sip))), ("IP in IP", ethernet(ip(4, sip))),
            ("GRE", ethernet(ip(47, [0, 0, 8, 0] + sip))), ("GRE of a kind", ethernet(ip(47, [0, 0, 0x12, 0x34] + secret))),
            ("ERSPAN", ethernet(ip(47, [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0] + inner))),
            ("VXLAN", ethernet(udp([8, 0, 0, 0, 0, 0, 5, 0] + inner, port: 4_789))),
            ("Geneve", ethernet(udp([9, 0, 0x65, 0x58, 0, 0, 5, 0] + [0, 0, 0, 8] + secret + inner, port: 6_081))),
            ("GTP-U", ethernet(udp([0x30, 0xff, 0, 0, 0x5a, 0x71, 0x37, 0x53] + sip, port: 2_152))),
            ("TZSP", ethernet(udp([1, 0, 0, 1, 60, 32] + secret + [1] + inner, port: 37_008))),
            (
                "a later fragment",
                ethernet([0x45, 0, 0, 52, 0, 1, 0, 9, 64, 17, 0, 0, 203, 0, 113, 77, 203, 0, 113, 78] + secret)
            ), ("cut", Array(inner.prefix(30))), ("cut SIP", Array(inner.prefix(90))),
        ]
    }()

    @Test("whatever they carry; the length stays", arguments: frames.map(\.0))
    func frame(_ name: String) throws {
        let frame = try #require(Self.frames.first { $0.0 == name }).1
        var redactor = PacketRedactor(Redactor(entropy: Entropy(labSeed: 4)))
        var stand = frame
        redactor.redact(&stand, link: .ethernet)
        #expect(stand.count == frame.count && SecretTests.hasSecret(String(decoding: stand, as: UTF8.self)) == nil)
        for octets in [[203, 0, 113], Self.station, [0x5a, 0x71, 0x37, 0x53]] {
            #expect(!stand.indices.contains { stand[$0...].starts(with: octets) }, "\(octets) in \(name)")
        }
        // Cut anywhere, nothing traps and nothing shows.
        for end in stride(from: 0, to: frame.count, by: 3) {
            var cut = Array(frame[..<end])
            redactor.redact(&cut, link: .ethernet)
            #expect(
                cut.count == end && !String(decoding: cut, as: UTF8.self).lowercased().contains("zq7secret"),
                "\(name) cut at \(end)")
        }
    }
}
