import Base
import Capture
import Packet
import Testing

@Suite("Frames of a capture")
struct FrameDecoderTests {
    private static let ethernet = [UInt8](repeating: 2, count: 12)

    private static let wrappings: [(String, LinkType, [UInt8])] = [
        ("raw", .raw, []), ("raw, other number", .rawBSD, []), ("Ethernet", .ethernet, ethernet + [8, 0]),
        ("VLAN", .ethernet, ethernet + [0x81, 0, 0, 5, 8, 0]),
        ("QinQ", .ethernet, ethernet + [0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0]),
        ("PPPoE", .ethernet, ethernet + [0x88, 0x64, 0x11, 0, 0, 1, 0, 0, 0, 0x21]),
        ("cooked", .linuxSLL, [UInt8](repeating: 0, count: 14) + [8, 0]),
        ("cooked, VLAN", .linuxSLL, [UInt8](repeating: 0, count: 14) + [0x81, 0, 0, 7, 8, 0]),
        ("cooked v2", .linuxSLL2, [8, 0] + [UInt8](repeating: 0, count: 18)), ("BSD loopback", .null, [2, 0, 0, 0]),
        ("BSD loopback, other order", .null, [0, 0, 0, 2]), ("OpenBSD loopback", .loop, [0, 0, 0, 2]), ("PPP", .ppp, [0, 0x21]),
        ("PPP in HDLC", .ppp, [0xff, 3, 0, 0x21]),
    ]

    @Test("the datagram is found behind every link header", arguments: wrappings.map(\.0))
    func links(name: String) throws {
        let (_, link, head) = try #require(Self.wrappings.first { $0.0 == name })
        let decoded = decode(PcapText([head + udp(sipMessage())], link: link).bytes)
        #expect(decoded.payloads == [sipMessage()] && decoded.seen[0].source == phone)
        // Cut anywhere within the headers it must not trap, nor be taken for a payload.
        for length in 0..<(head.count + 28) {
            let cut = decode(PcapText([Array((head + udp(sipMessage())).prefix(length))], link: link).bytes)
            #expect(cut.seen.isEmpty && cut.notes.frames == 1)
        }
    }

    @Test("IPv6, with extension headers before the datagram")
    func ipv6() throws {
        let plain = udp(sipMessage(), from: phone6, to: server6)
        #expect(decode(packets: [plain]).seen.map(\.source) == [phone6])
        // Hop-by-hop options, then destination options.
        var extended = Array(plain[..<40]) + [60, 0, 1, 4, 0, 0, 0, 0] + [17, 0, 1, 4, 0, 0, 0, 0] + plain[40...]
        extended[6] = 0
        extended.replace(at: 4, bigEndian: UInt16(plain.count - 40 + 16))
        #expect(decode(packets: [extended]).payloads == [sipMessage()])
    }

    @Test("what carries no IP is no loss: counted apart")
    func notIP() {
        let arp = Self.ethernet + [8, 6] + [UInt8](repeating: 0, count: 28)
        let notes = decode(PcapText([arp], link: .ethernet).bytes).notes
        #expect(notes.notIP == 1 && notes.malformed == 0)
    }

    @Test("Ethernet's padding behind a short datagram is not payload")
    func padding() {
        let frame = Self.ethernet + [8, 0] + udp([0x0d, 0x0a, 0x0d, 0x0a])
        let decoded = decode(PcapText([frame + [UInt8](repeating: 0, count: 14)], link: .ethernet).bytes)
        #expect(decoded.payloads == [[0x0d, 0x0a, 0x0d, 0x0a]] && decoded.seen[0].content == .keepalive)
    }

    // MARK: Fragments

