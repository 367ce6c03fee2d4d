import Base

/// One mapping as the NAT keeps it.
struct MappingRecord: Sendable {
    /// 0: a vacant place.
    var serial: UInt32
    var proto: NATProtocol
    /// 0: shared by all flows; otherwise the number of the rule whose own mapping it is, plus one.
    var space: UInt8
    var inside: PackedEndpoint
    var outside: PackedEndpoint
    /// Index of the external address.
    var address: Int
    var remote: PackedEndpoint?
    var filtering: Dependence
    var origin: MappingOrigin
    /// nil: outbound packets find it only by `via` or a pin.
    var key: MappingKey?
    /// Remotes tied to it because their first packet came in through an expectation.
    var pins: [MappingKey] = []
    var sessions = Chain()
    /// Index of its host.
    var host: Int
    var created: Instant
    var lastUsed: Instant
    var lastOutbound: Instant?
    var lastInbound: Instant?
    var expires: Instant
    /// When the deadline queue will next look at it; not after `expires`.
    var queued: Instant?
    /// Set by the caller, in nanoseconds; overrides rules and timers.
    var idleOverride: Int64?
    /// What the last refresh added, in nanoseconds.
    var idle: Int64
    var lastTCP: TCPState?
}

/// An internal host that has mappings.
struct HostRecord: Sendable {
    struct Block: Hashable, Sendable {
        var proto: NATProtocol
        var address: Int
        var number: Int
    }

    var address: IPv4Address
    /// Its mappings, the one idle longest first.
    var mappings = Chain()
    /// Those of them that nobody has answered yet, likewise.
    var unanswered = Chain()
    var blocks: [Block] = []
}

/// All mappings with their indices: by key, by external side, by internal side, by host, by time of last use.
struct MappingTable: Sendable {
    /// By index, vacant places among them: not optional, so that a record is looked at and changed where it lies.
    private(set) var records: [MappingRecord] = []
    private var vacant: [Int] = []
    private(set) var hosts: [HostRecord?] = []
    private var vacantHosts: [Int] = []
    private var hostIndices: [IPv4Address: Int] = [:]

    private var byKey: [MappingKey: Int] = [:]
    private var byOutside: [SideKey: Chain] = [:]
    private var byInside: [SideKey: Chain] = [:]
    private var outsideChains = Chains()
    private var insideChains = Chains()
    private var hostChains = Chains()
    private var useChains = Chains()
    private var uses = Chain()
    private var hostUnansweredChains = Chains()
    private var unansweredChains = Chains()
    private var unanswered = Chain()
    /// The serial number of the newest mapping.
    private(set) var lastSerial: UInt32
    /// How many pins there are: while there are none, nobody need look.
    private(set) var pinCount = 0

    /// Empty; serial numbers go on after `lastSerial`.
    init(after lastSerial: UInt32 = 0) { self.lastSerial = lastSerial }

    var count: Int { uses.count }

    // MARK: Looking up

    /// Precondition: `index` is live.
    subscript(index: Int) -> MappingRecord {
        _read { yield records[index] }
        _modify { yield &records[index] }
    }

    func id(of index: Int) -> MappingID { MappingID(index: index, generation: self[index].serial) }

    func isLive(_ index: Int) -> Bool { records[index].serial != 0 }

    func index(of id: MappingID) -> Int? {
        let index = Int(id.index)
        guard index < records.count, id.generation != 0, records[index].serial == id.generation else { return nil }
        return index
    }

    func index(for key: MappingKey) -> Int? { byKey[key] }

    /// The newest mapping with this external side, and whether it is the only one.
    func outside(_ key: SideKey) -> (newest: Int, isOnly: Bool)? {
        guard let chain = byOutside[key], let newest = chain.newest else { return nil }
        return (newest, chain.count == 1)
    }

    func isOutsideUsed(_ key: SideKey) -> Bool { byOutside[key] != nil }

    /// Mappings of one internal endpoint, oldest first.
    func inside(_ key: SideKey) -> InsideSequence {
        InsideSequence(chains: insideChains, ahead: byInside[key]?.oldest)
    }

    struct InsideSequence: Sequence, IteratorProtocol {
        fileprivate let chains: Chains
        fileprivate var ahead: Int?

        mutating func next() -> Int? {
            guard let index = ahead else { return nil }
            ahead = chains.next(after: index)
            return index
        }
    }

