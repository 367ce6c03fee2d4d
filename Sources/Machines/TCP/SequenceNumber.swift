/// A place in a sequence space that wraps round at 2^32 (RFC 9293 3.4).
///
/// Comparisons hold for numbers less than 2^31 apart.
public struct SequenceNumber: Hashable, Sendable, CustomStringConvertible {
    public var value: UInt32

    public init(_ value: UInt32) { self.value = value }

    public static func + (number: SequenceNumber, octets: Int) -> SequenceNumber {
        SequenceNumber(number.value &+ UInt32(truncatingIfNeeded: octets))
    }

    public static func += (number: inout SequenceNumber, octets: Int) { number = number + octets }

    /// How far `a` lies after `b`, in octets; negative where it lies before.
    public static func - (a: SequenceNumber, b: SequenceNumber) -> Int { Int(Int32(bitPattern: a.value &- b.value)) }

    public func isBefore(_ other: SequenceNumber) -> Bool { self - other < 0 }
    public func isAfter(_ other: SequenceNumber) -> Bool { self - other > 0 }

    static func later(_ a: SequenceNumber, _ b: SequenceNumber) -> SequenceNumber { a.isBefore(b) ? b : a }

    public var description: String { "\(value)" }
}
