import Base
import Packet
import TCP

/// A host's IP layer with UDP and TCP on top: datagrams and segments become packets, datagrams cut to size where they must, and
/// packets become datagrams and streams.
///
/// A datagram for a port nobody has opened draws Port Unreachable (RFC 1122 4.1.3.1), a segment a RST, a ping its answer; ICMP
/// errors about our own datagrams come out as `.unreachable`. It learns path MTUs (RFC 1191, 8201).
public struct HostStack: Machine {
    public enum Input: Sendable {
        /// A source address of 0.0.0.0 or :: is replaced by ours.
        case send(Datagram)
        case packet([UInt8])
        /// A port of ours that somebody listens on; on all our addresses.
        case open(UInt16)
        case close(UInt16)
        /// TCP. `.connect` from 0.0.0.0 or :: takes the address of ours that leads there.
        case stream(TCPCommand)
        /// Other addresses than before.
        case addresses([HostAddress])
    }

    public enum Output: Sendable, Hashable {
        case packet([UInt8], nextHop: IPAddress)
        case datagram(Datagram)
        /// One of our datagrams came to nothing: ICMP said so, or there is no way to `remote`.
        case unreachable(local: Endpoint, remote: Endpoint, Unreachable)
        case stream(TCPEvent)
    }

    public enum Unreachable: Hashable, Sendable {
        /// Nobody listens on that port (by ICMP).
        case port
        /// Any other ICMP Destination Unreachable.
        case destination
        case timeExceeded
        /// The way is narrower than thought; the next datagram will be cut to fit. `mtu`: octets.
        case tooBig(mtu: Int)
        /// We have no address of that family, or no gateway.
        case noRoute
    }

    public enum Trace: Hashable, Sendable {
        case dropped(Drop)
        case portUnreachableSent(Endpoint, from: Endpoint)
        case pathMTU(IPAddress, Int)
        case tcp(TCPTrace)
    }

    public enum Drop: Hashable, Sendable {
        case malformed(PacketError)
        /// Not for an address of ours.
        case notOurs(IPAddress)
        case fragment(Reassembler.Drop)
        case reassemblyTimedOut
        /// Longer than UDP can carry, or of mixed families.
        case unsendable(PacketError)
        /// A protocol other than UDP, TCP and ICMP.
        case protocolUnknown(IPProtocol)
        /// A segment for which there is no way any more.
        case noRoute(IPAddress)
    }

    /// One of a host's addresses, and what lies on the link besides.
    public struct HostAddress: Hashable, Sendable {
        public var address: IPAddress
        /// Bits of `address` that name the link: neighbours are reached without a gateway.
        public var prefixLength: Int
        /// Where everything else goes; nil: nowhere.
        public var gateway: IPAddress?

        public init(_ address: IPAddress, prefixLength: Int, gateway: IPAddress? = nil) {
            self.address = address
            self.prefixLength = prefixLength
            self.gateway = gateway
        }

        var prefix: IPPrefix { IPPrefix(address, length: prefixLength) }
    }

    /// Most destinations whose path MTU is remembered; a full table is emptied.
    public static let mostPathMTUs = 1_024

    public private(set) var addresses: [HostAddress]
    public let mtu: Int
    /// Whether IPv4 datagrams forbid fragmentation on the way, as Linux does; then the path MTU is learnt.
    public let dontFragment: Bool
    private var open: Set<UInt16> = []
    private var identification: UInt32
    private var pathMTUs: [IPAddress: Int] = [:]
    private var reassembler: Reassembler
    private var tcp: TCPHost
    private var outbox = Outbox<Output>()
    public var traces = TraceBox<Trace>() {
        didSet { if tcp.traces.isOn != traces.isOn { tcp.traces.isOn = traces.isOn } }
    }

    public init(
        _ addresses: [HostAddress], mtu: Int = 1_500, dontFragment: Bool = false,
        reassembly: Reassembler.Limits = Reassembler.Limits(),
        entropy: Entropy
    ) {
        self.addresses = addresses
        self.mtu = mtu
        self.dontFragment = dontFragment
        var entropy = entropy
        identification = UInt32(truncatingIfNeeded: entropy.next())
        reassembler = Reassembler(limits: reassembly)
        var settings = TCPSettings()
        settings.mtu = mtu
        tcp = TCPHost(settings, entropy: entropy)
    }

