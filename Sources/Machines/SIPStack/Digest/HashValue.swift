import Base

/// The output of a digest hash, 16 or 32 octets, held inline.
///
/// Equality takes the same time whatever the octets are, so comparing a response reveals nothing of the right one.
public struct HashValue: Hashable, Sendable, CustomStringConvertible {
    var words: (UInt64, UInt64, UInt64, UInt64)
    /// How many octets are in use: 16 (MD5) or 32.
    public let count: Int

    init(words: (UInt64, UInt64, UInt64, UInt64), count: Int) {
        self.words = words
        self.count = count
    }

    /// Exactly 16 or 32 octets; nil for any other count.
    public init?(octets: [UInt8]) {
        guard octets.count == 16 || octets.count == 32 else { return nil }
        func word(_ index: Int) -> UInt64 {
            guard index * 8 < octets.count else { return 0 }
            var value: UInt64 = 0
            for place in 0..<8 { value = value << 8 | UInt64(octets[index * 8 + place]) }
            return value
        }
        words = (word(0), word(1), word(2), word(3))
        count = octets.count
    }

    /// 32 or 64 hexadecimal digits of either case (RFC 7616 says lower; phones exist that write upper); nil otherwise.
    public init?(hex: ArraySlice<UInt8>) {
        guard hex.count == 32 || hex.count == 64 else { return nil }
        var place = hex.startIndex
        func word(_ isUsed: Bool) -> UInt64? {
            guard isUsed else { return 0 }
            var value: UInt64 = 0
            for _ in 0..<16 {
                guard let nibble = nibble(hex[place]) else { return nil }
                value = value << 4 | UInt64(nibble)
                place += 1
            }
            return value
        }
        let isLong = hex.count == 64
        guard let a = word(true), let b = word(true), let c = word(isLong), let d = word(isLong) else { return nil }
        words = (a, b, c, d)
        count = hex.count / 2
    }

    public init?(hex: String) { self.init(hex: ArraySlice(hex.utf8)) }

    public static func == (a: HashValue, b: HashValue) -> Bool {
        let difference =
            (a.words.0 ^ b.words.0) | (a.words.1 ^ b.words.1) | (a.words.2 ^ b.words.2) | (a.words.3 ^ b.words.3)
            | UInt64(truncatingIfNeeded: a.count ^ b.count)
        return difference == 0
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    public var octets: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count)
        for word in [words.0, words.1, words.2, words.3].prefix(count / 8) { result.append(bigEndian: word) }
        return result
    }

    /// Lower-case hexadecimal, as it goes into `response` and into hashes (RFC 7616 3.1: LHEX).
    public var hex: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count * 2)
        result.append(hex: self)
        return result
    }

    public var description: String { String(decoding: hex, as: UTF8.self) }
}

/// The value of one hexadecimal digit, or nil.
func nibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit &- 48
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit &- 87
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit &- 55
    default: nil
    }
}
