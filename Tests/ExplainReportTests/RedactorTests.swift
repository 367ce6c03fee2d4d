import Base
import ExplainReport
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
            "CSeq: 103 REGISTER", "nonce=\"abc\"", "branch=z9hG4bK-1", "tag=1", "Content-Length: 90", "AES_CM_128_HMAC_SHA1_80",
            ":5060",
        ] {
            #expect(text.contains(kept), "\(kept) is missing from \(text)")
        }
        #expect(text.split(separator: "\r\n", omittingEmptySubsequences: false).count == 17)
    }

    @Test("The same name has the same stand-in everywhere, in messages and in sentences")
    func consistent() {
        var redactor = Self.redactor()
        let text = String(decoding: redactor.redact(message: Self.message), as: UTF8.self)
        let sentence = redactor.redact(
            text: "alice@pbx.example.org came from 192.168.1.100:5060 (100 ms), realm pbx.example.org.")
        let user = redactor.redact(word: Array("alice".utf8))
        let host = redactor.redact(host: Array("pbx.example.org".utf8))
        let address = redactor.redact(IPAddress("192.168.1.100")!)
        #expect(
            sentence
                == "\(String(decoding: user, as: UTF8.self))@\(String(decoding: host, as: UTF8.self)) came from \(address):5060 (100 ms), "
                + "realm \(String(decoding: host, as: UTF8.self)).")
        #expect(text.contains("<sip:\(String(decoding: user, as: UTF8.self))@\(String(decoding: host, as: UTF8.self))>"))
        let local = String(decoding: redactor.redact(word: Array("77f1".utf8)), as: UTF8.self)
        #expect(text.contains("Call-ID: \(local)@\(address)"))
        #expect(text.contains("c=IN IP4 \(address)"))
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
        _ = redactor.redact(message: Self.message)
        let line = "12:34:56 401 Unauthorized (103 REGISTER), 52899, 52896, 3600 s"
        #expect(redactor.redact(text: line) == line)
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
