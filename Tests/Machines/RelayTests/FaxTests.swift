import Base
import MediaControl
import RTP
import Testing

import Relay

@Suite("Fax: UDPTL between two parties (T.38)")
struct FaxTests {
    /// A party's UDPTL, one datagram every 20 ms.
    struct Fax {
        var source: Endpoint
        var port: UInt16
        var sequence: UInt16 = 0

        init(_ source: Endpoint, on port: UInt16 = RelayWorld.portA, from sequence: UInt16 = 0) {
            self.source = source
            self.port = port
            self.sequence = sequence
        }

        mutating func next() -> [UInt8] {
            defer { sequence &+= 1 }
            return Self.datagram(sequence)
        }

        static func datagram(_ sequence: UInt16) -> [UInt8] {
            [UInt8(sequence >> 8), UInt8(sequence & 0xff), 6, 1, 2, 3, 4, 5, 6, 0, 0]
        }
    }

    static func world(_ change: (inout MediaRemote, inout MediaRemote) -> Void = { _, _ in }) -> RelayWorld {
        RelayWorld.bridged { a, b in
            a.carriesUDPTL = true
            b.carriesUDPTL = true
            a.formats = []
            b.formats = []
            change(&a, &b)
        }
    }

    func hear(_ fax: inout Fax, _ count: Int, _ world: inout RelayWorld) -> [String] {
        (0..<count).map { _ in
            world.wait(.milliseconds(20))
            return world.word(world.arrive(fax.next(), from: fax.source, on: fax.port))
        }
    }

    @Test("Both ways, byte for byte; a party behind a NAT is believed by its third datagram in sequence, as with RTP")
    func both() {
        var world = Self.world()
        var a = Fax(RelayWorld.publicA)
        var b = Fax(RelayWorld.endpointB, on: RelayWorld.portB)
        #expect(hear(&b, 1, &world) == ["unproven"])
        #expect(hear(&a, 3, &world) == ["weighed", "weighed", "forwarded"])
        #expect(
            world.arrive(a.next(), from: a.source)
                == .forwarded(Fax.datagram(3), from: Endpoint(RelayWorld.ours, RelayWorld.portB), to: RelayWorld.endpointB))
        let sequence = b.sequence
        #expect(
            world.arrive(b.next(), from: b.source, on: b.port)
                == .forwarded(Fax.datagram(sequence), from: Endpoint(RelayWorld.ours, RelayWorld.portA), to: RelayWorld.publicA))
    }

    @Test(
        "Nothing is told apart: numbers whose first byte is that of STUN, ZRTP, DTLS, TURN or nothing known",
        arguments: [0, 3, 0x10, 0x16, 0x40, 0x5a, 0xc0])
    func numbers(first: Int) {
        var world = Self.world()
        var b = Fax(RelayWorld.endpointB, on: RelayWorld.portB, from: UInt16(first << 8))
        var a = Fax(RelayWorld.publicA)
        _ = hear(&a, 3, &world)
        #expect(hear(&b, 5, &world) == Array(repeating: "forwarded", count: 5))
    }

    @Test("Sound that comes late is not taken for fax; numbers that have grown as large as it looks are")
    func late() {
        var world = Self.world()
        var b = Fax(RelayWorld.endpointB, on: RelayWorld.portB, from: 0)
        var sound = RelayWorld.Stream(RelayWorld.endpointB, on: RelayWorld.portB)
        var a = Fax(RelayWorld.publicA)
        _ = hear(&a, 3, &world)
        #expect(world.hear(&sound, 3) == ["notMedia", "notMedia", "notMedia"])
        #expect(hear(&b, 2, &world) == ["forwarded", "forwarded"])
        #expect(world.hear(&sound, 1) == ["notMedia"])
        b.sequence = 0x7ffe
        // A gap that long is no gap: the stream goes on.
        #expect(hear(&b, 5, &world) == Array(repeating: "forwarded", count: 5))
        #expect(world.verdictB.refused == 0 && world.verdictB.strangers == 0)
    }

    @Test("A stranger who sprays our port gets nothing and takes nothing, and is told of once")
    func stranger() {
        var world = Self.world()
        var attacker = Fax(RelayWorld.attacker)
        #expect(hear(&attacker, 50, &world) == Array(repeating: "stranger", count: 50))
        let told = world.events().filter { if case .disbelieved = $0 { true } else { false } }
        #expect(told.count == 1)
        var a = Fax(RelayWorld.publicA)
        #expect(hear(&a, 3, &world) == ["weighed", "weighed", "forwarded"])
        #expect(hear(&attacker, 3, &world) == ["stranger", "stranger", "stranger"])
        #expect(world.verdictA.source?.endpoint == RelayWorld.publicA)
    }

    @Test("Datagrams whose numbers do not rise settle nothing: a knock, or a keepalive")
    func notRising() {
        var world = Self.world()
        for _ in 0..<10 {
            world.wait(.milliseconds(20))
            #expect(world.word(world.arrive(Fax.datagram(7), from: RelayWorld.publicA)) == "weighed")
        }
    }

    @Test("Bounds: what is too short, what comes to the port of RTCP, and a flood")
    func bounds() {
        var world = Self.world()
        #expect(world.word(world.arrive([0, 1, 6, 1, 2], from: RelayWorld.endpointB, on: RelayWorld.portB)) == "malformed")
        #expect(world.word(world.arrive(Fax.datagram(0), from: RelayWorld.endpointB, on: RelayWorld.portB + 1)) == "notMedia")
        var b = Fax(RelayWorld.endpointB, on: RelayWorld.portB)
        let words = (0..<600).map { _ in world.word(world.arrive(b.next(), from: b.source, on: b.port)) }
        #expect(words.filter { $0 == "flood" }.count == 100)
    }

    @Test("From sound to fax and back in one line: the port stays, and where the party is known to be")
    func change() {
        var world = RelayWorld.bridged()
        var sound = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&sound, 5)
        func agree(_ fax: Bool, _ epoch: UInt32) {
            for (slot, rtp, kin) in [
                (world.slotA, RelayWorld.privateA, RelayWorld.publicA.address),
                (world.slotB, RelayWorld.endpointB, RelayWorld.endpointB.address),
            ] {
                world.table.remote(
                    slot,
                    MediaRemote(
                        epoch: epoch, rtp: rtp, formats: fax ? [] : [.pcmu], carriesUDPTL: fax, signallingSource: kin),
                    at: world.now)
            }
        }
        agree(true, 2)
        var b = Fax(RelayWorld.endpointB, on: RelayWorld.portB)
        // At once to where its sound came from.
        #expect(hear(&b, 2, &world) == ["forwarded", "forwarded"])
        var a = Fax(RelayWorld.publicA)
        #expect(hear(&a, 2, &world) == ["forwarded", "forwarded"])
        // Pages go one way: who receives is silent, and nobody complains.
        world.wait(.seconds(60))
        world.table.watchSilence(at: world.now)
        #expect(!world.events().contains { if case .silent = $0 { true } else { false } })
        agree(false, 3)
        #expect(world.hear(&sound, 2) == ["forwarded", "forwarded"])
        #expect(hear(&b, 1, &world) != ["forwarded"])
        let verdict = world.verdictA
        #expect(verdict.fax == MediaVerdict.Fax(received: 2, sent: 2))
        #expect(verdict.packetsReceived == 9 && verdict.codec == "PCMU")
        #expect(world.verdictB.fax?.received == 2)
    }

    @Test("Lost datagrams are those that the numbers leave out")
    func lost() {
        var world = Self.world()
        var b = Fax(RelayWorld.endpointB, on: RelayWorld.portB)
        _ = hear(&b, 4, &world)
        b.sequence += 3
        _ = hear(&b, 3, &world)
        #expect(world.verdictB.fax == MediaVerdict.Fax(received: 7, sent: 0, lost: 3))
        #expect(world.verdictB.lost == 3 && world.verdictB.codec == "T.38")
    }

    @Test("Fax goes to nobody who still expects sound")
    func half() {
        var world = Self.world { a, _ in a.carriesUDPTL = false }
        var b = Fax(RelayWorld.endpointB, on: RelayWorld.portB)
        #expect(hear(&b, 2, &world) == ["noPeer", "noPeer"])
    }
}

