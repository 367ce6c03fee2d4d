import Base

/// What a datagram is by its first byte where several protocols share a port (RFC 7983; SIP added for RFC 5626 5.1).
public enum DatagramKind: Hashable, Sendable {
    case stun
    case zrtp
    case dtls
    /// TURN ChannelData, or the text of a SIP message whose first letter lies in the same range.
    case channelDataOrText
    case rtpOrRTCP
    /// Text, or the CRLF of a keepalive.
    case text
    case unknown

    public init(firstByte: UInt8) {
        self =
            switch firstByte {
            case 0...3: .stun
            case 16...19: .zrtp
            case 20...31: .dtls
            case 64...79: .channelDataOrText
            case 128...191: .rtpOrRTCP
            case 9, 10, 13, 32, 80...126: .text
            // RFC 7983 gives DTLS up to 63, but no content type above 31 exists and digits may start a text.
            case 33...63: .dtls
            default: .unknown
            }
    }
}

/// Whether a datagram on a port shared with SIP is STUN: two zero bits, a length that fits, and the magic cookie, or, for a
/// client from before RFC 5389, a method of RFC 3489.
public func isSTUN(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { isSTUN($0) }
}

/// The same over memory that the caller owns.
public func isSTUN(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count >= STUNMessage.headerLength, bytes[0] < 4, bytes[3] & 3 == 0 else { return false }
    guard Int(bytes[2]) << 8 | Int(bytes[3]) == bytes.count - STUNMessage.headerLength else { return false }
    let hasCookie = bytes[4] == 0x21 && bytes[5] == 0x12 && bytes[6] == 0xa4 && bytes[7] == 0x42
    if hasCookie { return true }
    // 0x0001, 0x0101, 0x0111, and the same for Shared Secret: all that RFC 3489 knows.
    return (bytes[1] == 1 || bytes[1] == 2 || bytes[1] == 0x11 || bytes[1] == 0x12) && bytes[0] <= 1
}
