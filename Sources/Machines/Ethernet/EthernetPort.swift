public import Base
import Packet

/// One Ethernet port of a router: frames on one side, whole IP packets on the other (RFC 894, RFC 2464), with ARP (RFC 826,
/// RFC 5227) and neighbour discovery (RFC 4861) of its own.
///
/// It learns neighbours only from questions to itself and from answers to its own; an unsolicited announcement changes nothing.
public struct EthernetPort: Machine {
    public typealias Trace = EthernetTrace

    public enum Input: Hashable, Sendable {
        /// From the first octet of the destination MAC on, without the check sequence.
        case frame([UInt8])
        /// An IP packet to send; the port finds its next hop.
        case packet([UInt8])
        /// From now on. New addresses are announced.
        case settings(Settings)
        /// A neighbour that is known for certain: no answer changes it, it is never asked for.
        case neighbour(IPAddress, MACAddress)
        /// Whoever has this address is to be asked for again.
        case forget(IPAddress)
    }

    public enum Output: Hashable, Sendable {
        case frame([UInt8])
        /// To us, to everybody, or to a group we are in; without the frame's padding.
        case packet([UInt8])
        /// A packet whose next hop does not answer, or which has none.
        case unreachable([UInt8])
    }

    public private(set) var settings: Settings
    public internal(set) var counters = EthernetCounters()
    var own: PortAddresses
    var cache = NeighbourCache()
    /// Announcements to come (RFC 5227 2.3: two, two seconds apart).
    private var announcement: Instant?
    var lastDefence: Instant?
    var outputs = Outbox<Output>()
    var traces = TraceBox<EthernetTrace>()

    /// Announces its addresses at once and once more.
    public init(_ settings: Settings, at now: Instant) {
        self.settings = settings
        own = PortAddresses(settings)
        start(now)
    }

    public var isTracing: Bool {
        get { traces.isOn }
        set { traces.isOn = newValue }
    }

    /// Who has answered or was told, in no order.
    public var neighbours: [(address: IPAddress, mac: MACAddress)] { cache.known }

    /// Packets that wait for an answer.
    public var waitingCount: Int { cache.waitingCount }

    // MARK: Machine

    public mutating func receive(_ input: Input, at now: Instant) {
        advance(to: now)
        switch input {
        case .frame(let bytes): receive(bytes, now)
        case .packet(let bytes): send(bytes, now)
        case .settings(let new):
            let isNew = new.mac != settings.mac || new.addresses != settings.addresses
            settings = new
            own = PortAddresses(new)
            if isNew { start(now) }
        case .neighbour(let address, let mac): seed(address, mac, now)
        case .forget(let address): forget(address)
        }
    }

    public var nextDeadline: Instant? {
        guard let announcement else { return cache.nextDeadline }
        return cache.nextDeadline.map { min($0, announcement) } ?? announcement
    }

    public mutating func advance(to now: Instant) {
        if let at = announcement, at <= now {
            announcement = nil
            for address in settings.addresses { announce(address.address) }
        }
        while let address = cache.popDue(at: now) { due(address, now) }
    }

    public mutating func nextOutput() -> Output? { outputs.next() }

    public mutating func nextTrace() -> EthernetTrace? { traces.next() }

    private mutating func start(_ now: Instant) {
        for address in settings.addresses { announce(address.address) }
        announcement = settings.addresses.isEmpty ? nil : now + .seconds(2)
    }

    // MARK: In

    private mutating func receive(_ frame: [UInt8], _ now: Instant) {
        counters.framesReceived &+= 1
        guard frame.count >= EthernetFrame.headerLength else {
            drop(.truncated)
            return
        }
        let destination = MACAddress(frame, at: 0)
        let source = MACAddress(frame, at: 6)
        guard destination == settings.mac || destination.isMulticast else {
            drop(.foreign)
            return
        }
        guard source != settings.mac else {
            drop(.ownMAC)
            return
        }
        guard !source.isMulticast, source.bits != 0 else {
            drop(.badSource)
            return
        }
        switch frame.uint16(at: 12) {
        case EthernetFrame.ipv4: receiveV4(frame, destination)
        case EthernetFrame.ipv6: receiveV6(frame, destination, now)
        case EthernetFrame.arp: receiveARP(frame, destination, source, now)
        case let kind where EthernetFrame.tags.contains(kind): drop(.tagged)
        case ...1500: drop(.length)
        default: drop(.kind)
        }
    }

