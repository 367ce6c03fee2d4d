import Base
import Packet
import Testing

@testable import RouterEdge

@Suite("Packets that the kernel left to be cut are cut as hardware would have")
struct SegmentsTests {
    static let here = Endpoint(.v4(IPv4Address(192, 168, 1, 10)), 40_000)
    static let there = Endpoint(.v4(IPv4Address(203, 0, 113, 10)), 5061)
    static let hereSix = Endpoint("[2001:db8::10]:40000")!
    static let thereSix = Endpoint("[2001:db8:1::10]:5061")!

    func segment(_ payload: [UInt8], from: Endpoint, to: Endpoint, _ flags: TCPHeader.Flags) throws -> [UInt8] {
        try TCPSegment(
            from: from, to: to, sequence: 0xffff_fff0, acknowledgment: 7, flags: flags, window: 512, payload: payload
        ).packet()
    }

    @Test("TCP: every octet once and in order, right checksums, FIN and PSH with the last alone", arguments: [false, true])
    func stream(isIPv6: Bool) throws {
        let payload = (0..<4_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let (from, to) = isIPv6 ? (Self.hereSix, Self.thereSix) : (Self.here, Self.there)
        let pieces = Segments.cut(try segment(payload, from: from, to: to, [.ack, .psh, .fin]), size: 1_448)
        #expect(pieces.count == 3)
        var got: [UInt8] = []
        for (index, bytes) in pieces.enumerated() {
            let packet = try IPPacket(bytes)
            try packet.verifyChecksums(bytes)
            guard case .tcp(let tcp) = packet.transport else { throw PacketError(.truncated(.tcp), at: 0) }
            #expect(tcp.sequence == 0xffff_fff0 &+ UInt32(got.count) && tcp.acknowledgment == 7 && tcp.window == 512)
            #expect(tcp.flags == (index == 2 ? [.ack, .psh, .fin] : .ack))
            #expect(packet.source == from.address && packet.destination == to.address && packet.range.count == bytes.count)
            got += bytes[tcp.payload]
        }
        #expect(got == payload)
        #expect(pieces.map(\.count) == (isIPv6 ? [1_508, 1_508, 1_164] : [1_488, 1_488, 1_144]))
    }

    @Test("UDP: datagrams of the given size, the last with the rest")
    func datagrams() throws {
        let packet = try IPPacket.bytes(
            of: Datagram(from: Self.here, to: Self.there, [UInt8](repeating: 9, count: 2_500)), IPOptions(identification: 0xffff))
        let pieces = Segments.cut(packet, size: 1_000)
        #expect(pieces.map(\.count) == [1_028, 1_028, 528])
        for (index, bytes) in pieces.enumerated() {
            let piece = try IPPacket(bytes)
            try piece.verifyChecksums(bytes)
            guard case .udp(let udp) = piece.transport, case .v4(let header) = piece.header else {
                throw PacketError(.truncated(.udp), at: 0)
            }
            #expect(udp.payload.count == bytes.count - 28 && header.identification == UInt16(truncatingIfNeeded: 0xffff + index))
        }
    }

    @Test("What is short enough stays as it is; what is no TCP or UDP, or broken, is nothing")
    func others() throws {
        let short = try segment([1, 2, 3], from: Self.here, to: Self.there, .ack)
        #expect(Segments.cut(short, size: 1_448) == [short])
        let ping = try ICMPMessage.echoReply(identifier: 1, sequence: 1, data: [1]).packet(
            from: Self.here.address, to: Self.there.address)
        #expect(Segments.cut(ping, size: 100).isEmpty)
        #expect(Segments.cut(short, size: 0).isEmpty)
        for length in 0..<short.count - 3 { #expect(Segments.cut(Array(short[..<length]), size: 100).isEmpty) }
    }
}
