import Base
import NAT
import Packet
import Testing

@Suite("Each reason for dropping a packet is counted apart")
struct DropTests {
    struct Row: CustomTestStringConvertible, Sendable {
        var kind: NATDropKind
        var make: @Sendable () throws -> Rig
        var testDescription: String { kind.rawValue }
    }

    static let a = "192.168.1.2:5060"
    static let server = "203.0.113.5:5060"

    private static func row(
        _ kind: NATDropKind, _ change: @escaping @Sendable (inout NATSettings) -> Void = { _ in },
        _ act: @escaping @Sendable (Rig) throws -> Void
    ) -> Row {
        Row(kind: kind) {
            let rig = Rig(.endpointIndependent, .addressAndPortDependent, change)
            try act(rig)
            return rig
        }
    }

    private static func error(quoting packet: [UInt8]) throws -> [UInt8] {
        try ICMPMessage.portUnreachable(quoting: packet).packet(from: at(server).address, to: .v4(external))
    }

    static let rows: [Row] = [
        row(.malformed) { _ = $0.send(Array(udp(a, server).prefix(25))) },
        row(.unsupportedProtocol) {
            _ = $0.send(try IPPacket.bytes(from: at(a).address, to: at(server).address, IPProtocol(rawValue: 47), [1, 2]))
        },
        row(.spoofedSource) { _ = $0.out("192.0.2.1:5060", server) },
        row(.notOurAddress) { _ = $0.back(server, "192.0.2.77:5060") },
        row(.noMapping) { _ = $0.back(server, "192.0.2.1:5060") },
        row(.filtered) {
            _ = $0.out(a, server)
            _ = $0.back("203.0.113.9:5060", "192.0.2.1:5060")
        },
        row(.hairpinningOff, { $0.hairpinning = .off }) { _ = $0.out(a, "192.0.2.1:9") },
        row(
            .noFreePort,
            {
                $0.ports.preservesPort = false
                $0.ports.range = 2000...2001
                $0.limits.whenFull = .refuseNew
            },
            { rig in for port in 1...3 { _ = rig.out("192.168.1.2:\(port * 2000)", server) } }),
        row(.mappingLimit, { $0.limits.mappings = 0 }) { _ = $0.out(a, server) },
        row(.hostLimit, { $0.limits.mappingsPerHost = 0 }) {
            // The first makes the host known; nothing of it can make room for the second.
            _ = $0.out(a, server)
            _ = $0.back(server, "192.0.2.1:5060")
            _ = $0.out("192.168.1.2:5062", server)
        },
        row(.unknownMapping) {
            let mapping = try $0.nat.open(.udp, for: at("192.168.1.3:1"), remote: nil, at: $0.now)
            _ = $0.out(a, server, via: mapping.id)
        },
        row(.noConnection) { _ = $0.tcpOut(a, server, .ack) },
        row(.heldSYNLimit, { $0.limits.heldSYNs = 0 }) { _ = $0.tcpBack(server, "192.0.2.1:80", .syn) },
        row(.fragmentLimit, { $0.limits.fragmentsPerDatagram = 0 }) {
            _ = $0.send(try FragmentTests.fragments(a, server)[1])
        },
        row(.tinyFragment) {
            var packet = tcp(a, server, .syn)
            packet.removeLast(packet.count - 28)
            packet.replace(at: 2, bigEndian: 28)
            packet.replace(at: 6, bigEndian: 0x2000)
            _ = $0.send(packet)
        },
        row(.firstFragmentDropped, { $0.limits.mappings = 0 }) { rig in
            let pieces = try FragmentTests.fragments(a, server)
            _ = rig.send(pieces[0])
            _ = rig.send(pieces[1])
        },
        row(.fragmentTimeout) {
            _ = $0.send(try FragmentTests.fragments(a, server)[1])
            $0.wait(31)
            $0.nat.advance(to: $0.now)
        },
        row(.badChecksum) {
            let sent = $0.sent(udp(a, server)) ?? []
            var packet = try error(quoting: sent)
            packet[packet.count - 1] ^= 1
            _ = $0.receive(packet)
        },
        row(.unsupportedICMP) {
            var packet = ping("192.168.1.2", "203.0.113.5", 7)
            packet[20] = 42
            _ = $0.send(packet)
        },
    ]

    @Test("every kind has its row, and each row counts its kind", arguments: rows)
    func counted(_ row: Row) throws {
        let rig = try row.make()
        #expect((rig.nat.counters.drops[row.kind] ?? 0) >= 1)
        #expect(rig.nat.counters.drops.values.reduce(0, +) == rig.nat.counters.dropped)
        let others = rig.nat.counters.drops.keys.filter { $0 != row.kind }
        // What refuses a first fragment is counted for it, too.
        #expect(others.isEmpty || row.kind == .firstFragmentDropped && others == [.mappingLimit])
    }

    @Test("no kind is without a row")
    func complete() { #expect(Set(Self.rows.map(\.kind)) == Set(NATDropKind.allCases)) }

    @Test("RFC 5508 REQ-7: an echo request to another host's external address is nobody's")
    func hairpinnedPing() {
        let rig = Rig()
        _ = rig.send(ping("192.168.1.2", "203.0.113.5", 7))
        #expect(rig.send(ping("192.168.1.3", "192.0.2.1", 7)) == .dropped(.noMapping))
    }

    @Test("a refused packet is left as it came")
    func untouched() {
        let rig = Rig { $0.limits.mappings = 0 }
        let packet = udp(Self.a, Self.server)
        let outcome = rig.outbound(packet)
        #expect(outcome.packet == nil && outcome.bytes == packet)
    }
}
