import Base
import RTP

/// RTCP of one call's audio (RFC 3550 6): our reports at random intervals, what theirs say of us, and the counts behind both.
struct MediaReports: Sendable {
    static let interval = Duration.seconds(5)

    let ssrc: UInt32
    private let canonicalName: String
    private(set) var statistics = ReceptionStatistics()
    private(set) var nextDeadline: Instant?
    private var lastSenderReport: (middle: UInt32, at: Instant)?
    private var draws: UInt64
    private(set) var theirLossPercent: Double?
    /// Milliseconds.
    private(set) var theirJitter: Double?
    private(set) var roundTrip: Double?
    private(set) var reportsReceived: UInt64 = 0
    /// The other side said that it leaves.
    private(set) var hasLeft = false
    private var clockRate = 8_000

    init(ssrc: UInt32, canonicalName: String) {
        self.ssrc = ssrc
        self.canonicalName = canonicalName
        draws = UInt64(ssrc) | 1
    }

    mutating func agreed(at now: Instant, clockRate: Int) {
        self.clockRate = max(1, clockRate)
        statistics.clockRate = UInt32(self.clockRate)
        // RFC 3550 6.2: the first report comes after half of the interval.
        if nextDeadline == nil { nextDeadline = now + spread(Self.interval / 2) }
    }

    /// - Parameter isEvent: its timestamp stands still, and says nothing of the network's unsteadiness.
    mutating func received(_ header: RTPHeader, isEvent: Bool, at now: Instant) {
        statistics.receive(header, at: now, timesJitter: !isEvent)
    }

    /// A compound packet of the other side; false where it is malformed.
    mutating func receive(_ packet: [UInt8], at now: Instant) -> Bool {
        guard let packets = try? RTCPPacket.parse(packet) else { return false }
        reportsReceived += 1
        for part in packets {
            switch part {
            case .senderReport(_, let info, let blocks):
                lastSenderReport = (info.middleOfNTPTime, now)
                take(blocks, at: now)
            case .receiverReport(_, let blocks): take(blocks, at: now)
            case .goodbye: hasLeft = true
            case .sourceDescription, .other: break
            }
        }
        return true
    }

    private mutating func take(_ blocks: [RTCPReportBlock], at now: Instant) {
        guard let block = blocks.first(where: { $0.ssrc == ssrc }) else { return }
        theirLossPercent = Double(block.fractionLost) * 100 / 256
        theirJitter = Double(block.jitter) * 1_000 / Double(clockRate)
        let middle = UInt32(truncatingIfNeeded: RTCPSenderInfo.ntpTime(now) >> 16)
        // A span of more than a minute is a lie or a clock that was set.
        if let span = block.roundTrip(now: middle), span < 60 << 16 { roundTrip = Double(span) * 1_000 / 65_536 }
    }

    mutating func due(at now: Instant, packetsSent: UInt64, bytesSent: UInt64, timestamp: UInt32) -> [UInt8]? {
        guard let due = nextDeadline, due <= now else { return nil }
        nextDeadline = now + spread(Self.interval)
        return RTCPPacket.compound(report(at: now, packetsSent, bytesSent, timestamp))
    }

    mutating func goodbye(at now: Instant, packetsSent: UInt64, bytesSent: UInt64, timestamp: UInt32) -> [UInt8] {
        RTCPPacket.compound(report(at: now, packetsSent, bytesSent, timestamp) + [.goodbye([ssrc], reason: "")])
    }

    private mutating func report(at now: Instant, _ packets: UInt64, _ bytes: UInt64, _ timestamp: UInt32) -> [RTCPPacket] {
        var delay: UInt32 = 0
        if let last = lastSenderReport {
            delay = UInt32(clamping: max(.zero, now - last.at).wholeMilliseconds * 65_536 / 1_000)
        }
        let blocks = [statistics.report(lastSenderReport: lastSenderReport?.middle ?? 0, delay: delay)].compactMap { $0 }
        let first: RTCPPacket =
            packets == 0
            ? .receiverReport(ssrc: ssrc, blocks)
            : .senderReport(
                ssrc: ssrc,
                RTCPSenderInfo(
                    ntpTime: RTCPSenderInfo.ntpTime(now), timestamp: timestamp, packetCount: UInt32(truncatingIfNeeded: packets),
                    octetCount: UInt32(truncatingIfNeeded: bytes)), blocks)
        return [first, .sourceDescription([RTCPSourceDescription(ssrc: ssrc, canonicalName: canonicalName)])]
    }

    /// 0.5 to 1.5 times (RFC 3550 6.3.1), by a generator of its own: no secret hangs on it.
    private mutating func spread(_ duration: Duration) -> Duration {
        draws = draws &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return duration * Int64(500 + (draws >> 33) % 1_000) / 1_000
    }
}
