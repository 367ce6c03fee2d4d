import Base

/// Chooses external ports as `PortAssignment` says (RFC 4787 4.2), over all external addresses and protocols.
struct PortAllocator: Sendable {
    let addresses: [IPv4Address]
    let assignment: PortAssignment
    private var spaces: [[PortSpace]]
    /// Owned block numbers, for each protocol and address as in `spaces`.
    private var blocks: [[Set<Int>]]
    var entropy: Entropy

    init(addresses: [IPv4Address], assignment: PortAssignment, entropy: Entropy) {
        self.addresses = addresses
        self.assignment = assignment
        self.entropy = entropy
        spaces = Array(repeating: Array(repeating: PortSpace(), count: addresses.count), count: 3)
        blocks = Array(repeating: Array(repeating: [], count: addresses.count), count: 3)
    }

    private static func row(_ proto: NATProtocol) -> Int {
        switch proto {
        case .udp: 0
        case .tcp: 1
        case .icmp: 2
        }
    }

    func isTaken(_ proto: NATProtocol, _ address: Int, _ port: UInt16) -> Bool {
        spaces[Self.row(proto)][address].isTaken(port)
    }

    /// Ports taken, of all addresses and protocols.
    var takenCount: Int { spaces.reduce(0) { $0 + $1.reduce(0) { $0 + $1.takenCount } } }

    mutating func take(_ proto: NATProtocol, _ address: Int, _ port: UInt16) { spaces[Self.row(proto)][address].take(port) }

    mutating func release(_ proto: NATProtocol, _ address: Int, _ port: UInt16) {
        spaces[Self.row(proto)][address].release(port)
    }

    /// A free port for `internalPort`; not yet taken. `neighbour`: the external port of the host's next lower, even internal port.
    mutating func choose(_ proto: NATProtocol, _ address: Int, for internalPort: UInt16, neighbour: UInt16?) -> UInt16? {
        if assignment.preservesPort, internalPort != 0 || proto == .icmp, !isTaken(proto, address, internalPort) {
            return internalPort
        }
        if proto == .icmp { return search(proto, address, 0...UInt16.max, .any) }
        if assignment.contiguous, let neighbour, neighbour < .max, !isTaken(proto, address, neighbour + 1) {
            return neighbour + 1
        }
        let parity: PortSpace.Parity = assignment.preservesParity ? .init(of: internalPort) : .any
        if assignment.preservesRange, internalPort < 1024, let port = search(proto, address, 1...1023, parity) { return port }
        if let port = search(proto, address, assignment.range, parity) { return port }
        return assignment.preservesParity ? search(proto, address, assignment.range, .any) : nil
    }

    /// A free port within one block of a host.
    mutating func choose(_ proto: NATProtocol, _ address: Int, inBlock block: Int, for internalPort: UInt16) -> UInt16? {
        let range = ports(ofBlock: block)
        if assignment.preservesParity, let port = search(proto, address, range, .init(of: internalPort)) { return port }
        return search(proto, address, range, .any)
    }

    /// `count` consecutive free ports, the first of them even if `even`; tries `wanted` first, then as the order says.
    mutating func chooseRun(_ proto: NATProtocol, _ address: Int, wanted: UInt16, count: Int, even: Bool) -> UInt16? {
        func fits(_ port: UInt16) -> Bool {
            guard port != 0, !even || port & 1 == 0, Int(port) + count <= 65_536 else { return false }
            return (0..<count).allSatisfy { !isTaken(proto, address, port + UInt16($0)) }
        }
        if assignment.preservesPort, fits(wanted) { return wanted }
        let descending = isDescending
        guard var start = search(proto, address, assignment.range, even ? .even : .any) else { return nil }
        // Bounded: a crowded table refuses rather than tries every place.
        for _ in 0..<2048 {
            if fits(start) { return start }
            let next = descending ? (start == 0 ? UInt16.max : start - 1) : (start == .max ? 0 : start + 1)
            guard
                let found = spaces[Self.row(proto)][address].free(
                    in: assignment.range, from: next, descending: descending, parity: even ? .even : .any)
            else { return nil }
            start = found
        }
        return nil
    }

    // MARK: Blocks

    func ports(ofBlock block: Int) -> ClosedRange<UInt16> {
        let size = assignment.blocks?.size ?? 65_536
        let low = Int(assignment.range.lowerBound) + block * size
        return UInt16(clamping: low)...UInt16(clamping: low + size - 1)
    }

    /// A block that nobody holds, now held; nil when all are.
    mutating func takeBlock(_ proto: NATProtocol, _ address: Int) -> Int? {
        guard let size = assignment.blocks?.size else { return nil }
        let total = assignment.range.count / size
        let row = Self.row(proto)
        let held = blocks[row][address].count
        guard held < total else { return nil }
        var block = 0
        switch assignment.order {
        case .random: block = Int.random(in: 0..<total, using: &entropy)
        case .ascending: block = 0
        case .descending: block = total - 1
        }
        while blocks[row][address].contains(block) {
            block = isDescending ? (block == 0 ? total - 1 : block - 1) : (block + 1) % total
        }
        blocks[row][address].insert(block)
        return block
    }

    mutating func releaseBlock(_ proto: NATProtocol, _ address: Int, _ block: Int) {
        blocks[Self.row(proto)][address].remove(block)
    }

    // MARK: -

    private var isDescending: Bool {
        if case .descending = assignment.order { true } else { false }
    }

    /// Only a search over the whole assigned range moves the cursor: a block or the low ports have no order of their own.
    private mutating func search(
        _ proto: NATProtocol, _ address: Int, _ range: ClosedRange<UInt16>, _ parity: PortSpace.Parity
    ) -> UInt16? {
        let row = Self.row(proto)
        let keepsCursor = !assignment.restarts && (range == assignment.range || proto == .icmp)
        let cursor = keepsCursor ? spaces[row][address].cursor : nil
        switch assignment.order {
        case .random:
            let start = UInt16.random(in: range, using: &entropy)
            return spaces[row][address].free(in: range, from: start, parity: parity)
        case .ascending(let origin):
            let found = spaces[row][address].free(in: range, from: cursor ?? origin, parity: parity)
            if keepsCursor, let found { spaces[row][address].cursor = found == .max ? 0 : found + 1 }
            return found
        case .descending(let origin):
            let found = spaces[row][address].free(in: range, from: cursor ?? origin, descending: true, parity: parity)
            if keepsCursor, let found { spaces[row][address].cursor = found == 0 ? .max : found - 1 }
            return found
        }
    }
}
