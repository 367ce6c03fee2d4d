import ALG
import Base
import Testing

@Suite("hostile payloads")
struct HostilePayloadTests {
    private static let seeds: [String] = [
        message(
            [
                "INVITE sip:a@192.168.1.100:5060 SIP/2.0",
                "Via: SIP/2.0/UDP 192.168.1.100:5060;maddr=192.168.1.100;received=1.2.3.4;rport=5060",
                "CSeq: 1 INVITE", "Call-ID: x@y", "Contact: <sip:a@192.168.1.100>, <sip:b@192.168.1.100:5060>",
                "From: <sip:192.168.1.100>",
            ],
            ["v=0", "o=- 1 1 IN IP4 192.168.1.100", "c=IN IP4 192.168.1.100", "m=audio 6000 RTP/AVP 0", "c=IN IP4 192.168.1.100"]),
        lines(
            "REGISTER sip:x SIP/2.0", "CSeq: 4294967295 REGISTER", "Call-ID: a",
            "Contact: <sip:a@192.168.1.100:5060;transport=udp>;expires=99", ""),
        lines(
            "SIP/2.0 200 OK", "CSeq: 4294967295 REGISTER", "Call-ID: a",
            "Contact: <sip:a@203.0.113.2:5060>;expires=99999999999999999999", ""),
    ]

    @Test("damaged messages never trap, whatever the profile, and tables stay within their caps", arguments: ALGProfile.known)
    func damaged(profile: ALGProfile) {
        var entropy = Entropy(labSeed: 42)
        var bench = GatewayBench(profile)
        for round in 0..<6_000 {
            var bytes = Array(Self.seeds[round % Self.seeds.count].utf8)
            for _ in 0..<Int.random(in: 0...6, using: &entropy) where !bytes.isEmpty {
                let at = Int.random(in: 0..<bytes.count, using: &entropy)
                switch Int.random(in: 0..<5, using: &entropy) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &entropy)
                case 1: bytes.remove(at: at)
                case 2: bytes.insert([0x0d, 0x0a, 0x20, 0x2c, 0x39, 0x40, 0x3a][Int.random(in: 0..<7, using: &entropy)], at: at)
                case 3: bytes.removeLast(bytes.count - at)
                default: bytes.insert(contentsOf: bytes[at...].prefix(40), at: at)
                }
            }
            bench.flow.transport = round % 5 == 0 ? .tcp : .udp
            bench.flow.mapped.port = UInt16.random(in: 1024...65535, using: &entropy)
            bench.now += .milliseconds(Int.random(in: 0...2_000, using: &entropy))
            let inside = Endpoint(IPAddress("192.168.1.100")!, UInt16.random(in: 1...40, using: &entropy))
            if case .fresh(let slot, _) = bench.gateway.mapping(for: bytes, from: inside, at: bench.now) {
                bench.gateway.assigned(slot, to: bench.flow.mapped, at: bench.now)
            }
            let direction: ALGDirection = round % 2 == 0 ? .outbound : .inbound
            switch bench.gateway.process(bytes, direction, on: bench.flow, at: bench.now) {
            case .pass(let passage), .hold(let passage, _): #expect(passage.bytes.count <= bytes.count + 4096)
            case .drop: break
            }
            bench.gateway.advance(to: bench.now)
            _ = bench.traces()
            _ = bench.requests()
        }
        #expect(bench.gateway.openPinholes.count <= bench.gateway.limits.pinholes)
    }

    @Test("extreme numbers and endless lines")
    func extremes() {
        let nines = String(repeating: "9", count: 400)
        for text in [
            lines(
                "INVITE sip:a@\(nines):\(nines) SIP/2.0", "CSeq: \(nines) INVITE", "Content-Length: \(nines)", "", "v=0",
                "m=audio \(nines) x"),
            lines("REGISTER sip:x SIP/2.0", "CSeq: 1 REGISTER", "Contact: <sip:192.168.1.100:\(nines)>;expires=\(nines)", ""),
            String(repeating: "INVITE sip:", count: 5_000), String(repeating: "\r\n", count: 30_000),
            String(repeating: "m: sip:,", count: 8_000),
            "SIP/2.0 " + nines, "SIP/2.0 200\nCSeq", "INVITE sip:", "REGISTER", "\n \n \n \n \n v:",
        ] {
            for transport in [SIPTransport.udp, .tcp] {
                var bench = GatewayBench()
                bench.flow.transport = transport
                _ = bench.verdict(text)
                _ = bench.verdict(text, .inbound)
            }
        }
    }

    @Test("flows beyond the cap push out the one unused for longest, with its pinholes")
    func flowCap() {
        var limits = ALGLimits()
        limits.flows = 2
        var gateway = ApplicationGateway(profile: .linux, limits: limits)
        let register = Array(
            lines("REGISTER sip:x SIP/2.0", "CSeq: 1 REGISTER", "Contact: <sip:a@192.168.1.1>", "Expires: 60", "").utf8)
        for host in 1...3 {
            let flow = ALGFlow(
                .udp, inside: Endpoint("192.168.1.1:5060")!, mapped: Endpoint(IPAddress("203.0.113.2")!, UInt16(6000 + host)),
                remote: Endpoint("203.0.113.20:5060")!)
            _ = gateway.process(register, .outbound, on: flow, at: Instant(seconds: Int64(host)))
        }
        #expect(gateway.openPinholes.map(\.external.port) == [6002, 6003])
    }
}
