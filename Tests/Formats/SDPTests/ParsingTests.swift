import Base
import RTP
import SDP
import Testing

/// RFC 8866 section 5, the example of the grammar at work, with the lines ended as they must be.
let example = [
    "v=0", "o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1", "s=Call to John Smith", "i=SDP Offer #1",
    "u=http://www.jdoe.example.com/home.html", "e=Jane Doe <jane@jdoe.example.com>", "p=+1 617 555-6011", "c=IN IP4 198.51.100.1",
    "t=0 0", "m=audio 49170 RTP/AVP 0", "m=audio 49180 RTP/AVP 0", "m=video 51372 RTP/AVP 99", "c=IN IP6 2001:db8::2",
    "a=rtpmap:99 h263-1998/90000", "",
].joined(separator: "\r\n")

func sdp(_ lines: [String]) -> String { lines.joined(separator: "\r\n") + "\r\n" }

@Suite("RFC 8866: session descriptions are read, kept byte for byte, and judged")
struct ParsingTests {
    @Test("The RFC's example: session and stream values, each stream's own c= before the session's")
    func rfcExample() throws {
        let session = try SessionDescription(parsing: example)
        #expect(session.text == example)
        #expect(session.flaws.isEmpty)
        #expect(session.origin?.session == "3724394400" && session.origin?.versionNumber == 3_724_394_405)
        #expect(session.name == "Call to John Smith")
        #expect(session.media.map(\.kind) == ["audio", "audio", "video"])
        #expect(session.rtpEndpoint(of: 0) == Endpoint("198.51.100.1:49170"))
        #expect(session.rtcpEndpoint(of: 1) == Endpoint("198.51.100.1:49181"))
        #expect(session.rtpEndpoint(of: 2) == Endpoint("[2001:db8::2]:51372"))
        #expect(session.media[0].formats == [.pcmu])
        #expect(session.media[2].formats.map(\.encoding) == ["h263-1998"])
    }

    @Test("Attributes: rtpmap, fmtp, ptime, direction, rtcp, mux, crypto, candidates")
    func attributes() throws {
        let session = try SessionDescription(
            parsing: sdp([
                "v=0", "o=- 1 2 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "a=sendonly",
                "m=audio 4000/2 RTP/SAVP 96 0 96 13 200", "a=rtpmap:96 opus/48000/2", "a=fmtp:96 useinbandfec=1; stereo=0",
                "a=ptime:20.000", "a=maxptime:60", "a=rtcp:5001 IN IP6 2001:db8::9", "a=rtcp-mux",
                "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4",
                "a=candidate:1 1 UDP 2130706431 192.0.2.1 4000 typ host", "a=candidate:2 1 UDP 1 x.local 4000 typ host",
                "a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901", "m=audio 0 RTP/AVP 0", "a=recvonly",
            ]))
        let stream = session.media[0]
        #expect(stream.line.portCount == 2 && stream.profile == .savp && stream.payloadTypes == [96, 0, 13])
        #expect(stream.formats.map(\.parameters) == ["useinbandfec=1; stereo=0", "", ""])
        #expect(stream.formats.map(\.channels) == [2, 1, 1])
        #expect(stream.packetTime == 20 && stream.maximumPacketTime == 60)
        #expect(session.rtcpEndpoint(of: 0) == Endpoint("[2001:db8::9]:5001"))
        #expect(stream.multiplexesRTCP && stream.candidates.count == 1)
        #expect(stream.crypto.first?.usable == nil, "a master key identifier is not spoken")
        #expect(session.direction(of: 0) == .sendonly && session.direction(of: 1) == .recvonly)
        #expect(session.media[1].isRejected && session.rtpEndpoint(of: 1) == nil)
        #expect(session.ice(of: 0)?.ufrag == "abcd")
        #expect(session.flaws.map(\.reason) == [.payloadType])
    }

    @Test(
        "What leaves media in doubt is refused with line and byte",
        arguments: [
            ("", .empty, 1, 0), ("\r\n\r\n", .notALine, 1, 0), ("s=-\r\n", .version, 1, 0), ("v=1\r\n", .version, 1, 0),
            ("v=0\r\nhello\r\n", .notALine, 2, 5), ("v=0\r\n=x\r\n", .notALine, 2, 5), ("v=0\r\n\r\ns=-\r\n", .notALine, 2, 5),
            ("v=0\rs=-\r\n", .bareCarriageReturn, 1, 3), ("v=0\r\ns=a\u{0}b\r\n", .nul, 2, 8),
            ("v=0\r\no=- 1 1 IN IP4\r\n", .origin, 2, 5), ("v=0\r\nc=IN IP4\r\n", .connection, 2, 5),
            ("v=0\r\nc=IN IP4 2001:db8::1\r\n", .address, 2, 5), ("v=0\r\nc=IN IP6 192.0.2.1\r\n", .address, 2, 5),
            ("v=0\r\nc=IN IP4 300.1.1.1\r\n", .address, 2, 5), ("v=0\r\nc=IN IP6 1::2::3\r\n", .address, 2, 5),
            ("v=0\r\nm=audio 1 RTP/AVP\r\n", .mediaLine, 2, 5), ("v=0\r\nm=audio 65536 RTP/AVP 0\r\n", .port, 2, 5),
            ("v=0\r\nm=audio -1 RTP/AVP 0\r\n", .port, 2, 5), ("v=0\r\nm=audio 1/0 RTP/AVP 0\r\n", .port, 2, 5),
            ("v=0\r\nm=audio 4x RTP/AVP 0\r\n", .port, 2, 5),
        ] as [(String, SDPError.Reason, Int, Int)])
    func refused(_ text: String, _ reason: SDPError.Reason, _ line: Int, _ offset: Int) {
        #expect(throws: SDPError(reason, line: line, offset: offset)) { try SessionDescription(parsing: text) }
    }