    var oldestIdle: Int? { uses.oldest }

    /// Of the mappings through which nothing has come in, the one idle longest.
    var oldestUnanswered: Int? { unanswered.oldest }

    func hostIndex(_ address: IPv4Address) -> Int? { hostIndices[address] }

    func host(_ index: Int) -> HostRecord? { hosts[index] }

    // MARK: Changing

    mutating func hostIndexMaking(_ address: IPv4Address) -> Int {
        if let index = hostIndices[address] { return index }
        let index: Int
        if let vacant = vacantHosts.popLast() {
            index = vacant
            hosts[index] = HostRecord(address: address)
        } else {
            index = hosts.count
            hosts.append(HostRecord(address: address))
        }
        hostIndices[address] = index
        return index
    }

    mutating func addBlock(_ block: HostRecord.Block, to host: Int) { hosts[host]?.blocks.append(block) }

    /// Takes out a host without mappings; its blocks are the caller's to release.
    mutating func removeHostIfIdle(_ index: Int) -> HostRecord? {
        guard let host = hosts[index], host.mappings.count == 0 else { return nil }
        hosts[index] = nil
        vacantHosts.append(index)
        hostIndices[host.address] = nil
        return host
    }

    /// Puts a new mapping in; its serial number is set here.
    mutating func insert(_ record: MappingRecord) -> Int {
        var record = record
        lastSerial = lastSerial == .max ? 1 : lastSerial + 1
        record.serial = lastSerial
        let index: Int
        if let place = vacant.popLast() {
            index = place
            records[index] = record
        } else {
            index = records.count
            records.append(record)
        }
        if let key = record.key { byKey[key] = index }
        outsideChains.append(index, to: &byOutside[SideKey(record.outside, record.proto), default: Chain()])
        insideChains.append(index, to: &byInside[SideKey(record.inside, record.proto), default: Chain()])
        hostChains.append(index, to: &hosts[record.host]!.mappings)
        useChains.append(index, to: &uses)
        unansweredChains.append(index, to: &unanswered)
        hostUnansweredChains.append(index, to: &hosts[record.host]!.unanswered)
        return index
    }

    mutating func remove(_ index: Int) {
        let record = self[index]
        if let key = record.key, byKey[key] == index { byKey[key] = nil }
        for pin in record.pins {
            pinCount -= 1
            if byKey[pin] == index { byKey[pin] = nil }
        }
        let outside = SideKey(record.outside, record.proto)
        outsideChains.remove(index, from: &byOutside[outside]!)
        if byOutside[outside]!.count == 0 { byOutside[outside] = nil }
        let inside = SideKey(record.inside, record.proto)
        insideChains.remove(index, from: &byInside[inside]!)
        if byInside[inside]!.count == 0 { byInside[inside] = nil }
        hostChains.remove(index, from: &hosts[record.host]!.mappings)
        useChains.remove(index, from: &uses)
        if record.lastInbound == nil { leaveUnanswered(index, record.host) }
        records[index].serial = 0
        records[index].pins = []
        vacant.append(index)
    }

    mutating func noteUse(_ index: Int, _ direction: NATDirection, at now: Instant) {
        let host = records[index].host
        let isUnanswered = records[index].lastInbound == nil
        records[index].lastUsed = now
        useChains.touch(index, in: &uses)
        hostChains.touch(index, in: &hosts[host]!.mappings)
        switch direction {
        case .outbound:
            records[index].lastOutbound = now
            guard isUnanswered else { return }
            unansweredChains.touch(index, in: &unanswered)
            hostUnansweredChains.touch(index, in: &hosts[host]!.unanswered)
        case .inbound:
            if isUnanswered { leaveUnanswered(index, host) }
            records[index].lastInbound = now
        }
    }

    private mutating func leaveUnanswered(_ index: Int, _ host: Int) {
        unansweredChains.remove(index, from: &unanswered)
        hostUnansweredChains.remove(index, from: &hosts[host]!.unanswered)
    }

    /// Ties packets from its internal side to `key`'s remote to this mapping.
    mutating func pin(_ key: MappingKey, to index: Int) {
        guard byKey[key] != index else { return }
        byKey[key] = index
        records[index].pins.append(key)
        pinCount += 1
    }
}
