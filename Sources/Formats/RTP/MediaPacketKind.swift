/// What a datagram on a media port is, by its first two bytes (RFC 7983 7, RFC 5761 4).
@frozen
public enum MediaPacketKind: UInt8, Hashable, Sendable {
    case stun, zrtp, dtls, turnChannel, rtp, rtcp, unknown

    @inlinable
    public init(_ packet: UnsafeRawBufferPointer) {
        self = packet.count > 1 ? MediaPacketKind(packet[0], packet[1]) : .unknown
    }

    @inlinable
    public init(_ packet: [UInt8]) {
        self = packet.count > 1 ? MediaPacketKind(packet[0], packet[1]) : .unknown
    }

    @inlinable
    public init(_ first: UInt8, _ second: UInt8) {
        self =
            switch first {
            case 0...3: .stun
            case 16...19: .zrtp
            case 20...63: .dtls
            case 64...79: .turnChannel
            // Payload types 64 to 95 with any marker are RTCP packet types 192 to 223.
            case 128...191: second >= 192 && second <= 223 ? .rtcp : .rtp
            default: .unknown
            }
    }
}