    @Test("Size: bytes, lines and streams are bounded")
    func bounds() {
        let streams = String(repeating: "m=audio 4 RTP/AVP 0\r\n", count: 65)
        #expect(throws: SDPError(.tooManyMedia, line: 66, offset: 5 + 64 * 21)) {
            try SessionDescription(parsing: "v=0\r\n" + streams)
        }
        let lines = String(repeating: "a=x\r\n", count: 2_000)
        #expect(throws: SDPError(.tooManyLines, line: 2_001, offset: 10_000)) {
            try SessionDescription(parsing: "v=0\r\n" + lines)
        }
        let long = "v=0\r\ns=" + String(repeating: "x", count: 65_536)
        #expect(throws: SDPError(.tooLarge, line: 1, offset: 65_535)) { try SessionDescription(parsing: long) }
    }

    @Test(
        "What phones do wrong is tolerated, named, and printed as it came",
        arguments: [
            ("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nt=0 0\n", [.lineFeedOnly]),
            ("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0", [.lastLineOpen]),
            ("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n\r\n\r\n", [.blankLines]),
            ("v=0\r\ns=-\r\nt=0 0\r\n", [.originMissing]), ("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n", [.nameMissing, .timeMissing]),
            ("v=0\r\no=Bob Smith 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n", [.originUser]),
            ("v=0\r\no=- x 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n", [.originNumber]),
            ("v=0\r\no=- 1 1 IN IP6 [2001:db8::1]\r\ns=-\r\nt=0 0\r\n", [.bracketedAddress]),
            ("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4 RTP/AVP 0\r\n", [.connectionMissing]),
            ("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nz=1\r\nq=x\r\n", [.unknownType]),
        ] as [(String, [SDPFlaw.Reason])])
    func tolerated(_ text: String, _ flaws: [SDPFlaw.Reason]) throws {
        let session = try SessionDescription(parsing: text)
        #expect(session.flaws.map(\.reason) == flaws)
        #expect(session.text == text)
    }

    @Test("RFC 5118 4.10: c= with IPv6 as it must be; brackets in SDP are a flaw that is read all the same")
    func bracketed() throws {
        for address in ["2001:db8::192.0.2.1", "[2001:db8::10]", "::1"] {
            let text = sdp(["v=0", "o=- 1 1 IN IP6 ::1", "s=-", "c=IN IP6 \(address)", "t=0 0", "m=audio 6000 RTP/AVP 0"])
            let session = try SessionDescription(parsing: text)
            let bare = address.filter { $0 != "[" && $0 != "]" }
            #expect(session.rtpEndpoint(of: 0) == Endpoint(IPAddress(bare)!, 6_000))
        }
    }

    @Test("RFC 5118 4.8: IPv4 and IPv6 streams in one description")
    func bothFamilies() throws {
        let session = try SessionDescription(
            parsing: sdp([
                "v=0", "o=bob 280744730 28977631 IN IP4 host.example.com", "s=-", "t=0 0", "m=audio 22334 RTP/AVP 0",
                "c=IN IP4 192.0.2.1",
                "m=video 6024 RTP/AVP 107", "c=IN IP6 2001:db8::1", "a=rtpmap:107 H263-1998/90000",
            ]))
        #expect(session.rtpEndpoint(of: 0) == Endpoint("192.0.2.1:22334"))
        #expect(session.rtpEndpoint(of: 1) == Endpoint("[2001:db8::1]:6024"))
        #expect(session.flaws.isEmpty)
    }

    @Test("A name instead of an address leads nowhere, and is kept")
    func named() throws {
        let session = try SessionDescription(
            parsing: sdp(["v=0", "o=- 1 1 IN IP4 h.example", "s=-", "c=IN IP4 h.example", "t=0 0", "m=audio 4 RTP/AVP 0"]))
        #expect(session.rtpEndpoint(of: 0) == nil)
        #expect(session.connection?.host == .name("h.example"))
    }

    @Test("A change touches its line alone")
    func editing() throws {
        var session = try SessionDescription(parsing: example)
        session.media[1].line.port = 50_000
        session.media[0].connection = SDPConnection(IPAddress("192.0.2.9")!)
        #expect(
            session.text
                == example.replacing("m=audio 49180", with: "m=audio 50000")
                .replacing("m=audio 49170 RTP/AVP 0\r\n", with: "m=audio 49170 RTP/AVP 0\r\nc=IN IP4 192.0.2.9\r\n"))
    }

    @Test("A value cannot smuggle a line in")
    func smuggling() {
        var session = SessionDescription(origin: SDPOrigin(session: 1, address: IPAddress("192.0.2.1")!), connection: nil)
        session.session.add("x", "1\r\nm=audio 5 RTP/AVP 0")
        #expect(session.text.hasSuffix("a=x:1m=audio 5 RTP/AVP 0\r\n"))
    }

    @Test(
        "Base64 of keys: padding may be missing, anything else is no key",
        arguments: [
            ("", []), ("Zg==", [0x66]), ("Zm8", [0x66, 0x6f]), ("Zm9v", [0x66, 0x6f, 0x6f]), ("Zm9vYmFy", Array("foobar".utf8)),
            ("Z", nil), ("Zg=", nil),
            ("Zm9v====", nil), ("Zm=9", nil), ("Zm9-", nil),
        ] as [(String, [UInt8]?)])
    func base64(_ text: String, _ bytes: [UInt8]?) {
        #expect(Base64.bytes(text.utf8) == bytes)
        if let bytes, text.utf8.count % 4 == 0 { #expect(Base64.text(bytes) == text) }
    }
}
