import Base
import DNS
import DNSForwarder
import Testing

@Suite("DNS forwarder")
struct DNSForwarderTests {
    static let router = Endpoint("192.168.1.1:53")!
    static let phone = Endpoint("192.168.1.64:40000")!
    static let first = Endpoint("203.0.113.1:53")!
    static let second = Endpoint("203.0.113.2:53")!
    static let outside = IPv4Address(198, 51, 100, 7)

    struct Bench {
        var forwarder: DNSForwarder
        var now = Instant(seconds: 1_000_000)
        var answers: [Datagram] = []
        var asked: [Datagram] = []
        var released: [Endpoint] = []

        init(_ change: (inout DNSForwarderSettings) -> Void = { _ in }) {
            var settings = DNSForwarderSettings(domain: DNSName("home.arpa")!)
            settings.upstreams = [DNSForwarderTests.first, DNSForwarderTests.second]
            settings.outsideV4 = DNSForwarderTests.outside
            settings.hosts = ["router": [.v4(IPv4Address(192, 168, 1, 1)), .v6(IPv6Address("fd00::1")!)]]
            settings.inside = [IPPrefix("192.168.1.0/24")!]
            change(&settings)
            forwarder = DNSForwarder(settings, entropy: Entropy(labSeed: 1))
        }

        mutating func receive(_ input: DNSForwarder.Input) {
            forwarder.receive(input, at: now)
            collect()
        }

        mutating func advance(_ time: Duration) {
            now += time
            forwarder.advance(to: now)
            collect()
        }

        private mutating func collect() {
            while let output = forwarder.nextOutput() {
                switch output {
                case .toClient(let datagram): answers.append(datagram)
                case .toUpstream(let datagram): asked.append(datagram)
                case .release(let local): released.append(local)
                }
            }
            while forwarder.nextTrace() != nil {}
        }

        mutating func ask(_ name: String, _ type: DNSRecordType = .a, id: UInt16 = 7, from: Endpoint = DNSForwarderTests.phone) {
            let query = DNSMessage.query(id: id, DNSQuestion(DNSName(name)!, type), udpSize: 1232)
            receive(.question(Datagram(from: from, to: DNSForwarderTests.router, query.bytes())))
        }

        /// The answer to a question that was forwarded.
        static func answer(to asked: Datagram, _ address: IPv4Address) throws -> Datagram {
            var message = try DNSMessage(asked.payload)
            message.isResponse = true
            message.answers = [DNSRecord(message.questions[0].name, .a(address))]
            return Datagram(from: asked.destination, to: asked.source, message.bytes())
        }
    }

    @Test("a question goes on under another port and identifier, all else to the octet, and its answer comes back under its own")
    func forwards() throws {
        var bench = Bench()
        bench.ask("sip.example.org")
        let asked = try #require(bench.asked.first)
        #expect(asked.destination == Self.first && asked.source.address == .v4(Self.outside))
        #expect(asked.source.port >= 1024 && bench.forwarder.isAsking(from: asked.source))
        let query = DNSMessage.query(id: 7, DNSQuestion(DNSName("sip.example.org")!, .a), udpSize: 1232).bytes()
        #expect(asked.payload.dropFirst(2) == query.dropFirst(2))
        let answer = try Bench.answer(to: asked, IPv4Address(198, 51, 100, 5))
        bench.receive(.answer(answer))
        #expect(bench.answers.count == 1 && bench.answers[0].source == Self.router && bench.answers[0].destination == Self.phone)
        #expect(bench.answers[0].payload == [0, 7] + answer.payload.dropFirst(2))
        #expect(bench.released == [asked.source] && bench.forwarder.openQuestions == 0 && bench.forwarder.nextDeadline == nil)
    }

    @Test("RFC 5452 9.1: an answer from elsewhere, to another port, with another identifier or question is none")
    func forgeries() throws {
        var bench = Bench()
        bench.ask("sip.example.org")
        let asked = try #require(bench.asked.first)
        let right = try Bench.answer(to: asked, IPv4Address(198, 51, 100, 5))
        var wrong = right
        wrong.source = Self.second
        bench.receive(.answer(wrong))
        wrong = right
        wrong.destination.port ^= 1
        bench.receive(.answer(wrong))
        wrong = right
        wrong.payload[1] ^= 1
        bench.receive(.answer(wrong))
        var other = try DNSMessage(right.payload)
        other.questions[0].name = DNSName("sip.example.net")!
        wrong.payload = other.bytes()
        bench.receive(.answer(wrong))
        #expect(bench.answers.isEmpty && bench.forwarder.counters[.unasked] == 4)
        wrong.payload = asked.payload
        bench.receive(.answer(wrong))
        #expect(bench.forwarder.counters[.wrongWay] == 1)
        bench.receive(.answer(right))
        bench.receive(.answer(right))
        #expect(bench.answers.count == 1 && bench.forwarder.counters[.unasked] == 5)
    }

