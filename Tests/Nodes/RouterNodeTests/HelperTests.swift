import ALG
import Base
import NAT
import Packet
import RouterNode
import Testing

@Suite("the SIP helper inside the router")
struct HelperTests {
    let phone = RouterBench.phone
    let server = RouterBench.server
    let wan = IPAddress.v4(RouterBench.wan)

    private func linux(_ change: (inout RouterSettings) -> Void = { _ in }) -> RouterBench {
        var settings = RouterSettings.linux(wan: RouterBench.wan)
        change(&settings)
        return RouterBench(settings)
    }

    private func segment(
        _ from: Endpoint, _ to: Endpoint, _ sequence: UInt32, _ acknowledgment: UInt32, _ text: String,
        _ flags: TCPHeader.Flags = [.ack]
    ) throws -> [UInt8] {
        try TCPSegment(
            from: from, to: to, sequence: sequence, acknowledgment: acknowledgment, flags: flags, payload: Array(text.utf8)
        ).packet()
    }

    /// Sequence, acknowledgment and payload of the one segment sent.
    private func sent(_ bench: inout RouterBench, _ interface: RouterInterface) throws -> (UInt32, UInt32, String) {
        let bytes = try #require(bench.sent.first { $0.interface == interface }).bytes
        bench.sent = []
        let packet = try IPPacket(bytes)
        try packet.verifyChecksums(bytes)
        guard case .tcp(let tcp) = packet.transport else {
            Issue.record("no TCP")
            return (0, 0, "")
        }
        return (tcp.sequence, tcp.acknowledgment, String(decoding: bytes[tcp.payload], as: UTF8.self))
    }

    @Test("TCP: a length that changed moves every later number, a retransmission keeps its own")
    func sequence() throws {
        var bench = linux()
        let outside = Endpoint(wan, 5060)
        let text = "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP 192.168.1.2:5060\r\nContent-Length: 0\r\n\r\n"
        let rewritten = text.replacing("192.168.1.2", with: "198.51.100.7")
        let length = UInt32(text.utf8.count)
        bench.feed(.packet(.lan, try segment(phone, server, 1000, 0, "", [.syn])))
        #expect(try sent(&bench, .wan) == (1000, 0, ""))
        bench.feed(.packet(.wan, try segment(server, outside, 5000, 1001, "", [.syn, .ack])))
        #expect(try sent(&bench, .lan) == (5000, 1001, ""))
        bench.feed(.packet(.lan, try segment(phone, server, 1001, 5001, text)))
        #expect(try sent(&bench, .wan) == (1001, 5001, rewritten))
        // The same once more: lost on its way.
        bench.feed(.packet(.lan, try segment(phone, server, 1001, 5001, text)))
        #expect(try sent(&bench, .wan) == (1001, 5001, rewritten))
        // One octet more outside: what the server acknowledges is more than the phone sent.
        bench.feed(.packet(.wan, try segment(server, outside, 5001, 1001 + length + 1, "")))
        #expect(try sent(&bench, .lan) == (5001, 1001 + length, ""))
        bench.feed(.packet(.lan, try segment(phone, server, 1001 + length, 5001, text)))
        #expect(try sent(&bench, .wan) == (1001 + length + 1, 5001, rewritten))
        bench.feed(.packet(.wan, try segment(server, outside, 5001, 1001 + 2 * length + 2, "")))
        #expect(try sent(&bench, .lan) == (5001, 1001 + 2 * length, ""))
        bench.feed(.packet(.lan, try segment(phone, server, 1001 + 2 * length, 5001, "", [.fin, .ack])))
        #expect(try sent(&bench, .wan) == (1001 + 2 * length + 2, 5001, ""))
    }

