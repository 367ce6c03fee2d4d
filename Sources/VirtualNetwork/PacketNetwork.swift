import Base
import Packet
import Pcap

/// Links, and the interfaces attached to them: IP packets go in at one interface and come out at another, later, changed in
/// number or not at all. It knows no node, and stands still in no time: between packets nothing costs anything.
///
/// Deterministic: chance is drawn from a generator of each link's own, and ties go by the order of sending.
public struct PacketNetwork: Machine {
    public enum Input: Sendable {
        /// `nextHop`: the neighbour it is handed to; nil finds the one that answers for the packet's destination.
        case packet(from: InterfaceID, [UInt8], nextHop: IPAddress?)
        case properties(LinkID, LinkProperties)
        /// Down: what is on its way is lost.
        case link(LinkID, isUp: Bool)
    }

    public enum Output: Sendable, Hashable {
        case packet(at: InterfaceID, [UInt8])
    }

    struct Interface: Sendable {
        var link: LinkID
        var addresses: [IPAddress]
        var answersFor: [IPPrefix]
        /// Earliest time its next packet may arrive, so that jitter does not reorder.
        var inOrderFrom = Instant(nanoseconds: .min)
    }

    struct Link: Sendable {
        var name: String
        var properties: LinkProperties
        var interfaces: [InterfaceID] = []
        var neighbours: [IPAddress: InterfaceID] = [:]
        var entropy: Entropy
        var counters = LinkCounters()
        var onTheWay = 0
        var tap: PcapWriter?
        /// Ordinals of packets to lose.
        var doomed: Set<UInt64> = []
    }

    private var links: [Link] = []
    private var interfaces: [Interface] = []
    private var deliveries = DeliveryHeap()
    private var outbox = Outbox<Output>()
    public var traces = TraceBox<NetworkTrace>()
    /// Whether `.sent` and `.delivered` are traced besides what went wrong.
    public var tracesTraffic = true
    private var entropy: Entropy

    public init(entropy: Entropy) { self.entropy = entropy }

    // MARK: Building

    /// Adds a link without interfaces.
    public mutating func addLink(_ name: String, _ properties: LinkProperties = LinkProperties()) -> LinkID {
        links.append(Link(name: name, properties: properties, entropy: entropy.fork()))
        return LinkID(index: links.count - 1)
    }

    /// Attaches an interface that owns `addresses`, and takes packets for everything in `answersFor` that nobody on the
    /// link owns: a router's way out (`0.0.0.0/0`) or the prefixes behind it.
    public mutating func attach(to link: LinkID, addresses: [IPAddress], answersFor: [IPPrefix] = []) -> InterfaceID {
        let id = InterfaceID(index: interfaces.count)
        interfaces.append(Interface(link: link, addresses: addresses, answersFor: answersFor))
        links[link.index].interfaces.append(id)
        for address in addresses { links[link.index].neighbours[address] = id }
        return id
    }

    /// Gives an interface another set of addresses.
    public mutating func setAddresses(_ addresses: [IPAddress], of interface: InterfaceID) {
        let link = interfaces[interface.index].link.index
        for address in interfaces[interface.index].addresses where links[link].neighbours[address] == interface {
            links[link].neighbours[address] = nil
        }
        interfaces[interface.index].addresses = addresses
        for address in addresses { links[link].neighbours[address] = interface }
    }

    /// Starts recording what is sent on a link. `cap`: octets; beyond it packets go unrecorded, counted.
    public mutating func tap(_ link: LinkID, cap: Int = 64 << 20) { links[link.index].tap = PcapWriter(cap: cap) }

    /// Loses the packets with these ordinals (from 1, counted per link), whatever the chances say.
    public mutating func lose(_ ordinals: Set<UInt64>, on link: LinkID) { links[link.index].doomed.formUnion(ordinals) }

    /// Packets on their way.
    package var onTheWay: Int { deliveries.elements.count }

