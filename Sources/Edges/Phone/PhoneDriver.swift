import Base
import LinuxEdge
import PhoneNode
import Synchronization

/// The phone node on real sockets.
final class PhoneDriver: DatagramDriver {
    private var node: PhoneNode
    private let commands: Mailbox<PhoneNode.Input>
    private let stopping: @Sendable () -> Void
    private let show: (Instant, PhoneEvent) -> Void
    private var now = Instant.epoch

    init(
        _ node: PhoneNode, commands: Mailbox<PhoneNode.Input>, stopping: @escaping @Sendable () -> Void,
        show: @escaping (Instant, PhoneEvent) -> Void
    ) {
        self.node = node
        self.commands = commands
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
    }

    func advance(to now: Instant) {
        self.now = now
        node.advance(to: now)
    }

    func nextDatagram() -> Datagram? {
        while let output = node.nextOutput() {
            switch output {
            case .send(let datagram): return datagram
            case .status(let status): show(now, .status(status))
            case .stopped: stopping()
            }
        }
        return nil
    }

    func sendFailed(to destination: Endpoint, _ error: SystemError) {
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
    case sendFailed(Endpoint, SystemError)
}
