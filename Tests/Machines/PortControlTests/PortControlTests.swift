import Base
import PortControl
import Testing

@Suite("NAT-PMP and PCP")
struct PortControlTests {
    static let router = Endpoint("192.168.1.1:5351")!
    static let host = Endpoint("192.168.1.64:5350")!
    static let outside = IPv4Address(198, 51, 100, 7)

    struct Bench {
        var server = PortControl(outside: PortControlTests.outside)
        var now = Instant(seconds: 1_000_000)
        var answers: [[UInt8]] = []
        var asked: [PortControl.Output] = []
        /// What the NAT says to a wish; nil: no port is left.
        var external: UInt16? = 50_000

        mutating func send(_ bytes: [UInt8], from: Endpoint = PortControlTests.host) {
            answers = []
            receive(.request(Datagram(from: from, to: PortControlTests.router, bytes)))
        }

        mutating func receive(_ input: PortControl.Input) {
            server.receive(input, at: now)
            collect()
        }

        mutating func advance(_ time: Duration) {
            now += time
            server.advance(to: now)
            collect()
        }

        private mutating func collect() {
            while let output = server.nextOutput() {
                switch output {
                case .send(let datagram): answers.append(datagram.payload)
                case .open(let wish):
                    asked.append(output)
                    if let external {
                        let port = wish.port == 0 ? external : wish.port
                        server.receive(.granted(external: Endpoint(.v4(PortControlTests.outside), port)), at: now)
                    } else {
                        server.receive(.refused(.noResources), at: now)
                    }
                case .extend, .close: asked.append(output)
                }
            }
            while server.nextTrace() != nil {}
        }
    }

    static func pcp(
        _ opcode: UInt8 = 1, lifetime: UInt32 = 3600, client: IPv4Address = IPv4Address(192, 168, 1, 64), nonce: UInt8 = 1,
        proto: UInt8 = 17, port: UInt16 = 5060, wanted: UInt16 = 0, options: [UInt8] = []
    ) -> [UInt8] {
        var bytes: [UInt8] = [2, opcode, 0, 0]
        bytes.append(bigEndian: lifetime)
        bytes.append(.v6(IPv6Address(mapping: client)))
        guard opcode == 1 else { return bytes }
        bytes += Array(repeating: nonce, count: 12) + [proto, 0, 0, 0]
        bytes.append(bigEndian: port)
        bytes.append(bigEndian: wanted)
        bytes.append(.v6(IPv6Address(mapping: .any)))
        return bytes + options
    }

