import Base

/// The Internet checksum (RFC 1071): the complement of the one's complement sum of 16-bit words.
///
/// Feed it parts that start at even places, then read `value`.
public struct InternetChecksum: Sendable {
    private var sum: UInt64 = 0

    public init() {}

    public mutating func add(_ word: UInt16) { sum &+= UInt64(word) }

    public mutating func add(_ address: IPAddress) {
        switch address {
        case .v4(let v4): sum &+= UInt64(v4.bits >> 16) &+ UInt64(v4.bits & 0xffff)
        case .v6(let v6):
            sum &+= v6.high >> 48 &+ (v6.high >> 32) & 0xffff &+ (v6.high >> 16) & 0xffff &+ v6.high & 0xffff
            sum &+= v6.low >> 48 &+ (v6.low >> 32) & 0xffff &+ (v6.low >> 16) & 0xffff &+ v6.low & 0xffff
        }
    }

    /// Adds `bytes[range]`; an odd last byte counts as the upper half of a word.
    public mutating func add(_ bytes: [UInt8], in range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "a range outside the bytes")
        sum &+= bytes.withUnsafeBufferPointer { buffer in
            var sum: UInt64 = 0
            var at = range.lowerBound
            while at &+ 1 < range.upperBound {
                sum &+= UInt64(buffer[at]) << 8 | UInt64(buffer[at &+ 1])
                at &+= 2
            }
            if at < range.upperBound { sum &+= UInt64(buffer[at]) << 8 }
            return sum
        }
    }

    /// The pseudo header that UDP, TCP and ICMPv6 cover (RFC 768, RFC 9293 3.1, RFC 8200 8.1).
    public mutating func addPseudoHeader(_ source: IPAddress, _ destination: IPAddress, _ number: IPProtocol, length: Int) {
        add(source)
        add(destination)
        sum &+= UInt64(number.rawValue) &+ UInt64(truncatingIfNeeded: length)
    }

    /// The checksum over everything added, ready to be stored. Over data that includes a right checksum it is 0.
    public var value: UInt16 {
        var folded = sum
        while folded >> 16 != 0 { folded = folded & 0xffff &+ folded >> 16 }
        return ~UInt16(truncatingIfNeeded: folded)
    }

    /// The checksum of `bytes[range]`.
    public static func of(_ bytes: [UInt8], in range: Range<Int>) -> UInt16 {
        var checksum = InternetChecksum()
        checksum.add(bytes, in: range)
        return checksum.value
    }

    /// Incremental update (RFC 1624 equation 3): what `checksum` becomes when a covered 16-bit word changes.
    public static func update(_ checksum: UInt16, from old: UInt16, to new: UInt16) -> UInt16 {
        var sum = UInt32(~checksum) &+ UInt32(~old) &+ UInt32(new)
        sum = sum & 0xffff &+ sum >> 16
        sum = sum & 0xffff &+ sum >> 16
        return ~UInt16(truncatingIfNeeded: sum)
    }

    /// The same for a covered address; both of one family.
    public static func update(_ checksum: UInt16, from old: IPAddress, to new: IPAddress) -> UInt16 {
        var sum = UInt64(~checksum)
        var removed = InternetChecksum()
        removed.add(old)
        sum &+= UInt64(removed.value)
        var added = InternetChecksum()
        added.add(new)
        sum &+= UInt64(~added.value)
        while sum >> 16 != 0 { sum = sum & 0xffff &+ sum >> 16 }
        return ~UInt16(truncatingIfNeeded: sum)
    }
}
