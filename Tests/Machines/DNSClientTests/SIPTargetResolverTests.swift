import Base
import DNS
import DNSClient
import Testing

@Suite struct SIPTargetResolverTests {
    /// A domain with everything: NAPTR, SRV for three transports, two hosts, one of both families.
    private static var full: ZoneWorld {
        var world = ZoneWorld()
        world.add("example.org", naptr: 50, 50, "SIPS+D2T", "_sips._tcp.example.org")
        world.add("example.org", naptr: 90, 50, "SIP+D2T", "_sip._tcp.example.org")
        world.add("example.org", naptr: 100, 50, "SIP+D2U", "_sip._udp.example.org")
        world.add("_sips._tcp.example.org", srv: 1, 1, 5071, "one.example.org")
        world.add("_sip._tcp.example.org", srv: 1, 1, 5070, "one.example.org")
        world.add("_sip._udp.example.org", srv: 1, 1, 5080, "one.example.org")
        world.add("_sip._udp.example.org", srv: 2, 1, 5090, "two.example.org")
        world.add("one.example.org", .a(IPv4Address(192, 0, 2, 1)))
        world.add("one.example.org", .aaaa(IPv6Address("2001:db8::1")!))
        world.add("two.example.org", .a(IPv4Address(192, 0, 2, 2)))
        world.add("example.org", .a(IPv4Address(192, 0, 2, 9)))
        return world
    }

    /// The same without NAPTR.
    private static var withoutNAPTR: ZoneWorld {
        var world = full
        world.zone.remove(name("example.org"), .naptr)
        return world
    }

    private func run(
        _ world: ZoneWorld, _ query: SIPTargetQuery, transports: [SIPTransport] = [.udp, .tcp, .tls],
        families: [SIPTargetResolver.Family] = [.v4]
    ) -> (result: Result<[SIPTarget], SIPTargetFailure>?, questions: [String]) {
        var world = world
        var settings = SIPTargetResolver.Settings(dns: ZoneWorld.settings)
        settings.transports = transports
        settings.families = families
        var resolver = SIPTargetResolver(settings, entropy: Entropy(labSeed: 1))
        let result = world.resolve(&resolver, query)
        return (result, world.queries.map(\.question.description))
    }

    private func targets(_ result: Result<[SIPTarget], SIPTargetFailure>?) -> [String]? {
        guard case .success(let targets)? = result else { return nil }
        return targets.map(\.description)
    }

    @Test(
        "RFC 3263 4.1, 4.2: an address needs no DNS",
        arguments: [
            (SIPTargetQuery(host: "192.0.2.7"), "UDP 192.0.2.7:5060"),
            (SIPTargetQuery(host: "192.0.2.7", port: 5070), "UDP 192.0.2.7:5070"),
            (SIPTargetQuery(host: "192.0.2.7", transport: .tcp), "TCP 192.0.2.7:5060"),
            (SIPTargetQuery(host: "192.0.2.7", isSecure: true), "TLS 192.0.2.7:5061"),
            (SIPTargetQuery(host: "192.0.2.7", transport: .tcp, isSecure: true), "TLS 192.0.2.7:5061"),
            (SIPTargetQuery(host: "[2001:db8::7]"), "UDP [2001:db8::7]:5060"),
            (SIPTargetQuery(host: "2001:db8::7", port: 1), "UDP [2001:db8::7]:1"),
            (SIPTargetQuery(host: "192.0.2.7", transport: .ws), "WS 192.0.2.7:80"),
            (SIPTargetQuery(host: "192.0.2.7", transport: .ws, isSecure: true), "WSS 192.0.2.7:443"),
        ])
    func numeric(query: SIPTargetQuery, expected: String) {
        let (result, questions) = run(ZoneWorld(), query, transports: SIPTransport.allCases)
        #expect(targets(result) == [expected])
        #expect(questions.isEmpty)
    }

