import Base
import CLinux

/// The outside world's clock: the wall clock read once, then monotonic, so that it never steps back.
public struct RealTime: Sendable {
    private let offset: Int64

    public init() { offset = pl_wall_clock() - pl_monotonic_clock() }

    public var now: Instant { Instant(nanoseconds: offset &+ pl_monotonic_clock()) }

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
