import Base
import Packet
import Testing
import VirtualNetwork

@Suite("a host's IP layer")
struct HostStackTests {
    func host(_ addresses: [HostStack.HostAddress], mtu: Int = 1_500, dontFragment: Bool = false) -> HostStack {
        HostStack(addresses, mtu: mtu, dontFragment: dontFragment, entropy: Entropy(labSeed: 5))
    }

    func left(mtu: Int = 1_500, dontFragment: Bool = false) -> HostStack {
        host(
            [
                .init(IPAddress("192.168.1.100")!, prefixLength: 24, gateway: IPAddress("192.168.1.1")!),
                .init(IPAddress("2001:db8::100")!, prefixLength: 64, gateway: IPAddress("2001:db8::1")!),
            ], mtu: mtu, dontFragment: dontFragment)
    }

    func packets(_ stack: inout HostStack) -> [(bytes: [UInt8], nextHop: IPAddress)] {
        var packets: [(bytes: [UInt8], nextHop: IPAddress)] = []
        while case .packet(let bytes, let nextHop)? = stack.nextOutput() { packets.append((bytes, nextHop)) }
        return packets
    }

    @Test("neighbours are reached directly, everything else over the gateway of its family, nothing without one")
    func routes() {
        var stack = left()
        let rows = [
            ("192.168.1.9:1", "192.168.1.9"), ("203.0.113.5:1", "192.168.1.1"), ("[2001:db8::9]:1", "2001:db8::9"),
            ("[2001:db8:9::9]:1", "2001:db8::1"),
        ]
        for (to, hop) in rows {
            let any: IPAddress = to.hasPrefix("[") ? .v6(.any) : .v4(.any)
            stack.receive(.send(Datagram(from: Endpoint(any, 5060), to: Endpoint(to)!, [1])), at: start)
            let sent = packets(&stack)
            #expect(sent.map(\.nextHop) == [IPAddress(hop)!])
            #expect(
                try! IPPacket(sent[0].bytes).source
                    == (to.hasPrefix("[") ? IPAddress("2001:db8::100") : IPAddress("192.168.1.100")))
        }
        var lonely = host([.init(IPAddress("192.168.1.100")!, prefixLength: 24)])
        let far = Endpoint("203.0.113.5:1")!
        let own = Endpoint("192.168.1.100:5060")!
        lonely.receive(.send(Datagram(from: own, to: far, [1])), at: start)
        #expect(lonely.nextOutput() == .unreachable(local: own, remote: far, .noRoute))
    }

    @Test("a large datagram is cut to the MTU and arrives whole, over both families", arguments: ["192.168.1.9", "2001:db8::9"])
    func fragmenting(to: String) throws {
        var sender = left(mtu: 1_280)
        var receiver = host([.init(IPAddress(to)!, prefixLength: 24)])
        receiver.receive(.open(5060), at: start)
        let payload = (0..<4_000).map { UInt8(truncatingIfNeeded: $0) }
        let source = Endpoint(IPAddress(to)!.isIPv6 ? IPAddress("2001:db8::100")! : IPAddress("192.168.1.100")!, 5060)
        let datagram = Datagram(from: source, to: Endpoint(IPAddress(to)!, 5060), payload)
        sender.receive(.send(datagram), at: start)
        let sent = packets(&sender)
        #expect(sent.count == 4 && sent.allSatisfy { $0.bytes.count <= 1_280 })
        for packet in sent.reversed() { receiver.receive(.packet(packet.bytes), at: start) }
        #expect(receiver.nextOutput() == .datagram(datagram))
        #expect(receiver.nextOutput() == nil)
    }

    @Test("RFC 1122 4.1.3.1: a closed port draws Port Unreachable, which the sender sees; an open one draws nothing")
    func closedPort() throws {
        var sender = left()
        var receiver = host([.init(IPAddress("192.168.1.9")!, prefixLength: 24)])
        let from = Endpoint("192.168.1.100:5060")!
        let to = Endpoint("192.168.1.9:5060")!
        sender.receive(.send(Datagram(from: from, to: to, [1])), at: start)
        receiver.receive(.packet(packets(&sender)[0].bytes), at: start)
        let answer = packets(&receiver)
        #expect(answer.map(\.nextHop) == [from.address])
        sender.receive(.packet(answer[0].bytes), at: start)
        #expect(sender.nextOutput() == .unreachable(local: from, remote: to, .port))
        receiver.receive(.open(5060), at: start)
        receiver.receive(.close(5060), at: start)
        receiver.receive(.open(5060), at: start)
        sender.receive(.send(Datagram(from: from, to: to, [1])), at: start)
        receiver.receive(.packet(packets(&sender)[0].bytes), at: start)
        #expect(receiver.nextOutput() == .datagram(Datagram(from: from, to: to, [1])))
        #expect(receiver.nextOutput() == nil)
    }

    @Test("an ICMP error about somebody else's datagram is not believed")
    func foreignError() throws {
        var stack = left()
        let cause = try IPPacket.bytes(of: Datagram(from: Endpoint("192.168.1.77:5060")!, to: Endpoint("192.168.1.9:5060")!, [1]))
        let error = try ICMPMessage.portUnreachable(quoting: cause).packet(
            from: IPAddress("192.168.1.9")!, to: IPAddress("192.168.1.100")!)
        stack.receive(.packet(error), at: start)
        #expect(stack.nextOutput() == nil)
    }

    @Test("RFC 1191: after Fragmentation Needed the next datagram fits the path")
    func pathMTU() throws {
        var stack = left(dontFragment: true)
        let from = Endpoint("192.168.1.100:5060")!
        let to = Endpoint("203.0.113.5:5060")!
        let datagram = Datagram(from: from, to: to, Array(repeating: 1, count: 1_200))
        stack.receive(.send(datagram), at: start)
        let first = packets(&stack)
        #expect(first.count == 1)
        let error = try ICMPMessage.packetTooBig(mtu: 800, quoting: first[0].bytes).packet(
            from: IPAddress("192.168.1.1")!, to: from.address)
        stack.receive(.packet(error), at: start)
        #expect(stack.nextOutput() == .unreachable(local: from, remote: to, .tooBig(mtu: 800)))
        stack.receive(.send(datagram), at: start)
        #expect(packets(&stack).map(\.bytes.count).allSatisfy { $0 <= 800 })
    }

    @Test("a ping is answered; what is for others, malformed, or of no known protocol is dropped with a trace")
    func others() throws {
        var stack = left()
        let ping = try ICMPMessage.echoRequest(identifier: 1, sequence: 2, data: [3]).packet(
            from: IPAddress("192.168.1.9")!, to: IPAddress("192.168.1.100")!)
        stack.receive(.packet(ping), at: start)
        let reply = packets(&stack)
        guard case .icmp(let icmp) = try IPPacket(reply[0].bytes).transport else {
            Issue.record("no echo reply")
            return
        }
        #expect(icmp.meaning == .echoReply && icmp.sequence == 2)
        var wrong = ping
        wrong[27] ^= 1
        stack.receive(.packet(wrong), at: start)
        stack.receive(.packet([0x45]), at: start)
        let foreign = try IPPacket.bytes(of: Datagram(from: a, to: b, [1]))
        stack.receive(.packet(foreign), at: start)
        #expect(stack.nextTrace() == .dropped(.malformed(PacketError(.checksum(.icmp), at: 22))))
        #expect(stack.nextTrace() == .dropped(.malformed(PacketError(.truncated(.ipv4), at: 1))))
        #expect(stack.nextTrace() == .dropped(.notOurs(b.address)))
        #expect(stack.nextOutput() == nil)
    }

    @Test("RFC 792: a datagram that never became whole draws Time Exceeded after 60 s, quoting its first fragment")
    func reassemblyTimeout() throws {
        var stack = left()
        let whole = try IPPacket.bytes(
            of: Datagram(
                from: Endpoint("192.168.1.9:5060")!, to: Endpoint("192.168.1.100:5060")!, Array(repeating: 1, count: 3_000)))
        let fragments = try IPPacket.fragments(of: whole, mtu: 1_500)
        stack.receive(.packet(fragments[0]), at: start)
        #expect(stack.nextDeadline == start + .seconds(60))
        stack.advance(to: start + .seconds(60))
        guard case .icmp(let icmp) = try IPPacket(packets(&stack)[0].bytes).transport else { return }
        #expect(icmp.meaning == .reassemblyTimeExceeded)
        #expect(stack.nextDeadline == nil)
    }
}
