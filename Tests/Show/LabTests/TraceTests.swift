import Analysis
import Base
import Capture
import Packet
import SIP
import SIPStack
import ServerNode
import Testing

/// A server that notices, and a tap on its wire: both see the same talk.
private struct TappedServer {
    static let local = Endpoint("203.0.113.10:5060")!
    static let phone = Endpoint("198.51.100.7:52899")!

    var server: ServerNode
    var now = Instant(seconds: 1_700_000_000)
    var live = LiveAnalysis(name: "server")
    var tap = PcapWriter()
    var received: [String] = []

    init(_ settings: ServerSettings) {
        server = ServerNode(settings: settings, entropy: Entropy(labSeed: 11))
        server.receive(.accounts([Account(username: "alice", realm: settings.realm, password: "secret")]), at: now)
    }

    mutating func send(_ text: String, port: UInt16, after: Duration) throws {
        advance(after)
        var source = Self.phone
        source.port = port
        tap.append(try IPPacket.bytes(of: Datagram(from: source, to: Self.local, Array(text.utf8))), at: now)
        server.receive(.received(on: FlowID(.udp, local: Self.local, remote: source), Array(text.utf8)), at: now)
        try drain()
    }

    private mutating func advance(_ duration: Duration) {
        let end = now + duration
        while let next = server.nextDeadline, next <= end {
            now = max(now, next)
            server.advance(to: now)
            try? drain()
        }
        now = end
    }

    private mutating func drain() throws {
        var isBusy = true
        while isBusy {
            isBusy = false
            while let trace = server.nextTrace() { live.observe(trace, at: now) }
            while let output = server.nextOutput() {
                isBusy = true
                switch output {
                case .send(let flow, let bytes):
                    tap.append(try IPPacket.bytes(of: Datagram(from: flow.local, to: flow.remote, bytes)), at: now)
                    received.append(String(decoding: bytes, as: UTF8.self))
                case .persist(let sequence, _): server.receive(.persisted(through: sequence), at: now)
                case .media, .record, .probed, .proved, .connect, .guessed: break
                }
            }
        }
    }

    /// What the analysis says of the capture.
    var captured: AnalysisResult {
        var analyzer = Analyzer(sources: [SourceSummary(name: "tap", kind: .capture)])
        var decoder = CaptureDecoder()
        var batch = PayloadBatch()
        decoder.feed(tap.bytes, into: &batch)
        analyzer.observe(batch, file: 0)
        decoder.finish(&batch)
        analyzer.observe(batch, file: 0)
        return analyzer.finish()
    }

    static func register(_ number: Int, realm: String, nonce: String? = nil, password: String = "secret") -> String {
        func h(_ text: String) -> String { DigestHash.md5.hash(Array(text.utf8)).description }
        var text =
            "REGISTER sip:\(realm) SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.20:5060;rport;branch=z9hG4bKr\(number)\r\nMax-Forwards: 70\r\n"
            + "From: <sip:alice@\(realm)>;tag=f1\r\nTo: <sip:alice@\(realm)>\r\nCall-ID: c1@192.168.1.20\r\nCSeq: \(number) REGISTER\r\n"
            + "Contact: <sip:alice@192.168.1.20:5060>\r\nExpires: 120\r\n"
        if let nonce {
            let answer = h("\(h("alice:\(realm):\(password)")):\(nonce):\(h("REGISTER:sip:\(realm)"))")
            text +=
                "Authorization: Digest username=\"alice\", realm=\"\(realm)\", nonce=\"\(nonce)\", uri=\"sip:\(realm)\", response=\"\(answer)\", algorithm=MD5\r\n"
        }
        return text + "Content-Length: 0\r\n\r\n"
    }

    func nonce(_ index: Int) -> String {
        guard index < received.count, let start = received[index].firstRange(of: "nonce=\"") else { return "" }
        return String(received[index][start.upperBound...].prefix { $0 != "\"" })
    }
}

/// What of a finding does not depend on how it was seen.
private struct Telling: Equatable {
    var name: FindingName
    var severity: Severity
    var summary: String
    var details: [String]
    var places: [UInt32]
    var excerpts: [String]

