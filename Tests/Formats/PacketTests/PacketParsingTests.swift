import Base
import Packet
import Testing

let inside = Endpoint("192.168.1.100:5060")!
let server = Endpoint("203.0.113.10:5060")!
let inside6 = Endpoint("[2001:db8:1::100]:5060")!
let server6 = Endpoint("[2001:db8:2::10]:5060")!

/// A header of RFC 1071's kind with a known sum, as found in many textbooks: 4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7.
let knownHeader: [UInt8] = [
    0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7,
]

func reason(_ bytes: [UInt8]) -> PacketError? {
    do {
        _ = try IPPacket(bytes)
        return nil
    } catch { return error }
}

@Suite("IP packets: what the headers say and where")
struct PacketParsingTests {
    @Test("RFC 1071: the checksum of a known header is b861, and over the header with it 0")
    func knownChecksum() {
        var header = knownHeader
        #expect(InternetChecksum.of(header, in: 0..<20) == 0)
        header.replace(at: 10, bigEndian: 0)
        #expect(InternetChecksum.of(header, in: 0..<20) == 0xb861)
    }

    @Test("RFC 1624 section 4: DD2F with 5555 changed to 3285 becomes 0000, never FFFF by accident")
    func incremental() {
        #expect(InternetChecksum.update(0xdd2f, from: 0x5555, to: 0x3285) == 0x0000)
    }

    @Test("an incremental update agrees with a full computation for every kind of change", arguments: 0..<200)
    func incrementalAgrees(seed: Int) throws {
        var entropy = Entropy(labSeed: UInt64(seed))
        let v6 = seed % 2 == 1
        let payload = entropy.bytes(Int(entropy.next() % 40))
        var bytes = try IPPacket.bytes(
            of: Datagram(from: v6 ? inside6 : inside, to: v6 ? server6 : server, payload), IPOptions(identification: 9))
        var packet = try IPPacket(bytes)
        let address: IPAddress =
            v6
            ? .v6(IPv6Address(high: entropy.next(), low: entropy.next()))
            : .v4(IPv4Address(bits: UInt32.random(in: 1...9_999_999, using: &entropy)))
        packet.rewrite(.source, to: Endpoint(address, UInt16.random(in: 1...65_535, using: &entropy)), in: &bytes)
        packet.rewrite(.destination, to: Endpoint(address, UInt16.random(in: 1...65_535, using: &entropy)), in: &bytes)
        let alive = packet.decrementTimeToLive(in: &bytes)
        #expect(alive)
        try packet.verifyChecksums(bytes)
        #expect(try IPPacket(bytes) == packet)
        var fresh = bytes
        var again = packet
        again.refreshTransportChecksum(in: &fresh)
        #expect(fresh == bytes)
    }

    @Test("a UDP datagram comes back as it was sent, over both families")
    func udpRoundTrip() throws {
        for (from, to) in [(inside, server), (inside6, server6)] {
            let bytes = try IPPacket.bytes(of: Datagram(from: from, to: to, Array("hello".utf8)))
            let packet = try IPPacket(bytes)
            guard case .udp(let udp) = packet.transport else {
                Issue.record("not UDP")
                return
            }
            #expect(packet.source == from.address && packet.destination == to.address)
            #expect(udp.source == 5060 && udp.destination == 5060 && udp.length == 13)
            #expect(Array(bytes[udp.payload]) == Array("hello".utf8))
            try packet.verifyChecksums(bytes)
        }
    }

    @Test("RFC 768: a checksum of 0 means none over IPv4, and survives rewriting; over IPv6 it is wrong")
    func zeroChecksum() throws {
        var bytes = try IPPacket.bytes(of: Datagram(from: inside, to: server, [1, 2, 3]))
        bytes.replace(at: 26, bigEndian: 0)
        var packet = try IPPacket(bytes)
        try packet.verifyChecksums(bytes)
        packet.rewrite(.source, to: server, in: &bytes)
        #expect(bytes.uint16(at: 26) == 0)
        var six = try IPPacket.bytes(of: Datagram(from: inside6, to: server6, [1, 2, 3]))
        six.replace(at: 46, bigEndian: 0)
        #expect(throws: PacketError(.checksum(.udp), at: 46)) { try IPPacket(six).verifyChecksums(six) }
    }

