import Base
import Synchronization

/// The bounded box through which connections hand messages to the thread that owns the node: an array swap and one wake a batch.
/// While it is full, connections with something to say stop reading, so that TCP slows their peers.
public final class StreamInbox: Sendable {
    private struct Contents: Sendable {
        var events: [StreamEvent] = []
        var bytes = 0
        /// Connections that wait for room.
        var waiting: [StreamConnection] = []
    }

    private let contents = Mutex(Contents())
    private let capacity: Int
    private let byteCapacity: Int
    private let wake: @Sendable () -> Void

    /// `wake` is called, from any thread, when the first event since `takeAll` lies here. `capacity`: messages.
    public init(capacity: Int = 4_096, byteCapacity: Int = 16 << 20, wake: @escaping @Sendable () -> Void) {
        self.capacity = max(1, capacity)
        self.byteCapacity = max(1, byteCapacity)
        self.wake = wake
    }

    /// Everything that happened so far, in order; connections that waited for room read on.
    public func takeAll() -> [StreamEvent] {
        var waiting: [StreamConnection] = []
        let events = contents.withLock { contents in
            var taken: [StreamEvent] = []
            swap(&taken, &contents.events)
            swap(&waiting, &contents.waiting)
            contents.bytes = 0
            return taken
        }
        for connection in waiting { connection.resume() }
        return events
    }

    /// False when the box is full: `connection` is then resumed once there is room.
    func post(_ message: [UInt8], from connection: StreamConnection) -> Bool {
        let (accepted, isFirst) = contents.withLock { contents in
            guard contents.events.count < capacity, contents.bytes < byteCapacity else {
                contents.waiting.append(connection)
                return (false, false)
            }
            contents.bytes += message.count
            contents.events.append(.received(on: connection.flow, message))
            return (true, contents.events.count == 1)
        }
        if isFirst { wake() }
        return accepted
    }

    /// For what must not be lost; a connection posts two of these and what it had read before it ended.
    func postAlways(_ event: StreamEvent) {
        let isFirst = contents.withLock { contents in
            contents.events.append(event)
            return contents.events.count == 1
        }
        if isFirst { wake() }
    }
}
