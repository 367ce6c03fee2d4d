import Base
import Ethernet
import Packet

/// A port and the link it stands on.
struct PortBench {
    static let mac = MACAddress("02:00:00:00:00:01")!
    static let phoneMAC = MACAddress("00:0e:08:aa:bb:cc")!
    static let router = IPv4Address(192, 168, 1, 1)
    static let phone = IPv4Address(192, 168, 1, 64)
    static let router6 = IPv6Address("fe80::1")!
    static let phone6 = IPv6Address("fe80::20e:8ff:feaa:bbcc")!

    var port: EthernetPort
    var now = Instant(seconds: 1_000_000)
    var frames: [[UInt8]] = []
    var packets: [[UInt8]] = []
    var unreachable: [[UInt8]] = []
    var traces: [EthernetTrace] = []

    /// Without the announcements of the start.
    init(_ change: (inout EthernetPort.Settings) -> Void = { _ in }) {
        var settings = EthernetPort.Settings(
            mac: Self.mac,
            addresses: [
                InterfaceAddress(address: .v4(Self.router), prefixLength: 24),
                InterfaceAddress(address: .v6(Self.router6), prefixLength: 64),
                InterfaceAddress(address: .v6(IPv6Address("2001:db8:1::1")!), prefixLength: 64),
            ])
        change(&settings)
        port = EthernetPort(settings, at: now)
        advance(.seconds(2))
        frames = []
        traces = []
    }

    mutating func receive(_ input: EthernetPort.Input) {
        port.receive(input, at: now)
        collect()
    }

    mutating func advance(_ time: Duration) {
        let end = now + time
        while let next = port.nextDeadline, next <= end {
            now = max(now, next)
            port.advance(to: now)
            collect()
        }
        now = end
        port.advance(to: now)
        collect()
    }

    private mutating func collect() {
        while let output = port.nextOutput() {
            switch output {
            case .frame(let bytes): frames.append(bytes)
            case .packet(let bytes): packets.append(bytes)
            case .unreachable(let bytes): unreachable.append(bytes)
            }
        }
        while let trace = port.nextTrace() { traces.append(trace) }
    }

    func dropped(_ reason: EthernetDropReason) -> UInt64 { port.counters[reason] }

    /// Hexadecimal digits, blanks ignored.
    static func bytes(_ text: String) -> [UInt8] {
        let digits = text.utf8.compactMap { hexDigit($0) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    static func frame(
        to destination: MACAddress = mac, from source: MACAddress = phoneMAC, kind: UInt16 = 0x0800, _ payload: [UInt8]
    ) -> [UInt8] {
        destination.octets + source.octets + [UInt8(kind >> 8), UInt8(kind & 255)] + payload
    }

    static func arp(
        _ operation: UInt8, from sender: IPv4Address, _ mac: MACAddress = phoneMAC, to target: IPv4Address,
        _ targetMAC: MACAddress = MACAddress(bits: 0), at destination: MACAddress = .broadcast
    ) -> [UInt8] {
        var bytes: [UInt8] = [0, 1, 8, 0, 6, 4, 0, operation] + mac.octets
        bytes.append(bigEndian: sender.bits)
        bytes += targetMAC.octets
        bytes.append(bigEndian: target.bits)
        return frame(to: destination, from: mac, kind: 0x0806, bytes)
    }

    static func udp(from: IPAddress, to: IPAddress, _ payload: [UInt8] = [1, 2, 3]) -> [UInt8] {
        try! IPPacket.bytes(of: Datagram(from: Endpoint(from, 5060), to: Endpoint(to, 5060), payload))
    }

    /// A neighbour discovery message; `option`: its link-layer address.
    static func discovery(
        _ type: UInt8, _ target: IPv6Address, from: IPv6Address, to: IPv6Address, flags: UInt32 = 0, option: MACAddress?,
        hopLimit: UInt8 = 255, at mac: MACAddress = mac, spoilsChecksum: Bool = false
    ) -> [UInt8] {
        var body: [UInt8] = [type, 0, 0, 0]
        body.append(bigEndian: flags)
        body.append(.v6(target))
        if let option { body += [type == 135 ? 1 : 2, 1] + option.octets }
        var sum = InternetChecksum()
        sum.addPseudoHeader(.v6(from), .v6(to), .icmpv6, length: body.count)
        sum.add(body, in: 0..<body.count)
        body.replace(at: 2, bigEndian: spoilsChecksum ? sum.value ^ 1 : sum.value)
        let packet = try! IPPacket.bytes(
            from: .v6(from), to: .v6(to), .icmpv6, body, IPOptions(timeToLive: hopLimit))
        return frame(to: mac, kind: 0x86dd, packet)
    }
}
