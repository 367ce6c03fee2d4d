/// How many durations were at most so long, bound by bound, and what they make together. Adding one allocates nothing.
public struct DurationHistogram: Hashable, Sendable {
    /// Rising, in nanoseconds; what is longer than the last is counted apart.
    private let limits: [Int64]
    /// By bound, each with what is longer than the bound before it; the last is what is longer than all. Not cumulative.
    public private(set) var counts: [UInt64]
    private var nanoseconds: Int64 = 0

    /// `bounds`: rising.
    public init(_ bounds: [Duration]) {
        limits = bounds.map(\.wholeNanoseconds)
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// From half a millisecond to ten seconds: what somebody waits for.
    public static var waits: DurationHistogram {
        DurationHistogram(
            [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000].map { .microseconds($0 * 500) })
    }

    /// From 50 microseconds to a second: what a thread does before it waits again.
    public static var rounds: DurationHistogram {
        DurationHistogram([1, 2, 4, 10, 20, 40, 100, 200, 400, 1_000, 2_000, 5_000, 20_000].map { .microseconds($0 * 50) })
    }

    public var bounds: [Duration] { limits.map { .nanoseconds($0) } }
    public var sum: Duration { .nanoseconds(nanoseconds) }

    public mutating func add(_ duration: Duration) { add(nanoseconds: duration.wholeNanoseconds) }

    /// A negative one counts as zero.
    public mutating func add(nanoseconds duration: Int64) {
        let duration = max(duration, 0)
        var index = 0
        while index < limits.count, duration > limits[index] { index += 1 }
        counts[index] &+= 1
        nanoseconds &+= duration
    }

    /// How many were added.
    public var count: UInt64 { counts.reduce(0, &+) }
}
