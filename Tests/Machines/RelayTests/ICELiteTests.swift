import Base
import MediaControl
import RTP
import Relay
import STUN
import STUNStack
import Testing

@Suite("ICE-lite (RFC 8445)")
struct ICELiteTests {
    static let own = ICECredentials(ufrag: "ours", password: "our-password-of-22-chars")
    static let peer = ICECredentials(ufrag: "theirs", password: "their-password-of-22-ch")
    static let source = Endpoint("203.0.113.7:52011")!
    static let key = STUNKey.shortTerm(password: own.password)

    static func world(mux: Bool = true) -> RelayWorld {
        var world = RelayWorld()
        world.slotA = world.table.open(
            RelayWorld.a, MediaLegSetup(port: RelayWorld.portA, local: RelayWorld.ours, ice: own), at: world.now)!
        world.slotB = world.table.open(
            RelayWorld.b, MediaLegSetup(port: RelayWorld.portB, local: RelayWorld.ours), at: world.now)!
        world.table.remote(
            world.slotA,
            MediaRemote(
                epoch: 1, rtp: RelayWorld.privateA, multiplexesRTCP: mux, formats: [.pcmu], ice: peer,
                signallingSource: source.address),
            at: world.now)
        world.table.remote(
            world.slotB, MediaRemote(epoch: 1, rtp: RelayWorld.endpointB, signallingSource: RelayWorld.endpointB.address),
            at: world.now)
        world.table.bridge(world.slotA, world.slotB, at: world.now)
        return world
    }

    static func request(
        user: String = "ours:theirs", key: STUNKey? = key, nominates: Bool = false,
        _ change: (inout STUNWriter) -> Void = { _ in }
    ) -> [UInt8] {
        var writer = STUNWriter(.bindingRequest, STUNTransactionID(high: UInt64(stunMagicCookie) << 32 | 7, low: 9))
        writer.add(.username(Array(user.utf8)))
        writer.add(.priority, [0x6e, 0, 1, 0xff])
        writer.add(.iceControlling, [UInt8](repeating: 5, count: 8))
        if nominates { writer.add(.useCandidate, [UInt8]()) }
        change(&writer)
        if let key { writer.addIntegrity(key) }
        writer.addFingerprint()
        return writer.bytes
    }

    static func answer(_ world: inout RelayWorld) throws -> (Datagram, STUNMessage)? {
        guard let datagram = world.table.nextDatagram() else { return nil }
        return (datagram, try STUNMessage(datagram.payload))
    }

    @Test("A check is answered from where it came to, with the address it came from, integrity and fingerprint")
    func answered() throws {
        var world = Self.world()
        #expect(world.arrive(Self.request(), from: Self.source) == .consumed)
        let (datagram, message) = try #require(try Self.answer(&world))
        #expect(datagram.source == Endpoint(RelayWorld.ours, RelayWorld.portA) && datagram.destination == Self.source)
        #expect(message.type == .bindingSuccess && message.reflexiveEndpoint == Self.source)
        #expect(message.integrityIsValid(Self.key) == true && message.fingerprintIsValid == true)
    }

