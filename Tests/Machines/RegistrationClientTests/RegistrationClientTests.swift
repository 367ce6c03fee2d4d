import Base
import RegistrationClient
import SIP
import Testing

/// A client and a registrar that says what a test wants, without a node around them.
private struct Desk {
    static let local = Endpoint("192.0.2.20:5060")!
    static let server = Endpoint("203.0.113.10:5060")!

    var client: RegistrationClient
    var now = Instant(seconds: 1_000)
    /// What it sent since it was taken last.
    private(set) var sent: [SIPMessage] = []
    private(set) var lookUps: [ServerAddress] = []
    private(set) var hasStopped = false

    init(_ settings: RegistrationSettings = Desk.settings(), seed: UInt64 = 1) throws {
        client = try RegistrationClient(settings: settings, entropy: Entropy(labSeed: seed))
    }

    static func settings(
        registrar: String = "203.0.113.10", transport: SIPTransport = .udp, keepalive: RegistrationSettings.Keepalive = .none
    ) -> RegistrationSettings {
        RegistrationSettings(
            identity: .init(user: "trunk", password: "secret", registrar: registrar), locals: [local], transport: transport,
            keepalive: keepalive, userAgent: "Trunk")
    }

    mutating func tell(_ input: RegistrationClient.Input) throws {
        client.receive(input, at: now)
        try collect()
    }

    mutating func wait(_ duration: Duration) throws {
        let end = now + duration
        while let due = client.nextDeadline, due <= end {
            now = max(now, due)
            client.advance(to: now)
            try collect()
        }
        now = end
    }

    private mutating func collect() throws {
        while let output = client.nextOutput() {
            switch output {
            case .signal(let datagram):
                #expect(datagram.source == Self.local && datagram.destination == Self.server)
                sent.append(try SIPMessage(parsing: datagram.payload))
            case .ask: Issue.record("nobody set a STUN server")
            case .lookUpServer(let server): lookUps.append(server)
            case .lookUpSTUN: Issue.record("nobody set a STUN server")
            case .status: break
            case .stopped: hasStopped = true
            }
        }
    }

    mutating func takeSent() -> [SIPMessage] {
        defer { sent = [] }
        return sent
    }

    /// Answers as a registrar behind no NAT does.
    mutating func answer(_ request: SIPMessage, _ line: String, _ lines: String = "") throws {
        let via = try #require(request.first(.via)?.value.string)
        let seen = via.hasSuffix(";rport") ? via + "=5060;received=192.0.2.20" : via
        var text = "SIP/2.0 \(line)\r\nVia: \(seen)\r\nFrom: \(request.first(.from)!.value)\r\n"
        text += "To: \(request.first(.to)!.value);tag=1\r\nCall-ID: \(request.first(.callID)!.value)\r\n"
        text += "CSeq: \(request.first(.cseq)!.value)\r\n\(lines)Content-Length: 0\r\n\r\n"
        let message = try SIPMessage(parsing: Array(text.utf8))
        let branch = try #require(try message.topVia.branch?.string)
        #expect(client.awaits(branch: branch, .register))
        try tell(.response(message, FlowID(client.settings.transport, local: Self.local, remote: Self.server)))
    }

    static let challenge = "WWW-Authenticate: Digest realm=\"provider\",nonce=\"n1\",algorithm=MD5,qop=\"auth\"\r\n"
    static let granted = "Contact: <sip:trunk@192.0.2.20:5060>;expires=600\r\n"

