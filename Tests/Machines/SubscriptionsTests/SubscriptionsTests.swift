import Base
import SIP
import SIPStack
import Subscriptions
import Testing

/// The notifier without a server around it.
private struct Desk {
    var subscriptions: Subscriptions
    var now = Instant(seconds: 1_800_000_000)
    private(set) var said: [Subscriptions.Output] = []
    private let keys = RequestKeys((1, 2), isChanSIP: false)

    static let alice = AddressOfRecord(user: "alice", domain: "example.com")
    static let bob = AddressOfRecord(user: "bob", domain: "example.com")
    static let flow = FlowID(
        .udp, local: Endpoint(.v4(IPv4Address(198, 51, 100, 1)), 5060), remote: Endpoint(.v4(IPv4Address(203, 0, 113, 7)), 40_000)
    )

    init(_ change: (inout Subscriptions.Settings) -> Void = { _ in }) {
        var settings = Subscriptions.Settings()
        change(&settings)
        let entropy = Entropy(labSeed: 1)
        subscriptions = Subscriptions(
            settings: settings, entropy: entropy, tokens: ClientTokens(.subscription, entropy: entropy))
    }

    private func request(_ cseq: Int, _ expires: Int, tag: String? = nil) throws -> ServerRequest {
        let text = """
            SUBSCRIBE sip:bob@example.com SIP/2.0\r
            Via: SIP/2.0/UDP 203.0.113.7:40000;branch=z9hG4bK\(cseq);rport\r
            Max-Forwards: 70\r
            From: <sip:alice@example.com>;tag=a\r
            To: <sip:bob@example.com>\(tag.map { ";tag=\($0)" } ?? "")\r
            Call-ID: one\r
            CSeq: \(cseq) SUBSCRIBE\r
            Contact: <sip:alice@203.0.113.7:40000>\r
            Event: dialog\r
            Expires: \(expires)\r
            Content-Length: 0\r
            \r

            """
        let message = try SIPMessage(parsing: Array(text.utf8))
        guard case .request(let method, let uri) = message.startLine else { throw SIPParseError(.startLine, at: 0) }
        return try ServerRequest(message, method, uri, on: Self.flow, keys)
    }

    /// Alice watches bob's calls; what came of it.
    mutating func subscribe(_ expires: Int = 600) throws -> [String] {
        let watcher = Subscriptions.Watcher(
            address: Self.alice, account: "alice", domain: DialledDomain(Self.bob, written: "example.com"))
        subscriptions.subscribe(try request(1, expires), to: .dialog(Self.bob), watcher, at: now)
        return names()
    }

    mutating func resubscribe(_ cseq: Int, _ expires: Int, tag: UInt64) throws -> [String] {
        subscriptions.resubscribe(try request(cseq, expires, tag: SIPText(tag: tag).string), at: now)
        return names()
    }

    /// What it said since this was asked last; questions are answered with no dialogs at all.
    mutating func names() -> [String] {
        var names: [String] = []
        said = []
        while let output = subscriptions.nextOutput() {
            said.append(output)
            switch output {
            case .ask(let request):
                let state = (try? SIPMessage(parsing: request.bytes))?.first(.subscriptionState)?.value.string ?? ""
                names.append("NOTIFY \(state.prefix { $0 != ";" })")
            case .grant(_, _, let tag):
                self.tag = tag
                names.append("grant")
            case .refuse(_, let reply, _): names.append("refuse \(reply.status)")
            case .describe(let key, _, _): subscriptions.tell(key, .dialogs([]), at: now)
            case .subscribed(_, _, let seconds): names.append("subscribed \(seconds)")
            case .unsubscribed(_, let reason): names.append("unsubscribed: \(reason)")
            case .full: names.append("full")
            }
        }
        return names
    }

    private(set) var tag: UInt64 = 0

    var notify: Subscriptions.Request? { said.compactMap { if case .ask(let request) = $0 { request } else { nil } }.last }

    /// The watcher answers a NOTIFY; nil: it does not.
    mutating func answered(_ sent: Subscriptions.Request?, _ status: Int?) throws -> [String] {
        guard let sent else { return [] }
        guard let status else {
            subscriptions.came(.timeout, of: sent)
            return names()
        }
        let request = try SIPMessage(parsing: sent.bytes)
        let response = SIPMessageBuilder.response(to: request, status: status, source: sent.flow.local)
        subscriptions.came(.response(try SIPMessage(parsing: response.bytes), status), of: sent)
        return names()
    }

