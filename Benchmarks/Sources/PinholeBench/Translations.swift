import ALG
import Base
import CSockets
import Foundation
import NAT
import Packet
import RouterNode

/// What carries the packets.
enum TranslationPath: String {
    /// The NAT alone: parse, translate.
    case nat
    /// The whole router, SIP helper off.
    case router
    /// The whole router, helper on; the packets are media, which it looks at and leaves alone.
    case helper
    /// The same, and each packet from inside is a REGISTER that it rewrites.
    case sip
}

/// One flow: both ends of its mapping, towards one server, and the checksums of its packets.
private struct Flow {
    var inside: UInt32
    var insidePort: UInt16
    var outside: UInt32 = 0
    var outsidePort: UInt16 = 0
    var out: (ip: UInt16, udp: UInt16) = (0, 0)
    var back: (ip: UInt16, udp: UInt16) = (0, 0)
}

/// `size` mappings, each used both ways in turn, in an order that no cache can foresee.
private struct TranslationLoad {
    static let server = Endpoint(.v4(IPv4Address(198, 51, 100, 20)), 20_000)
    static let lan = IPv4Address(10, 255, 255, 254)

    let path: TranslationPath
    let remote: Endpoint
    var nat: AddressTranslator
    var router: RouterNode
    var flows: [Flow] = []
    var buffer: [UInt8] = []
    /// A packet of each flow but for addresses, ports and checksums.
    var template: [UInt8] = []
    var now = Instant(seconds: 1_800_000_000)
    let payload: [UInt8]

    init(_ path: TranslationPath, size: Int) {
        self.path = path
        remote = path == .sip ? Endpoint(Self.server.address, 5060) : Self.server
        payload = path == .sip ? Array(Self.register.utf8) : [UInt8](repeating: 0x55, count: 172)
        let addresses = (0...(size / 50_000)).map { IPv4Address(bits: 0xcb00_7101 &+ UInt32($0)) }
        var settings = NATSettings(externalAddresses: addresses)
        settings.limits.mappings = size
        settings.insideAddress = Self.lan
        nat = AddressTranslator(settings: settings, entropy: Entropy(labSeed: 1))
        nat.isTracing = false
        var box = RouterSettings(lan: Self.lan, prefixLength: 8, wan: addresses[0], nat: settings)
        if path == .helper || path == .sip { box.alg = .linux }
        router = RouterNode(settings: box, entropy: Entropy(labSeed: 1))
        router.isTracing = false
    }

    private static let register = [
        "REGISTER sip:example.net SIP/2.0", "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-776asdhds;rport", "Max-Forwards: 70",
        "From: <sip:alice@example.net>;tag=a73kszlfl", "To: <sip:alice@example.net>", "Call-ID: 1j9FpLxk3uxtm8tn@10.0.0.1",
        "CSeq: 1 REGISTER", "Contact: <sip:alice@10.0.0.1:5060>;expires=3600", "User-Agent: bench", "Content-Length: 0", "", "",
    ].joined(separator: "\r\n")

    /// Makes the mappings, each with its own packet.
    mutating func fill(_ size: Int) throws {
        flows.reserveCapacity(size)
        for number in 0..<size {
            // Sixteen flows a host.
            let host = IPv4Address(bits: 0x0a00_0001 &+ UInt32(number / 16))
            let inside = Endpoint(.v4(host), path == .sip ? 5060 + UInt16(number % 16) : UInt16(10_000 + number % 16 * 2))
            let bytes = try IPPacket.bytes(of: Datagram(from: inside, to: remote, payload), IPOptions())
            var flow = Flow(inside: host.bits, insidePort: inside.port)
            flow.out = (bytes.uint16(at: 10), bytes.uint16(at: 26))
            buffer = bytes
            try pass(.lan)
            let packet = try IPPacket(buffer)
            guard case .v4(let outside) = packet.source, let ports = packet.ports(buffer) else { throw BenchError("no packet") }
            (flow.outside, flow.outsidePort) = (outside.bits, ports.source)
            let back = try IPPacket.bytes(
                of: Datagram(from: remote, to: Endpoint(.v4(outside), ports.source), payload), IPOptions())
            flow.back = (back.uint16(at: 10), back.uint16(at: 26))
            flows.append(flow)
        }
        template = try IPPacket.bytes(of: Datagram(from: remote, to: remote, payload), IPOptions())
        buffer = template
    }

