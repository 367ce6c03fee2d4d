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
