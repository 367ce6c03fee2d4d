import Base

/// How many packets may still be taken: a burst at once, and a rate in the long run.
struct FloodBucket: Sendable {
    private var left: Int
    private var filled: Instant

    init(_ settings: RelaySettings, at now: Instant) {
        left = settings.burst
        filled = now
    }

    /// False: too many. Costs a subtraction as long as there is something left; only then is time looked at.
    mutating func take(_ settings: RelaySettings, at now: Instant) -> Bool {
        if left > 0 {
            left -= 1
            return true
        }
        let passed = now.nanoseconds &- filled.nanoseconds
        guard passed > 0 else { return false }
        let earned = Int(clamping: min(passed, 10_000_000_000) / max(1, 1_000_000_000 / Int64(max(1, settings.packetsPerSecond))))
        guard earned > 0 else { return false }
        filled = now
        left = min(settings.burst, earned) - 1
        return true
    }
}
