import Base
import Foundation
import LinuxEdge
import Synchronization
import Testing
import Waiting

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

    /// Asks `count` numbered questions at once and keeps what is answered to each, and from where, until all are answered.
    final class Asker: DatagramDriver {
        private let server: Endpoint
        private let local: Endpoint
        private var questions: Range<UInt8>
        private let stop: () -> Void
        var answers: [UInt8: Datagram] = [:]

        init(_ questions: Range<UInt8>, from local: Endpoint, to server: Endpoint, stop: @escaping () -> Void) {
            self.questions = questions
            self.local = local
            self.server = server
            self.stop = stop
        }

        var nextDeadline: Instant? { nil }
        func received(_ payload: UnsafeRawBufferPointer, from source: Endpoint, to local: Endpoint, at now: Instant) {
            answers[payload[0]] = Datagram(from: source, to: local, Array(payload))
        }
        func woken(at now: Instant) {}
        func advance(to now: Instant) {}
        func nextDatagram() -> Datagram? { questions.popFirst().map { Datagram(from: local, to: server, [$0]) } }
        func sendFailed(to destination: Endpoint, _ error: SystemError, at now: Instant) {}
        func roundEnded(at now: Instant) { if answers.count == 200 { stop() } }
    }

    @Test(
        "Answers leave from the endpoint that was chosen, none is lost between one socket and another, and silence is no answer",
        arguments: [true, false])
    func answers(bound: Bool) throws {
        let address = bound ? "127.0.0.1" : "0.0.0.0"
        let sockets = try [UDPSocket(try #require(Endpoint("\(address):0"))), UDPSocket(try #require(Endpoint("\(address):0")))]
        let ports = sockets.map(\.local.port)
        let (serving, asking) = (Stop(), Stop())
        let (wake, ended) = (try WakeSignal(), DispatchSemaphore(value: 0))
        Thread.detachNewThread {
            defer { ended.signal() }
            #expect(throws: Never.self) {
                try AnswerLoop(sockets: sockets, wake: wake).run(until: serving.isSet) { request, source, local, room in
                    guard request[0] < 200 else { return nil }
                    room[0] = request[0]
                    room[1] = UInt8(request.count)
                    return DatagramAnswer(2, from: Endpoint(local.address, ports[Int(request[0]) / 3 % 2]), to: source)
                }
            }
        }
        let socket = try UDPSocket(try #require(Endpoint("127.0.0.1:0")))
        let server = try #require(Endpoint("127.0.0.1:\(ports[0])"))
        let asker = Asker(0..<210, from: socket.local, to: server) { asking.isSet.store(true, ordering: .releasing) }
        let awake = try WakeSignal()
        let watchdog = Watchdog {
            asking.isSet.store(true, ordering: .releasing)
            awake.signal()
        }
        try DatagramLoop(sockets: [socket], wake: awake, clock: RealTime()).run(asker, until: asking.isSet)
        serving.isSet.store(true, ordering: .releasing)
        wake.signal()
        try ended.wait(for: "the loop to end")
        try watchdog.leave("all answers")
        let expected = (0..<200 as Range<UInt8>).map { number in
            Datagram(from: Endpoint(server.address, ports[Int(number) / 3 % 2]), to: socket.local, [number, 1])
        }
        #expect(asker.answers.values.sorted { $0.payload[0] < $1.payload[0] } == expected)
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