    /// Through the NAT or the router; the buffer comes back with what went on.
    @inline(__always)
    private mutating func pass(_ side: RouterInterface) throws {
        now = now + .nanoseconds(200)
        guard path != .nat else {
            var packet = try IPPacket(buffer)
            let verdict = side == .lan ? nat.outbound(&buffer, &packet, at: now) : nat.inbound(&buffer, &packet, at: now)
            guard case .forward = verdict else { throw BenchError("\(verdict)") }
            return
        }
        var taken: [UInt8] = []
        swap(&taken, &buffer)
        router.receive(.packet(side, taken), at: now)
        taken = []
        guard case .packet(let out, let bytes) = router.nextOutput(), out != side else { throw BenchError("not forwarded") }
        buffer = bytes
    }

    @inline(__always)
    private mutating func send(_ flow: Flow, _ side: RouterInterface) throws {
        let server: (UInt32, UInt16) = (0xc633_6414, remote.port)
        let from = side == .lan ? (flow.inside, flow.insidePort) : server
        let to = side == .lan ? server : (flow.outside, flow.outsidePort)
        let sums = side == .lan ? flow.out : flow.back
        buffer.withUnsafeMutableBytes { bytes in
            bytes[8] = 64
            bytes.storeBytes(of: sums.ip.bigEndian, toByteOffset: 10, as: UInt16.self)
            bytes.storeBytes(of: from.0.bigEndian, toByteOffset: 12, as: UInt32.self)
            bytes.storeBytes(of: to.0.bigEndian, toByteOffset: 16, as: UInt32.self)
            bytes.storeBytes(of: from.1.bigEndian, toByteOffset: 20, as: UInt16.self)
            bytes.storeBytes(of: to.1.bigEndian, toByteOffset: 22, as: UInt16.self)
            bytes.storeBytes(of: sums.udp.bigEndian, toByteOffset: 26, as: UInt16.self)
        }
        try pass(side)
    }

    /// Sends `count` packets; nanoseconds of CPU for each.
    mutating func run(_ count: Int) throws -> Double {
        var state: UInt64 = 88_172_645_463_325_252
        let start = bench_thread_cpu()
        for number in 0..<count {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            let flow = flows[Int(truncatingIfNeeded: ((state >> 32) &* UInt64(flows.count)) >> 32)]
            if path == .sip {
                buffer = template
                try send(flow, .lan)
            } else {
                try send(flow, number & 1 == 0 ? .lan : .wan)
            }
        }
        return Double(bench_thread_cpu() - start) / Double(count)
    }
}

/// Allocations so far, where scripts/bench put the counter in front of malloc; nil: nobody counts.
private func allocations() -> UInt64? {
    guard let symbol = dlsym(nil, "bench_allocations") else { return nil }
    return unsafeBitCast(symbol, to: (@convention(c) () -> UInt64).self)()
}

/// Nanoseconds and allocations for each of `count` packets over `size` mappings.
func measureTranslations(_ path: String, size: Int, count: Int) throws -> String {
    guard let path = TranslationPath(rawValue: path) else { throw BenchError("paths: nat, router, helper, sip") }
    var load = TranslationLoad(path, size: size)
    try load.fill(size)
    _ = try load.run(count / 10 + size)
    let before = allocations()
    let cost = try load.run(count)
    guard let before, let after = allocations() else { return "\(cost) -" }
    return "\(cost) \(Double(after - before) / Double(count))"
}
