import Base

/// One remote that a mapping has dealt with: for UDP a filter entry, for TCP a connection.
struct SessionRecord: Sendable {
    var key: SessionKey
    /// Index of its mapping.
    var mapping: Int
    var expires: Instant
    /// nil unless TCP.
    var tcp: TCPState?
    /// When the deadline queue looks at it; nil for those that only end with their mapping or for want of room.
    var queued: Instant?
    /// For TCP under an address-dependent filter: the key counted in `SessionTable.addresses`.
    var counted: SessionKey?
}

/// All sessions, found by external side and remote; each is in its mapping's chain, the one idle longest first.
struct SessionTable: Sendable {
    private(set) var records: [SessionRecord?] = []
    private var vacant: [Int] = []
    private var byKey: [SessionKey: Int] = [:]
    private var chains = Chains()
    /// How many TCP connections an external side has with a remote address.
    private var addresses: [SessionKey: Int] = [:]

    /// Precondition: `index` is live.
    subscript(index: Int) -> SessionRecord {
        _read { yield records[index]! }
        _modify { yield &records[index]! }
    }

    func index(for key: SessionKey) -> Int? { byKey[key] }

    func next(after index: Int) -> Int? { chains.next(after: index) }

    func isLive(_ index: Int) -> Bool { index < records.count && records[index] != nil }

    func hasConnection(with key: SessionKey) -> Bool { addresses[key] != nil }

    /// A key another mapping holds (ports overloaded) goes over to the newer one.
    mutating func insert(_ record: SessionRecord, to chain: inout Chain) -> Int {
        let index: Int
        if let place = vacant.popLast() {
            index = place
            records[index] = record
        } else {
            index = records.count
            records.append(record)
        }
        byKey[record.key] = index
        if let counted = record.counted { addresses[counted, default: 0] += 1 }
        chains.append(index, to: &chain)
        return index
    }

    mutating func remove(_ index: Int, from chain: inout Chain) {
        let record = self[index]
        if byKey[record.key] == index { byKey[record.key] = nil }
        if let counted = record.counted, let count = addresses[counted] {
            addresses[counted] = count > 1 ? count - 1 : nil
        }
        chains.remove(index, from: &chain)
        records[index] = nil
        vacant.append(index)
    }

    mutating func touch(_ index: Int, in chain: inout Chain) { chains.touch(index, in: &chain) }
}
