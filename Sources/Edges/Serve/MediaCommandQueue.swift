import Base
import MediaControl

/// What one media loop was not told yet, in order. What does not fit its mailbox is offered again every 10 ms, whatever else happens.
package struct MediaCommandQueue: Sendable {
    private static let pause = Duration.milliseconds(10)
    /// Offered at once: a mailbox takes all or none.
    package static let batch = 4_096

    private var waiting: [MediaCommand] = []
    /// When what found no room is to be offered again; nil: there is nothing such.
    package private(set) var nextDeadline: Instant?

    package init() {}

    package var count: Int { waiting.count }

    package mutating func append(_ command: MediaCommand) { waiting.append(command) }

    /// `post` hands commands over; false: there is no room.
    package mutating func offer(at now: Instant, _ post: ([MediaCommand]) -> Bool) {
        var taken = 0
        while taken < waiting.count {
            let end = min(taken + Self.batch, waiting.count)
            guard post(Array(waiting[taken..<end])) else { break }
            taken = end
        }
        if taken == waiting.count { waiting.removeAll(keepingCapacity: true) } else { waiting.removeFirst(taken) }
        nextDeadline = waiting.isEmpty ? nil : now + Self.pause
    }
}
