import Base
import NAT

/// Who last gave a mapping time to live.
public enum MappingKeeper: Hashable, Sendable {
    /// A packet of the inside host.
    case inside
    /// A packet from outside.
    case outside
    /// The SIP helper, by its own idle time.
    case alg
    /// Somebody at the command line.
    case command

    public var text: String {
        switch self {
        case .inside: "inside packet"
        case .outside: "outside packet"
        case .alg: "ALG"
        case .command: "command"
        }
    }
}

/// When the SIP helper or a command last set a mapping's time; packets are the NAT's to remember.
struct MappingKeepers: Sendable {
    struct Setting: Hashable, Sendable {
        var keeper: MappingKeeper
        var at: Instant
    }

    static let cap = 4096
    private var settings: [MappingID: Setting] = [:]

    /// `isLive`: asked when the table is full, to throw out what has gone.
    mutating func note(_ id: MappingID, _ keeper: MappingKeeper, at now: Instant, isLive: (MappingID) -> Bool) {
        if settings.count >= Self.cap, settings[id] == nil {
            settings = settings.filter { isLive($0.key) }
            guard settings.count < Self.cap else { return }
        }
        settings[id] = Setting(keeper: keeper, at: now)
    }

    mutating func removeAll() { settings = [:] }

    /// Who refreshed `mapping` last, and when.
    func keeper(of mapping: NATMapping, _ timers: NATTimers) -> (MappingKeeper, Instant) {
        var last: (MappingKeeper, Instant) = (.inside, mapping.created)
        if case .expectation = mapping.origin { last.0 = .outside }
        if mapping.proto == .tcp || timers.outboundRefreshes, let at = mapping.lastOutbound, at >= last.1 { last = (.inside, at) }
        if mapping.proto == .tcp || timers.inboundRefreshes, let at = mapping.lastInbound, at > last.1 { last = (.outside, at) }
        // A packet that came with the setting is the newer cause: the setting is what it led to.
        if let setting = settings[mapping.id], setting.at >= last.1 { last = (setting.keeper, setting.at) }
        return last
    }
}
