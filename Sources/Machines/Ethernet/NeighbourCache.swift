import Base

/// Who lives at which MAC address (RFC 4861 5.1, 7.3.2), and the packets that wait to know it. Bounded by its owner.
struct NeighbourCache: Sendable {
    enum State: Sendable {
        /// Asked so many times, not answered yet.
        case asked(Int, waiting: [[UInt8]])
        /// Answered, and good until its deadline.
        case reachable(MACAddress)
        /// Used as it stands; the next packet asks again.
        case stale(MACAddress)
        /// Asked again, so many times; packets go on meanwhile.
        case probed(MACAddress, Int)
        /// Told by our owner.
        case seeded(MACAddress)

        var mac: MACAddress? {
            switch self {
            case .asked: nil
            case .reachable(let mac), .stale(let mac), .probed(let mac, _), .seeded(let mac): mac
            }
        }
    }

    private var states: [IPAddress: State] = [:]
    private var deadlines = DeadlineQueue<IPAddress>()
    private(set) var waitingCount = 0
    private var seeds = 0

    var count: Int { states.count }
    var nextDeadline: Instant? { deadlines.nextDeadline }
    /// The neighbour whose turn comes first: the one to give way.
    var first: IPAddress? { deadlines.first?.key }
    var known: [(address: IPAddress, mac: MACAddress)] {
        states.compactMap { address, state in state.mac.map { (address, $0) } }
    }

    subscript(address: IPAddress) -> State? { states[address] }

    func isSeeded(_ address: IPAddress) -> Bool {
        guard seeds > 0, case .seeded = states[address] else { return false }
        return true
    }

    /// Puts `state` in place of what is there; nil: nothing more.
    mutating func set(_ address: IPAddress, _ state: State?, until deadline: Instant?) {
        if case .seeded = state { seeds += 1 }
        if case .asked(_, let waiting) = state { waitingCount += waiting.count }
        let before: State? =
            if let state { states.updateValue(state, forKey: address) } else { states.removeValue(forKey: address) }
        if case .seeded = before { seeds -= 1 }
        if case .asked(_, let waiting) = before { waitingCount -= waiting.count }
        deadlines.set(address, to: deadline)
    }

    mutating func popDue(at now: Instant) -> IPAddress? { deadlines.popDue(at: now) }

    func deadline(of address: IPAddress) -> Instant? { deadlines[address] }
}

/// Next hops: found, asked for, forgotten.
extension EthernetPort {
    mutating func send(_ packet: [UInt8], via next: IPAddress, _ now: Instant) {
        switch cache[next] {
        case .reachable(let mac), .seeded(let mac), .probed(let mac, _):
            transmit(packet, to: mac)
        case .stale(let mac):
            transmit(packet, to: mac)
            guard ask(for: next, at: mac) else { return }
            cache.set(next, .probed(mac, 1), until: now + settings.limits.questionInterval)
        case .asked(let times, var waiting):
            if waiting.count >= max(1, settings.limits.waitingPerNeighbour) {
                waiting.removeFirst()
                drop(.waitingLimit)
            } else if cache.waitingCount >= max(1, settings.limits.waiting) {
                drop(.waitingLimit)
                guard !waiting.isEmpty else { return }
                waiting.removeFirst()
            }
            waiting.append(packet)
            cache.set(next, .asked(times, waiting: waiting), until: cache.deadline(of: next))
        case nil:
            guard makeRoom(), ask(for: next, at: nil) else { return }
            var waiting = [packet]
            if cache.waitingCount >= max(1, settings.limits.waiting) {
                drop(.waitingLimit)
                waiting = []
            }
            cache.set(next, .asked(1, waiting: waiting), until: now + settings.limits.questionInterval)
        }
    }

    /// A neighbour's deadline has passed.
    mutating func due(_ address: IPAddress, _ now: Instant) {
        let limits = settings.limits
        switch cache[address] {
        case .asked(let times, let waiting):
            if times < limits.questions, ask(for: address, at: nil) {
                cache.set(address, .asked(times + 1, waiting: waiting), until: now + limits.questionInterval)
                return
            }
            cache.set(address, nil, until: nil)
            for packet in waiting {
                drop(.unreachable)
                outputs.append(.unreachable(packet))
            }
            traces.note(.forgotten(address))
        case .reachable(let mac):
            cache.set(address, .stale(mac), until: now + limits.remembered)
        case .probed(let mac, let times) where times < limits.questions && ask(for: address, at: mac):
            cache.set(address, .probed(mac, times + 1), until: now + limits.questionInterval)
        case .probed, .stale: forget(address)
        case .seeded, nil: break
        }
    }

    mutating func seed(_ address: IPAddress, _ mac: MACAddress, _ now: Instant) {
        guard !mac.isMulticast, mac.bits != 0, cache[address] != nil || makeRoom() else { return }
        let waiting = waiting(for: address)
        cache.set(address, .seeded(mac), until: nil)
        for packet in waiting { transmit(packet, to: mac) }
    }

    mutating func forget(_ address: IPAddress) {
        guard let state = cache[address] else { return }
        if case .asked(_, let waiting) = state {
            for _ in waiting { drop(.waitingLimit) }
        }
        cache.set(address, nil, until: nil)
        traces.note(.forgotten(address))
    }

    /// Somebody on our link asked us and said who he is (RFC 826; RFC 4861 7.2.3): remembered, to be confirmed when used.
    mutating func learn(_ address: IPAddress, _ mac: MACAddress, _ now: Instant) {
        switch cache[address] {
        case .seeded: return
        case .reachable(let known) where known == mac, .stale(let known) where known == mac,
            .probed(let known, _) where known == mac:
            return
        case .asked, .reachable, .stale, .probed: settle(address, mac, .stale(mac), until: now + settings.limits.remembered)
        case nil:
            guard makeRoom() else { return }
            cache.set(address, .stale(mac), until: now + settings.limits.remembered)
        }
    }

    /// An answer; taken if we asked.
    mutating func answered(_ address: IPAddress, _ mac: MACAddress, _ now: Instant) {
        switch cache[address] {
        case .asked, .probed: settle(address, mac, .reachable(mac), until: now + settings.limits.reachable)
        case .reachable, .stale, .seeded, nil: drop(.unasked)
        }
    }

    private mutating func settle(_ address: IPAddress, _ mac: MACAddress, _ state: NeighbourCache.State, until: Instant) {
        let before = cache[address]?.mac
        let waiting = waiting(for: address)
        cache.set(address, state, until: until)
        if let before, before != mac {
            traces.note(.moved(address, from: before, to: mac))
        } else if before == nil {
            traces.note(.resolved(address, mac))
        }
        for packet in waiting { transmit(packet, to: mac) }
    }

    private func waiting(for address: IPAddress) -> [[UInt8]] {
        if case .asked(_, let waiting) = cache[address] { waiting } else { [] }
    }

    /// Forgets the neighbour whose turn comes first; false: all are certain.
    private mutating func makeRoom() -> Bool {
        guard cache.count >= max(1, settings.limits.neighbours) else { return true }
        guard let first = cache.first else {
            drop(.neighbourLimit)
            return false
        }
        forget(first)
        return true
    }

    /// Asks the link (`mac` nil) or a neighbour itself. False: we have no address to ask from.
    private mutating func ask(for address: IPAddress, at mac: MACAddress?) -> Bool {
        let isAsked =
            switch address {
            case .v4(let target): askARP(target, at: mac)
            case .v6(let target): solicit(target, at: mac)
            }
        if isAsked { counters.questions &+= 1 } else { drop(.noAddress) }
        return isAsked
    }
}
