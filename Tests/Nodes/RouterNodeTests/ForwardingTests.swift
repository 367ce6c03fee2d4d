import ALG
import Base
import NAT
import Packet
import RouterNode
import Testing

@Suite("forwarding")
struct ForwardingTests {
    let phone = RouterBench.phone
    let server = RouterBench.server

    private func bench(_ change: (inout RouterSettings) -> Void = { _ in }) -> RouterBench {
        var settings = RouterSettings.generic(
            wan: RouterBench.wan, mapping: .endpointIndependent, filtering: .endpointIndependent)
        change(&settings)
        return RouterBench(settings)
    }

    private func only(_ bench: RouterBench, _ interface: RouterInterface) throws -> (bytes: [UInt8], packet: IPPacket) {
        let sent = bench.sent.filter { $0.interface == interface }
        #expect(sent.count == 1)
        let bytes = try #require(sent.first).bytes
        let packet = try IPPacket(bytes)
        try packet.verifyChecksums(bytes)
        return (bytes, packet)
    }

    @Test("RFC 1812 5.3.1: Time to Live is taken down by one, both ways, checksums right")
    func timeToLive() throws {
        var bench = bench()
        try bench.send(.lan, phone, server, [1, 2, 3], ttl: 9)
        let out = try only(bench, .wan)
        #expect(out.packet.timeToLive == 8)
        let mapped = try #require(try datagram(out.bytes)).source
        bench.sent = []
        try bench.send(.wan, server, mapped, [4, 5, 6], ttl: 2)
        #expect(try only(bench, .lan).packet.timeToLive == 1)
    }

    @Test("RFC 1812 5.3.1: at the last hop the sender hears Time Exceeded, and no mapping is made")
    func timeExceeded() throws {
        var bench = bench()
        try bench.send(.lan, phone, server, [1, 2, 3], ttl: 1)
        let answer = try only(bench, .lan)
        #expect(answer.packet.source == .v4(IPv4Address(192, 168, 1, 1)))
        #expect(answer.packet.destination == phone.address)
        guard case .icmp(let icmp) = answer.packet.transport else {
            Issue.record("no ICMP")
            return
        }
        #expect(icmp.meaning == .timeExceeded)
        #expect(bench.router.mappings.isEmpty)
        #expect(bench.traces.contains(.dropped(.timeToLive, .lan)))
    }

    @Test("RFC 1812 4.3.2.8: errors are limited by side and told when withheld; the other side still hears its own")
    func errorRate() throws {
        var bench = bench {
            $0.limits.icmpErrorsPerSecond = 10
            $0.limits.icmpErrorBurst = 4
        }
        func errors(_ interface: RouterInterface) -> Int { bench.sent.filter { $0.interface == interface }.count }
        try bench.send(.lan, phone, server, [1])
        let mapped = try #require(try datagram(try only(bench, .wan).bytes)).source
        bench.sent = []
        for _ in 0..<100 { try bench.send(.wan, server, mapped, [4], ttl: 1) }
        #expect(errors(.wan) == 4 && bench.router.icmpErrorsWithheld == 96)
        #expect(bench.traces.filter { $0 == .errorWithheld(.wan) }.count == 96)
        #expect(bench.traces.filter { $0 == .dropped(.timeToLive, .wan) }.count == 100)
        try bench.send(.lan, phone, server, [1], ttl: 1)
        #expect(errors(.lan) == 1)
        // A tenth of a second for one, and never more than the burst.
        bench.run(to: 99)
        try bench.send(.wan, server, mapped, [4], ttl: 1)
        #expect(errors(.wan) == 4)
        bench.run(to: 100)
        for _ in 0..<2 { try bench.send(.wan, server, mapped, [4], ttl: 1) }
        #expect(errors(.wan) == 5)
        bench.run(to: 60_000)
        for _ in 0..<9 { try bench.send(.wan, server, mapped, [4], ttl: 1) }
        #expect(errors(.wan) == 9)
    }

