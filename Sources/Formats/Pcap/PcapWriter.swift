import Base

/// A pcap file in the making: nanosecond times, as pure bytes.
public struct PcapWriter: Sendable {
    /// The file so far, header included.
    public private(set) var bytes: [UInt8]
    /// Packets left out because the file had reached `cap`.
    public private(set) var left: UInt64 = 0
    public private(set) var count = 0
    /// Octets the file may grow to.
    public let cap: Int
    /// Longest record that is believed when read, and said to come when written.
    public static let mostRecordOctets: UInt32 = 262_144

    public init(cap: Int = 256 << 20, link: UInt32 = LinkType.raw.rawValue) {
        self.cap = cap
        bytes = []
        bytes.append(bigEndian: UInt32(0xa1b2_3c4d))
        bytes.append(bigEndian: UInt32(2 << 16 | 4))
        bytes.append(bigEndian: UInt64(0))
        bytes.append(bigEndian: Self.mostRecordOctets)
        bytes.append(bigEndian: link)
    }

    /// Appends one packet. Times outside 1970...2106 are clamped: the format has 32 bits for seconds.
    public mutating func append(_ packet: [UInt8], at now: Instant) {
        guard bytes.count + 16 + packet.count <= cap else {
            left += 1
            return
        }
        bytes += Self.record(captured: packet.count, wire: packet.count, at: now)
        bytes.append(contentsOf: packet)
        count += 1
    }

    /// A record's head; its octets follow.
    package static func record(captured: Int, wire: Int, at now: Instant) -> [UInt8] {
        let seconds = now.unixSeconds
        let fraction = now.nanoseconds - seconds * 1_000_000_000
        var head: [UInt8] = []
        head.reserveCapacity(16)
        head.append(bigEndian: UInt32(clamping: seconds))
        head.append(bigEndian: UInt32(clamping: fraction))
        head.append(bigEndian: UInt32(clamping: captured))
        head.append(bigEndian: UInt32(clamping: wire))
        return head
    }
}
