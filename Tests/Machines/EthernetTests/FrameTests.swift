import Base
import Ethernet
import Packet
import Testing

@Suite("Ethernet frames")
struct FrameTests {
    typealias Bench = PortBench

    @Test("MAC addresses: text both ways, groups, made up ones")
    func addresses() {
        #expect(MACAddress("00:0E:08:aa:bb:CC")?.description == "00:0e:08:aa:bb:cc")
        #expect(MACAddress("00-0e-08-aa-bb-cc") == Bench.phoneMAC)
        for text in ["", "00:0e:08:aa:bb", "00:0e:08:aa:bb:cg", "00:0e-08:aa:bb:cc", "000e08aabbcc", "00:0e:08:aa:bb:cc:dd"] {
            #expect(MACAddress(text) == nil)
        }
        #expect(MACAddress(octets: Bench.phoneMAC.octets) == Bench.phoneMAC)
        #expect(MACAddress(octets: [1, 2, 3]) == nil)
        #expect(MACAddress.broadcast.isMulticast && !Bench.mac.isMulticast)
        var entropy = Entropy(labSeed: 1)
        for _ in 0..<100 {
            let made = MACAddress.locallyAdministered(&entropy)
            #expect(made.octets[0] & 3 == 2)
        }
    }

    @Test("a packet comes out without the frame's padding")
    func padding() {
        var bench = Bench()
        let packet = Bench.udp(from: .v4(Bench.phone), to: .v4(IPv4Address(198, 51, 100, 1)))
        bench.receive(.frame(Bench.frame(packet + Array(repeating: 0, count: 15))))
        #expect(bench.packets == [packet])
    }

    @Test(
        "RFC 1112 6.4, RFC 2464 7, RFC 919: groups and broadcasts go to their MAC addresses",
        arguments: [
            ("239.129.2.3", "01:00:5e:01:02:03"), ("224.0.0.1", "01:00:5e:00:00:01"), ("255.255.255.255", "ff:ff:ff:ff:ff:ff"),
            ("192.168.1.255", "ff:ff:ff:ff:ff:ff"), ("ff02::1:ffaa:bbcc", "33:33:ff:aa:bb:cc"), ("ff02::1", "33:33:00:00:00:01"),
        ])
    func groups(_ to: String, _ mac: String) throws {
        var bench = Bench()
        let to = try #require(IPAddress(to))
        let packet = Bench.udp(from: to.isIPv6 ? .v6(Bench.router6) : .v4(Bench.router), to: to)
        bench.receive(.packet(packet))
        #expect(bench.frames == [Bench.frame(to: MACAddress(mac)!, from: Bench.mac, kind: to.isIPv6 ? 0x86dd : 0x0800, packet)])
    }

    @Test("what is not on the link goes to the gateway of its family; without one it comes back")
    func gateways() {
        let gateway = IPv4Address(192, 168, 1, 254)
        var bench = Bench { $0.gatewayV4 = gateway }
        let packet = Bench.udp(from: .v4(Bench.router), to: .v4(IPv4Address(198, 51, 100, 1)))
        bench.receive(.packet(packet))
        #expect(bench.frames[0].suffix(4) == [192, 168, 1, 254])
        let packet6 = Bench.udp(from: .v6(Bench.router6), to: .v6(IPv6Address("2001:db8:2::1")!))
        bench.receive(.packet(packet6))
        #expect(bench.unreachable == [packet6])
        #expect(bench.dropped(.noRoute) == 1)
    }

