import Base
import RTP
import Testing

@Suite("RTP and RTCP on the wire (RFC 3550)")
struct WireTests {
    @Test("RFC 3550 5.1: every field of the fixed header, by hand")
    func header() throws {
        // V=2, no padding, no extension, two contributors; marker, type 8.
        let bytes: [UInt8] = [
            0x82, 0x88, 0x12, 0x34, 0x00, 0x00, 0x01, 0x40, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 1, 0, 0, 0, 2, 0xd5, 0x55,
        ]
        let header = try #require(RTPHeader(bytes))
        #expect(header.marker && header.payloadType == 8 && header.sequenceNumber == 0x1234 && header.timestamp == 320)
        #expect(
            header.ssrc == 0xdead_beef && header.contributorCount == 2 && header.payloadStart == 20 && header.payloadEnd == 22)
        let packet = try #require(RTPPacket(parsing: bytes))
        #expect(packet.contributors == [1, 2] && packet.payload == [0xd5, 0x55] && packet.bytes == bytes)
    }

    @Test("A header extension and padding are stepped over; lengths that do not fit are refused")
    func lengths() throws {
        var bytes = RTPPacket(payloadType: 0, sequenceNumber: 1, timestamp: 1, ssrc: 1, payload: [1, 2, 3]).bytes
        bytes[0] |= 0x30
        bytes.insert(contentsOf: [0xbe, 0xde, 0, 1, 9, 9, 9, 9], at: 12)
        bytes += [0, 0, 3]
        let header = try #require(RTPHeader(bytes))
        #expect(header.payloadStart == 20 && header.payloadEnd == 23)
        // Padding that is zero, or longer than what is there; an extension, or contributors, past the end.
        for (place, value) in [(bytes.count - 1, UInt8(0)), (bytes.count - 1, 7), (15, 2), (15, 255), (0, 0xbf), (0, 0x70)] {
            var wrong = bytes
            wrong[place] = value
            #expect(RTPHeader(wrong) == nil, "byte \(place) = \(value)")
        }
        for length in 0..<20 { #expect(RTPHeader(Array(bytes[..<length])) == nil, "\(length) bytes") }
    }

    @Test("Packets print and read back", arguments: UInt64(1)...50)
    func roundTrip(_ seed: UInt64) {
        var entropy = Entropy(labSeed: seed)
        let packet = RTPPacket(
            marker: Bool.random(using: &entropy), payloadType: UInt8.random(in: 0...127, using: &entropy),
            sequenceNumber: UInt16(truncatingIfNeeded: entropy.next()), timestamp: UInt32(truncatingIfNeeded: entropy.next()),
            ssrc: UInt32(truncatingIfNeeded: entropy.next()),
            contributors: (0..<Int.random(in: 0...15, using: &entropy)).map { UInt32($0) },
            payload: entropy.bytes(Int.random(in: 0...300, using: &entropy)))
        #expect(RTPPacket(parsing: packet.bytes) == packet)
    }

    @Test("A receiver report by hand, its signed count of losses included")
    func receiverReport() throws {
        let bytes: [UInt8] = [
            0x81, 201, 0, 7, 0, 0, 0, 5, 0, 0, 0, 9, 0x40, 0xff, 0xff, 0xfe, 0, 1, 0, 2, 0, 0, 0, 16, 1, 2, 3, 4, 0, 1, 0, 0,
        ]
        let block = RTCPReportBlock(
            ssrc: 9, fractionLost: 64, packetsLost: -2, highestSequence: 0x1_0002, jitter: 16, lastSenderReport: 0x0102_0304,
            delaySinceLastSenderReport: 65_536)
        #expect(try RTCPPacket.parse(bytes) == [.receiverReport(ssrc: 5, [block])])
        #expect(RTCPPacket.receiverReport(ssrc: 5, [block]).bytes == bytes)
        // Half a second on the way, one at the peer: RFC 3550 6.4.1.
        #expect(block.roundTrip(now: 0x0102_0304 + 65_536 + 32_768) == 32_768)
        #expect(block.roundTrip(now: 0x0102_0304) == nil)
    }

    @Test("A compound of every kind prints and reads back")
    func compound() throws {
        let packets: [RTCPPacket] = [
            .senderReport(
                ssrc: 1, RTCPSenderInfo(ntpTime: 0x0102_0304_0506_0708, timestamp: 9, packetCount: 10, octetCount: 11),
                [RTCPReportBlock(ssrc: 2), RTCPReportBlock(ssrc: 3, packetsLost: 0x7f_ffff)]),
            .sourceDescription([
                RTCPSourceDescription(ssrc: 1, canonicalName: "abc"),
                RTCPSourceDescription(ssrc: 2, items: [.init(type: 1, text: "x"), .init(type: 6, text: "tool")]),
            ]),
            .other(type: 206, count: 1, body: [0, 0, 0, 1, 0, 0, 0, 2]), .goodbye([1, 2], reason: "over"),
            .goodbye([7], reason: ""),
        ]
        let bytes = RTCPPacket.compound(packets)
        #expect(bytes.count % 4 == 0)
        #expect(try RTCPPacket.parse(bytes) == packets)
    }

    @Test(
        "RTCP that does not fit is refused with reason and place",
        arguments: [
            ([0x80, 201, 0], RTCPError(.tooShort, at: 3)), ([0x40, 201, 0, 1, 0, 0, 0, 1], RTCPError(.version, at: 0)),
            ([0x80, 201, 0, 2, 0, 0, 0, 1], RTCPError(.length, at: 2)), ([0x81, 201, 0, 1, 0, 0, 0, 1], RTCPError(.body, at: 0)),
            ([0xa0, 201, 0, 1, 0, 0, 0, 0], RTCPError(.padding, at: 0)),
            ([0xa0, 201, 0, 1, 0, 0, 0, 8], RTCPError(.padding, at: 0)),
            ([0x81, 203, 0, 2, 0, 0, 0, 1, 9, 65, 66, 67], RTCPError(.body, at: 0)),
            ([0x80, 201, 0, 1, 0, 0, 0, 1, 0x80], RTCPError(.tooShort, at: 8)),
        ] as [([UInt8], RTCPError)])
    func refused(_ bytes: [UInt8], _ error: RTCPError) {
        #expect(throws: error) { try RTCPPacket.parse(bytes) }
    }

    @Test("More than 64 packets in a compound are hostile")
    func many() {
        let one = RTCPPacket.receiverReport(ssrc: 1, []).bytes
        #expect((try? RTCPPacket.parse((0..<64).flatMap { _ in one }))?.count == 64)
        #expect(throws: RTCPError(.tooMany, at: 512)) { try RTCPPacket.parse((0..<65).flatMap { _ in one }) }
    }

    @Test("NTP time: the Unix epoch is 2,208,988,800 s, and half a second is half of 2^32")
    func ntp() {
        #expect(RTCPSenderInfo.ntpTime(Instant(seconds: 0)) == UInt64(2_208_988_800) << 32)
        #expect(RTCPSenderInfo.ntpTime(Instant(nanoseconds: 1_500_000_000)) == UInt64(2_208_988_801) << 32 | 0x8000_0000)
    }

    @Test("RFC 7983 7: every first byte", arguments: 0...255)
    func kinds(_ first: Int) {
        let expected: MediaPacketKind =
            switch first {
            case 0...3: .stun
            case 16...19: .zrtp
            case 20...63: .dtls
            case 64...79: .turnChannel
            case 128...191: .rtp
            default: .unknown
            }
        #expect(MediaPacketKind([UInt8(first), 0]) == expected)
        // RFC 5761 4: RTCP by its packet type, which is no payload type that a marker could make of it.
        for type in 0...255 where (128...191).contains(first) {
            #expect(MediaPacketKind([UInt8(first), UInt8(type)]) == ((192...223).contains(type) ? .rtcp : .rtp))
        }
        #expect(MediaPacketKind([UInt8(first)]) == .unknown)
    }

    @Test("RFC 4733: digits as events and back")
    func telephoneEvents() throws {
        for (event, digit) in "0123456789*#ABCD".enumerated() {
            #expect(TelephoneEvent.event(for: digit) == UInt8(event))
            #expect(TelephoneEvent(event: UInt8(event), duration: 1).digit == digit)
        }
        #expect(TelephoneEvent.event(for: "d") == 15 && TelephoneEvent.event(for: "x") == nil)
        let event = TelephoneEvent(event: 16, isEnd: true, volume: 63, duration: 0x1234)
        #expect(event.bytes == [16, 0xbf, 0x12, 0x34] && event.digit == nil)
        #expect(TelephoneEvent([16, 0xbf, 0x12, 0x34, 9][...]) == event)
        #expect(TelephoneEvent([16, 0xbf, 0x12][...]) == nil)
    }
}

