import Base
import ServerNode

/// What other threads ask of the signalling thread.
enum SignallingRequest: Sendable {
    /// What is chosen is another from now on.
    case settings(ServerSettings, wantsTraces: Bool)
    /// Take no new calls, and end when those that run are over, or after that time.
    case drain(for: Duration)
    /// Answered at once, on that thread.
    case status(@Sendable (ServerSnapshot) -> Void)
}

/// Says at least twice within the time that the service manager gives that the signalling thread lives: nobody else may.
struct Watchdog {
    private let manager: ServiceManager
    private let interval: Duration
    private(set) var nextDeadline: Instant

    /// nil: it wants no sign of life.
    init?(_ manager: ServiceManager, at now: Instant) {
        guard let interval = manager.watchdog else { return nil }
        self.manager = manager
        self.interval = interval
        nextDeadline = now
    }

    mutating func advance(to now: Instant) {
        guard nextDeadline <= now else { return }
        manager.isAlive()
        nextDeadline = now + interval
    }
}
