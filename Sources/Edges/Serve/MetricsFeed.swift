import CoreMetrics
import MetricsEdge

/// What is measured while the server runs, and what else the metrics port tells that is not the signalling thread's.
final class MetricsFeed: Sendable {
    let registry = MetricsRegistry()
    /// Of the signalling thread.
    let rounds: Timer
    /// Of bindings.
    let commits: Timer
    let output: @Sendable () -> OutputState

    init(output: @escaping @Sendable () -> OutputState) {
        self.output = output
        registry.describe(
            "pinhole_signalling_round_seconds", "How long the signalling thread was busy before it waited again.",
            buckets: .rounds)
        registry.describe("pinhole_commit_seconds", "How long commits of bindings to the database took.", buckets: .waits)
        rounds = Timer(label: "pinhole_signalling_round_seconds", factory: registry)
        commits = Timer(label: "pinhole_commit_seconds", factory: registry)
    }
}

/// How whoever writes what the server says gets on with it.
public struct OutputState: Hashable, Sendable {
    public var lost: UInt64
    public var waiting: Int

    /// `lost`: lines that could not be written so far. `waiting`: what is still to be written.
    public init(lost: UInt64 = 0, waiting: Int = 0) {
        self.lost = lost
        self.waiting = waiting
    }
}
