import Base
import Capture
import Packet
import Testing

@Suite("Packets inside packets")
struct TunnelTests {
    private static let mac = [UInt8](repeating: 2, count: 12)
    private static let outer = (Endpoint("198.18.0.1:50000")!, "198.18.0.2")

    /// An IPv4 packet of some protocol, without a checksum: nobody looks at it.
    private static func ip(_ number: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let total = UInt16(payload.count + 20)
        return [0x45, 0, UInt8(total >> 8), UInt8(total & 255), 0, 1, 0, 0, 64, number, 0, 0, 198, 18, 0, 1, 198, 18, 0, 2]
            + payload
    }

    private static func overUDP(_ port: Int, _ head: [UInt8], _ inner: [UInt8]) -> [UInt8] {
        udp(head + inner, from: outer.0, to: Endpoint("\(outer.1):\(port)")!)
    }

    private static let packet = udp(sipMessage())
    private static let frame = mac + [8, 0] + packet

    /// What each wrapping puts around the datagram, as an IP packet.
    private static let wrappings: [(name: String, bytes: [UInt8])] = [
        ("GRE", ip(47, [0, 0, 8, 0] + packet)),
        ("GRE with checksum, key and sequence", ip(47, [0xb0, 0, 8, 0] + [UInt8](repeating: 1, count: 12) + packet)),
        ("GRE with Ethernet", ip(47, [0, 0, 0x65, 0x58] + frame)),
        ("GRE with MPLS", ip(47, [0, 0, 0x88, 0x47, 0, 0x01, 0x01, 64] + packet)),
        ("ERSPAN I", ip(47, [0, 0, 0x88, 0xbe] + frame)),
        ("ERSPAN II", ip(47, [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1] + [0x10, 1, 0, 1, 0, 0, 0, 0] + frame)),
        ("ERSPAN III", ip(47, [0x10, 0, 0x22, 0xeb, 0, 0, 0, 1] + [UInt8](repeating: 0, count: 12) + frame)),
        (
            "ERSPAN III with a platform's header",
            ip(
                47,
                [0x10, 0, 0x22, 0xeb, 0, 0, 0, 1] + [UInt8](repeating: 0, count: 11) + [1] + [UInt8](repeating: 0, count: 8)
                    + frame)
        ),
        ("VXLAN", overUDP(4_789, [8, 0, 0, 0, 0, 0, 7, 0], frame)),
        ("Geneve", overUDP(6_081, [1, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 0], frame)),
        ("Geneve with IP", overUDP(6_081, [0, 0, 8, 0, 0, 0, 7, 0], packet)),
        ("GTP-U", overUDP(2_152, [0x30, 0xff, 0, 0, 0, 0, 0, 9], packet)),
        (
            "GTP-U with an extension header",
            overUDP(2_152, [0x34, 0xff, 0, 0, 0, 0, 0, 9] + [0, 0, 0, 0x85] + [1, 0, 5, 0], packet)
        ),
        ("TZSP", overUDP(37_008, [1, 0, 0, 1, 10, 1, 200, 0, 1], frame)),
        ("VXLAN-GPE with IP", overUDP(4_790, [0x0c, 0, 0, 1, 0, 0, 7, 0], packet)),
        ("VXLAN-GPE with Ethernet", overUDP(4_790, [0x0c, 0, 0, 3, 0, 0, 7, 0], frame)),
        ("L2TP", overUDP(1_701, [0, 2, 0, 1, 0, 2, 0xff, 3, 0, 0x21], packet)),
        (
            "L2TP with length, sequence and offset",
            overUDP(1_701, [0x4a, 2, 0, 99, 0, 1, 0, 2, 0, 0, 0, 0, 0, 2, 9, 9, 0, 0x21], packet)
        ),
        ("IP in IP", ip(4, packet)),
        ("VXLAN in GRE", ip(47, [0, 0, 8, 0] + overUDP(4_789, [8, 0, 0, 0, 0, 0, 7, 0], frame))),
    ]

    @Test("the datagram is found with its own addresses; cut anywhere before it, nothing traps", arguments: wrappings.map(\.name))
    func opened(name: String) throws {
        let bytes = try #require(Self.wrappings.first { $0.name == name }).bytes
        let decoded = decode(packets: [bytes])
        #expect(decoded.payloads == [sipMessage()])
        #expect(decoded.seen.first?.source == phone && decoded.seen.first?.destination == server)
        #expect(decoded.seen.first?.flags.contains(.tunnelled) == true)
        for length in 0..<bytes.count {
            let cut = decode(packets: [Array(bytes.prefix(length))])
            #expect(cut.notes.frames == 1)
        }
    }

