import CLinux
import Synchronization

/// A bounded box through which other threads hand values to a loop: an array swap and one wake a batch.
public final class Mailbox<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])
    private let wake: WakeSignal
    private let capacity: Int

    public init(waking wake: WakeSignal, capacity: Int = 65_536) {
        self.wake = wake
        self.capacity = capacity
    }

    /// False when the box is full: the sender must slow down.
    @discardableResult
    public func post(_ element: Element) -> Bool {
        let (accepted, first) = elements.withLock { held in
            guard held.count < capacity else { return (false, false) }
            held.append(element)
            return (true, held.count == 1)
        }
        if first { wake.signal() }
        return accepted
    }

    /// Everything posted so far, in order.
    public func takeAll() -> [Element] {
        elements.withLock { held in
            var taken: [Element] = []
            swap(&taken, &held)
            return taken
        }
    }
}

/// An eventfd: wakes a loop from any thread.
public final class WakeSignal: Sendable {
    package let descriptor: Int32

    public init() throws(SystemError) {
        let result = pl_eventfd_create()
        guard result >= 0 else { throw SystemError(code: -result, doing: "creating an eventfd") }
        descriptor = result
    }

    public func signal() { pl_eventfd_signal(descriptor) }
    package func drain() { pl_eventfd_drain(descriptor) }

    deinit { pl_close(descriptor) }
}
