import Base
import Ethernet
import Packet
import Testing

@Suite("neighbour discovery")
struct DiscoveryTests {
    typealias Bench = PortBench
    let ours = Bench.router6
    let phone = Bench.phone6

    @Test("RFC 4861 7.2.4: a solicitation is answered, solicited and overriding, by a router, with its address; to the octet")
    func answers() {
        var bench = Bench()
        bench.receive(
            .frame(
                Bench.discovery(
                    135, ours, from: phone, to: IPv6Address("ff02::1:ff00:1")!, option: Bench.phoneMAC,
                    at: MACAddress("33:33:ff:00:00:01")!)))
        let answer = Bench.discovery(136, ours, from: ours, to: phone, flags: 7 << 29, option: Bench.mac)
        #expect(bench.frames == [Bench.frame(to: Bench.phoneMAC, from: Bench.mac, kind: 0x86dd, Array(answer.dropFirst(14)))])
        #expect(bench.port.neighbours.map(\.mac) == [Bench.phoneMAC])
    }

    @Test("RFC 4862 5.4: who tests whether our address is free is told by all-nodes multicast")
    func duplicateAddress() {
        var bench = Bench()
        bench.receive(
            .frame(
                Bench.discovery(
                    135, ours, from: .any, to: IPv6Address("ff02::1:ff00:1")!, option: nil, at: MACAddress("33:33:ff:00:00:01")!))
        )
        #expect(bench.frames.count == 1)
        #expect(bench.frames[0].prefix(6) == MACAddress("33:33:00:00:00:01")!.octets[...])
        #expect(bench.port.neighbours.isEmpty)
    }

    @Test("RFC 4861 7.2.2: a packet waits for a solicited advertisement")
    func resolution() throws {
        var bench = Bench()
        let host = try #require(IPv6Address("2001:db8:1::20"))
        let own = try #require(IPv6Address("2001:db8:1::1"))
        let packet = Bench.udp(from: .v6(own), to: .v6(host))
        bench.receive(.packet(packet))
        let question = Bench.discovery(135, host, from: own, to: IPv6Address("ff02::1:ff00:20")!, option: Bench.mac)
        #expect(
            bench.frames == [
                Bench.frame(to: MACAddress("33:33:ff:00:00:20")!, from: Bench.mac, kind: 0x86dd, Array(question.dropFirst(14)))
            ])
        bench.frames = []
        // Not asked for, and to everybody.
        bench.receive(
            .frame(
                Bench.discovery(
                    136, host, from: host, to: IPv6Address("ff02::1")!, flags: 1 << 29, option: Bench.phoneMAC,
                    at: MACAddress("33:33:00:00:00:01")!)))
        #expect(bench.frames.isEmpty)
        #expect(bench.dropped(.unasked) == 1)
        bench.receive(.frame(Bench.discovery(136, host, from: host, to: own, flags: 3 << 29, option: Bench.phoneMAC)))
        #expect(bench.frames == [Bench.frame(to: Bench.phoneMAC, from: Bench.mac, kind: 0x86dd, packet)])
    }

    @Test("RFC 4861 7.1, 8: from beyond a router, checksum wrong, options broken, redirects: dropped and counted")
    func refusals() {
        var bench = Bench()
        bench.receive(.frame(Bench.discovery(135, ours, from: phone, to: ours, option: Bench.phoneMAC, hopLimit: 254)))
        bench.receive(.frame(Bench.discovery(135, ours, from: phone, to: ours, option: Bench.phoneMAC, spoilsChecksum: true)))
        bench.receive(.frame(Bench.discovery(135, IPv6Address("ff02::1")!, from: phone, to: ours, option: nil)))
        bench.receive(.frame(Bench.discovery(135, ours, from: .any, to: ours, option: nil)))
        bench.receive(.frame(Bench.discovery(135, ours, from: .any, to: ours, option: Bench.phoneMAC)))
        bench.receive(
            .frame(
                Bench.discovery(136, phone, from: phone, to: IPv6Address("ff02::1")!, flags: 1 << 30, option: Bench.phoneMAC)))
        #expect(bench.dropped(.badDiscovery) == 6)
        bench.receive(.frame(Bench.discovery(137, phone, from: phone, to: ours, option: nil)))
        #expect(bench.dropped(.redirect) == 1)
        bench.receive(.frame(Bench.discovery(135, IPv6Address("fe80::77")!, from: phone, to: ours, option: nil)))
        #expect(bench.dropped(.otherTarget) == 1)
        bench.receive(
            .frame(Bench.discovery(135, ours, from: IPv6Address("2001:db8:9::9")!, to: ours, option: Bench.phoneMAC)))
        #expect(bench.dropped(.offLink) == 1)
        #expect(bench.frames.isEmpty && bench.packets.isEmpty && bench.port.neighbours.isEmpty)
    }

    @Test("router solicitations and what else is for routers goes up; other groups do not")
    func groups() throws {
        var bench = Bench()
        let routers = try #require(IPv6Address("ff02::2"))
        let packet = Bench.udp(from: .v6(phone), to: .v6(routers))
        bench.receive(.frame(Bench.frame(to: MACAddress("33:33:00:00:00:02")!, kind: 0x86dd, packet)))
        #expect(bench.packets == [packet])
        let other = try #require(IPv6Address("ff02::fb"))
        bench.receive(
            .frame(Bench.frame(to: MACAddress("33:33:00:00:00:fb")!, kind: 0x86dd, Bench.udp(from: .v6(phone), to: .v6(other)))))
        #expect(bench.dropped(.group) == 1)
    }

    @Test("RFC 4389: proxied addresses are advertised without overriding")
    func proxied() throws {
        var bench = Bench { $0.proxied = [IPPrefix("2001:db8:1::/64")!] }
        let target = try #require(IPv6Address("2001:db8:1::99"))
        bench.receive(.frame(Bench.discovery(135, target, from: phone, to: target, option: Bench.phoneMAC)))
        #expect(bench.frames.count == 1)
        let flags = bench.frames[0].uint32(at: 14 + 44) >> 29
        #expect(flags == 6)
        bench.receive(.frame(Bench.discovery(135, target, from: .any, to: IPv6Address("ff02::1:ff00:99")!, option: nil)))
        #expect(bench.frames.count == 1)
    }

    @Test("somebody who advertises our address is told otherwise, once in ten seconds")
    func conflict() {
        var bench = Bench()
        for _ in 0..<2 {
            bench.receive(.frame(Bench.discovery(136, ours, from: phone, to: ours, flags: 1 << 30, option: Bench.phoneMAC)))
        }
        #expect(bench.frames.count == 1)
        #expect(bench.port.counters.conflicts == 2)
    }
}
