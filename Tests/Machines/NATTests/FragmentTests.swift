import Base
import NAT
import Packet
import Testing

@Suite("RFC 4787 REQ-14: fragments")
struct FragmentTests {
    static let a = "192.168.1.2:5060"
    static let server = "203.0.113.5:5060"
    static let payload = (0..<3500).map { UInt8(truncatingIfNeeded: $0) }

    static func fragments(_ from: String, _ to: String, id: UInt16 = 7) throws -> [[UInt8]] {
        try IPPacket.fragments(of: udp(from, to, payload, IPOptions(identification: id)), mtu: 1500)
    }

    static let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]

    /// All packets the NAT let through for these, put together; nil unless they make one whole packet.
    static func reassembled(_ rig: Rig, _ packets: [[UInt8]], _ direction: NATDirection) -> [UInt8]? {
        var reassembler = Reassembler()
        var whole: [UInt8]?
        for packet in packets {
            let verdict = direction == .outbound ? rig.outbound(packet) : rig.inbound(packet)
            var passed = verdict.packet.map { [$0] } ?? []
            for output in rig.outputs() {
                switch output {
                case .toExternal(let bytes), .toInternal(let bytes): passed.append(bytes)
                }
            }
            for bytes in passed {
                if case .whole(let bytes) = reassembler.receive(bytes, at: rig.now) { whole = bytes }
            }
        }
        return whole
    }

    @Test("in whatever order they come, out and in, they arrive whole and right", arguments: orders)
    func anyOrder(_ order: [Int]) throws {
        let rig = Rig(.endpointIndependent, .addressAndPortDependent) { $0.ports.preservesPort = false }
        let out = try Self.fragments(Self.a, Self.server)
        #expect(out.count == 3)
        let whole = try #require(Self.reassembled(rig, order.map { out[$0] }, .outbound))
        let outside = try #require(rig.nat.mappings.first?.external)
        #expect(ends(whole) == ("\(outside)", Self.server))
        #expect(Array(whole.suffix(Self.payload.count)) == Self.payload)

        let back = try Self.fragments(Self.server, "\(outside)")
        let received = try #require(Self.reassembled(rig, order.map { back[$0] }, .inbound))
        #expect(ends(received) == (Self.server, Self.a))
        #expect(Array(received.suffix(Self.payload.count)) == Self.payload)
    }

    @Test("round the hairpin as well", arguments: orders)
    func hairpin(_ order: [Int]) throws {
        let rig = Rig()
        let b = "192.168.1.3:4000"
        _ = rig.out(b, Self.server)
        let parts = try Self.fragments(Self.a, "192.0.2.1:4000")
        let whole = try #require(Self.reassembled(rig, order.map { parts[$0] }, .outbound))
        #expect(ends(whole) == ("192.0.2.1:5060", b))
    }

    @Test("those of a refused first fragment are dropped, those that waited too")
    func refused() throws {
        let rig = Rig()
        let parts = try Self.fragments(Self.server, "192.0.2.1:5060")
        #expect(rig.receive(parts[1]) == .held(.fragment))
        #expect(rig.receive(parts[0]) == .dropped(.noMapping))
        #expect(rig.receive(parts[2]) == .dropped(.firstFragmentDropped))
        #expect(rig.nat.counters.dropped == 3)
    }

    @Test("those whose first one never comes are dropped in time")
    func timeout() throws {
        let rig = Rig()
        let parts = try Self.fragments(Self.a, Self.server)
        _ = rig.send(parts[1])
        #expect(rig.nat.nextDeadline == rig.now + .seconds(30))
        rig.wait(30)
        rig.nat.advance(to: rig.now)
        #expect(
            rig.traces().last
                == .dropped(.fragmentTimeout, .outbound, proto: 17, from: at("192.168.1.2:0"), to: at("203.0.113.5:0")))
        #expect(rig.nat.nextDeadline == nil)
    }

    @Test("memory is bounded: by fragments a datagram, by octets, by datagrams")
    func bounds() throws {
        let perDatagram = Rig { $0.limits.fragmentsPerDatagram = 1 }
        let parts = try Self.fragments(Self.a, Self.server)
        #expect(perDatagram.send(parts[1]) == .held(.fragment))
        #expect(perDatagram.send(parts[2]) == .dropped(.fragmentLimit))
        let octets = Rig { $0.limits.fragmentOctets = 1500 }
        #expect(octets.send(parts[1]) == .held(.fragment))
        #expect(octets.send(parts[2]) == .dropped(.fragmentLimit))
        _ = octets.send(parts[0])
        #expect(octets.send(try Self.fragments(Self.a, Self.server, id: 8)[1]) == .held(.fragment))
        let datagrams = Rig { $0.limits.fragmentedDatagrams = 2 }
        for id in 1...5 as ClosedRange<UInt16> { _ = datagrams.send(try Self.fragments(Self.a, Self.server, id: id)[1]) }
        #expect(datagrams.nat.counters.dropped == 3)
        #expect(datagrams.send(try Self.fragments(Self.a, Self.server, id: 5)[0]) == .through("192.0.2.1:5060", Self.server))
        #expect(datagrams.outputs().count == 1)
    }

    @Test("RFC 1858: a first fragment without its transport header, or a second one overlapping it, is dropped")
    func tiny() throws {
        let rig = Rig()
        let segment = tcp("192.168.1.2:80", Self.server, .syn, [UInt8](repeating: 0, count: 100))
        func fragment(_ offset: Int, _ length: Int) -> [UInt8] {
            var bytes = Array(segment[..<20]) + segment[(20 + offset)..<(20 + offset + length)]
            bytes.replace(at: 2, bigEndian: UInt16(bytes.count))
            bytes.replace(at: 6, bigEndian: 0x2000 | UInt16(offset / 8))
            bytes.replace(at: 10, bigEndian: 0)
            bytes.replace(at: 10, bigEndian: InternetChecksum.of(bytes, in: 0..<20))
            return bytes
        }
        #expect(rig.send(fragment(0, 16)) == .dropped(.tinyFragment))
        #expect(rig.send(fragment(8, 16)) == .dropped(.tinyFragment))
        #expect(rig.send(fragment(0, 24)) == .through("192.0.2.1:80", Self.server))
    }
}
