import Base
import MediaControl
import RTP
import Relay
import Testing

@Suite("The relay against attacks and lies")
struct AttackTests {
    @Test("SDP that names a third party's address: nothing is sent there before something came from there")
    func thirdParty() {
        let victim = Endpoint("192.0.2.200:5000")!
        var world = RelayWorld.bridged { a, _ in
            a.rtp = victim
            a.rtcp = Endpoint("192.0.2.200:5001")!
        }
        var b = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        #expect(Set(world.hear(&b, 2_000)) == ["unproven"])
        let report = RTCPPacket.compound([.receiverReport(ssrc: 1, [])])
        let control = Endpoint("192.0.2.20:4001")!
        #expect(world.arrive(report, from: control, on: RelayWorld.portB + 1) == .dropped(.unproven))
        #expect(world.verdictA.packetsSent == 0)
        // The victim itself may speak up.
        var a = RelayWorld.Stream(victim)
        #expect(world.hear(&a, 1) == ["forwarded"])
        #expect(world.hear(&b, 1) == ["forwarded"])
    }

    @Test("Even a party that is known cannot point RTCP at a third one")
    func thirdPartyForRTCP() {
        var world = RelayWorld.bridged { a, _ in a.rtcp = Endpoint("192.0.2.200:5001")! }
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 5)
        let report = RTCPPacket.compound([.receiverReport(ssrc: 1, [])])
        #expect(world.arrive(report, from: Endpoint("192.0.2.20:4001")!, on: RelayWorld.portB + 1) == .dropped(.notReceiving))
    }

    @Test("A re-INVITE that names a third party: media goes on to where the party was heard, never to the third")
    func thirdPartyLater() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        var b = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        _ = world.hear(&a, 5)
        world.table.remote(
            world.slotA,
            MediaRemote(
                epoch: 2, rtp: Endpoint("192.0.2.200:5000")!, formats: [.pcmu], signallingSource: RelayWorld.publicA.address),
            at: world.now)
        for _ in 0..<500 {
            world.wait(.milliseconds(20))
            guard case .forwarded(_, _, RelayWorld.publicA) = world.arrive(b.next(), from: b.source, on: b.port) else {
                Issue.record("not to where A was heard")
                return
            }
        }
    }

    @Test("A bound may be set on what is sent to an unproven address")
    func bounded() {
        var settings = RelaySettings()
        settings.unproven = 10
        var world = RelayWorld.bridged(settings: settings) { a, _ in a.rtp = Endpoint("192.0.2.200:5000")! }
        var b = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        let words = world.hear(&b, 30)
        #expect(words == Array(repeating: "forwarded", count: 10) + Array(repeating: "unproven", count: 20))
    }

    @Test(
        "SDP that names no place, port 0 or the unspecified address: nothing is sent, and the party is learnt",
        arguments: [nil, "203.0.113.7:0", "0.0.0.0:5000"])
    func nowhere(_ place: String?) {
        var world = RelayWorld.bridged { a, _ in a.rtp = place.flatMap { Endpoint($0) } }
        var b = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        #expect(world.hear(&b, 1) == ["notReceiving"])
        var a = RelayWorld.Stream(RelayWorld.publicA)
        #expect(world.hear(&a, 3).last == "forwarded")
        #expect(world.hear(&b, 1) == ["forwarded"])
    }

    @Test("A flood from the party itself passes at 1,000 packets a second after a burst, the rest is counted")
    func flood() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 3)
        world.wait(.seconds(20))
        var passed = 0
        var flooded = 0
        for _ in 0..<10_000 {
            world.wait(.microseconds(100))
            switch world.arrive(a.next(), from: a.source) {
            case .forwarded: passed += 1
            case .dropped(.flood): flooded += 1
            default: Issue.record("neither passed nor flood")
            }
        }
        #expect(passed + flooded == 10_000)
        #expect((1_400...2_000).contains(passed), "\(passed)")
        #expect(world.table.dropCounts[.flood] == UInt64(flooded) && world.verdictA.refused == UInt64(flooded))
    }

    @Test("A stranger's flood uses up nothing of what the party may send")
    func strangersFlood() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 3)
        var noise = RelayWorld.Stream(RelayWorld.attacker)
        for _ in 0..<50 {
            for _ in 0..<400 { #expect(world.arrive(noise.next(), from: noise.source) == .dropped(.stranger)) }
            #expect(world.hear(&a, 1) == ["forwarded"])
        }
    }

    @Test("RTCP on the RTP port teaches nothing, whoever sends it")
    func controlTeachesNothing() {
        var world = RelayWorld.bridged { a, b in
            a.multiplexesRTCP = true
            b.multiplexesRTCP = true
        }
        let report = RTCPPacket.compound([.receiverReport(ssrc: 0xaaaa, [])])
        for _ in 0..<10 { #expect(world.arrive(report, from: RelayWorld.publicA) == .dropped(.stranger)) }
        #expect(world.lockedSources().isEmpty)
        var a = RelayWorld.Stream(RelayWorld.publicA)
        #expect(world.hear(&a, 3) == ["weighed", "weighed", "forwarded"])
        #expect(
            world.arrive(report, from: RelayWorld.publicA)
                == .forwarded(report, from: Endpoint(RelayWorld.ours, RelayWorld.portB), to: RelayWorld.endpointB))
        #expect(world.arrive(report, from: RelayWorld.attacker) == .dropped(.stranger))
    }

    @Test("RTCP on its own port is believed from RTP's address, and only once RTP is; then from one endpoint")
    func control() {
        var world = RelayWorld.bridged()
        let report = RTCPPacket.compound([.receiverReport(ssrc: 0xaaaa, [])])
        let source = Endpoint(RelayWorld.publicA.address, 61_000)
        let port = RelayWorld.portA + 1
        #expect(world.arrive(report, from: source, on: port) == .dropped(.stranger))
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 3)
        let there = Endpoint("192.0.2.20:4001")!
        let from = Endpoint(RelayWorld.ours, RelayWorld.portB + 1)
        #expect(world.arrive(report, from: RelayWorld.attacker, on: port) == .dropped(.stranger))
        #expect(world.arrive(report, from: source, on: port) == .forwarded(report, from: from, to: there))
        #expect(world.arrive(report, from: Endpoint(source.address, 61_001), on: port) == .dropped(.stranger))
        // And what the other side reports goes back there.
        #expect(
            world.arrive(report, from: there, on: RelayWorld.portB + 1)
                == .forwarded(report, from: Endpoint(RelayWorld.ours, port), to: source))
    }

    @Test("One side multiplexes RTCP, the other does not: each gets it where it wants it")
    func halfMultiplexed() {
        var world = RelayWorld.bridged { a, _ in a.multiplexesRTCP = true }
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 3)
        let report = RTCPPacket.compound([.receiverReport(ssrc: 0xaaaa, [])])
        let control = Endpoint("192.0.2.20:4001")!
        #expect(
            world.arrive(report, from: RelayWorld.publicA)
                == .forwarded(report, from: Endpoint(RelayWorld.ours, RelayWorld.portB + 1), to: control))
        #expect(
            world.arrive(report, from: control, on: RelayWorld.portB + 1)
                == .forwarded(report, from: Endpoint(RelayWorld.ours, RelayWorld.portA), to: RelayWorld.publicA))
    }

    @Test("Reports that lie and a BYE that is none change nothing in the verdict, and end nothing")
    func lies() {
        var world = RelayWorld.bridged { a, _ in a.multiplexesRTCP = true }
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 10)
        let before = world.verdictA
        let lie = RTCPReportBlock(
            ssrc: 1, fractionLost: 255, packetsLost: .min, highestSequence: .max, jitter: .max, delaySinceLastSenderReport: .max)
        let info = RTCPSenderInfo(ntpTime: .max, timestamp: .max, packetCount: .max, octetCount: .max)
        let compound = RTCPPacket.compound([.senderReport(ssrc: a.ssrc, info, [lie]), .goodbye([a.ssrc], reason: "over")])
        #expect(world.word(world.arrive(compound, from: RelayWorld.publicA)) == "forwarded")
        #expect(world.verdictA == before)
        #expect(world.hear(&a, 1) == ["forwarded"])
    }

    @Test("RTP on the RTCP port is not media")
    func rtpOnControlPort() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        #expect(world.arrive(a.next(), from: a.source, on: RelayWorld.portA + 1) == .dropped(.notMedia))
    }

    @Test("RFC 7983: what is neither STUN, RTP nor RTCP is dropped by its first byte", arguments: 0...255)
    func demultiplexing(_ first: Int) {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 3)
        var bytes = a.next()
        bytes[0] = UInt8(first)
        let came = world.word(world.arrive(bytes, from: a.source))
        switch first {
        case 0...3: #expect(came == "consumed")
        case 128: #expect(came == "forwarded")
        // CSRC counts, extensions and padding that the bytes may or may not bear out.
        case 129...191: #expect(came == "forwarded" || came == "malformed")
        default: #expect(came == "notMedia")
        }
    }

    @Test("Payload types nobody agreed to are dropped; those of either side and the static ones of audio pass")
    func payloadTypes() {
        var world = RelayWorld.bridged { a, b in
            a.formats = [.pcmu, MediaFormat(payloadType: 96, encoding: "opus", clockRate: 48_000, channels: 2)]
            b.formats = [.pcmu, MediaFormat(payloadType: 107, encoding: "opus", clockRate: 48_000, channels: 2)]
        }
        var a = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&a, 3)
        for (type, expected) in [
            (0, "forwarded"), (96, "forwarded"), (107, "forwarded"), (13, "forwarded"), (8, "forwarded"), (97, "payloadType"),
            (127, "payloadType"), (35, "payloadType"),
        ] {
            a.type = UInt8(type)
            #expect(world.hear(&a, 1) == [expected], "payload type \(type)")
        }
        #expect(world.table.dropCounts[.payloadType] == 3)
    }

    @Test("Truncated and malformed packets are counted, never passed, and settle nothing")
    func malformed() {
        var world = RelayWorld.bridged()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        let whole = a.next()
        for length in 0..<12 { #expect(world.arrive(Array(whole[..<length]), from: a.source) == .dropped(.malformed)) }
        var padded = whole
        padded[0] |= 0x20
        padded[padded.count - 1] = 255
        #expect(world.arrive(padded, from: a.source) == .dropped(.malformed))
        var extended = whole
        extended[0] |= 0x10
        extended[14] = 0xff
        #expect(world.arrive(extended, from: a.source) == .dropped(.malformed))
        _ = world.hear(&a, 3)
        for length in 4..<8 {
            #expect(
                world.arrive(Array(RTCPPacket.receiverReport(ssrc: 1, []).bytes[..<length]), from: a.source)
                    == .dropped(.malformed))
        }
        #expect(world.verdictA.refused == 18)
        #expect(world.arrive(whole, from: a.source, on: 40_000) == .dropped(.noLeg))
    }

    @Test("Legs whose SDPs name each other's ports, or their own, play no packet back and forth")
    func loop() {
        var world = RelayWorld()
        let ours = RelayWorld.ours
        for (id, port) in [(RelayWorld.a, RelayWorld.portA), (RelayWorld.b, RelayWorld.portB)] {
            let slot = world.table.open(id, MediaLegSetup(port: port, local: ours), at: world.now)!
            let other = port == RelayWorld.portA ? RelayWorld.portB : RelayWorld.portA
            world.table.remote(slot, MediaRemote(epoch: 1, rtp: Endpoint(ours, other), signallingSource: ours), at: world.now)
            world.table.echo(slot, ssrc: 9, at: world.now)
        }
        var a = RelayWorld.Stream(Endpoint(ours, RelayWorld.portB))
        #expect(world.hear(&a, 3) == ["ownPort", "ownPort", "ownPort"])
        #expect(world.table.send(a.next(), to: world.table.slot(of: RelayWorld.a)!) == nil)
    }

    @Test("An IPv4 address in IPv6 clothes is an IPv4 address")
    func mapped() {
        var world = RelayWorld.bridged { a, _ in a.rtp = Endpoint("[::ffff:203.0.113.7]:4000")! }
        var b = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        let bytes = b.next()
        #expect(
            world.arrive(bytes, from: b.source, on: b.port)
                == .forwarded(bytes, from: Endpoint(RelayWorld.ours, RelayWorld.portA), to: Endpoint("203.0.113.7:4000")!))
    }
}
