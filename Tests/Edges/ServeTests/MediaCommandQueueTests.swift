import Base
import MediaControl
import Serve
import Testing

@Suite("Commands to a media loop whose mailbox is full")
struct MediaCommandQueueTests {
    let start = Instant(seconds: 1_800_000_000)

    func command(_ number: Int) -> MediaCommand { .close(MediaLegID(UInt64(number))) }

    func numbers(_ commands: [MediaCommand]) -> [Int] {
        commands.compactMap { if case .close(let id) = $0 { Int(id.value) } else { nil } }
    }

    @Test("What finds no room is due again 10 ms later, until it is taken: in order, each once")
    func again() {
        var queue = MediaCommandQueue()
        var posted: [MediaCommand] = []
        queue.append(command(1))
        queue.append(command(2))
        #expect(queue.nextDeadline == nil)
        queue.offer(at: start) { _ in false }
        #expect(queue.nextDeadline == start + .milliseconds(10))
        queue.append(command(3))
        queue.offer(at: start + .milliseconds(10)) { _ in false }
        #expect(queue.nextDeadline == start + .milliseconds(20))
        queue.offer(at: start + .milliseconds(20)) {
            posted += $0
            return true
        }
        #expect(numbers(posted) == [1, 2, 3])
        #expect(queue.nextDeadline == nil)
        queue.offer(at: start + .milliseconds(30)) { _ in
            Issue.record("nothing is left to be said")
            return true
        }
    }

    @Test("More than fit at once go in parts; what was taken is not said again")
    func inParts() {
        var queue = MediaCommandQueue()
        let all = Array(1...MediaCommandQueue.batch + 5)
        for number in all { queue.append(command(number)) }
        var posted: [MediaCommand] = []
        queue.offer(at: start) {
            guard posted.isEmpty else { return false }
            posted += $0
            return true
        }
        #expect(posted.count == MediaCommandQueue.batch && queue.nextDeadline != nil)
        queue.offer(at: start + .milliseconds(10)) {
            posted += $0
            return true
        }
        #expect(numbers(posted) == all && queue.nextDeadline == nil)
    }
}