    @Test("a silent resolver gives way to the next, with a new port; after the last the client hears Server Failure")
    func silence() throws {
        var bench = Bench()
        bench.ask("sip.example.org")
        // The client asks again itself: one question is on its way already.
        bench.advance(.seconds(1))
        bench.ask("sip.example.org")
        #expect(bench.asked.count == 1)
        bench.advance(.seconds(1))
        #expect(bench.asked.map(\.destination) == [Self.first, Self.second])
        #expect(bench.released == [bench.asked[0].source])
        for _ in 0..<3 { bench.advance(.seconds(2)) }
        #expect(bench.asked.count == 4 && Set(bench.asked.map(\.source)).count == 4)
        let answer = try DNSMessage(try #require(bench.answers.first).payload)
        #expect(answer.code == .serverFailure && answer.id == 7 && answer.isResponse)
        #expect(bench.answers.count == 1 && bench.released.count == 4 && bench.forwarder.nextDeadline == nil)
    }

    @Test("a port that cannot be had is another; without resolvers there is Server Failure at once")
    func ports() throws {
        var bench = Bench()
        bench.ask("sip.example.org")
        bench.receive(.portTaken(bench.asked[0].source.port))
        #expect(bench.asked.count == 2 && bench.asked[0].source != bench.asked[1].source)
        #expect(bench.asked[1].destination == Self.first && bench.forwarder.openQuestions == 1)
        var none = Bench { $0.upstreams = [] }
        none.ask("sip.example.org")
        #expect(try DNSMessage(none.answers[0].payload).code == .serverFailure)
    }

    @Test("names of the local domain are answered here, forwards and backwards, and never asked outside")
    func local() throws {
        var bench = Bench()
        bench.receive(.name("desk", [.v4(IPv4Address(192, 168, 1, 64))]))
        // A guest cannot take the router's name.
        bench.receive(.name("router", [.v4(IPv4Address(192, 168, 1, 66))]))
        func answer(_ name: String, _ type: DNSRecordType) throws -> DNSMessage {
            bench.answers = []
            bench.ask(name, type)
            return try DNSMessage(try #require(bench.answers.first).payload)
        }
        #expect(try answer("desk", .a).answers.map(\.data) == [.a(IPv4Address(192, 168, 1, 64))])
        #expect(try answer("Desk.Home.arpa", .a).answers.map(\.data) == [.a(IPv4Address(192, 168, 1, 64))])
        #expect(try answer("router.home.arpa", .a).answers.map(\.data) == [.a(IPv4Address(192, 168, 1, 1))])
        #expect(try answer("router", .aaaa).answers.map(\.data) == [.aaaa(IPv6Address("fd00::1")!)])
        let none = try answer("desk.home.arpa", .aaaa)
        #expect(none.answers.isEmpty && none.code == .noError)
        #expect(try answer("nobody.home.arpa", .a).code == .nameError)
        #expect(try answer("a.b.home.arpa", .a).code == .nameError)
        #expect(try answer("64.1.168.192.in-addr.arpa", .ptr).answers.map(\.data) == [.ptr(DNSName("desk.home.arpa")!)])
        #expect(try answer("99.1.168.192.in-addr.arpa", .ptr).code == .nameError)
        bench.receive(.name("desk", []))
        #expect(try answer("desk.home.arpa", .a).code == .nameError)
        #expect(bench.asked.isEmpty)
        bench.ask("1.113.0.203.in-addr.arpa", .ptr)
        #expect(bench.asked.count == 1)
    }

    @Test("open questions are bounded, in all and a client; the rest hears Server Failure")
    func bounds() throws {
        var bench = Bench {
            $0.limits.questions = 10
            $0.limits.perClient = 6
        }
        for id in 0..<20 { bench.ask("a\(id).example.org", id: UInt16(id)) }
        #expect(bench.forwarder.openQuestions == 6 && bench.forwarder.counters[.limit] == 14)
        for id in 0..<20 { bench.ask("a\(id).example.org", id: UInt16(id), from: Endpoint("192.168.1.65:4000")!) }
        #expect(bench.forwarder.openQuestions == 10 && bench.answers.count == 30)
        for _ in 0..<4 { bench.advance(.seconds(2)) }
        #expect(bench.forwarder.openQuestions == 0 && bench.answers.count == 40)
        bench.ask("b.example.org", id: 99)
        #expect(bench.forwarder.openQuestions == 1)
    }

    @Test("another outside address: open questions are asked anew from there")
    func moves() {
        var bench = Bench()
        bench.ask("sip.example.org")
        var settings = bench.forwarder.settings
        settings.outsideV4 = IPv4Address(198, 51, 100, 8)
        bench.receive(.settings(settings))
        #expect(bench.asked.count == 2 && bench.asked[1].source.address == .v4(IPv4Address(198, 51, 100, 8)))
        #expect(bench.released == [bench.asked[0].source])
    }

    @Test("any octets: no crash, no growth, each counted")
    func hostile() {
        var bench = Bench { $0.limits.questions = 50 }
        var entropy = Entropy(labSeed: 5)
        let seed = DNSMessage.query(id: 1, DNSQuestion(DNSName("sip.example.org")!, .srv)).bytes()
        for turn in 0..<10_000 {
            var bytes = seed
            for _ in 0..<3 { bytes[Int(entropy.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: entropy.next()) }
            if turn % 3 == 0 { bytes.removeLast(Int(entropy.next() % UInt64(bytes.count + 1))) }
            let datagram = Datagram(from: Self.phone, to: Self.router, bytes)
            bench.receive(turn % 2 == 0 ? .question(datagram) : .answer(datagram))
        }
        #expect(bench.forwarder.openQuestions <= 50)
        #expect(bench.forwarder.counters[.malformed] > 0 && bench.forwarder.counters[.wrongWay] > 0)
    }
}
