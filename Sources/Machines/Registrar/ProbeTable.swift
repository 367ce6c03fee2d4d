import Base
import SIP
import SIPStack

/// The probes under way: one non-INVITE client transaction (RFC 3261 17.1.2) a binding, gathered by address of record.
struct ProbeTable: Sendable {
    struct Probe: Sendable {
        var transaction: ClientNonInviteTransaction
        var number: UInt32
        var flow: FlowID
        var bytes: [UInt8]
        var began: Instant
        var round: UInt32
        /// Place of its outcome in the round.
        var index: Int
        var contact: SIPText
    }

    /// All probes of one `.probe` input.
    struct Round: Sendable {
        var aor: AddressOfRecord
        var outcomes: [ProbeOutcome?]
    }

    private(set) var probes: [UInt32: Probe] = [:]
    private var rounds: [UInt32: Round] = [:]
    private var deadlines = DeadlineQueue<UInt32>()
    private var lastID: UInt32 = 0
    let cap: Int

    init(cap: Int) { self.cap = cap }

    var nextDeadline: Instant? { deadlines.nextDeadline }
    var isFull: Bool { probes.count >= cap }

    mutating func nextID() -> UInt32 {
        lastID &+= 1
        return lastID
    }

    mutating func open(_ round: Round) -> UInt32 {
        let id = nextID()
        rounds[id] = round
        return id
    }

    mutating func add(_ probe: Probe, id: UInt32) {
        probes[id] = probe
        deadlines.set(id, to: probe.transaction.nextDeadline)
    }

    mutating func popDue(at now: Instant) -> UInt32? { deadlines.popDue(at: now) }

    mutating func advance(_ id: UInt32, to now: Instant) -> TransactionActions {
        guard let actions = probes[id]?.transaction.advance(to: now) else { return [] }
        settle(id)
        return actions
    }

    mutating func receive(_ id: UInt32, status: Int, at now: Instant) -> TransactionActions {
        guard let actions = probes[id]?.transaction.receive(status: status, at: now) else { return [] }
        settle(id)
        return actions
    }

    private mutating func settle(_ id: UInt32) {
        let deadline = probes[id]?.transaction.nextDeadline
        if deadline == nil { probes[id] = nil }
        deadlines.set(id, to: deadline)
    }

    /// Notes one outcome; the round, if that was its last.
    mutating func conclude(_ round: UInt32, _ index: Int, _ result: ProbeOutcome) -> Round? {
        guard var entry = rounds[round], entry.outcomes[index] == nil else { return nil }
        entry.outcomes[index] = result
        guard entry.outcomes.allSatisfy({ $0 != nil }) else {
            rounds[round] = entry
            return nil
        }
        rounds[round] = nil
        return entry
    }
}
