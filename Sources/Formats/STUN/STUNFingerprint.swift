import Base

/// The FINGERPRINT value of a message's bytes before that attribute (RFC 8489 14.7).
///
/// `lengthField`: what the length field shall be taken to hold, namely FINGERPRINT included; nil takes it as it stands.
public func stunFingerprint(of prefix: ArraySlice<UInt8>, lengthField: UInt16? = nil) -> UInt32 {
    var crc = CRC32()
    if let lengthField, prefix.count >= 4 {
        crc.update(prefix.prefix(2))
        withUnsafeBytes(of: lengthField.bigEndian) { crc.update($0) }
        crc.update(prefix.dropFirst(4))
    } else {
        crc.update(prefix)
    }
    return crc.value ^ 0x5354_554e
}
