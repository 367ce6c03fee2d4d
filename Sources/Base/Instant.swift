/// A point in time: nanoseconds since the Unix epoch.
///
/// The edges read the wall clock once and then advance monotonically, so an `Instant` never steps back;
/// the lab starts wherever a scenario says. Machines are told the time, they never ask for it.
public struct Instant: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Nanoseconds since 1970-01-01T00:00:00Z. Covers the years 1678 to 2262.
    public var nanoseconds: Int64

    @inlinable
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The Unix epoch plus `seconds`.
    @inlinable
    public init(seconds: Int64) { self.nanoseconds = seconds * 1_000_000_000 }

    public static let epoch = Instant(nanoseconds: 0)
    /// Later than every instant a machine can be told.
    public static let distantFuture = Instant(nanoseconds: .max)

    @inlinable
    public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

    /// Saturates at the ends of the range instead of trapping.
    @inlinable
    public static func + (a: Instant, d: Duration) -> Instant {
        let (sum, overflow) = a.nanoseconds.addingReportingOverflow(d.wholeNanoseconds)
        return Instant(nanoseconds: overflow ? (d < .zero ? .min : .max) : sum)
    }

    @inlinable
    public static func - (a: Instant, d: Duration) -> Instant {
        let (difference, overflow) = a.nanoseconds.subtractingReportingOverflow(d.wholeNanoseconds)
        return Instant(nanoseconds: overflow ? (d < .zero ? .max : .min) : difference)
    }

    @inlinable
    public static func - (a: Instant, b: Instant) -> Duration {
        .nanoseconds(a.nanoseconds.subtractingReportingOverflow(b.nanoseconds).partialValue)
    }

    @inlinable
    public static func += (a: inout Instant, d: Duration) { a = a + d }

    /// Whole seconds since the epoch, rounded down.
    @inlinable
    public var unixSeconds: Int64 {
        let quotient = nanoseconds / 1_000_000_000
        return nanoseconds % 1_000_000_000 < 0 ? quotient - 1 : quotient
    }

    /// Seconds since the epoch with nine decimals.
    public var description: String {
        let seconds = unixSeconds
        let remainder = nanoseconds % 1_000_000_000
        let fraction = String(remainder < 0 ? remainder + 1_000_000_000 : remainder)
        return "\(seconds).\(String(repeating: "0", count: 9 - fraction.count))\(fraction)"
    }
}

extension Duration {
    /// The duration in nanoseconds, saturated to 64 bits.
    @inlinable
    public var wholeNanoseconds: Int64 {
        // One division of the machine; `components` costs several of 128 bits, and this is asked for every message.
        let magnitude = attoseconds.magnitude
        let high = UInt64(truncatingIfNeeded: magnitude >> 64)
        let isNegative = attoseconds < 0
        guard high < 500_000_000 else { return isNegative ? .min : .max }
        let quotient = UInt64(1_000_000_000).dividingFullWidth((high, UInt64(truncatingIfNeeded: magnitude))).quotient
        return isNegative ? -Int64(quotient) : Int64(quotient)
    }

    /// The duration in whole milliseconds, rounded towards zero.
    public var wholeMilliseconds: Int64 { wholeNanoseconds / 1_000_000 }

    /// The duration in whole seconds, rounded towards zero.
    public var wholeSeconds: Int64 { components.seconds }
}
