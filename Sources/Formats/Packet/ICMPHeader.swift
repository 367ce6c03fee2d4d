import Base

/// An ICMP message for IPv4 (RFC 792) or IPv6 (RFC 4443) as it lies in a buffer.
public struct ICMPHeader: Hashable, Sendable {
    /// What the message says, for the types NATs and hosts act upon.
    public enum Meaning: Hashable, Sendable {
        case echoRequest, echoReply
        /// No way to the destination: net, host or protocol, administratively prohibited, ...
        case unreachable
        case portUnreachable
        /// Fragmentation needed (IPv4), Packet Too Big (IPv6); the next hop's MTU, 0 where an old router gave none.
        case packetTooBig(mtu: Int)
        case timeExceeded
        case reassemblyTimeExceeded
        case parameterProblem
        case other

        /// Whether it is an error that quotes the packet which caused it.
        public var isError: Bool {
            switch self {
            case .unreachable, .portUnreachable, .packetTooBig, .timeExceeded, .reassemblyTimeExceeded, .parameterProblem: true
            case .echoRequest, .echoReply, .other: false
            }
        }
    }

    public var isIPv6: Bool
    public var type: UInt8
    public var code: UInt8
    public var checksum: UInt16
    /// The second four octets: identifier and sequence of an echo, MTU of an error.
    public var rest: UInt32
    public var range: Range<Int>
    /// After the eight octets: echo data, or the quoted packet of an error.
    public var payload: Range<Int>

    /// Places of fields, counted from the header's first byte.
    public enum Offset {
        public static let checksum = 2, identifier = 4, sequence = 6
    }

    public init(_ bytes: [UInt8], in range: Range<Int>, isIPv6: Bool) throws(PacketError) {
        let at = range.lowerBound
        guard range.count >= 8 else { throw PacketError(.truncated(.icmp), at: range.upperBound) }
        self.isIPv6 = isIPv6
        type = bytes[at]
        code = bytes[at + 1]
        checksum = bytes.uint16(at: at + Offset.checksum)
        rest = bytes.uint32(at: at + 4)
        self.range = at..<(at + 8)
        payload = (at + 8)..<range.upperBound
    }

    /// Identifier of an echo request or reply.
    public var identifier: UInt16 { UInt16(truncatingIfNeeded: rest >> 16) }
    /// Sequence number of an echo request or reply.
    public var sequence: UInt16 { UInt16(truncatingIfNeeded: rest) }

    public var meaning: Meaning {
        if isIPv6 {
            switch (type, code) {
            case (1, 4): .portUnreachable
            case (1, _): .unreachable
            case (2, _): .packetTooBig(mtu: Int(rest))
            case (3, 1): .reassemblyTimeExceeded
            case (3, _): .timeExceeded
            case (4, _): .parameterProblem
            case (128, _): .echoRequest
            case (129, _): .echoReply
            default: .other
            }
        } else {
            switch (type, code) {
            case (0, _): .echoReply
            case (3, 3): .portUnreachable
            case (3, 4): .packetTooBig(mtu: Int(rest & 0xffff))
            case (3, _): .unreachable
            case (8, _): .echoRequest
            case (11, 1): .reassemblyTimeExceeded
            case (11, _): .timeExceeded
            case (12, _): .parameterProblem
            default: .other
            }
        }
    }
}
