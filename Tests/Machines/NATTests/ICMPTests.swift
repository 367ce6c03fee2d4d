import Base
import NAT
import Packet
import Testing

@Suite("RFC 5508: ICMP")
struct ICMPTests {
    static let a = "192.168.1.2"
    static let server = "203.0.113.5"

    @Test("REQ-1 and REQ-2: queries are mapped by identifier and live 60 s")
    func query() {
        let rig = Rig()
        #expect(rig.send(ping(Self.a, Self.server, 77)) == .through("192.0.2.1:77", "\(Self.server):77"))
        #expect(rig.receive(pong(Self.server, "192.0.2.1", 77)) == .through("\(Self.server):77", "\(Self.a):77"))
        #expect(rig.receive(pong(Self.server, "192.0.2.1", 78)) == .dropped(.noMapping))
        rig.wait(60)
        #expect(rig.receive(pong(Self.server, "192.0.2.1", 77)) == .dropped(.noMapping))
    }

    @Test("two hosts with one identifier get their own answers")
    func identifierTaken() {
        let rig = Rig()
        _ = rig.send(ping(Self.a, Self.server, 77))
        guard case .through(let second, _) = rig.send(ping("192.168.1.3", Self.server, 77)) else {
            return #expect(Bool(false), "refused")
        }
        let identifier = at(second).port
        #expect(identifier != 77)
        #expect(
            rig.receive(pong(Self.server, "192.0.2.1", identifier)) == .through("\(Self.server):77", "192.168.1.3:77"))
    }

    @Test("replies are filtered by address as far as filtering depends on it", arguments: Dependence.allCases)
    func filtering(_ dependence: Dependence) {
        let rig = Rig(.endpointIndependent, dependence)
        _ = rig.send(ping(Self.a, Self.server, 77))
        let expected: Seen =
            dependence == .endpointIndependent ? .through("198.51.100.7:77", "\(Self.a):77") : .dropped(.filtered)
        #expect(rig.receive(pong("198.51.100.7", "192.0.2.1", 77)) == expected)
        #expect(rig.receive(pong(Self.server, "192.0.2.1", 77)) == .through("\(Self.server):77", "\(Self.a):77"))
    }

    @Test("a ping from outside is nobody's")
    func unsolicited() {
        let rig = Rig()
        #expect(rig.receive(ping(Self.server, "192.0.2.1", 1)) == .dropped(.noMapping))
    }

    struct Error: Sendable {
        var message: @Sendable ([UInt8]) -> ICMPMessage
        var name: String
    }

    static let errors = [
        Error(message: { .portUnreachable(quoting: $0) }, name: "port unreachable"),
        Error(message: { .packetTooBig(mtu: 1400, quoting: $0) }, name: "fragmentation needed"),
        Error(message: { .timeExceeded(quoting: $0) }, name: "time exceeded"),
    ]

    @Test("REQ-4: an error about an outbound packet comes back as if there were no NAT", arguments: 0..<3)
    func inboundError(_ number: Int) throws {
        let make = Self.errors[number].message
        for packet in [udp("\(Self.a):5060", "\(Self.server):5060"), ping(Self.a, Self.server, 9)] {
            let rig = Rig(.endpointIndependent, .addressAndPortDependent)
            let occupier =
                try IPPacket(packet).protocolNumber == .udp
                ? udp("192.168.1.9:5060", "\(Self.server):5060") : ping("192.168.1.9", Self.server, 9)
            _ = rig.send(occupier)
            let sent = try #require(rig.sent(packet))
            #expect(sent.suffix(from: 20) != packet.suffix(from: 20))
            let error = try make(sent).packet(from: IPAddress("198.51.100.1")!, to: .v4(external))
            let received = try #require(rig.received(error))
            let plain = try make(packet).packet(from: IPAddress("198.51.100.1")!, to: IPAddress(Self.a)!)
            #expect(received == plain)
        }
    }

    @Test(
        "REQ-5: an error from inside leaves in the NAT's name, from the receiver or a router before it",
        arguments: [a, "192.168.1.77"])
    func outboundError(_ sender: String) throws {
        let rig = Rig { $0.ports.preservesPort = false }
        let outside = try #require(rig.outside("\(Self.a):5060", "\(Self.server):5060"))
        let packet = udp("\(Self.server):5060", "\(outside)")
        let received = try #require(rig.received(packet))
        let error = try ICMPMessage.portUnreachable(quoting: received).packet(
            from: IPAddress(sender)!, to: IPAddress(Self.server)!)
        let sent = try #require(rig.sent(error))
        let plain = try ICMPMessage.portUnreachable(quoting: packet).packet(from: .v4(external), to: IPAddress(Self.server)!)
        #expect(sent == plain)
    }

    @Test("REQ-7: an error about a hairpinned packet goes round the hairpin, translated at both ends")
    func hairpinError() throws {
        let rig = Rig()
        let b = "192.168.1.3:4000"
        _ = rig.out(b, "\(Self.server):5060")
        let packet = udp("\(Self.a):5060", "192.0.2.1:4000")
        let received = try #require(rig.sent(packet))
        let error = try ICMPMessage.portUnreachable(quoting: received).packet(from: at(b).address, to: .v4(external))
        let verdict = rig.outbound(error)
        guard case .hairpin = verdict.verdict else { return #expect(Bool(false), "\(verdict)") }
        let plain = try ICMPMessage.portUnreachable(quoting: packet).packet(from: .v4(external), to: IPAddress(Self.a)!)
        #expect(verdict.bytes == plain)
    }

    @Test("REQ-3: errors with a wrong checksum, or quoting a packet with one, are dropped")
    func badChecksums() throws {
        let rig = Rig()
        let sent = try #require(rig.sent(udp("\(Self.a):5060", "\(Self.server):5060")))
        var error = try ICMPMessage.portUnreachable(quoting: sent).packet(from: IPAddress(Self.server)!, to: .v4(external))
        error[error.count - 1] ^= 1
        #expect(rig.receive(error) == .dropped(.badChecksum))
        var broken = sent
        broken[8] ^= 1
        let quoting = try ICMPMessage.portUnreachable(quoting: broken).packet(from: IPAddress(Self.server)!, to: .v4(external))
        #expect(rig.receive(quoting) == .dropped(.badChecksum))
    }

    /// Length and checksums made right after an edit.
    private static func sealed(_ packet: [UInt8]) -> [UInt8] {
        var packet = packet
        let header = Int(packet[0] & 15) * 4
        packet.replace(at: 2, bigEndian: UInt16(packet.count))
        packet.replace(at: 10, bigEndian: 0)
        packet.replace(at: 10, bigEndian: InternetChecksum.of(packet, in: 0..<header))
        if packet[9] == 1 {
            packet.replace(at: header + 2, bigEndian: 0)
            packet.replace(at: header + 2, bigEndian: InternetChecksum.of(packet, in: header..<packet.count))
        }
        return packet
    }

    @Test("REQ-3b: IP options of the quoted packet are passed over")
    func quotedOptions() throws {
        let rig = Rig { $0.ports.preservesPort = false }
        var packet = udp("\(Self.a):5060", "\(Self.server):5060")
        packet.insert(contentsOf: [1, 1, 1, 0], at: 20)
        packet[0] = 0x46
        packet = Self.sealed(packet)
        let sent = try #require(rig.sent(packet))
        let error = try ICMPMessage.portUnreachable(quoting: sent).packet(from: IPAddress(Self.server)!, to: .v4(external))
        let plain = try ICMPMessage.portUnreachable(quoting: packet).packet(from: IPAddress(Self.server)!, to: IPAddress(Self.a)!)
        #expect(rig.received(error) == plain)
    }

    @Test("REQ-3d: what RFC 4884 appends to the quotation passes as it is")
    func extensions() throws {
        let rig = Rig { $0.ports.preservesPort = false }
        let packet = udp("\(Self.a):5060", "\(Self.server):5060")
        let sent = try #require(rig.sent(packet))
        func extended(_ quoted: [UInt8], to: IPAddress) throws -> [UInt8] {
            var error = try ICMPMessage.timeExceeded(quoting: quoted).packet(from: IPAddress(Self.server)!, to: to)
            // Its length in words, zeros up to it, and an extension of no objects but one.
            error[25] = 32
            error += [UInt8](repeating: 0, count: 128 - quoted.count) + [0x20, 0, 0, 0, 0, 8, 1, 1, 0, 1, 0x40, 1]
            return Self.sealed(error)
        }
        #expect(rig.received(try extended(sent, to: .v4(external))) == (try extended(packet, to: IPAddress(Self.a)!)))
    }

    @Test("RFC 7857 7.1: an error from inside about what came in refreshes nothing")
    func outboundErrorRefreshesNothing() throws {
        let rig = Rig()
        let outside = try #require(rig.outside("\(Self.a):5060", "\(Self.server):5060"))
        rig.wait(200)
        let received = try #require(rig.received(udp("\(Self.server):5060", "\(outside)")))
        let before = rig.nat.mappings.map(\.expires)
        let error = try ICMPMessage.portUnreachable(quoting: received).packet(
            from: IPAddress(Self.a)!, to: IPAddress(Self.server)!)
        #expect(rig.sent(error) != nil)
        #expect(rig.nat.mappings.map(\.expires) == before)
        rig.wait(100)
        #expect(rig.back("\(Self.server):5060", "\(outside)") == .dropped(.noMapping))
    }

    @Test("errors about nothing of ours are dropped: no mapping, or a remote the mapping never dealt with")
    func foreignErrors() throws {
        let rig = Rig(.endpointIndependent, .addressAndPortDependent)
        _ = rig.out("\(Self.a):5060", "\(Self.server):5060")
        for (from, to, reason) in [
            ("192.0.2.1:6000", "\(Self.server):5060", NATDropReason.noMapping),
            ("192.0.2.1:5060", "\(Self.server):5061", .filtered),
        ] {
            let error = try ICMPMessage.portUnreachable(quoting: udp(from, to)).packet(
                from: IPAddress(Self.server)!, to: .v4(external))
            #expect(rig.receive(error) == .dropped(reason))
        }
    }
}
