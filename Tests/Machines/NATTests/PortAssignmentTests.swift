import Base
import NAT
import Testing

@Suite("RFC 4787 4.2: port assignment")
struct PortAssignmentTests {
    static let server = "203.0.113.5:5060"

    static func rig(_ change: (inout PortAssignment) -> Void) -> Rig {
        Rig {
            $0.ports.preservesPort = false
            $0.ports.preservesParity = false
            $0.limits.whenFull = .refuseNew
            change(&$0.ports)
        }
    }

    static func ports(_ rig: Rig, _ internals: [UInt16]) -> [UInt16] {
        internals.map { rig.outside("192.168.1.2:\($0)", server)?.port ?? 0 }
    }

    @Test("descending from N, turning round at the end of the range")
    func descending() {
        let rig = Self.rig {
            $0.order = .descending(from: 1025)
            $0.range = 1024...1027
        }
        #expect(Self.ports(rig, [5060, 5061, 5062, 5063]) == [1025, 1024, 1027, 1026])
        #expect(rig.out("192.168.1.2:5064", Self.server) == .icmp(3, 13))
        #expect(rig.nat.counters.refused == 1)
    }

    @Test("ascending from N goes on after a freed port; with restarts the freed port comes first")
    func ascending() {
        for (restarts, expected) in [(false, [1024, 1025, 1026] as [UInt16]), (true, [1024, 1025, 1024])] {
            let rig = Self.rig {
                $0.order = .ascending(from: 1024)
                $0.restarts = restarts
            }
            var seen = Self.ports(rig, [5060, 5061])
            let first = rig.nat.mapping(atExternal: at("192.0.2.1:1024"), .udp)!
            #expect(rig.remove(first.id))
            seen += Self.ports(rig, [5062])
            #expect(seen == expected)
        }
    }

    @Test("parity is kept by sequential orders as well")
    func parity() {
        let rig = Self.rig {
            $0.order = .descending(from: 52_899)
            $0.preservesParity = true
        }
        #expect(Self.ports(rig, [5060, 5062, 5061]) == [52_898, 52_896, 52_895])
    }

    @Test("4.2.2: contiguity: the odd port goes next to its even neighbour")
    func contiguity() {
        let rig = Self.rig {
            $0.order = .random
            $0.contiguous = true
        }
        let even = rig.outside("192.168.1.2:16384", Self.server)!.port
        #expect(rig.outside("192.168.1.2:16385", Self.server)!.port == even + 1)
    }

    @Test("overloading: flows that differ by remote share a preserved port, and answers find their way")
    func overloading() {
        let rig = Rig(.linux(external))
        let other = "198.51.100.7:5060"
        #expect(rig.out("192.168.1.2:5060", Self.server) == .through("192.0.2.1:5060", Self.server))
        #expect(rig.out("192.168.1.3:5060", other) == .through("192.0.2.1:5060", other))
        #expect(rig.back(Self.server, "192.0.2.1:5060") == .through(Self.server, "192.168.1.2:5060"))
        #expect(rig.back(other, "192.0.2.1:5060") == .through(other, "192.168.1.3:5060"))
        // The very same 5-tuple is not shared.
        #expect(rig.outside("192.168.1.4:5060", other)!.port != 5060)
    }

    @Test("overloading without regard to remotes: the newest mapping takes what comes in")
    func blindOverloading() {
        let rig = Rig { $0.ports.overloads = true }
        _ = rig.out("192.168.1.2:5060", Self.server)
        #expect(rig.out("192.168.1.3:5060", "198.51.100.7:1") == .through("192.0.2.1:5060", "198.51.100.7:1"))
        #expect(rig.back("198.51.100.99:1", "192.0.2.1:5060") == .through("198.51.100.99:1", "192.168.1.3:5060"))
    }

    @Test("RFC 6888: blocks for each host, more on demand up to a limit, given back with the last mapping")
    func blocks() {
        let rig = Self.rig {
            $0.order = .ascending(from: 1024)
            $0.range = 1024...1151
            $0.blocks = PortBlocks(size: 4, perHost: 2)
        }
        let ports = Self.ports(rig, Array(4000..<4009))
        #expect(ports == [1024, 1025, 1026, 1027, 1028, 1029, 1030, 1031, 0])
        #expect(rig.outside("192.168.1.3:4000", Self.server)!.port == 1032)
        #expect(rig.traces().filter { if case .blockAssigned = $0 { true } else { false } }.count == 3)
        rig.wait(300)
        rig.nat.advance(to: rig.now)
        #expect(rig.traces().filter { if case .blockReleased = $0 { true } else { false } }.count == 3)
        #expect(rig.outside("192.168.1.4:4000", Self.server)!.port == 1024)
    }

    @Test("a rule keeps flows to its ports on mappings of their own, with their own behaviour and idle time")
    func ownMappings() {
        let rig = Rig(.addressAndPortDependent, .addressAndPortDependent) {
            $0.ports.preservesPort = false
            $0.ports.preservesParity = false
            $0.ports.order = .descending(from: 52_899)
            $0.rules = [
                PortRule(
                    .udp, remotePorts: 3478...3479, mapping: .endpointIndependent, filtering: .endpointIndependent,
                    idle: .seconds(60), ownMappings: true)
            ]
        }
        let phone = "192.168.1.2:5060"
        #expect(rig.out(phone, Self.server) == .through("192.0.2.1:52899", Self.server))
        #expect(rig.out(phone, "203.0.113.9:3478") == .through("192.0.2.1:52898", "203.0.113.9:3478"))
        #expect(rig.out(phone, "203.0.113.10:3479") == .through("192.0.2.1:52898", "203.0.113.10:3479"))
        #expect(rig.back("198.51.100.1:1", "192.0.2.1:52898") == .through("198.51.100.1:1", phone))
        #expect(rig.back("198.51.100.1:1", "192.0.2.1:52899") == .dropped(.filtered))
        rig.wait(60)
        rig.nat.advance(to: rig.now)
        #expect(rig.nat.mappings.map(\.external.port) == [52_899])
    }

    @Test("the same seed gives the same ports")
    func reproducible() {
        func run() -> [UInt16] { Self.ports(Self.rig { $0.order = .random }, Array(4000..<4050)) }
        let first = run()
        #expect(first == run())
        #expect(Set(first).count == 50)
    }

    @Test("every port of the range is handed out once, then flows are refused")
    func exhaustion() {
        let rig = Rig {
            $0.limits.mappings = 100_000
            $0.limits.mappingsPerHost = 100_000
            $0.limits.whenFull = .refuseNew
            $0.ports.preservesPort = false
            $0.ports.range = 1024...3071
        }
        rig.nat.isTracing = false
        let ports = Self.ports(rig, Array(10_000..<12_048))
        #expect(Set(ports).count == 2048)
        #expect(ports.min() == 1024 && ports.max() == 3071)
        #expect(rig.out("192.168.1.2:9999", Self.server) == .icmp(3, 13))
    }
}