    init(_ finding: Finding) {
        name = finding.name
        severity = finding.severity
        summary = finding.summary
        details = finding.details
        places = finding.evidence.map(\.place.number)
        excerpts = finding.evidence.map(\.excerpt)
    }
}

@Suite("A server's trace and the capture of it")
struct TraceTests {
    @Test("overtaken challenges and jumping ports: the trace gives the findings that the capture gives")
    func overtaken() throws {
        var world = TappedServer(.chanSIP(natHandling: true))
        try world.send(TappedServer.register(1, realm: "asterisk"), port: 52_899, after: .zero)
        try world.send(TappedServer.register(2, realm: "asterisk"), port: 52_896, after: .milliseconds(40))
        let old = world.nonce(0)
        #expect(!old.isEmpty && world.nonce(1) != old)
        try world.send(TappedServer.register(3, realm: "asterisk", nonce: old), port: 52_899, after: .milliseconds(200))
        let (live, captured) = (world.live.result(), world.captured)
        #expect(captured.findings.filter(\.severity.accuses).map(\.name) == [.authStaleOutOfOrder, .natPortJump])
        #expect(live.findings.map { Telling($0) } == captured.findings.map { Telling($0) })
        #expect(live.dialogs.map(\.callID) == captured.dialogs.map(\.callID))
        #expect(
            live.registrations.map { $0.challenges.map(\.nonce) } == captured.registrations.map { $0.challenges.map(\.nonce) })
    }

    @Test("our own server takes the older nonce: neither trace nor capture accuses anybody of a stale one")
    func forgiving() throws {
        var settings = ServerSettings()
        settings.realm = "pinhole"
        settings.algorithms = [.md5]
        var world = TappedServer(settings)
        try world.send(TappedServer.register(1, realm: "pinhole"), port: 52_899, after: .zero)
        try world.send(TappedServer.register(2, realm: "pinhole"), port: 52_899, after: .milliseconds(40))
        try world.send(TappedServer.register(3, realm: "pinhole", nonce: world.nonce(0)), port: 52_899, after: .milliseconds(200))
        let (live, captured) = (world.live.result(), world.captured)
        #expect(captured.findings.filter(\.severity.accuses).map(\.name) == [])
        #expect(live.findings.map { Telling($0) } == captured.findings.map { Telling($0) })
        #expect(captured.dialogs.first?.outcome == .registered(expires: 120))
    }

    @Test("proofs, line ends and STUN of a trace keep a way open in the tap's eyes")
    func keepalives() throws {
        let flow = FlowID(.udp, local: TappedServer.local, remote: TappedServer.phone)
        let message = try SIPMessage(parsing: Array(TappedServer.register(1, realm: "pinhole").utf8))
        let accepted = DigestAcceptance(algorithm: .md5, count: nil, isURIDifferent: false)
        let now = Instant(seconds: 1_700_000_000)
        var live = LiveAnalysis(name: "server")
        live.observe(.received(flow, message, meaning: .request(.register)), at: now)
        live.observe(.stunAnswered(flow), at: now)
        #expect(live.held.flows == 0 && live.held.marks == 0)
        live.observe(.received(flow, message, meaning: .signed(.accepted(accepted))), at: now)
        live.observe(.stunAnswered(flow), at: now)
        live.observe(.dropped(flow, .crlfOverUDP, error: nil), at: now + .seconds(20))
        live.observe(.sent(flow, message, meaning: .request(.register)), at: now + .seconds(21))
        #expect(live.held.flows == 1 && live.held.marks == 2 && live.result().counts.sip == 3)
    }

    @Test("a live tap tells what it knows so far, and goes on")
    func soFar() throws {
        var world = TappedServer(.chanSIP(natHandling: true))
        try world.send(TappedServer.register(1, realm: "asterisk"), port: 52_899, after: .zero)
        #expect(world.live.result().counts.sip == 2)
        try world.send(TappedServer.register(2, realm: "asterisk", nonce: world.nonce(0)), port: 52_899, after: .milliseconds(20))
        #expect(world.live.result().counts.sip == 4)
        #expect(world.live.result().findings.allSatisfy { !$0.severity.accuses })
    }
}
