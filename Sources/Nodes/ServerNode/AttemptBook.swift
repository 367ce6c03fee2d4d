import Base
import SIP

/// The recent registration attempts of each Call-ID: which challenges are outstanding, from which endpoints it came.
///
/// For diagnosis only: nothing is accepted or refused by it. Bounded; the Call-ID seen first gives way.
struct AttemptBook: Sendable {
    struct Challenge: Hashable, Sendable {
        var nonce: SIPText
        var cseq: UInt32
        var at: Instant
        /// Counted from 1 since the last success.
        var ordinal: Int
    }

    struct Attempt: Sendable {
        var callID: SIPText
        var challenges: [Challenge] = []
        var seen: [ServerTrace.PortSeen] = []
        /// REGISTERs without credentials since the last success.
        var bare = 0
        var issued = 0
        var lastBareCSeq: UInt32?
        var jumpsTold = 0
    }

    /// Challenges and endpoints remembered of one Call-ID.
    static let depth = 8

    private var attempts: [Attempt] = []
    private var places: [SIPText: Int] = [:]
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
    mutating func arrive(_ callID: SIPText, from source: Endpoint, at now: Instant) -> (place: Int, jumps: PathVerdict) {
        let place = self.place(of: callID)
        var jumps: PathVerdict = []
        if let last = attempts[place].seen.last {
            if last.endpoint.address != source.address { jumps.insert(.addressJumped) }
            if last.endpoint.port != source.port { jumps.insert(.portJumped) }
            if jumps.isEmpty {
                attempts[place].seen[attempts[place].seen.count - 1].at = now
                return (place, jumps)
            }
        }
        if attempts[place].seen.count == Self.depth { attempts[place].seen.removeFirst() }
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
    mutating func challenge(_ place: Int, nonce: SIPText, cseq: UInt32, at now: Instant) -> (ordinal: Int, outstanding: Int) {
        forgetExpired(place, at: now)
        if let known = attempts[place].challenges.first(where: { $0.nonce == nonce }) {
            return (known.ordinal, attempts[place].challenges.count)
        }
        attempts[place].issued += 1
        if attempts[place].challenges.count == Self.depth { attempts[place].challenges.removeFirst() }
        let ordinal = attempts[place].issued
        attempts[place].challenges.append(Challenge(nonce: nonce.detached, cseq: cseq, at: now, ordinal: ordinal))
        return (ordinal, attempts[place].challenges.count)
    }

    /// Which of the outstanding challenges carried `nonce`, from 1, and of how many.
    func match(_ place: Int, nonce: SIPText) -> ServerTrace.ChallengePlace? {
        let challenges = attempts[place].challenges
        guard let index = challenges.firstIndex(where: { $0.nonce == nonce }) else { return nil }
        return ServerTrace.ChallengePlace(index: index + 1, count: challenges.count)
    }

    /// The attempt succeeded: nothing is outstanding any more.
    mutating func succeed(_ place: Int) {
        attempts[place].challenges.removeAll(keepingCapacity: true)
        attempts[place].bare = 0
        attempts[place].issued = 0
        attempts[place].lastBareCSeq = nil
    }

    func seen(_ place: Int) -> [ServerTrace.PortSeen] { attempts[place].seen }

    private mutating func forgetExpired(_ place: Int, at now: Instant) {
        while let first = attempts[place].challenges.first, now - first.at > lifetime {
            attempts[place].challenges.removeFirst()
        }
    }

    private mutating func place(of callID: SIPText) -> Int {
        if let place = places[callID] { return place }
        let attempt = Attempt(callID: callID.detached)
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
        places[attempt.callID] = place
        return place
    }
}
