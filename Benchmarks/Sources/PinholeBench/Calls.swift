import Base
import CSockets
import MediaControl
import SIP
import SIPStack
import ServerNode

/// Two phones at a server without sockets and media: what one call costs its signalling.
private struct CallingServer {
    var node: ServerNode
    var now = Instant(seconds: 1_800_000_000)
    /// Nanoseconds of CPU the node took.
    private(set) var spent: Int64 = 0
    private let realm = "bench.example"
    private let secret = "the same for everyone"
    private var count = 0
    private var client: DigestClient

    private static let alice = flow(1)
    private static let bob = flow(2)

    init() throws {
        var settings = ServerSettings()
        settings.realm = realm
        settings.algorithms = [.md5]
        settings.limits = .trusted
        settings.keepalive.interval = nil
        // Bob stays, however long the calls take.
        settings.expiry.usual = 100_000_000
        settings.expiry.longest = 100_000_000
        node = ServerNode(settings: settings, entropy: Entropy(labSeed: 1), traces: TraceBox(isOn: false))
        client = DigestClient(username: "alice", password: .text(secret), entropy: Entropy(labSeed: 2))
        let password = secret
        node.receive(.accounts(["alice", "bob"].map { Account(username: $0, realm: realm, password: password) }), at: now)
        node.receive(.mediaPorts([Array(stride(from: 20_000, to: 21_000, by: 2))]), at: now)
        var digest = DigestClient(username: "bob", password: .text(secret), entropy: Entropy(labSeed: 3))
        _ = try signed(.register, from: "bob", to: "bob", "register", &digest, on: Self.bob)
    }

    private static func flow(_ host: UInt32) -> FlowID {
        FlowID(
            .udp, local: Endpoint(.v4(IPv4Address(192, 0, 2, 1)), 5060),
            remote: Endpoint(.v4(IPv4Address(bits: 0xc633_6400 + host)), 5060))
    }

    /// INVITE, 401, INVITE with credentials, 180, 200, ACK, BYE, 200; what the media plane says of it.
    mutating func call() throws {
        count += 1
        let callID = "call-\(count)"
        var digest = client
        let asked = try signed(.invite, from: "alice", to: "bob", callID, &digest, on: Self.alice, body: Self.sdp(30_000))
        client = digest
        guard let invite = asked.first(where: { $0.isRequest && $0.method == .invite }) else {
            throw BenchError("nobody is rung")
        }
        _ = try answer(invite, 180)
        let answered = try answer(invite, 200, body: Self.sdp(31_000))
        guard let accepted = answered.first(where: { $0.statusCode == 200 }) else { throw BenchError("nobody answered") }
        _ = try take(request(.ack, from: "alice", to: "bob", callID, 2, tag: try accepted.to.tag, nil, ""), on: Self.alice)
        let ended = try take(
            request(.bye, from: "alice", to: "bob", callID, 3, tag: try accepted.to.tag, nil, ""), on: Self.alice)
        guard let bye = ended.first(where: { $0.isRequest && $0.method == .bye }) else { throw BenchError("nobody is hung up") }
        _ = try answer(bye, 200)
        now = now + .seconds(40)
        _ = try carryOut { $0.advance(to: $1) }
        guard node.callUsage.calls == 0 else { throw BenchError("the call goes on") }
    }

    // MARK: Messages

    private mutating func signed(
        _ method: SIPMethod, from: String, to: String, _ callID: String, _ client: inout DigestClient, on flow: FlowID,
        body: String = ""
    ) throws -> [SIPMessage] {
        let challenged = try take(request(method, from: from, to: to, callID, 1, tag: nil, nil, body), on: flow)
        guard let challenge = challenged.first(where: { $0.statusCode == 401 }) else { throw BenchError("no challenge") }
        if method == .invite {
            _ = try take(request(.ack, from: from, to: to, callID, 1, tag: try challenge.to.tag, nil, ""), on: flow)
        }
        let uri = method == .register ? "sip:\(realm)" : "sip:\(to)@\(realm)"
        let subject = DigestSubject(method: Array(method.text.bytes)[...], uri: Array(uri.utf8)[...])
        let offers = DigestClient.readable(challenge.all(.wwwAuthenticate).map(\.value.bytes))
        guard let credentials = client.answer(offers, for: subject) else { throw BenchError("no offer is understood") }
        return try take(request(method, from: from, to: to, callID, 2, tag: nil, credentials, body), on: flow)
    }

