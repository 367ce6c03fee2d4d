import ALG
import Base
import NAT
import Packet
import RouterNode
import Testing

@Suite("One path: edited in place, and still right when it fails")
struct PathTests {
    private static func settings() -> RouterSettings {
        var settings = RouterSettings(lan: IPv4Address(192, 168, 1, 254), wan: RouterBench.wan)
        settings.alg = .linux
        return settings
    }

    @Test("a message that only the helper made too long: its sender hears the limit, and its own packet quoted as it sent it")
    func grown() throws {
        var settings = Self.settings()
        settings.wanMTU = 700
        var bench = RouterBench(settings)
        var text = Script.register(1, contact: "192.168.1.2:5060")
        let room = 700 - 28 - text.utf8.count
        text = text.replacing("Max-Forwards", with: "X-Pad: \(String(repeating: "x", count: room - 9))\r\nMax-Forwards")
        let datagram = Datagram(from: RouterBench.phone, to: RouterBench.server, Array(text.utf8))
        let packet = try IPPacket.bytes(of: datagram, IPOptions(dontFragment: true))
        #expect(packet.count == 700)
        bench.feed(.packet(.lan, packet))
        #expect(bench.traces.contains(.dropped(.tooBig(mtu: 700), .lan)))
        let answer = try #require(bench.sent.first { $0.interface == .lan })
        let parsed = try IPPacket(answer.bytes)
        guard case .icmp(let icmp) = parsed.transport else { return #expect(Bool(false), "no ICMP") }
        #expect(icmp.type == 3 && icmp.code == 4)
        #expect(Array(answer.bytes[icmp.payload]) == Array(packet.prefix(icmp.payload.count)))
        #expect(!bench.sent.contains { $0.interface == .wan })
    }

    @Test("a helper that makes a message longer or shorter leaves lengths and checksums right, and the next packet is unharmed")
    func rewritten() throws {
        var bench = RouterBench(Self.settings())
        for number in 1...3 {
            try bench.send(.lan, RouterBench.phone, RouterBench.server, Script.register(number, contact: "192.168.1.2:5060"))
            let sent = try #require(try bench.datagrams(.wan).first)
            #expect(sent.source.address == .v4(RouterBench.wan))
            #expect(sent.text.contains("Contact: <sip:snom@198.51.100.7:5060>"))
            try bench.send(.lan, Endpoint("192.168.1.3:4000")!, RouterBench.stun, "hello")
            #expect(try bench.datagrams(.wan).map(\.text) == ["hello"])
        }
    }

    @Test("RFC 5722, RFC 1858: fragments that overlap, of what the helper would read, are dropped and counted as such")
    func overlap() throws {
        var bench = RouterBench(Self.settings())
        let payload = [UInt8](repeating: 0x41, count: 3000)
        let datagram = Datagram(from: RouterBench.phone, to: RouterBench.server, payload)
        let pieces = try IPPacket.fragments(of: IPPacket.bytes(of: datagram, IPOptions(identification: 7)), mtu: 1500)
        var second = pieces[1]
        // Eight octets to the left: over the end of the first.
        let flags = second.uint16(at: 6) - 1
        let sum = InternetChecksum.update(second.uint16(at: 10), from: second.uint16(at: 6), to: flags)
        second.replace(at: 6, bigEndian: flags)
        second.replace(at: 10, bigEndian: sum)
        for piece in [pieces[0], second, pieces[2]] { bench.feed(.packet(.lan, piece)) }
        #expect(bench.sent.isEmpty)
        #expect(bench.traces.contains(.dropped(.fragment, .lan)))
    }

    @Test("link padding is cut off on the way")
    func padding() throws {
        var bench = RouterBench(Self.settings())
        let packet = try IPPacket.bytes(of: Datagram(from: RouterBench.phone, to: RouterBench.stun, [1]), IPOptions())
        bench.feed(.packet(.lan, packet + [UInt8](repeating: 0, count: 17)))
        #expect(bench.sent.map(\.bytes.count) == [packet.count])
    }
}
