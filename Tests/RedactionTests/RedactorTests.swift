import Base
import Redaction
import Testing

@Suite("Redaction")
struct RedactorTests {
    static func redactor() -> Redactor { Redactor(entropy: Entropy(labSeed: 7)) }

    static let message = Array(
        """
        REGISTER sip:pbx.example.org SIP/2.0\r
        Via: SIP/2.0/UDP 192.168.1.100:5060;branch=z9hG4bK-1;rport;received=203.0.113.7\r
        From: "Alice Smith" <sip:alice@pbx.example.org>;tag=1\r
        To: <sip:alice@pbx.example.org>\r
        Call-ID: 77f1@192.168.1.100\r
        CSeq: 103 REGISTER\r
        Contact: <sip:alice@192.168.1.100:5060>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"\r
        Authorization: Digest username="alice", realm="pbx.example.org", nonce="abc", uri="sip:pbx.example.org", response="0123456789abcdef0123456789abcdef"\r
        Content-Type: application/sdp\r
        Content-Length: 90\r
        \r
        v=0\r
        o=alice 1 1 IN IP4 192.168.1.100\r
        s=Alice's phone\r
        c=IN IP4 192.168.1.100\r
        a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r

        """.utf8)

    @Test("A redacted message is as long as it was and names nobody")
    func hides() {
        var redactor = Self.redactor()
        let bytes = redactor.redact(message: Self.message)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(bytes.count == Self.message.count)
        for secret in [
            "alice", "Alice", "Smith", "example", "pbx", "192.168.1.100", "203.0.113.7", "AABBCCDDEEFF", "0123456789abcdef",
            "WVNfX19zZW1",
        ] {
            #expect(!text.contains(secret), "\(secret) still stands in \(text)")
        }
        // What a finding rests on is still there.
        for kept in [
            "CSeq: 103 REGISTER", "nonce=\"", "branch=z9hG4bK-", ";tag=", ";rport;", "Content-Length: 90",
            "AES_CM_128_HMAC_SHA1_80",
            ":5060", "Digest username=\"",
        ] {
            #expect(text.contains(kept), "\(kept) is missing from \(text)")
        }
        #expect(text.split(separator: "\r\n", omittingEmptySubsequences: false).count == 17)
    }

