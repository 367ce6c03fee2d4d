import Base
import RTP
import SDP
import Testing

@Suite("RFC 3264: offers, answers, and what both sides then know")
struct NegotiationTests {
    static let here = IPAddress("198.51.100.1")!
    static let origin = SDPOrigin(session: 9, version: 1, address: here)

    static func local(
        _ formats: [MediaFormat] = [.pcmu, .pcma, .telephoneEvent], kind: String = "audio", direction: MediaDirection = .sendrecv,
        encryption: LocalStream.Encryption = .never, mux: Bool = false, ice: SDPICE? = nil
    ) -> LocalStream {
        LocalStream(
            kind: kind, rtp: Endpoint(here, 40_000), formats: formats, direction: direction, multiplexesRTCP: mux,
            encryption: encryption,
            ice: ice)
    }

    func offer(_ lines: [String]) throws -> SessionDescription {
        try SessionDescription(parsing: sdp(["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=3 4"] + lines))
    }

    func answer(_ lines: [String], _ streams: [LocalStream] = [local()]) throws -> NegotiatedSession {
        var entropy = Entropy(labSeed: 1)
        return try MediaNegotiation.answer(to: try offer(lines), origin: Self.origin, streams: streams, entropy: &entropy)
    }

    @Test("6: as many lines as offered, in their order; payload types and t= are the offer's, refused ones say port 0")
    func shape() throws {
        let agreed = try answer([
            "m=video 5000 RTP/AVP 99", "a=rtpmap:99 H264/90000", "m=audio 4000 RTP/AVP 98 8 97",
            "a=rtpmap:97 telephone-event/8000",
            "a=rtpmap:98 iLBC/8000", "m=audio 4002 RTP/AVP 0",
        ])
        let text = agreed.description.text
        #expect(text.contains("\r\nt=3 4\r\n"))
        #expect(agreed.description.media.map(\.port) == [0, 40_000, 0])
        #expect(agreed.description.media.map(\.kind) == ["video", "audio", "audio"])
        #expect(agreed.description.media[1].line.formats == ["8", "97"])
        #expect(agreed.streams[1].sendFormats.map(\.payloadType) == [8, 97])
        #expect(agreed.streams[1].remoteRTP == Endpoint("192.0.2.1:4000"))
        #expect(agreed.streams.map(\.isRejected) == [true, false, true])
    }

    @Test(
        "6.1: each direction is answered by what it allows",
        arguments: [
            (MediaDirection.sendrecv, MediaDirection.sendrecv, MediaDirection.sendrecv), (.sendonly, .sendrecv, .recvonly),
            (.recvonly, .sendrecv, .sendonly), (.inactive, .sendrecv, .inactive), (.sendrecv, .sendonly, .sendonly),
            (.sendonly, .sendonly, .inactive), (.recvonly, .sendonly, .sendonly), (.recvonly, .recvonly, .inactive),
        ])
    func directions(_ offered: MediaDirection, _ ours: MediaDirection, _ answered: MediaDirection) throws {
        let agreed = try answer(["m=audio 4000 RTP/AVP 0", "a=\(offered.rawValue)"], [Self.local(direction: ours)])
        #expect(agreed.description.media[0].direction == answered)
        #expect(agreed.streams[0].direction == answered)
    }

    @Test("8.4: an address of 0.0.0.0 is hold")
    func oldHold() throws {
        let agreed = try answer(["m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0"])
        #expect(agreed.streams[0].isHeldByPeer && !agreed.streams[0].direction.sends)
    }

