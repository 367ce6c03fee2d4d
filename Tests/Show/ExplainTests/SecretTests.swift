import Analysis
import Base
import Capture
import Packet
import Redaction
import ShowExplain
import Testing

/// Marked secrets wherever a message has room for one: none may be found again in anything that leaves redacted.
@Suite("Secrets do not leave")
struct SecretTests {
    /// The IANA registry of SIP header fields, without compact forms.
    static let registry = """
        Accept Accept-Contact Accept-Encoding Accept-Language Accept-Resource-Priority Additional-Identity Alert-Info Allow Allow-Events
        Answer-Mode Attestation-Info Authentication-Info Authorization Call-ID Call-Info Cellular-Network-Info Contact Content-Disposition
        Content-Encoding Content-ID Content-Language Content-Type CSeq Date DC-Info Encryption Error-Info Event Expires Feature-Caps Flow-Timer
        From Geolocation Geolocation-Error Geolocation-Routing Hide History-Info Identity Identity-Info In-Reply-To Info-Package Join
        Max-Breadth Max-Forwards MIME-Version Min-Expires Min-SE Organization Origination-Id P-Access-Network-Info P-Answer-State
        P-Asserted-Identity P-Asserted-Service P-Associated-URI P-Called-Party-ID P-Charge-Info P-Charging-Function-Addresses
        P-Charging-Vector P-DCS-Billing-Info P-DCS-LAES P-DCS-OSPS P-DCS-Redirect P-DCS-Trace-Party-ID P-Early-Media P-Media-Authorization
        P-Preferred-Identity P-Preferred-Service P-Private-Network-Indication P-Profile-Key P-Refused-URI-List P-Served-User P-User-Database
        P-Visited-Network-ID Path Permission-Missing Policy-Contact Policy-ID Priority Priority-Share Priority-Verstat Privacy
        Proxy-Authenticate Proxy-Authentication-Info Proxy-Authorization Proxy-Require RAck Reason Reason-Phrase Record-Route Recv-Info
        Refer-Events-At Refer-Sub Refer-To Referred-By Reject-Contact Relayed-Charge Replaces Reply-To Request-Disposition Require
        Resource-Priority Resource-Share Response-Key Response-Source Restoration-Info Retry-After Route RSeq Security-Client Security-Server
        Security-Verify Server Service-Interact-Info Service-Route Session-Expires Session-ID SIP-ETag SIP-If-Match Subject
        Subscription-State Supported Suppress-If-Match Target-Dialog Timestamp To Trigger-Consent Unsupported User-Agent User-to-User Via
        Warning WWW-Authenticate
        """.split(whereSeparator: \.isWhitespace).map(String.init)

    static let foreign = [
        "X-Zq7secretname", "X-Customer", "Remote-Party-ID", "X-Asterisk-HangupCause", "Zq7secretheader", "Z", "X-FS-Support",
        "P-RTP-Stat",
    ]
    static let compact = ["a", "b", "c", "d", "e", "f", "i", "j", "k", "m", "n", "o", "r", "s", "t", "u", "v", "x", "y"]

