import Base
import NAT
import Packet
import Testing

@Suite("Properties under random traffic")
struct PropertyTests {
    @Test(
        "every packet that goes out can be answered, and the answer reaches its sender", arguments: 1...8 as ClosedRange<UInt64>)
    func reverse(_ seed: UInt64) {
        var random = Entropy(labSeed: seed)
        let rig = Rig(Dependence.allCases.randomElement(using: &random)!, Dependence.allCases.randomElement(using: &random)!) {
            $0.externalAddresses = (1...3).map { IPv4Address(192, 0, 2, $0) }
            $0.pooling = Bool.random(using: &random) ? .paired : .arbitrary
            $0.ports.preservesPort = Bool.random(using: &random)
            $0.ports.preservesParity = Bool.random(using: &random)
            $0.ports.contiguous = Bool.random(using: &random)
            $0.ports.order = [.random, .descending(from: 52_899), .ascending(from: 1024)].randomElement(using: &random)!
            if Bool.random(using: &random) { $0.ports.blocks = PortBlocks(size: 64, perHost: 64) }
            $0.rules = [
                PortRule(.udp, remotePorts: 3478...3479, mapping: .endpointIndependent, idle: .seconds(20), ownMappings: true)
            ]
            $0.timers.udp = .seconds(60)
            $0.timers.tcpTransitory = .seconds(90)
        }
        rig.nat.isTracing = false
        var answered = 0
        for _ in 0..<1500 {
            rig.now += .milliseconds(Int.random(in: 0...200, using: &random))
            let host = "192.168.1.\(Int.random(in: 2...9, using: &random))"
            let inside = "\(host):\(Int.random(in: 4000...4007, using: &random))"
            let remoteHost = "203.0.113.\(Int.random(in: 1...9, using: &random))"
            let remote = "\(remoteHost):\([5060, 5061, 3478, 3479, 80].randomElement(using: &random)!)"
            let identifier = UInt16.random(in: 1...9, using: &random)
            let kind = Int.random(in: 0..<3, using: &random)
            let seen =
                switch kind {
                case 0: rig.out(inside, remote)
                case 1: rig.tcpOut(inside, remote, .syn)
                default: rig.send(ping(host, remoteHost, identifier))
                }
            guard case .through(let outside, _) = seen else {
                #expect(Bool(false), "\(inside) > \(remote): \(seen)")
                continue
            }
            let back =
                switch kind {
                case 0: rig.back(remote, outside)
                case 1: rig.tcpBack(remote, outside, [.syn, .ack])
                default: rig.receive(pong(remoteHost, "\(at(outside).address)", at(outside).port))
                }
            let expected: Seen =
                kind == 2 ? .through("\(remoteHost):\(identifier)", "\(host):\(identifier)") : .through(remote, inside)
            #expect(back == expected)
            answered += 1
        }
        #expect(answered == 1500)
        // No two mappings share an external endpoint.
        let all = rig.nat.mappings
        #expect(Set(all.map { "\($0.proto) \($0.external)" }).count == all.count)
        rig.wait(10_000)
        rig.nat.advance(to: rig.now)
        #expect(rig.nat.mappingCount == 0 && rig.nat.nextDeadline == nil)
    }

    @Test("equal seeds and traffic give equal packets and traces")
    func deterministic() {
        func run() -> ([Seen], [NATTrace]) {
            let rig = Rig { $0.ports.preservesPort = false }
            let seen = (0..<200).map { rig.out("192.168.1.\(2 + $0 % 7):\(4000 + $0 % 11)", "203.0.113.5:\($0)") }
            return (seen, rig.traces())
        }
        let first = run()
        let second = run()
        #expect(first.0 == second.0)
        #expect(first.1 == second.1)
        #expect(first.1.count == 77)
    }
}