    /// Every order of three fragments.
    @Test(
        "fragments make a whole in any order, IPv4 and IPv6",
        arguments: [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]], [false, true])
    func fragments(order: [Int], isIPv6: Bool) throws {
        let message = sipMessage(1, size: 3_000)
        let whole = isIPv6 ? udp(message, from: phone6, to: server6) : udp(message)
        let parts = try IPPacket.fragments(of: whole, mtu: 1_300, identification: 77)
        #expect(parts.count == 3)
        let decoded = decode(packets: order.map { parts[$0] })
        #expect(decoded.payloads == [message])
        #expect(
            decoded.seen[0].flags.contains(.reassembled) && decoded.seen[0].frame == 3 && decoded.seen[0].frames == [1, 2, 3])
        #expect(decoded.notes.fragments == 3 && decoded.notes.reassembled == 1 && decoded.notes.incompleteFragments == 0)
    }

    @Test("a missing fragment: what came first is shown, marked as cut")
    func missingFragment() throws {
        let message = sipMessage(1, size: 3_000)
        let parts = try IPPacket.fragments(of: udp(message), mtu: 1_300, identification: 77)
        let decoded = decode(packets: [parts[0], parts[2]])
        #expect(decoded.seen.count == 1 && decoded.seen[0].flags.isSuperset(of: [.truncated, .ipFragment]))
        #expect(message.starts(with: decoded.seen[0].bytes) && decoded.seen[0].bytes.count == 1_272)
        #expect(decoded.notes.incompleteFragments == 1)
        #expect(decode(packets: [parts[1], parts[2]]).seen.isEmpty)
    }

    @Test("fragments that stay incomplete are given up after a minute of the capture's time")
    func fragmentsExpire() throws {
        let parts = try IPPacket.fragments(of: udp(sipMessage(1, size: 3_000)), mtu: 1_300, identification: 77)
        var file = PcapText([parts[0], udp(sipMessage(2))])
        file.records[1].seconds = 62
        let decoded = decode(file.bytes)
        #expect(decoded.seen.map(\.frame) == [2, 1] && decoded.notes.incompleteFragments == 1)
        #expect(decoded.notes.payloads == [.sip: 2])
    }

    // MARK: Lies and cuts

    @Test("a snap length leaves a payload cut and says so")
    func snapLength() {
        var file = PcapText([Array(udp(sipMessage()).prefix(100))])
        file.records[0].wire = udp(sipMessage()).count
        let decoded = decode(file.bytes)
        #expect(decoded.payloads == [Array(sipMessage().prefix(72))] && decoded.seen[0].flags.contains(.truncated))
        #expect(decoded.notes.truncated == 1 && decoded.notes.truncatedPayloads == 1)
    }

    @Test("a UDP length that contradicts IP is noticed, as an ALG that forgot to adjust it leaves it")
    func lengthLies() {
        var packet = udp(sipMessage())
        packet.replace(at: 24, bigEndian: UInt16(8 + 40))
        let decoded = decode(packets: [packet])
        #expect(decoded.payloads == [Array(sipMessage().prefix(40))] && decoded.seen[0].flags.contains(.lengthLies))
    }

    @Test("an IPv4 total length of zero is the network card's to fill in: the frame tells")
    func offloadedLength() {
        var packet = udp(sipMessage())
        packet.replace(at: 2, bigEndian: UInt16(0))
        #expect(decode(packets: [packet]).payloads == [sipMessage()])
    }

    @Test("IP in IP and 6in4 are looked into, four times at most")
    func tunnels() throws {
        let inner = udp(sipMessage(), from: phone6, to: server6)
        let once = try IPPacket.bytes(from: phone.address, to: server.address, IPProtocol(rawValue: 41), inner)
        let decoded = decode(packets: [once])
        #expect(decoded.seen.map(\.source) == [phone6] && decoded.seen[0].flags.contains(.tunnelled))
        var deep = inner
        for _ in 0..<5 {
            deep = try IPPacket.bytes(
                from: phone.address, to: server.address, IPProtocol(rawValue: deep[0] >> 4 == 4 ? 4 : 41), deep)
        }
        let tooDeep = decode(packets: [deep])
        #expect(tooDeep.seen.isEmpty && tooDeep.notes.malformed == 1)
    }

    @Test("an ICMP error tells whose packet it is about; echoes are counted only")
    func icmp() throws {
        let quoted = udp(sipMessage(), id: 99)
        let unreachable: [UInt8] = [3, 3, 0, 0, 0, 0, 0, 0] + quoted.prefix(28)
        let echo: [UInt8] = [8, 0, 0, 0, 0, 1, 0, 1]
        let decoded = decode(packets: [
            try IPPacket.bytes(from: server.address, to: phone.address, .icmpv4, unreachable),
            try IPPacket.bytes(from: server.address, to: phone.address, .icmpv4, echo),
        ])
        let record = try #require(decoded.icmp.first)
        #expect(decoded.icmp.count == 1 && record.type == 3 && record.code == 3 && record.quotedID == 99)
        #expect(record.quoted?.sourceEndpoint == phone && record.quoted?.destinationEndpoint == server)
        #expect(decoded.notes.otherProtocols == [1: 1])
    }

    @Test("RFC 8200 4: an ICMPv6 error tells whose packet it is about, also behind extension headers")
    func quotedExtensions() throws {
        var quoted = udp(sipMessage(), from: phone6, to: server6)
        quoted.insert(contentsOf: [quoted[6], 0, 1, 4, 0, 0, 0, 0], at: 40)
        quoted[6] = 0
        quoted.replace(at: 4, bigEndian: quoted.uint16(at: 4) + 8)
        let unreachable: [UInt8] = [1, 4, 0, 0, 0, 0, 0, 0] + quoted.prefix(64)
        let packet = try IPPacket.bytes(from: server6.address, to: phone6.address, .icmpv6, unreachable)
        let record = try #require(decode(packets: [packet]).icmp.first)
        #expect(record.quoted?.sourceEndpoint == phone6 && record.quoted?.destinationEndpoint == server6)
        #expect(record.quotedProtocol == 17)
    }

    @Test("what a capture agent sends is read as what it saw (HEPv3)")
    func encapsulated() throws {
        let told = try #require(HEPPacket.bytes(sipMessage(), from: phone, to: server, at: .epoch))
        let decoded = decode(packets: [udp(told, from: Endpoint("10.0.0.1:40000")!, to: Endpoint("10.0.0.2:9060")!)])
        #expect(decoded.payloads == [sipMessage()] && decoded.seen[0].source == phone && decoded.seen[0].destination == server)
        #expect(decoded.seen[0].flags.contains(.encapsulated) && decoded.seen[0].content == .sip)
    }
}
