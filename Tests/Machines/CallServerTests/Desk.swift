import Base
import CallServer
import MediaControl
import SIP
import SIPStack

/// A call server without a server around it: requests come proved, look-ups are answered when a test says so, transactions are run by hand.
struct Desk {
    var calls: CallServer
    var now = Instant(seconds: 1_800_000_000)
    /// What it said since it was last asked, traces left out.
    private(set) var said: [CallServer.Output] = []
    private let keys = RequestKeys((1, 2), isChanSIP: false)

    static let alice = AddressOfRecord(user: "alice", domain: "example.com")
    static let bob = AddressOfRecord(user: "bob", domain: "example.com")
    static let carol = AddressOfRecord(user: "carol", domain: "example.com")
    static let caller = flow(40_000)

    init(_ change: (inout CallServer.Settings) -> Void = { _ in }) {
        var settings = CallServer.Settings()
        change(&settings)
        let entropy = Entropy(labSeed: 1)
        calls = CallServer(
            settings: settings, ways: ReplyWays(natHandling: true),
            writer: ReplyWriter(software: "", serviceRoutes: [], isChanSIP: false, natHandling: true), entropy: entropy,
            tokens: ClientTokens(.call, entropy: entropy))
        calls.setPorts([Array(stride(from: 20_000, to: 20_100, by: 2))])
    }

    static func flow(_ port: UInt16, _ transport: SIPTransport = .udp) -> FlowID {
        FlowID(
            transport, local: Endpoint(.v4(IPv4Address(198, 51, 100, 1)), 5060),
            remote: Endpoint(.v4(IPv4Address(203, 0, 113, 7)), port), connection: transport.isReliable ? UInt64(port) : 0)
    }

    /// A phone that can be rung.
    func phone(_ user: AddressOfRecord, _ port: UInt16, instance: String = "", transport: SIPTransport = .udp) -> CallTarget {
        CallTarget(
            contact: SIPText("sip:\(user.user)@203.0.113.7:\(port)"), flow: Self.flow(port, transport),
            instance: SIPText(instance),
            updated: now - .seconds(Int64(port)), domain: DialledDomain(user, written: "example.com"))
    }

    static func user(_ aor: AddressOfRecord, _ targets: [CallTarget]) -> Found {
        Found(owner: .user(aor, wantsDirectMedia: false, srtp: nil), targets: targets)
    }

    // MARK: Requests

    static let offer = """
        v=0\r
        o=- 1 1 IN IP4 203.0.113.7\r
        s=-\r
        c=IN IP4 203.0.113.7\r
        t=0 0\r
        m=audio 30000 RTP/AVP 0\r

        """

    func request(
        _ method: String, to: String, on flow: FlowID = caller, callID: String = "one", cseq: Int = 1, tag: String? = nil,
        more: String = "", body: String = ""
    ) throws -> ServerRequest {
        let type = body.isEmpty ? "" : method == "MESSAGE" ? "Content-Type: text/plain\r\n" : "Content-Type: application/sdp\r\n"
        let text = """
            \(method) sip:\(to)@example.com SIP/2.0\r
            Via: SIP/2.0/UDP 203.0.113.7:\(flow.remote.port);branch=z9hG4bK\(callID)\(method)\(cseq);rport\r
            Max-Forwards: 70\r
            From: <sip:alice@example.com>;tag=a\r
            To: <sip:\(to)@example.com>\(tag.map { ";tag=\($0)" } ?? "")\r
            Call-ID: \(callID)\r
            CSeq: \(cseq) \(method)\r
            Contact: <sip:alice@203.0.113.7:\(flow.remote.port)>\r
            \(more)\(type)Content-Length: \(body.utf8.count)\r
            \r
            \(body)
            """
        let message = try SIPMessage(parsing: Array(text.utf8))
        guard case .request(let parsed, let uri) = message.startLine else { throw SIPParseError(.startLine, at: 0) }
        return try ServerRequest(message, parsed, uri, on: flow, keys)
    }

    /// Alice calls bob; the INVITE.
    @discardableResult
    mutating func call(_ callID: String = "one", on flow: FlowID = caller, body: String = offer) throws -> ServerRequest {
        let invite = try request("INVITE", to: "bob", on: flow, callID: callID, body: body)
        calls.invite(invite, .user(Self.bob, isSecret: false), CallParty(address: Self.alice, account: "alice"), at: now)
        return invite
    }