    /// Shapes that values have, each with secrets in every part.
    static let values = [
        "\"Zq7secretA B\\\"Zq7secretC\" <sip:Zq7secretD:Zq7secretE@Zq7secretF.example.com:5061;Zq7secretG=Zq7secretH;transport=Zq7secretI?Zq7secretJ=Zq7secretK&Subject=Zq7secretL>;Zq7secretM=Zq7secretN;tag=Zq7secretO;x=\"Zq7secretP\"",
        "Zq7secretA Zq7secretB <tel:+4930987651234;phone-context=Zq7secretC>, <sip:203.0.113.77;maddr=203.0.113.78>, sip:Zq7secretD@[2001:db8:aaaa:bbbb::77]:5060;received=203.0.113.79",
        "Digest username=\"Zq7secretA\", realm=\"Zq7secretB\", nonce=\"Zq7secretC\", uri=\"sip:Zq7secretD\", opaque=Zq7secretE, Zq7secretF=\"Zq7secretG\", algorithm=Zq7secretH, qop=\"Zq7secretI,auth\", nc=Zq7secretJ",
        "Basic WnE3c2VjcmV0OnBhc3N3b3Jk", "Zq7secretA", "Bearer Zq7secretB.Zq7secretC",
        "SIP/2.0/Zq7secretA Zq7secretB.example.org:5060;branch=z9hG4bKZq7secretC;received=203.0.113.80;Zq7secretD",
        "SIP/2.0/UDP 203.0.113.81:5060;branch=Zq7secretA, SIP / 2.0 / TCP Zq7secretB : 5062 ;Zq7secretC=1",
        "SIP;cause=Zq7secretA;text=\"Zq7secretB said Zq7secretC\"", "Q.850 ;Zq7secretA ;text=Zq7secretB",
        "399 Zq7secretA \"Zq7secretB 203.0.113.82\"", "1234 Zq7secretA", "120 (Zq7secretA) ;duration=Zq7secretB",
        "+4930987651234",
        "Zq7secretA@203.0.113.83;to-tag=Zq7secretB;from-tag=Zq7secretC",
        "application/Zq7secretA;boundary=\"Zq7secretB\";Zq7secretC",
        "Yealink SIP-T46S Zq7secretA (Zq7secretB) 001565aabbcc", "Zq7secretA/1.0 203.0.113.84",
        "Zq7secretA: Zq7secretB=Zq7secretC",
        "J\u{fc}rgen Zq7secretA\u{201c}Zq7secretB\u{201d} <Zq7secretC:Zq7secretD>",
        "<sip:a@b.c>\r\n folded Zq7secretA\r\n\t;Zq7secretB", "*;Zq7secretA=\"<Zq7secretB>\";+Zq7secretC",
        "%5a%71%37Zq7secretA%40203.0.113.85",
        "\"Zq7secretA", "<Zq7secretA", ";;=Zq7secretA,,==Zq7secretB;\"", "urn:uuid:Zq7secretA:Zq7secretB",
        "Zq7secretA;Zq7secretB;lr;Zq7secretC=",
    ]

    static let attributes = """
        acap accept-types accept-wrapped-types acfg alt anatmode bundle-only candidate cat ccap charset chatroom cname conf confid confirm
        connection connection-correlator content creq crypto csup curr des direction dtls-id ecn-capable-rtp encryption end-of-candidates
        etag eecid extmap extmap-allow-mixed file-date file-disposition file-icon file-range file-selector file-transfer-id fingerprint
        floorctrl floorid fmtp framerate group ice-lite ice-mismatch ice-options ice-pacing ice-pwd ice-ufrag identity imageattr inactive
        isslevel key-mgmt keywds label lang lcfg maxptime maxprate max-message-size mid mikey msid msid-semantic msrp-cema omr-s-cksum orient
        path pcfg phone-context ptime quality range recvonly remote-candidates rid rtcp rtcp-fb rtcp-mux rtcp-rsize rtcp-xr rtpmap
        sctp-port sctpmap sdplang sendcap sendonly sendrecv setup silenceSupp simulcast source-filter sqn ssrc ssrc-group tcap title tool
        T38FaxVersion T38MaxBitRate T38FaxUdpEC T38VendorInfo T38FaxRateManagement TC1PayloadBytes type userid url X-nat
        Zq7secretattribute zrtp-hash 3gpp_sync_info
        """.split(whereSeparator: \.isWhitespace).map(String.init)

    static let description: String = {
        var lines = [
            "v=0", "v=Zq7secretA", "o=Zq7secretA 98765123498 1 IN IP4 203.0.113.77",
            "o=Zq7secretB Zq7secretC Zq7secretD IN IP4 Zq7secretE.example.com",
            "s=Zq7secretA calls", "i=Zq7secretA", "u=http://Zq7secretA/Zq7secretB", "e=Zq7secretA@Zq7secretB (Zq7secretC)",
            "p=+4930987651234",
            "c=IN IP4 203.0.113.77", "c=IN IP6 2001:db8:aaaa:bbbb::77", "c=IN Zq7secretA Zq7secretB", "b=Zq7secretA:1", "t=0 0",
            "t=Zq7secretA",
            "r=Zq7secretA", "z=Zq7secretA", "k=clear:Zq7secretA", "k=Zq7secretB", "m=audio 4000 RTP/AVP 0 8 Zq7secretA",
            "m=Zq7secretB 1 Zq7secretC 0", "w=Zq7secretD", "Zq7secretE",
        ]
        for name in attributes {
            lines += [
                "a=\(name)", "a=\(name):Zq7secretA",
                "a=\(name):0 Zq7secretB/Zq7secretC Zq7secretD=Zq7secretE;Zq7secretF 203.0.113.77",
                "a=\(name):1 1 UDP 99 Zq7secretG.local 5000 typ host raddr 203.0.113.78 ufrag Zq7secretH",
                "a=\(name):1234 cname:Zq7secretI",
                "a=\(name):sha-256 5A:71:37:AB:CD:EF", "a=\(name):0 IN IP4 Zq7secretJ",
                "a=\(name):1 AES_CM_128_HMAC_SHA1_80 inline:Zq7secretK|2^20|1:4",
            ]
        }
        return lines.map { $0 + "\r\n" }.joined()
    }()

