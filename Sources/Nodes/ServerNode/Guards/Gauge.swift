import Base

/// A rate as one instant: when the bucket would be empty again (the generic cell rate algorithm, ITU-T I.371).
struct Gauge: Hashable, Sendable {
    private var drained = Instant(nanoseconds: .min)

    mutating func take(_ rate: ServerLimits.Rate, at now: Instant) -> Bool {
        let step = rate.step
        let from = max(drained, now)
        guard (from - now).wholeNanoseconds <= step &* Int64(max(rate.burst, 1) - 1) else { return false }
        drained = from + .nanoseconds(step)
        return true
    }

    /// Whether `take` would succeed.
    func allows(_ rate: ServerLimits.Rate, at now: Instant) -> Bool {
        var copy = self
        return copy.take(rate, at: now)
    }

    mutating func giveBack(_ rate: ServerLimits.Rate) {
        guard drained.nanoseconds != .min else { return }
        drained = drained - .nanoseconds(rate.step)
    }

    /// When one more will be allowed.
    func nextFree(_ rate: ServerLimits.Rate, at now: Instant) -> Instant {
        max(now, drained - .nanoseconds(rate.step &* Int64(max(rate.burst, 1) - 1)))
    }

    /// The next place in a line whose places are one step apart, so that those who wait do not all wake at once.
    mutating func reserve(_ rate: ServerLimits.Rate, notBefore earliest: Instant) -> Instant {
        let place = max(drained, earliest)
        drained = place + .nanoseconds(rate.step)
        return place
    }
}

extension ServerLimits.Rate {
    /// Nanoseconds between two.
    fileprivate var step: Int64 { 60_000_000_000 / Int64(max(perMinute, 1)) }
}
