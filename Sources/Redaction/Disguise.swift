import Base

/// Keyed permutations of short values: who does not know the key cannot tell what was replaced, and no table grows.
///
/// A bijection, so that two names never become one; without fixed points, so that none stays what it was.
struct Disguise: Sendable {
    private let key: (UInt64, UInt64)

    init(_ entropy: Entropy) {
        var entropy = entropy
        key = (entropy.next(), entropy.next())
    }

    /// The stand-in of `values`, each below the radix at its place. `tweak`: another permutation for each.
    ///
    /// One step along a cycle that a Feistel network hides: F(F⁻¹(x) + 1) moves every x.
    func permuted(_ values: [UInt8], radices: [UInt8], tweak: UInt64) -> [UInt8] {
        guard let last = values.indices.last else { return values }
        var result = values
        if last == 0 {
            guard radices[0] > 1 else { return values }
            let step = 1 + hash([radices[0]], tweak) % UInt64(radices[0] - 1)
            result[0] = UInt8((UInt64(values[0]) + step) % UInt64(radices[0]))
            return result
        }
        for round in (0..<Self.rounds).reversed() { mix(&result, radices, tweak, round, adding: false) }
        result[last] = (result[last] + 1) % radices[last]
        for round in 0..<Self.rounds { mix(&result, radices, tweak, round, adding: true) }
        return result
    }

    private static let rounds = 6

    private func mix(_ values: inout [UInt8], _ radices: [UInt8], _ tweak: UInt64, _ round: Int, adding: Bool) {
        let middle = values.count / 2
        let (changed, read) = round & 1 == 0 ? (0..<middle, middle..<values.count) : (middle..<values.count, 0..<middle)
        var state = hash([UInt8(round), UInt8(truncatingIfNeeded: values.count)] + values[read], tweak)
        for index in changed {
            state &+= 0x9e37_79b9_7f4a_7c15
            var drawn = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
            drawn = (drawn ^ drawn >> 27) &* 0x94d0_49bb_1331_11eb
            let radix = UInt64(radices[index])
            let shift = (drawn ^ drawn >> 31) % radix
            values[index] = UInt8((UInt64(values[index]) + (adding ? shift : radix - shift)) % radix)
        }
    }

    /// A permutation of `count` numbers that is one single cycle (Sattolo).
    func cycle(_ count: Int, tweak: UInt64) -> [UInt8] {
        var numbers = (0..<count).map { UInt8($0) }
        var at = count - 1
        while at > 0 {
            numbers.swapAt(at, Int(hash([UInt8(at)], tweak) % UInt64(at)))
            at -= 1
        }
        return numbers
    }

    /// SipHash-2-4 of the octets and the tweak.
    func hash(_ bytes: [UInt8], _ tweak: UInt64) -> UInt64 {
        var v0 = key.0 ^ 0x736f_6d65_7073_6575
        var v1 = key.1 ^ 0x646f_7261_6e64_6f6d
        var v2 = key.0 ^ 0x6c79_6765_6e65_7261
        var v3 = key.1 ^ 0x7465_6462_7974_6573
        func turned(_ value: UInt64, _ bits: UInt64) -> UInt64 { value << bits | value >> (64 - bits) }
        func round() {
            v0 &+= v1
            v1 = turned(v1, 13) ^ v0
            v0 = turned(v0, 32)
            v2 &+= v3
            v3 = turned(v3, 16) ^ v2
            v0 &+= v3
            v3 = turned(v3, 21) ^ v0
            v2 &+= v1
            v1 = turned(v1, 17) ^ v2
            v2 = turned(v2, 32)
        }
        func take(_ word: UInt64) {
            v3 ^= word
            round()
            round()
            v0 ^= word
        }
        take(tweak)
        var word: UInt64 = 0
        for (index, byte) in bytes.enumerated() {
            word |= UInt64(byte) << UInt64(8 * (index & 7))
            if index & 7 == 7 {
                take(word)
                word = 0
            }
        }
        take(word | UInt64(truncatingIfNeeded: bytes.count) << 56)
        v2 ^= 0xff
        for _ in 0..<4 { round() }
        return v0 ^ v1 ^ v2 ^ v3
    }
}