    @Test("a registration's pinhole lets the registrar in from another port, and nobody else")
    func signallingPinhole() throws {
        var bench = linux()
        try bench.send(.lan, phone, server, Script.register(1, contact: "192.168.1.2:5070"))
        let out = try bench.datagrams(.wan)
        #expect(out[0].text.contains("Contact: <sip:snom@198.51.100.7:5070>"))
        let probe = Script.lines(["OPTIONS sip:snom@198.51.100.7:5070 SIP/2.0", "CSeq: 1 OPTIONS"])
        let other = Endpoint(server.address, 5066)
        try bench.send(.wan, other, Endpoint(wan, 5070), probe)
        #expect(try bench.datagrams(.lan).isEmpty)
        try bench.send(
            .wan, server, Endpoint(wan, 5060),
            Script.lines([
                "SIP/2.0 200 OK", "Via: SIP/2.0/UDP 198.51.100.7:5060", "CSeq: 1 REGISTER",
                "Contact: <sip:snom@198.51.100.7:5070>;expires=3600",
            ]))
        #expect(try bench.datagrams(.lan).count == 1)
        try bench.send(.wan, Endpoint("203.0.113.99:5060")!, Endpoint(wan, 5070), probe)
        #expect(try bench.datagrams(.lan).isEmpty)
        try bench.send(.wan, other, Endpoint(wan, 5070), probe)
        let seen = try bench.datagrams(.lan)
        #expect(seen.map(\.destination) == [Endpoint("192.168.1.2:5070")!])
        // The flow is followed from its first message, although its far port is not SIP's.
        #expect(seen[0].text.contains("OPTIONS sip:snom@192.168.1.2:5070"))
    }

    @Test("a flow the registrar begins is followed, also where the phone's mapping lets it in; one that the phone began is not")
    func registrarsFlow() throws {
        var bench = linux()
        try bench.send(.lan, phone, server, Script.register(1, contact: "192.168.1.2:5060"))
        try bench.send(
            .wan, server, Endpoint(wan, 5060),
            Script.lines([
                "SIP/2.0 200 OK", "Via: SIP/2.0/UDP 198.51.100.7:5060", "CSeq: 1 REGISTER",
                "Contact: <sip:snom@198.51.100.7:5060>;expires=3600",
            ]))
        _ = try bench.datagrams(.lan)
        let probe = Script.lines(["OPTIONS sip:snom@198.51.100.7:5060 SIP/2.0", "CSeq: 1 OPTIONS"])
        let own = Endpoint(server.address, 5067)
        try bench.send(.lan, phone, own, "keepalive of its own")
        for (from, uri) in [(Endpoint(server.address, 5066), "192.168.1.2"), (own, "198.51.100.7")] {
            try bench.send(.wan, from, Endpoint(wan, 5060), probe)
            #expect(try bench.datagrams(.lan).map(\.text) == [probe.replacing("198.51.100.7", with: uri)])
        }
    }

    @Test("two phones with one media port, the second's announced once the first's was used: their senders tell them apart")
    func sharedMediaPort() throws {
        var bench = linux()
        let other = Endpoint("192.168.1.3:5062")!
        func invite(_ from: Endpoint) throws {
            let host = from.address.description
            let body = "v=0\r\no=- 1 1 IN IP4 \(host)\r\ns=-\r\nc=IN IP4 \(host)\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"
            let head = [
                "INVITE sip:600@203.0.113.20 SIP/2.0", "Via: SIP/2.0/UDP \(from)", "CSeq: 1 INVITE", "Call-ID: \(host)",
                "Content-Type: application/sdp", "Content-Length: \(body.utf8.count)",
            ]
            try bench.send(.lan, from, server, Script.lines(head) + body)
        }
        let media = [UInt8](repeating: 0x80, count: 20)
        try invite(phone)
        for port in [6000, 6001] as [UInt16] {
            try bench.send(.wan, Endpoint(server.address, 7000), Endpoint(wan, port), media)
        }
        #expect(bench.router.pinholes.isEmpty)
        _ = try bench.datagrams(.wan)
        try invite(other)
        #expect(try bench.datagrams(.wan)[0].text.contains("m=audio 6000 "))
        _ = try bench.datagrams(.lan)
        for (far, near) in [(7000, phone), (7002, other), (7000, phone), (7002, other)] as [(UInt16, Endpoint)] {
            try bench.send(.wan, Endpoint(server.address, far), Endpoint(wan, 6000), media)
            #expect(try bench.datagrams(.lan).map(\.destination) == [Endpoint(near.address, 6000)])
        }
    }

