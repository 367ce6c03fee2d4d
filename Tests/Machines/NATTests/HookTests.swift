import Base
import NAT
import Packet
import Testing

@Suite("What an ALG needs of a NAT")
struct HookTests {
    static let phone = "192.168.1.2:5060"
    static let server = "203.0.113.5:5060"

    static func speedTouch() -> Rig {
        Rig {
            $0.ports.preservesPort = false
            $0.ports.preservesParity = false
            $0.ports.order = .descending(from: 52_899)
        }
    }

    @Test("one internal endpoint may hold several mappings, and the caller chooses which a packet leaves by")
    func via() throws {
        let rig = Self.speedTouch()
        let first = try rig.nat.open(.udp, for: at(Self.phone), remote: at(Self.server), at: rig.now)
        rig.wait(1)
        let second = try rig.nat.open(.udp, for: at(Self.phone), remote: at(Self.server), at: rig.now)
        #expect([first, second].map(\.external.port) == [52_899, 52_898])
        #expect(rig.out(Self.phone, Self.server, via: second.id) == .through("192.0.2.1:52898", Self.server))
        #expect(rig.out(Self.phone, Self.server, via: first.id) == .through("192.0.2.1:52899", Self.server))
        // Without a choice: the one that was there first.
        #expect(rig.out(Self.phone, Self.server) == .through("192.0.2.1:52899", Self.server))
        for (port, id) in [(52_899, first.id), (52_898, second.id)] {
            let verdict = rig.inbound(udp(Self.server, "192.0.2.1:\(port)"))
            #expect(verdict.mapping == id)
            #expect(try ends(#require(verdict.packet)) == (Self.server, Self.phone))
        }
        let listed = rig.nat.mappings(of: at(Self.phone), .udp)
        #expect(listed.map(\.id) == [first.id, second.id])
        #expect(listed[1].created == rig.now && listed[0].created == rig.now - .seconds(1))
        #expect(listed.allSatisfy { $0.lastUsed == rig.now && $0.origin == .request })
    }

    @Test("a mapping of another endpoint or protocol cannot be chosen")
    func viaForeign() throws {
        let rig = Self.speedTouch()
        let foreign = try rig.nat.open(.udp, for: at("192.168.1.3:5060"), remote: at(Self.server), at: rig.now)
        #expect(rig.out(Self.phone, Self.server, via: foreign.id) == .dropped(.unknownMapping))
        let mine = try rig.nat.open(.tcp, for: at(Self.phone), remote: at(Self.server), at: rig.now)
        #expect(rig.out(Self.phone, Self.server, via: mine.id) == .dropped(.unknownMapping))
    }

    @Test("a mapping's idle time can be set, from now on and at each refresh")
    func idle() throws {
        let rig = Self.speedTouch()
        _ = rig.out(Self.phone, Self.server)
        let mapping = try #require(rig.nat.mapping(for: at(Self.phone), .udp, remote: at(Self.server)))
        #expect(mapping.idleLeft(at: rig.now) == .seconds(300))
        #expect(rig.setIdle(mapping.id, 600))
        rig.wait(599)
        #expect(rig.out(Self.phone, Self.server) == .through("192.0.2.1:52899", Self.server))
        #expect(rig.nat.mapping(mapping.id)?.idleLeft(at: rig.now) == .seconds(600))
        #expect(rig.setIdle(mapping.id, 10))
        #expect(rig.nat.mapping(mapping.id)?.idleLeft(at: rig.now) == .seconds(10))
        rig.wait(10)
        #expect(!rig.setIdle(mapping.id, 600))
    }

    @Test(
        "the mapping a packet would use is known before it is sent, under each mapping behaviour", arguments: Dependence.allCases)
    func lookUp(_ dependence: Dependence) {
        let rig = Rig(dependence)
        #expect(rig.nat.mapping(for: at(Self.phone), .udp, remote: at(Self.server)) == nil)
        _ = rig.out(Self.phone, Self.server)
        let isShared = dependence == .endpointIndependent
        #expect((rig.nat.mapping(for: at(Self.phone), .udp, remote: at("198.51.100.7:1")) != nil) == isShared)
        #expect(rig.nat.mapping(for: at(Self.phone), .udp, remote: at(Self.server))?.external == at("192.0.2.1:5060"))
    }