    public var nextDeadline: Instant? {
        guard let stream = tcp.nextDeadline else { return reassembler.nextDeadline }
        return reassembler.nextDeadline.map { min($0, stream) } ?? stream
    }
    public mutating func nextOutput() -> Output? { outbox.next() }
    public mutating func nextTrace() -> Trace? { traces.next() }

    public mutating func advance(to now: Instant) {
        while let expired = reassembler.expire(at: now) {
            traces.note(.dropped(.reassemblyTimedOut))
            guard let first = expired.first, let parsed = try? IPPacket(first), ICMPMessage.mayAnswer(parsed) else { continue }
            emit(.reassemblyTimeExceeded(quoting: first), from: parsed.destination, to: parsed.source)
        }
        tcp.advance(to: now)
        drainTCP()
    }

    public mutating func receive(_ input: Input, at now: Instant) {
        switch input {
        case .send(let datagram): send(datagram)
        case .packet(let packet): take(packet, at: now)
        case .open(let port): open.insert(port)
        case .close(let port): open.remove(port)
        case .stream(let command): carryOut(command, at: now)
        case .addresses(let addresses): self.addresses = addresses
        }
    }

    // MARK: Out

    private mutating func send(_ datagram: Datagram) {
        var datagram = datagram
        let remote = datagram.destination
        guard let route = route(to: remote.address) else {
            outbox.append(.unreachable(local: datagram.source, remote: remote, .noRoute))
            return
        }
        if datagram.source.address.isUnspecified { datagram.source.address = route.own }
        identification &+= 1
        do {
            let options = IPOptions(dontFragment: dontFragment, identification: UInt16(truncatingIfNeeded: identification))
            var packet = try IPPacket.bytes(of: datagram, options)
            let room = min(mtu, pathMTUs[remote.address] ?? mtu)
            guard packet.count > room else {
                outbox.append(.packet(packet, nextHop: route.nextHop))
                return
            }
            if dontFragment, !remote.address.isIPv6 {
                packet = try IPPacket.bytes(of: datagram, IPOptions(identification: UInt16(truncatingIfNeeded: identification)))
            }
            let fragments = (try? IPPacket.fragments(of: packet, mtu: room, identification: identification)) ?? [packet]
            for fragment in fragments { outbox.append(.packet(fragment, nextHop: route.nextHop)) }
        } catch {
            traces.note(.dropped(.unsendable(error)))
        }
    }

    /// Which of our addresses speaks to `address`, and over which neighbour.
    private func route(to address: IPAddress) -> (own: IPAddress, nextHop: IPAddress)? {
        for own in addresses where own.prefix.contains(address) { return (own.address, address) }
        for own in addresses where own.address.isIPv6 == address.isIPv6 {
            if let gateway = own.gateway { return (own.address, gateway) }
        }
        return nil
    }

    private mutating func emit(_ message: ICMPMessage, from source: IPAddress, to destination: IPAddress) {
        guard let route = route(to: destination), let packet = try? message.packet(from: source, to: destination) else { return }
        outbox.append(.packet(packet, nextHop: route.nextHop))
    }

    // MARK: Streams

    private mutating func carryOut(_ command: TCPCommand, at now: Instant) {
        var command = command
        if case .connect(let id, var local, let remote) = command {
            guard let route = route(to: remote.address) else { return outbox.append(.stream(.closed(id, .unreachable))) }
            if local.address.isUnspecified { local.address = route.own }
            command = .connect(id, from: local, to: remote)
        }
        tcp.receive(.command(command), at: now)
        drainTCP()
    }

    private mutating func drainTCP() {
        while let trace = tcp.nextTrace() { traces.note(.tcp(trace)) }
        while let output = tcp.nextOutput() {
            switch output {
            case .event(let event): outbox.append(.stream(event))
            case .segment(let segment):
                guard let route = route(to: segment.destination.address) else {
                    traces.note(.dropped(.noRoute(segment.destination.address)))
                    continue
                }
                do {
                    outbox.append(.packet(try segment.packet(), nextHop: route.nextHop))
                } catch {
                    traces.note(.dropped(.unsendable(error)))
                }
            }
        }
    }

