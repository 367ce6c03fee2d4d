import Base
import DNS
import DNSClient
import Testing

@Suite struct DNSResolverTests {
    private func resolver(_ change: (inout DNSResolver.Settings) -> Void = { _ in }) -> DNSResolver {
        var settings = ZoneWorld.settings
        change(&settings)
        return DNSResolver(settings, entropy: Entropy(labSeed: 1))
    }

    @Test("an address is found and kept for its TTL, not longer")
    func cache() {
        var world = ZoneWorld()
        world.add("sip.example.org", .a(IPv4Address(192, 0, 2, 1)), ttl: 30)
        var resolver = resolver()
        #expect(world.lookUp(&resolver, "sip.example.org", .a)?.records.map(\.data) == [.a(IPv4Address(192, 0, 2, 1))])
        world.now += .seconds(29)
        #expect(world.lookUp(&resolver, "SIP.example.org", .a)?.records.count == 1)
        #expect(world.queries.count == 1)
        world.now += .seconds(2)
        #expect(world.lookUp(&resolver, "sip.example.org", .a)?.records.count == 1)
        #expect(world.queries.count == 2)
        #expect(world.open.isEmpty)
    }

    @Test("RFC 2308 5: absence is remembered as long as the SOA says")
    func negative() {
        var world = ZoneWorld()
        world.add("sip.example.org", .a(IPv4Address(192, 0, 2, 1)))
        var resolver = resolver()
        #expect(world.lookUp(&resolver, "none.example.org", .a) == .nameError)
        #expect(world.lookUp(&resolver, "sip.example.org", .aaaa) == .noData)
        #expect(world.lookUp(&resolver, "none.example.org", .a) == .nameError)
        #expect(world.lookUp(&resolver, "sip.example.org", .aaaa) == .noData)
        #expect(world.queries.count == 2)
        world.now += .seconds(61)
        #expect(world.lookUp(&resolver, "none.example.org", .a) == .nameError)
        #expect(world.queries.count == 3)
    }

