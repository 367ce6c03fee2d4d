import Base
import Registrar
import SIP
import SIPStack
import Testing

/// A registrar without a server around it: registrations come proved.
private struct Desk {
    var registrar: Registrar
    var now = Instant(seconds: 1_800_000_000)
    private let keys = RequestKeys((1, 2), isChanSIP: false)
    private let reader = RegistrationReader(contactsPerRequest: 16, usualExpires: 3_600, takesOutbound: true)
    static let alice = AddressOfRecord(user: "alice", domain: "example.com")

    init(_ change: (inout Registrar.Settings) -> Void = { _ in }) {
        var settings = Registrar.Settings()
        change(&settings)
        registrar = Registrar(settings: settings, entropy: Entropy(labSeed: 1))
    }

    static func flow(_ port: UInt16 = 40_000) -> FlowID {
        FlowID(
            .udp, local: Endpoint(.v4(IPv4Address(198, 51, 100, 1)), 5060),
            remote: Endpoint(.v4(IPv4Address(203, 0, 113, 7)), port))
    }

    /// Brings a REGISTER of alice's phone; what came of it, in order.
    mutating func register(_ cseq: Int, contact: String = "<sip:alice@192.168.1.5:5060>", port: UInt16 = 40_000) throws
        -> [Registrar.Output]
    {
        let text = """
            REGISTER sip:example.com SIP/2.0\r
            Via: SIP/2.0/UDP 192.168.1.5:5060;branch=z9hG4bK\(cseq);rport\r
            Max-Forwards: 70\r
            From: <sip:alice@example.com>;tag=a\r
            To: <sip:alice@example.com>\r
            Call-ID: one@192.168.1.5\r
            CSeq: \(cseq) REGISTER\r
            Contact: \(contact)\r
            Content-Length: 0\r
            \r

            """
        let message = try SIPMessage(parsing: Array(text.utf8))
        guard case .request(let method, let uri) = message.startLine else { return [] }
        let flow = Self.flow(port)
        let request = try ServerRequest(message, method, uri, on: flow, keys)
        let registration = try reader.registration(request, Self.alice, [], on: flow)
        try registrar.register(registration, request, at: now)
        return outputs()
    }

    mutating func outputs() -> [Registrar.Output] {
        var all: [Registrar.Output] = []
        while let output = registrar.nextOutput() { all.append(output) }
        return all
    }

    /// Time passes; the OPTIONS that left meanwhile.
    mutating func wait(_ duration: Duration) -> [(token: ClientToken, flow: FlowID)] {
        let end = now + duration
        var sent: [(ClientToken, FlowID)] = []
        while let next = registrar.nextDeadline, next <= end {
            now = next
            registrar.advance(to: now)
            for case .send(let flow, let bytes) in outputs() {
                guard let branch = try? SIPMessage(parsing: bytes).topVia.branch, let token = ClientToken(branch: branch) else {
                    continue
                }
                sent.append((token, flow))
            }
        }
        now = end
        return sent
    }

    var reach: Binding.Reach? { registrar.bindings(of: Self.alice).first?.reach }
}

/// Steps by name, for comparisons.
private func names(_ outputs: [Registrar.Output]) -> [String] {
    outputs.map {
        switch $0 {
        case .send: "send"
        case .ask: "ask"
        case .connect: "connect"
        case .registered: "registered"
        case .persist(let sequence, let change): "persist \(sequence): \(change.bindings.count)"
        case .moved(_, let former, let flow): "moved \(former.remote.port) \(flow.remote.port)"
        case .changed: "changed"
        case .probed(_, let outcomes): "probed \(outcomes.count)"
        case .trace: "trace"
        }
    }
}

@Suite("The registrar by itself")
struct RegistrarAloneTests {
    @Test("A registration is answered at once where nothing is stored, and the phone is found by its flow")
    func registers() throws {
        var desk = Desk()
        #expect(names(try desk.register(1)) == ["registered", "changed"])
        #expect(desk.registrar.count == 1)
        #expect(desk.registrar.uses(Desk.flow()))
        #expect(!desk.registrar.uses(Desk.flow(40_001)))
        #expect(desk.registrar.bindings(of: Desk.alice).map(\.cseq) == [1])
    }

