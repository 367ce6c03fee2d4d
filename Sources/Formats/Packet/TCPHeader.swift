import Base

/// A TCP header (RFC 9293 3.1) as it lies in a buffer.
public struct TCPHeader: Hashable, Sendable {
    public struct Flags: OptionSet, Hashable, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let fin = Flags(rawValue: 1)
        public static let syn = Flags(rawValue: 2)
        public static let rst = Flags(rawValue: 4)
        public static let psh = Flags(rawValue: 8)
        public static let ack = Flags(rawValue: 16)
        public static let urg = Flags(rawValue: 32)
    }

    public var source: UInt16
    public var destination: UInt16
    public var sequence: UInt32
    public var acknowledgment: UInt32
    public var flags: Flags
    public var window: UInt16
    public var checksum: UInt16
    public var urgent: UInt16
    public var options: Range<Int>
    /// Where the Maximum Segment Size option keeps its two octets; nil without one.
    public var maximumSegmentSizeOffset: Int?
    public var range: Range<Int>
    public var payload: Range<Int>

    /// Places of fields, counted from the header's first byte.
    public enum Offset {
        public static let source = 0, destination = 2, sequence = 4, acknowledgment = 8
        public static let flags = 13, window = 14, checksum = 16
    }

    public init(_ bytes: [UInt8], in range: Range<Int>) throws(PacketError) {
        let at = range.lowerBound
        guard range.count >= 20 else { throw PacketError(.truncated(.tcp), at: range.upperBound) }
        let length = Int(bytes[at + 12] >> 4) * 4
        guard length >= 20 else { throw PacketError(.headerLength(.tcp), at: at + 12) }
        guard length <= range.count else { throw PacketError(.truncated(.tcp), at: range.upperBound) }
        source = bytes.uint16(at: at)
        destination = bytes.uint16(at: at + Offset.destination)
        sequence = bytes.uint32(at: at + Offset.sequence)
        acknowledgment = bytes.uint32(at: at + Offset.acknowledgment)
        flags = Flags(rawValue: bytes[at + Offset.flags])
        window = bytes.uint16(at: at + Offset.window)
        checksum = bytes.uint16(at: at + Offset.checksum)
        urgent = bytes.uint16(at: at + 18)
        options = (at + 20)..<(at + length)
        self.range = at..<(at + length)
        payload = (at + length)..<range.upperBound
        maximumSegmentSizeOffset = nil
        var option = options.lowerBound
        while option < options.upperBound, bytes[option] != 0 {
            if bytes[option] == 1 {
                option += 1
                continue
            }
            guard option + 1 < options.upperBound, bytes[option + 1] >= 2,
                option + Int(bytes[option + 1]) <= options.upperBound
            else { throw PacketError(.option(.tcp), at: option) }
            if bytes[option] == 2, bytes[option + 1] == 4 { maximumSegmentSizeOffset = option + 2 }
            option += Int(bytes[option + 1])
        }
    }
}
