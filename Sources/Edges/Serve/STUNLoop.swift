import Base
import LinuxEdge
import STUNStack

/// The STUN service on its own port: stateless, answers leave in the batch they came in.
final class STUNDriver: DatagramDriver {
    private var server: STUNServer
    private var answers = Outbox<Datagram>()

    init(_ settings: STUNServerSettings) { server = STUNServer(settings) }

    var nextDeadline: Instant? { nil }
    var counters: STUNServerCounters { server.counters }

    func received(_ payload: UnsafeRawBufferPointer, from source: Endpoint, to local: Endpoint, at now: Instant) {
        var verdict = STUNServer.Verdict.drop(.tooShort)
        let capacity = STUNServer.answerCapacity(requestLength: payload.count)
        let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            verdict = server.answer(payload, from: source, to: local, into: UnsafeMutableRawBufferPointer(buffer))
            if case .answer(let length, _, _, _) = verdict { count = length }
        }
        guard case .answer(_, let local, let remote, _) = verdict else { return }
        answers.append(Datagram(from: local, to: remote, bytes))
    }

    func woken(at now: Instant) {}
    func advance(to now: Instant) {}
    func nextDatagram() -> Datagram? { answers.next() }
    func sendFailed(to destination: Endpoint, _ error: SystemError, at now: Instant) {}
    func roundEnded(at now: Instant) {}
}