@Suite("ICE candidates (RFC 8839 5.1)")
struct ICECandidateTests {
    static func parse(_ text: String) -> ICECandidate? { ICECandidate(attribute: Array(text.utf8)[...]) }

    @Test("The example of RFC 8839 5.1, and with what follows kept")
    func examples() throws {
        let host = try #require(Self.parse("1 1 UDP 2130706431 203.0.113.141 8998 typ host"))
        #expect(host.kind == .host && host.component == 1 && host.endpoint == Endpoint("203.0.113.141:8998")! && host.isUDP)
        let text = "2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998 generation 0 network-id 1"
        let reflexive = try #require(Self.parse(text))
        #expect(reflexive.related == Endpoint("203.0.113.141:8998")! && reflexive.extensions == "generation 0 network-id 1")
        #expect(reflexive.attributeValue == text)
        #expect(Self.parse("a 2 udp 1 2001:db8::1 5 typ relay")?.endpoint == Endpoint("[2001:db8::1]:5")!)
    }

    @Test(
        "What is malformed, or hides its address, is no candidate",
        arguments: [
            "", "1 1 UDP 1 192.0.2.1 5 typ", "1 1 UDP 1 name.local 5 typ host", "1 1 UDP 1 192.0.2.1 65536 typ host",
            "1 257 UDP 1 192.0.2.1 5 typ host", "1 0 UDP 1 192.0.2.1 5 typ host", "1 1 UDP -1 192.0.2.1 5 typ host",
            "1 1 UDP 1 192.0.2.1 5 typ best", "1 1 UDP 1 192.0.2.1 5 kind host", "1 1 UDP 4294967296 192.0.2.1 5 typ host",
        ])
    func malformed(_ text: String) {
        #expect(Self.parse(text) == nil)
    }

    @Test("RFC 8445 5.1.2.1: the priority of a single host's first component")
    func priority() {
        #expect(ICECandidate.priority(.host) == 2_130_706_431)
        #expect(ICECandidate.priority(.serverReflexive, component: 2) == 100 << 24 | 65_535 << 8 | 254)
    }
}
