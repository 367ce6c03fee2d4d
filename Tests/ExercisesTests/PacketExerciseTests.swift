import Base
import Exercises
import Packet
import Testing

@Suite struct PacketExerciseTests {
    private let inside = Endpoint("192.168.1.100:5060")!
    private let server = Endpoint("203.0.113.10:5060")!
    private let inside6 = Endpoint("[2001:db8:1::100]:5060")!
    private let server6 = Endpoint("[2001:db8:2::10]:5060")!

    @Test("every prefix and every changed octet of real packets: parsed or refused, never a trap, and edits keep checksums")
    func mutations() throws {
        let cause = try IPPacket.bytes(of: Datagram(from: inside6, to: server6, Array(repeating: 3, count: 600)))
        let packets = [
            try IPPacket.bytes(of: Datagram(from: inside, to: server, Array(repeating: 1, count: 500))),
            try TCPSegment(from: inside6, to: server6, sequence: 1, flags: .syn, maximumSegmentSize: 1).packet(),
            try ICMPMessage.packetTooBig(mtu: 5, quoting: cause).packet(from: server6.address, to: inside6.address),
        ]
        for bytes in packets {
            for count in 0...min(bytes.count, 120) { exercisePacketParser(Array(bytes[..<count])) }
            for at in 0..<min(bytes.count, 100) {
                for value in [0, 1, 44, 60, 0x7f, 0xff] as [UInt8] {
                    var copy = bytes
                    copy[at] = value
                    exercisePacketParser(copy)
                }
            }
        }
        var entropy = Entropy(labSeed: 1)
        for _ in 0..<3_000 { exercisePacketParser([0x45] + entropy.bytes(Int(entropy.next() % 80))) }
    }
}
