/// Randomness as a value: the ChaCha20 key stream (RFC 8439 2.3) of a 32-byte seed.
///
/// Seeded by the operating system at the edge it is fit for tags, branches, transaction identifiers and keys;
/// seeded by a number in the lab it makes a run reproducible to the byte.
public struct Entropy: RandomNumberGenerator, Sendable {
    private var key: [UInt32]
    private var counter: UInt64 = 0
    private var block: [UInt32] = []
    private var used = 16

    /// `seed`: exactly 32 bytes.
    public init(seed: [UInt8]) {
        precondition(seed.count == 32, "a seed is 32 bytes")
        key = stride(from: 0, to: 32, by: 4).map { at -> UInt32 in
            let low = UInt32(seed[at]) | UInt32(seed[at + 1]) << 8
            let high = UInt32(seed[at + 2]) | UInt32(seed[at + 3]) << 8
            return high << 16 | low
        }
    }

    /// A reproducible source for the lab and for tests. Never for the real world.
    public init(labSeed: UInt64) {
        key = [UInt32(truncatingIfNeeded: labSeed), UInt32(truncatingIfNeeded: labSeed >> 32), 0, 0, 0, 0, 0, 0]
    }

    public mutating func next() -> UInt64 {
        if used > 14 { refill() }
        let value = UInt64(block[used]) | UInt64(block[used + 1]) << 32
        used += 2
        return value
    }

    public mutating func bytes(_ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count + 8)
        while result.count < count {
            var value = next()
            for _ in 0..<8 {
                result.append(UInt8(truncatingIfNeeded: value))
                value >>= 8
            }
        }
        result.removeLast(result.count - count)
        return result
    }

    /// `digits` random hexadecimal digits, lower case.
    public mutating func hex(_ digits: Int) -> String {
        var text = ""
        for byte in bytes((digits + 1) / 2) {
            text.append(Character(Unicode.Scalar(lowerHexDigits[Int(byte >> 4)])))
            text.append(Character(Unicode.Scalar(lowerHexDigits[Int(byte & 15)])))
        }
        return String(text.prefix(digits))
    }

    /// A generator of its own for a part of a system, so that one part's appetite does not shift another's numbers.
    public mutating func fork() -> Entropy { Entropy(seed: bytes(32)) }

    private mutating func refill() {
        let start: [UInt32] =
            [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574] + key
            + [UInt32(truncatingIfNeeded: counter), UInt32(truncatingIfNeeded: counter >> 32), 0, 0]
        block = start
        block.withUnsafeMutableBufferPointer { state in
            func quarter(_ a: Int, _ b: Int, _ c: Int, _ d: Int) {
                func step(_ x: Int, _ y: Int, _ z: Int, _ turn: UInt32) {
                    state[x] &+= state[y]
                    let mixed = state[z] ^ state[x]
                    state[z] = mixed << turn | mixed >> (32 - turn)
                }
                step(a, b, d, 16)
                step(c, d, b, 12)
                step(a, b, d, 8)
                step(c, d, b, 7)
            }
            for _ in 0..<10 {
                quarter(0, 4, 8, 12)
                quarter(1, 5, 9, 13)
                quarter(2, 6, 10, 14)
                quarter(3, 7, 11, 15)
                quarter(0, 5, 10, 15)
                quarter(1, 6, 11, 12)
                quarter(2, 7, 8, 13)
                quarter(3, 4, 9, 14)
            }
            for index in 0..<16 { state[index] &+= start[index] }
        }
        counter += 1
        used = 0
    }
}

/// `0123456789abcdef` as bytes.
public let lowerHexDigits: [UInt8] = Array("0123456789abcdef".utf8)

/// `bytes` as lower-case hexadecimal text.
public func hexText(_ bytes: some Sequence<UInt8>) -> String {
    var text: [UInt8] = []
    for byte in bytes {
        text.append(lowerHexDigits[Int(byte >> 4)])
        text.append(lowerHexDigits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}