    @Test("RFC 1812 4.3.2.8: echo replies are no errors, and a second's worth of errors hinders no forwarding")
    func notErrors() throws {
        var bench = bench { $0.limits.icmpErrorBurst = 1 }
        for _ in 0..<20 { try bench.send(.lan, phone, server, [1], ttl: 1) }
        #expect(bench.router.icmpErrorsWithheld == 19)
        bench.sent = []
        for number in 0..<20 {
            let echo = ICMPMessage.echoRequest(identifier: 7, sequence: UInt16(number), data: [1])
            bench.feed(.packet(.lan, try echo.packet(from: phone.address, to: .v4(IPv4Address(192, 168, 1, 1)))))
            try bench.send(.lan, phone, server, [1])
        }
        #expect(bench.sent.filter { $0.interface == .lan }.count == 20)
        #expect(bench.sent.filter { $0.interface == .wan }.count == 20)
    }

    @Test("larger than the way out: cut into fragments whose whole is the translated packet")
    func fragments() throws {
        var bench = bench { $0.wanMTU = 576 }
        let payload = (0..<1400).map { UInt8(truncatingIfNeeded: $0) }
        try bench.send(.lan, phone, server, payload)
        let parts = bench.sent.filter { $0.interface == .wan }.map(\.bytes)
        #expect(parts.count == 3)
        #expect(parts.allSatisfy { $0.count <= 576 })
        var reassembler = Reassembler()
        var whole: [UInt8]?
        for part in parts { if case .whole(let packet) = reassembler.receive(part, at: bench.now) { whole = packet } }
        #expect(try datagram(try #require(whole))?.payload == payload)
    }

    @Test("RFC 1191 4: with Don't Fragment the sender hears the next hop's MTU and its own packet quoted")
    func dontFragment() throws {
        var bench = bench { $0.wanMTU = 576 }
        let packet = try IPPacket.bytes(
            of: Datagram(from: phone, to: server, [UInt8](repeating: 7, count: 600)), IPOptions(dontFragment: true))
        bench.feed(.packet(.lan, packet))
        let answer = try only(bench, .lan)
        guard case .icmp(let icmp) = answer.packet.transport else {
            Issue.record("no ICMP")
            return
        }
        #expect(icmp.meaning == .packetTooBig(mtu: 576))
        #expect(try IPPacket(quotedIn: answer.bytes, icmp.payload).source == phone.address)
    }

    @Test("RFC 1812 4.3.3.6: the router answers echo requests, on the WAN side only if it may", arguments: [true, false])
    func ping(wan: Bool) throws {
        var bench = bench { $0.answersWANPing = wan }
        let echo = ICMPMessage.echoRequest(identifier: 5, sequence: 6, data: [1, 2, 3])
        bench.feed(.packet(.lan, try echo.packet(from: phone.address, to: .v4(IPv4Address(192, 168, 1, 1)))))
        let reply = try only(bench, .lan)
        #expect(reply.packet.destination == phone.address)
        guard case .icmp(let icmp) = reply.packet.transport else {
            Issue.record("no ICMP")
            return
        }
        #expect(icmp.meaning == .echoReply && icmp.identifier == 5 && icmp.sequence == 6)
        bench.sent = []
        bench.feed(.packet(.wan, try echo.packet(from: server.address, to: .v4(RouterBench.wan))))
        #expect(bench.sent.count == (wan ? 1 : 0))
    }

    @Test("a ping from inside is translated out and its reply back in")
    func pingThrough() throws {
        var bench = bench()
        bench.feed(
            .packet(
                .lan,
                try ICMPMessage.echoRequest(identifier: 5, sequence: 6, data: [1]).packet(from: phone.address, to: server.address)
            ))
        let out = try only(bench, .wan)
        guard case .icmp(let icmp) = out.packet.transport else {
            Issue.record("no ICMP")
            return
        }
        bench.sent = []
        let reply = ICMPMessage.echoReply(identifier: icmp.identifier, sequence: 6, data: [1])
        bench.feed(.packet(.wan, try reply.packet(from: server.address, to: .v4(RouterBench.wan))))
        #expect(try only(bench, .lan).packet.destination == phone.address)
    }