    @Test("what may not come in is dropped and counted by its reason")
    func drops() {
        let good = Bench.udp(from: .v4(Bench.phone), to: .v4(Bench.router))
        let group = MACAddress("01:00:5e:01:02:03")!
        let cases: [(EthernetDropReason, [UInt8])] = [
            (.truncated, [1, 2, 3]), (.truncated, []), (.truncated, Bench.frame(Array(good.dropLast()))),
            (.truncated, Bench.frame(Array(good.prefix(19)))), (.truncated, Bench.frame(kind: 0x86dd, [0x60])),
            (.truncated, Bench.frame(to: .broadcast, kind: 0x0806, [0, 1])),
            (.foreign, Bench.frame(to: Bench.phoneMAC, good)),
            (.badSource, Bench.frame(from: .broadcast, good)), (.badSource, Bench.frame(from: MACAddress(bits: 0), good)),
            (.ownMAC, Bench.frame(from: Bench.mac, good)),
            (.ownAddress, Bench.frame(Bench.udp(from: .v4(Bench.router), to: .v4(Bench.router)))),
            (.ownAddress, Bench.frame(kind: 0x86dd, Bench.udp(from: .v6(Bench.router6), to: .v6(Bench.router6)))),
            (.tagged, Bench.frame(kind: 0x8100, [0, 1, 8, 0] + good)), (.tagged, Bench.frame(kind: 0x88a8, good)),
            (.length, Bench.frame(kind: 0x0026, good)), (.kind, Bench.frame(kind: 0x88cc, good)),
            (.kind, Bench.frame(kind: 0x0600, good)),
            (.kind, Bench.frame(kind: 0x0800, [0x60] + good.dropFirst())),
            (.group, Bench.frame(to: group, Bench.udp(from: .v4(Bench.phone), to: .v4(IPv4Address(239, 129, 2, 3))))),
            (.mismatched, Bench.frame(to: .broadcast, good)), (.mismatched, Bench.frame(to: group, good)),
            (.mismatched, Bench.frame(Bench.udp(from: .v4(IPv4Address(224, 0, 0, 1)), to: .v4(Bench.router)))),
            (.mismatched, Bench.frame(Bench.udp(from: .v4(IPv4Address(192, 168, 1, 255)), to: .v4(Bench.router)))),
            (.badARP, Bench.arp(3, from: Bench.phone, to: Bench.router)),
            (.offLink, Bench.arp(1, from: IPv4Address(10, 0, 0, 1), to: Bench.router)),
            (.otherTarget, Bench.arp(1, from: Bench.phone, to: IPv4Address(192, 168, 1, 77))),
        ]
        for (reason, frame) in cases {
            var bench = Bench()
            bench.receive(.frame(frame))
            #expect(bench.dropped(reason) == 1, "\(reason)")
            #expect(bench.packets.isEmpty, "\(reason)")
            #expect(bench.traces.first == .dropped(reason), "\(reason)")
        }
        // ARP's sender is not the frame's.
        var bench = Bench()
        var forged = Bench.arp(1, from: Bench.phone, to: Bench.router)
        forged[11] ^= 1
        bench.receive(.frame(forged))
        #expect(bench.dropped(.badARP) == 1)
    }

    @Test("what cannot be sent is dropped and counted")
    func unsendable() {
        var bench = Bench { $0.mtu = 576 }
        bench.receive(.packet([0x45]))
        bench.receive(.packet(Array(repeating: 0x60, count: 39)))
        #expect(bench.dropped(.malformed) == 2)
        bench.receive(.packet(Bench.udp(from: .v4(Bench.router), to: .v4(Bench.phone), Array(repeating: 0, count: 549))))
        #expect(bench.dropped(.tooBig) == 1)
        #expect(bench.frames.isEmpty)
    }

    @Test("any octets as a frame: no crash, no growth, and each is handed on, answered or counted")
    func hostile() {
        var entropy = Entropy(labSeed: 7)
        var bench = Bench { $0.limits.neighbours = 32 }
        let seeds = [
            Bench.arp(1, from: Bench.phone, to: Bench.router), Bench.arp(2, from: Bench.phone, to: Bench.router, at: Bench.mac),
            Bench.frame(Bench.udp(from: .v4(Bench.phone), to: .v4(Bench.router))),
            Bench.discovery(135, Bench.router6, from: Bench.phone6, to: Bench.router6, option: Bench.phoneMAC),
            Bench.discovery(136, Bench.phone6, from: Bench.phone6, to: Bench.router6, flags: 3 << 29, option: Bench.phoneMAC),
        ]
        for turn in 0..<20_000 {
            var frame = seeds[turn % seeds.count]
            for _ in 0..<Int(entropy.next() % 4) {
                frame[Int(entropy.next() % UInt64(frame.count))] = UInt8(truncatingIfNeeded: entropy.next())
            }
            if entropy.next() % 8 == 0 { frame.removeLast(Int(entropy.next() % UInt64(frame.count))) }
            let before = bench.port.counters
            bench.receive(.frame(frame))
            let after = bench.port.counters
            let dropped = EthernetDropReason.allCases.reduce(UInt64(0)) { $0 + after[$1] - before[$1] }
            let done = after.packetsReceived - before.packetsReceived + after.answers - before.answers + dropped
            #expect(done >= 1)
            #expect(after.framesReceived == before.framesReceived + 1)
        }
        #expect(bench.port.neighbours.count <= 32)
    }
}
