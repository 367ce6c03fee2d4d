import Base
import CLinux

/// The outside world's clock: the wall clock read once, then monotonic, so that what is timed by it never steps. What is shown follows the wall
/// clock, which may be set meanwhile: by NTP after the start, or because the machine slept.
public struct RealTime: Sendable {
    private let offset: Int64
    private let wallClock: @Sendable () -> Int64

    public init() { self.init(wallClock: { pl_wall_clock() }) }

    /// `wallClock`: nanoseconds since the Unix epoch, as the wall clock shows it whenever it is asked.
    package init(wallClock: @escaping @Sendable () -> Int64) {
        self.wallClock = wallClock
        offset = wallClock() - pl_monotonic_clock()
    }

    public var now: Instant { Instant(nanoseconds: offset &+ pl_monotonic_clock()) }

    /// By how much the wall clock is ahead of `now`: what it was set by since this one was made, negative where it was set back.
    public var wallClockAhead: Duration { .nanoseconds(wallClock() &- pl_monotonic_clock() &- offset) }

    /// An instant of late as the wall clock shows it.
    public func shown(_ instant: Instant) -> Instant { instant + wallClockAhead }

    /// What the kernel's monotonic clock shows at an instant.
    package func monotonic(_ instant: Instant) -> Int64 { instant.nanoseconds &- offset }
}

extension Entropy {
    /// Seeded by the operating system.
    public static func system() -> Entropy {
        var seed = [UInt8](repeating: 0, count: 32)
        let result = pl_random(&seed, seed.count)
        precondition(result == 0, "the operating system gives no randomness")
        return Entropy(seed: seed)
    }
}
