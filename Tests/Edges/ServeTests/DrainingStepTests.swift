import Base
import ServerNode
import Testing

@testable import Serve

@Suite("A server that is to stop waits for its calls, but not forever")
struct DrainingStepTests {
    private let start = Instant(seconds: 1_000)

    private func usage(calls: Int, requests: Int = 0) -> CallUsage {
        var usage = CallUsage()
        usage.calls = calls
        usage.clientTransactions = requests
        return usage
    }

    @Test("Without calls it ends at once")
    func idle() {
        var draining = Draining(until: start + .seconds(10))
        #expect(draining.step(usage(calls: 0), at: start) == .end)
    }

    @Test("A BYE of ours that ended the last call has a second to be answered")
    func lastWord() {
        var draining = Draining(until: start + .seconds(10))
        #expect(draining.step(usage(calls: 1), at: start) == .wait)
        #expect(draining.step(usage(calls: 0, requests: 1), at: start + .seconds(3)) == .wait)
        #expect(draining.nextDeadline == start + .seconds(4))
        #expect(draining.step(usage(calls: 0, requests: 1), at: start + .seconds(4)) == .end)
    }

    @Test("Calls that run longer are hung up once, and what is open six seconds later is let be")
    func hangUp() {
        var draining = Draining(until: start + .seconds(10))
        #expect(draining.step(usage(calls: 2), at: start + .seconds(9)) == .wait)
        #expect(draining.step(usage(calls: 2), at: start + .seconds(10)) == .hangUp)
        #expect(draining.step(usage(calls: 2), at: start + .seconds(10)) == .wait)
        #expect(draining.nextDeadline == start + .seconds(16))
        #expect(draining.step(usage(calls: 1), at: start + .seconds(16)) == .end)
    }
}
