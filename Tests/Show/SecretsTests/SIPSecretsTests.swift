import Secrets
import Testing

@Suite("Messages masked without a change of length")
struct SIPSecretsTests {
    func masked(_ text: String) -> String { String(decoding: SIPSecrets.masked(Array(text.utf8)), as: UTF8.self) }

    @Test("digests, passwords, keys: their octets and no others")
    func values() {
        let message = """
            INVITE sip:200:pw@pinhole SIP/2.0\r
            Authorization: Digest username="100",\r
             response="0123", cnonce=abc, nc=00000001\r
            Proxy-Authorization: Basic dXNlcg==\r
            Contact: <sip:100@192.0.2.1>\r
            Content-Length: 120\r
            \r
            v=0\r
            a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20\r
            a=ice-pwd:asd88fgpdd777uzjYhagZg\r
            a=rtpmap:0 PCMU/8000\r

            """
        #expect(
            masked(message) == """
                INVITE sip:200:xx@pinhole SIP/2.0\r
                Authorization: Digest username="100",\r
                 response="xxxx", cnonce=xxx, nc=00000001\r
                Proxy-Authorization: Basic xxxxxxxx\r
                Contact: <sip:100@192.0.2.1>\r
                Content-Length: 120\r
                \r
                v=0\r
                a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|2^20\r
                a=ice-pwd:xxxxxxxxxxxxxxxxxxxxxx\r
                a=rtpmap:0 PCMU/8000\r

                """)
    }

    @Test(
        "texts and digits of people", arguments: ["MESSAGE sip:a SIP/2.0\r\n", "SIP/2.0 200 OK\r\nCSeq: 7 INFO\r\n"])
    func bodies(head: String) {
        #expect(
            masked("\(head)Content-Length: 9\r\n\r\nhi, Bob\r\n!é")
                == "\(head)Content-Length: 9\r\n\r\nxxx xxxx\r\nxxx".replacing("xxx xxxx", with: "xxx xxx"))
    }

    @Test("what is no message, or broken off anywhere, keeps its length")
    func broken() {
        let message = Array(
            "\r\nMESSAGE sip:a:b@c SIP/2.0\nAuthorization: Digest response=\"a\r\n \tb\"\r\n\r\nv=0\r\nk=clear:x\r\n".utf8)
        for end in message.indices { #expect(SIPSecrets.masked(Array(message[..<end])).count == end) }
        for bytes in [[], [0x0a], [0x0d, 0x0a, 0x0d, 0x0a], [0xff, 0x3a, 0xfe, 0x40]] as [[UInt8]] {
            #expect(SIPSecrets.masked(bytes) == bytes)
        }
        #expect(masked("Authorization:") == "Authorization:" && masked("a=ice-pwd:\u{e9}x") == "a=ice-pwd:xxx")
    }
}