    @Test(
        "What cannot be met says why",
        arguments: [
            (["m=audio 4000 RTP/AVP 18"], 305, "no codec in common, offered were G729/8000"),
            (
                ["m=audio 4000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"], 305,
                "no codec in common, offered were telephone-event/8000"
            ),
            (["m=video 4000 RTP/AVP 99"], 304, "media type not available: video"), ([], 304, "the description has no media line"),
            (["m=audio 4000 RTP/SAVP 0"], 302, "SRTP with the suites offered is not available here"),
            (["m=audio 4000 TCP/RTP/AVP 0"], 302, "transport protocol TCP/RTP/AVP is not spoken here"),
            (["m=audio 4000 RTP/AVP 0", "c=IN IP4 224.1.1.1/127"], 330, "multicast is not available"),
            (["m=audio 4000 RTP/AVP 0", "c=ATM NSAP 47.0091"], 301, "network address format ATM cannot be reached from here"),
            (["m=audio 4000 RTP/AVP \"<evil>\\", "a=rtpmap:x"], 305, "no codec in common, offered were payload type <evil>"),
        ])
    func refused(_ lines: [String], _ code: Int, _ text: String) {
        #expect {
            try answer(lines)
        } throws: { error in
            guard let refusal = error as? SDPRefusal else { return false }
            return refusal.warningCode == code && refusal.description == text
        }
    }

    @Test("An offer of which every line is refused already is answered so, and is no failure")
    func nothingWanted() throws {
        let agreed = try answer(["m=audio 0 RTP/AVP 0"])
        #expect(agreed.description.media.map(\.port) == [0])
    }

    @Test("7: an answer numbers a codec otherwise: we send by its number and receive by ours")
    func asymmetric() throws {
        var entropy = Entropy(labSeed: 1)
        let streams = [Self.local([.opus, .pcmu])]
        let offer = MediaNegotiation.offer(origin: Self.origin, streams: streams, entropy: &entropy)
        let reply = try SessionDescription(
            parsing: sdp([
                "v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "m=audio 4000 RTP/AVP 96",
                "a=rtpmap:96 opus/48000/2",
            ]))
        let agreed = try MediaNegotiation.read(answer: reply, to: offer, streams: streams)
        #expect(agreed.streams[0].sendFormats.map(\.payloadType) == [96])
        #expect(agreed.streams[0].receiveFormats.map(\.payloadType) == [MediaFormat.opus.payloadType])
    }

    @Test("6: an answer with other lines than the offer, or that refuses all, is no answer")
    func badAnswers() throws {
        var entropy = Entropy(labSeed: 1)
        let streams = [Self.local()]
        let offer = MediaNegotiation.offer(origin: Self.origin, streams: streams, entropy: &entropy)
        let head = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"]
        for (lines, reason) in [
            ([], SDPRefusal.Reason.linesDiffer), (["m=video 1 RTP/AVP 0"], .linesDiffer),
            (["m=audio 1 RTP/AVP 0", "m=audio 1 RTP/AVP 0"], .linesDiffer), (["m=audio 0 RTP/AVP 0"], .allRejected),
            (["m=audio 1 RTP/AVP 18"], .formats(["G729"])),
        ] {
            let reply = try SessionDescription(parsing: sdp(head + lines))
            #expect(throws: SDPRefusal(reason)) { try MediaNegotiation.read(answer: reply, to: offer, streams: streams) }
        }
    }

    // MARK: Keys (RFC 4568)

    static let key = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"

    @Test("RFC 4568: the first usable line is taken, its tag comes back with our own key")
    func crypto() throws {
        let agreed = try answer(
            [
                "m=audio 4000 RTP/SAVP 0", "a=crypto:1 F8_128_HMAC_SHA1_80 inline:\(Self.key)",
                "a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:\(Self.key)|2^31",
            ], [Self.local(encryption: .possible)])
        let srtp = try #require(agreed.streams[0].srtp)
        #expect(srtp.suite == .aesCM128HMACSHA1_32 && srtp.remoteKey.count == 30 && srtp.localKey != srtp.remoteKey)
        #expect(agreed.description.media[0].profile == .savp)
        #expect(agreed.description.text.contains("a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:"))
        #expect(!agreed.description.text.contains(Self.key))
    }

    @Test(
        "RFC 4568: keys of the wrong length, with an identifier, or with parameters that change the transform are not usable",
        arguments: [
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(key)|1:4",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(key) UNENCRYPTED_SRTP", "a=crypto:1 NULL inline:\(key)",
            "a=crypto:x AES inline:\(key)",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 prompt:\(key)",
        ])
    func unusable(_ line: String) {
        #expect(throws: SDPRefusal(.encryptionUnavailable)) {
            try answer(["m=audio 4000 RTP/SAVP 0", line], [Self.local(encryption: .possible)])
        }
    }

    @Test("Plain RTP where SRTP is demanded is refused; keys beside RTP/AVP are taken")
    func demanded() throws {
        #expect(throws: SDPRefusal(.encryptionRequired)) {
            try answer(["m=audio 4000 RTP/AVP 0"], [Self.local(encryption: .required)])
        }
        let line = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(Self.key)"
        let agreed = try answer(["m=audio 4000 RTP/AVP 0", line], [Self.local(encryption: .required)])
        #expect(agreed.streams[0].srtp != nil && agreed.description.media[0].profile == .avp)
    }

    @Test("RTCP is multiplexed, and ICE done, where both say so", arguments: [(true, true), (true, false), (false, true)])
    func both(_ theirs: Bool, _ ours: Bool) throws {
        let lines =
            ["m=audio 4000 RTP/AVP 0"] + (theirs ? ["a=rtcp-mux", "a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901"] : [])
        let ice = ours ? SDPICE(ufrag: "wxyz", password: "9876543210987654321098", isLite: true) : nil
        let agreed = try answer(lines, [Self.local(mux: ours, ice: ice)])
        #expect(agreed.streams[0].multiplexesRTCP == (theirs && ours))
        #expect(agreed.streams[0].remoteRTCP == (theirs && ours ? nil : Endpoint("192.0.2.1:4001")))
        #expect((agreed.streams[0].ice != nil) == (theirs && ours))
        #expect(agreed.description.isICELite == (theirs && ours))
    }

    // MARK: Passing on

    @Test("Passed on: address, port, RTCP, ICE and keys are ours; codecs, direction and unknown attributes go through")
    func relayed() throws {
        let session = try offer([
            "a=group:BUNDLE 0", "a=fingerprint:sha-256 AA", "m=audio 4000 RTP/AVP 0 101", "k=clear:x",
            "a=rtpmap:101 telephone-event/8000",
            "a=sendonly", "a=x-vendor:1", "a=rtcp:9", "a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901",
            "a=candidate:1 1 UDP 1 10.0.0.1 4000 typ host", "m=video 5000 RTP/AVP 99", "a=rtpmap:99 H264/90000",
        ])
        let passed = session.relayed(origin: Self.origin, streams: [RelayedStream(rtp: Endpoint(Self.here, 20_000)), nil])
        #expect(
            passed.text
                == sdp([
                    "v=0", "o=- 9 1 IN IP4 198.51.100.1", "s=-", "c=IN IP4 198.51.100.1", "t=3 4", "m=audio 20000 RTP/AVP 0 101",
                    "a=rtpmap:101 telephone-event/8000", "a=sendonly", "a=x-vendor:1", "m=video 0 RTP/AVP 99",
                    "a=rtpmap:99 H264/90000",
                ]))
        #expect(!passed.addresses.contains { $0.address != Self.here })
    }

    @Test("Passed on to the other family: every address is ours, of that family (RFC 6157)")
    func family() throws {
        let six = IPAddress("2001:db8::1")!
        let passed = try offer(["m=audio 4000 RTP/AVP 0", "c=IN IP4 10.0.0.1"]).relayed(
            origin: SDPOrigin(session: 1, address: six), streams: [RelayedStream(rtp: Endpoint(six, 20_000), rtcp: .port(30_000))]
        )
        #expect(
            passed.text.contains("c=IN IP6 2001:db8::1\r\n") && passed.text.contains("a=rtcp:30000\r\n")
                && !passed.text.contains("IP4"))
    }

    @Test("Passed on: hold by 0.0.0.0 becomes a direction; formats may be narrowed with all that belongs to them")
    func narrowed() throws {
        let session = try offer([
            "m=audio 4000 RTP/AVP 0 8 96", "c=IN IP4 0.0.0.0", "a=rtpmap:96 opus/48000/2", "a=fmtp:96 x", "a=rtcp-fb:96 nack",
            "a=rtcp-fb:* y",
        ])
        let passed = session.relayed(
            origin: Self.origin, streams: [RelayedStream(rtp: Endpoint(Self.here, 20_000), payloadTypes: [8])])
        let text = passed.media.map(\.section).flatMap(\.lines).map(\.text)
        #expect(passed.media[0].line.formats == ["8"])
        #expect(text == ["rtcp-fb:* y", "sendonly"])
    }
}
