import Base
import Capture
import RTP
import Secrets
import SIP
import ShowText

/// What is sent of one item: SIP as it is (protocol type 1), RTCP as the JSON that Homer's agents make of it (5), of a stream's end a report (34) and a
/// line of log (100).
package struct HEPPayload {
    package var kind: UInt8
    package var bytes: [UInt8]
    package var correlation: String?

    /// Empty where it is nothing that a collector could read: keepalives, STUN, RTCP without reports.
    package static func all(of item: HEPItem, showsSecrets: Bool) -> [HEPPayload] {
        switch item.payload {
        case .sip(let bytes): sip(bytes, showsSecrets).map { [$0] } ?? []
        case .rtcp(let bytes, let callID): rtcp(bytes, callID)
        case .verdict(let verdict): ends(verdict, item)
        }
    }

    private static func sip(_ bytes: [UInt8], _ showsSecrets: Bool) -> HEPPayload? {
        // A request's method or "SIP/2.0", after empty lines: whatever else comes to the port begins with no letter.
        guard let first = bytes.first(where: { $0 != 0x0d && $0 != 0x0a }), first | 0x20 >= 0x61, first | 0x20 <= 0x7a else {
            return nil
        }
        let message = try? SIPMessage(salvaging: bytes)
        let callID = message?.first(.callID)?.value.string
        return HEPPayload(kind: 1, bytes: showsSecrets ? bytes : SIPSecrets.masked(bytes), correlation: callID)
    }

    /// One for each sender's or receiver's report; descriptions go with the report before them.
    private static func rtcp(_ bytes: [UInt8], _ callID: String) -> [HEPPayload] {
        guard let packets = try? RTCPPacket.parse(bytes) else { return [] }
        let descriptions = packets.flatMap { packet -> [RTCPSourceDescription] in
            if case .sourceDescription(let descriptions) = packet { descriptions } else { [] }
        }
        return packets.compactMap { packet in
            let report: JSONValue
            switch packet {
            case .senderReport(let ssrc, let info, let blocks): report = json(200, ssrc, info, blocks, descriptions)
            case .receiverReport(let ssrc, let blocks): report = json(201, ssrc, nil, blocks, descriptions)
            default: return nil
            }
            return HEPPayload(kind: 5, bytes: Array(report.text.utf8), correlation: callID.isEmpty ? nil : callID)
        }
    }

    private static func json(
        _ type: Int, _ ssrc: UInt32, _ info: RTCPSenderInfo?, _ blocks: [RTCPReportBlock],
        _ descriptions: [RTCPSourceDescription]
    ) -> JSONValue {
        var members: [(String, JSONValue)] = []
        if let info {
            members.append(
                (
                    "sender_information",
                    .object([
                        ("ntp_timestamp_sec", .integer(Int(info.ntpTime >> 32))),
                        ("ntp_timestamp_usec", .integer(Int(info.ntpTime & 0xffff_ffff))),
                        ("octets", .integer(Int(info.octetCount))), ("rtp_timestamp", .integer(Int(info.timestamp))),
                        ("packets", .integer(Int(info.packetCount))),
                    ])
                ))
        }
        members += [("ssrc", .integer(Int(ssrc))), ("type", .integer(type)), ("report_count", .integer(blocks.count))]
        members.append(
            (
                "report_blocks",
                .array(
                    blocks.map { block in
                        .object([
                            ("source_ssrc", .integer(Int(block.ssrc))),
                            ("highest_seq_no", .integer(Int(block.highestSequence))),
                            ("fraction_lost", .integer(Int(block.fractionLost))), ("ia_jitter", .integer(Int(block.jitter))),
                            ("packets_lost", .integer(Int(block.packetsLost))), ("lsr", .integer(Int(block.lastSenderReport))),
                            ("dlsr", .integer(Int(block.delaySinceLastSenderReport))),
                        ])
                    })
            ))
        if let description = descriptions.first(where: { $0.ssrc == ssrc }) {
            members.append(("sdes_ssrc", .integer(Int(ssrc))))
            members.append(("sdes_report_count", .integer(description.items.count)))
            members.append(
                (
                    "sdes_information",
                    .array(description.items.map { .object([("type", .integer(Int($0.type))), ("text", .string($0.text))]) })
                ))
        }
        return .object(members)
    }

    private static func ends(_ verdict: StreamVerdict, _ item: HEPItem) -> [HEPPayload] {
        let line = "\(verdict.kind) of \(verdict.party): \(verdict.text)"
        let log = HEPPayload(kind: 100, bytes: Array(line.utf8), correlation: verdict.callID)
        guard let numbers = verdict.numbers else { return [log] }
        let report = JSONValue.object([
            ("CORRELATION_ID", .string(verdict.callID)), ("RTP_SIP_CALL_ID", .string(verdict.callID)),
            ("REPORT_TS", .integer(Int(item.time.unixSeconds))), ("TL_BYTE", .integer(Int(numbers.bytesReceived))),
            ("TOTAL_PK", .integer(Int(numbers.packetsReceived))),
            ("EXPECTED_PK", .integer(Int(numbers.packetsReceived + numbers.lost))),
            ("PACKET_LOSS", .integer(Int(numbers.lost))), ("JITTER", .number(numbers.jitter)),
            ("MEAN_JITTER", .number(numbers.jitter)), ("SRC_IP", .string("\(item.source.address)")),
            ("SRC_PORT", .integer(Int(item.source.port))), ("DST_IP", .string("\(item.destination.address)")),
            ("DST_PORT", .integer(Int(item.destination.port))), ("CODEC_NAME", .string(verdict.codec)),
            ("PARTY", .string(verdict.party)), ("MEDIA", .string(verdict.kind)), ("VERDICT", .string(verdict.text)),
            ("REPORT_NAME", .string("\(item.source)")), ("TYPE", .string("HANGUP")),
        ])
        return [HEPPayload(kind: 34, bytes: Array(report.text.utf8), correlation: verdict.callID), log]
    }
}
