public import Base
import CLinux
import Glibc
import LinuxEdge
import Packet

/// What lies before a router that has no outside interface: this machine's own network, by ordinary sockets, for which nobody has to be root.
///
/// A UDP port of the router's is one of the machine's, of the same number where that is free, and hears everybody: how the router maps and filters
/// stays as it is. Connections from inside are ended here and begun again (`HostConnections`); none come in. Echo requests go out where the machine
/// lets its users ping (icmp(7), ping_group_range). `thisMachine` stands for 127.0.0.1.
public final class HostUplink {
    /// Of the addresses that are nobody's (RFC 7600 4.8).
    public static let thisMachine = IPv4Address(192, 0, 0, 8)
    /// Sockets for UDP and for echo at once; the one longest unused goes for a new one.
    static let mostSockets = 512
    /// Longest that an unused one is kept.
    static let idle = Duration.seconds(300)

    enum Drop: String, CaseIterable {
        case notIPv4 = "not IPv4"
        case protocolNumber = "neither UDP, TCP nor an echo request"
        case malformed = "malformed"
        case notSent = "the machine did not send it"
        case noSocket = "no socket left"
    }

    private struct Port {
        var descriptor: Int32
        var usedAt: Instant
        /// What was sent last, to be quoted.
        var last: [UInt8]
    }

    private enum Key: Hashable {
        case udp(UInt16)
        case echo(UInt16)
    }

    private let address: IPv4Address
    private let mtu: Int
    private let poll: EpollSet
    private var ports: [Key: Port] = [:]
    private var keys: [Int32: Key] = [:]
    private var connections: HostConnections
    private var reassembler = Reassembler()
    private var identification: UInt16 = 0
    private var packets = Outbox<[UInt8]>()
    private var buffer = [UInt8](repeating: 0, count: 65_536)
    private(set) var drops: [Drop: UInt64] = [:]

    /// `address`: the router's outside one.
    init(address: IPv4Address, mtu: Int, poll: EpollSet, entropy: Entropy) {
        (self.address, self.mtu, self.poll) = (address, mtu, poll)
        connections = HostConnections(mtu: mtu, poll: poll, entropy: entropy)
    }

    deinit { for descriptor in keys.keys { close(descriptor) } }

    // MARK: Packets

    func nextPacket() -> [UInt8]? {
        while let segment = connections.nextSegment() {
            if let packet = try? segment.packet() { packets.append(packet) }
        }
        return packets.next()
    }

    /// A packet that the router sent to its outside.
    func send(_ packet: [UInt8], at now: Instant) {
        guard case .whole(let bytes) = reassembler.receive(packet, at: now) else { return }
        guard let parsed = try? IPPacket(bytes) else { return drop(.malformed) }
        guard case .v4 = parsed.header else { return drop(.notIPv4) }
        switch parsed.transport {
        case .udp(let header):
            send(
                Array(bytes[header.payload]), to: Endpoint(parsed.destination, header.destination), by: .udp(header.source),
                bytes, now)
        case .icmp(let header) where header.type == 8:
            send(Array(bytes[parsed.payload]), to: Endpoint(parsed.destination, 0), by: .echo(header.identifier), bytes, now)
        case .tcp:
            guard let segment = TCPSegment(parsed, in: bytes) else { return drop(.malformed) }
            connections.receive(segment, at: now)
        case .icmp, .other, .laterFragment: drop(.protocolNumber)
        }
    }

    private func drop(_ reason: Drop) { drops[reason, default: 0] &+= 1 }

    private func send(_ payload: [UInt8], to destination: Endpoint, by key: Key, _ packet: [UInt8], _ now: Instant) {
        guard let descriptor = descriptor(for: key, now) else { return drop(.noSocket) }
        ports[key]?.usedAt = now
        ports[key]?.last = packet
        guard let place = SocketAddress(Self.outer(destination)) else { return drop(.notIPv4) }
        if place.use({ sendto(descriptor, payload, payload.count, Int32(MSG_DONTWAIT), $0, $1) }) < 0 {
            // What is to be told of earlier datagrams comes as an error of this one.
            let again = place.use { sendto(descriptor, payload, payload.count, Int32(MSG_DONTWAIT), $0, $1) }
            if again < 0 { drop(.notSent) }
        }
    }

