import Base
import NAT
import Packet
import Testing

@Suite("RFC 4787: UDP")
struct RFC4787Tests {
    static let a = "192.168.1.2:5060"
    static let server = "203.0.113.5:5060"
    static let serverOtherPort = "203.0.113.5:5061"
    static let other = "198.51.100.7:5060"

    struct Pair: Sendable, CustomTestStringConvertible {
        var mapping: Dependence
        var filtering: Dependence
        var testDescription: String { "\(mapping) / \(filtering)" }
    }

    static let pairs = Dependence.allCases.flatMap { mapping in
        Dependence.allCases.map { Pair(mapping: mapping, filtering: $0) }
    }

    @Test("4.1: which flows of one internal endpoint share a mapping", arguments: Dependence.allCases)
    func mappingBehaviour(_ dependence: Dependence) throws {
        let rig = Rig(dependence, .endpointIndependent)
        let first = try #require(rig.outside(Self.a, Self.server))
        let samePort = try #require(rig.outside(Self.a, Self.server))
        let otherPort = try #require(rig.outside(Self.a, Self.serverOtherPort))
        let otherAddress = try #require(rig.outside(Self.a, Self.other))
        #expect(first == at("192.0.2.1:5060"))
        #expect(samePort == first)
        #expect((otherPort == first) == (dependence != .addressAndPortDependent))
        #expect((otherAddress == first) == (dependence == .endpointIndependent))
        #expect(rig.nat.mappingCount == [.endpointIndependent: 1, .addressDependent: 2, .addressAndPortDependent: 3][dependence])
    }

    @Test("5: the nine pairs of mapping and filtering, who may come in through the first mapping", arguments: pairs)
    func ninePairs(_ pair: Pair) {
        let rig = Rig(pair.mapping, pair.filtering)
        #expect(rig.out(Self.a, Self.server) == .through("192.0.2.1:5060", Self.server))
        let rows: [(from: String, isIn: Bool)] = [
            (Self.server, true),
            (Self.serverOtherPort, pair.filtering != .addressAndPortDependent),
            (Self.other, pair.filtering == .endpointIndependent),
        ]
        for row in rows {
            let expected = row.isIn ? Seen.through(row.from, Self.a) : .dropped(.filtered)
            #expect(rig.back(row.from, "192.0.2.1:5060") == expected, "from \(row.from)")
        }
        // Going out to the other remote lets it in: through the same mapping if that is shared, else through its own only.
        let second = rig.outside(Self.a, Self.other)
        #expect((second == at("192.0.2.1:5060")) == (pair.mapping == .endpointIndependent))
        #expect(rig.back(Self.other, "\(second!)") == .through(Self.other, Self.a))
        let throughFirst = pair.mapping == .endpointIndependent || pair.filtering == .endpointIndependent
        #expect(rig.back(Self.other, "192.0.2.1:5060") == (throughFirst ? .through(Self.other, Self.a) : .dropped(.filtered)))
    }

    @Test("REQ-1: two phones behind one NAT each keep one external endpoint whatever they talk to")
    func endpointIndependent() {
        let rig = Rig()
        var seen: [String: Set<Endpoint>] = [:]
        for host in ["192.168.1.2:5060", "192.168.1.3:5060"] {
            for remote in 1...20 { seen[host, default: []].insert(rig.outside(host, "203.0.113.\(remote):\(3000 + remote)")!) }
        }
        #expect(seen.values.allSatisfy { $0.count == 1 })
        #expect(seen["192.168.1.2:5060"] != seen["192.168.1.3:5060"])
    }

