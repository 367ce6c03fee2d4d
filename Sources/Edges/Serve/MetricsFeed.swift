import CoreMetrics
import MetricsEdge

/// What is measured while the server runs, and what else the metrics port tells that is not the signalling thread's.
final class MetricsFeed: Sendable {
    let registry = MetricsRegistry()
    /// Of the signalling thread.
    let rounds: Timer
    /// Of bindings.
    let commits: Timer
    let lostOutput: @Sendable () -> UInt64

    init(lostOutput: @escaping @Sendable () -> UInt64) {
        self.lostOutput = lostOutput
        registry.describe(
            "pinhole_signalling_round_seconds", "How long the signalling thread was busy before it waited again.",
            buckets: .rounds)
        registry.describe("pinhole_commit_seconds", "How long commits of bindings to the database took.", buckets: .waits)
        rounds = Timer(label: "pinhole_signalling_round_seconds", factory: registry)
        commits = Timer(label: "pinhole_commit_seconds", factory: registry)
    }
}