    private func descriptor(for key: Key, _ now: Instant) -> Int32? {
        if let port = ports[key] { return port.descriptor }
        if ports.count >= Self.mostSockets, let oldest = ports.min(by: { $0.value.usedAt < $1.value.usedAt })?.key {
            forget(oldest)
        }
        let descriptor: Int32
        switch key {
        case .udp(let number): descriptor = Self.openUDP(number)
        case .echo:
            descriptor = socket(
                AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), Int32(IPPROTO_ICMP))
        }
        guard descriptor >= 0 else { return nil }
        ports[key] = Port(descriptor: descriptor, usedAt: now, last: [])
        keys[descriptor] = key
        poll.watch(descriptor, for: .input)
        return descriptor
    }

    /// Bound to that port, or to any where another program has it.
    private static func openUDP(_ number: UInt16) -> Int32 {
        var bound = pl_address()
        for number in [number, 0] {
            var wanted = Endpoint(.v4(.any), number).kernelAddress()
            let descriptor = pl_udp_open(&wanted, false, true, 1 << 20, &bound)
            if descriptor >= 0 { return descriptor }
        }
        return -1
    }

    private func forget(_ key: Key) {
        guard let port = ports.removeValue(forKey: key) else { return }
        keys[port.descriptor] = nil
        poll.forget(port.descriptor)
        close(port.descriptor)
    }

    /// The address as this machine knows it, and as those inside do.
    static func outer(_ endpoint: Endpoint) -> Endpoint {
        endpoint.address == .v4(thisMachine) ? Endpoint(.v4(IPv4Address(127, 0, 0, 1)), endpoint.port) : endpoint
    }

    static func inner(_ endpoint: Endpoint) -> Endpoint {
        guard case .v4(let address) = endpoint.address, address.octets.0 == 127 else { return endpoint }
        return Endpoint(.v4(thisMachine), endpoint.port)
    }

    // MARK: Sockets

    func ready(_ descriptor: Int32, at now: Instant) {
        guard let key = keys[descriptor] else { return connections.ready(descriptor, at: now) }
        hearErrors(key, descriptor)
        for _ in 0..<64 {
            var place = SocketAddress()
            let count = place.fill { recvfrom(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT), $0, $1) }
            guard count >= 0, let source = place.endpoint.map(Self.inner) else { break }
            ports[key]?.usedAt = now
            take(Array(buffer[..<count]), from: source, by: key)
        }
    }

    private func take(_ payload: [UInt8], from source: Endpoint, by key: Key) {
        identification &+= 1
        let options = IPOptions(identification: identification)
        var packet: [UInt8]?
        switch key {
        case .udp(let number):
            packet = try? IPPacket.bytes(
                of: Datagram(from: source, to: Endpoint(.v4(address), number), payload), options)
        case .echo(let identifier):
            guard payload.count >= 8, payload[0] == 0 else { return }
            packet = try? ICMPMessage.echoReply(
                identifier: identifier, sequence: UInt16(payload[6]) << 8 | UInt16(payload[7]), data: Array(payload[8...])
            ).packet(from: source.address, to: .v4(address))
        }
        guard let packet, let pieces = try? IPPacket.fragments(of: packet, mtu: mtu) else { return }
        for piece in pieces { packets.append(piece) }
    }

    /// What ICMP told the machine of datagrams we sent is told to the router.
    private func hearErrors(_ key: Key, _ descriptor: Int32) {
        guard case .udp = key else { return }
        var destination = pl_address()
        while true {
            let code = pl_udp_error(descriptor, &destination)
            guard code != 0 else { return }
            guard let place = Endpoint(destination).map(Self.inner), let last = ports[key]?.last,
                let parsed = try? IPPacket(last),
                parsed.destination == place.address
            else { continue }
            let message: ICMPMessage = code == ECONNREFUSED ? .portUnreachable(quoting: last) : .hostUnreachable(quoting: last)
            if let packet = try? message.packet(from: place.address, to: .v4(address)) { packets.append(packet) }
        }
    }

    // MARK: Time

    var nextDeadline: Instant? {
        let oldest = ports.values.map { $0.usedAt + Self.idle }.min()
        return [oldest, connections.nextDeadline, reassembler.nextDeadline].compactMap { $0 }.min()
    }

    func advance(to now: Instant) {
        connections.advance(to: now)
        while reassembler.expire(at: now) != nil {}
        for (key, port) in ports where now - port.usedAt >= Self.idle { forget(key) }
    }
}
