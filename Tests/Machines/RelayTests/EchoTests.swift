import Base
import MediaControl
import RTP
import Relay
import Testing

@Suite("The echo test")
struct EchoTests {
    /// What comes back of one packet.
    static func back(_ world: inout RelayWorld, _ stream: inout RelayWorld.Stream) -> RTPPacket? {
        guard case .forwarded(let bytes, _, stream.source) = world.hear(&stream) else { return nil }
        return RTPPacket(parsing: bytes)
    }

    static func world() -> RelayWorld {
        var world = RelayWorld.bridged { a, _ in a.rtp = RelayWorld.publicA }
        world.table.echo(world.slotA, ssrc: 0x5555, at: world.now)
        return world
    }

    @Test("RFC 3550 8.2: what comes back has an SSRC of ours, and sound, sequence and time as they were")
    func ssrc() throws {
        var world = Self.world()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        for _ in 0..<10 {
            let packet = try #require(Self.back(&world, &a))
            #expect(packet.ssrc == 0x5555 && packet.sequenceNumber == a.sequence && packet.timestamp == a.timestamp)
            #expect(packet.payload == [UInt8](repeating: UInt8(truncatingIfNeeded: a.sequence), count: 160))
        }
    }

    @Test("The party begins another stream, and the tone is asked for again: ours goes on")
    func goesOn() throws {
        var world = Self.world()
        var a = RelayWorld.Stream(RelayWorld.publicA)
        a.sequence = 65_534
        var last = try #require(Self.back(&world, &a))
        for ssrc in UInt32(1)...5 {
            a.ssrc = ssrc
            a.sequence = UInt16(ssrc) * 7_000
            a.timestamp = ssrc * 0x3333_3333
            world.table.echo(world.slotA, ssrc: 0x6666, at: world.now)
            for _ in 0..<3 {
                let packet = try #require(Self.back(&world, &a))
                #expect(packet.ssrc == 0x5555 && packet.sequenceNumber == last.sequenceNumber &+ 1)
                #expect(packet.timestamp == last.timestamp &+ 160)
                last = packet
            }
        }
    }

    @Test("A party that is an echo itself gets nothing back a second time")
    func looped() {
        var world = Self.world()
        var a = RelayWorld.Stream(RelayWorld.publicA, ssrc: 0x5555)
        #expect(Set(world.hear(&a, 50)) == ["looped"])
    }
}
