import Base
import Registrar

extension ServerNode {
    public var nextDeadline: Instant? {
        var earliest = registrar.nextDeadline
        for next in [clients.nextDeadline, invites.nextDeadline, calls.nextDeadline, subscriptions.nextDeadline] {
            guard let next else { continue }
            earliest = earliest.map { min($0, next) } ?? next
        }
        return earliest
    }

    public mutating func receive(_ input: Input, at now: Instant) {
        registrar.isTracing = traces.isOn
        calls.isTracing = traces.isOn
        switch input {
        case .received(let flow, let bytes): received(bytes, on: flow, at: now)
        case .closed(let flow):
            registrar.closed(flow, at: now)
            drain(at: now)
            subscriptions.closed(flow)
            calls.closed(flow, at: now)
        case .persisted(let sequence): registrar.persisted(through: sequence, at: now)
        case .persistFailed(let reason): registrar.persistFailed(reason, at: now)
        case .accounts(let list): accounts = AccountTable(list, realm: settings.realm)
        case .restore(let stored): registrar.restore(stored, at: now)
        case .wallClock(let ahead): writer.wallClockAhead = ahead
        case .mediaPorts(let ports): calls.setPorts(ports)
        case .media(let event): calls.media(event, at: now)
        case .probe(let aor): registrar.probe(aor, at: now)
        }
        drain(at: now)
    }

    public mutating func advance(to now: Instant) {
        registrar.isTracing = traces.isOn
        calls.isTracing = traces.isOn
        registrar.advance(to: now)
        drain(at: now)
        while advanceOnce(to: now) { drain(at: now) }
    }

    /// What is due first of all that waits; of what is due at once the transactions come first. False: nothing is.
    private mutating func advanceOnce(to now: Instant) -> Bool {
        let deadlines = [clients.nextDeadline, invites.nextDeadline, calls.nextDeadline, subscriptions.nextDeadline]
        let first = deadlines.indices.min { (deadlines[$0] ?? .distantFuture, $0) < (deadlines[$1] ?? .distantFuture, $1) }
        switch first {
        case 0: return clients.advanceOnce(to: now)
        case 1: return invites.advanceOnce(to: now)
        case 2: return calls.advanceOnce(to: now)
        default: return subscriptions.advanceOnce(to: now)
        }
    }

    public mutating func nextOutput() -> Output? { outbox.next() }

    public mutating func nextTrace() -> ServerTrace? { traces.next() }
}
