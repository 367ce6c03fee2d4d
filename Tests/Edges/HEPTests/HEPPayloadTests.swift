import Base
import CallServer
import HEPEdge
import MediaControl
import RTP
import SIP
import Testing

@Suite("What a HEP collector is told")
struct HEPPayloadTests {
    let phone = Endpoint("203.0.113.7:52011")!
    let server = Endpoint("198.51.100.1:5060")!
    let time = Instant(seconds: 1_700_000_000)

    func payloads(_ payload: HEPItem.Payload, showsSecrets: Bool = false) -> [HEPPayload] {
        HEPPayload.all(of: HEPItem(payload, from: phone, to: server, at: time), showsSecrets: showsSecrets)
    }

    func text(_ payload: HEPPayload) -> String { String(decoding: payload.bytes, as: UTF8.self) }

    @Test("SIP is protocol type 1, its correlation the Call-ID, its secrets as many x", arguments: [false, true])
    func sip(showsSecrets: Bool) throws {
        let message = """
            REGISTER sip:pinhole SIP/2.0\r
            Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r
            From: <sip:100@pinhole>;tag=1\r
            To: <sip:100@pinhole>\r
            i: call-1@192.0.2.1\r
            CSeq: 2 REGISTER\r
            Authorization: Digest username="100", nonce="abc", response="0123456789abcdef0123456789abcdef"\r
            Content-Length: 0\r
            \r

            """
        let payload = try #require(payloads(.sip(Array(message.utf8)), showsSecrets: showsSecrets).first)
        let hidden = message.replacing("0123456789abcdef0123456789abcdef", with: String(repeating: "x", count: 32))
        #expect(payload.kind == 1 && payload.correlation == "call-1@192.0.2.1")
        #expect(text(payload) == (showsSecrets ? message : hidden))
        #expect(try SIPMessage(parsing: payload.bytes).first(.callID)?.value.string == "call-1@192.0.2.1")
    }

    @Test(
        "what is no SIP is not told: keepalives, STUN, nothing",
        arguments: [[0x0d, 0x0a, 0x0d, 0x0a], [0, 1, 0, 0], [], [0x80, 0xc8]])
    func others(bytes: [UInt8]) { #expect(payloads(.sip(bytes)).isEmpty) }

    @Test("broken SIP is told without correlation, after empty lines as well")
    func broken() throws {
        let payload = try #require(payloads(.sip(Array("\r\nINVITE nonsense".utf8))).first)
        #expect(payload.kind == 1 && payload.correlation == nil && text(payload) == "\r\nINVITE nonsense")
    }

    @Test("RTCP is protocol type 5: a JSON object for each report, as Homer's agents write it")
    func rtcp() {
        let block = RTCPReportBlock(
            ssrc: 7, fractionLost: 26, packetsLost: -3, highestSequence: 70_000, jitter: 12, lastSenderReport: 4_000_000_000,
            delaySinceLastSenderReport: 65_536)
        let info = RTCPSenderInfo(ntpTime: 3_908_988_800 << 32 | 5, timestamp: 160, packetCount: 50, octetCount: 8_000)
        let compound = RTCPPacket.compound([
            .senderReport(ssrc: 9, info, [block]), .sourceDescription([RTCPSourceDescription(ssrc: 9, canonicalName: "a\"b")]),
            .receiverReport(ssrc: 10, []), .goodbye([9], reason: ""),
        ])
        let told = payloads(.rtcp(compound, callID: "c1"))
        #expect(
            told.map(text) == [
                #"{"sender_information":{"ntp_timestamp_sec":3908988800,"ntp_timestamp_usec":5,"octets":8000,"rtp_timestamp":160,"#
                    + #""packets":50},"ssrc":9,"type":200,"report_count":1,"report_blocks":[{"source_ssrc":7,"highest_seq_no":70000,"#
                    + #""fraction_lost":26,"ia_jitter":12,"packets_lost":-3,"lsr":4000000000,"dlsr":65536}],"sdes_ssrc":9,"#
                    + #""sdes_report_count":1,"sdes_information":[{"type":1,"text":"a\"b"}]}"#,
                #"{"ssrc":10,"type":201,"report_count":0,"report_blocks":[]}"#,
            ])
        #expect(told.map(\.kind) == [5, 5] && told.map(\.correlation) == ["c1", "c1"])
        #expect(payloads(.rtcp([0x80, 200, 0, 99], callID: "c1")).isEmpty)
        #expect(payloads(.rtcp(RTCPPacket.compound([.receiverReport(ssrc: 1, [])]), callID: "")).first?.correlation == nil)
    }

    @Test("each stream of a call that is over: a report of type 34 and a line of type 100")
    func verdicts() {
        var numbers = MediaVerdict(signalled: Endpoint("192.168.1.10:16384"))
        numbers.source = MediaSource(endpoint: phone, means: .learnt, packet: 3)
        (numbers.packetsReceived, numbers.bytesReceived, numbers.lost, numbers.jitter) = (990, 158_400, 10, 2.5)
        let flow = FlowID(.udp, local: server, remote: Endpoint("203.0.113.7:5060")!)
        let record = CallRecord(
            number: 1, callID: "c1", from: "alice@pinhole", to: "echo", start: time, answer: time, end: time + .seconds(20),
            status: 200, reason: "alice@pinhole hung up", codec: "PCMU", isDirect: false,
            parties: [
                .init(
                    address: "alice@pinhole", flow: flow, answered: true,
                    streams: [
                        .init(kind: "audio", verdict: numbers, text: "RTP came"),
                        .init(kind: "video", verdict: nil, text: "no word"),
                    ]),
                .init(address: "echo", flow: nil, answered: true, streams: []),
            ])
        let items = HEPItem.verdicts(of: record)
        #expect(items.map(\.source) == [phone, flow.remote])
        #expect(items.map(\.destination) == [Endpoint("198.51.100.1:0"), Endpoint("198.51.100.1:0")])
        #expect(items.map(\.time) == [time + .seconds(20), time + .seconds(20)])
        let told = items.flatMap { HEPPayload.all(of: $0, showsSecrets: false) }
        #expect(told.map(\.kind) == [34, 100, 100] && told.allSatisfy { $0.correlation == "c1" })
        #expect(
            told.map(text) == [
                #"{"CORRELATION_ID":"c1","RTP_SIP_CALL_ID":"c1","REPORT_TS":1700000020,"TL_BYTE":158400,"TOTAL_PK":990,"#
                    + #""EXPECTED_PK":1000,"PACKET_LOSS":10,"JITTER":2.5,"MEAN_JITTER":2.5,"SRC_IP":"203.0.113.7","SRC_PORT":52011,"#
                    + #""DST_IP":"198.51.100.1","DST_PORT":0,"CODEC_NAME":"PCMU","PARTY":"alice@pinhole","MEDIA":"audio","#
                    + #""VERDICT":"RTP came","REPORT_NAME":"203.0.113.7:52011","TYPE":"HANGUP"}"#,
                "audio of alice@pinhole: RTP came", "video of alice@pinhole: no word",
            ])
    }
}
