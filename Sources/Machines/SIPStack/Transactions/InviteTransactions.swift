import Base
import SIP

/// The INVITEs that came and what they are answered (RFC 3261 17.2.1), by transaction key.
package struct InviteTransactions: Sendable {
    package enum Output: Sendable {
        case send(on: FlowID, [UInt8])
        /// Nobody has answered yet: a 100 is to be handed to `respond`.
        case trying(UInt64)
    }

    private struct Entry: Sendable {
        var machine: ServerInviteTransaction
        /// Where responses go.
        var way: FlowID
        let request: ServerRequest
        /// Whose it is.
        let caller: AddressOfRecord
    }

    private var entries: [UInt64: Entry] = [:]
    private var deadlines = DeadlineQueue<UInt64>()
    package private(set) var outbox = Outbox<Output>()
    private let timers: TransactionTimers
    private let ways: ReplyWays

    package init(timers: TransactionTimers, ways: ReplyWays) {
        self.timers = timers
        self.ways = ways
    }

    package var count: Int { entries.count }
    package var pendingDeadlines: Int { deadlines.count }

    /// The INVITE itself.
    package func request(_ key: UInt64) -> ServerRequest? { entries[key]?.request }

    /// Whose INVITE it is.
    package func caller(_ key: UInt64) -> AddressOfRecord? { entries[key]?.caller }

    package func contains(_ key: UInt64) -> Bool { entries.index(forKey: key) != nil }

    /// Whether it waits for its final response.
    package func isProceeding(_ key: UInt64) -> Bool {
        if case .proceeding? = entries[key]?.machine.state { true } else { false }
    }

    package mutating func nextOutput() -> Output? { outbox.next() }

    package mutating func open(_ request: ServerRequest, from caller: AddressOfRecord, at now: Instant) {
        let machine = ServerInviteTransaction(isReliable: request.flow.transport.isReliable, timers: timers, at: now)
        let way = ways.reply(request.via, request.flow) ?? request.flow
        entries[request.key] = Entry(machine: machine, way: way, request: request, caller: caller)
        deadlines.set(request.key, to: machine.nextDeadline)
    }

    /// The same INVITE again: whatever was said last is said again.
    package mutating func again(_ request: ServerRequest) {
        guard var entry = entries[request.key] else { return }
        // A NAT may have moved the phone meanwhile: answers go where it is now.
        entry.way = ways.reply(request.via, request.flow) ?? entry.way
        let actions = entry.machine.receiveRetransmission()
        entries[request.key] = entry
        if actions.contains(.sendResponse) { outbox.append(.send(on: entry.way, entry.machine.response)) }
    }

    /// A response; where it is to be sent, nil where its transaction is over or has its final one.
    package mutating func respond(_ key: UInt64, _ status: Int, _ bytes: [UInt8], at now: Instant) -> FlowID? {
        guard var entry = entries[key] else { return nil }
        let actions = entry.machine.respond(status: status, bytes, at: now)
        entries[key] = entry
        deadlines.set(key, to: entry.machine.nextDeadline)
        return actions.contains(.sendResponse) ? entry.way : nil
    }

    /// The ACK of a refusal. False: it is none of any here.
    package mutating func acknowledge(_ key: UInt64, at now: Instant) -> Bool {
        guard var entry = entries[key] else { return false }
        switch entry.machine.state {
        case .proceeding, .accepted, .terminated: return false
        case .completed, .confirmed:
            _ = entry.machine.receiveACK(at: now)
            entries[key] = entry.machine.state == .terminated ? nil : entry
            deadlines.set(key, to: entries[key]?.machine.nextDeadline)
            return true
        }
    }

    /// There is nobody to be answered.
    package mutating func forget(_ key: UInt64) {
        entries[key] = nil
        deadlines.set(key, to: nil)
    }

    // MARK: Time

    package var nextDeadline: Instant? { deadlines.nextDeadline }

    /// What is due first. False: nothing is.
    package mutating func advanceOnce(to now: Instant) -> Bool {
        guard let key = deadlines.popDue(at: now) else { return false }
        guard var entry = entries[key] else { return true }
        let actions = entry.machine.advance(to: now)
        if actions.contains(.makeTrying) { outbox.append(.trying(key)) }
        if actions.contains(.sendResponse) { outbox.append(.send(on: entry.way, entry.machine.response)) }
        entries[key] = entry.machine.state == .terminated ? nil : entry
        deadlines.set(key, to: entries[key]?.machine.nextDeadline)
        return true
    }
}
