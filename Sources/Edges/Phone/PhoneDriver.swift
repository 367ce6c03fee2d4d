import Base
import LinuxEdge
import PhoneNode
import Streams
import Synchronization

/// The phone node on real sockets: translates, nothing else.
final class PhoneDriver: DatagramDriver {
    private var node: PhoneNode
    private let commands: Mailbox<PhoneNode.Input>
    private let streams: PhoneStreams?
    private let stopping: @Sendable () -> Void
    private let show: (Instant, PhoneEvent) -> Void
    private var now = Instant.epoch

    init(
        _ node: PhoneNode, commands: Mailbox<PhoneNode.Input>, streams: PhoneStreams?, stopping: @escaping @Sendable () -> Void,
        show: @escaping (Instant, PhoneEvent) -> Void
    ) {
        self.node = node
        self.commands = commands
        self.streams = streams
        self.stopping = stopping
        self.show = show
    }

    var nextDeadline: Instant? { node.nextDeadline }

    func received(_ payload: UnsafeRawBufferPointer, from source: Endpoint, to local: Endpoint, at now: Instant) {
        self.now = now
        node.receive(.received(Datagram(from: source, to: local, [UInt8](payload))), at: now)
    }

    func woken(at now: Instant) {
        self.now = now
        for command in commands.takeAll() { node.receive(command, at: now) }
        for input in streams?.takeAll() ?? [] { node.receive(input, at: now) }
        show(now, .woken)
    }

    func advance(to now: Instant) {
        self.now = now
        node.advance(to: now)
    }

    func nextDatagram() -> Datagram? {
        while let output = node.nextOutput() {
            switch output {
            case .send(let datagram): return datagram
            case .connect(let flow): streams?.connect(flow)
            case .sendStream(let flow, let bytes): streams?.send(bytes, on: flow)
            case .disconnect(let flow): streams?.close(flow)
            case .status(let status): show(now, .status(status))
            case .call(let id, let event): show(now, .call(id, event))
            case .audio(let id, let samples, let rate): show(now, .audio(id, samples, rate: rate))
            case .text(let from, let text): show(now, .text(from: from, text))
            case .textSent(let to, let code, let reason): show(now, .textSent(to: to, code: code, reason: reason))
            case .stopped: stopping()
            }
        }
        return nil
    }

    func sendFailed(to destination: Endpoint, _ error: SystemError, at now: Instant) {
        show(now, .sendFailed(destination, error))
        node.receive(.unreachable(destination), at: now)
    }

    func roundEnded(at now: Instant) {
        while let trace = node.nextTrace() { show(now, .trace(trace)) }
    }
}

/// What a running phone tells its owner.
public enum PhoneEvent: Sendable {
    case status(PhoneStatus)
    case trace(PhoneTrace)
    case call(PhoneCallID, CallEvent)
    /// What is heard of a call, 20 ms at a time, mono.
    case audio(PhoneCallID, [Int16], rate: Int)
    case text(from: String, String)
    /// `code` 0: not even sent.
    case textSent(to: String, code: Int, reason: String)
    case sendFailed(Endpoint, SystemError)
    /// Something was posted, or `wake` called.
    case woken
}