    @Test("The first valid pair is used at once, the nominated one from then on")
    func nomination() {
        var world = Self.world()
        _ = world.arrive(Self.request(), from: Self.source)
        #expect(world.lockedSources() == [MediaSource(endpoint: Self.source, means: .ice, packet: 0)])
        var a = RelayWorld.Stream(Self.source)
        #expect(world.hear(&a, 1) == ["forwarded"])
        let better = Endpoint("198.51.100.77:40000")!
        _ = world.arrive(Self.request(), from: better)
        #expect(world.lockedSources().isEmpty)
        _ = world.arrive(Self.request(nominates: true), from: better)
        #expect(world.lockedSources() == [MediaSource(endpoint: better, means: .ice, packet: 1)])
        #expect(world.hear(&a, 1) == ["stranger"])
        var b = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        let bytes = b.next()
        #expect(
            world.arrive(bytes, from: b.source, on: b.port)
                == .forwarded(bytes, from: Endpoint(RelayWorld.ours, RelayWorld.portA), to: better))
    }

    @Test("Where ICE was agreed, packets alone teach nothing, not even from the endpoint in the SDP")
    func onlyChecks() {
        var world = Self.world()
        for source in [RelayWorld.privateA, Self.source] {
            var a = RelayWorld.Stream(source)
            #expect(Set(world.hear(&a, 100)) == ["weighed"])
        }
        #expect(world.lockedSources().isEmpty)
        _ = world.arrive(Self.request(), from: Self.source)
        var other = RelayWorld.Stream(RelayWorld.privateA)
        #expect(Set(world.hear(&other, 500)) == ["stranger"])
    }

    @Test("A party that agreed on ICE and does none is learnt like others after 5 s of its packets; a check still overrides that")
    func noChecks() {
        var world = Self.world()
        var a = RelayWorld.Stream(Self.source)
        #expect(Set(world.hear(&a, 250)) == ["weighed"])
        #expect(world.hear(&a, 3) == ["weighed", "weighed", "forwarded"])
        #expect(world.lockedSources().map(\.means) == [.learnt])
        let better = Endpoint("198.51.100.77:40000")!
        _ = world.arrive(Self.request(nominates: true), from: better)
        #expect(world.lockedSources().map(\.endpoint) == [better])
        #expect(world.hear(&a, 1) == ["stranger"])
    }

    @Test(
        "Whoever does not know the password moves nothing: 401, no more bytes than he sent",
        arguments: ["key", "ours", "peer", "fingerprint"])
    func unauthenticated(_ fault: String) throws {
        var world = Self.world()
        var request =
            switch fault {
            case "key": Self.request(key: .shortTerm(password: "guess"), nominates: true)
            case "ours": Self.request(user: "other:theirs", nominates: true)
            case "peer": Self.request(user: "ours:other", nominates: true)
            default: Self.request(nominates: true)
            }
        if fault == "fingerprint" { request[request.count - 1] ^= 1 }
        _ = world.arrive(request, from: RelayWorld.attacker)
        let (datagram, message) = try #require(try Self.answer(&world))
        #expect(message.type == .bindingError && message.errorCode?.code == 401 && datagram.payload.count <= request.count)
        #expect(world.lockedSources().isEmpty && world.table.dropCounts[.badCheck] == 1 && world.verdictA.refused == 1)
    }

    @Test("A request without integrity gets 400, and silence where that would be more than it sent")
    func withoutIntegrity() throws {
        var world = Self.world()
        _ = world.arrive(Self.request(key: nil), from: RelayWorld.attacker)
        #expect(try Self.answer(&world)?.1.errorCode?.code == 400)
        let bare = STUNWriter(.bindingRequest, STUNTransactionID(high: UInt64(stunMagicCookie) << 32, low: 1)).bytes
        _ = world.arrive(bare, from: RelayWorld.attacker)
        #expect(try Self.answer(&world) == nil)
    }

    @Test("USE-CANDIDATE behind the integrity code was added by somebody else")
    func appended() {
        var world = Self.world()
        _ = world.arrive(Self.request(), from: Self.source)
        var writer = STUNWriter(.bindingRequest, STUNTransactionID(high: UInt64(stunMagicCookie) << 32 | 8, low: 9))
        writer.add(.username(Array("ours:theirs".utf8)))
        writer.addIntegrity(Self.key)
        writer.add(.useCandidate, [UInt8]())
        writer.addFingerprint()
        _ = world.lockedSources()
        _ = world.arrive(writer.bytes, from: RelayWorld.attacker)
        #expect(world.lockedSources().isEmpty)
    }

    @Test("A party that is controlled as well gets 487")
    func roleConflict() throws {
        var world = Self.world()
        _ = world.arrive(Self.request { $0.add(.iceControlled, [UInt8](repeating: 1, count: 8)) }, from: Self.source)
        let message = try #require(try Self.answer(&world)).1
        #expect(message.errorCode?.code == 487 && message.integrityIsValid(Self.key) == true)
        #expect(world.lockedSources().isEmpty)
    }

    @Test("RTCP has a component of its own unless it is multiplexed")
    func components() throws {
        var world = Self.world(mux: false)
        let control = Endpoint(Self.source.address, 52_012)
        _ = world.arrive(Self.request(nominates: true), from: Self.source)
        _ = world.arrive(Self.request(nominates: true), from: control, on: RelayWorld.portA + 1)
        #expect(world.lockedSources().count == 1)
        _ = try Self.answer(&world)
        #expect(try Self.answer(&world)?.0.source == Endpoint(RelayWorld.ours, RelayWorld.portA + 1))
        let report = RTCPPacket.compound([.receiverReport(ssrc: 1, [])])
        #expect(
            world.arrive(report, from: Endpoint("192.0.2.20:4001")!, on: RelayWorld.portB + 1)
                == .forwarded(report, from: Endpoint(RelayWorld.ours, RelayWorld.portA + 1), to: control))
        #expect(world.word(world.arrive(report, from: control, on: RelayWorld.portA + 1)) == "forwarded")
    }

    @Test("STUN on a leg without ICE is dropped in silence; indications keep a mapping alive and no more")
    func withoutICE() throws {
        var world = Self.world()
        #expect(world.arrive(Self.request(), from: RelayWorld.endpointB, on: RelayWorld.portB) == .consumed)
        #expect(try Self.answer(&world) == nil && world.verdictB.refused == 0 && world.table.dropCounts[.badCheck] == 1)
        let indication = STUNWriter(.bindingIndication, STUNTransactionID(high: UInt64(stunMagicCookie) << 32, low: 1)).bytes
        #expect(world.arrive(indication, from: Self.source) == .consumed)
        #expect(try Self.answer(&world) == nil && world.verdictA.refused == 0)
    }

    @Test("A flood of checks is bounded, and does not keep the party's own from being answered")
    func flood() throws {
        var world = Self.world()
        _ = world.arrive(Self.request(nominates: true), from: Self.source)
        _ = try Self.answer(&world)
        var answers = 0
        for _ in 0..<5_000 {
            _ = world.arrive(Self.request(key: .shortTerm(password: "guess")), from: RelayWorld.attacker)
            if try Self.answer(&world) != nil { answers += 1 }
        }
        #expect(answers == 500)
        #expect(world.table.dropCounts[.flood] == 4_500)
        _ = world.arrive(Self.request(), from: Self.source)
        #expect(try Self.answer(&world)?.1.type == .bindingSuccess)
    }
}
