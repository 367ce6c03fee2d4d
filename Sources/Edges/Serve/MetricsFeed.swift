import Base
import CoreMetrics
import LinuxEdge
import MetricsEdge
import Synchronization

/// Between the metrics port and the signalling thread: the one asks, the other answers at the end of its round.
final class MetricsFeed: Sendable {
    typealias Reply = @Sendable (ServerSnapshot) -> Void

    /// As many as the port has connections.
    private static let most = 16

    let registry = MetricsRegistry()
    /// Of the signalling thread.
    let rounds: Timer
    /// Of bindings.
    let commits: Timer
    let lostOutput: @Sendable () -> UInt64
    private let requests: Mailbox<Reply>
    private let draining = Atomic(false)

    init(waking wake: WakeSignal, lostOutput: @escaping @Sendable () -> UInt64) {
        self.lostOutput = lostOutput
        requests = Mailbox(waking: wake, capacity: Self.most)
        registry.describe(
            "pinhole_signalling_round_seconds", "How long the signalling thread was busy before it waited again.",
            buckets: .rounds)
        registry.describe("pinhole_commit_seconds", "How long commits of bindings to the database took.", buckets: .waits)
        rounds = Timer(label: "pinhole_signalling_round_seconds", factory: registry)
        commits = Timer(label: "pinhole_commit_seconds", factory: registry)
    }

    /// False: so many ask already that nobody will answer.
    func ask(_ reply: @escaping Reply) -> Bool { requests.post(reply) }

    /// Whoever asked since; for the signalling thread.
    func takeAll() -> [Reply] { requests.takeAll() }

    /// No new calls are taken: the server says that it is not ready.
    var isDraining: Bool { draining.load(ordering: .relaxed) }
    func beginDraining() { draining.store(true, ordering: .relaxed) }
}