    /// Changes one of the packets on their way, the soonest being the first: what `fate` makes of it takes its place, each so much later. Nothing
    /// happens beyond the last.
    package mutating func change(_ place: Int, _ fate: ([UInt8]) -> [(packet: [UInt8], later: Duration)]) {
        guard let delivery = deliveries.take(place) else { return }
        let fates = fate(delivery.packet)
        if let link = delivery.link { links[link.index].onTheWay += fates.count - 1 }
        for (packet, later) in fates { deliveries.add(packet, to: delivery.to, over: delivery.link, at: delivery.at + later) }
    }

    // MARK: Looking

    public var linkIDs: [LinkID] { links.indices.map { LinkID(index: $0) } }
    public var interfaceIDs: [InterfaceID] { interfaces.indices.map { InterfaceID(index: $0) } }
    public func name(of link: LinkID) -> String { links[link.index].name }
    public func properties(of link: LinkID) -> LinkProperties { links[link.index].properties }
    public func counters(of link: LinkID) -> LinkCounters { links[link.index].counters }
    public func link(of interface: InterfaceID) -> LinkID { interfaces[interface.index].link }
    public func addresses(of interface: InterfaceID) -> [IPAddress] { interfaces[interface.index].addresses }
    /// The pcap file of a tapped link; nil where nothing records.
    public func capture(of link: LinkID) -> [UInt8]? { links[link.index].tap?.bytes }
    public func mtu(of interface: InterfaceID) -> Int { links[interfaces[interface.index].link.index].properties.mtu }

    // MARK: Running

    public var nextDeadline: Instant? { deliveries.next }

    public mutating func nextOutput() -> Output? { outbox.next() }
    public mutating func nextTrace() -> NetworkTrace? { traces.next() }

    public mutating func advance(to now: Instant) {
        while let delivery = deliveries.popDue(at: now) {
            if let link = delivery.link {
                links[link.index].onTheWay -= 1
                links[link.index].counters.delivered += 1
                if tracesTraffic { traces.note(.delivered(link, to: delivery.to, delivery.packet)) }
            }
            outbox.append(.packet(at: delivery.to, delivery.packet))
        }
    }

    public mutating func receive(_ input: Input, at now: Instant) {
        switch input {
        case .packet(let from, let packet, let nextHop): send(packet, from: from, nextHop: nextHop, at: now)
        case .properties(let link, let properties):
            let wasUp = links[link.index].properties.isUp
            links[link.index].properties = properties
            if wasUp != properties.isUp { changed(link, isUp: properties.isUp) }
        case .link(let link, let isUp):
            guard links[link.index].properties.isUp != isUp else { return }
            links[link.index].properties.isUp = isUp
            changed(link, isUp: isUp)
        }
    }

    private mutating func changed(_ link: LinkID, isUp: Bool) {
        traces.note(.linkChanged(link, isUp: isUp))
        guard !isUp else { return }
        for delivery in deliveries.cut(link) {
            links[link.index].onTheWay -= 1
            links[link.index].counters.dropped += 1
            traces.note(.dropped(link, from: delivery.to, .cut, delivery.packet))
        }
    }

    private mutating func send(_ packet: [UInt8], from: InterfaceID, nextHop: IPAddress?, at now: Instant) {
        let link = interfaces[from.index].link
        guard links[link.index].properties.isUp else { return drop(packet, link, from, .linkDown) }
        let hop: IPAddress
        if let nextHop {
            hop = nextHop
        } else {
            guard let parsed = try? IPPacket(packet) else { return drop(packet, link, from, .malformed) }
            hop = parsed.destination
        }
        guard let to = neighbour(hop, on: link, besides: from) else { return drop(packet, link, from, .noNeighbour(hop)) }
        let mtu = links[link.index].properties.mtu
        guard packet.count > mtu else { return put(packet, on: link, from: from, to: to, at: now) }
        sendTooBig(packet, link, from, to, mtu, at: now)
    }