    /// From the start to the binding.
    mutating func register() throws {
        try tell(.start)
        try tell(.foundServer([Self.server]))
        try answer(try #require(takeSent().first), "401 Unauthorized", Self.challenge)
        try answer(try #require(takeSent().first), "200 OK", Self.granted)
    }
}

@Suite("A registration without a phone around it") struct RegistrationClientTests {
    @Test("RFC 3261 10.2: looked up, challenged, answered, bound, and refreshed before the binding ends")
    func registers() throws {
        var desk = try Desk()
        try desk.tell(.start)
        #expect(desk.lookUps == [try #require(ServerAddress("203.0.113.10"))])
        #expect(desk.takeSent().isEmpty)
        try desk.tell(.foundServer([Desk.server]))
        let first = try #require(desk.takeSent().first)
        #expect(first.first(.authorization) == nil && first.first(.userAgent)?.value.string == "Trunk")
        #expect(first.first(.allow)?.value.string == RegistrationSettings.defaultAllow)
        #expect(desk.client.status.server == Desk.server && !desk.client.status.isRegistered)
        try desk.answer(first, "401 Unauthorized", Desk.challenge)
        let second = try #require(desk.takeSent().first)
        #expect(second.first(.authorization)?.value.string.contains("nonce=\"n1\"") == true)
        try desk.answer(second, "200 OK", Desk.granted)
        let end = desk.now + .seconds(600)
        #expect(desk.client.status.registration == .registered(until: end, contact: Desk.local, at: Desk.server))
        #expect(desk.client.counters.registersSent == 2 && desk.client.counters.registrations == 1)
        try desk.wait(.seconds(540))
        let refresh = try #require(desk.takeSent().first)
        #expect(try refresh.cseq.number == 3)
    }

    @Test("Signed off: the binding is removed, and then nothing is due any more")
    func stops() throws {
        var desk = try Desk(Desk.settings(keepalive: .options))
        try desk.register()
        try desk.tell(.stop)
        let last = try #require(desk.takeSent().first)
        #expect(try last.expires == 0)
        #expect(!desk.hasStopped)
        try desk.answer(last, "200 OK")
        #expect(desk.hasStopped && desk.client.nextDeadline == nil)
        #expect(desk.client.status.registration == .deregistered)
    }

    @Test("RFC 5626 4.5: a connection that is gone after a minute is replaced at once, one that did not last is waited for")
    func connectionLost() throws {
        for (livedFor, isAtOnce) in [(Duration.seconds(60), true), (.seconds(1), false)] {
            var desk = try Desk(Desk.settings(transport: .tcp))
            try desk.register()
            try desk.tell(.connectionLost(Desk.server, livedFor: livedFor))
            #expect(desk.takeSent().isEmpty == !isAtOnce)
            #expect(desk.client.status.isFailure == !isAtOnce)
        }
    }

    @Test("Traces name the transport that a message really took", arguments: [SIPTransport.udp, .tcp])
    func traces(transport: SIPTransport) throws {
        var desk = try Desk(Desk.settings(transport: transport))
        try desk.register()
        var seen: [SIPTransport] = []
        while let trace = desk.client.nextTrace() {
            switch trace {
            case .sent(let message), .received(let message): seen.append(message.transport)
            case .stunAsked, .stunObserved, .stunSilent, .stunRefused, .crlfSent, .decided: break
            }
        }
        #expect(seen == [transport, transport, transport, transport])
    }

    @Test("A copy lives on by itself, and says the same to the same news")
    func copies() throws {
        var desk = try Desk()
        try desk.tell(.start)
        var other = desk
        try desk.tell(.foundServer([Desk.server]))
        #expect(other.takeSent().isEmpty)
        try other.tell(.foundServer([Desk.server]))
        #expect(desk.takeSent().map(\.bytes) == other.takeSent().map(\.bytes))
    }

    @Test("What answers nothing of ours is told apart before it is given in")
    func strangers() throws {
        var desk = try Desk()
        try desk.tell(.start)
        try desk.tell(.foundServer([Desk.server]))
        let branch = try #require(try desk.takeSent().first?.topVia.branch?.string)
        #expect(desk.client.awaits(branch: branch, .register))
        #expect(!desk.client.awaits(branch: branch, .options))
        #expect(!desk.client.awaits(branch: branch + "0", .register))
    }

    @Test(
        "Settings that cannot work are refused by what is wrong with them",
        arguments: [
            RegistrationFault.noUser, .badRegistrar("no such host"), .badProxy("a b"), .noLocalAddress, .noLocalPort,
            .foreignTransport(.ws), .otherTransport(wanted: .tcp, set: .udp), .noExpiry,
        ])
    func faults(fault: RegistrationFault) {
        var settings = Desk.settings()
        switch fault {
        case .noUser: settings.identity.user = ""
        case .badRegistrar(let text): settings.identity.registrar = text
        case .badProxy(let text): settings.identity.outboundProxy = text
        case .noLocalAddress: settings.locals = []
        case .noLocalPort: settings.locals = [Endpoint("192.0.2.20:0")!]
        case .foreignTransport(let transport): settings.transport = transport
        case .otherTransport: settings.identity.registrar = "sip:203.0.113.10;transport=tcp"
        case .noExpiry: settings.expires = 0
        }
        #expect(throws: fault) { try RegistrationClient(settings: settings, entropy: Entropy(labSeed: 1)) }
    }
}

@Suite("Look-ups that several share") struct NameLookupsTests {
    private static let server = Endpoint("192.0.2.53:53")!

    private func make(_ servers: [Endpoint] = []) -> NameLookups {
        NameLookups(servers: servers, locals: [Desk.local], port: 50_000, entropy: Entropy(labSeed: 1))
    }

    @Test("An address needs no asking: the port is the given one, or the transport's")
    func addresses() throws {
        var names = make()
        let token = LookUpToken(kind: 1, number: 7)
        names.receive(.resolve(try #require(ServerAddress("203.0.113.10")), token), at: .epoch)
        names.receive(.resolveHost("203.0.113.11", port: 3478, LookUpToken(kind: 2)), at: .epoch)
        let found = [Endpoint("203.0.113.10:5060")!, Endpoint("203.0.113.11:3478")!]
        #expect(names.nextOutput() == .found(token, name: "203.0.113.10", [found[0]], wasAsked: false))
        #expect(names.nextOutput() == .found(LookUpToken(kind: 2), name: "203.0.113.11", [found[1]], wasAsked: false))
        #expect(names.nextOutput() == nil)
    }

    @Test("A name without a DNS server is not found, and each who asked is told")
    func noServer() throws {
        var names = make()
        let address = try #require(ServerAddress("sip.example.net"))
        for number in 1...2 as ClosedRange<UInt64> {
            names.receive(.resolve(address, LookUpToken(kind: 1, number: number)), at: .epoch)
            let token = LookUpToken(kind: 1, number: number)
            #expect(names.nextOutput() == .notFound(token, name: "sip.example.net", reason: "no DNS server is set"))
        }
    }

    @Test("The same token asks for the same name once at a time; another token asks for itself")
    func once() throws {
        var names = make([Self.server])
        let address = try #require(ServerAddress("sip.example.net:5060"))
        func queries(_ number: UInt64) -> Int {
            names.receive(.resolve(address, LookUpToken(kind: 1, number: number)), at: .epoch)
            var count = 0
            while let output = names.nextOutput() { if case .send = output { count += 1 } }
            return count
        }
        #expect(queries(1) > 0)
        #expect(queries(1) == 0)
        var asked: [NameLookups.Trace] = []
        while let trace = names.nextTrace() { asked.append(trace) }
        #expect(asked == [.asks(name: "sip.example.net")])
        _ = queries(2)
        #expect(names.nextTrace() == .asks(name: "sip.example.net"))
    }

    @Test("Only what comes from a DNS server to one of the query ports is theirs")
    func owns() {
        let names = make([Self.server])
        let here = Endpoint("192.0.2.20:50015")!
        #expect(names.owns(Datagram(from: Self.server, to: here, [])))
        #expect(!names.owns(Datagram(from: Desk.server, to: here, [])))
        #expect(!names.owns(Datagram(from: Self.server, to: Endpoint("192.0.2.20:50016")!, [])))
    }
}