    @Test("RFC 3263 4.1: NAPTR orders the transports, SRV the hosts, all of them stay for failover")
    func naptr() {
        let (result, _) = run(Self.full, SIPTargetQuery(host: "example.org"))
        #expect(
            targets(result) == ["TLS 192.0.2.1:5071", "TCP 192.0.2.1:5070", "UDP 192.0.2.1:5080", "UDP 192.0.2.2:5090"])
    }

    @Test("RFC 3263 4.1: NAPTR of transports not spoken here are passed over")
    func naptrSupported() {
        let (result, _) = run(Self.full, SIPTargetQuery(host: "example.org"), transports: [.udp])
        #expect(targets(result) == ["UDP 192.0.2.1:5080", "UDP 192.0.2.2:5090"])
    }

    @Test("RFC 3263 4.1: sips leaves secure transports only, with NAPTR and without")
    func sips() {
        for world in [Self.full, Self.withoutNAPTR] {
            let (result, _) = run(world, SIPTargetQuery(host: "example.org", isSecure: true))
            #expect(targets(result) == ["TLS 192.0.2.1:5071"])
        }
        let (udp, _) = run(Self.full, SIPTargetQuery(host: "example.org", transport: .udp, isSecure: true))
        #expect(udp == .failure(.transportNotSupported))
    }

    @Test("RFC 3263 4.1: without NAPTR, SRV of every transport spoken, our order")
    func noNAPTR() {
        let (result, questions) = run(Self.withoutNAPTR, SIPTargetQuery(host: "example.org"))
        #expect(
            targets(result) == ["UDP 192.0.2.1:5080", "UDP 192.0.2.2:5090", "TCP 192.0.2.1:5070", "TLS 192.0.2.1:5071"])
        #expect(
            questions.prefix(4) == [
                "NAPTR example.org", "SRV _sip._udp.example.org", "SRV _sip._tcp.example.org", "SRV _sips._tcp.example.org",
            ])
    }

    @Test("RFC 3263 4.2: without NAPTR and SRV, the addresses of the domain, UDP and 5060; TLS and 5061 for sips")
    func noSRV() {
        var world = ZoneWorld()
        world.add("example.org", .a(IPv4Address(192, 0, 2, 9)))
        #expect(targets(run(world, SIPTargetQuery(host: "example.org")).result) == ["UDP 192.0.2.9:5060"])
        #expect(targets(run(world, SIPTargetQuery(host: "example.org", isSecure: true)).result) == ["TLS 192.0.2.9:5061"])
        let tcp = run(world, SIPTargetQuery(host: "example.org", transport: .tcp))
        #expect(targets(tcp.result) == ["TCP 192.0.2.9:5060"])
        #expect(tcp.questions == ["SRV _sip._tcp.example.org", "A example.org"])
    }

    @Test("RFC 3263 4.2: an explicit port asks for addresses alone")
    func explicitPort() {
        let (result, questions) = run(Self.full, SIPTargetQuery(host: "example.org", port: 5099))
        #expect(targets(result) == ["UDP 192.0.2.9:5099"])
        #expect(questions == ["A example.org"])
    }

    @Test("RFC 3263 4.1: a transport parameter skips NAPTR and asks its SRV")
    func transportParameter() {
        let (result, questions) = run(Self.full, SIPTargetQuery(host: "example.org", transport: .tcp))
        #expect(targets(result) == ["TCP 192.0.2.1:5070"])
        #expect(questions == ["SRV _sip._tcp.example.org", "A one.example.org"])
        let secure = run(Self.full, SIPTargetQuery(host: "example.org", transport: .tcp, isSecure: true))
        #expect(targets(secure.result) == ["TLS 192.0.2.1:5071"])
    }

    @Test("RFC 7118 5.2: WebSocket has no SRV")
    func webSocket() {
        let query = SIPTargetQuery(host: "example.org", transport: .ws, isSecure: true)
        let (result, questions) = run(Self.full, query, transports: [.wss])
        #expect(targets(result) == ["WSS 192.0.2.9:443"])
        #expect(questions == ["A example.org"])
    }

    @Test("RFC 6724 in spirit: addresses of the preferred family come first, per host")
    func families() {
        let query = SIPTargetQuery(host: "example.org", transport: .udp)
        #expect(
            targets(run(Self.full, query, families: [.v6, .v4]).result) == [
                "UDP [2001:db8::1]:5080", "UDP 192.0.2.1:5080", "UDP 192.0.2.2:5090",
            ])
        #expect(
            targets(run(Self.full, query, families: [.v4, .v6]).result) == [
                "UDP 192.0.2.1:5080", "UDP [2001:db8::1]:5080", "UDP 192.0.2.2:5090",
            ])
        #expect(targets(run(Self.full, query, families: [.v6]).result) == ["UDP [2001:db8::1]:5080"])
    }

    @Test("RFC 2782: priorities ascend, weights share; weight 0 comes seldom")
    func weights() {
        var entropy = Entropy(labSeed: 77)
        let records = [
            DNSServiceRecord(priority: 2, weight: 9, port: 1, target: name("d")),
            DNSServiceRecord(priority: 1, weight: 75, port: 1, target: name("a")),
            DNSServiceRecord(priority: 1, weight: 25, port: 1, target: name("b")),
            DNSServiceRecord(priority: 1, weight: 0, port: 1, target: name("c")),
        ]
        var first: [String: Int] = [:]
        for _ in 0..<4000 {
            let order = orderedByPriority(records, entropy: &entropy)
            #expect(order.count == 4 && order[3].target == name("d"))
            first[order[0].target.description, default: 0] += 1
        }
        #expect((2850...3150).contains(first["a"] ?? 0))
        #expect((850...1150).contains(first["b"] ?? 0))
        #expect((1...100).contains(first["c"] ?? 0))
        #expect(first["d"] == nil)
    }

    @Test("RFC 2782: the root as target says that there is no such service")
    func denied() {
        var world = ZoneWorld()
        world.add("_sip._udp.example.org", srv: 0, 0, 0, ".")
        world.add("example.org", .a(IPv4Address(192, 0, 2, 9)))
        #expect(run(world, SIPTargetQuery(host: "example.org", transport: .udp)).result == .failure(.serviceNotOffered))
    }

    @Test("a name that leads nowhere: no such name, no address, no server")
    func failures() {
        var world = ZoneWorld()
        world.add("empty.example.org", .txt([[0x61]]))
        #expect(run(world, SIPTargetQuery(host: "nowhere.example")).result == .failure(.nameError))
        #expect(run(world, SIPTargetQuery(host: "empty.example.org")).result == .failure(.noAddress))
        #expect(run(world, SIPTargetQuery(host: "")).result == .failure(.badHost))
        #expect(run(world, SIPTargetQuery(host: "[nonsense]")).result == .failure(.badHost))
        #expect(run(world, SIPTargetQuery(host: "a..b")).result == .failure(.badHost))
        #expect(run(world, SIPTargetQuery(host: "example.org", transport: .ws)).result == .failure(.transportNotSupported))
        world.dead = [ZoneWorld.first, ZoneWorld.second]
        let dead = run(world, SIPTargetQuery(host: "example.org", port: 5060))
        #expect(dead.result == .failure(.lookUpFailed(.timedOut)))
    }

    @Test("NAPTR that names a service without SRV falls back to the domain's addresses")
    func danglingNAPTR() {
        var world = ZoneWorld()
        world.add("example.org", naptr: 1, 1, "SIP+D2U", "_sip._udp.example.org")
        world.add("example.org", .a(IPv4Address(192, 0, 2, 9)))
        #expect(targets(run(world, SIPTargetQuery(host: "example.org")).result) == ["UDP 192.0.2.9:5060"])
    }

    @Test("a host behind an alias is found; aliases in a circle are told")
    func aliases() {
        var world = ZoneWorld()
        world.add("_sip._udp.example.org", srv: 0, 0, 5060, "alias.example.org")
        world.add("alias.example.org", .cname(name("host.example.org")))
        world.add("host.example.org", .a(IPv4Address(192, 0, 2, 3)))
        let query = SIPTargetQuery(host: "example.org", transport: .udp)
        #expect(targets(run(world, query).result) == ["UDP 192.0.2.3:5060"])
        world.zone.remove(name("host.example.org"), .a)
        world.add("host.example.org", .cname(name("alias.example.org")))
        #expect(run(world, query).result == .failure(.lookUpFailed(.aliasLoop)))
    }

    @Test("an answer of hundreds of records makes no more than the allowed targets")
    func flood() throws {
        var world = ZoneWorld()
        for index in 0..<60 {
            world.add("_sip._udp.example.org", srv: UInt16(index), 0, 5060, "h\(index).example.org")
            for host in 0..<10 { world.add("h\(index).example.org", .a(IPv4Address(bits: UInt32(index * 16 + host)))) }
        }
        let (result, questions) = run(world, SIPTargetQuery(host: "example.org", transport: .udp))
        #expect(try #require(result).get().count == 32)
        #expect(questions.count == 17)
    }

    @Test("cancelling answers at once, and what comes later changes nothing")
    func cancel() {
        var resolver = SIPTargetResolver(SIPTargetResolver.Settings(dns: ZoneWorld.settings), entropy: Entropy(labSeed: 1))
        let now = Instant(seconds: 0)
        resolver.receive(.resolve(id: 8, SIPTargetQuery(host: "example.org")), at: now)
        resolver.receive(.cancel(id: 8), at: now)
        var results = 0
        while let output = resolver.nextOutput() {
            if case .resolved(8, .failure(.cancelled)) = output { results += 1 }
        }
        #expect(results == 1)
        while let next = resolver.nextDeadline { resolver.advance(to: next) }
        while let output = resolver.nextOutput() {
            if case .resolved = output { results += 1 }
        }
        #expect(results == 1)
    }
}