    @Test("The same name has the same stand-in everywhere, in messages and in sentences")
    func consistent() {
        var redactor = Self.redactor()
        let text = String(decoding: redactor.redact(message: Self.message), as: UTF8.self)
        func stand(_ text: String) -> String { String(decoding: redactor.redact(text: Array(text.utf8)), as: UTF8.self) }
        let sentence = redactor.redact(
            sentence: "alice@pbx.example.org came from 192.168.1.100:5060 (100 ms), realm pbx.example.org.")
        let (user, host) = (stand("alice"), stand("pbx.example.org"))
        let address = redactor.redact(IPAddress("192.168.1.100")!)
        #expect(sentence == "\(user)@\(host) came from \(address):5060 (100 ms), realm \(host).")
        #expect(
            host.hasSuffix(".org") && text.contains("<sip:\(user)@\(host)>")
                && text.contains("username=\"\(user)\", realm=\"\(host)\""))
        #expect(text.contains("\"\(stand("Alice")) ") && stand("Alice").lowercased() == user)
        #expect(text.contains("Call-ID: \(stand("77f1"))@\(address)") && text.contains("c=IN IP4 \(address)"))
        #expect(text.contains("o=\(user) "))
    }

    @Test(
        "Private stays private, public public, in as many characters",
        arguments: [
            "10.1.2.3", "192.168.1.100", "172.16.0.9", "172.31.255.254", "100.64.3.2", "203.0.113.7", "8.8.8.8", "198.51.100.200",
            "2001:db8::1", "fd00:1234::beef", "fe80::1ff:fe23:4567:890a", "::ffff:192.168.1.7",
        ])
    func kinds(_ text: String) throws {
        var redactor = Self.redactor()
        let address = try #require(IPAddress(text))
        let stand = redactor.redact(address)
        #expect(stand != address)
        #expect("\(stand)".utf8.count == text.utf8.count)
        #expect(stand.isPrivate == address.isPrivate)
        #expect(redactor.redact(address) == stand)
    }

    @Test(
        "Loopback, unspecified and multicast addresses say nothing of anybody and stay",
        arguments: ["127.0.0.1", "0.0.0.0", "::1", "::", "224.0.1.75", "255.255.255.255", "ff02::1"])
    func kept(_ text: String) throws {
        var redactor = Self.redactor()
        let address = try #require(IPAddress(text))
        #expect(redactor.redact(address) == address)
    }

    @Test("Numbers of statuses, ports and times are no names")
    func numbers() {
        var redactor = Self.redactor()
        let line = "12:34:56 401 Unauthorized (103 REGISTER), 52899, 52896, 3600 s"
        #expect(redactor.redact(sentence: line) == line && redactor.redact(log: line) == line)
    }

    @Test("Addresses of one subnet stay in one, of other subnets in others")
    func subnets() {
        var redactor = Self.redactor()
        func prefix(_ text: String) -> [UInt8] {
            guard case .v4(let v4) = redactor.redact(IPAddress(text)!) else { return [] }
            return [v4.octets.0, v4.octets.1, v4.octets.2]
        }
        #expect(prefix("203.0.113.7") == prefix("203.0.113.250") && prefix("203.0.113.7") != prefix("203.0.114.7"))
        #expect(prefix("203.0.113.7")[..<2] == prefix("203.0.99.7")[..<2])
        let (a, b) = (redactor.redact(IPAddress("2001:db8:1:2::7")!), redactor.redact(IPAddress("2001:db8:1:2::a")!))
        #expect("\(a)".dropLast() == "\(b)".dropLast() && a != b)
    }

    @Test("No two words and no two addresses get one stand-in, and none its own")
    func injective() {
        var redactor = Self.redactor()
        for words in [(0..<10).map { "\($0)" }, (0..<1_000).map { String("00\($0)".suffix(3)) }, (0..<3_000).map { "x\($0)" }] {
            let stands = words.map { String(decoding: redactor.redact(text: Array($0.utf8)), as: UTF8.self) }
            #expect(Set(stands).count == words.count && !zip(words, stands).contains { $0 == $1 })
        }
        let addresses = (0..<4_096).map { IPAddress.v4(IPv4Address(bits: 0xc0a8_0001 &+ UInt32($0) &* 13)) }
        let stands = addresses.map { redactor.redact($0) }
        #expect(Set(stands).count == addresses.count && !zip(addresses, stands).contains { $0 == $1 })
    }

    @Test("Other randomness, other stand-ins; the same, the same")
    func seeds() {
        var (a, b, c) = (Self.redactor(), Self.redactor(), Redactor(entropy: Entropy(labSeed: 8)))
        #expect(a.redact(message: Self.message) == b.redact(message: Self.message))
        #expect(a.redact(message: Self.message) != c.redact(message: Self.message))
    }

    @Test(
        "A model and its version stay; serial numbers, hardware addresses and comments do not",
        arguments: [
            ("Yealink SIP-T46S 66.85.0.5", "Yealink SIP-T46S "), ("snom300/8.7.5", "snom300/8.7.5"),
            ("Asterisk PBX 20.20.1", "Asterisk PBX 20.20.1"), ("Grandstream GXP2170 1.0.9", "Grandstream GXP2170 1.0.9"),
            ("FreeSWITCH-mod_sofia/1.10.9-release", "FreeSWITCH-mod_sofia/1.10.9-release"),
            ("kamailio (5.6.2 (x86_64/linux))", "kamailio (5.6.2 (x86_64/linux))"),
            ("Cisco-CP8841 ab12cd34ef56", "Cisco-CP8841 "),
            ("PolycomVVX-VVX_400-UA/5.9.5 (phone of Miller)", "PolycomVVX-VVX_400-UA/5.9.5 (phone "),
        ])
    func programs(_ name: String, _ kept: String) {
        var redactor = Self.redactor()
        let line = String(decoding: redactor.redact(line: Array("User-Agent: \(name)".utf8)), as: UTF8.self)
        #expect(line.hasPrefix("User-Agent: \(kept)") && line.utf8.count == name.utf8.count + 12, "\(line)")
        for gone in ["Miller", "ab12cd34ef56", "66.85.0.5"] { #expect(!line.contains(gone)) }
    }

    @Test("Whatever the bytes, the length stays and nothing traps")
    func hostile() {
        var entropy = Entropy(labSeed: 3)
        for cut in 0..<Self.message.count {
            var redactor = Self.redactor()
            #expect(redactor.redact(message: Array(Self.message[..<cut])).count == cut)
        }
        for _ in 0..<300 {
            var bytes = Self.message
            for _ in 0..<20 { bytes[Int(entropy.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: entropy.next()) }
            var redactor = Self.redactor()
            #expect(redactor.redact(message: bytes).count == bytes.count)
        }
    }
}
