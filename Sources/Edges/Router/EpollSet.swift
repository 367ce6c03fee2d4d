import CLinux
import LinuxEdge

/// Descriptors that one loop waits for (epoll(7)); what is closed leaves by itself.
final class EpollSet {
    enum Interest: Int32 {
        case nothing = 0
        case input = 1
        case output = 2
    }

    private let epoll: Int32
    private var interests: [Int32: Interest] = [:]
    private var tags = [UInt64](repeating: 0, count: 64)

    init() throws(SystemError) {
        epoll = pl_epoll_create()
        guard epoll >= 0 else { throw SystemError(code: -epoll, doing: "creating an epoll") }
    }

    deinit { pl_close(epoll) }

    /// Looks for that, and for nothing else, from now on.
    func watch(_ descriptor: Int32, for interest: Interest) {
        guard interests[descriptor] != interest else { return }
        interests[descriptor] = interest
        pl_epoll_set(epoll, descriptor, UInt64(descriptor), interest.rawValue)
    }

    /// Before a descriptor is closed, as its number comes again.
    func forget(_ descriptor: Int32) { interests[descriptor] = nil }

    /// Those that are ready, after at most `nanoseconds` (negative: for ever).
    func wait(_ nanoseconds: Int64) throws(SystemError) -> [Int32] {
        let count = pl_epoll_wait(epoll, &tags, Int32(tags.count), nanoseconds)
        guard count >= 0 else { throw SystemError(code: -count, doing: "waiting for frames") }
        return tags[..<Int(count)].map { Int32(truncatingIfNeeded: $0) }
    }
}