    @Test("ports for RTP and RTCP are reserved as an even pair, and nobody else gets them")
    func reserve() throws {
        let rig = Rig { $0.ports.order = .ascending(from: 16_384) }
        let pair = try rig.nat.reservePorts(.udp, for: at("192.168.1.2:4000"), count: 2, even: true)
        #expect(pair == at("192.0.2.1:4000"))
        #expect(rig.outside("192.168.1.3:4000", Self.server)!.port == 16_384)
        #expect(rig.outside("192.168.1.3:4001", Self.server)!.port == 16_385)
        let next = try rig.nat.reservePorts(.udp, for: at("192.168.1.4:4000"), count: 2, even: true)
        #expect(next == at("192.0.2.1:16386"))
        rig.nat.releasePort(.udp, pair)
        #expect(rig.outside("192.168.1.5:4000", Self.server)!.port == 4000)
        #expect(!rig.reserve(exactly: "192.0.2.1:4001"))
        #expect(!rig.reserve(exactly: "192.0.2.77:9"))
    }

    static func pinhole(
        _ rig: Rig, from: ExpectedRemote, to port: UInt16 = 4000, for inside: String = "192.168.1.2:4000",
        seconds: Int64 = 180, isPermanent: Bool = false, purpose: ExpectationPurpose = .media, owner: UInt64 = 1
    ) throws -> ExpectationID {
        try rig.nat.expect(
            Expectation(
                .udp, from: from, to: Endpoint(.v4(external), port), for: at(inside), expires: rig.now + .seconds(seconds),
                isPermanent: isPermanent, purpose: purpose, owner: owner), at: rig.now)
    }

    @Test("a pinhole admits whom it says", arguments: 0..<3)
    func expectedRemote(_ row: Int) throws {
        let from: [ExpectedRemote] = [.any, .address(at(Self.server).address), .endpoint(at(Self.server))]
        let admitted = [[true, true, true], [true, true, false], [true, false, false]]
        for (number, remote) in [Self.server, "203.0.113.5:7000", "198.51.100.7:5060"].enumerated() {
            let rig = Rig(.addressAndPortDependent, .addressAndPortDependent)
            let id = try Self.pinhole(rig, from: from[row])
            let isIn = admitted[row][number]
            #expect(rig.back(remote, "192.0.2.1:4000") == (isIn ? .through(remote, "192.168.1.2:4000") : .dropped(.noMapping)))
            #expect((rig.nat.expectation(id) == nil) == isIn)
        }
    }

    @Test("a met pinhole is an ordinary mapping: its remote is answered from there, and goes on getting in")
    func met() throws {
        let rig = Rig(.endpointIndependent, .addressAndPortDependent) { $0.ports.preservesPort = false }
        let media = "192.168.1.2:4000"
        let usual = try #require(rig.outside(media, "198.51.100.7:1"))
        let id = try Self.pinhole(rig, from: .any, to: 30_000)
        #expect(rig.back(Self.server, "192.0.2.1:30000") == .through(Self.server, media))
        #expect(rig.nat.expectation(id) == nil)
        #expect(rig.out(media, Self.server) == .through("192.0.2.1:30000", Self.server))
        #expect(rig.back(Self.server, "192.0.2.1:30000") == .through(Self.server, media))
        #expect(rig.back("198.51.100.9:9", "192.0.2.1:30000") == .dropped(.filtered))
        #expect(rig.outside(media, "198.51.100.7:1") == usual)
        let made = try #require(rig.nat.mapping(atExternal: at("192.0.2.1:30000"), .udp))
        #expect(made.origin == .expectation(id))
        #expect(rig.traces().contains(.expectationMet(id, by: at(Self.server), made.id)))
        rig.wait(300)
        rig.nat.advance(to: rig.now)
        #expect(rig.nat.mappingCount == 0)
        #expect(rig.reserve(exactly: "192.0.2.1:30000"))
    }

