import Base
import Packet
import Testing

@Suite("fragments, apart and together")
struct ReassemblerTests {
    func big(_ count: Int = 3_000, v6: Bool = false) throws -> [UInt8] {
        var entropy = Entropy(labSeed: 3)
        return try IPPacket.bytes(
            of: Datagram(from: v6 ? inside6 : inside, to: v6 ? server6 : server, entropy.bytes(count)),
            IPOptions(identification: 77))
    }

    @Test(
        "RFC 791 3.2, RFC 8200 4.5: every fragment fits the MTU, and they come together in any order", arguments: [false, true],
        [1, 2, 3])
    func roundTrip(v6: Bool, seed: UInt64) throws {
        let whole = try big(v6: v6)
        var fragments = try IPPacket.fragments(of: whole, mtu: 1_280, identification: 5)
        #expect(fragments.count == 3)
        for fragment in fragments {
            #expect(fragment.count <= 1_280)
            try IPPacket(fragment).verifyChecksums(fragment)
        }
        var entropy = Entropy(labSeed: seed)
        fragments.shuffle(using: &entropy)
        var reassembler = Reassembler()
        #expect(reassembler.receive(fragments[0], at: .epoch) == .waiting)
        #expect(reassembler.receive(fragments[1], at: .epoch) == .waiting)
        #expect(reassembler.receive(fragments[1], at: .epoch) == .waiting)
        #expect(reassembler.receive(fragments[2], at: .epoch) == .whole(whole))
        #expect(reassembler.count == 0 && reassembler.octets == 0 && reassembler.nextDeadline == nil)
    }

    @Test("Don't Fragment is obeyed, and an MTU without room for eight octets refused")
    func refusals() throws {
        let stubborn = try IPPacket.bytes(
            of: Datagram(from: inside, to: server, Array(repeating: 1, count: 2_000)), IPOptions(dontFragment: true))
        #expect(throws: FragmentationError.dontFragment) { _ = try IPPacket.fragments(of: stubborn, mtu: 1_500) }
        #expect(throws: FragmentationError.mtuTooSmall) { _ = try IPPacket.fragments(of: big(), mtu: 27) }
    }

    @Test("a fragment of a fragment: offsets add up")
    func nested() throws {
        let whole = try big()
        let pieces = try IPPacket.fragments(of: whole, mtu: 1_500).flatMap { try IPPacket.fragments(of: $0, mtu: 576) }
        var reassembler = Reassembler()
        var outcomes = pieces.reversed().map { reassembler.receive($0, at: .epoch) }
        #expect(outcomes.popLast() == .whole(whole))
        #expect(outcomes.allSatisfy { $0 == .waiting })
    }

    @Test("RFC 5722: an overlap condemns the datagram, stragglers too")
    func overlap() throws {
        let fragments = try IPPacket.fragments(of: big(), mtu: 1_280)
        var forged = fragments[1]
        forged[100] ^= 0xff
        var reassembler = Reassembler()
        #expect(reassembler.receive(fragments[1], at: .epoch) == .waiting)
        #expect(reassembler.receive(forged, at: .epoch) == .dropped(.overlap))
        #expect(reassembler.receive(fragments[0], at: .epoch) == .dropped(.overlap))
        #expect(reassembler.octets == 0 && reassembler.droppedCount == 2)
        let expired = reassembler.expire(at: .epoch + .seconds(60))
        #expect(expired?.condemned == true && reassembler.count == 0)
    }

