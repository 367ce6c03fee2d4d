import Base
import LinuxEdge
import ServerNode

/// The server node on real sockets: translates between datagrams and the node's inputs and outputs, nothing more.
final class SignallingDriver: DatagramDriver {
    private var node: ServerNode
    private let storage: StorageThread?
    private let reports: Mailbox<StorageThread.Report>
    private let log: @Sendable (Instant, ServeEvent) -> Void
    private var changes: [(sequence: UInt64, change: RegistrarChange)] = []

    init(
        _ node: ServerNode, storage: StorageThread?, reports: Mailbox<StorageThread.Report>,
        log: @escaping @Sendable (Instant, ServeEvent) -> Void
    ) {
        self.node = node
        self.storage = storage
        self.reports = reports
        self.log = log
    }

    var nextDeadline: Instant? { node.nextDeadline }
    var counters: ServerCounters { node.counters }

    func received(_ payload: UnsafeRawBufferPointer, from source: Endpoint, to local: Endpoint, at now: Instant) {
        node.receive(.received(on: FlowID(.udp, local: local, remote: source), [UInt8](payload)), at: now)
    }

    func woken(at now: Instant) {
        for report in reports.takeAll() {
            switch report {
            case .persisted(let sequence): node.receive(.persisted(through: sequence), at: now)
            case .failed(let sequence, let reason):
                log(now, .trouble("storing bindings failed: \(reason)"))
                node.receive(.persistFailed(from: sequence, reason: reason), at: now)
            case .accounts(let accounts):
                log(now, .accounts(accounts.count))
                node.receive(.accounts(accounts), at: now)
            case .trouble(let text): log(now, .trouble(text))
            }
        }
    }

    func advance(to now: Instant) { node.advance(to: now) }

    func nextDatagram() -> Datagram? {
        while let output = node.nextOutput() {
            switch output {
            case .send(let flow, let bytes): return Datagram(from: flow.local, to: flow.remote, bytes)
            case .persist(let sequence, let change): changes.append((sequence, change))
            case .probed: break
            }
        }
        return nil
    }

    func sendFailed(to destination: Endpoint, _ error: SystemError) {
        log(.epoch, .sendFailed(destination, error))
    }

    func roundEnded(at now: Instant) {
        if !changes.isEmpty {
            storage?.store(changes)
            changes.removeAll(keepingCapacity: true)
        }
        while let trace = node.nextTrace() { log(now, .server(trace)) }
    }
}
