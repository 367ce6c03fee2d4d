import Base

/// All pinholes, by number, by where they are and by where they lead.
struct ALGPinholeTable: Sendable {
    private struct Place: Hashable, Sendable {
        var transport: SIPTransport
        var external: Endpoint
    }

    private(set) var byID: [UInt64: ALGPinhole] = [:]
    private var byPlace: [Place: [UInt64]] = [:]
    /// Oldest first.
    private var byInside: [Endpoint: [UInt64]] = [:]
    var deadlines = DeadlineQueue<UInt64>()
    private var last: UInt64 = 0

    var nextDeadline: Instant? { deadlines.nextDeadline }
    var count: Int { byID.count }

    subscript(id: UInt64) -> ALGPinhole? { byID[id] }

    mutating func nextID() -> UInt64 {
        last += 1
        return last
    }

    /// The pinholes at an external endpoint.
    func at(_ transport: SIPTransport, _ external: Endpoint) -> [ALGPinhole] {
        (byPlace[Place(transport: transport, external: external)] ?? []).compactMap { byID[$0] }
    }

    /// The pinholes that lead to an internal endpoint, oldest first.
    func leading(to inside: Endpoint) -> some Sequence<ALGPinhole> { (byInside[inside] ?? []).lazy.compactMap { byID[$0] } }

    /// Adds or replaces. A pinhole never changes its two ends.
    mutating func set(_ pinhole: ALGPinhole) {
        if byID.updateValue(pinhole, forKey: pinhole.id) == nil {
            byPlace[Place(transport: pinhole.transport, external: pinhole.external), default: []].append(pinhole.id)
            byInside[pinhole.inside, default: []].append(pinhole.id)
        }
        deadlines.set(pinhole.id, to: pinhole.until)
    }

    mutating func remove(_ id: UInt64) -> ALGPinhole? {
        guard let pinhole = byID.removeValue(forKey: id) else { return nil }
        deadlines.set(id, to: nil)
        let place = Place(transport: pinhole.transport, external: pinhole.external)
        byPlace[place]?.removeAll { $0 == id }
        if byPlace[place]?.isEmpty == true { byPlace[place] = nil }
        byInside[pinhole.inside]?.removeAll { $0 == id }
        if byInside[pinhole.inside]?.isEmpty == true { byInside[pinhole.inside] = nil }
        return pinhole
    }

    /// Whoever expires first.
    var earliest: UInt64? {
        var queue = deadlines
        return queue.popDue(at: .distantFuture)
    }
}
