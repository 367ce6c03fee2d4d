/// How full a NAT's tables are at one moment.
public struct NATOccupancy: Hashable, Sendable {
    public var mappings = 0
    /// Hosts that have mappings.
    public var hosts = 0
    /// Filter entries and TCP connections.
    public var sessions = 0
    public var expectations = 0
    /// External ports taken, of all addresses and protocols: by mappings, expectations or reservations.
    public var ports = 0
    /// Deadlines waited for.
    public var timers = 0
    /// Octets of fragments that wait for their first one.
    public var fragmentOctets = 0

    public init() {}
}

extension AddressTranslator {
    /// Looks at every port: for people and tests, not for each packet.
    public var occupancy: NATOccupancy {
        var occupancy = NATOccupancy()
        occupancy.mappings = table.count
        occupancy.hosts = table.hosts.reduce(0) { $0 + ($1 == nil ? 0 : 1) }
        occupancy.sessions = sessions.records.reduce(0) { $0 + ($1 == nil ? 0 : 1) }
        occupancy.expectations = expectationTable.ids.count
        occupancy.ports = ports.takenCount
        occupancy.timers = timers.count
        occupancy.fragmentOctets = fragmentOctets
        return occupancy
    }
}
