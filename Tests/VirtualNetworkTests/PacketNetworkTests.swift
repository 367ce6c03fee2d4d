import Base
import Capture
import Packet
import Testing
import VirtualNetwork

let a = Endpoint("192.0.2.1:5060")!
let b = Endpoint("192.0.2.2:5060")!
let start = Instant(seconds: 1_184_148_000)

/// Two hosts on one link, and everything that comes out.
struct Pair {
    var network: PacketNetwork
    var link: LinkID
    var left: InterfaceID
    var right: InterfaceID

    init(_ properties: LinkProperties, seed: UInt64 = 1) {
        network = PacketNetwork(entropy: Entropy(labSeed: seed))
        link = network.addLink("wire", properties)
        left = network.attach(to: link, addresses: [a.address])
        right = network.attach(to: link, addresses: [b.address])
    }

    mutating func send(_ text: String, at now: Instant = start) throws {
        let packet = try IPPacket.bytes(of: Datagram(from: a, to: b, Array(text.utf8)))
        network.receive(.packet(from: left, packet, nextHop: nil), at: now)
    }

    /// (time, text) of everything that arrives on the right.
    mutating func run() throws -> [(Instant, String)] {
        var arrived: [(Instant, String)] = []
        while let next = network.nextDeadline {
            network.advance(to: next)
            while case .packet(let at, let bytes)? = network.nextOutput() {
                #expect(at == right)
                let packet = try IPPacket(bytes)
                guard case .udp(let udp) = packet.transport else { continue }
                arrived.append((next, String(decoding: bytes[udp.payload], as: UTF8.self)))
            }
        }
        return arrived
    }

    mutating func drops() -> [NetworkDrop] {
        var drops: [NetworkDrop] = []
        while let trace = network.nextTrace() { if case .dropped(_, _, let reason, _) = trace { drops.append(reason) } }
        return drops
    }
}

@Suite("links: what becomes of packets")
struct PacketNetworkTests {
    @Test("a packet arrives once, after the latency; then there is nothing to do, for ever")
    func latency() throws {
        var pair = Pair(LinkProperties(latency: .milliseconds(20)))
        #expect(pair.network.nextDeadline == nil)
        try pair.send("x")
        #expect(pair.network.nextDeadline == start + .milliseconds(20))
        let arrived = try pair.run()
        #expect(arrived.map(\.1) == ["x"] && arrived[0].0 == start + .milliseconds(20))
        #expect(pair.network.nextDeadline == nil)
    }

    @Test("jitter varies the delay within its bounds and keeps the order; the same seed gives the same times")
    func jitter() throws {
        func times(_ seed: UInt64) throws -> [(Instant, String)] {
            var pair = Pair(LinkProperties(latency: .milliseconds(10), jitter: .milliseconds(30)), seed: seed)
            for index in 0..<100 { try pair.send("\(index)", at: start + .milliseconds(Int64(10 * index))) }
            return try pair.run()
        }
        let first = try times(1)
        #expect(first.map(\.1) == (0..<100).map(String.init))
        let delays = first.enumerated().map { $1.0 - (start + .milliseconds(Int64(10 * $0))) }
        #expect(delays.allSatisfy { $0 >= .milliseconds(10) && $0 <= .milliseconds(40) })
        #expect(Set(delays).count > 50)
        #expect(try times(1).map(\.0) == first.map(\.0))
        #expect(try times(2).map(\.0) != first.map(\.0))
    }

    @Test("loss and duplication come at about their chances, and are counted")
    func lossAndDuplication() throws {
        var pair = Pair(LinkProperties(loss: 0.2))
        for index in 0..<1_000 { try pair.send("\(index)") }
        let count = try pair.run().count
        #expect((740...860).contains(count))
        #expect(pair.network.counters(of: pair.link).lost == UInt64(1_000 - count))
        var twins = Pair(LinkProperties(duplication: 0.1))
        for index in 0..<1_000 { try twins.send("\(index)") }
        let all = try twins.run().count
        #expect((1_060...1_140).contains(all))
        #expect(twins.network.counters(of: twins.link).duplicated == UInt64(all - 1_000))
    }

    @Test("reordering lets later packets pass; without it none do")
    func reordering() throws {
        var pair = Pair(LinkProperties(reordering: 0.3, reorderingDelay: .milliseconds(5)))
        for index in 0..<50 { try pair.send("\(index)", at: start + .milliseconds(Int64(index))) }
        let texts = try pair.run().map(\.1)
        #expect(texts.count == 50 && texts != (0..<50).map(String.init))
    }

