import Base
import Foundation
import LinuxEdge
import Synchronization

/// How long a test waits for what happens at once on an idle machine: sockets, threads and processes of a busy one take their time, and
/// what never comes must still end. Nothing is measured by it.
public let patience = Duration.seconds(120)

/// Nothing of what was waited for came.
public struct Overdue: Error, CustomStringConvertible {
    public var what: String
    public var description: String { "\(what): not within \(patience)" }
}

extension DispatchSemaphore {
    /// Waits as long as `patience`.
    public func wait(for what: String) throws(Overdue) {
        guard wait(timeout: .now() + patience / .seconds(1)) == .success else { throw Overdue(what: what) }
    }
}

/// Asks until there is an answer.
public func awaited<Answer>(_ what: String, _ probe: () throws -> Answer?) throws -> Answer {
    let end = ContinuousClock.now + patience
    repeat {
        if let answer = try probe() { return answer }
        usleep(5_000)
    } while ContinuousClock.now < end
    throw Overdue(what: what)
}

/// Ends what would not end by itself: `bark` is called when `patience` is over, unless `leave` was first.
public final class Watchdog: Sendable {
    private let over = DispatchSemaphore(value: 0)
    private let barked = Atomic(false)

    public init(bark: @escaping @Sendable () -> Void) {
        Thread.detachNewThread { [self] in
            guard over.wait(timeout: .now() + patience / .seconds(1)) == .timedOut else { return }
            barked.store(true, ordering: .releasing)
            bark()
        }
    }

    /// The work is done; throws where the watchdog had to end it.
    public func leave(_ what: String) throws(Overdue) {
        over.signal()
        if barked.load(ordering: .acquiring) { throw Overdue(what: what) }
    }
}