    @Test("media: admitted from the signalling peer, refused from elsewhere")
    func media() throws {
        var bench = linux()
        let body = "v=0\r\no=- 1 1 IN IP4 192.168.1.2\r\ns=-\r\nc=IN IP4 192.168.1.2\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"
        let invite =
            Script.lines([
                "INVITE sip:600@203.0.113.20 SIP/2.0", "Via: SIP/2.0/UDP 192.168.1.2:5060", "CSeq: 1 INVITE", "Call-ID: c",
                "Content-Type: application/sdp", "Content-Length: \(body.utf8.count)",
            ]) + body
        try bench.send(.lan, phone, server, invite)
        #expect(try bench.datagrams(.wan)[0].text.hasSuffix(body.replacing("192.168.1.2", with: "198.51.100.7")))
        try bench.send(.wan, Endpoint("203.0.113.77:7000")!, Endpoint(wan, 6000), [UInt8](repeating: 0x80, count: 20))
        #expect(bench.sent.count == 1)
        guard case .icmp(let icmp)? = try bench.sent.first.map({ try IPPacket($0.bytes).transport }) else {
            Issue.record("no ICMP")
            return
        }
        #expect(icmp.meaning == .portUnreachable)
        bench.sent = []
        try bench.send(.wan, Endpoint(server.address, 7000), Endpoint(wan, 6000), [UInt8](repeating: 0x80, count: 20))
        #expect(try bench.datagrams(.lan).map(\.destination) == [Endpoint("192.168.1.2:6000")!])
        #expect(bench.router.pinholes.map(\.external.port) == [6001])
        try bench.send(.lan, Endpoint("192.168.1.2:6000")!, Endpoint(server.address, 7000), [UInt8](repeating: 0x80, count: 20))
        #expect(try bench.datagrams(.wan).map(\.source) == [Endpoint(wan, 6000)])
    }

    @Test("only bound ports are read: unbound SIP passes untouched, another port can be bound")
    func bindings() throws {
        var bench = linux()
        let text = Script.register(1, contact: "192.168.1.2:5060")
        let other = Endpoint(server.address, 5080)
        try bench.send(.lan, phone, other, text)
        #expect(try bench.datagrams(.wan)[0].text == text)
        _ = bench.command("connection bind application=SIP port=5080")
        try bench.send(.lan, phone, other, text)
        #expect(try bench.datagrams(.wan)[0].text != text)
        _ = bench.command("connection unbind application=SIP port=5060")
        try bench.send(.lan, phone, server, text)
        #expect(try bench.datagrams(.wan)[0].text == text)
    }

    @Test("a message in fragments is put together, rewritten, and cut again")
    func fragments() throws {
        var bench = linux { $0.wanMTU = 576 }
        let text = Script.register(1, contact: "192.168.1.2:5060", authorization: String(repeating: "x", count: 1_200))
        let whole = try IPPacket.bytes(of: Datagram(from: phone, to: server, Array(text.utf8)), IPOptions(identification: 77))
        for part in try IPPacket.fragments(of: whole, mtu: 1_000) { bench.feed(.packet(.lan, part)) }
        var reassembler = Reassembler()
        var packet: [UInt8]?
        for part in bench.sent { if case .whole(let bytes) = reassembler.receive(part.bytes, at: bench.now) { packet = bytes } }
        #expect(try datagram(try #require(packet))?.text == text.replacing("192.168.1.2", with: "198.51.100.7"))
    }

    @Test("a message the helper drops goes nowhere, and the trace says why")
    func dropped() throws {
        var bench = linux()
        try bench.send(.lan, phone, server, "INVITE sip:x SIP/2.0\r\nVia: y\r\n\r\n")
        #expect(bench.sent.isEmpty)
        #expect(bench.traces.contains(.dropped(.alg(.rule(.unreadableCSeq, offset: 0)), .lan)))
    }

    @Test("SIP's flows live an hour on Linux, others as their timers say")
    func idle() throws {
        var bench = linux()
        try bench.send(.lan, phone, server, Script.register(1, contact: "192.168.1.2:5060"))
        try bench.send(.lan, Endpoint("192.168.1.2:9000")!, RouterBench.stun, [1])
        #expect(bench.router.mappings.map(\.idle) == [.seconds(3600), .seconds(30)])
    }

    @Test("a full table of held packets lets further ones through at once")
    func holdLimit() throws {
        var settings = RouterSettings.speedtouch780(wan: RouterBench.wan)
        settings.limits.heldPackets = 1
        var bench = RouterBench(settings)
        try bench.send(.lan, phone, server, Script.register(1, contact: "192.168.1.2:5060"))
        for _ in 0..<2 { try bench.send(.wan, server, Endpoint(wan, 52899), Script.response(401, 1, via: "198.51.100.7:52899")) }
        #expect(try bench.datagrams(.lan).count == 1)
        #expect(bench.traces.contains(.dropped(.holdLimit, .wan)))
        bench.run(to: 200)
        #expect(try bench.datagrams(.lan).count == 1)
    }
}