    /// What the sender's own IP layer does with a packet that its link cannot carry: cut it, or refuse it by ICMP. Over IPv6
    /// nothing but the refusal exists here, as routers may not cut (RFC 8200 5) and hosts have cut already.
    private mutating func sendTooBig(
        _ packet: [UInt8], _ link: LinkID, _ from: InterfaceID, _ to: InterfaceID, _ mtu: Int, at now: Instant
    ) {
        guard let parsed = try? IPPacket(packet) else { return drop(packet, link, from, .malformed) }
        if !parsed.source.isIPv6, let fragments = try? IPPacket.fragments(of: packet, mtu: mtu) {
            traces.note(.fragmented(link, from: from, count: fragments.count))
            for fragment in fragments { put(fragment, on: link, from: from, to: to, at: now) }
            return
        }
        drop(packet, link, from, .tooBig(mtu: mtu))
        guard ICMPMessage.mayAnswer(parsed) else { return }
        let own = interfaces[from.index].addresses.first { $0.isIPv6 == parsed.source.isIPv6 } ?? parsed.source
        guard let error = try? ICMPMessage.packetTooBig(mtu: mtu, quoting: packet).packet(from: own, to: parsed.source) else {
            return
        }
        deliveries.add(error, to: from, over: nil, at: now)
    }

    private mutating func put(_ packet: [UInt8], on link: LinkID, from: InterfaceID, to: InterfaceID, at now: Instant) {
        let index = link.index
        links[index].counters.sent += 1
        let ordinal = links[index].counters.sent
        if tracesTraffic { traces.note(.sent(link, from: from, ordinal: ordinal, packet)) }
        if links[index].tap != nil {
            links[index].tap?.append(packet, at: now)
            links[index].counters.unrecorded = links[index].tap?.left ?? 0
        }
        let properties = links[index].properties
        let lost = chance(properties.loss, index)
        if lost || links[index].doomed.remove(ordinal) != nil {
            links[index].counters.lost += 1
            traces.note(.dropped(link, from: from, .lost, packet))
            return
        }
        var copies = 1
        if chance(properties.duplication, index) {
            copies = 2
            links[index].counters.duplicated += 1
            traces.note(.duplicated(link, from: from, packet))
        }
        for _ in 0..<copies {
            guard links[index].onTheWay < properties.capacity else {
                drop(packet, link, from, .capacity)
                continue
            }
            var arrival = now + properties.latency
            let jitter = properties.jitter.wholeNanoseconds
            if jitter > 0 { arrival += .nanoseconds(Int64.random(in: 0...jitter, using: &links[index].entropy)) }
            if chance(properties.reordering, index) {
                arrival += properties.reorderingDelay
                traces.note(.reordered(link, from: from, packet))
            } else {
                arrival = max(arrival, interfaces[from.index].inOrderFrom)
                interfaces[from.index].inOrderFrom = arrival
            }
            links[index].onTheWay += 1
            deliveries.add(packet, to: to, over: link, at: arrival)
        }
    }

    private mutating func chance(_ probability: Double, _ link: Int) -> Bool {
        guard probability > 0 else { return false }
        return Double(links[link].entropy.next() >> 11) * 0x1p-53 < probability
    }

    private mutating func drop(_ packet: [UInt8], _ link: LinkID, _ from: InterfaceID, _ reason: NetworkDrop) {
        links[link.index].counters.dropped += 1
        traces.note(.dropped(link, from: from, reason, packet))
    }

    /// Who takes a packet for `address`: its owner, else whoever answers for the longest prefix that holds it.
    private func neighbour(_ address: IPAddress, on link: LinkID, besides sender: InterfaceID) -> InterfaceID? {
        if let owner = links[link.index].neighbours[address] { return owner == sender ? nil : owner }
        var best: (length: Int, id: InterfaceID)?
        for id in links[link.index].interfaces where id != sender {
            for prefix in interfaces[id.index].answersFor where prefix.contains(address) && prefix.length > best?.length ?? -1 {
                best = (prefix.length, id)
            }
        }
        return best?.id
    }
}
