/// A rate as one instant: when the bucket would be empty again (the generic cell rate algorithm, ITU-T I.371).
package struct Gauge: Hashable, Sendable {
    private var drained = Instant(nanoseconds: .min)

    package init() {}

    package mutating func take(_ rate: Rate, at now: Instant) -> Bool {
        let step = rate.step
        let from = max(drained, now)
        guard (from - now).wholeNanoseconds <= step &* Int64(max(rate.burst, 1) - 1) else { return false }
        drained = from + .nanoseconds(step)
        return true
    }

    /// Whether `take` would succeed.
    package func allows(_ rate: Rate, at now: Instant) -> Bool {
        var copy = self
        return copy.take(rate, at: now)
    }

    package mutating func giveBack(_ rate: Rate) {
        guard drained.nanoseconds != .min else { return }
        drained = drained - .nanoseconds(rate.step)
    }

    /// When one more will be allowed.
    package func nextFree(_ rate: Rate, at now: Instant) -> Instant {
        max(now, drained - .nanoseconds(rate.step &* Int64(max(rate.burst, 1) - 1)))
    }

    /// The next place in a line whose places are one step apart, so that those who wait do not all wake at once.
    package mutating func reserve(_ rate: Rate, notBefore earliest: Instant) -> Instant {
        let place = max(drained, earliest)
        drained = place + .nanoseconds(rate.step)
        return place
    }
}

/// So many in a time, and at most so many at once.
public struct Rate: Hashable, Sendable {
    public var perMinute: UInt64
    public var burst: UInt32

    public init(perSecond: UInt32, burst: UInt32) {
        perMinute = UInt64(perSecond) * 60
        self.burst = burst
    }

    public init(perMinute: UInt32, burst: UInt32) {
        self.perMinute = UInt64(perMinute)
        self.burst = burst
    }

    /// So many times as much.
    package func times(_ factor: UInt32) -> Rate {
        var rate = self
        rate.perMinute *= UInt64(factor)
        rate.burst = burst.multipliedReportingOverflow(by: factor).partialValue
        return rate
    }

    /// Nanoseconds between two.
    fileprivate var step: Int64 { 60_000_000_000 / Int64(max(perMinute, 1)) }
}