    @Test("each server is asked in turn, timeouts double by round, then it gives up")
    func retransmission() {
        var world = ZoneWorld()
        world.dead = [ZoneWorld.first, ZoneWorld.second]
        var resolver = resolver()
        #expect(world.lookUp(&resolver, "sip.example.org", .a) == .failed(.timedOut))
        #expect(world.queries.map(\.milliseconds) == [0, 1000, 2000, 4000, 6000, 10000])
        #expect(
            world.queries.map(\.server) == [
                ZoneWorld.first, ZoneWorld.second, ZoneWorld.first, ZoneWorld.second, ZoneWorld.first, ZoneWorld.second,
            ])
        #expect(world.now == Instant(seconds: 114))
        #expect(world.open.isEmpty && resolver.nextDeadline == nil)
        // RFC 5452: identifiers and ports are not to be guessed from each other.
        #expect(Set(world.queries.map(\.identifier)).count == 6 && Set(world.queries.map(\.local.port)).count == 6)
    }

    @Test("a dead first server costs one timeout; the second answers")
    func secondServer() {
        var world = ZoneWorld()
        world.dead = [ZoneWorld.first]
        world.add("sip.example.org", .a(IPv4Address(192, 0, 2, 1)))
        var resolver = resolver()
        #expect(world.lookUp(&resolver, "sip.example.org", .a)?.records.count == 1)
        #expect(world.queries.map(\.milliseconds) == [0, 1000])
    }

    @Test("a server that fails is left at once for the next; when all fail, the refusal is told")
    func refusal() {
        var world = ZoneWorld()
        world.spoil = { $0.code = .serverFailure }
        var resolver = resolver()
        #expect(world.lookUp(&resolver, "sip.example.org", .a) == .failed(.refused(.serverFailure)))
        #expect(world.queries.count == 6)
        #expect(world.now < Instant(seconds: 101))
    }

    @Test("aliases are followed, within one answer and across several, with the least TTL")
    func aliases() {
        var world = ZoneWorld()
        world.add("www.example.org", .cname(name("web.example.org")), ttl: 5)
        world.add("web.example.org", .cname(name("host.example.org")), ttl: 50)
        world.add("host.example.org", .a(IPv4Address(192, 0, 2, 1)), ttl: 500)
        var resolver = resolver()
        #expect(world.lookUp(&resolver, "www.example.org", .a)?.records.map(\.name) == [name("host.example.org")])
        #expect(world.queries.count == 1)
        world.now += .seconds(6)
        // A server that tells the first alias only.
        world.spoil = { message in
            message.answers = Array(message.answers.prefix(1))
        }
        #expect(world.lookUp(&resolver, "www.example.org", .a)?.records.count == 1)
        #expect(
            world.queries.dropFirst().map(\.question.name.description) == [
                "www.example.org", "web.example.org", "host.example.org",
            ])
    }

    @Test("aliases in a circle end as a failure")
    func aliasLoop() {
        var world = ZoneWorld()
        world.add("one.example.org", .cname(name("two.example.org")))
        world.add("two.example.org", .cname(name("one.example.org")))
        var resolver = resolver()
        #expect(world.lookUp(&resolver, "one.example.org", .a) == .failed(.aliasLoop))
        world.spoil = { $0.answers = Array($0.answers.prefix(1)) }
        #expect(world.lookUp(&resolver, "two.example.org", .a) == .failed(.aliasLoop))
    }

    @Test("RFC 7766 5: a truncated answer is asked for again over a stream", arguments: [true, false])
    func truncation(works: Bool) {
        var world = ZoneWorld()
        world.streamsWork = works
        for index in 0..<200 { world.add("many.example.org", .a(IPv4Address(bits: UInt32(index)))) }
        var resolver = resolver()
        let answer = world.lookUp(&resolver, "many.example.org", .a)
        #expect(world.streams == 1)
        if works { #expect(answer?.records.count == 200) } else { #expect(answer == .failed(.streamFailed)) }
    }

    @Test("RFC 5452 9.1: answers with wrong identifier, question, source or port count for nothing")
    func forgeries() throws {
        var resolver = resolver()
        let now = Instant(seconds: 0)
        resolver.receive(.lookUp(id: 3, name("sip.example.org"), .a), at: now)
        guard case .send(let query)? = resolver.nextOutput() else {
            Issue.record("no query")
            return
        }
        let asked = try DNSMessage(query.payload)
        var answer = DNSMessage(id: asked.id)
        answer.isResponse = true
        answer.questions = asked.questions
        answer.answers = [DNSRecord(name("sip.example.org"), .a(IPv4Address(6, 6, 6, 6)))]
        func deliver(_ message: DNSMessage, from: Endpoint = ZoneWorld.first, to: Endpoint = query.source) {
            resolver.receive(.received(Datagram(from: from, to: to, message.bytes())), at: now)
        }
        var wrongIdentifier = answer
        wrongIdentifier.id &+= 1
        deliver(wrongIdentifier)
        var wrongQuestion = answer
        wrongQuestion.questions = [DNSQuestion(name("example.com"), .a)]
        deliver(wrongQuestion)
        wrongQuestion.questions = [DNSQuestion(name("sip.example.org"), .aaaa)]
        deliver(wrongQuestion)
        deliver(answer, from: ZoneWorld.second)
        deliver(answer, to: Endpoint(query.source.address, query.source.port ^ 1))
        var notResponse = answer
        notResponse.isResponse = false
        deliver(notResponse)
        resolver.receive(.received(Datagram(from: ZoneWorld.first, to: query.source, [1, 2, 3])), at: now)
        #expect(resolver.nextOutput() == nil)
        var ignored: [DNSResolver.Ignored] = []
        while let trace = resolver.nextTrace() { if case .ignored(let why, _) = trace { ignored.append(why) } }
        #expect(
            ignored == [
                .noSuchQuery, .wrongQuestion, .wrongQuestion, .wrongSource, .noSuchQuery, .notAResponse,
                .malformed(DNSError(.endOfInput, at: 2)),
            ])
        deliver(answer)
        var found: [DNSResolver.Output] = []
        while let output = resolver.nextOutput() { found.append(output) }
        #expect(found == [.release(query.source), .found(id: 3, .records(answer.answers))])
    }

    @Test("records that the chain from the question does not reach are not believed")
    func strangers() {
        var world = ZoneWorld()
        world.spoil = { $0.answers = [DNSRecord(name("bank.example"), .a(IPv4Address(6, 6, 6, 6)))] }
        var resolver = resolver()
        world.add("sip.example.org", .a(IPv4Address(192, 0, 2, 1)))
        #expect(world.lookUp(&resolver, "sip.example.org", .a) == .noData)
        world.spoil = nil
        #expect(world.lookUp(&resolver, "bank.example", .a) == .nameError)
    }

    @Test("equal look-ups share one query; too many are refused; the cache stays within its cap")
    func caps() {
        var world = ZoneWorld()
        for index in 0..<20 { world.add("h\(index).example.org", .a(IPv4Address(bits: UInt32(index)))) }
        var resolver = resolver {
            $0.mostLookups = 2
            $0.cacheCapacity = 8
        }
        for (id, owner) in ["a", "a", "b", "c"].enumerated() {
            resolver.receive(.lookUp(id: UInt64(id), name("\(owner).example.org"), .a), at: world.now)
        }
        var sends = 0
        var refused: [UInt64] = []
        while let output = resolver.nextOutput() {
            if case .send = output { sends += 1 }
            if case .found(let id, .failed(.tooMany)) = output { refused.append(id) }
        }
        #expect(sends == 2)
        #expect(refused == [3])
        resolver = DNSResolver(resolver.settings, entropy: Entropy(labSeed: 2))
        for index in 0..<20 { #expect(world.lookUp(&resolver, "h\(index).example.org", .a)?.records.count == 1) }
        #expect(resolver.cached == 8)
    }

    @Test("ICMP moves on to the next server at once; cancelling answers at once")
    func unreachable() {
        var resolver = resolver()
        let now = Instant(seconds: 0)
        resolver.receive(.lookUp(id: 1, name("example.org"), .a), at: now)
        _ = resolver.nextOutput()
        resolver.receive(.unreachable(server: ZoneWorld.first), at: now)
        guard case .send(let datagram)? = resolver.nextOutput() else {
            Issue.record("nothing sent")
            return
        }
        #expect(datagram.destination == ZoneWorld.second)
        resolver.receive(.cancel(id: 1), at: now)
        #expect(resolver.nextOutput() == .found(id: 1, .failed(.cancelled)))
    }

    @Test("names of the hosts table need no server")
    func hosts() {
        var world = ZoneWorld()
        var resolver = resolver { $0.hosts = [name("localhost"): [.v4(.loopback), .v6(.loopback)]] }
        #expect(world.lookUp(&resolver, "localhost", .aaaa)?.records.map(\.data) == [.aaaa(.loopback)])
        #expect(world.queries.isEmpty)
    }

    @Test("mutated answers never trap")
    func noise() throws {
        var entropy = Entropy(labSeed: 12)
        var world = ZoneWorld()
        world.add("www.example.org", .cname(name("host.example.org")))
        world.add("host.example.org", .a(IPv4Address(192, 0, 2, 1)))
        for _ in 0..<500 {
            var resolver = resolver()
            resolver.receive(.lookUp(id: 1, name("www.example.org"), .a), at: world.now)
            while let output = resolver.nextOutput() {
                guard case .send(let datagram) = output, var bytes = world.zone.answer(datagram.payload) else { continue }
                for _ in 0..<2 { bytes[Int(entropy.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: entropy.next()) }
                resolver.receive(.received(Datagram(from: datagram.destination, to: datagram.source, bytes)), at: world.now)
            }
        }
    }
}
