import Base

/// What one receiver says of one source (RFC 3550 6.4.1).
public struct RTCPReportBlock: Hashable, Sendable {
    /// Whom it is about.
    public var ssrc: UInt32
    /// Since the last report, in 256ths.
    public var fractionLost: UInt8
    /// Since the beginning: 24 bits, negative where duplicates outweigh.
    public var packetsLost: Int32
    /// Cycles in the upper 16 bits.
    public var highestSequence: UInt32
    /// In clock units of the source.
    public var jitter: UInt32
    /// The middle 32 bits of the NTP time in the last sender report; 0: none came.
    public var lastSenderReport: UInt32
    /// Since that report came, in 65,536ths of a second.
    public var delaySinceLastSenderReport: UInt32

    public init(
        ssrc: UInt32, fractionLost: UInt8 = 0, packetsLost: Int32 = 0, highestSequence: UInt32 = 0, jitter: UInt32 = 0,
        lastSenderReport: UInt32 = 0, delaySinceLastSenderReport: UInt32 = 0
    ) {
        self.ssrc = ssrc
        self.fractionLost = fractionLost
        self.packetsLost = packetsLost
        self.highestSequence = highestSequence
        self.jitter = jitter
        self.lastSenderReport = lastSenderReport
        self.delaySinceLastSenderReport = delaySinceLastSenderReport
    }
}

/// What a sender says of itself (RFC 3550 6.4.1).
public struct RTCPSenderInfo: Hashable, Sendable {
    /// Seconds since 1900 in the upper half, fractions in the lower.
    public var ntpTime: UInt64
    /// The same moment in the stream's clock.
    public var timestamp: UInt32
    public var packetCount: UInt32
    /// Payload only.
    public var octetCount: UInt32

    public init(ntpTime: UInt64, timestamp: UInt32, packetCount: UInt32, octetCount: UInt32) {
        self.ntpTime = ntpTime
        self.timestamp = timestamp
        self.packetCount = packetCount
        self.octetCount = octetCount
    }

    /// What a receiver puts into `lastSenderReport`.
    public var middleOfNTPTime: UInt32 { UInt32(truncatingIfNeeded: ntpTime >> 16) }

    /// NTP time of an instant (RFC 3550 4).
    public static func ntpTime(_ instant: Instant) -> UInt64 {
        let seconds = instant.unixSeconds
        let rest = UInt64(bitPattern: instant.nanoseconds &- seconds &* 1_000_000_000)
        return UInt64(truncatingIfNeeded: seconds &+ 2_208_988_800) << 32 | (rest << 32) / 1_000_000_000
    }
}

/// What SDES says of one source (RFC 3550 6.5).
public struct RTCPSourceDescription: Hashable, Sendable {
    public struct Item: Hashable, Sendable {
        /// 1 is CNAME, 2 NAME, 6 TOOL, 7 NOTE.
        public var type: UInt8
        /// 255 bytes at most; longer ones are cut.
        public var text: String

        public init(type: UInt8, text: String) {
            self.type = type
            self.text = text
        }
    }

    public var ssrc: UInt32
    public var items: [Item]

    public init(ssrc: UInt32, items: [Item]) {
        self.ssrc = ssrc
        self.items = items
    }

    public init(ssrc: UInt32, canonicalName: String) {
        self.init(ssrc: ssrc, items: [Item(type: 1, text: canonicalName)])
    }

    public var canonicalName: String? { items.first { $0.type == 1 }?.text }
}

/// One packet of a compound RTCP packet (RFC 3550 6).
public enum RTCPPacket: Hashable, Sendable {
    case senderReport(ssrc: UInt32, RTCPSenderInfo, [RTCPReportBlock])
    case receiverReport(ssrc: UInt32, [RTCPReportBlock])
    case sourceDescription([RTCPSourceDescription])
    case goodbye([UInt32], reason: String)
    /// Feedback (205, 206), APP (204), XR (207) and the rest: `count` is the five-bit field, `body` follows the first four bytes.
    case other(type: UInt8, count: UInt8, body: [UInt8])
}

/// Why bytes are no RTCP, and where.
public struct RTCPError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: String, Hashable, Sendable {
        case tooShort = "fewer than four bytes"
        case version = "not version 2"
        case length = "a length that reaches past the end"
        case padding = "padding that is longer than its packet, or not in the last one"
        case body = "a packet shorter than its counts say"
        case tooMany = "more than 64 packets"
    }

    public var reason: Reason
    /// Bytes from the start of the compound.
    public var offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String { "\(reason.rawValue) (byte \(offset))" }
}
