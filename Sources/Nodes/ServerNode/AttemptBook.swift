import Base
import Registrar

/// The recent registration attempts of each Call-ID: which challenges are outstanding, from which endpoints it came.
///
/// For diagnosis only: nothing is accepted or refused by it. Bounded; the Call-ID seen first gives way. Call-IDs and nonces are known by
/// keyed hashes, so that an attempt without surprises costs no allocation.
struct AttemptBook: Sendable {
    /// Keyed hash of a Call-ID, or of a nonce.
    typealias Key = UInt64

    private struct Challenge: Sendable {
        var nonce: Key
        var at: Instant
        /// Counted from 1 since the last success.
        var ordinal: Int
    }

    /// The last few of something. All but the newest lie in an array, which most attempts never need.
    private struct Recent<Element: Sendable>: Sendable {
        private var earlier: [Element] = []
        var newest: Element?

        var count: Int { earlier.count + (newest == nil ? 0 : 1) }
        var oldest: Element? { earlier.first ?? newest }
        /// Oldest first.
        var all: [Element] { newest.map { earlier + [$0] } ?? earlier }

        mutating func append(_ element: Element) {
            if let newest {
                if count == AttemptBook.depth { earlier.removeFirst() }
                earlier.append(newest)
            }
            newest = element
        }

        mutating func removeOldest() {
            if earlier.isEmpty { newest = nil } else { earlier.removeFirst() }
        }

        mutating func removeAll() {
            newest = nil
            if !earlier.isEmpty { earlier = [] }
        }

        /// Counted from the oldest.
        func firstIndex(where matches: (Element) -> Bool) -> Int? {
            if !earlier.isEmpty, let index = earlier.firstIndex(where: matches) { return index }
            guard let newest, matches(newest) else { return nil }
            return earlier.count
        }

        subscript(index: Int) -> Element? { index < earlier.count ? earlier[index] : newest }
    }

    private struct Attempt: Sendable {
        var callID: Key
        var challenges = Recent<Challenge>()
        var seen = Recent<ServerTrace.PortSeen>()
        /// REGISTERs without credentials since the last success.
        var bare = 0
        var issued = 0
        var lastBareCSeq: UInt32?
    }

    /// Challenges and endpoints remembered of one Call-ID.
    static let depth = 8

    private var attempts: [Attempt] = []
    private var places: [Key: Int] = [:]
    private var nextVictim = 0
    private(set) var evicted: UInt64 = 0
    private let cap: Int
    private let lifetime: Duration

    init(cap: Int, lifetime: Duration) {
        self.cap = max(cap, 1)
        self.lifetime = lifetime
    }

    var count: Int { attempts.count }

    /// A message of `callID` came from `source`. Returns its place, good until the next `arrive`, and what changed since the one before.
    mutating func arrive(_ callID: Key, from source: Endpoint, at now: Instant) -> (place: Int, jumps: PathVerdict) {
        let place = self.place(of: callID)
        var jumps: PathVerdict = []
        if let last = attempts[place].seen.newest {
            if last.endpoint.address != source.address { jumps.insert(.addressJumped) }
            if last.endpoint.port != source.port { jumps.insert(.portJumped) }
            if jumps.isEmpty {
                attempts[place].seen.newest?.at = now
                return (place, jumps)
            }
        }
        attempts[place].seen.append(ServerTrace.PortSeen(at: now, endpoint: source))
        return (place, jumps)
    }

    /// A request without credentials; returns how many there were since the last success. Retransmissions do not count.
    mutating func countBare(_ place: Int, cseq: UInt32) -> Int {
        if attempts[place].lastBareCSeq != cseq {
            attempts[place].bare += 1
            attempts[place].lastBareCSeq = cseq
        }
        return attempts[place].bare
    }

    /// A challenge left. Returns its ordinal and how many are outstanding; the same nonce again changes nothing.
    mutating func challenge(_ place: Int, nonce: Key, at now: Instant) -> (ordinal: Int, outstanding: Int) {
        forgetExpired(place, at: now)
        if let index = attempts[place].challenges.firstIndex(where: { $0.nonce == nonce }),
            let known = attempts[place].challenges[index]
        {
            return (known.ordinal, attempts[place].challenges.count)
        }
        attempts[place].issued += 1
        let ordinal = attempts[place].issued
        attempts[place].challenges.append(Challenge(nonce: nonce, at: now, ordinal: ordinal))
        return (ordinal, attempts[place].challenges.count)
    }

    /// Which of the outstanding challenges carried `nonce`, from 1, and of how many.
    func match(_ place: Int, nonce: Key) -> ServerTrace.ChallengePlace? {
        guard let index = attempts[place].challenges.firstIndex(where: { $0.nonce == nonce }) else { return nil }
        return ServerTrace.ChallengePlace(index: index + 1, count: attempts[place].challenges.count)
    }

    /// The attempt succeeded: nothing is outstanding any more.
    mutating func succeed(_ place: Int) {
        attempts[place].challenges.removeAll()
        attempts[place].bare = 0
        attempts[place].issued = 0
        attempts[place].lastBareCSeq = nil
    }

    func seen(_ place: Int) -> [ServerTrace.PortSeen] { attempts[place].seen.all }

    private mutating func forgetExpired(_ place: Int, at now: Instant) {
        while let first = attempts[place].challenges.oldest, now - first.at > lifetime {
            attempts[place].challenges.removeOldest()
        }
    }

    private mutating func place(of callID: Key) -> Int {
        if let place = places[callID] { return place }
        let attempt = Attempt(callID: callID)
        let place: Int
        if attempts.count < cap {
            place = attempts.count
            attempts.append(attempt)
        } else {
            place = nextVictim
            evicted &+= 1
            nextVictim = (nextVictim + 1) % cap
            places[attempts[place].callID] = nil
            attempts[place] = attempt
        }
        places[callID] = place
        return place
    }
}
