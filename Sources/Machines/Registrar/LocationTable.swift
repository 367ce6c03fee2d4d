import Base
import SIPStack

/// The location service: address of record -> bindings (RFC 3261 10.1), with one deadline an address of record.
///
/// Records keep their slot while they have bindings, so that deadlines and keepalive tokens can name them by a small number.
package struct LocationTable: Sendable {
    /// A binding and what is under way to keep its flow alive.
    package struct Location: Sendable {
        package var binding: Binding
        package var keepalive: KeepaliveState = .off
        /// nil: it was never seen to refuse one of SRTP and plain RTP and take the other.
        package var srtp: SRTPHabit?
        /// When storage was last told that the phone answers; nil: never.
        package var noted: Instant?
    }

    package enum SRTPHabit: Hashable, Sendable { case insists, refuses }

    package struct Record: Sendable {
        package var aor: AddressOfRecord
        package var locations: [Location]
    }

    private var records: [Record?] = []
    private var free: [UInt32] = []
    private var slots: [AddressOfRecord: UInt32] = [:]
    private var deadlines = DeadlineHeap<SlotPlaces>()
    /// How many bindings use a flow, by its hash.
    private var flows: [Int: UInt32] = [:]
    /// Bindings in all.
    private(set) var count = 0

    var nextDeadline: Instant? { deadlines.nextDeadline }

    func slot(of aor: AddressOfRecord) -> UInt32? { slots[aor] }

    func record(_ slot: UInt32) -> Record? { Int(slot) < records.count ? records[Int(slot)] : nil }

    /// Whether a binding came by this flow.
    func uses(_ flow: FlowID) -> Bool { flows[flow.hashValue] != nil }

    func locations(of aor: AddressOfRecord) -> [Location] {
        guard let slot = slots[aor], let record = records[Int(slot)] else { return [] }
        return record.locations
    }

    /// Every record, in no particular order.
    var all: some Sequence<Record> { records.lazy.compactMap { $0 } }

    /// Puts `locations` in place of what `aor` had, and returns its slot; an address of record left without bindings is forgotten.
    @discardableResult
    mutating func replace(_ aor: AddressOfRecord, with locations: [Location]) -> UInt32? {
        if let slot = slots[aor] {
            let index = Int(slot)
            let former = records[index]?.locations ?? []
            // Most refreshes come by the flow they came by before.
            if !former.elementsEqual(locations, by: { $0.binding.flow == $1.binding.flow }) {
                for location in locations { use(location.binding.flow) }
                for location in former { forget(location.binding.flow) }
            }
            count += locations.count - former.count
            if locations.isEmpty {
                records[index] = nil
                slots[aor] = nil
                free.append(slot)
                deadlines.set(slot, to: nil)
                settle()
                return nil
            }
            records[index]?.locations = locations
            reschedule(slot)
            return slot
        }
        guard !locations.isEmpty else { return nil }
        for location in locations { use(location.binding.flow) }
        let slot: UInt32
        if let reused = free.popLast() {
            slot = reused
            records[Int(slot)] = Record(aor: aor, locations: locations)
        } else {
            slot = UInt32(truncatingIfNeeded: records.count)
            records.append(Record(aor: aor, locations: locations))
        }
        slots[aor] = slot
        count += locations.count
        reschedule(slot)
        return slot
    }

    private mutating func use(_ flow: FlowID) { flows[flow.hashValue, default: 0] &+= 1 }

    private mutating func forget(_ flow: FlowID) {
        guard let place = flows.index(forKey: flow.hashValue) else { return }
        flows.values[place] &-= 1
        if flows.values[place] == 0 { flows.remove(at: place) }
    }

    /// Changes one location in place; `reschedule` when its deadline moved.
    mutating func change<Result>(_ slot: UInt32, _ index: Int, _ body: (inout Location) -> Result) -> Result? {
        guard Int(slot) < records.count, let count = records[Int(slot)]?.locations.count, index < count else { return nil }
        return body(&records[Int(slot)]!.locations[index])
    }

    /// The slot of the earliest record that has something due.
    mutating func popDue(at now: Instant) -> UInt32? {
        defer { settle() }
        return deadlines.popDue(at: now)
    }

    mutating func reschedule(_ slot: UInt32) {
        let next = due(slot)
        // What is due later than it was stays in its place until it comes first: most refreshes then cost nothing here.
        if let next, deadlines.first?.key != slot, let set = deadlines[slot], set <= next { return }
        deadlines.set(slot, to: next)
        settle()
    }

    /// Sees that what comes first is where it belongs.
    private mutating func settle() {
        while let (slot, set) = deadlines.first, let next = due(slot), next > set { deadlines.set(slot, to: next) }
    }

    /// When a record next needs attention.
    private func due(_ slot: UInt32) -> Instant? {
        guard let record = record(slot) else { return nil }
        var next: Instant?
        for location in record.locations {
            var due = location.binding.expires
            if let keepalive = location.keepalive.deadline { due = min(due, keepalive) }
            next = next.map { min($0, due) } ?? due
        }
        return next
    }
}

/// Where the keepalive of one flow stands.
package enum KeepaliveState: Hashable, Sendable {
    /// None is sent: a stream, or keepalives are switched off.
    case off
    /// The next one leaves at `until`; `misses` went unanswered before it.
    case waiting(until: Instant, misses: UInt16)
    /// An OPTIONS is out. `misses` went unanswered before it.
    case asked(token: UInt32, at: Instant, until: Instant, misses: UInt16)
    /// The flow is dead; tried again at `until`, nil never.
    case dead(until: Instant?)
    /// Its Contact is elsewhere and has to answer first; `asked` questions are out, the latest with `token`.
    case proving(token: UInt32, until: Instant, asked: UInt16)
    /// It did not answer.
    case unproved

    /// Whether its Contact has still to answer for the first time.
    var isUnproved: Bool {
        switch self {
        case .proving, .unproved: true
        case .off, .waiting, .asked, .dead: false
        }
    }

    var deadline: Instant? {
        switch self {
        case .off, .unproved: nil
        case .proving(_, let until, _): until
        case .waiting(let until, _): until
        case .asked(_, _, let until, _): until
        case .dead(let until): until
        }
    }
}