@Suite("ZRTP across the relay (RFC 6189)")
struct ZRTPTests {
    /// A Hello, cut down: header with sequence number, magic cookie and SSRC; preamble; checksum.
    static let hello: [UInt8] =
        [0x10, 0, 0, 1, 0x5a, 0x52, 0x54, 0x50, 0, 0, 0xaa, 0xaa, 0x50, 0x5a, 0, 3] + Array("HelloACK".utf8) + [1, 2, 3, 4]

    @Test("Passes as it is, from where the party's media come from, and teaches nothing")
    func passes() {
        var world = RelayWorld.bridged()
        #expect(world.word(world.arrive(Self.hello, from: RelayWorld.publicA)) == "stranger")
        var sound = RelayWorld.Stream(RelayWorld.publicA)
        _ = world.hear(&sound, 4)
        #expect(
            world.arrive(Self.hello, from: RelayWorld.publicA)
                == .forwarded(Self.hello, from: Endpoint(RelayWorld.ours, RelayWorld.portB), to: RelayWorld.endpointB))
        #expect(world.word(world.arrive(Self.hello, from: RelayWorld.attacker)) == "stranger")
        #expect(world.verdictA.packetsReceived == 4 && world.verdictA.refused == 0 && world.verdictB.packetsSent == 2)
    }

    @Test("Not where keys are ours, and not what is no ZRTP")
    func keys() {
        let srtp = SRTPParameters(
            suite: .aesCM128HMACSHA1_80, localKey: [UInt8](repeating: 1, count: 30), remoteKey: [UInt8](repeating: 2, count: 30))
        for (a, b) in [(true, false), (false, true), (true, true)] {
            var world = RelayWorld.bridged(srtp: StandInSRTP.provider) { one, other in
                if a { one.srtp = srtp }
                if b { other.srtp = srtp }
            }
            #expect(world.word(world.arrive(Self.hello, from: RelayWorld.endpointB, on: RelayWorld.portB)) == "notMedia")
        }
        var world = RelayWorld.bridged()
        var other = Self.hello
        other[4] = 0x5b
        #expect(world.word(world.arrive(other, from: RelayWorld.endpointB, on: RelayWorld.portB)) == "notMedia")
        #expect(
            world.word(world.arrive(Array(Self.hello.prefix(27)), from: RelayWorld.endpointB, on: RelayWorld.portB)) == "notMedia"
        )
    }
}
