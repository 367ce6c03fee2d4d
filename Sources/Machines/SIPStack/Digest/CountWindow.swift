import Base

/// Which counts (`nc`) of which nonce were used, so that no credentials work twice (RFC 7616 3.4, nc).
///
/// An entry is made by a success only, hence by account holders only. The window is 64 counts wide, since UDP may swap
/// two requests. Full, the table forgets the nonce that was first used longest ago, which `evicted` counts; no nonce as old
/// as that is taken any more unless it is still in the table, so that nobody makes room for a replay by filling it.
public struct CountWindow: Sendable {
    private struct Entry: Sendable {
        var highest: UInt32
        /// Bit i: `highest` - i was used.
        var used: UInt64
    }

    private struct Use: Sendable {
        var key: UInt64
        var at: Instant
        var until: Instant
    }

    public let cap: Int
    public private(set) var evicted: UInt64 = 0
    private var entries: [UInt64: Entry] = [:]
    /// In order of first use; all nonces live equally long, so also about in order of expiry.
    private var order: [Use] = []
    private var head = 0
    /// When the latest of the forgotten nonces was first used: it was issued no later.
    private var horizon: Instant?

    public init(cap: Int = 262_144) {
        precondition(cap > 0, "a window for at least one nonce")
        self.cap = cap
    }

    /// Whether `count` of the nonce `key` was not used before, as far as is known. Changes nothing.
    ///
    /// `issued`: when the nonce was issued, at the latest.
    func isFresh(_ count: UInt32, of key: UInt64, issued: Instant) -> Bool {
        guard let entry = entries[key] else { return horizon.map { issued > $0 } ?? true }
        if count > entry.highest { return true }
        let distance = entry.highest - count
        return distance < 64 && entry.used & (1 << UInt64(distance)) == 0
    }

    /// Marks `count` as used. `until` is when the nonce expires for good.
    mutating func use(_ count: UInt32, of key: UInt64, until: Instant, at now: Instant) {
        forget(at: now)
        if var entry = entries[key] {
            if count > entry.highest {
                let distance = count - entry.highest
                entry.used = distance < 64 ? entry.used << UInt64(distance) | 1 : 1
                entry.highest = count
            } else if entry.highest - count < 64 {
                entry.used |= 1 << UInt64(entry.highest - count)
            }
            entries[key] = entry
            return
        }
        if entries.count >= cap {
            entries[order[head].key] = nil
            horizon = max(horizon ?? order[head].at, order[head].at)
            dropFirst()
            evicted &+= 1
        }
        entries[key] = Entry(highest: count, used: 1)
        order.append(Use(key: key, at: now, until: until))
    }

    private mutating func forget(at now: Instant) {
        while head < order.count, order[head].until < now {
            entries[order[head].key] = nil
            dropFirst()
        }
    }

    private mutating func dropFirst() {
        head += 1
        guard head > 64, head > order.count / 2 else { return }
        order.removeFirst(head)
        head = 0
    }
}
