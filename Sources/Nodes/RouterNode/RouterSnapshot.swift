public import ALG
public import Base
public import NAT

/// A router as it stands at one moment: what it translates, what its SIP helper did, what it dropped and why. A copy to look at.
public struct RouterSnapshot: Sendable {
    /// A mapping, and who keeps it alive.
    public struct Mapping: Hashable, Sendable {
        public var mapping: NATMapping
        public var age: Duration
        /// Time left until it expires if nothing refreshes it.
        public var idleLeft: Duration
        public var keeper: MappingKeeper
        /// How long ago that was.
        public var sinceRefresh: Duration
    }

    public var name: String
    public var at: Instant
    public var isUp: Bool
    /// The SIP helper's profile.
    public var profile: String
    public var evidence: ALGProfile.Evidence
    /// Whether the SIP helper acts: switched on, and a profile that does something.
    public var isALGOn: Bool
    public var configuration: RouterConfiguration
    public var lan: IPAddress
    public var wan: IPAddress
    /// Oldest first.
    public var mappings: [Mapping]
    /// Oldest first.
    public var pinholes: [ALGPinhole]
    public var heldPackets: Int
    public var nat: NATCounters
    public var alg: ALGStatistics
    public var statistics: RouterStatistics
}

extension RouterNode {
    /// The router as it stands. Costs as much as there are mappings.
    public func snapshot(at now: Instant) -> RouterSnapshot {
        let timers = translator?.settings.timers ?? NATTimers()
        let rows = mappings.map { mapping in
            let (keeper, at) = keepers.keeper(of: mapping, timers)
            return RouterSnapshot.Mapping(
                mapping: mapping, age: now - mapping.created, idleLeft: mapping.idleLeft(at: now), keeper: keeper,
                sinceRefresh: now - at)
        }
        return RouterSnapshot(
            name: settings.name, at: now, isUp: isUp, profile: settings.alg.name, evidence: settings.alg.evidence,
            isALGOn: isALGOn, configuration: running, lan: .v4(settings.lanAddress), wan: .v4(settings.wanAddress),
            mappings: rows, pinholes: pinholes, heldPackets: held.count, nat: translator?.counters ?? NATCounters(),
            alg: gateway.statistics, statistics: traces.statistics)
    }
}
