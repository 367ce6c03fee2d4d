/// A keyed hash of short texts, for tags and tokens nobody outside can foretell: the rounds of SipHash-2-4 (Aumasson and Bernstein),
/// each text padded to whole words with its length.
///
/// Unlike `Hasher` it gives the same value in every run with the same key, so that runs can be repeated.
package struct KeyedHash: Sendable {
    private var v0, v1, v2, v3: UInt64

    package init(key: (UInt64, UInt64)) {
        v0 = key.0 ^ 0x736f_6d65_7073_6575
        v1 = key.1 ^ 0x646f_7261_6e64_6f6d
        v2 = key.0 ^ 0x6c79_6765_6e65_7261
        v3 = key.1 ^ 0x7465_6462_7974_6573
    }

    /// The text and its length, so that ("ab", "c") and ("a", "bc") differ.
    package mutating func combine(_ bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { buffer in
            var place = 0
            while place &+ 8 <= buffer.count {
                absorb(UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: place, as: UInt64.self)))
                place &+= 8
            }
            var tail = UInt64(truncatingIfNeeded: buffer.count) << 56
            var shift: UInt64 = 0
            while place < buffer.count {
                tail |= UInt64(buffer[place]) << shift
                shift &+= 8
                place &+= 1
            }
            absorb(tail)
        }
    }

    package mutating func combine(_ value: UInt64) { absorb(value) }

    package consuming func finish() -> UInt64 {
        absorb(0)
        v2 ^= 0xff
        for _ in 0..<4 { round() }
        return v0 ^ v1 ^ v2 ^ v3
    }

    private mutating func absorb(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    @inline(__always)
    private mutating func round() {
        v0 &+= v1
        v1 = v1 << 13 | v1 >> 51
        v1 ^= v0
        v0 = v0 << 32 | v0 >> 32
        v2 &+= v3
        v3 = v3 << 16 | v3 >> 48
        v3 ^= v2
        v0 &+= v3
        v3 = v3 << 21 | v3 >> 43
        v3 ^= v0
        v2 &+= v1
        v1 = v1 << 17 | v1 >> 47
        v1 ^= v2
        v2 = v2 << 32 | v2 >> 32
    }
}