    @Test("a permanent pinhole takes in further remotes")
    func permanent() throws {
        let rig = Rig(.addressAndPortDependent, .addressAndPortDependent)
        let id = try Self.pinhole(rig, from: .any, isPermanent: true)
        for remote in [Self.server, "198.51.100.7:1"] {
            #expect(rig.back(remote, "192.0.2.1:4000") == .through(remote, "192.168.1.2:4000"))
            #expect(rig.out("192.168.1.2:4000", remote) == .through("192.0.2.1:4000", remote))
        }
        #expect(rig.nat.mappingCount == 1)
        #expect(rig.nat.expectation(id) != nil)
    }

    @Test("packets from inside that come first leave from the announced port, if the pinhole says so", arguments: [true, false])
    func outboundFirst(_ applies: Bool) throws {
        let rig = Rig(.addressAndPortDependent, .addressAndPortDependent) { $0.ports.preservesPort = false }
        _ = try rig.nat.expect(
            Expectation(
                .udp, from: .address(at(Self.server).address), to: at("192.0.2.1:30000"), for: at("192.168.1.2:4000"),
                expires: rig.now + .seconds(180), purpose: .media, appliesOutbound: applies), at: rig.now)
        #expect((rig.outside("192.168.1.2:4000", "203.0.113.5:6000")!.port == 30_000) == applies)
        #expect(rig.outside("192.168.1.2:4000", "198.51.100.7:6000")!.port != 30_000)
    }

    @Test("pinholes expire, at their time or a later one that was set")
    func expiry() throws {
        let rig = Rig()
        let first = try Self.pinhole(rig, from: .any, to: 4000)
        let second = try Self.pinhole(rig, from: .any, to: 4002)
        #expect(rig.setExpiry(second, 500))
        rig.wait(180)
        #expect(rig.back(Self.server, "192.0.2.1:4000") == .dropped(.noMapping))
        #expect(rig.traces().contains(.expectationEnded(first, .expired)))
        #expect(rig.back(Self.server, "192.0.2.1:4002") == .through(Self.server, "192.168.1.2:4000"))
    }

    @Test("media pinholes are flushed apart from signalling, and by owner; ports come free")
    func flush() throws {
        let rig = Rig()
        let signalling = try Self.pinhole(rig, from: .any, to: 5060, purpose: .signalling)
        _ = try Self.pinhole(rig, from: .any, to: 4000)
        let otherCall = try Self.pinhole(rig, from: .any, to: 4002, owner: 2)
        #expect(rig.flush(.media, owner: 1) == 1)
        #expect(rig.nat.expectations.map(\.id) == [signalling, otherCall])
        #expect(rig.flush(.media) == 1)
        #expect(rig.cancel(signalling) && !rig.cancel(signalling))
        #expect(rig.reserve(exactly: "192.0.2.1:5060"))
    }

    @Test("a pinhole is refused on a port that is another's, on a foreign address, when late, or when there are too many")
    func refusals() throws {
        let rig = Rig { $0.limits.expectations = 2 }
        _ = rig.out("192.168.1.3:4000", Self.server)
        #expect(throws: ExpectationRefusal.portTaken) { try Self.pinhole(rig, from: .any) }
        #expect(throws: ExpectationRefusal.alreadyExpired) { try Self.pinhole(rig, from: .any, to: 4002, seconds: 0) }
        _ = try Self.pinhole(rig, from: .any, to: 4002)
        #expect(throws: ExpectationRefusal.portTaken) { try Self.pinhole(rig, from: .any, to: 4002, for: "192.168.1.3:1") }
        _ = try Self.pinhole(rig, from: .any, to: 4002)
        #expect(throws: ExpectationRefusal.limit) { try Self.pinhole(rig, from: .any, to: 4004) }
        #expect(throws: ExpectationRefusal.notOurAddress) {
            try rig.nat.expect(
                Expectation(
                    .udp, from: .any, to: at("192.0.2.9:1"), for: at(Self.phone), expires: .distantFuture, purpose: .media),
                at: rig.now)
        }
    }
}