    // MARK: What it says

    /// What it said since this was asked last, by name.
    mutating func names() -> [String] {
        said = []
        while let output = calls.nextOutput() {
            if case .trace = output { continue }
            said.append(output)
        }
        return said.map(Self.name)
    }

    /// The look-up among what was said last.
    var lookUp: LookUp? { said.compactMap { if case .lookUp(let lookUp) = $0 { lookUp } else { nil } }.last }

    /// Our tag in the last response to an INVITE.
    var lastTag: String? {
        let responses = said.compactMap {
            if case .respond(_, _, let bytes) = $0 { try? SIPMessage(parsing: bytes) } else { nil }
        }
        return (try? responses.last?.to)?.tag?.string
    }

    /// The request of that method among what was said last.
    func asked(_ method: SIPMethod) -> CallServer.Request? {
        said.compactMap { if case .ask(let request) = $0, request.method == method { request } else { nil } }.last
    }

    func asked(_ method: SIPMethod, to port: UInt16) -> CallServer.Request? {
        said.compactMap { output -> CallServer.Request? in
            guard case .ask(let request) = output, request.method == method, request.flow.remote.port == port else { return nil }
            return request
        }.last
    }

    private static func name(_ output: CallServer.Output) -> String {
        switch output {
        case .ask(let request): "\(request.method) to \(request.flow.remote.port)"
        case .cancel: "cancel"
        case .forget: "forget"
        case .send(_, _, let meaning): "send \(meaning)"
        case .open: "open"
        case .respond(_, let status, _): "respond \(status)"
        case .abandon: "abandon"
        case .answer(_, let reply): "answer \(reply.status)"
        case .refuse(_, let reply, _): "refuse \(reply.status)"
        case .media(_, .open): "media open"
        case .media(_, .close): "media close"
        case .media: "media"
        case .record(let record): "record: \(record.reason)"
        case .lookUp(let lookUp):
            switch lookUp.subject {
            case .user(let aor): "look up \(aor)"
            case .uri(.sip(let uri), _): "look up \(uri.user?.string ?? "")@\(uri.host)"
            case .uri: "look up"
            }
        case .connect(let aor, _): "connect \(aor)"
        case .habit: "habit"
        case .unanswered: "unanswered"
        case .called: "called"
        case .dialogsChanged(let aor): "dialogs of \(aor)"
        case .trace: "trace"
        }
    }

    // MARK: What comes

    /// A look-up will be answered later.
    mutating func wait(for lookUp: LookUp?) {
        if let lookUp { calls.waits(lookUp.id) }
    }

    /// A look-up is answered.
    mutating func found(_ lookUp: LookUp?, _ found: Found) -> [String] {
        if let lookUp { calls.found(lookUp.id, found, at: now) }
        return names()
    }

    /// A phone answers a request of ours.
    mutating func answered(_ sent: CallServer.Request?, _ status: Int, more: String = "", body: String = "") throws -> [String] {
        guard let sent else { return [] }
        let request = try SIPMessage(parsing: sent.bytes)
        var builder = SIPMessageBuilder.response(to: request, status: status, toTag: "b", source: sent.flow.local)
        if !more.isEmpty { builder.add(.contact, SIPText(more)) }
        if !body.isEmpty { builder.add(.contentType, "application/sdp") }
        builder.body = Array(body.utf8)
        calls.came(.response(try SIPMessage(parsing: builder.bytes), status), of: sent, at: now)
        return names()
    }

    /// Time passes; what was said meanwhile.
    mutating func wait(_ duration: Duration) -> [String] {
        let end = now + duration
        var all: [String] = []
        while let next = calls.nextDeadline, next <= end {
            now = max(now, next)
            while calls.advanceOnce(to: now) {}
            all += names()
        }
        now = end
        return all
    }

    /// Its streams are closed, as the media plane says.
    mutating func closeMedia() -> [String] {
        for case .media(_, .close(let id)) in said { calls.media(.closed(id, MediaVerdict()), at: now) }
        return names()
    }
}