    @Test("a TCP segment with an MSS option: fields, flags, the option's place, checksum")
    func tcp() throws {
        let bytes = try TCPSegment(
            from: inside, to: server, sequence: 7, acknowledgment: 9, flags: [.syn, .ack], maximumSegmentSize: 1460, payload: [1]
        ).packet()
        let packet = try IPPacket(bytes)
        guard case .tcp(let tcp) = packet.transport else {
            Issue.record("not TCP")
            return
        }
        #expect(tcp.sequence == 7 && tcp.acknowledgment == 9 && tcp.flags == [.syn, .ack])
        #expect(tcp.maximumSegmentSizeOffset == 42 && bytes.uint16(at: 42) == 1460)
        #expect(Array(bytes[tcp.payload]) == [1])
        try packet.verifyChecksums(bytes)
        var wrong = bytes
        wrong[41] = 9
        #expect(reason(wrong) == PacketError(.option(.tcp), at: 40))
    }

    @Test("IPv4 options are skipped over, and one of impossible length is refused with its place")
    func options() throws {
        var bytes = try IPPacket.bytes(of: Datagram(from: inside, to: server, [1, 2, 3, 4]))
        bytes.insert(contentsOf: [1, 7, 7, 4, 0, 0, 0, 0], at: 20)
        bytes[0] = 0x47
        bytes.replace(at: 2, bigEndian: UInt16(bytes.count))
        bytes.replace(at: 10, bigEndian: 0)
        bytes.replace(at: 10, bigEndian: InternetChecksum.of(bytes, in: 0..<28))
        let packet = try IPPacket(bytes)
        try packet.verifyChecksums(bytes)
        #expect(packet.payload.lowerBound == 28)
        bytes[22] = 1
        #expect(reason(bytes) == PacketError(.option(.ipv4), at: 21))
    }

    @Test("RFC 8200 4: hop-by-hop, routing, destination and fragment headers are walked to the transport")
    func extensionHeaders() throws {
        let plain = try IPPacket.bytes(of: Datagram(from: inside6, to: server6, Array("x".utf8)))
        var bytes = Array(plain[..<40])
        bytes[6] = 0
        bytes += [43, 0, 1, 4, 0, 0, 0, 0]
        bytes += [60, 0, 0, 0, 0, 0, 0, 0]
        bytes += [44, 0, 1, 4, 0, 0, 0, 0]
        bytes += [17, 0, 0, 0, 0, 0, 0, 77]
        bytes += plain[40...]
        bytes.replace(at: 4, bigEndian: UInt16(bytes.count - 40))
        let packet = try IPPacket(bytes)
        guard case .v6(let header) = packet.header, case .udp(let udp) = packet.transport else {
            Issue.record("not UDP over IPv6")
            return
        }
        #expect(header.extensions(bytes).map(\.kind) == [.hopByHop, .routing, .destinationOptions, .fragment])
        #expect(header.upperProtocolOffset == 64 && udp.range == 72..<80)
        #expect(packet.fragment == IPPacket.Fragment(identification: 77, offset: 0, more: false))
    }

