import Base

/// A bounded table whose entries all live equally long, so that they leave in the order in which they came.
struct AgingTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    struct Entry: Sendable {
        var value: Value
        var expires: Instant
        fileprivate var serial: UInt64
    }

    private struct Turn: Sendable {
        var key: Key
        var serial: UInt64
        var expires: Instant
    }

    private var entries: [Key: Entry] = [:]
    private var turns: [Turn] = []
    private var head = 0
    private var serials: UInt64 = 0
    let capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    var isFull: Bool { entries.count >= capacity }
    /// May be the turn of an entry that was taken out meanwhile: too early is harmless.
    var nextDeadline: Instant? { head < turns.count ? turns[head].expires : nil }

    func isDue(at now: Instant) -> Bool { head < turns.count && turns[head].expires <= now }

    subscript(key: Key) -> Value? { entries[key]?.value }

    /// `key` must be new, and the table not full.
    mutating func insert(_ value: Value, for key: Key, until expires: Instant) {
        serials += 1
        entries[key] = Entry(value: value, expires: expires, serial: serials)
        turns.append(Turn(key: key, serial: serials, expires: expires))
    }

    /// Changes an entry and leaves its age alone.
    mutating func update(_ key: Key, to value: Value) { entries[key]?.value = value }

    @discardableResult
    mutating func remove(_ key: Key) -> Value? { entries.removeValue(forKey: key)?.value }

    mutating func popDue(at now: Instant) -> (key: Key, value: Value)? {
        while head < turns.count, turns[head].expires <= now {
            if let gone = popTurn() { return gone }
        }
        return nil
    }

    /// Takes out the oldest entry.
    mutating func popOldest() -> (key: Key, value: Value)? {
        while head < turns.count {
            if let gone = popTurn() { return gone }
        }
        return nil
    }

    private mutating func popTurn() -> (key: Key, value: Value)? {
        let turn = turns[head]
        head += 1
        if head > 64, head > turns.count / 2 {
            turns.removeFirst(head)
            head = 0
        }
        guard let entry = entries[turn.key], entry.serial == turn.serial else { return nil }
        entries[turn.key] = nil
        return (turn.key, entry.value)
    }
}
