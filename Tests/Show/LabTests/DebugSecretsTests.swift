import Base
import ShowLab
import Testing

@Suite("What a debug view leaves out unless asked")
struct DebugSecretsTests {
    static let peer = Endpoint("192.0.2.80:5060")!

    /// The message between its marks, as shown.
    func shown(_ text: String, showsSecrets: Bool = false) -> [String] {
        let view = SIPDebugView(showsTime: false, showsSecrets: showsSecrets)
        let bytes = Array(text.replacing("\n", with: "\r\n").utf8)
        let lines = view.received(.udp, Self.peer, bytes, meaning: "").split(separator: "\n", omittingEmptySubsequences: false)
        return lines.dropFirst().prefix { $0 != "<------------->" }.map(String.init)
    }

    @Test(
        "Digests, keys, passwords: the value alone is hidden",
        arguments: [
            (
                "Authorization: Digest username=\"al\", nonce=\"n1\", uri=\"sip:h\", response=\"6629fae4\", qop=auth, cnonce=\"0a4f113b\"",
                "Authorization: Digest username=\"al\", nonce=\"n1\", uri=\"sip:h\", response=\"(hidden)\", qop=auth, cnonce=\"(hidden)\""
            ),
            (
                "PROXY-AUTHORIZATION :Digest response = abc,opaque=\"x\"",
                "PROXY-AUTHORIZATION :Digest response = (hidden),opaque=\"x\""
            ),
            (
                "Authorization: Digest username=\"a, response=b\", RESPONSE=\"c",
                "Authorization: Digest username=\"a, response=b\", RESPONSE=\"(hidden)"
            ),
            (
                "Authorization: Digest username=\"a\\\", response=b\", response=c",
                "Authorization: Digest username=\"a\\\", response=b\", response=(hidden)"
            ),
            ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic (hidden)"),
            ("Authorization: Bearer a.b.c", "Authorization: Bearer (hidden)"),
            ("Authorization:", "Authorization:(hidden)"),
            (
                "Authentication-Info: rspauth=\"aa\", nextnonce=\"n2\"",
                "Authentication-Info: rspauth=\"(hidden)\", nextnonce=\"n2\""
            ),
            ("Contact: <sip:al:secret@192.0.2.1:5060>;expires=60", "Contact: <sip:al:(hidden)@192.0.2.1:5060>;expires=60"),
            ("Contact: \"A\" <SIPS:al:se:cr@h>, <sip:b:c@d>", "Contact: \"A\" <SIPS:al:(hidden)@h>, <sip:b:(hidden)@d>"),
            // Look-alikes.
            ("WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\"", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\""),
            ("Subject: response=\"42\", k=clear:1", "Subject: response=\"42\", k=clear:1"),
            ("Contact: <sip:al@192.0.2.1:5060>, <sip:192.0.2.1:5070>", "Contact: <sip:al@192.0.2.1:5060>, <sip:192.0.2.1:5070>"),
            ("From: \"a@b: c\" <sip:al@h>;tag=1", "From: \"a@b: c\" <sip:al@h>;tag=1"),
        ])
    func headers(line: String, expected: String) {
        let request = "REGISTER sip:h SIP/2.0\n\(line)\nCSeq: 1 REGISTER\n\n"
        #expect(shown(request) == ["REGISTER sip:h SIP/2.0", expected, "CSeq: 1 REGISTER", ""])
        #expect(shown(request, showsSecrets: true) == ["REGISTER sip:h SIP/2.0", line, "CSeq: 1 REGISTER", ""])
    }

    @Test("A folded header is one header, and the Request-URI has a password too")
    func folded() {
        #expect(
            shown("BYE sip:a:b@h SIP/2.0\nAuthorization: Digest username=\"a\",\n response=\n  \"abc\",\n nonce=\"n\"\nl: 0\n\n")
                == [
                    "BYE sip:a:(hidden)@h SIP/2.0", "Authorization: Digest username=\"a\",", " response=", "  \"(hidden)\",",
                    " nonce=\"n\"",
                    "l: 0", "",
                ])
    }

    @Test("SRTP's keys and ICE's passwords are hidden in SDP, what tells of the media stays")
    func sdp() {
        let body = """
            v=0
            k=clear:pass
            a=key-mgmt:mikey AQAFgM0XflABAAAAAAAAAAAAAAsAyO
            m=audio 4000 RTP/SAVP 0
            a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20|1:4;inline:QUJD
            a=crypto:2 AES_CM_128_HMAC_SHA1_32 INLINE:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz KDR=1
            a=ice-ufrag:8hhY
            a=ice-pwd:asd88fgpdd777uzjYhagZg
            a=fingerprint:sha-256 4A:AD
            k=prompt
            """
        let expected = body.split(separator: "\n").map { line -> String in
            switch line.prefix(11) {
            case "k=clear:pas": "k=clear:(hidden)"
            case "a=key-mgmt:": "a=key-mgmt:mikey (hidden)"
            case "a=crypto:1 ": "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:(hidden)|2^20|1:4;inline:(hidden)"
            case "a=crypto:2 ": "a=crypto:2 AES_CM_128_HMAC_SHA1_32 INLINE:(hidden) KDR=1"
            case "a=ice-pwd:a": "a=ice-pwd:(hidden)"
            default: String(line)
            }
        }
        let head = "INVITE sip:h SIP/2.0\nCSeq: 1 INVITE\nContent-Type: application/sdp\n\n"
        #expect(Array(shown(head + body).dropFirst(4)) == expected)
        #expect(Array(shown(head + body, showsSecrets: true).dropFirst(4)) == body.split(separator: "\n").map(String.init))
    }

    @Test(
        "Texts and digits of people are hidden, with how much of what it was; other bodies stay",
        arguments: [
            (
                "MESSAGE sip:h SIP/2.0\nCSeq: 1 MESSAGE\nContent-Type: text/plain;charset=utf-8\n\none\ntwo\n",
                "(hidden: 2 lines of text/plain)"
            ),
            ("\n\nMESSAGE sip:h SIP/2.0\nc: text/plain\n\none", "(hidden: 1 line of text/plain)"),
            (
                "INFO sip:h SIP/2.0\nCSeq: 3 INFO\nContent-Type: application/dtmf-relay\n\nSignal=5\nDuration=100",
                "(hidden: 2 lines of application/dtmf-relay)"
            ),
            ("SIP/2.0 200 OK\nCSeq: 1 MESSAGE\n\nhm", "(hidden: 1 line of text)"),
            ("NOTIFY sip:h SIP/2.0\nCSeq: 3 NOTIFY\nContent-Type: message/sipfrag\n\nSIP/2.0 100 Trying", "SIP/2.0 100 Trying"),
        ])
    func bodies(text: String, last: String) {
        #expect(shown(text).last == last)
        #expect(shown(text, showsSecrets: true).last == text.split(separator: "\n").last.map(String.init))
    }

    @Test("A MESSAGE without text, and keepalives, are shown as they are")
    func empty() {
        #expect(shown("MESSAGE sip:h SIP/2.0\nCSeq: 1 MESSAGE\n\n") == ["MESSAGE sip:h SIP/2.0", "CSeq: 1 MESSAGE", ""])
        #expect(shown("\n\n") == ["", ""])
    }
}