    @Test("exactly the chosen packet is lost")
    func chosenLoss() throws {
        var pair = Pair(LinkProperties())
        pair.network.lose([2], on: pair.link)
        for text in ["1", "2", "3"] { try pair.send(text) }
        #expect(try pair.run().map(\.1) == ["1", "3"])
        #expect(pair.drops() == [.lost])
    }

    @Test("a link that goes down loses what is on its way and takes nothing more, until it is up again")
    func down() throws {
        var pair = Pair(LinkProperties(latency: .milliseconds(10)))
        try pair.send("1")
        pair.network.receive(.link(pair.link, isUp: false), at: start)
        try pair.send("2")
        #expect(pair.network.nextDeadline == nil)
        pair.network.receive(.link(pair.link, isUp: true), at: start)
        try pair.send("3")
        #expect(try pair.run().map(\.1) == ["3"])
        #expect(pair.drops() == [.cut, .linkDown])
        #expect(pair.network.counters(of: pair.link).dropped == 2)
    }

    @Test("a full link drops what is too much, counted and traced")
    func capacity() throws {
        var pair = Pair(LinkProperties(capacity: 2))
        for text in ["1", "2", "3"] { try pair.send(text) }
        #expect(try pair.run().map(\.1) == ["1", "2"])
        #expect(pair.drops() == [.capacity])
    }

    @Test("an address nobody has: dropped with its name; a router takes what it answers for, the longest prefix first")
    func neighbours() throws {
        var pair = Pair(LinkProperties())
        let far = Endpoint("198.51.100.9:5060")!
        let packet = try IPPacket.bytes(of: Datagram(from: a, to: far, [1]))
        pair.network.receive(.packet(from: pair.left, packet, nextHop: nil), at: start)
        #expect(pair.drops() == [.noNeighbour(far.address)])
        let wide = pair.network.attach(to: pair.link, addresses: [], answersFor: [IPPrefix("0.0.0.0/0")!])
        let narrow = pair.network.attach(to: pair.link, addresses: [], answersFor: [IPPrefix("198.51.100.0/24")!])
        pair.network.receive(.packet(from: pair.left, packet, nextHop: nil), at: start)
        pair.network.receive(.packet(from: narrow, packet, nextHop: nil), at: start)
        pair.network.advance(to: start + .seconds(1))
        #expect(pair.network.nextOutput() == .packet(at: narrow, packet))
        #expect(pair.network.nextOutput() == .packet(at: wide, packet))
    }

    @Test("RFC 791, 1191: over the MTU a packet is cut; with Don't Fragment the sender gets ICMP with the MTU instead")
    func tooBig() throws {
        var pair = Pair(LinkProperties(mtu: 600))
        let payload = Array(repeating: UInt8(7), count: 1_000)
        let packet = try IPPacket.bytes(of: Datagram(from: a, to: b, payload), IPOptions(identification: 1))
        pair.network.receive(.packet(from: pair.left, packet, nextHop: nil), at: start)
        pair.network.advance(to: start + .seconds(1))
        var reassembler = Reassembler()
        guard case .packet(_, let first)? = pair.network.nextOutput(), case .packet(_, let second)? = pair.network.nextOutput()
        else {
            Issue.record("not two fragments")
            return
        }
        #expect(first.count <= 600)
        #expect(reassembler.receive(first, at: start) == .waiting)
        #expect(reassembler.receive(second, at: start) == .whole(packet))
        let stubborn = try IPPacket.bytes(of: Datagram(from: a, to: b, payload), IPOptions(dontFragment: true))
        pair.network.receive(.packet(from: pair.left, stubborn, nextHop: nil), at: start + .seconds(1))
        pair.network.advance(to: start + .seconds(2))
        guard case .packet(let at, let error)? = pair.network.nextOutput(), case .icmp(let icmp) = try IPPacket(error).transport
        else {
            Issue.record("no ICMP")
            return
        }
        #expect(at == pair.left && icmp.meaning == .packetTooBig(mtu: 600))
        #expect(pair.drops() == [.tooBig(mtu: 600)])
    }

    @Test("a tap records every packet sent, as a pcap file with the link's times")
    func tap() throws {
        var pair = Pair(LinkProperties(loss: 1))
        #expect(pair.network.capture(of: pair.link) == nil)
        pair.network.tap(pair.link)
        try pair.send("1")
        try pair.send("2", at: start + .nanoseconds(1))
        let file = try PcapFile(try #require(pair.network.capture(of: pair.link)))
        #expect(file.records.map(\.at) == [start, start + .nanoseconds(1)])
    }
}