    mutating func wait(_ duration: Duration) -> [String] {
        now = now + duration
        while subscriptions.advanceOnce(to: now) {}
        return names()
    }
}

@Suite("Subscriptions by themselves")
struct SubscriptionsAloneTests {
    @Test("A SUBSCRIBE is granted, then told the state at once")
    func granted() throws {
        var desk = Desk()
        #expect(try desk.subscribe() == ["subscribed 600", "grant", "NOTIFY active"])
        #expect(desk.subscriptions.count == 1)
    }

    @Test("What changes while a NOTIFY is unanswered is told once, after its answer")
    func oneAtATime() throws {
        var desk = Desk()
        _ = try desk.subscribe()
        let first = desk.notify
        desk.subscriptions.changed(.dialog(Desk.bob))
        desk.subscriptions.changed(.dialog(Desk.bob))
        #expect(desk.names() == [])
        #expect(try desk.answered(first, 200) == ["NOTIFY active"])
        #expect(try desk.answered(desk.notify, 200) == [])
    }

    @Test("Two changes before the first is told make one NOTIFY, and one more after its answer")
    func twoChangesAtOnce() throws {
        var desk = Desk()
        _ = try desk.subscribe()
        _ = try desk.answered(desk.notify, 200)
        desk.subscriptions.changed(.dialog(Desk.bob))
        desk.subscriptions.changed(.dialog(Desk.bob))
        #expect(desk.names() == ["NOTIFY active"])
        #expect(try desk.answered(desk.notify, 200) == ["NOTIFY active"])
    }

    @Test("Expires 0 ends it: granted, told why, gone")
    func ended() throws {
        var desk = Desk()
        _ = try desk.subscribe()
        _ = try desk.answered(desk.notify, 200)
        #expect(
            try desk.resubscribe(2, 0, tag: desk.tag) == ["grant", "NOTIFY terminated", "unsubscribed: ended by the watcher"])
        #expect(desk.subscriptions.isEmpty)
        #expect(desk.subscriptions.indexed == 0)
        #expect(desk.subscriptions.pendingDeadlines == 0)
    }

    @Test("A look at the state (Expires 0 in the first SUBSCRIBE) is told it once")
    func polled() throws {
        var desk = Desk()
        #expect(
            try desk.subscribe(0) == ["subscribed 0", "grant", "NOTIFY terminated", "unsubscribed: ended by the watcher"])
        #expect(desk.subscriptions.isEmpty)
    }

    @Test("It expires unless it is refreshed, even while a NOTIFY is unanswered")
    func expires() throws {
        var desk = Desk()
        _ = try desk.subscribe()
        #expect(desk.wait(.seconds(300)) == [])
        #expect(try desk.resubscribe(2, 600, tag: desk.tag) == ["grant"])
        #expect(desk.wait(.seconds(500)) == [])
        #expect(desk.wait(.seconds(200)) == ["NOTIFY terminated", "unsubscribed: it expired"])
        #expect(desk.subscriptions.isEmpty)
    }

    @Test("A watcher that is gone, or answers 481, is forgotten", arguments: [nil, 481] as [Int?])
    func forgotten(_ status: Int?) throws {
        var desk = Desk()
        _ = try desk.subscribe()
        let why = status.map { "the watcher answers \($0)" } ?? "the watcher does not answer"
        #expect(try desk.answered(desk.notify, status) == ["unsubscribed: \(why)"])
        #expect(desk.subscriptions.isEmpty)
    }

    @Test("A CSeq that does not rise is refused, and so is a dialog that is none")
    func refused() throws {
        var desk = Desk()
        _ = try desk.subscribe()
        #expect(try desk.resubscribe(1, 600, tag: desk.tag) == ["refuse 500"])
        #expect(try desk.resubscribe(2, 600, tag: 7) == ["refuse 481"])
        #expect(try desk.resubscribe(3, 5, tag: desk.tag) == ["refuse 423"])
    }

    @Test("A full table refuses and says so")
    func full() throws {
        var desk = Desk { $0.cap = 0 }
        #expect(try desk.subscribe() == ["full", "refuse 503"])
    }
}
