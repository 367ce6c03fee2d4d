/// The deadlines of many children, earliest first: a binary heap with a place index, so that setting, moving and
/// cancelling are O(log n) and nothing is ever scanned.
///
/// Equal deadlines come out in the order in which they were set, which keeps runs reproducible.
/// Inlinable throughout: a generic that is not costs its callers in other modules three times the time.
public typealias DeadlineQueue<Key: Hashable & Sendable> = DeadlineHeap<KeyPlaces<Key>>

/// Where in the heap each key's deadline stands.
public protocol DeadlinePlaces: Sendable {
    associatedtype Key: Hashable & Sendable
    init()
    /// nil: it has none.
    subscript(place key: Key) -> Int? { get set }
}

/// For keys of any kind.
public struct KeyPlaces<Key: Hashable & Sendable>: DeadlinePlaces {
    @usableFromInline var places: [Key: Int] = [:]

    @inlinable
    public init() {}

    @inlinable
    public subscript(place key: Key) -> Int? {
        get { places[key] }
        set { places[key] = newValue }
    }
}

/// For keys that are numbers from 0 on and lie close together: an array, three times as fast.
public struct SlotPlaces: DeadlinePlaces {
    @usableFromInline var places: [Int32] = []

    @inlinable
    public init() {}

    @inlinable
    public subscript(place slot: UInt32) -> Int? {
        get {
            guard Int(slot) < places.count else { return nil }
            let place = places[Int(slot)]
            return place < 0 ? nil : Int(place)
        }
        set {
            while places.count <= Int(slot) { places.append(-1) }
            places[Int(slot)] = newValue.map { Int32(truncatingIfNeeded: $0) } ?? -1
        }
    }
}

/// See `DeadlineQueue`.
public struct DeadlineHeap<Places: DeadlinePlaces>: Sendable {
    public typealias Key = Places.Key

    @usableFromInline
    struct Entry: Sendable {
        @usableFromInline var at: Instant
        @usableFromInline var order: UInt64
        @usableFromInline var key: Key

        @inlinable
        init(at: Instant, order: UInt64, key: Key) {
            self.at = at
            self.order = order
            self.key = key
        }

        @inlinable
        func isBefore(_ other: Entry) -> Bool {
            at != other.at ? at < other.at : order < other.order
        }
    }

    @usableFromInline var heap: [Entry] = []
    @usableFromInline var places = Places()
    @usableFromInline var orders: UInt64 = 0

    @inlinable
    public init() {}

    @inlinable
    public var isEmpty: Bool { heap.isEmpty }
    @inlinable
    public var count: Int { heap.count }
    @inlinable
    public var nextDeadline: Instant? { heap.first?.at }

    /// What is due next, and when.
    @inlinable
    public var first: (key: Key, at: Instant)? { heap.first.map { ($0.key, $0.at) } }

    @inlinable
    public subscript(key: Key) -> Instant? { places[place: key].map { heap[$0].at } }

    /// Sets, moves or (with nil) cancels the deadline of `key`.
    @inlinable
    public mutating func set(_ key: Key, to deadline: Instant?) {
        guard let deadline else {
            if let place = places[place: key] { remove(at: place) }
            return
        }
        if let place = places[place: key] {
            guard heap[place].at != deadline else { return }
            orders += 1
            heap[place].at = deadline
            heap[place].order = orders
            siftDown(siftUp(place))
        } else {
            orders += 1
            heap.append(Entry(at: deadline, order: orders, key: key))
            places[place: key] = heap.count - 1
            _ = siftUp(heap.count - 1)
        }
    }

    /// Takes out the earliest key whose deadline is not after `now`.
    @inlinable
    public mutating func popDue(at now: Instant) -> Key? {
        guard let first = heap.first, first.at <= now else { return nil }
        remove(at: 0)
        return first.key
    }

    @inlinable
    mutating func remove(at place: Int) {
        places[place: heap[place].key] = nil
        let last = heap.removeLast()
        guard place < heap.count else { return }
        heap[place] = last
        places[place: last.key] = place
        siftDown(siftUp(place))
    }

    // What is moved leaves a hole, into which others are moved until it fits: each of them is noted in `places` once.

    @inlinable
    mutating func siftUp(_ start: Int) -> Int {
        let entry = heap[start]
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            guard entry.isBefore(heap[parent]) else { break }
            put(heap[parent], at: place)
            place = parent
        }
        if place != start { put(entry, at: place) }
        return place
    }

    @inlinable
    mutating func siftDown(_ start: Int) {
        let entry = heap[start]
        var place = start
        while true {
            var least = 2 * place + 1
            guard least < heap.count else { break }
            if least + 1 < heap.count, heap[least + 1].isBefore(heap[least]) { least += 1 }
            guard heap[least].isBefore(entry) else { break }
            put(heap[least], at: place)
            place = least
        }
        if place != start { put(entry, at: place) }
    }

    @inlinable
    mutating func put(_ entry: Entry, at place: Int) {
        heap[place] = entry
        places[place: entry.key] = place
    }
}
