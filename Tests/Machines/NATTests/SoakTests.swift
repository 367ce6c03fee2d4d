import Base
import NAT
import Packet
import Testing

@Suite("Soak in virtual time")
struct SoakTests {
    /// One packet on its way, sorted by when it arrives.
    private struct Flight {
        var due: Instant
        var direction: NATDirection
        var bytes: [UInt8]
    }

    /// Flows that come and go for an hour: a request, an answer, a keepalive; a tenth of the packets lost, some late. UDP, TCP with a
    /// handshake and an end or none, pings, now and then a pinhole. Returns how many mappings were made.
    static func soak(flows: Int, seed: UInt64) -> Rig {
        var random = Entropy(labSeed: seed)
        let rig = Rig(.endpointIndependent, .addressAndPortDependent) {
            $0.timers.udp = .seconds(120)
            $0.limits.mappings = 20_000
            $0.externalAddresses = [external, IPv4Address(192, 0, 2, 2)]
        }
        rig.nat.isTracing = false
        let gap = 3_600_000_000_000 / Int64(flows)
        var late: [Flight] = []
        for number in 0..<flows {
            rig.now += .nanoseconds(gap)
            let host = IPv4Address(192, 168, 1, UInt8(2 + number % 200))
            let inside = Endpoint(.v4(host), UInt16(1024 + number / 200 % 60_000))
            let remote = Endpoint(.v4(IPv4Address(203, 0, 113, UInt8(number % 250))), UInt16(5060 + number % 7))
            let kind = number % 8
            var first: [UInt8]
            switch kind {
            case 6: first = tcpPacket(inside, remote, .syn)
            case 7:
                first = try! ICMPMessage.echoRequest(identifier: inside.port, sequence: 1, data: [])
                    .packet(from: inside.address, to: remote.address)
            default: first = try! IPPacket.bytes(of: Datagram(from: inside, to: remote, [1]))
            }
            guard case .forward = rig.nat.outbound(&first, at: rig.now) else { continue }
            if number % 50 == 0, let mapping = rig.nat.mappings(of: inside, .udp).first {
                let pinhole = Expectation(
                    .udp, from: .any, to: Endpoint(mapping.external.address, mapping.external.port &+ 30_000), for: inside,
                    expires: rig.now + .seconds(60), purpose: .media, owner: 1)
                _ = try? rig.nat.expect(pinhole, at: rig.now)
                // Half of them are met, the others run out.
                if number % 100 == 0 {
                    var media = try! IPPacket.bytes(of: Datagram(from: remote, to: pinhole.external, [3]))
                    _ = rig.nat.inbound(&media, at: rig.now)
                }
            }
            // The answer and what follows go by the mapping, a tenth of them never, a fifth of them late and out of order.
            guard let packet = try? IPPacket(first), Int.random(in: 0..<10, using: &random) != 0 else { continue }
            for bytes in answers(packet, first, kind, random.next() & 1 == 0) {
                if Int.random(in: 0..<5, using: &random) == 0 {
                    let due = rig.now + .milliseconds(Int.random(in: 1...400, using: &random))
                    late.append(Flight(due: due, direction: .inbound, bytes: bytes))
                } else {
                    var bytes = bytes
                    _ = rig.nat.inbound(&bytes, at: rig.now)
                }
            }
            // Late ones arrive last in, first out.
            while let flight = late.last, flight.due <= rig.now {
                late.removeLast()
                var bytes = flight.bytes
                _ = rig.nat.inbound(&bytes, at: rig.now)
            }
            if late.count > 1000 { late.removeFirst(500) }
            while rig.nat.nextOutput() != nil {}
        }
        return rig
    }

    private static func tcpPacket(_ from: Endpoint, _ to: Endpoint, _ flags: TCPHeader.Flags) -> [UInt8] {
        try! TCPSegment(from: from, to: to, sequence: 7, acknowledgment: 9, flags: flags, payload: []).packet()
    }

    private static func answers(_ packet: IPPacket, _ bytes: [UInt8], _ kind: Int, _ isReset: Bool) -> [[UInt8]] {
        switch packet.transport {
        case .udp(let udp):
            let back = Datagram(
                from: Endpoint(packet.destination, udp.destination), to: Endpoint(packet.source, udp.source), [2])
            return [try! IPPacket.bytes(of: back)]
        case .tcp(let tcp):
            let from = Endpoint(packet.destination, tcp.destination)
            let to = Endpoint(packet.source, tcp.source)
            return [tcpPacket(from, to, [.syn, .ack])] + (isReset ? [tcpPacket(from, to, .rst)] : [])
        case .icmp(let icmp):
            return [
                try! ICMPMessage.echoReply(identifier: icmp.identifier, sequence: 1, data: [])
                    .packet(from: packet.destination, to: packet.source)
            ]
        case .other, .laterFragment: return []
        }
    }

    @Test("100,000 mappings turned over in an hour, with loss and reordering: nothing is left of them")
    func turnover() {
        let rig = Self.soak(flows: 100_000, seed: 1)
        #expect(rig.nat.counters.created >= 100_000)
        #expect(rig.nat.mappingCount > 1000)
        let opened = rig.nat.occupancy
        #expect(opened.ports >= opened.mappings)
        // The longest timer is that of an established connection.
        rig.wait(7500)
        rig.nat.advance(to: rig.now)
        #expect(rig.nat.occupancy == NATOccupancy())
        #expect(rig.nat.nextDeadline == nil)
        #expect(rig.nat.expectations.isEmpty)
        #expect(rig.nat.counters.created == rig.nat.counters.expired + rig.nat.counters.evicted)
    }
}
