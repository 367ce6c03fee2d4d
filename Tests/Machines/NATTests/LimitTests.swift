import Base
import NAT
import Packet
import Testing

@Suite("Caps, eviction, reboot, hostile packets")
struct LimitTests {
    static let server = "203.0.113.5:5060"

    @Test("a full table refuses new flows, with ICMP prohibited, and keeps old ones")
    func refuses() {
        let rig = Rig {
            $0.limits.mappings = 2
            $0.limits.whenFull = .refuseNew
        }
        _ = rig.out("192.168.1.2:1001", Self.server)
        _ = rig.out("192.168.1.3:1002", Self.server)
        #expect(rig.out("192.168.1.4:1003", Self.server) == .icmp(3, 13))
        #expect(rig.out("192.168.1.2:1001", Self.server) == .through("192.0.2.1:1001", Self.server))
        #expect(rig.nat.counters.refused == 1 && rig.nat.counters.dropped == 1)
        #expect(
            rig.traces().contains(
                .dropped(.mappingLimit, .outbound, proto: 17, from: at("192.168.1.4:1003"), to: at(Self.server))))
    }

    @Test("without an inside address, or where the box is silent, the refusal is silent")
    func silent() {
        let rig = Rig {
            $0.limits.mappings = 0
            $0.reportsRefusals = false
        }
        #expect(rig.out("192.168.1.2:1001", Self.server) == .dropped(.mappingLimit))
    }

    @Test("or evicts the mapping idle longest")
    func evicts() {
        let rig = Rig {
            $0.limits.mappings = 2
            $0.limits.whenFull = .evictOldestIdle
        }
        _ = rig.out("192.168.1.2:1001", Self.server)
        _ = rig.out("192.168.1.3:1002", Self.server)
        rig.wait(1)
        _ = rig.out("192.168.1.2:1001", Self.server)
        #expect(rig.out("192.168.1.4:1003", Self.server) == .through("192.0.2.1:1003", Self.server))
        #expect(rig.nat.mappings.map(\.internal.port) == [1001, 1003])
        #expect(rig.nat.counters.evicted == 1)
        #expect(rig.traces().contains { if case .ended(let gone, .evicted) = $0 { gone.internal.port == 1002 } else { false } })
    }

    @Test(
        "a host at its own limit is refused, or evicts its own, never another's",
        arguments: [WhenFull.refuseNew, .evictUnanswered, .evictOldestIdle])
    func hostLimit(_ policy: WhenFull) {
        let rig = Rig {
            $0.limits.mappingsPerHost = 2
            $0.limits.whenFull = policy
        }
        _ = rig.out("192.168.1.9:999", Self.server)
        let seen = (1001...1003).map { rig.out("192.168.1.2:\($0)", Self.server) }
        switch policy {
        case .refuseNew:
            #expect(seen.last == .icmp(3, 13))
            #expect(rig.nat.mappings.map(\.internal.port) == [999, 1001, 1002])
        case .evictUnanswered, .evictOldestIdle:
            #expect(seen.last == .through("192.0.2.1:1003", Self.server))
            #expect(rig.nat.mappings.map(\.internal.port) == [999, 1002, 1003])
        }
    }

    @Test("remotes of one mapping are bounded: the one idle longest is forgotten")
    func sessionLimit() {
        let rig = Rig(.endpointIndependent, .addressAndPortDependent) { $0.limits.sessionsPerMapping = 2 }
        for remote in 1...3 { _ = rig.out("192.168.1.2:1001", "203.0.113.\(remote):9") }
        let seen = (1...3).map { rig.back("203.0.113.\($0):9", "192.0.2.1:1001") }
        #expect(seen == [.dropped(.filtered)] + (2...3).map { .through("203.0.113.\($0):9", "192.168.1.2:1001") })
        #expect(rig.nat.counters.sessionsEvicted == 1)
    }

    @Test("a reboot forgets everything, also where the port order stood; identifiers of before stay dead")
    func reboot() throws {
        let rig = Rig(.endpointIndependent, .addressDependent) {
            $0.ports.preservesPort = false
            $0.ports.preservesParity = false
            $0.ports.order = .descending(from: 52_899)
        }
        let phone = "192.168.1.2:5060"
        _ = rig.out(phone, Self.server)
        _ = rig.out("192.168.1.2:5062", Self.server)
        let old = try #require(rig.nat.mappings.first)
        _ = rig.reserve(exactly: "192.0.2.1:3478")
        rig.nat.reboot(at: rig.now)
        #expect(rig.nat.mappings.isEmpty && rig.nat.nextDeadline == nil)
        #expect(rig.traces().last == .rebooted(mappingsLost: 2))
        #expect(rig.back(Self.server, "192.0.2.1:52899") == .dropped(.noMapping))
        #expect(rig.out(phone, Self.server) == .through("192.0.2.1:52899", Self.server))
        #expect(rig.nat.mapping(old.id) == nil)
        #expect(rig.out(phone, Self.server, via: old.id) == .dropped(.unknownMapping))
        #expect(rig.reserve(exactly: "192.0.2.1:3478"))
    }

    @Test("nextDeadline leads to the expiry, in at most two steps, and to silence")
    func deadlines() throws {
        let rig = Rig()
        _ = rig.out("192.168.1.2:1001", Self.server)
        rig.wait(100)
        _ = rig.out("192.168.1.2:1001", Self.server)
        let first = try #require(rig.nat.nextDeadline)
        rig.nat.advance(to: first)
        let second = try #require(rig.nat.nextDeadline)
        #expect(second == rig.now + .seconds(300))
        rig.nat.advance(to: second)
        #expect(rig.nat.nextDeadline == nil && rig.nat.mappingCount == 0)
    }

    static let malformed: [(name: String, bytes: [UInt8])] = {
        let good = udp("192.168.1.2:1001", server)
        func with(_ change: (inout [UInt8]) -> Void) -> [UInt8] {
            var bytes = good
            change(&bytes)
            return bytes
        }
        return [
            ("nothing", []), ("one byte", [0x45]), ("header cut", Array(good.prefix(19))),
            ("header length 16", with { $0[0] = 0x44 }), ("header past the end", with { $0[0] = 0x4f }),
            ("total length past the end", with { $0.replace(at: 2, bigEndian: 999) }),
            ("total length below the header", with { $0.replace(at: 2, bigEndian: 19) }),
            ("UDP length 7", with { $0.replace(at: 24, bigEndian: 7) }),
            ("UDP length past the end", with { $0.replace(at: 24, bigEndian: 999) }),
            ("version 5", with { $0[0] = 0x55 }),
        ]
    }()

    @Test("malformed packets are dropped as such, both ways", arguments: 0..<10)
    func malformedPackets(_ number: Int) {
        let rig = Rig()
        for seen in [rig.send(Self.malformed[number].bytes), rig.receive(Self.malformed[number].bytes)] {
            guard case .dropped(.malformed) = seen else {
                #expect(Bool(false), "\(Self.malformed[number].name): \(seen)")
                continue
            }
        }
    }

    @Test("protocols without ports, and IPv6, are not for a NAT44")
    func otherProtocols() throws {
        let rig = Rig()
        let gre = try IPPacket.bytes(
            from: at("192.168.1.2:1").address, to: at(Self.server).address, IPProtocol(rawValue: 47), [1, 2])
        #expect(rig.send(gre) == .dropped(.unsupportedProtocol(47)))
        let v6 = try IPPacket.bytes(of: Datagram(from: at("[2001:db8::1]:1"), to: at("[2001:db8::2]:1"), [1]))
        #expect(rig.send(v6) == .dropped(.unsupportedProtocol(17)))
    }

    @Test("link padding after the packet is cut off")
    func padding() {
        let rig = Rig()
        let packet = udp("192.168.1.2:1001", Self.server)
        #expect(rig.sent(packet + [0, 0, 0])?.count == packet.count)
    }

    @Test(
        "any bytes: no trap, tables stay within their bounds, and whatever passes is a right packet",
        arguments: 1...4 as ClosedRange<UInt64>)
    func fuzz(_ seed: UInt64) throws {
        var random = Entropy(labSeed: seed)
        let rig = Rig(.addressDependent, .addressDependent) {
            $0.limits.mappings = 50
            $0.limits.whenFull = .evictOldestIdle
            $0.limits.fragmentOctets = 4096
            $0.limits.heldSYNs = 8
            $0.timers.udp = .seconds(5)
        }
        rig.nat.isTracing = false
        let seeds = [
            udp("192.168.1.2:1001", Self.server), tcp("192.168.1.2:1001", Self.server, .syn),
            ping("192.168.1.2", "203.0.113.5", 7),
            udp(Self.server, "192.0.2.1:1001"), tcp(Self.server, "192.0.2.1:1001", .syn), pong("203.0.113.5", "192.0.2.1", 7),
            try ICMPMessage.portUnreachable(quoting: udp("192.0.2.1:1001", Self.server))
                .packet(from: at(Self.server).address, to: .v4(external)),
            try ICMPMessage.timeExceeded(quoting: udp(Self.server, "192.168.1.2:1001"))
                .packet(from: at("192.168.1.2:1").address, to: at(Self.server).address),
        ]
        for _ in 0..<6_000 {
            var packet = seeds.randomElement(using: &random)!
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                let place = Int.random(in: 0..<packet.count, using: &random)
                packet[place] = Bool.random(using: &random) ? UInt8.random(in: 0...255, using: &random) : packet[place] ^ 1
            }
            if Int.random(in: 0..<8, using: &random) == 0 { packet.removeLast(Int.random(in: 0...packet.count, using: &random)) }
            rig.now += .milliseconds(Int.random(in: 0...300, using: &random))
            let verdict =
                Bool.random(using: &random) ? rig.outbound(packet) : rig.inbound(packet)
            if let passed = verdict.packet {
                #expect((try? IPPacket(passed)) != nil)
            } else if verdict.bytes != packet {
                // What does not go on is left as it came, but for the padding after it.
                #expect(try verdict.bytes == Array(packet[IPPacket(packet).range]))
            }
            while rig.nat.nextOutput() != nil {}
        }
        #expect(rig.nat.mappingCount <= 50)
        #expect(rig.nat.counters.created > 100)
    }
}
