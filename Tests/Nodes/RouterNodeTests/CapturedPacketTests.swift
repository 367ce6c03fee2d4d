import ALG
import Base
import Fixtures
import NAT
import Packet
import RouterNode
import Testing

/// Whole packets against a real Linux router: every one that crossed has to leave with the same octets, checksums and TCP sequence
/// numbers included.
@Suite("Linux router against recordings of both its sides")
struct CapturedPacketTests {
    @Test("each packet leaves as the kernel sent it", arguments: Recording.names)
    func samePackets(name: String) throws {
        let packets = try Recording(name).packets.map { (seen: $0, ip: try IPPacket($0.bytes)) }
        let inputs = packets.filter {
            $0.seen.side == .inside ? $0.ip.source == Recording.phone : $0.ip.destination == Recording.router
        }
        var settings = RouterSettings.linux(wan: IPv4Address(203, 0, 113, 2), alg: name.hasSuffix("-helper"))
        settings.lanAddress = IPv4Address(192, 168, 1, 1)
        var node = RouterNode(settings: settings, entropy: Entropy(labSeed: 7))
        var out: [RouterInterface: [[UInt8]]] = [:]
        for input in inputs {
            node.receive(.packet(input.seen.side == .inside ? .lan : .wan, input.seen.bytes), at: input.seen.at)
            while case .packet(let interface, let bytes) = node.nextOutput() { out[interface, default: []].append(bytes) }
        }
        let crossed = packets.filter { packet in
            !inputs.contains { $0.seen.at == packet.seen.at && $0.seen.side == packet.seen.side }
        }
        let expectedOut = crossed.filter { $0.seen.side == .outside }.map(\.seen.bytes)
        let expectedIn = crossed.filter { $0.seen.side == .inside }.map(\.seen.bytes)
        #expect(!expectedOut.isEmpty && !expectedIn.isEmpty)
        compare(out[.wan] ?? [], expectedOut, "\(name) outbound")
        compare(out[.lan] ?? [], expectedIn, "\(name) inbound")
    }

    private func compare(_ found: [[UInt8]], _ expected: [[UInt8]], _ what: String) {
        #expect(found.count == expected.count, "\(what)")
        for (index, pair) in zip(found, expected).enumerated() {
            let (one, other) = pair
            if one == other { continue }
            Issue.record("\(what), packet \(index):\n\(hexText(one))\n\(hexText(other))")
            return
        }
    }
}
