import Base
import Registrar

extension ServerNode {
    public var nextDeadline: Instant? {
        var earliest = registrar.nextDeadline ?? .distantFuture
        earliest = min(earliest, clients.nextDeadline ?? .distantFuture, invites.nextDeadline ?? .distantFuture)
        earliest = min(earliest, calls.nextDeadline ?? .distantFuture, subscriptions.nextDeadline ?? .distantFuture)
        return earliest == .distantFuture ? nil : earliest
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
            drain(at: now)
            // What hangs on a leg is the call's matter: it may have moved to another flow, by which its answer comes.
            clients.fail(flow) { !$0.isOfLeg }
        case .persisted(let sequence): registrar.persisted(through: sequence, at: now)
        case .persistFailed(let reason): registrar.persistFailed(reason, at: now)
        case .accounts(let list): accounts = AccountTable(list, realm: settings.realm)
        case .restore(let stored): registrar.restore(stored, at: now)
        case .wallClock(let ahead): writer.wallClockAhead = ahead
        case .mediaPorts(let ports): calls.setPorts(ports)
        case .media(let event): calls.media(event, at: now)
        case .settings(let settings): adopt(settings)
        case .drain: calls.isDraining = true
        case .hangUp: calls.hangUpAll(at: now)
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
        let client = clients.nextDeadline ?? .distantFuture
        let invite = invites.nextDeadline ?? .distantFuture
        let call = calls.nextDeadline ?? .distantFuture
        let subscription = subscriptions.nextDeadline ?? .distantFuture
        let first = min(client, invite, call, subscription)
        guard first <= now else { return false }
        if client == first { return clients.advanceOnce(to: now) }
        if invite == first { return invites.advanceOnce(to: now) }
        if call == first { return calls.advanceOnce(to: now) }
        return subscriptions.advanceOnce(to: now)
    }

    public mutating func nextOutput() -> Output? { outbox.next() }

    public mutating func nextTrace() -> ServerTrace? { traces.next() }
}