    @Test("the first-wins policy keeps what came first")
    func firstWins() throws {
        let whole = try big()
        let fragments = try IPPacket.fragments(of: whole, mtu: 1_280)
        var forged = fragments[1]
        forged[100] ^= 0xff
        var reassembler = Reassembler(overlapV4: .firstWins)
        for packet in [fragments[1], forged, fragments[0]] { #expect(reassembler.receive(packet, at: .epoch) == .waiting) }
        #expect(reassembler.receive(fragments[2], at: .epoch) == .whole(whole))
    }

    @Test("two last fragments that disagree are refused")
    func twoEnds() throws {
        let long = try IPPacket.fragments(of: big(3_000), mtu: 1_280)
        let short = try IPPacket.fragments(of: big(2_000), mtu: 1_280)
        var reassembler = Reassembler()
        #expect(reassembler.receive(long[2], at: .epoch) == .waiting)
        #expect(reassembler.receive(short[1], at: .epoch) == .dropped(.inconsistentEnd))
    }

    @Test("RFC 8200 4.5: after 60 s the datagram is given up, its first fragment kept to be quoted")
    func expiry() throws {
        let fragments = try IPPacket.fragments(of: big(), mtu: 1_280)
        var reassembler = Reassembler()
        _ = reassembler.receive(fragments[0], at: .epoch)
        #expect(reassembler.nextDeadline == .epoch + .seconds(60))
        #expect(reassembler.expire(at: .epoch + .milliseconds(59_999)) == nil)
        #expect(reassembler.expire(at: .epoch + .seconds(60))?.first == fragments[0])
        #expect(reassembler.receive(fragments[1], at: .epoch + .seconds(61)) == .waiting)
    }

    @Test("caps: datagrams, octets, fragments; each refusal is counted")
    func caps() throws {
        let limits = Reassembler.Limits(datagrams: 2, octets: 3_000, fragmentsPerDatagram: 2)
        var reassembler = Reassembler(limits: limits)
        func first(_ identification: UInt16) throws -> [UInt8] {
            let bytes = try IPPacket.bytes(
                of: Datagram(from: inside, to: server, Array(repeating: 1, count: 4_000)),
                IPOptions(identification: identification))
            return try IPPacket.fragments(of: bytes, mtu: 1_500)[0]
        }
        #expect(reassembler.receive(try first(1), at: .epoch) == .waiting)
        #expect(reassembler.receive(try first(2), at: .epoch) == .waiting)
        #expect(reassembler.receive(try first(3), at: .epoch) == .waiting)
        #expect(reassembler.count == 2 && reassembler.evictedCount == 1)
        let fragments = try IPPacket.fragments(of: big(900), mtu: 200)
        var other = Reassembler(limits: limits)
        #expect(other.receive(fragments[0], at: .epoch) == .waiting)
        #expect(other.receive(fragments[1], at: .epoch) == .waiting)
        #expect(other.receive(fragments[2], at: .epoch) == .dropped(.tooManyFragments))
        #expect(other.droppedCount == 1 && reassembler.droppedCount == 0)
        var tight = Reassembler(limits: Reassembler.Limits(octets: 1_000))
        #expect(tight.receive(try first(1), at: .epoch) == .dropped(.tooManyOctets))
    }

    @Test("Lone first fragments of one sender take his own places: others' datagrams are put together beside them")
    func loneFragments() throws {
        let whole = try big()
        let honest = try IPPacket.fragments(of: whole, mtu: 1_280)
        var reassembler = Reassembler()
        #expect(reassembler.receive(honest[0], at: .epoch) == .waiting)
        let stranger = Endpoint(IPAddress("203.0.113.66")!, 6_666)
        for identification in 1...2_000 {
            let bytes = try IPPacket.bytes(
                of: Datagram(from: stranger, to: server, Array(repeating: 1, count: 4_000)),
                IPOptions(identification: UInt16(identification)))
            #expect(reassembler.receive(try IPPacket.fragments(of: bytes, mtu: 1_500)[0], at: .epoch) == .waiting)
        }
        #expect(reassembler.count == 256 && reassembler.evictedCount == 2_000 - 255)
        #expect(reassembler.receive(honest[1], at: .epoch) == .waiting)
        #expect(reassembler.receive(honest[2], at: .epoch) == .whole(whole))
    }
}
