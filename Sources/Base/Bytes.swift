/// Reads big-endian fields off a byte array; running past the end is an error of the input, reported with its offset.
public struct ByteReader: Sendable {
    public struct EndOfInput: Error, Hashable, Sendable {
        /// Where the missing field would have started.
        public var offset: Int
        public var wanted: Int

        public init(offset: Int, wanted: Int) {
            self.offset = offset
            self.wanted = wanted
        }
    }

    public let bytes: [UInt8]
    /// Index of the next byte to read.
    public private(set) var offset: Int
    /// Index past the last readable byte.
    public let end: Int

    public init(_ bytes: [UInt8]) { self.init(bytes, in: 0..<bytes.count) }

    public init(_ bytes: [UInt8], in range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "a range outside the bytes")
        self.bytes = bytes
        offset = range.lowerBound
        end = range.upperBound
    }

    public var remaining: Int { end - offset }

    private mutating func take(_ count: Int) throws(EndOfInput) -> Int {
        guard count >= 0, remaining >= count else { throw EndOfInput(offset: offset, wanted: count) }
        defer { offset += count }
        return offset
    }

    public mutating func skip(_ count: Int) throws(EndOfInput) { _ = try take(count) }

    public mutating func uint8() throws(EndOfInput) -> UInt8 { bytes[try take(1)] }

    public mutating func uint16() throws(EndOfInput) -> UInt16 {
        let at = try take(2)
        return UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1])
    }

    public mutating func uint32() throws(EndOfInput) -> UInt32 {
        let at = try take(4)
        return UInt32(bytes[at]) << 24 | UInt32(bytes[at + 1]) << 16 | UInt32(bytes[at + 2]) << 8 | UInt32(bytes[at + 3])
    }

    public mutating func uint64() throws(EndOfInput) -> UInt64 {
        let high = try uint32()
        return UInt64(high) << 32 | UInt64(try uint32())
    }

    public mutating func slice(_ count: Int) throws(EndOfInput) -> ArraySlice<UInt8> {
        let at = try take(count)
        return bytes[at..<(at + count)]
    }
}

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
