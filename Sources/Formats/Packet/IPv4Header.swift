import Base

/// An IPv4 header (RFC 791 3.1), options included, as it lies in a buffer.
public struct IPv4Header: Hashable, Sendable {
    /// Type of service: DSCP and ECN.
    public var trafficClass: UInt8
    public var identification: UInt16
    public var dontFragment: Bool
    public var moreFragments: Bool
    /// Octets, a multiple of 8.
    public var fragmentOffset: Int
    public var timeToLive: UInt8
    public var protocolNumber: IPProtocol
    public var checksum: UInt16
    public var source: IPv4Address
    public var destination: IPv4Address
    /// Where the options lie; empty for the plain 20-octet header.
    public var options: Range<Int>
    /// The header's own bytes.
    public var range: Range<Int>
    /// Total Length as stored; may pass the end of the buffer in a quoted packet.
    public var totalLength: Int

    /// Places of fields, counted from the header's first byte.
    public enum Offset {
        public static let totalLength = 2, identification = 4, flags = 6, timeToLive = 8
        public static let protocolNumber = 9, checksum = 10, source = 12, destination = 16
    }

    /// Parses the header at the start of `range`. `quoted`: Total Length may pass the end, as in an ICMP error's quotation.
    public init(_ bytes: [UInt8], in range: Range<Int>, quoted: Bool = false) throws(PacketError) {
        let at = range.lowerBound
        guard range.count >= 20 else { throw PacketError(.truncated(.ipv4), at: range.upperBound) }
        guard bytes[at] >> 4 == 4 else { throw PacketError(.version(bytes[at] >> 4), at: at) }
        let length = Int(bytes[at] & 15) * 4
        guard length >= 20 else { throw PacketError(.headerLength(.ipv4), at: at) }
        guard length <= range.count else { throw PacketError(.truncated(.ipv4), at: range.upperBound) }
        totalLength = Int(bytes.uint16(at: at + Offset.totalLength))
        guard totalLength >= length else { throw PacketError(.length(.ipv4), at: at + Offset.totalLength) }
        guard quoted || totalLength <= range.count else { throw PacketError(.truncated(.ipv4), at: range.upperBound) }
        trafficClass = bytes[at + 1]
        identification = bytes.uint16(at: at + Offset.identification)
        let flags = bytes.uint16(at: at + Offset.flags)
        dontFragment = flags & 0x4000 != 0
        moreFragments = flags & 0x2000 != 0
        fragmentOffset = Int(flags & 0x1fff) * 8
        timeToLive = bytes[at + Offset.timeToLive]
        protocolNumber = IPProtocol(rawValue: bytes[at + Offset.protocolNumber])
        checksum = bytes.uint16(at: at + Offset.checksum)
        source = IPv4Address(bits: bytes.uint32(at: at + Offset.source))
        destination = IPv4Address(bits: bytes.uint32(at: at + Offset.destination))
        options = (at + 20)..<(at + length)
        self.range = at..<(at + length)
        let payload = totalLength - length
        guard fragmentOffset + payload <= 65_535, !moreFragments || payload % 8 == 0 || quoted else {
            throw PacketError(.fragment, at: at + Offset.flags)
        }
        try checkOptions(bytes)
    }

    private func checkOptions(_ bytes: [UInt8]) throws(PacketError) {
        var at = options.lowerBound
        while at < options.upperBound {
            switch bytes[at] {
            case 0: return
            case 1: at += 1
            default:
                guard at + 1 < options.upperBound, bytes[at + 1] >= 2, at + Int(bytes[at + 1]) <= options.upperBound else {
                    throw PacketError(.option(.ipv4), at: at)
                }
                at += Int(bytes[at + 1])
            }
        }
    }

    /// Whether the stored header checksum matches the header's bytes.
    public func hasRightChecksum(_ bytes: [UInt8]) -> Bool { InternetChecksum.of(bytes, in: range) == 0 }
}