    @Test("A 200 waits until its change is durable")
    func waitsForCommit() throws {
        var desk = Desk { $0.isPersistent = true }
        #expect(names(try desk.register(1)) == ["persist 1: 1", "changed"])
        #expect(desk.registrar.pendingCommits == 1)
        desk.registrar.persisted(through: 1, at: desk.now)
        #expect(names(desk.outputs()) == ["registered"])
        #expect(desk.registrar.pendingCommits == 0)
    }

    @Test("While nothing can be stored a 200 promises two minutes, to those who waited and to those who come")
    func promisesLess() throws {
        var desk = Desk { $0.isPersistent = true }
        _ = try desk.register(1)
        desk.registrar.persistFailed("no space", at: desk.now)
        let waited = desk.outputs()
        #expect(names(waited) == ["persist 2: 1", "registered"])
        let later = try desk.register(2)
        #expect(names(later) == ["persist 3: 1", "registered", "changed"])
        for case .registered(let registered) in waited + later {
            #expect(registered.locations.map { $0.binding.expires - desk.now } == [.seconds(120)])
        }
        #expect(desk.registrar.counters.registeredUnstored == 2)
    }

    @Test("A CSeq that does not rise within one Call-ID changes nothing")
    func refusesOldCSeq() throws {
        var desk = Desk()
        _ = try desk.register(7)
        #expect(throws: Registrar.Refusal.outOfOrder(had: 7, got: 7)) { try desk.register(7) }
        #expect(names(desk.outputs()) == [])
        #expect(desk.registrar.bindings(of: Desk.alice).map(\.cseq) == [7])
    }

    @Test("A phone that comes by another port has moved, and nothing is left of the flow it came by before")
    func moves() throws {
        var desk = Desk()
        _ = try desk.register(1)
        #expect(names(try desk.register(2, port: 40_001)) == ["moved 40000 40001", "registered", "changed"])
        #expect(!desk.registrar.uses(Desk.flow()))
        #expect(desk.registrar.uses(Desk.flow(40_001)))
    }

    @Test("A refresh that changes nothing about the flow leaves the deadline what the binding says")
    func keepsDeadlines() throws {
        var desk = Desk { $0.keepalive.interval = nil }
        _ = try desk.register(1)
        #expect(desk.registrar.nextDeadline == desk.now + .seconds(3_600))
        desk.now = desk.now + .seconds(1_000)
        _ = try desk.register(2)
        #expect(desk.registrar.nextDeadline == desk.now + .seconds(3_600))
        #expect(desk.wait(.seconds(3_599)).isEmpty)
        #expect(desk.registrar.count == 1)
        _ = desk.wait(.seconds(1))
        #expect(desk.registrar.count == 0)
        #expect(desk.registrar.nextDeadline == nil)
    }

    @Test("A phone that answers no keepalive cannot be reached after three, and can again when it answers one")
    func diesAndLives() throws {
        var desk = Desk()
        _ = try desk.register(1)
        let sent = desk.wait(.seconds(45))
        #expect(sent.count == 3)
        #expect(desk.reach == .flowDead(since: desk.now - .seconds(5)))
        let again = desk.wait(.seconds(117))
        #expect(again.count == 1)
        guard let last = again.last else { return }
        #expect(desk.registrar.expects(last.token))
        #expect(!desk.registrar.expects(sent[0].token))
        desk.registrar.answered(last.token, 200, on: last.flow, at: desk.now)
        #expect(desk.reach == .reachable)
        #expect(desk.registrar.counters.flowsRevived == 1)
    }

    @Test("A full table refuses who is not in it and still refreshes who is")
    func fullTable() throws {
        var desk = Desk { $0.limits.bindings = 1 }
        _ = try desk.register(1)
        _ = try desk.register(2)
        #expect(throws: Registrar.Refusal.tablesFull) {
            try desk.register(3, contact: "<sip:alice@192.168.1.6:5060>, <sip:alice@192.168.1.5>")
        }
        #expect(desk.registrar.count == 1)
    }

    @Test("A copy goes its own way: what happens to one registrar is nothing to the other")
    func copies() throws {
        var desk = Desk()
        _ = try desk.register(1)
        let copy = desk
        _ = try desk.register(2, contact: "<sip:alice@192.168.1.5:5060>;expires=0")
        #expect(desk.registrar.count == 0)
        #expect(copy.registrar.count == 1)
    }
}