    // MARK: In

    private mutating func take(_ packet: [UInt8], at now: Instant) {
        do {
            let parsed = try IPPacket(packet)
            guard addresses.contains(where: { $0.address == parsed.destination }) else {
                traces.note(.dropped(.notOurs(parsed.destination)))
                return
            }
            guard parsed.fragment != nil else { return try deliver(packet, parsed, at: now) }
            switch reassembler.receive(packet, parsed, at: now) {
            case .whole(let whole): try deliver(whole, IPPacket(whole), at: now)
            case .waiting: break
            case .dropped(let reason): traces.note(.dropped(.fragment(reason)))
            }
        } catch {
            traces.note(.dropped(.malformed(error)))
        }
    }

    private mutating func deliver(_ packet: [UInt8], _ parsed: IPPacket, at now: Instant) throws(PacketError) {
        try parsed.verifyChecksums(packet)
        switch parsed.transport {
        case .udp(let udp):
            let local = Endpoint(parsed.destination, udp.destination)
            let remote = Endpoint(parsed.source, udp.source)
            guard open.contains(udp.destination) else {
                guard ICMPMessage.mayAnswer(parsed) else { return }
                traces.note(.portUnreachableSent(remote, from: local))
                emit(.portUnreachable(quoting: packet), from: parsed.destination, to: parsed.source)
                return
            }
            outbox.append(.datagram(Datagram(from: remote, to: local, Array(packet[udp.payload]))))
        case .icmp(let icmp): deliver(icmp, packet, parsed, at: now)
        case .tcp:
            guard let segment = TCPSegment(parsed, in: packet) else { return }
            tcp.receive(.segment(segment), at: now)
            drainTCP()
        case .other, .laterFragment: traces.note(.dropped(.protocolUnknown(parsed.protocolNumber)))
        }
    }

    private mutating func deliver(_ icmp: ICMPHeader, _ packet: [UInt8], _ parsed: IPPacket, at now: Instant) {
        let kind: Unreachable
        switch icmp.meaning {
        case .echoRequest:
            emit(
                .echoReply(identifier: icmp.identifier, sequence: icmp.sequence, data: Array(packet[icmp.payload])),
                from: parsed.destination, to: parsed.source)
            return
        case .portUnreachable: kind = .port
        case .unreachable, .parameterProblem: kind = .destination
        case .timeExceeded, .reassemblyTimeExceeded: kind = .timeExceeded
        case .packetTooBig(let mtu): kind = .tooBig(mtu: max(mtu, parsed.source.isIPv6 ? 1_280 : 576))
        case .echoReply, .other: return
        }
        guard let quoted = try? IPPacket(quotedIn: packet, icmp.payload),
            quoted.protocolNumber == .udp || quoted.protocolNumber == .tcp,
            addresses.contains(where: { $0.address == quoted.source }), let ports = quoted.ports(packet)
        else { return }
        if case .tooBig(let mtu) = kind { learn(mtu, to: quoted.destination) }
        let local = Endpoint(quoted.source, ports.source)
        let remote = Endpoint(quoted.destination, ports.destination)
        guard quoted.protocolNumber == .tcp else { return outbox.append(.unreachable(local: local, remote: remote, kind)) }
        let sequenceAt = quoted.payload.lowerBound + TCPHeader.Offset.sequence
        let sequence = sequenceAt + 4 <= packet.count ? packet.uint32(at: sequenceAt) : nil
        let meaning: TCPHost.Unreachable
        switch kind {
        case .tooBig(let mtu): meaning = .tooBig(mtu: mtu)
        case .port, .destination, .noRoute: meaning = .destination
        case .timeExceeded: return
        }
        tcp.receive(.unreachable(local: local, remote: remote, sequence: sequence, meaning), at: now)
        drainTCP()
    }

    private mutating func learn(_ mtu: Int, to destination: IPAddress) {
        guard mtu < pathMTUs[destination] ?? self.mtu else { return }
        if pathMTUs[destination] == nil, pathMTUs.count >= Self.mostPathMTUs { pathMTUs.removeAll() }
        pathMTUs[destination] = mtu
        traces.note(.pathMTU(destination, mtu))
    }
}