    @Test("RFC 6886 3.2, 3.3: the outside address; a UDP port for an hour; renewed; given back; to the octet")
    func natPMP() {
        var bench = Bench()
        bench.send([0, 0])
        #expect(bench.answers == [[0, 128, 0, 0, 0, 0, 0, 0, 198, 51, 100, 7]])
        bench.advance(.seconds(5))
        bench.send([0, 1, 0, 0, 0x13, 0xc4, 0x13, 0xc4, 0, 0, 0x0e, 0x10])
        #expect(bench.answers == [[0, 129, 0, 0, 0, 0, 0, 5, 0x13, 0xc4, 0x13, 0xc4, 0, 0, 0x0e, 0x10]])
        #expect(
            bench.asked == [
                .open(
                    PortWish(
                        transport: .udp, inside: Endpoint("192.168.1.64:5060")!, port: 5060, onlyThat: false,
                        until: bench.now + .seconds(3600)))
            ])
        bench.send([0, 1, 0, 0, 0x13, 0xc4, 0, 0, 0, 0, 0x0e, 0x10])
        #expect(bench.answers == [[0, 129, 0, 0, 0, 0, 0, 5, 0x13, 0xc4, 0x13, 0xc4, 0, 0, 0x0e, 0x10]])
        bench.send([0, 1, 0, 0, 0x13, 0xc4, 0, 0, 0, 0, 0, 0])
        #expect(bench.answers == [[0, 129, 0, 0, 0, 0, 0, 5, 0x13, 0xc4, 0, 0, 0, 0, 0, 0]])
        #expect(bench.asked.last == .close(external: Endpoint(.v4(Self.outside), 5060), .udp))
        #expect(bench.server.mappingCount == 0 && bench.server.nextDeadline == nil)
    }

    @Test("RFC 6887 11: MAP answers with nonce, port and address; only the same nonce may change it; its time ends it")
    func pcp() {
        var bench = Bench()
        bench.send(Self.pcp())
        var expected: [UInt8] = [2, 129, 0, 0, 0, 0, 0x0e, 0x10, 0, 0, 0, 0] + Array(repeating: 0, count: 12)
        expected += Array(repeating: 1, count: 12) + [17, 0, 0, 0, 0x13, 0xc4, 0xc3, 0x50]
        expected.append(.v6(IPv6Address(mapping: Self.outside)))
        #expect(bench.answers == [expected])
        bench.send(Self.pcp(lifetime: 0, nonce: 2))
        #expect(bench.answers.first?[3] == PortControlResult.notAuthorized.rawValue && bench.server.mappingCount == 1)
        bench.advance(.seconds(3600))
        #expect(bench.server.mappingCount == 0)
        #expect(bench.asked.last == .close(external: Endpoint(.v4(Self.outside), 50_000), .udp))
    }

    @Test("RFC 6887 7, 8, 13: what may not be is refused by its number")
    func refusals() {
        let cases: [([UInt8], PortControlResult)] = [
            (Self.pcp(client: IPv4Address(10, 0, 0, 1)), .addressMismatch), (Self.pcp(proto: 132), .unsupportedProtocol),
            (Self.pcp(2), .unsupportedOpcode),
            (Self.pcp(options: [1, 0, 0, 16] + Array(repeating: 0, count: 16)), .unsupportedOption),
            (Self.pcp(options: [2, 0, 0, 9]), .malformedRequest), (Self.pcp(port: 0), .malformedRequest),
            ([3] + Self.pcp().dropFirst(), .unsupportedVersion), (Array(Self.pcp().prefix(40)), .malformedRequest),
        ]
        for (bytes, result) in cases {
            var bench = Bench()
            bench.send(bytes)
            #expect(bench.answers.count == 1 && bench.answers.first?[3] == result.rawValue, "\(result)")
            #expect(bench.server.mappingCount == 0 && bench.server.refusals == 1)
        }
        var bench = Bench()
        bench.external = nil
        bench.send(Self.pcp())
        #expect(bench.answers.first?[3] == PortControlResult.noResources.rawValue)
        bench.receive(.outside(nil))
        bench.send([0, 0])
        #expect(bench.answers.first?[3] == 3)
        // PREFER_FAILURE and what may be passed over.
        bench = Bench()
        bench.send(Self.pcp(wanted: 5062, options: [2, 0, 0, 0, 200, 0, 0, 1, 0, 0, 0, 0]))
        guard case .open(let wish)? = bench.asked.first else {
            Issue.record("nothing was asked")
            return
        }
        #expect(wish.onlyThat && wish.port == 5062)
    }

    @Test("a host has so many ports and no more; another outside address ends all and starts the epoch anew")
    func bounds() {
        var bench = Bench()
        for port in 1...100 { bench.send(Self.pcp(port: UInt16(port), wanted: UInt16(1000 + port))) }
        #expect(bench.server.mappingCount == 64)
        #expect(bench.answers.first?[3] == PortControlResult.quotaExceeded.rawValue)
        bench.advance(.seconds(60))
        bench.receive(.outside(IPv4Address(198, 51, 100, 8)))
        #expect(bench.server.mappingCount == 0 && bench.server.nextDeadline == nil)
        bench.send([0, 0])
        #expect(bench.answers == [[0, 128, 0, 0, 0, 0, 0, 0, 198, 51, 100, 8]])
    }

    @Test("any octets: no crash, no growth")
    func hostile() {
        var bench = Bench()
        var entropy = Entropy(labSeed: 9)
        for turn in 0..<10_000 {
            var bytes = turn % 2 == 0 ? Self.pcp(options: [2, 0, 0, 0]) : [0, 1, 0, 0, 1, 2, 3, 4, 0, 0, 1, 0]
            for _ in 0..<3 { bytes[Int(entropy.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: entropy.next()) }
            if turn % 3 == 0 { bytes.removeLast(Int(entropy.next() % UInt64(bytes.count + 1))) }
            bench.send(bytes)
            #expect(bench.answers.count <= 1)
        }
        #expect(bench.server.mappingCount <= 64)
    }
}