    static func hasSecret(_ text: String) -> String? {
        let lower = text.lowercased()
        return [
            "zq7secret", "203.0.113.7", "203.0.113.8", "2001:db8:aaaa", "30987651234", "987651234", "wne3c2vjcmv0",
            "001565aabbcc", "5a:71:37", "j\u{fc}rgen",
        ]
        .first { lower.contains($0) }
    }

    // MARK: Messages

    @Test("in any header, registered or not, long or compact, folded or broken; the length stays")
    func headers() {
        var redactor = Redactor(entropy: Entropy(labSeed: 5))
        for name in Self.registry + Self.foreign + Self.compact {
            for value in Self.values {
                let line = "OPTIONS sip:a@b SIP/2.0\r\n\(name): \(value)\r\n\r\n"
                let stand = redactor.redact(message: Array(line.utf8))
                let text = String(decoding: stand, as: UTF8.self)
                #expect(Self.hasSecret(text) == nil && stand.count == line.utf8.count, "\(text)")
            }
        }
    }

    @Test("in start lines, descriptions and other bodies; the length stays")
    func bodies() {
        var redactor = Redactor(entropy: Entropy(labSeed: 5))
        let heads = [
            "INVITE sip:Zq7secretA@203.0.113.77 SIP/2.0", "Zq7secretA sip:a@b SIP/2.0", "INVITE Zq7secretA SIP/2.0",
            "INVITE sip:b@Zq7secretA SIP/2.0 ",
            "SIP/2.0 404 Zq7secretA Not Here", "SIP/2.0 Zq7secretA OK", "SIP/2.0 486 Zq7secretB",
            "INVITE <sip:Zq7secretA> SIP/2.0", "INVITE tel:+4930987651234 SIP/2.0", "Zq7secretA",
        ]
        let types = [
            "application/sdp", "multipart/mixed;boundary=Zq7secretX", "message/sipfrag", "text/plain", "application/pidf+xml",
            "message/cpim",
            "application/Zq7secretY", "application/dtmf-relay",
        ]
        for head in heads {
            for type in types {
                let body =
                    type.hasPrefix("multipart")
                    ? "--Zq7secretX\r\nContent-Type: application/sdp\r\nX-Zq7secret: Zq7secretA\r\n\r\n\(Self.description)\r\n--Zq7secretX\r\nContent-Type: text/Zq7secretA\r\n\r\nZq7secretB\r\n--Zq7secretX--\r\n"
                    : type.hasPrefix("message/sipfrag") ? "SIP/2.0 404 Zq7secretA\r\nFrom: Zq7secretB\r\n" : Self.description
                let message = "\(head)\r\nContent-Type: \(type)\r\n\r\n\(body)"
                let stand = redactor.redact(message: Array(message.utf8))
                let text = String(decoding: stand, as: UTF8.self)
                #expect(stand.count == message.utf8.count && Self.hasSecret(text) == nil, "\(text)")
            }
        }
    }

    // MARK: Everything that is shown

