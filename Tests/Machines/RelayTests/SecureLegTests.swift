import Base
import MediaControl
import RTP
import Relay
import Testing

@Suite("SRTP on a leg")
struct SecureLegTests {
    static let keys = SRTPParameters(suite: .aesCM128HMACSHA1_80, localKey: [1], remoteKey: [2])

    static func world() -> RelayWorld {
        RelayWorld.bridged(srtp: StandInSRTP.provider) { a, _ in a.srtp = keys }
    }

    static func secret(_ packet: [UInt8], key: [UInt8] = keys.remoteKey) -> [UInt8] { packet + StandInSRTP.tag(key, packet) }

    @Test("One packet that proves itself settles the source, and is plain on the other leg")
    func authenticated() {
        var world = Self.world()
        var a = RelayWorld.Stream(Endpoint("203.0.113.99:9")!)
        let plain = a.next()
        #expect(
            world.arrive(Self.secret(plain), from: a.source)
                == .forwarded(plain, from: Endpoint(RelayWorld.ours, RelayWorld.portB), to: RelayWorld.endpointB))
        #expect(world.lockedSources() == [MediaSource(endpoint: a.source, means: .learnt, packet: 1)])
        #expect(world.verdictA.isSRTP && !world.verdictB.isSRTP)
    }

    @Test("What comes in the clear on the other leg is protected with our key")
    func protected() {
        var world = Self.world()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.arrive(Self.secret(a.next()), from: a.source)
        var b = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        let plain = b.next()
        #expect(
            world.arrive(plain, from: b.source, on: b.port)
                == .forwarded(
                    Self.secret(plain, key: Self.keys.localKey), from: Endpoint(RelayWorld.ours, RelayWorld.portA), to: a.source))
    }

    @Test("Packets in the clear, with a wrong key, or sent twice are refused and teach nothing")
    func refused() {
        var world = Self.world()
        var a = RelayWorld.Stream(RelayWorld.attacker)
        for _ in 0..<5 {
            #expect(world.arrive(a.next(), from: a.source) == .dropped(.notAuthentic))
            #expect(world.arrive(Self.secret(a.next(), key: [9]), from: a.source) == .dropped(.notAuthentic))
        }
        #expect(world.lockedSources().isEmpty)
        var party = RelayWorld.Stream(RelayWorld.publicA)
        let secret = Self.secret(party.next())
        #expect(world.word(world.arrive(secret, from: party.source)) == "forwarded")
        #expect(world.arrive(secret, from: party.source) == .dropped(.notAuthentic))
        // A recorded packet from elsewhere is not even looked into.
        #expect(world.arrive(secret, from: RelayWorld.attacker) == .dropped(.stranger))
    }

    @Test("The signalled endpoint is no proof where there are keys")
    func signalledInTheClear() {
        var world = Self.world()
        var a = RelayWorld.Stream(RelayWorld.privateA)
        #expect(world.hear(&a, 3) == ["notAuthentic", "notAuthentic", "notAuthentic"])
        #expect(world.lockedSources().isEmpty)
    }

    @Test("After 2 s of silence one authentic packet of the same stream moves the source")
    func moves() {
        var world = Self.world()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.arrive(Self.secret(a.next()), from: a.source)
        let elsewhere = Endpoint("203.0.113.7:60000")!
        #expect(world.arrive(Self.secret(a.next()), from: elsewhere) == .dropped(.stranger))
        world.wait(.seconds(2))
        #expect(world.arrive(a.next(), from: elsewhere) == .dropped(.notAuthentic))
        #expect(world.word(world.arrive(Self.secret(a.next()), from: elsewhere)) == "forwarded")
        #expect(world.lockedSources().last == MediaSource(endpoint: elsewhere, means: .moved, packet: 4))
    }

    @Test("Keys agreed and no SRTP at hand: nothing passes in the clear, either way")
    func withoutProvider() {
        var world = RelayWorld.bridged { a, _ in
            a.srtp = Self.keys
            a.rtp = RelayWorld.publicA
        }
        var a = RelayWorld.Stream(RelayWorld.publicA)
        #expect(world.hear(&a, 1) == ["notAuthentic"])
        var b = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        #expect(world.hear(&b, 1) == ["notReceiving"])
    }

    @Test("A re-INVITE with the same keys keeps the contexts, and with them what was seen; new keys make new ones")
    func rekeying() {
        var world = Self.world()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        let old = Self.secret(a.next())
        _ = world.arrive(old, from: a.source)
        var remote = MediaRemote(
            epoch: 2, rtp: RelayWorld.privateA, formats: [.pcmu], srtp: Self.keys, signallingSource: RelayWorld.publicA.address)
        world.table.remote(world.slotA, remote, at: world.now)
        #expect(world.arrive(old, from: a.source) == .dropped(.notAuthentic))
        remote.epoch = 3
        remote.srtp = SRTPParameters(suite: Self.keys.suite, localKey: [3], remoteKey: [4])
        world.table.remote(world.slotA, remote, at: world.now)
        #expect(world.arrive(Self.secret(a.next()), from: a.source) == .dropped(.notAuthentic))
        #expect(world.word(world.arrive(Self.secret(a.next(), key: [4]), from: a.source)) == "forwarded")
    }

    @Test("A flood of forgeries while learning does not use up what the party's own packets may cost")
    func forgeries() {
        var world = Self.world()
        var noise = RelayWorld.Stream(RelayWorld.attacker)
        for _ in 0..<2_000 { _ = world.arrive(Self.secret(noise.next(), key: [9]), from: noise.source) }
        #expect(world.table.dropCounts[.notAuthentic] == 500 && world.table.dropCounts[.flood] == 1_500)
        var a = RelayWorld.Stream(RelayWorld.publicA)
        #expect(world.word(world.arrive(Self.secret(a.next()), from: a.source)) == "forwarded")
    }
}
