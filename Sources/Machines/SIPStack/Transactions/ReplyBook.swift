import Base

/// The final responses of the last 32 seconds, so that a retransmitted request draws the same bytes and has no second effect
/// (RFC 3261 17.2.2, states Trying and Completed, timer J).
///
/// A request that drew a challenge is not kept: the challenge is made anew, the same, without memory.
/// All entries live equally long, so the oldest is always the first to go; where there are too many, or their replies too long, it goes early.
package struct ReplyBook: Sendable {
    /// 64 bits of a keyed hash over what identifies a transaction (RFC 3261 17.2.3).
    package typealias Key = UInt64

    package enum State: Hashable, Sendable {
        /// No answer yet: its commit is awaited.
        case trying
        case completed(flow: FlowID, bytes: [UInt8])
    }

    private struct Entry: Sendable {
        var state: State
        /// The same request by another way has another transaction key and this one in common (RFC 3261 8.2.2.2).
        var mergeKey: Key
        /// Keyed hash of the branch alone; 0 where it is not unique.
        var branch: Key
        /// Keyed hash of the digest user name that it was signed for.
        var account: Key
        /// Keyed hash of what a copy has in common with the request beside the transaction's key.
        var fingerprint: Key
        /// Octets that may still be sent to whoever asked; nil: as many as he likes.
        var allowance: Int?
        var order: UInt64
    }

    /// What a copy of a request draws.
    package enum Repetition: Hashable, Sendable {
        /// It is no copy: it has the same branch, and is another request.
        case none
        /// Nothing, as yet.
        case trying
        /// The answer once more, to where it went and, from the same address, to where the copy came from.
        case reply(ways: [FlowID], bytes: [UInt8])
        /// Nothing any more: whoever asked may be somebody else, and was sent three times what he sent.
        case spent
    }

    private var entries: [Key: Entry] = [:]
    private var merges: [Key: Key] = [:]
    private var queue = Outbox<(key: Key, order: UInt64, until: Instant)>()
    private var first: (key: Key, order: UInt64, until: Instant)?
    private var orders: UInt64 = 0
    private let cap: Int
    private let lifetime: Duration
    private let mostOctets: Int
    /// Of the replies kept.
    package private(set) var octets = 0
    package private(set) var evicted: UInt64 = 0

    /// `octets`: of all replies together.
    package init(cap: Int, octets: Int, lifetime: Duration = .seconds(32)) {
        self.cap = max(cap, 1)
        mostOctets = octets
        self.lifetime = lifetime
    }

    package var count: Int { entries.count }

    package subscript(key: Key) -> State? { entries[key]?.state }

    package func contains(_ key: Key) -> Bool { entries.index(forKey: key) != nil }

    /// The transaction that has the same From tag, Call-ID and CSeq as a request of another key.
    package struct Twin: Hashable, Sendable {
        package let key: Key
        /// Keyed hash of the user name that it was signed for.
        package let account: Key
        package let branch: Key
    }

    /// nil: the request is the only one of its kind.
    package func twin(_ mergeKey: Key, apartFrom key: Key) -> Twin? {
        guard let other = merges[mergeKey], other != key, let entry = entries[other] else { return nil }
        return Twin(key: other, account: entry.account, branch: entry.branch)
    }

    /// A request of the same transaction key came: what it draws. `octets`: what it took on the wire, headers of IP and UDP counted.
    package mutating func `repeat`(_ key: Key, fingerprint: Key, on asked: FlowID, octets: Int) -> Repetition {
        guard let place = entries.index(forKey: key), entries.values[place].fingerprint == fingerprint else { return .none }
        guard case .completed(let flow, let bytes) = entries.values[place].state else { return .trying }
        let ways = asked == flow || asked.remote.address != flow.remote.address ? [flow] : [flow, asked]
        guard let left = entries.values[place].allowance else { return .reply(ways: ways, bytes: bytes) }
        let costs = ways.count * flow.packetBytes(bytes.count)
        let now = left + 3 * octets
        entries.values[place].allowance = now < costs ? now : now - costs
        return now < costs ? .spent : .reply(ways: ways, bytes: bytes)
    }

    /// A request got past authentication: from now on it is processed once only.
    ///
    /// `allowance`: octets that copies of it may draw before they are counted; nil: any number, as whoever asked is who he seems.
    package mutating func open(
        _ key: Key, mergeKey: Key, branch: Key = 0, account: Key = 0, fingerprint: Key = 0, allowance: Int? = nil, at now: Instant
    ) {
        forget(at: now)
        if entries.count >= cap { evictOldest() }
        orders &+= 1
        let entry = Entry(
            state: .trying, mergeKey: mergeKey, branch: branch, account: account, fingerprint: fingerprint, allowance: allowance,
            order: orders)
        if let former = entries.updateValue(entry, forKey: key) { octets -= former.state.octets }
        merges[mergeKey] = key
        queue.append((key, orders, now + lifetime))
    }

    /// Its final response. What was not opened, or is forgotten, is let be.
    package mutating func complete(_ key: Key, on flow: FlowID, _ bytes: [UInt8]) {
        guard let place = entries.index(forKey: key) else { return }
        octets += bytes.count - entries.values[place].state.octets
        entries.values[place].state = .completed(flow: flow, bytes: bytes)
        while octets > mostOctets, evictOldest() {}
    }

    /// False: there is none.
    @discardableResult
    private mutating func evictOldest() -> Bool {
        guard let oldest = pop() else { return false }
        remove(oldest.key, order: oldest.order)
        evicted &+= 1
        return true
    }

    package mutating func forget(at now: Instant) {
        while let next = peek(), next.until <= now {
            first = nil
            remove(next.key, order: next.order)
        }
    }

    private mutating func remove(_ key: Key, order: UInt64) {
        guard let place = entries.index(forKey: key), entries.values[place].order == order else { return }
        let entry = entries.remove(at: place).value
        octets -= entry.state.octets
        if let place = merges.index(forKey: entry.mergeKey), merges.values[place] == key { merges.remove(at: place) }
    }

    private mutating func peek() -> (key: Key, order: UInt64, until: Instant)? {
        if first == nil { first = queue.next() }
        return first
    }

    private mutating func pop() -> (key: Key, order: UInt64, until: Instant)? {
        let next = peek()
        first = nil
        return next
    }
}

extension ReplyBook.State {
    fileprivate var octets: Int {
        switch self {
        case .trying: 0
        case .completed(_, let bytes): bytes.count
        }
    }
}
