extension [UInt8] {
    /// Appends big-endian.
    @inlinable
    public mutating func append(bigEndian value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    @inlinable
    public mutating func append(bigEndian value: UInt32) {
        append(bigEndian: UInt16(truncatingIfNeeded: value >> 16))
        append(bigEndian: UInt16(truncatingIfNeeded: value))
    }

    @inlinable
    public mutating func append(bigEndian value: UInt64) {
        append(bigEndian: UInt32(truncatingIfNeeded: value >> 32))
        append(bigEndian: UInt32(truncatingIfNeeded: value))
    }

    /// Network order: 4 or 16 octets.
    public mutating func append(_ address: IPAddress) {
        switch address {
        case .v4(let v4): append(bigEndian: v4.bits)
        case .v6(let v6):
            append(bigEndian: v6.high)
            append(bigEndian: v6.low)
        }
    }

    /// Overwrites two bytes at `offset`, big-endian. The bytes must exist.
    @inlinable
    public mutating func replace(at offset: Int, bigEndian value: UInt16) {
        self[offset] = UInt8(truncatingIfNeeded: value >> 8)
        self[offset + 1] = UInt8(truncatingIfNeeded: value)
    }

    @inlinable
    public func uint16(at offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }

    @inlinable
    public func uint32(at offset: Int) -> UInt32 {
        UInt32(uint16(at: offset)) << 16 | UInt32(uint16(at: offset + 2))
    }
}