    private mutating func receiveV4(_ frame: [UInt8], _ mac: MACAddress) {
        let at = EthernetFrame.headerLength
        guard frame.count >= at + 20 else {
            drop(.truncated)
            return
        }
        guard frame[at] >> 4 == 4 else {
            drop(.kind)
            return
        }
        let length = Int(frame.uint16(at: at + IPv4Header.Offset.totalLength))
        guard length >= 20, frame.count >= at + length else {
            drop(.truncated)
            return
        }
        let source = IPv4Address(bits: frame.uint32(at: at + IPv4Header.Offset.source))
        guard !own.isOwn(source) else {
            drop(.ownAddress)
            return
        }
        guard source.bits >> 28 < 0xe, !own.isBroadcast(source) else {
            drop(.mismatched)
            return
        }
        let destination = IPv4Address(bits: frame.uint32(at: at + IPv4Header.Offset.destination))
        if destination.bits >> 28 == 0xe {
            guard own.groups.contains(.v4(destination)) else {
                drop(.group)
                return
            }
        } else if mac.isMulticast, !own.isBroadcast(destination) {
            drop(.mismatched)
            return
        }
        handOn(frame, length)
    }

    private mutating func receiveV6(_ frame: [UInt8], _ mac: MACAddress, _ now: Instant) {
        let at = EthernetFrame.headerLength
        guard frame.count >= at + 40 else {
            drop(.truncated)
            return
        }
        guard frame[at] >> 4 == 6 else {
            drop(.kind)
            return
        }
        let length = 40 + Int(frame.uint16(at: at + IPv6Header.Offset.payloadLength))
        guard frame.count >= at + length else {
            drop(.truncated)
            return
        }
        let source = IPv6Address(frame, at: at + IPv6Header.Offset.source)
        guard !own.isOwn(source) else {
            drop(.ownAddress)
            return
        }
        let destination = IPv6Address(frame, at: at + IPv6Header.Offset.destination)
        guard !source.isMulticast, destination.isMulticast || !mac.isMulticast else {
            drop(.mismatched)
            return
        }
        if frame[at + IPv6Header.Offset.nextHeader] == IPProtocol.icmpv6.rawValue, length > 40,
            (135...137).contains(frame[at + 40])
        {
            receiveDiscovery(frame, length, source, destination, now)
            return
        }
        guard !destination.isMulticast || own.groups.contains(.v6(destination)) else {
            drop(.group)
            return
        }
        handOn(frame, length)
    }

    private mutating func handOn(_ frame: [UInt8], _ length: Int) {
        counters.packetsReceived &+= 1
        outputs.append(.packet(Array(frame[EthernetFrame.headerLength..<(EthernetFrame.headerLength + length)])))
    }

    // MARK: Out

    private mutating func send(_ packet: [UInt8], _ now: Instant) {
        guard packet.count >= 20, packet[0] >> 4 == 4 || packet[0] >> 4 == 6 && packet.count >= 40 else {
            drop(.malformed)
            return
        }
        guard packet.count <= settings.mtu else {
            drop(.tooBig)
            return
        }
        let next: IPAddress?
        if packet[0] >> 4 == 4 {
            let destination = IPv4Address(bits: packet.uint32(at: IPv4Header.Offset.destination))
            if destination.bits >> 28 == 0xe {
                transmit(packet, to: .group(.v4(destination)))
                return
            }
            if own.isBroadcast(destination) {
                transmit(packet, to: .broadcast)
                return
            }
            // A neighbour that was told needs no prefix: it may have no address yet.
            let isHere = own.isOnLink(destination) || cache.isSeeded(.v4(destination))
            next = isHere ? .v4(destination) : settings.gatewayV4.map { .v4($0) }
        } else {
            let destination = IPv6Address(packet, at: IPv6Header.Offset.destination)
            if destination.isMulticast {
                transmit(packet, to: .group(.v6(destination)))
                return
            }
            let isHere = own.isOnLink(destination) || cache.isSeeded(.v6(destination))
            next = isHere ? .v6(destination) : settings.gatewayV6.map { .v6($0) }
        }
        guard let next else {
            drop(.noRoute)
            outputs.append(.unreachable(packet))
            return
        }
        send(packet, via: next, now)
    }

    mutating func transmit(_ packet: [UInt8], to mac: MACAddress) {
        counters.packetsSent &+= 1
        emit(packet, packet[0] >> 4 == 4 ? EthernetFrame.ipv4 : EthernetFrame.ipv6, to: mac)
    }

    mutating func emit(_ payload: [UInt8], _ kind: UInt16, to mac: MACAddress) {
        counters.framesSent &+= 1
        outputs.append(.frame(EthernetFrame.bytes(to: mac, from: settings.mac, kind, payload)))
    }

    mutating func drop(_ reason: EthernetDropReason) {
        counters[reason] &+= 1
        traces.note(.dropped(reason))
    }
}