    @Test("behind another router: both translate, the answer finds its way through both")
    func tree() throws {
        var outer = bench()
        var inner = RouterBench(
            .generic(
                name: "inner", lan: IPv4Address(10, 0, 0, 1), wan: IPv4Address(192, 168, 1, 50), mapping: .endpointIndependent,
                filtering: .endpointIndependent))
        let host = Endpoint("10.0.0.9:4000")!
        try inner.send(.lan, host, server, [1, 2, 3])
        outer.feed(.packet(.lan, try only(inner, .wan).bytes))
        let seen = try #require(try datagram(try only(outer, .wan).bytes))
        #expect(seen.source.address == .v4(RouterBench.wan))
        try outer.send(.wan, server, seen.source, [9])
        inner.sent = []
        inner.feed(.packet(.wan, try only(outer, .lan).bytes))
        let back = try #require(try datagram(try only(inner, .lan).bytes))
        #expect(back.destination == host && back.payload == [9])
    }

    @Test("without a NAT packets are routed as they are")
    func plain() throws {
        var bench = bench { $0.nat = nil }
        try bench.send(.lan, phone, server, [1])
        #expect(try datagram(try only(bench, .wan).bytes)?.source == phone)
        bench.sent = []
        try bench.send(.wan, server, phone, [2])
        #expect(try datagram(try only(bench, .lan).bytes)?.destination == phone)
    }

    @Test("IPv6 is routed untranslated, with hop limit and Packet Too Big")
    func ipv6() throws {
        var bench = bench {
            $0.lanIPv6 = IPv6Address("2001:db8:1::1")
            $0.wanIPv6 = IPv6Address("2001:db8::1")
            $0.lanRoutes = [IPPrefix("2001:db8:1::/64")!]
            $0.wanMTU = 1280
        }
        let host = Endpoint("[2001:db8:1::5]:5060")!
        let far = Endpoint("[2001:db8:2::5]:5060")!
        try bench.send(.lan, host, far, [1, 2])
        let out = try only(bench, .wan)
        #expect(out.packet.source == host.address && out.packet.timeToLive == 63)
        bench.sent = []
        try bench.send(.wan, far, host, [3])
        #expect(try only(bench, .lan).packet.destination == host.address)
        bench.sent = []
        try bench.send(.lan, host, far, [UInt8](repeating: 0, count: 1300))
        guard case .icmp(let icmp) = try only(bench, .lan).packet.transport else {
            Issue.record("no ICMPv6")
            return
        }
        #expect(icmp.meaning == .packetTooBig(mtu: 1280))
    }

    @Test(
        "what is no packet, or none that may cross a router, goes nowhere",
        arguments: [
            [], [0x45], [UInt8](repeating: 0x45, count: 20), [UInt8](repeating: 0xff, count: 40),
            [0x60] + [UInt8](repeating: 0, count: 39),
        ] as [[UInt8]])
    func garbage(bytes: [UInt8]) {
        var bench = bench()
        bench.feed(.packet(.lan, bytes))
        bench.feed(.packet(.wan, bytes))
        #expect(bench.sent.isEmpty)
        #expect(bench.traces.count >= 2)
    }

    @Test("damaged packets never trap")
    func damaged() throws {
        var entropy = Entropy(labSeed: 3)
        var bench = RouterBench(.linux(wan: RouterBench.wan))
        let whole = try IPPacket.bytes(
            of: Datagram(from: phone, to: server, Array(Script.register(1, contact: "192.168.1.2:5060").utf8)))
        let segment = try TCPSegment(
            from: phone, to: server, sequence: 1, flags: [.ack, .psh],
            payload: Array(Script.register(1, contact: "192.168.1.2:5060").utf8)
        ).packet()
        for round in 0..<4_000 {
            var bytes = round % 2 == 0 ? whole : segment
            for _ in 0..<3 { bytes[Int.random(in: 0..<60, using: &entropy)] = UInt8.random(in: 0...255, using: &entropy) }
            if let parsed = try? IPv4Header(bytes, in: 0..<bytes.count, quoted: true), parsed.range.count <= bytes.count {
                bytes.replace(at: 10, bigEndian: 0)
                bytes.replace(at: 10, bigEndian: InternetChecksum.of(bytes, in: parsed.range))
            }
            bench.feed(.packet(round % 3 == 0 ? .wan : .lan, bytes))
            bench.sent = []
            bench.traces = []
        }
    }
}
