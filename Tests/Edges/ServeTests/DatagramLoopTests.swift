import Base
import LinuxEdge
import Synchronization
import Testing

@Suite("The loop over UDP sockets")
struct DatagramLoopTests {
    /// Sends one datagram from a port that no socket of its loop has.
    final class Stray: DatagramDriver {
        let stop: @Sendable () -> Void
        var datagram: Datagram?
        var failures: [(destination: Endpoint, at: Instant)] = []

        init(_ datagram: Datagram, stop: @escaping @Sendable () -> Void) {
            self.datagram = datagram
            self.stop = stop
        }

        var nextDeadline: Instant? { .epoch }
        func received(_ payload: UnsafeRawBufferPointer, from source: Endpoint, to local: Endpoint, at now: Instant) {}
        func woken(at now: Instant) {}
        func advance(to now: Instant) {}
        func nextDatagram() -> Datagram? {
            defer { datagram = nil }
            return datagram
        }
        func sendFailed(to destination: Endpoint, _ error: SystemError, at now: Instant) { failures.append((destination, now)) }
        func roundEnded(at now: Instant) { stop() }
    }

    @Test("What could not be sent is told with the time it was")
    func failure() throws {
        let socket = try UDPSocket(try #require(Endpoint("127.0.0.1:0")))
        let clock = RealTime()
        let wake = try WakeSignal()
        let stopping = Stop()
        let destination = try #require(Endpoint("127.0.0.1:9"))
        let stray = Stray(Datagram(from: Endpoint(socket.local.address, socket.local.port ^ 1), to: destination, [1])) {
            stopping.isSet.store(true, ordering: .releasing)
        }
        let began = clock.now
        try DatagramLoop(sockets: [socket], wake: wake, clock: clock).run(stray, until: stopping.isSet)
        #expect(stray.failures.map(\.destination) == [destination])
        #expect(stray.failures.allSatisfy { $0.at >= began && $0.at <= clock.now })
    }

    final class Stop: Sendable { let isSet = Atomic(false) }
}

@Suite("The outside world's clock")
struct RealTimeTests {
    @Test("Set while the program runs, it shows the new time and goes on timing as before")
    func stepped() {
        let set = Mutex<Int64>(1_000_000_000_000)
        let clock = RealTime { set.withLock { $0 } }
        let before = clock.now
        set.withLock { $0 += 3_600_000_000_000 }
        let after = clock.now
        #expect(after >= before && after - before < .seconds(3_000))
        // The hour, less what passed on the monotonic clock while this one stood still.
        #expect(clock.wallClockAhead <= .seconds(3_600) && clock.wallClockAhead > .seconds(600))
        #expect(clock.shown(after).unixSeconds <= 4_600 && clock.shown(after).unixSeconds > 1_600)
        set.withLock { $0 -= 7_200_000_000_000 }
        #expect(clock.wallClockAhead < .seconds(-3_500))
        #expect(clock.now >= after)
    }
}
