import Base

/// Names a client transaction of a `TransactionLayer`.
public struct ClientTransactionID: Hashable, Sendable, CustomStringConvertible {
    let place: Place
    public var description: String { "client \(place.number)" }
}

/// Names a server transaction of a `TransactionLayer`.
public struct ServerTransactionID: Hashable, Sendable, CustomStringConvertible {
    let place: Place
    public var description: String { "server \(place.number)" }
}

/// A place in a `Slab`: its index, and how often the place was taken before, so that an old name never means a new thing.
struct Place: Hashable, Sendable {
    var index: UInt32
    var generation: UInt32

    var number: UInt64 { UInt64(generation) << 32 | UInt64(index) }
}

/// Things in numbered places that are used again.
struct Slab<Element: Sendable>: Sendable {
    private struct Slot: Sendable {
        var generation: UInt32 = 0
        var element: Element?
    }

    private var slots: [Slot] = []
    private var free: [UInt32] = []
    private(set) var count = 0

    mutating func insert(_ element: Element) -> Place {
        count += 1
        if let index = free.popLast() {
            slots[Int(index)].element = element
            return Place(index: index, generation: slots[Int(index)].generation)
        }
        slots.append(Slot(element: element))
        return Place(index: UInt32(slots.count - 1), generation: 0)
    }

    @discardableResult
    mutating func remove(_ place: Place) -> Element? {
        guard contains(place) else { return nil }
        let element = slots[Int(place.index)].element
        slots[Int(place.index)].element = nil
        slots[Int(place.index)].generation &+= 1
        free.append(place.index)
        count -= 1
        return element
    }

    func contains(_ place: Place) -> Bool {
        Int(place.index) < slots.count && slots[Int(place.index)].generation == place.generation
            && slots[Int(place.index)].element != nil
    }

    /// Nil for a place that is empty or was given to another since.
    subscript(place: Place) -> Element? {
        // Lent, not copied: a record is large, and mostly one field of it is asked for.
        _read {
            if contains(place) { yield slots[Int(place.index)].element } else { yield nil }
        }
        _modify {
            precondition(contains(place), "a place that is taken")
            yield &slots[Int(place.index)].element
        }
    }
}

/// Deadlines that all lie equally far ahead when they are set: a queue, not a heap. A deadline is not taken back; whoever
/// pops it looks whether it still means something.
struct DelayLine: Sendable {
    struct Entry: Sendable {
        var place: Place
        var at: Instant
    }

    private var entries: [Entry] = []
    private var head = 0

    var first: Entry? { head < entries.count ? entries[head] : nil }

    mutating func append(_ place: Place, at: Instant) { entries.append(Entry(place: place, at: at)) }

    mutating func removeFirst() {
        head += 1
        if head == entries.count {
            entries.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 1024, head > entries.count / 2 {
            entries.removeFirst(head)
            head = 0
        }
    }
}

/// Which transactions use a flow, so that its end finds them without a scan.
struct FlowIndex: Sendable {
    private var places: [FlowID: Set<Place>] = [:]

    mutating func insert(_ place: Place, _ flow: FlowID) { places[flow, default: []].insert(place) }

    mutating func remove(_ place: Place, _ flow: FlowID) {
        guard places[flow]?.remove(place) != nil, places[flow]?.isEmpty == true else { return }
        places[flow] = nil
    }

    /// In order of place, which keeps runs reproducible.
    func places(on flow: FlowID) -> [Place] { places[flow].map { $0.sorted { $0.number < $1.number } } ?? [] }
}
