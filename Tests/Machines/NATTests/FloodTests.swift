import Base
import NAT
import Packet
import Testing

@Suite("Floods: what makes room, and what never does")
struct FloodTests {
    static let server = "203.0.113.5:5060"
    static let phone = "192.168.1.2:5060"

    private static func rig(_ change: (inout NATSettings) -> Void = { _ in }) -> Rig {
        let rig = Rig(.endpointIndependent, .addressAndPortDependent) {
            $0.limits.mappings = 50
            change(&$0)
        }
        // A phone that is registered: its REGISTER was answered.
        _ = rig.out(phone, server)
        _ = rig.back(server, "192.0.2.1:5060")
        return rig
    }

    @Test("a flood of unanswered flows displaces itself; the registered phone, idle longest of all, is reached throughout")
    func registered() {
        let rig = Self.rig()
        for number in 0..<500 {
            rig.now += .milliseconds(10)
            let seen = rig.out("192.168.1.9:\(10_000 + number)", "203.0.113.\(1 + number % 200):9")
            guard case .through = seen else { return #expect(Bool(false), "\(number): \(seen)") }
            #expect(rig.back(Self.server, "192.0.2.1:5060") == .through(Self.server, Self.phone))
        }
        #expect(rig.nat.mappingCount == 50)
        #expect(rig.nat.counters.evicted == 451)
        #expect(rig.nat.mappings.last?.internal == at("192.168.1.9:10499"))
    }

    @Test("of the unanswered ones, the one not used for longest goes")
    func oldestUnanswered() {
        let rig = Self.rig { $0.limits.mappings = 3 }
        _ = rig.out("192.168.1.3:1", Self.server)
        _ = rig.out("192.168.1.4:2", Self.server)
        _ = rig.out("192.168.1.3:1", Self.server)
        _ = rig.out("192.168.1.5:3", Self.server)
        #expect(rig.nat.mappings.map(\.internal.port) == [5060, 1, 3])
    }

    @Test("where every flow was answered the new one is refused, and told so")
    func allAnswered() {
        let rig = Self.rig { $0.limits.mappings = 2 }
        _ = rig.out("192.168.1.3:1001", Self.server)
        _ = rig.back(Self.server, "192.0.2.1:1001")
        #expect(rig.out("192.168.1.4:1002", Self.server) == .icmp(3, 13))
        #expect(rig.nat.counters.drops == [.mappingLimit: 1])
        #expect(rig.nat.mappings.map(\.internal.port) == [5060, 1001])
    }

    @Test("a host at its own limit displaces its own unanswered flows, never another host's")
    func hostLimit() {
        let rig = Self.rig { $0.limits.mappingsPerHost = 2 }
        _ = rig.out("192.168.1.9:999", Self.server)
        for port in 1001...1005 { _ = rig.out("192.168.1.2:\(port)", Self.server) }
        #expect(rig.nat.mappings.map(\.internal.port) == [5060, 999, 1005])
    }

    @Test("a flood that uses up the ports before the table is full displaces itself as well")
    func ports() {
        let rig = Self.rig {
            $0.limits.mappings = 1000
            $0.ports.preservesPort = false
            $0.ports.preservesParity = false
            $0.ports.order = .ascending(from: 5060)
            $0.ports.range = 5060...5069
        }
        for number in 0..<100 {
            guard case .through = rig.out("192.168.1.9:\(10_000 + number)", Self.server) else {
                return #expect(Bool(false), "\(number)")
            }
        }
        #expect(rig.nat.mappingCount == 10)
        #expect(rig.back(Self.server, "192.0.2.1:5060") == .through(Self.server, Self.phone))
    }

    @Test("TCP: a flood of SYNs displaces itself, never an established connection")
    func synFlood() {
        let rig = Self.rig { $0.limits.mappings = 4 }
        _ = rig.tcpOut("192.168.1.2:4000", Self.server, .syn)
        _ = rig.tcpBack(Self.server, "192.0.2.1:4000", [.syn, .ack])
        for port in 5000..<5100 { _ = rig.tcpOut("192.168.1.9:\(port)", "203.0.113.7:80", .syn) }
        #expect(rig.tcpBack(Self.server, "192.0.2.1:4000", .ack) == .through(Self.server, "192.168.1.2:4000"))
        #expect(rig.back(Self.server, "192.0.2.1:5060") == .through(Self.server, Self.phone))
        #expect(rig.nat.mappingCount == 4)
    }

    @Test("fragments that fill their table displace the oldest datagram and block nobody")
    func fragments() throws {
        let rig = Self.rig { $0.limits.fragmentedDatagrams = 4 }
        for id in 1...100 as ClosedRange<UInt16> {
            let pieces = try FragmentTests.fragments("192.168.1.9:4000", Self.server, id: id)
            #expect(rig.send(pieces[1]) == .held(.fragment))
        }
        #expect(rig.nat.counters.drops == [.fragmentLimit: 96])
        // A whole packet and a datagram whose fragments come in order pass as ever.
        #expect(rig.out(Self.phone, Self.server) == .through("192.0.2.1:5060", Self.server))
        let good = try FragmentTests.fragments(Self.phone, Self.server, id: 777)
        #expect(FragmentTests.reassembled(rig, good, .outbound) != nil)
        rig.wait(100)
        rig.nat.advance(to: rig.now)
        #expect(rig.nat.occupancy.fragmentOctets == 0)
    }
}