    @Test("hostile input: each refusal carries its reason and its place")
    func hostile() throws {
        let udp = try IPPacket.bytes(of: Datagram(from: inside, to: server, Array(repeating: 1, count: 8)))
        let udp6 = try IPPacket.bytes(of: Datagram(from: inside6, to: server6, Array(repeating: 1, count: 8)))
        func changed(_ bytes: [UInt8], _ at: Int, _ value: UInt8) -> [UInt8] {
            var copy = bytes
            copy[at] = value
            return copy
        }
        let rows: [([UInt8], PacketError)] = [
            ([], PacketError(.truncated(.ipv4), at: 0)),
            ([0x45], PacketError(.truncated(.ipv4), at: 1)),
            ([0x25], PacketError(.version(2), at: 0)),
            (changed(udp, 0, 0x44), PacketError(.headerLength(.ipv4), at: 0)),
            (changed(udp, 0, 0x4f), PacketError(.truncated(.ipv4), at: 36)),
            (changed(udp, 3, 10), PacketError(.length(.ipv4), at: 2)),
            (changed(udp, 3, 200), PacketError(.truncated(.ipv4), at: 36)),
            (changed(udp, 3, 24), PacketError(.truncated(.udp), at: 24)),
            (changed(udp, 25, 7), PacketError(.length(.udp), at: 24)),
            (changed(udp, 25, 17), PacketError(.truncated(.udp), at: 36)),
            (changed(udp, 9, 6), PacketError(.truncated(.tcp), at: 36)),
            (changed(changed(udp, 6, 0x1f), 7, 0xff), PacketError(.fragment, at: 6)),
            (Array(udp6[..<39]), PacketError(.truncated(.ipv6), at: 39)),
            (changed(udp6, 6, 0), PacketError(.truncated(.extensionHeader), at: 56)),
            (changed(udp6, 5, 17), PacketError(.truncated(.ipv6), at: 56)),
        ]
        for (bytes, expected) in rows { #expect(reason(bytes) == expected) }
        var chain = Array(udp6[..<40])
        chain[6] = 60
        for _ in 0..<17 { chain += [60, 0, 0, 0, 0, 0, 0, 0] }
        chain.replace(at: 4, bigEndian: UInt16(chain.count - 40))
        #expect(reason(chain) == PacketError(.tooManyExtensions, at: 168))
    }

    @Test("an ICMP error quotes its packet; addresses and ports of the quotation can be rewritten, its checksums with them")
    func icmpQuote() throws {
        for (from, to) in [(inside, server), (inside6, server6)] {
            let cause = try IPPacket.bytes(of: Datagram(from: from, to: to, [9]))
            let error = ICMPMessage.portUnreachable(quoting: cause)
            var bytes = try error.packet(from: to.address, to: from.address)
            let packet = try IPPacket(bytes)
            try packet.verifyChecksums(bytes)
            guard case .icmp(let icmp) = packet.transport else {
                Issue.record("not ICMP")
                return
            }
            #expect(icmp.meaning == .portUnreachable)
            var quoted = try IPPacket(quotedIn: bytes, icmp.payload)
            #expect(quoted.ports(bytes)?.source == 5060 && quoted.source == from.address)
            quoted.rewrite(.source, to: Endpoint(to.address, 52_899), in: &bytes)
            let inner = Array(bytes[icmp.payload])
            try IPPacket(inner).verifyChecksums(inner)
            var outer = packet
            outer.refreshTransportChecksum(in: &bytes)
            try IPPacket(bytes).verifyChecksums(bytes)
        }
    }

    @Test("RFC 1812 4.3.2.3, RFC 4443 2.4: an error is at most 576 or 1,280 octets long, and is not sent about another error")
    func quoteLimits() throws {
        let big = Array(repeating: UInt8(1), count: 3_000)
        let four = try IPPacket.bytes(of: Datagram(from: inside, to: server, big))
        let six = try IPPacket.bytes(of: Datagram(from: inside6, to: server6, big))
        #expect(try ICMPMessage.timeExceeded(quoting: four).packet(from: server.address, to: inside.address).count == 576)
        let error = try ICMPMessage.packetTooBig(mtu: 1_400, quoting: six).packet(from: server6.address, to: inside6.address)
        #expect(error.count == 1_280)
        let parsed = try IPPacket(error)
        guard case .icmp(let icmp) = parsed.transport else { return }
        #expect(icmp.meaning == .packetTooBig(mtu: 1_400))
        #expect(!ICMPMessage.mayAnswer(parsed))
        #expect(ICMPMessage.mayAnswer(try IPPacket(four)))
        let broadcast = try IPPacket.bytes(of: Datagram(from: inside, to: Endpoint("224.0.1.75:5060")!, [1]))
        #expect(!ICMPMessage.mayAnswer(try IPPacket(broadcast)))
    }

    @Test("an echo's identifier can be rewritten, checksum included")
    func echo() throws {
        var bytes = try ICMPMessage.echoRequest(identifier: 3, sequence: 1, data: [1, 2, 3]).packet(
            from: inside.address, to: server.address)
        var packet = try IPPacket(bytes)
        packet.rewriteEchoIdentifier(to: 40_000, in: &bytes)
        try packet.verifyChecksums(bytes)
        guard case .icmp(let icmp) = try IPPacket(bytes).transport else { return }
        #expect(icmp.identifier == 40_000 && icmp.sequence == 1 && icmp.meaning == .echoRequest)
    }

    @Test("too long or mixed families: refused, not trapped")
    func unmakeable() {
        #expect(throws: PacketError(.tooLong, at: 65_535)) {
            _ = try IPPacket.bytes(of: Datagram(from: inside, to: server, Array(repeating: 0, count: 65_508)))
        }
        #expect(throws: PacketError(.mixedFamilies, at: 0)) {
            _ = try IPPacket.bytes(of: Datagram(from: inside, to: server6, []))
        }
    }
}
