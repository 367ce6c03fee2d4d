import Base
import Ethernet
import Packet
import Testing

@Suite("ARP")
struct ARPTests {
    typealias Bench = PortBench
    let packet = Bench.udp(from: .v4(Bench.router), to: .v4(Bench.phone))

    @Test("RFC 5227 2.3: two announcements two seconds apart at the start, and again for new addresses")
    func announcements() throws {
        let start = Instant(seconds: 5)
        var port = EthernetPort(
            .init(mac: Bench.mac, addresses: [InterfaceAddress(address: .v4(Bench.router), prefixLength: 24)]), at: start)
        let announcement = Bench.bytes(
            "ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 c0a80101 000000000000 c0a80101")
        #expect(port.nextOutput() == .frame(announcement))
        #expect(port.nextOutput() == nil)
        #expect(port.nextDeadline == start + .seconds(2))
        port.advance(to: start + .seconds(2))
        #expect(port.nextOutput() == .frame(announcement))
        #expect(port.nextDeadline == nil)
        var settings = port.settings
        settings.addresses[0].address = .v4(IPv4Address(192, 168, 1, 2))
        port.receive(.settings(settings), at: start + .seconds(3))
        #expect(
            port.nextOutput()
                == .frame(
                    Bench.bytes("ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 c0a80102 000000000000 c0a80102")
                ))
    }

    @Test("RFC 826: a request for us is answered to the octet, and its sender is remembered")
    func answers() {
        var bench = Bench()
        bench.receive(
            .frame(
                Bench.bytes(
                    "ffffffffffff 000e08aabbcc 0806 0001 0800 06 04 0001 000e08aabbcc c0a80140 000000000000 c0a80101"
                        + String(repeating: "00", count: 18))))
        #expect(
            bench.frames == [
                Bench.bytes("000e08aabbcc 020000000001 0806 0001 0800 06 04 0002 020000000001 c0a80101 000e08aabbcc c0a80140")
            ])
        bench.frames = []
        bench.receive(.packet(packet))
        // Sent at once; and asked whether it is still so.
        #expect(bench.frames.first == Bench.frame(to: Bench.phoneMAC, from: Bench.mac, packet))
        #expect(bench.frames.count == 2)
    }

    @Test("a packet waits for the answer, and only ours is taken")
    func resolution() {
        var bench = Bench()
        bench.receive(.packet(packet))
        #expect(
            bench.frames == [
                Bench.bytes("ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 c0a80101 000000000000 c0a80140")
            ])
        bench.frames = []
        // Gratuitous: to everybody, and no answer.
        bench.receive(.frame(Bench.arp(2, from: Bench.phone, to: Bench.phone, Bench.phoneMAC)))
        #expect(bench.frames.isEmpty)
        #expect(bench.dropped(.unasked) == 1)
        bench.receive(.frame(Bench.arp(2, from: Bench.phone, to: Bench.router, Bench.mac, at: Bench.mac)))
        #expect(bench.frames == [Bench.frame(to: Bench.phoneMAC, from: Bench.mac, packet)])
        #expect(bench.traces.contains(.resolved(.v4(Bench.phone), Bench.phoneMAC)))
        // A second answer, from somebody who would like to be the phone.
        let thief = MACAddress("00:0e:08:00:00:66")!
        bench.receive(.frame(Bench.arp(2, from: Bench.phone, thief, to: Bench.router, Bench.mac, at: Bench.mac)))
        #expect(bench.dropped(.unasked) == 2)
        bench.receive(.packet(packet))
        #expect(bench.frames.last == Bench.frame(to: Bench.phoneMAC, from: Bench.mac, packet))
    }

    @Test("RFC 1122 2.3.2.2: the latest packets are kept; three questions a second apart, then each comes back as unreachable")
    func silence() {
        var bench = Bench()
        let packets = (0..<5).map { Bench.udp(from: .v4(Bench.router), to: .v4(Bench.phone), [UInt8($0)]) }
        for packet in packets { bench.receive(.packet(packet)) }
        #expect(bench.port.waitingCount == 3)
        #expect(bench.dropped(.waitingLimit) == 2)
        bench.advance(.milliseconds(2999))
        #expect(bench.frames.count == 3)
        #expect(bench.unreachable.isEmpty)
        bench.advance(.milliseconds(1))
        #expect(bench.unreachable == Array(packets.suffix(3)))
        #expect(bench.port.waitingCount == 0)
        #expect(bench.port.nextDeadline == nil)
    }

    @Test("after its time a neighbour is asked itself, packets go on; a silent one is forgotten")
    func reprobe() {
        var bench = Bench()
        bench.receive(.packet(packet))
        bench.receive(.frame(Bench.arp(2, from: Bench.phone, to: Bench.router, Bench.mac, at: Bench.mac)))
        bench.advance(.seconds(30))
        bench.frames = []
        bench.receive(.packet(packet))
        #expect(bench.frames.count == 2)
        #expect(Array(bench.frames[1].prefix(6)) == Bench.phoneMAC.octets)
        bench.receive(.frame(Bench.arp(2, from: Bench.phone, to: Bench.router, Bench.mac, at: Bench.mac)))
        bench.advance(.seconds(31))
        bench.frames = []
        bench.receive(.packet(packet))
        bench.advance(.seconds(3))
        #expect(bench.frames.count == 4)
        #expect(bench.traces.last == .forgotten(.v4(Bench.phone)))
        #expect(bench.unreachable.isEmpty)
    }

    @Test("a neighbour that was told is never asked for and never overwritten")
    func seeded() {
        var bench = Bench()
        let far = IPv4Address(10, 9, 8, 7)
        bench.receive(.neighbour(.v4(far), Bench.phoneMAC))
        let packet = Bench.udp(from: .v4(Bench.router), to: .v4(far))
        bench.receive(.packet(packet))
        #expect(bench.frames == [Bench.frame(to: Bench.phoneMAC, from: Bench.mac, packet)])
        bench.receive(.neighbour(.v4(Bench.phone), Bench.phoneMAC))
        let thief = MACAddress("00:0e:08:00:00:66")!
        bench.receive(.frame(Bench.arp(1, from: Bench.phone, thief, to: Bench.router)))
        bench.receive(.frame(Bench.arp(2, from: Bench.phone, thief, to: Bench.router, Bench.mac, at: Bench.mac)))
        bench.frames = []
        bench.receive(.packet(self.packet))
        #expect(bench.frames == [Bench.frame(to: Bench.phoneMAC, from: Bench.mac, self.packet)])
        bench.receive(.forget(.v4(Bench.phone)))
        bench.frames = []
        bench.receive(.packet(self.packet))
        #expect(bench.frames.first?.prefix(6) == MACAddress.broadcast.octets[...])
    }

    @Test("RFC 5227: a probe for our address is answered and teaches nothing; who claims it is told, at most every ten seconds")
    func defence() {
        var bench = Bench()
        bench.receive(.frame(Bench.arp(1, from: .any, to: Bench.router)))
        #expect(bench.frames.count == 1)
        #expect(bench.port.neighbours.isEmpty)
        bench.frames = []
        for _ in 0..<3 { bench.receive(.frame(Bench.arp(1, from: Bench.router, to: Bench.router))) }
        #expect(bench.frames.count == 1)
        #expect(bench.port.counters.conflicts == 3)
        #expect(bench.traces.contains(.conflict(.v4(Bench.router), Bench.phoneMAC)))
        bench.advance(.seconds(10))
        bench.receive(.frame(Bench.arp(2, from: Bench.router, to: Bench.phone, at: Bench.mac)))
        #expect(bench.frames.count == 2)
    }

    @Test("RFC 1027: proxied addresses are answered for, but not to probes, not for a gateway and not for who is here")
    func proxied() {
        let gateway = IPv4Address(192, 168, 1, 254)
        var bench = Bench {
            $0.proxied = [IPPrefix("192.168.1.128/25")!]
            $0.gatewayV4 = gateway
        }
        let elsewhere = IPv4Address(192, 168, 1, 200)
        bench.receive(.frame(Bench.arp(1, from: .any, to: elsewhere)))
        bench.receive(.frame(Bench.arp(1, from: Bench.phone, to: gateway)))
        bench.receive(.frame(Bench.arp(1, from: elsewhere, to: elsewhere)))
        #expect(bench.frames.isEmpty)
        #expect(bench.dropped(.otherTarget) == 3)
        bench.receive(.frame(Bench.arp(1, from: Bench.phone, to: elsewhere)))
        #expect(bench.frames.count == 1)
        bench.receive(.neighbour(.v4(elsewhere), Bench.phoneMAC))
        bench.receive(.frame(Bench.arp(1, from: Bench.phone, to: elsewhere)))
        #expect(bench.frames.count == 1)
    }

    @Test("the cache and what waits are bounded: a scan of the whole prefix forgets the unanswered first")
    func bounds() {
        var bench = Bench {
            $0.addresses[0].prefixLength = 16
            $0.limits.neighbours = 16
            $0.limits.waiting = 8
        }
        bench.receive(.frame(Bench.arp(1, from: Bench.phone, to: Bench.router)))
        for last in 1...200 {
            bench.receive(.packet(Bench.udp(from: .v4(Bench.router), to: .v4(IPv4Address(192, 168, 2, UInt8(last))))))
        }
        #expect(bench.port.waitingCount <= 8)
        #expect(bench.port.neighbours.map(\.address) == [.v4(Bench.phone)])
        bench.advance(.seconds(3))
        #expect(bench.unreachable.count + Int(bench.dropped(.waitingLimit)) == 200)
    }
}
