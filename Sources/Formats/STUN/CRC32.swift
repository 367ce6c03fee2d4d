import Base

/// The CRC-32 of ITU V.42 and zlib, a byte at a time through a table.
public struct CRC32: Sendable {
    private var state: UInt32 = 0xffff_ffff

    public init() {}

    public mutating func update(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { update(byte) }
    }

    public mutating func update(_ byte: UInt8) {
        state = crcTable[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ state >> 8
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var state = self.state
        crcTable.withUnsafeBufferPointer { table in
            for byte in bytes { state = table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ state >> 8 }
        }
        self.state = state
    }

    public var value: UInt32 { ~state }
}

private let crcTable: [UInt32] = (0..<256).map { index -> UInt32 in
    (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
}

/// The FINGERPRINT value of a message's bytes before that attribute (RFC 8489 14.7).
///
/// `lengthField`: what the length field shall be taken to hold, namely FINGERPRINT included; nil takes it as it stands.
public func stunFingerprint(of prefix: ArraySlice<UInt8>, lengthField: UInt16? = nil) -> UInt32 {
    var crc = CRC32()
    if let lengthField, prefix.count >= 4 {
        crc.update(prefix.prefix(2))
        crc.update(UInt8(lengthField >> 8))
        crc.update(UInt8(lengthField & 0xff))
        crc.update(prefix.dropFirst(4))
    } else {
        crc.update(prefix)
    }
    return crc.value ^ 0x5354_554e
}
