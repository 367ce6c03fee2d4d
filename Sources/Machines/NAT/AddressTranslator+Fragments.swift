import Base
import Packet

/// What the fragments of one datagram have in common.
struct FragmentKey: Hashable, Sendable {
    var source: IPv4Address
    var destination: IPv4Address
    var identification: UInt16
    var proto: UInt8
    var direction: NATDirection

    init(_ packet: IPPacket, _ work: PacketWork, _ fragment: IPPacket.Fragment) {
        source = work.source.address
        destination = work.destination.address
        identification = UInt16(truncatingIfNeeded: fragment.identification)
        proto = packet.protocolNumber.rawValue
        direction = work.direction
    }
}

/// What became of a datagram's first fragment, and so becomes of the others.
struct FragmentRoute: Sendable {
    enum Way: Sendable {
        case toExternal, toInternal
    }

    var source: IPAddress
    var destination: IPAddress
    var way: Way
    var from: MappingID
    /// nil unless it went round the hairpin.
    var to: MappingID?

    /// After translation: the addresses are those the first fragment left with.
    init(_ packet: IPPacket, _ way: Way, from: MappingID, to: MappingID?) {
        source = packet.source
        destination = packet.destination
        self.way = way
        self.from = from
        self.to = to
    }
}

struct WaitingFragment: Sendable {
    var bytes: [UInt8]
    var packet: IPPacket
    var work: PacketWork
}

enum FragmentState: Sendable {
    /// The first one has not come yet.
    case waiting([WaitingFragment])
    case known(FragmentRoute)
    case refused
}

/// Fragments, in whatever order they come (RFC 4787 REQ-14): only the first holds the ports.
extension AddressTranslator {
    mutating func laterFragment(_ bytes: inout [UInt8], _ packet: inout IPPacket, _ work: PacketWork, _ now: Instant)
        -> NATVerdict
    {
        guard let fragment = packet.fragment else { return drop(.malformed(offset: 6), work) }
        let key = FragmentKey(packet, work, fragment)
        switch fragments[key] {
        case .known(let route): return apply(route, to: &bytes, &packet)
        case .refused: return drop(.firstFragmentDropped, work)
        case .waiting(var waiting):
            guard waiting.count < settings.limits.fragmentsPerDatagram, hasRoom(for: bytes.count) else {
                return drop(.fragmentLimit, work)
            }
            waiting.append(WaitingFragment(bytes: bytes, packet: packet, work: work))
            fragments.update(key, to: .waiting(waiting))
        case nil:
            guard settings.limits.fragmentsPerDatagram > 0, hasRoom(for: bytes.count) else { return drop(.fragmentLimit, work) }
            insert(.waiting([WaitingFragment(bytes: bytes, packet: packet, work: work)]), key, now)
        }
        fragmentOctets += bytes.count
        traces.note(
            .held(
                .fragment, work.direction, proto: key.proto, from: work.source.endpoint, to: work.destination.endpoint))
        return .held(.fragment)
    }

    private func hasRoom(for octets: Int) -> Bool {
        fragmentOctets + octets <= settings.limits.fragmentOctets
    }

    private mutating func drop(_ reason: NATDropReason, _ work: PacketWork) -> NATVerdict {
        drop(
            reason, work.direction, proto: work.proto, from: work.source.endpoint,
            to: work.destination.endpoint)
    }

    private func apply(_ route: FragmentRoute, to bytes: inout [UInt8], _ packet: inout IPPacket) -> NATVerdict {
        packet.rewrite(.source, address: route.source, in: &bytes)
        packet.rewrite(.destination, address: route.destination, in: &bytes)
        if let to = route.to { return .hairpin(from: route.from, to: to) }
        return .forward(via: route.from)
    }

    /// A packet was translated; if it is a first fragment, those that follow go the same way, those that waited at once.
    mutating func noteFirstFragment(
        _ packet: IPPacket, _ work: PacketWork, _ route: @autoclosure () -> FragmentRoute, _ now: Instant
    ) {
        guard let fragment = packet.fragment else { return }
        let route = route()
        let key = FragmentKey(packet, work, fragment)
        guard case .waiting(let waiting) = settle(key, to: .known(route), now) else { return }
        for var other in waiting {
            fragmentOctets -= other.bytes.count
            _ = apply(route, to: &other.bytes, &other.packet)
            switch route.way {
            case .toExternal: outputs.append(.toExternal(other.bytes))
            case .toInternal: outputs.append(.toInternal(other.bytes))
            }
        }
    }

    /// The same for one that was refused.
    mutating func noteRefusedFragment(_ packet: IPPacket, _ work: PacketWork, _ now: Instant) {
        guard let fragment = packet.fragment, fragment.offset == 0 else { return }
        let key = FragmentKey(packet, work, fragment)
        if let before = settle(key, to: .refused, now) { fragmentsGone(key, before, .firstFragmentDropped) }
    }

    /// Sets a datagram's state and returns the one before.
    private mutating func settle(_ key: FragmentKey, to state: FragmentState, _ now: Instant) -> FragmentState? {
        if let before = fragments[key] {
            fragments.update(key, to: state)
            return before
        }
        insert(state, key, now)
        return nil
    }

    /// The datagram begun longest ago makes room.
    private mutating func insert(_ state: FragmentState, _ key: FragmentKey, _ now: Instant) {
        if fragments.isFull, let (old, before) = fragments.popOldest() { fragmentsGone(old, before, .fragmentLimit) }
        fragments.insert(state, for: key, until: now.later(by: policy.fragments))
    }

    /// Accounts for fragments that waited in vain.
    mutating func fragmentsGone(_ key: FragmentKey, _ state: FragmentState, _ reason: NATDropReason) {
        guard case .waiting(let waiting) = state else { return }
        for fragment in waiting {
            fragmentOctets -= fragment.bytes.count
            _ = drop(reason, fragment.work)
        }
    }
}
