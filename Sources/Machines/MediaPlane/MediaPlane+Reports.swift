import Base
import MediaControl
import RTP
import Relay

/// What a served leg's RTCP needs to remember (RFC 3550 6).
struct ReportState: Sendable {
    /// RFC 7022: random, lasts as long as the leg is served.
    var canonicalName: String
    var due: Instant
    /// The middle of the party's last sender report's NTP time, and when it came.
    var lastSenderReport: UInt32 = 0
    var heard: Instant?
}

/// Sender and receiver reports of the legs that we make sound for; bridged legs carry the parties' own.
extension MediaPlane {
    /// RFC 3550 6.2: five seconds, here without jitter but with a random start.
    static let reportInterval = Duration.seconds(5)

    mutating func beginReports(_ slot: Int, at now: Instant) {
        let first = Duration.milliseconds(Int64.random(in: 1_000...4_000, using: &entropy))
        reports[slot] = ReportState(canonicalName: entropy.hex(24), due: now + first)
    }

    /// A compound packet came from a served leg's party. Of what it says only the sender report's time is used, and only to be returned:
    /// no lie in it changes what we think of the stream.
    mutating func receiveReport(_ slot: Int, _ packet: UnsafeRawBufferPointer, at now: Instant) {
        guard reports[slot] != nil, let packets = try? RTCPPacket.parse(Array(packet)) else { return }
        for case .senderReport(_, let info, _) in packets.prefix(1) {
            reports[slot]!.lastSenderReport = info.middleOfNTPTime
            reports[slot]!.heard = now
        }
    }

    mutating func sendReports(at now: Instant) {
        // In order, so that a run repeats to the octet.
        for (slot, state) in reports.sorted(by: { $0.key < $1.key }) where state.due <= now {
            reports[slot]!.due = now + Self.reportInterval
            send(slot, state, at: now)
        }
    }

    private mutating func send(_ slot: Int, _ state: ReportState, at now: Instant) {
        let delay = state.heard.map { heard in
            UInt32(clamping: min((now - heard).wholeNanoseconds, 60_000_000_000) * 65_536 / 1_000_000_000)
        }
        let block = table.report(slot, lastSenderReport: state.lastSenderReport, delay: delay ?? 0)
        let blocks = block.map { [$0] } ?? []
        guard let sent = sound.sent(slot: slot) else { return }
        let ssrc = sent.ssrc
        let report: RTCPPacket
        if sent.packets > 0 {
            let info = RTCPSenderInfo(
                ntpTime: RTCPSenderInfo.ntpTime(sent.at), timestamp: sent.timestamp, packetCount: sent.packets,
                octetCount: sent.octets)
            report = .senderReport(ssrc: ssrc, info, blocks)
        } else {
            report = .receiverReport(ssrc: ssrc, blocks)
        }
        let description = RTCPPacket.sourceDescription([RTCPSourceDescription(ssrc: ssrc, canonicalName: state.canonicalName)])
        if let datagram = table.send(RTCPPacket.compound([report, description]), isRTCP: true, to: slot) {
            datagrams.append(datagram)
        }
    }
}
