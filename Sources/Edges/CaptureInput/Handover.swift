import Glibc

/// Boxes going round between two threads: filled by one, emptied by the other. Bounded by how many there are.
///
/// A box belongs to whoever took it and to nobody else, which is what makes its content safe to touch without a lock.
final class Handover<Box: AnyObject>: @unchecked Sendable {
    // Invariant: `full`, `free` and `isOver` are touched with `lock` held only.
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var full: [Box] = []
    private var free: [Box]
    private var isOver = false

    init(_ boxes: [Box]) {
        free = boxes
        pthread_mutex_init(lock, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(lock)
        changed.deallocate()
        lock.deallocate()
    }

    /// A box to fill; waits for one. nil: the other side wants no more.
    func takeFree() -> Box? {
        locked {
            while free.isEmpty, !isOver { pthread_cond_wait(changed, lock) }
            return isOver ? nil : free.removeLast()
        }
    }

    func give(_ box: Box) { locked { full.append(box) } }

    /// The oldest filled box; waits for one. nil: there will be none.
    func takeFull() -> Box? {
        locked {
            while full.isEmpty, !isOver { pthread_cond_wait(changed, lock) }
            return full.isEmpty ? nil : full.removeFirst()
        }
    }

    func giveBack(_ box: Box) { locked { free.append(box) } }

    /// Nothing more comes, or nothing more is wanted.
    func end() { locked { isOver = true } }

    private func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(lock)
        defer {
            pthread_cond_broadcast(changed)
            pthread_mutex_unlock(lock)
        }
        return body()
    }
}

/// A thread of the operating system that runs one closure.
struct WorkerThread: ~Copyable {
    private final class Work {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    private var handle = pthread_t()

    init(_ body: @escaping @Sendable () -> Void) {
        let work = Unmanaged.passRetained(Work(body))
        let result = pthread_create(
            &handle, nil,
            { argument in
                Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        precondition(result == 0, "the operating system gives no thread")
    }

    consuming func join() { pthread_join(handle, nil) }
}