    private func request(
        _ method: SIPMethod, from: String, to: String, _ callID: String, _ cseq: Int, tag: SIPText?, _ credentials: [UInt8]?,
        _ body: String
    ) -> [UInt8] {
        let host = from == "alice" ? Self.alice.remote : Self.bob.remote
        var builder = SIPMessageBuilder(method, SIPText(method == .register ? "sip:\(realm)" : "sip:\(to)@\(realm)"))
        let branch = method == .ack && tag != nil && cseq == 1 ? "INVITE" : "\(method)"
        builder.add(.via, SIPText("SIP/2.0/UDP \(host);branch=z9hG4bK\(callID)\(branch)\(cseq);rport"))
        builder.add(.maxForwards, 70)
        builder.add(.from, SIPText("<sip:\(from)@\(realm)>;tag=\(from)\(callID)"))
        builder.add(.to, SIPText("<sip:\(to)@\(realm)>" + (tag.map { ";tag=\($0)" } ?? "")))
        builder.add(.callID, SIPText(callID))
        builder.add(.cseq, SIPText("\(cseq) \(method)"))
        builder.add(.contact, SIPText("<sip:\(from)@\(host)>"))
        builder.add(.allow, "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS")
        builder.add(.supported, "timer, replaces")
        if let credentials { builder.add(.authorization, SIPText(credentials)) }
        if !body.isEmpty { builder.add(.contentType, "application/sdp") }
        builder.body = Array(body.utf8)
        return builder.bytes
    }

    private static func sdp(_ port: Int) -> String {
        "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio \(port) RTP/AVP 0 8 101\r\n"
            + "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
    }

    private mutating func answer(_ request: SIPMessage, _ status: Int, body: String = "") throws -> [SIPMessage] {
        var builder = SIPMessageBuilder.response(to: request, status: status, toTag: "b\(count)", source: Self.bob.local)
        builder.add(.contact, SIPText("<sip:bob@\(Self.bob.remote)>"))
        builder.add(.allow, "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS")
        if !body.isEmpty { builder.add(.contentType, "application/sdp") }
        builder.body = Array(body.utf8)
        return try take(builder.bytes, on: Self.bob)
    }

    // MARK: The node

    private mutating func take(_ bytes: [UInt8], on flow: FlowID) throws -> [SIPMessage] {
        now = now + .milliseconds(1)
        return try carryOut { $0.receive(.received(on: flow, bytes), at: $1) }
    }

    /// What the node sends; the media plane's word is given at once.
    private mutating func carryOut(_ step: (inout ServerNode, Instant) -> Void) throws -> [SIPMessage] {
        let start = bench_thread_cpu()
        step(&node, now)
        var sent: [[UInt8]] = []
        var closed: [MediaLegID] = []
        while let output = node.nextOutput() {
            switch output {
            case .send(_, let bytes): sent.append(bytes)
            case .media(_, .close(let id)): closed.append(id)
            default: break
            }
        }
        for id in closed { node.receive(.media(.closed(id, MediaVerdict())), at: now) }
        while node.nextOutput() != nil {}
        spent += bench_thread_cpu() - start
        return try sent.map { try SIPMessage(parsing: $0) }
    }
}

/// Nanoseconds of CPU the server took for one whole call, signalling alone.
func measureCalls(_ count: Int) throws -> Double {
    var server = try CallingServer()
    let before = server.spent
    for _ in 0..<count { try server.call() }
    return Double(server.spent - before) / Double(count)
}
