import Base

/// The expectations, found by where packets come in and by whose they are.
struct ExpectationTable: Sendable {
    /// Most expectations that share an external endpoint, or an internal one: what a packet may have to look through.
    static let mostPerEndpoint = 64

    let capacity: Int
    private var records: [UInt64: Expectation] = [:]
    private var byOutside: [SideKey: [UInt64]] = [:]
    private var byInside: [SideKey: [UInt64]] = [:]
    private var numbers: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    /// Oldest first.
    var ids: [ExpectationID] { records.keys.sorted().map { ExpectationID($0) } }

    subscript(id: ExpectationID) -> Expectation? { records[id.number] }

    func holds(_ outside: SideKey) -> Bool { byOutside[outside] != nil }

    /// Whether every expectation at `outside` is for `inside`.
    func allows(_ inside: Endpoint, at outside: SideKey) -> Bool {
        (byOutside[outside] ?? []).allSatisfy { records[$0]?.internal == inside }
    }

    /// The oldest that `remote` meets.
    func match(_ proto: NATProtocol, at outside: PackedEndpoint, from remote: PackedEndpoint) -> (ExpectationID, Expectation)? {
        guard !records.isEmpty, let numbers = byOutside[SideKey(outside, proto)] else { return nil }
        for number in numbers {
            if let record = records[number], record.from.includes(remote.endpoint) { return (ExpectationID(number), record) }
        }
        return nil
    }

    /// Where packets from `inside` to `remote` are to leave from, if an expectation says so.
    func external(_ proto: NATProtocol, of inside: PackedEndpoint, towards remote: PackedEndpoint) -> PackedEndpoint? {
        guard !records.isEmpty, let numbers = byInside[SideKey(inside, proto)] else { return nil }
        for number in numbers {
            if let record = records[number], record.appliesOutbound, record.from.includes(remote.endpoint) {
                return PackedEndpoint(record.external)
            }
        }
        return nil
    }

    /// nil when the table, or what is kept for one endpoint, is full.
    mutating func insert(_ expectation: Expectation, outside: SideKey, inside: SideKey) -> ExpectationID? {
        guard records.count < capacity, byOutside[outside, default: []].count < Self.mostPerEndpoint,
            byInside[inside, default: []].count < Self.mostPerEndpoint
        else { return nil }
        numbers += 1
        records[numbers] = expectation
        byOutside[outside, default: []].append(numbers)
        byInside[inside, default: []].append(numbers)
        return ExpectationID(numbers)
    }

    mutating func setExpiry(_ id: ExpectationID, to expires: Instant) { records[id.number]?.expires = expires }

    mutating func remove(_ id: ExpectationID) -> Expectation? {
        guard let record = records.removeValue(forKey: id.number) else { return nil }
        if let outside = PackedEndpoint(record.external) {
            Self.take(id.number, outOf: &byOutside, SideKey(outside, record.proto))
        }
        if let inside = PackedEndpoint(record.internal) {
            Self.take(id.number, outOf: &byInside, SideKey(inside, record.proto))
        }
        return record
    }

    /// Numbers are not used again.
    mutating func removeAll() {
        records = [:]
        byOutside = [:]
        byInside = [:]
    }

    private static func take(_ number: UInt64, outOf index: inout [SideKey: [UInt64]], _ key: SideKey) {
        index[key]?.removeAll { $0 == number }
        if index[key]?.isEmpty == true { index[key] = nil }
    }
}

extension ExpectedRemote {
    func includes(_ remote: Endpoint) -> Bool {
        switch self {
        case .any: true
        case .address(let address): remote.address == address
        case .endpoint(let endpoint): remote == endpoint
        }
    }
}
