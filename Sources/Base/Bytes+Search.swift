extension UnsafeRawBufferPointer {
    /// Where `byte` stands first in `from..<to`, in octets from the start; nil where it does not.
    @inlinable @inline(__always)
    public func place(of byte: UInt8, _ from: Int, _ to: Int) -> Int? {
        var at = from
        // Eight at a time: a zero byte in the exclusive or is a hit.
        let pattern = UInt64(byte) &* 0x0101_0101_0101_0101
        while at &+ 8 <= to {
            let word = loadUnaligned(fromByteOffset: at, as: UInt64.self).littleEndian ^ pattern
            let hit = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
            if hit != 0 { return at &+ hit.trailingZeroBitCount / 8 }
            at &+= 8
        }
        while at < to {
            if self[at] == byte { return at }
            at &+= 1
        }
        return nil
    }
}