    /// A refused call, a refused registration and a phone that answers an old nonce, full of secrets.
    static func story() -> [[UInt8]] {
        let (phone, server) = (Endpoint("203.0.113.77:5060")!, Endpoint("203.0.113.78:5060")!)
        var noise = ""
        for (index, name) in (registry + foreign).enumerated() where !["Via", "CSeq", "Content-Type", "Expires"].contains(name) {
            for step in [0, 11] { noise += "\(name): \(values[(index + step) % values.count])\r\n" }
        }
        func message(_ first: String, _ number: String, _ more: String, _ body: String, noise: String) -> [UInt8] {
            Array(
                ("\(first)\r\nVia: SIP/2.0/UDP 203.0.113.77:5060;branch=z9hG4bKZq7secret\(number.filter { $0 != " " })\r\n\(noise)"
                    + "From: \"Zq7secretA\" <sip:Zq7secretB@Zq7secretC.example.com>;tag=Zq7secretD\r\n"
                    + "To: Zq7secretE <sip:Zq7secretF@Zq7secretC.example.com>;tag=Zq7secretG\r\nCall-ID: Zq7secretH\(number.last!)@203.0.113.77\r\nCSeq: \(number)\r\n"
                    + "Contact: <sip:Zq7secretB@203.0.113.77:5060>\r\nUser-Agent: Zq7secretphone 001565aabbcc\r\n\(more)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
                    .utf8)
        }
        let sdp = "Content-Type: application/sdp\r\n"
        let why = "Warning: 399 Zq7secretI \"Zq7secretJ is not here\"\r\nReason: SIP;cause=488;text=\"Zq7secretK\"\r\n"
        let challenge: (String) -> String = {
            "WWW-Authenticate: Digest realm=\"Zq7secretC.example.com\", nonce=\"Zq7secretnonce\($0)\", algorithm=MD5\r\n"
        }
        let answer: (String) -> String = {
            "Authorization: Digest username=\"Zq7secretB\", realm=\"Zq7secretC.example.com\", nonce=\"Zq7secretnonce\($0)\", uri=\"sip:Zq7secretC\", response=\"Zq7secretL\"\r\n"
        }
        let invite = "INVITE sip:Zq7secretF@Zq7secretC.example.com SIP/2.0"
        let register = "REGISTER sip:Zq7secretC.example.com SIP/2.0"
        let packets: [(Bool, [UInt8])] = [
            (true, message(invite, "1 INVITE", sdp, description, noise: noise)),
            (false, message("SIP/2.0 403 Zq7secretphrase forbids Zq7secretM", "1 INVITE", why, "", noise: "")),
            (true, message(register, "1 REGISTER", "", "", noise: noise)),
            (false, message("SIP/2.0 401 Zq7secretN", "1 REGISTER", challenge("a"), "", noise: "")),
            (true, message(register, "2 REGISTER", "", "", noise: "")),
            (false, message("SIP/2.0 401 Unauthorized", "2 REGISTER", challenge("b"), "", noise: "")),
            (true, message(register, "3 REGISTER", answer("a"), "", noise: "")),
            (false, message("SIP/2.0 401 Unauthorized", "3 REGISTER", challenge("c"), "", noise: "")),
            (true, message(register, "4 REGISTER", answer("c"), "", noise: "")),
            (false, message("SIP/2.0 503 Zq7secretO", "4 REGISTER", why, "", noise: "")),
        ]
        return packets.map { ExcerptTests.datagram($0.1, from: $0.0 ? phone : server, to: $0.0 ? server : phone) }
    }

    @Test("through text, page, JSON and excerpt; the findings stay")
    func reports() throws {
        let tests = ExcerptTests()
        let file = tests.file(Self.story())
        var redactor = Redactor(entropy: Entropy(labSeed: 9))
        let result = tests.analyse(file)
        #expect(result.hasAccusations && result.findings.contains { $0.name == .sipRefused })
        let redacted = redactor.redact(result)
        var options = ExplainText.Options()
        (options.mostLadders, options.showsHealthy, options.mostFindings, options.mostMessages) = (100, true, 100, 1_000)
        let excerpt = tests.excerpt(file, filter: tests.everything(), redactor: redactor)
        for shown in [
            ExplainText(redacted, options).text(.plain), ExplainPage(redacted, title: redacted.sources[0].name).html,
            ExplainJSON(redacted).value.prettyText, String(decoding: excerpt, as: UTF8.self),
        ] { #expect(Self.hasSecret(shown) == nil, "\(shown)") }
        for packet in try tests.packets(excerpt) {
            #expect(!packet.indices.dropLast(3).contains { packet[$0..<($0 + 3)].elementsEqual([203, 0, 113]) })
        }
        let names = { (result: AnalysisResult) in result.findings.map { "\($0.name) \($0.severity) \($0.count)" } }
        #expect(names(redacted) == names(result) && names(tests.analyse(excerpt)) == names(result))
    }
}
