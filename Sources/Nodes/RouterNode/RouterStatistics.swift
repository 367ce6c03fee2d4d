public import Base
import ALG
import NAT

/// What crossed a router and what did not, since it was made. Restarts do not reset it.
public struct RouterStatistics: Hashable, Sendable {
    /// One side: IP packets and their octets.
    public struct Side: Hashable, Sendable {
        public var packetsIn: UInt64 = 0
        public var octetsIn: UInt64 = 0
        public var packetsOut: UInt64 = 0
        public var octetsOut: UInt64 = 0
        /// Came in there and went no further.
        public var dropped: UInt64 = 0
        /// ICMP errors that were not sent there.
        public var errorsWithheld: UInt64 = 0
    }

    /// One kind of drop on one side.
    public struct DropCount: Hashable, Sendable {
        public var reason: RouterDropReason
        public var interface: RouterInterface
        public var count: UInt64
        public var lastAt: Instant
    }

    struct DropKey: Hashable, Sendable {
        var reason: RouterDropReason
        var interface: RouterInterface
    }

    /// Kinds of drops that are told apart; further ones count with their side only.
    static let dropCap = 128

    public internal(set) var lan = Side()
    public internal(set) var wan = Side()
    public internal(set) var restarts: UInt64 = 0
    private var dropsByKind: [DropKey: DropCount] = [:]

    public init() {}

    public subscript(interface: RouterInterface) -> Side {
        get { interface == .lan ? lan : wan }
        _modify {
            switch interface {
            case .lan: yield &lan
            case .wan: yield &wan
            }
        }
    }

    /// The most frequent first.
    public var drops: [DropCount] {
        dropsByKind.values.sorted {
            ($1.count, $0.reason.text, $0.interface.rawValue) < ($0.count, $1.reason.text, $1.interface.rawValue)
        }
    }

    mutating func count(_ trace: RouterTrace, at now: Instant) {
        switch trace {
        case .dropped(let reason, let interface):
            // That one went on, only not held back.
            guard reason != .holdLimit else { return }
            self[interface].dropped &+= 1
            let key = DropKey(reason: reason.kind, interface: interface)
            guard dropsByKind[key] != nil || dropsByKind.count < Self.dropCap else { return }
            dropsByKind[key, default: DropCount(reason: key.reason, interface: interface, count: 0, lastAt: now)].count &+= 1
            dropsByKind[key]?.lastAt = now
        case .errorWithheld(let interface): self[interface].errorsWithheld &+= 1
        case .rebooting: restarts &+= 1
        default: break
        }
    }
}

extension RouterDropReason {
    /// The reason without what differs from packet to packet.
    public var kind: RouterDropReason {
        switch self {
        case .malformed: .malformed(offset: 0)
        case .tooBig: .tooBig(mtu: 0)
        case .alg(let reason): .alg(reason.kind)
        case .nat(.malformed): .nat(.malformed(offset: 0))
        default: self
        }
    }

    /// In words, such as `NAT: no mapping`.
    public var text: String {
        switch self {
        case .malformed: "malformed"
        case .timeToLive: "Time to Live ran out"
        case .tooBig: "too big for the way out"
        case .alg(let reason): "ALG: \(reason.text)"
        case .nat(.malformed): "NAT: malformed"
        case .nat(.unsupportedProtocol(let number)): "NAT: unsupported protocol \(number)"
        case .nat(.unsupportedICMP(let type)): "NAT: unsupported ICMP type \(type)"
        case .nat(let reason): "NAT: \(spelled("\(reason)"))"
        default: spelled("\(self)")
        }
    }
}

/// `noRoute` as `no route`.
private func spelled(_ name: String) -> String {
    var text = ""
    for character in name {
        guard character.isLetter || character.isNumber else { break }
        text += character.isUppercase && text.last?.isUppercase != true ? " " + character.lowercased() : character.lowercased()
    }
    return text
}

/// A router's traces, each counted on its way, whether or not anybody listens.
struct RouterNotes: Sendable {
    private var box = TraceBox<RouterTrace>()
    var statistics = RouterStatistics()
    /// As the router was last told.
    var now = Instant.epoch

    var isOn: Bool {
        get { box.isOn }
        set { box.isOn = newValue }
    }

    mutating func note(_ trace: RouterTrace) {
        statistics.count(trace, at: now)
        box.note(trace)
    }

    mutating func next() -> RouterTrace? { box.next() }
}
