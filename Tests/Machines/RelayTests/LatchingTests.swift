import Base
import MediaControl
import RTP
import Relay
import Testing

@Suite("Latching: where media may come from")
struct LatchingTests {
    @Test("The signalled endpoint settles it with its first packet, which passes")
    func signalled() {
        var world = RelayWorld.bridged()
        var b = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        // A's NAT address is not known yet, and nothing is sent to the private one: nobody proved it.
        #expect(world.hear(&b, 1) == ["unproven"])
        #expect(world.lockedSources() == [MediaSource(endpoint: RelayWorld.endpointB, means: .signalled, packet: 1)])
    }

    @Test("A phone behind a NAT is locked at its third packet; the first two go nowhere")
    func learnt() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        #expect(world.hear(&a, 4) == ["weighed", "weighed", "forwarded", "forwarded"])
        #expect(world.lockedSources() == [MediaSource(endpoint: RelayWorld.publicA, means: .learnt, packet: 3)])
        #expect(world.verdictA.packetsReceived == 4)
        #expect(world.verdictA.signalled == RelayWorld.privateA)
        #expect(world.verdictA.source?.endpoint == RelayWorld.publicA)
    }

    @Test("What passes leaves in the same bytes, from the other leg's port, for the other leg's party")
    func forwarded() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 3)
        let bytes = a.next()
        let from = Endpoint(RelayWorld.ours, RelayWorld.portB)
        #expect(world.arrive(bytes, from: RelayWorld.publicA) == .forwarded(bytes, from: from, to: RelayWorld.endpointB))
        var b = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        let back = b.next()
        #expect(
            world.arrive(back, from: RelayWorld.endpointB, on: RelayWorld.portB)
                == .forwarded(back, from: Endpoint(RelayWorld.ours, RelayWorld.portA), to: RelayWorld.publicA))
    }

    @Test("Packets of the first three that do not agree settle nothing", arguments: ["ssrc", "sequence", "repeat"])
    func disagreement(_ fault: String) {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        for turn in 0..<20 {
            switch fault {
            case "ssrc": a.ssrc &+= 1
            case "sequence": a.sequence &+= 3_000
            default: a.sequence = 7
            }
            #expect(world.word(world.hear(&a)) == "weighed", "turn \(turn)")
        }
        #expect(world.lockedSources().isEmpty)
    }

    @Test("Once locked a stranger passes nothing: not with the right SSRC and sequence, not from the same address")
    func inject() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 5)
        for source in [RelayWorld.attacker, Endpoint(RelayWorld.publicA.address, 52_012), RelayWorld.privateA] {
            var inject = a
            inject.source = source
            #expect(world.hear(&inject, 10) == Array(repeating: "stranger", count: 10))
            a.sequence = inject.sequence
            #expect(world.hear(&a, 2) == ["forwarded", "forwarded"])
        }
        // Those of another address: its own other port, and what its SDP named, may be the party itself.
        #expect(world.verdictA.strangers == 10)
        #expect(world.lockedSources().count == 1)
    }

    @Test("What comes before the party is known, its RTCP, and its other port are no strangers'")
    func noStrangers() {
        var world = RelayWorld()
        world.slotA = world.table.open(
            RelayWorld.a, MediaLegSetup(port: RelayWorld.portA, local: RelayWorld.ours), at: world.now)!
        var early = RelayWorld.Stream(RelayWorld.attacker)
        #expect(world.word(world.hear(&early)) == "stranger")
        #expect(world.verdictA.strangers == 0)
        world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 5)
        a.source = Endpoint(RelayWorld.publicA.address, 52_013)
        #expect(world.hear(&a, 3) == Array(repeating: "stranger", count: 3))
        #expect(world.verdictA.strangers == 0)
    }

    @Test("RTP bleed: knocking at a port of a ringing call teaches nothing, nor does it afterwards")
    func bleedWhileRinging() {
        var world = RelayWorld()
        world.slotA = world.table.open(
            RelayWorld.a, MediaLegSetup(port: RelayWorld.portA, local: RelayWorld.ours), at: world.now)!
        world.table.remote(
            world.slotA, MediaRemote(epoch: 1, rtp: RelayWorld.privateA, signallingSource: RelayWorld.publicA.address),
            at: world.now)
        var attacker = RelayWorld.Stream(RelayWorld.attacker, ssrc: 0x6666)
        #expect(Set(world.hear(&attacker, 500)) == ["stranger"])
        world.slotB = world.table.open(
            RelayWorld.b, MediaLegSetup(port: RelayWorld.portB, local: RelayWorld.ours), at: world.now)!
        world.table.remote(
            world.slotB, MediaRemote(epoch: 1, rtp: RelayWorld.endpointB, signallingSource: RelayWorld.endpointB.address),
            at: world.now)
        world.table.bridge(world.slotA, world.slotB, at: world.now)
        // Now both send; the party's address is known and it gets the stream, whoever was first.
        var a = RelayWorld.Stream(RelayWorld.publicA)
        for _ in 0..<2 {
            #expect(world.word(world.hear(&attacker)) == "stranger")
            #expect(world.word(world.hear(&a)) == "weighed")
        }
        #expect(world.word(world.hear(&attacker)) == "stranger")
        #expect(world.word(world.hear(&a)) == "forwarded")
        #expect(world.hear(&attacker, 50) == Array(repeating: "stranger", count: 50))
        #expect(world.lockedSources() == [MediaSource(endpoint: RelayWorld.publicA, means: .learnt, packet: 506)])
    }

    @Test("A flood from hundreds of sources during learning does not keep the party from being learnt")
    func floodWhileLearning() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        var words: [String] = []
        for round in 0..<3 {
            for port in UInt16(1)...300 {
                var noise = RelayWorld.Stream(Endpoint(RelayWorld.attacker.address, port), ssrc: UInt32(port))
                noise.sequence = UInt16(round)
                #expect(world.arrive(noise.next(), from: noise.source) == .dropped(.stranger))
            }
            words.append(world.word(world.hear(&a)))
        }
        #expect(words == ["weighed", "weighed", "forwarded"])
    }

    @Test("Where nothing is known of the party, only ICE, SRTP or `media.source: any` settles it", arguments: [true, false])
    func unknownParty(_ believesAnyone: Bool) {
        var settings = RelaySettings()
        settings.believesAnyone = believesAnyone
        var world = RelayWorld.bridged(settings: settings) { a, _ in
            a.signallingSource = nil
            a.rtp = nil
        }
        var a = RelayWorld.Stream(Endpoint("203.0.113.99:1024")!)
        let words = world.hear(&a, 4)
        #expect(
            words == (believesAnyone ? ["weighed", "weighed", "forwarded", "forwarded"] : Array(repeating: "stranger", count: 4)))
    }

    @Test("An account whose addresses are trusted has one source: what its SDP says")
    func trusted() {
        var world = RelayWorld.bridged { a, _ in a.latches = false }
        var nat = RelayWorld.Stream(RelayWorld.publicA)
        #expect(world.hear(&nat, 10) == Array(repeating: "stranger", count: 10))
        var b = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        let bytes = b.next()
        #expect(
            world.arrive(bytes, from: b.source, on: b.port)
                == .forwarded(bytes, from: Endpoint(RelayWorld.ours, RelayWorld.portA), to: RelayWorld.privateA))
        var a = RelayWorld.Stream(RelayWorld.privateA)
        #expect(world.hear(&a, 1) == ["forwarded"])
    }

    @Test("A new epoch permits a new source; the same epoch again does not", arguments: [UInt32(1), 2])
    func epoch(_ epoch: UInt32) {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 5)
        world.table.remote(
            world.slotA,
            MediaRemote(epoch: epoch, rtp: RelayWorld.privateA, formats: [.pcmu], signallingSource: RelayWorld.publicA.address),
            at: world.now)
        var other = RelayWorld.Stream(Endpoint(RelayWorld.publicA.address, 60_000), ssrc: 0xbbbb)
        let words = world.hear(&other, 3)
        #expect(words == (epoch == 2 ? ["weighed", "weighed", "forwarded"] : ["stranger", "stranger", "stranger"]))
    }

    @Test("During a new epoch the former source is still heard until another is settled on")
    func formerSource() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 5)
        world.table.remote(
            world.slotA,
            MediaRemote(epoch: 2, rtp: RelayWorld.privateA, formats: [.pcmu], signallingSource: RelayWorld.publicA.address),
            at: world.now)
        _ = world.lockedSources()
        #expect(world.hear(&a, 149) == Array(repeating: "forwarded", count: 149))
        #expect(world.lockedSources().isEmpty)
        // After 3 s without another it is settled on again.
        #expect(world.hear(&a, 1) == ["forwarded"])
        #expect(world.lockedSources().map(\.endpoint) == [RelayWorld.publicA])
    }

    @Test(
        "A phone that takes another port in a re-INVITE is followed, though its old packets still come and its SDP shows nothing of it"
    )
    func newPort() {
        var world = RelayWorld.bridged { a, _ in a.rtp = nil }
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 5)
        world.table.remote(
            world.slotA, MediaRemote(epoch: 2, rtp: nil, formats: [.pcmu], signallingSource: RelayWorld.publicA.address),
            at: world.now)
        #expect(world.hear(&a, 20) == Array(repeating: "forwarded", count: 20))
        var new = RelayWorld.Stream(Endpoint(RelayWorld.publicA.address, 60_000), ssrc: 0xbbbb)
        #expect(world.hear(&new, 4) == ["weighed", "weighed", "forwarded", "forwarded"])
        #expect(world.hear(&a, 1) == ["stranger"])
    }

    @Test("A stranger does not get in by way of a re-INVITE while the party is heard")
    func strangerAtReinvite() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 5)
        world.table.remote(
            world.slotA,
            MediaRemote(epoch: 2, rtp: RelayWorld.privateA, formats: [.pcmu], signallingSource: RelayWorld.publicA.address),
            at: world.now)
        var attacker = RelayWorld.Stream(RelayWorld.attacker, ssrc: 0x6666)
        for _ in 0..<100 {
            #expect(world.word(world.hear(&attacker)).first != "f")
            #expect(world.word(world.hear(&a)) == "forwarded")
        }
        #expect(world.verdictA.source?.endpoint == RelayWorld.publicA)
    }

    @Test("A re-INVITE that names another endpoint: the last packets of the old one pass and do not settle it")
    func addressChange() {
        var world = RelayWorld.bridged()
        var old = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 3)
        #expect(world.hear(&old, 2) == ["forwarded", "forwarded"])
        let new = Endpoint("192.0.2.20:4400")!
        world.table.remote(
            world.slotB, MediaRemote(epoch: 2, rtp: new, formats: [.pcmu], signallingSource: RelayWorld.endpointB.address),
            at: world.now)
        _ = world.lockedSources()
        #expect(world.hear(&old, 10) == Array(repeating: "forwarded", count: 10))
        #expect(world.lockedSources().isEmpty)
        // What A sends goes to the new endpoint at once.
        let bytes = a.next()
        #expect(
            world.arrive(bytes, from: a.source)
                == .forwarded(bytes, from: Endpoint(RelayWorld.ours, RelayWorld.portB), to: new))
        var next = RelayWorld.Stream(new, ssrc: 0xcccc, on: RelayWorld.portB)
        #expect(world.hear(&next, 1) == ["forwarded"])
        #expect(world.hear(&old, 1) == ["stranger"])
        #expect(world.lockedSources() == [MediaSource(endpoint: new, means: .signalled, packet: 13)])
    }

    @Test("After 2 s of silence the same stream may go on from elsewhere; before that it may not")
    func rebinding() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 5)
        _ = world.lockedSources()
        a.source = Endpoint("203.0.113.7:52099")!
        // 99 packets are 1.98 s.
        #expect(Set(world.hear(&a, 99)) == ["stranger"])
        #expect(world.hear(&a, 4) == ["weighed", "weighed", "forwarded", "forwarded"])
        #expect(world.lockedSources() == [MediaSource(endpoint: a.source, means: .moved, packet: 107)])
        #expect(world.verdictA.source?.means == .moved)
    }

    @Test(
        "After silence another SSRC, a jump in sequence or another address is a stranger still",
        arguments: ["ssrc", "sequence", "address"])
    func takeoverAfterSilence(_ fault: String) {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 5)
        world.wait(.seconds(60))
        var thief = a
        thief.source = fault == "address" ? RelayWorld.attacker : Endpoint(RelayWorld.publicA.address, 52_012)
        if fault == "ssrc" { thief.ssrc = 0x6666 }
        if fault == "sequence" { thief.sequence &-= 10 }
        #expect(world.hear(&thief, 4) == Array(repeating: "stranger", count: 4))
        #expect(world.hear(&a, 1) == ["forwarded"])
    }

    @Test("A move that was begun is forgotten when the source speaks again")
    func interruptedMove() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 5)
        world.wait(.seconds(3))
        var other = a
        other.source = Endpoint(RelayWorld.publicA.address, 52_012)
        #expect(world.hear(&other, 2) == ["weighed", "weighed"])
        a.sequence = other.sequence
        #expect(world.hear(&a, 1) == ["forwarded"])
        other.sequence = a.sequence
        #expect(world.hear(&other, 1) == ["stranger"])
    }

    @Test("The wrap of sequence numbers is no break", arguments: [UInt16(65_533), 65_534, 65_535, 0])
    func wrap(_ start: UInt16) {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        a.sequence = start
        #expect(world.hear(&a, 4) == ["weighed", "weighed", "forwarded", "forwarded"])
        #expect(world.verdictA.lost == 0)
    }
}
