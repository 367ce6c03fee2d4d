import Base
import Capture
import Packet
import TCP
import Testing
import VirtualNetwork

/// Two hosts that speak TCP over one link.
private struct Couple {
    var now = start
    var network: PacketNetwork
    var link: LinkID
    var stacks: [HostStack]
    var interfaces: [InterfaceID]
    var events: [[TCPEvent]] = [[], []]

    init(_ properties: LinkProperties, _ left: String, _ right: String, seed: UInt64 = 1) {
        network = PacketNetwork(entropy: Entropy(labSeed: seed))
        link = network.addLink("wire", properties)
        network.tap(link)
        let addresses = [IPAddress(left)!, IPAddress(right)!]
        interfaces = []
        stacks = []
        for address in addresses {
            interfaces.append(network.attach(to: link, addresses: [address]))
            stacks.append(
                HostStack(
                    [.init(address, prefixLength: 8)], mtu: properties.mtu, entropy: Entropy(labSeed: seed + UInt64(stacks.count))
                ))
        }
    }

    mutating func command(_ side: Int, _ command: TCPCommand) {
        stacks[side].receive(.stream(command), at: now)
        drain(side)
    }

    mutating func drain(_ side: Int) {
        while let output = stacks[side].nextOutput() {
            switch output {
            case .packet(let packet, let hop):
                network.receive(.packet(from: interfaces[side], packet, nextHop: hop), at: now)
            case .stream(let event): events[side].append(event)
            case .datagram, .unreachable: break
            }
        }
    }

    mutating func run(until end: Instant) {
        while let next = ([network.nextDeadline] + stacks.map(\.nextDeadline)).compactMap({ $0 }).min(), next <= end {
            now = max(now, next)
            network.advance(to: now)
            while case .packet(let at, let bytes)? = network.nextOutput() {
                let side = at == interfaces[0] ? 0 : 1
                stacks[side].receive(.packet(bytes), at: now)
                drain(side)
            }
            for side in 0..<2 {
                stacks[side].advance(to: now)
                drain(side)
            }
        }
        now = end
    }

    func bytes(_ side: Int) -> [UInt8] {
        events[side].flatMap { if case .received(_, let bytes) = $0 { bytes } else { [UInt8]() } }
    }
}

@Suite("streams between virtual hosts")
struct StreamTests {
    let id = TCPConnectionID(7)

    @Test(
        "a stream over a line that loses, repeats, delays and overtakes arrives whole, over both families, in right packets",
        arguments: [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")])
    func badLine(left: String, right: String) throws {
        let bad = LinkProperties(
            latency: .milliseconds(10), jitter: .milliseconds(5), loss: 0.05, duplication: 0.05, reordering: 0.05, mtu: 1_280)
        var couple = Couple(bad, left, right)
        couple.command(1, .listen(5060))
        couple.command(
            0, .connect(id, from: Endpoint(right.contains(":") ? .v6(.any) : .v4(.any), 0), to: Endpoint(IPAddress(right)!, 5060))
        )
        let text = (0..<50_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        couple.command(0, .send(id, text))
        couple.run(until: start + .seconds(5))
        couple.command(0, .close(id))
        couple.run(until: start + .seconds(120))
        let isWhole = couple.bytes(1) == text
        #expect(isWhole)
        let capture = try PcapFile(couple.network.capture(of: couple.link)!)
        for (_, packet) in capture.packets {
            #expect(packet.count <= 1_280)
            try IPPacket(packet).verifyChecksums(packet)
        }
    }

    @Test("nobody listens: refused. Nobody there: the SYN is repeated. No way there: unreachable at once")
    func nobody() throws {
        var couple = Couple(LinkProperties(), "192.0.2.1", "192.0.2.2")
        couple.command(0, .connect(id, from: Endpoint(.v4(.any), 0), to: Endpoint("192.0.2.2:5060")!))
        couple.run(until: start + .seconds(1))
        #expect(couple.events[0] == [.closed(id, .refused)])
        couple.command(0, .connect(id, from: Endpoint(.v4(.any), 0), to: Endpoint("192.0.2.9:5060")!))
        couple.run(until: start + .seconds(300))
        #expect(couple.events[0].last == .closed(id, .timedOut))
        couple.command(0, .connect(id, from: Endpoint(.v4(.any), 0), to: Endpoint("198.51.100.1:5060")!))
        #expect(couple.events[0].last == .closed(id, .unreachable))
    }

    @Test("RFC 1191: a router's Fragmentation Needed about a segment makes the segments smaller")
    func pathMTU() throws {
        var couple = Couple(LinkProperties(), "192.0.2.1", "192.0.2.2")
        couple.command(1, .listen(5060))
        couple.command(0, .connect(id, from: Endpoint(.v4(.any), 0), to: Endpoint("192.0.2.2:5060")!))
        couple.run(until: start + .seconds(1))
        couple.network.receive(.properties(couple.link, LinkProperties(loss: 1)), at: couple.now)
        couple.command(0, .send(id, Array(repeating: 1, count: 3_000)))
        couple.network.receive(.properties(couple.link, LinkProperties()), at: couple.now)
        let lost = try PcapFile(couple.network.capture(of: couple.link)!).packets.last!.1
        let error = try ICMPMessage.packetTooBig(mtu: 900, quoting: lost).packet(
            from: IPAddress("192.0.2.77")!, to: IPAddress("192.0.2.1")!)
        couple.stacks[0].receive(.packet(error), at: couple.now)
        couple.drain(0)
        couple.run(until: start + .milliseconds(1_500))
        #expect(couple.bytes(1).count == 3_000)
        #expect(try PcapFile(couple.network.capture(of: couple.link)!).packets.suffix(6).allSatisfy { $0.1.count <= 900 })
    }
}