    @Test("MPLS labels, with and without Ethernet below them; LLC and SNAP", arguments: [0, 1, 2])
    func link(way: Int) {
        let heads: [[UInt8]] = [
            [0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64], [0x88, 0x47, 0, 2, 1, 64, 0, 0, 0, 0] + Self.mac + [8, 0],
            [0, 200, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0],
        ]
        let decoded = decode(PcapText([Self.mac + heads[way] + Self.packet], link: .ethernet).bytes)
        #expect(decoded.payloads == [sipMessage()] && decoded.seen.first?.source == phone)
    }

    @Test("what merely uses such a port stays what it is", arguments: [4_789, 8_472, 6_081, 2_152, 37_008, 4_790, 1_701])
    func innocent(port: Int) {
        let rtp: [UInt8] = [0x80, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4] + [UInt8](repeating: 0xff, count: 160)
        for payload in [sipMessage(), rtp, [0]] {
            let decoded = decode(packets: [Self.overUDP(port, [], payload)])
            #expect(decoded.payloads == [payload] && decoded.seen.first?.destination.port == UInt16(port))
        }
    }

    @Test("a packet wrapped over and over is opened four times and counted as damaged")
    func depth() {
        var bytes = Self.packet
        for _ in 0..<4 { bytes = Self.ip(4, bytes) }
        #expect(decode(packets: [bytes]).payloads == [sipMessage()])
        let notes = decode(packets: [Self.ip(4, bytes)])
        #expect(notes.payloads.isEmpty && notes.notes.malformed == 1)
    }

    @Test("a snoop file is read whatever its chunks; cut or lying records end it with a note", arguments: [1, 7, 1 << 20])
    func snoop(chunk: Int) {
        func word(_ value: Int) -> [UInt8] {
            [UInt8(value >> 24 & 255), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
        }
        let head = Array("snoop".utf8) + [0, 0, 0] + word(2) + word(4)
        let record =
            word(Self.frame.count) + word(Self.frame.count) + word(Self.frame.count + 26) + word(0) + word(9) + word(5)
            + Self.frame + [0, 0]
        let decoded = decode(head + record + record, chunk: chunk)
        #expect(decoded.payloads == [sipMessage(), sipMessage()] && decoded.seen[0].source == phone)
        #expect(decoded.seen[0].time == Instant(nanoseconds: 9_000_005_000))
        let cut = decode(Array((head + record + record).dropLast(9)), chunk: chunk)
        #expect(cut.payloads == [sipMessage()] && cut.notes.damage.count == 1)
        let lying = decode(head + record + word(60) + word(-1) + word(-1) + word(0) + word(9) + word(5), chunk: chunk)
        #expect(lying.payloads == [sipMessage()] && lying.notes.damage.count == 1)
    }

    @Test("Wireshark's exported PDUs keep their addresses; without them, or cut, they are counted as unread")
    func exported() {
        func tag(_ number: UInt8, _ value: [UInt8]) -> [UInt8] { [0, number, 0, UInt8(value.count)] + value }
        let tags =
            tag(12, Array("sip\0".utf8)) + tag(20, [192, 168, 1, 20]) + tag(21, [203, 0, 113, 5]) + tag(24, [0, 0, 0, 3])
            + tag(25, [0, 0, 0x13, 0xc4]) + tag(26, [0, 0, 0x13, 0xc4])
        func file(_ frame: [UInt8]) -> [UInt8] {
            var text = PcapText([frame])
            text.link = 252
            return text.bytes
        }
        let decoded = decode(file(tags + [0, 0, 0, 0] + sipMessage()))
        #expect(decoded.payloads == [sipMessage()])
        #expect(decoded.seen.first?.source == phone && decoded.seen.first?.destination == server)
        #expect(decode(file([0, 0, 0, 0] + sipMessage())).notes.unknownLinkTypes == [252: 1])
        for length in 0..<tags.count { #expect(decode(file(Array(tags.prefix(length)))).notes.unknownLinkTypes == [252: 1]) }
    }
}
