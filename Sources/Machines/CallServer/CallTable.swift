import Base
import MediaControl
import SIP
import SIPStack

/// Whose stream a media leg is, until the media plane says it is closed.
struct MediaOwner: Sendable {
    var call: UInt32
    var leg: Int
    var stream: Int
    var port: PortPool.Port
    /// Digest user name of who began the call, for whom it counts.
    var account: SIPText
}

/// Whose dialog a tag of ours names.
enum TagOwner: Hashable, Sendable {
    case leg(call: UInt32, Int)
    /// Invented for those who may pick up: it names the leg to nobody else, and only while it rings.
    case pickUp(call: UInt32, Int)
}

/// All calls with what finds them: our tags, branches, media legs, deadlines.
struct CallTable: Sendable {
    private var calls: [UInt32: Call] = [:]
    private var lastKey: UInt32 = 0
    private var lastMedia: UInt64 = 0
    private(set) var started: UInt64 = 0
    var tags: [UInt64: TagOwner] = [:]
    /// Whose INVITE a transaction key is, until its final response.
    var invites: [UInt64: (call: UInt32, leg: Int)] = [:]
    private(set) var media: [MediaLegID: MediaOwner] = [:]
    var ports: PortPool
    var deadlines = DeadlineQueue<UInt32>()
    var perAccount: [SIPText: Int] = [:]
    /// Streams of the calls that an account began, and how fast it begins them.
    private(set) var streamsPerAccount: [SIPText: Int] = [:]
    var rates = TwoGenerations<SIPText, Gauge>(cap: 65_536)

    init(entropy: Entropy) {
        ports = PortPool(entropy: entropy)
    }

    var count: Int { calls.count }

    /// In the order in which they began, as far as keys tell.
    var keys: [UInt32] { calls.keys.sorted() }

    mutating func nextKey() -> (key: UInt32, number: UInt64) {
        repeat { lastKey &+= 1 } while calls[lastKey] != nil
        started &+= 1
        return (lastKey, started)
    }

    mutating func nextMediaID() -> MediaLegID {
        lastMedia &+= 1
        return MediaLegID(lastMedia)
    }

    /// Takes a call out, to be changed without a copy and put back: while it is out, nothing finds it.
    mutating func take(_ key: UInt32) -> Call? { calls.removeValue(forKey: key) }

    mutating func put(_ call: Call) {
        calls[call.key] = call
        deadlines.set(call.key, to: call.nextDeadline)
    }

    /// Calls by the users in them, and by the flows of their legs.
    private var parties: [AddressOfRecord: Set<UInt32>] = [:]
    private var flows: [FlowID: Set<UInt32>] = [:]

    mutating func join(_ party: AddressOfRecord, _ key: UInt32) { parties[party, default: []].insert(key) }

    mutating func part(_ party: AddressOfRecord, _ key: UInt32) {
        guard let place = parties.index(forKey: party) else { return }
        parties.values[place].remove(key)
        if parties.values[place].isEmpty { parties.remove(at: place) }
    }

    /// In the order in which they began, as far as keys tell.
    func calls(of party: AddressOfRecord) -> [Call] { (parties[party] ?? []).sorted().compactMap { calls[$0] } }

    mutating func enter(_ flow: FlowID, _ key: UInt32) {
        flows[flow, default: []].insert(key)
    }

    mutating func leave(_ flow: FlowID, _ key: UInt32) {
        guard let place = flows.index(forKey: flow) else { return }
        flows.values[place].remove(key)
        if flows.values[place].isEmpty { flows.remove(at: place) }
    }

    /// The calls with a leg on a connection that is gone.
    mutating func takeStream(_ flow: FlowID) -> [UInt32] { (flows.removeValue(forKey: flow) ?? []).sorted() }

    /// Whether a call's leg uses this flow.
    func uses(_ flow: FlowID) -> Bool { flows[flow] != nil }

    /// Entries in all the indexes: none are left where no call is.
    var indexed: Int { parties.count + flows.count + streamsPerAccount.count + invites.count }

    var usage: CallUsage {
        var usage = CallUsage()
        usage.calls = calls.count
        usage.tags = tags.count
        usage.ports = ports.inUse
        usage.mediaLegs = media.count
        usage.subscriptions = calls.values.count { $0.transfer?.referral != nil }
        usage.deadlines = deadlines.count
        usage.accounts = perAccount.count
        usage.indexes = indexed
        return usage
    }

    mutating func own(_ id: MediaLegID, _ owner: MediaOwner) {
        if media.updateValue(owner, forKey: id) == nil { streamsPerAccount[owner.account, default: 0] += 1 }
    }

    /// Its leg goes over into another call; it counts for the account it was opened for.
    mutating func hand(_ id: MediaLegID, to call: UInt32, leg: Int) {
        media[id]?.call = call
        media[id]?.leg = leg
    }

    mutating func disown(_ id: MediaLegID) -> MediaOwner? {
        guard let owner = media.removeValue(forKey: id) else { return nil }
        let left = streamsPerAccount[owner.account, default: 0] - 1
        streamsPerAccount[owner.account] = left > 0 ? left : nil
        return owner
    }

    func peek(_ key: UInt32) -> Call? { calls[key] }

    func leg(_ leg: Int, of key: UInt32) -> CallLeg? {
        guard let call = calls[key], call.legs.indices.contains(leg) else { return nil }
        return call.legs[leg]
    }
}