    @Test("REQ-2: paired pooling keeps a host on one external address; arbitrary does not")
    func pooling() {
        for (pooling, addresses) in [(Pooling.paired, 1), (.arbitrary, 4)] {
            var settings = NATSettings(externalAddresses: (1...4).map { IPv4Address(192, 0, 2, $0) })
            settings.pooling = pooling
            let rig = Rig(settings)
            let seen = Set((0..<64).map { rig.outside("192.168.1.2:\(4000 + $0)", Self.server)!.address })
            #expect(seen.count == addresses)
            if pooling == .paired { #expect(seen.first == rig.nat.externalAddress(for: at(Self.a).address)) }
        }
    }

    @Test("REQ-3: no overloading: two hosts with the same port get different ones, and both are reached")
    func noOverloading() throws {
        let rig = Rig()
        let first = try #require(rig.outside("192.168.1.2:5060", Self.server))
        let second = try #require(rig.outside("192.168.1.3:5060", Self.server))
        #expect(first.port == 5060 && second.port != 5060)
        #expect(rig.back(Self.server, "\(first)") == .through(Self.server, "192.168.1.2:5060"))
        #expect(rig.back(Self.server, "\(second)") == .through(Self.server, "192.168.1.3:5060"))
    }

    @Test("REQ-3a and REQ-4: range and parity of the internal port", arguments: [5060, 5061, 500, 501] as [UInt16])
    func rangeAndParity(_ port: UInt16) throws {
        let rig = Rig()
        for host in 2...40 {
            let outside = try #require(rig.outside("192.168.1.\(host):\(port)", Self.server))
            #expect(outside.port & 1 == port & 1)
            #expect((outside.port < 1024) == (port < 1024))
        }
    }

    @Test("REQ-5: a mapping lives as long as its timer and no longer", arguments: [30, 120, 300])
    func timer(_ seconds: Int) {
        let rig = Rig { $0.timers.udp = .seconds(seconds) }
        _ = rig.out(Self.a, Self.server)
        rig.wait(Double(seconds) - 0.001)
        #expect(rig.back(Self.server, "192.0.2.1:5060") == .through(Self.server, Self.a))
        rig.wait(0.001)
        #expect(rig.back(Self.server, "192.0.2.1:5060") == .dropped(.noMapping))
        #expect(rig.nat.counters.expired == 1)
    }

    @Test("REQ-5: a rule gives a remote port another timer")
    func timerOfPort() {
        let rig = Rig { $0.rules = [PortRule(.udp, remotePorts: 53...53, idle: .seconds(10))] }
        _ = rig.out("192.168.1.2:4000", "203.0.113.5:53")
        _ = rig.out("192.168.1.2:4001", "203.0.113.5:5060")
        rig.wait(10)
        rig.nat.advance(to: rig.now)
        #expect(rig.nat.mappings.map(\.internal.port) == [4001])
    }

    struct Refresh: Sendable {
        var outbound: Bool
        var inbound: Bool
        var packetOut: Bool
        var lives: Bool
    }

    @Test(
        "REQ-6: which direction refreshes",
        arguments: [
            Refresh(outbound: true, inbound: false, packetOut: true, lives: true),
            Refresh(outbound: true, inbound: false, packetOut: false, lives: false),
            Refresh(outbound: false, inbound: true, packetOut: true, lives: false),
            Refresh(outbound: false, inbound: true, packetOut: false, lives: true),
            Refresh(outbound: true, inbound: true, packetOut: false, lives: true),
            Refresh(outbound: false, inbound: false, packetOut: true, lives: false),
        ])
    func refresh(_ row: Refresh) {
        for filtering in Dependence.allCases {
            let rig = Rig(.endpointIndependent, filtering) {
                $0.timers.outboundRefreshes = row.outbound
                $0.timers.inboundRefreshes = row.inbound
            }
            _ = rig.out(Self.a, Self.server)
            rig.wait(200)
            _ = row.packetOut ? rig.out(Self.a, Self.server) : rig.back(Self.server, "192.0.2.1:5060")
            rig.wait(200)
            let expected: Seen = row.lives ? .through(Self.server, Self.a) : .dropped(.noMapping)
            #expect(rig.back(Self.server, "192.0.2.1:5060") == expected, "\(filtering)")
        }
    }

    @Test("4.3: a filter entry runs out on its own while its mapping is kept by other traffic")
    func filterTimer() {
        let rig = Rig(.endpointIndependent, .addressDependent)
        _ = rig.out(Self.a, Self.server)
        for _ in 0..<3 {
            rig.wait(150)
            _ = rig.out(Self.a, Self.other)
        }
        #expect(rig.back(Self.other, "192.0.2.1:5060") == .through(Self.other, Self.a))
        #expect(rig.back(Self.server, "192.0.2.1:5060") == .dropped(.filtered))
        _ = rig.out(Self.a, Self.server)
        #expect(rig.back(Self.server, "192.0.2.1:5060") == .through(Self.server, Self.a))
    }

    @Test("4.3: a short timer until the first answer, the long one thereafter (Linux)")
    func unanswered() {
        let rig = Rig(.linux(external))
        _ = rig.out(Self.a, Self.server)
        rig.wait(30)
        #expect(rig.back(Self.server, "192.0.2.1:5060") == .dropped(.noMapping))
        _ = rig.out(Self.a, Self.server)
        _ = rig.back(Self.server, "192.0.2.1:5060")
        rig.wait(119)
        #expect(rig.back(Self.server, "192.0.2.1:5060") == .through(Self.server, Self.a))
    }

    @Test("REQ-7: remotes whose addresses equal internal ones are translated all the same")
    func conflictingAddresses() {
        let rig = Rig()
        #expect(rig.out(Self.a, "192.168.1.3:5060") == .through("192.0.2.1:5060", "192.168.1.3:5060"))
        #expect(rig.back("192.168.1.3:5060", "192.0.2.1:5060") == .through("192.168.1.3:5060", Self.a))
    }

    @Test("REQ-8: without a mapping nothing comes in")
    func noMapping() {
        let rig = Rig()
        #expect(rig.back(Self.server, "192.0.2.1:5060") == .dropped(.noMapping))
        #expect(rig.back(Self.server, "192.0.2.99:5060") == .dropped(.notOurAddress))
    }

    @Test("REQ-9: hairpinning, and whose source the receiver sees")
    func hairpinning() {
        let b = "192.168.1.3:4000"
        for (setting, expected) in [
            (Hairpinning.externalSource, Seen.hairpin("192.0.2.1:5060", b)), (.internalSource, .hairpin(Self.a, b)),
            (.off, .dropped(.hairpinningOff)),
        ] {
            let rig = Rig { $0.hairpinning = setting }
            #expect(rig.out(b, Self.server) == .through("192.0.2.1:4000", Self.server))
            #expect(rig.out(Self.a, "192.0.2.1:4000") == expected)
        }
    }

    @Test("REQ-9: the receiver's filter applies to hairpinned packets, by the sender's external endpoint")
    func hairpinFiltering() {
        let rig = Rig(.endpointIndependent, .addressAndPortDependent)
        let b = "192.168.1.3:4000"
        _ = rig.out(b, Self.server)
        #expect(rig.out(Self.a, "192.0.2.1:4000") == .dropped(.filtered))
        #expect(rig.out(b, "192.0.2.1:5060") == .hairpin("192.0.2.1:4000", Self.a))
        #expect(rig.out(Self.a, "192.0.2.1:4000") == .hairpin("192.0.2.1:5060", b))
        #expect(rig.out(Self.a, "192.0.2.1:4999") == .dropped(.noMapping))
    }

    @Test("REQ-10: payloads pass untouched, whatever they hold")
    func payloadUntouched() throws {
        let rig = Rig()
        let payload = Array("REGISTER sip:203.0.113.5 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.2:5060\r\n\r\n".utf8)
        let sent = try #require(rig.sent(udp(Self.a, Self.server, payload)))
        #expect(Array(sent.suffix(payload.count)) == payload)
    }

    @Test("REQ-11: behaviour does not depend on conflicts: a second host's mapping is as endpoint-independent as the first's")
    func deterministic() {
        let rig = Rig()
        _ = rig.out("192.168.1.2:5060", Self.server)
        let seen = Set((1...30).map { rig.outside("192.168.1.3:5060", "203.0.113.\($0):99")! })
        #expect(seen.count == 1)
    }

    @Test("REQ-12: an ICMP error neither deletes nor refreshes a mapping")
    func icmpLeavesMapping() throws {
        let rig = Rig()
        let sent = try #require(rig.sent(udp(Self.a, Self.server)))
        let before = rig.nat.mappings
        rig.wait(100)
        let error = try ICMPMessage.portUnreachable(quoting: sent).packet(from: at(Self.server).address, to: .v4(external))
        #expect(rig.receive(error) != .dropped(.noMapping))
        #expect(rig.nat.mappings == before)
        rig.wait(200)
        #expect(rig.back(Self.server, "192.0.2.1:5060") == .dropped(.noMapping))
    }

    @Test("REQ-13: Don't Fragment, DSCP, identification and Time to Live pass untouched")
    func headerUntouched() throws {
        let rig = Rig()
        let options = IPOptions(timeToLive: 17, trafficClass: 0xb8, dontFragment: true, identification: 4711)
        let sent = try #require(rig.sent(udp(Self.a, Self.server, [1], options)))
        guard case .v4(let header) = try IPPacket(sent).header else { return #expect(Bool(false), "no IPv4") }
        #expect(header.trafficClass == 0xb8 && header.dontFragment && header.timeToLive == 17 && header.identification == 4711)
    }

    @Test("RFC 768: a UDP checksum of zero stays zero, both ways")
    func zeroChecksum() throws {
        let rig = Rig()
        func bare(_ from: String, _ to: String) -> [UInt8] {
            var packet = udp(from, to)
            packet.replace(at: 26, bigEndian: 0)
            return packet
        }
        let sent = try #require(rig.sent(bare(Self.a, Self.server)))
        #expect(sent.uint16(at: 26) == 0)
        let received = try #require(rig.received(bare(Self.server, "192.0.2.1:5060")))
        #expect(received.uint16(at: 26) == 0)
    }

    @Test("a packet from inside that claims our external address is refused")
    func spoofed() {
        let rig = Rig()
        #expect(rig.out("192.0.2.1:5060", Self.server) == .dropped(.spoofedSource))
    }

    @Test("unsolicited packets get ICMP port unreachable where the box does that")
    func portUnreachable() {
        let rig = Rig { $0.unsolicited = .portUnreachable }
        #expect(rig.back(Self.server, "192.0.2.1:5060") == .icmp(3, 3))
    }
}
