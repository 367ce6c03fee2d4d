import Base
import SIP
import SIPStack

/// An OPTIONS to one binding that somebody asked for.
package struct Probe: Sendable {
    let round: UInt32
    /// Place of its outcome in the round.
    let index: Int
    let contact: SIPText
    let began: Instant
}

/// The probes under way, gathered by address of record.
struct ProbeTable: Sendable {
    /// All probes of one `.probe` input.
    struct Round: Sendable {
        var aor: AddressOfRecord
        var outcomes: [ProbeOutcome?]
    }

    private var rounds: [UInt32: Round] = [:]
    private var lastID: UInt32 = 0
    /// Whose outcome is awaited.
    private(set) var count = 0
    private let cap: Int

    init(cap: Int) { self.cap = cap }

    var isFull: Bool { count >= cap }

    mutating func open(_ round: Round) -> UInt32 {
        lastID &+= 1
        rounds[lastID] = round
        return lastID
    }

    mutating func began() { count += 1 }

    mutating func ended() { count -= 1 }

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
