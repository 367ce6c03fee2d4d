import Base
import Foundation
import MediaControl
import SIP
import SIPStack
import ServerNode

/// One server and what came out of it, with requests made by hand.
final class Harness {
    static let start = Instant(seconds: 1_800_000_000)
    static let local = Endpoint(IPAddress("198.51.100.1")!, 5060)
    static let phone = Endpoint(IPAddress("203.0.113.7")!, 40_000)

    var server: ServerNode
    var now = Harness.start
    var sent: [(flow: FlowID, bytes: [UInt8])] = []
    var changes: [(sequence: UInt64, change: RegistrarChange)] = []
    var probed: [(aor: AddressOfRecord, outcomes: [ProbeOutcome])] = []
    var connected: [FlowID] = []
    var proved: [(flow: FlowID, by: ServerNode.Proof)] = []
    var traces: [ServerTrace] = []
    var media: [(loop: Int, command: MediaCommand)] = []
    /// By media leg, in the order of opening.
    var ports: [MediaLegID: UInt16] = [:]
    var records: [CallRecord] = []
    var guessed: [String] = []
    /// Each `.close` is answered by `.closed` with what this makes of it; nil: the media plane stays silent.
    var closes: ((MediaLegID) -> MediaVerdict)? = { _ in MediaVerdict() }
    /// Off: nothing of what happens is kept, for runs of many calls.
    var keeps = true

    init(_ settings: ServerSettings = ServerSettings(), accounts: [(String, String)] = [("alice", "secret"), ("bob", "word")]) {
        server = ServerNode(settings: settings, entropy: Entropy(labSeed: 7))
        let list = accounts.map { Account(username: $0.0, realm: settings.realm, password: $0.1) }
        server.receive(.accounts(list), at: now)
    }

    static func flow(_ remote: Endpoint = Harness.phone, _ transport: SIPTransport = .udp) -> FlowID {
        FlowID(transport, local: local, remote: remote, connection: transport == .udp ? 0 : UInt64(remote.port))
    }

    /// Hands bytes in and returns what was sent because of them.
    @discardableResult
    func receive(_ bytes: [UInt8], on flow: FlowID = Harness.flow()) -> [(flow: FlowID, bytes: [UInt8])] {
        input(.received(on: flow, bytes))
    }

    @discardableResult
    func receive(_ text: String, on flow: FlowID = Harness.flow()) -> [(flow: FlowID, bytes: [UInt8])] {
        receive(Array(text.utf8), on: flow)
    }

    @discardableResult
    func input(_ input: ServerNode.Input) -> [(flow: FlowID, bytes: [UInt8])] {
        server.receive(input, at: now)
        return drain()
    }

    /// Lets time pass, stopping at each deadline.
    @discardableResult
    func advance(_ duration: Duration) -> [(flow: FlowID, bytes: [UInt8])] {
        let end = now + duration
        var all: [(flow: FlowID, bytes: [UInt8])] = []
        while let next = server.nextDeadline, next <= end {
            now = max(next, now)
            server.advance(to: now)
            all += drain()
        }
        now = end
        server.advance(to: now)
        return all + drain()
    }

    func drain() -> [(flow: FlowID, bytes: [UInt8])] {
        var fresh: [(flow: FlowID, bytes: [UInt8])] = []
        while let output = server.nextOutput() {
            switch output {
            case .send(let flow, let bytes): fresh.append((flow, bytes))
            case .media(let loop, let command):
                if keeps { media.append((loop, command)) }
                if case .open(let id, let setup) = command { ports[id] = setup.port }
                if case .close(let id) = command, let closes { server.receive(.media(.closed(id, closes(id))), at: now) }
            case .record(let record): if keeps { records.append(record) }
            case .persist(let sequence, let change): changes.append((sequence, change))
            case .connect(let flow): connected.append(flow)
            case .proved(let flow, let proof): proved.append((flow, proof))
            case .guessed(let username, _): guessed.append(username)
            case .probed(let aor, let outcomes): probed.append((aor, outcomes))
            }
        }
        while let trace = server.nextTrace() { if keeps { traces.append(trace) } }
        if keeps { sent += fresh }
        return fresh
    }

    struct NotOneAnswer: Error {
        var count: Int
    }

    /// The one message that answers; throws if there was none or more than one.
    @discardableResult
    func ask(_ text: String, on flow: FlowID = Harness.flow()) throws -> SIPMessage {
        let out = receive(text, on: flow)
        guard out.count == 1 else { throw NotOneAnswer(count: out.count) }
        return try SIPMessage(parsing: out[0].bytes)
    }

    /// REGISTER without credentials, then with: the final response.
    @discardableResult
    func register(
        _ request: Register = Register(), password: String = "secret", on flow: FlowID = Harness.flow()
    ) throws -> SIPMessage {
        let challenge = try ask(request.text, on: flow)
        guard challenge.statusCode == 401 else { return challenge }
        return try ask(request.answering(challenge, password: password).text, on: flow)
    }

    func contacts(_ message: SIPMessage) -> [String] { message.all(.contact).map(\.value.string) }

    var alice: [Binding] { server.bindings(of: AddressOfRecord("alice@pinhole")!) }

    var lastTexts: [String] { traces.map(\.text) }

    var drops: [DropReason] {
        traces.compactMap { if case .dropped(_, let reason, _) = $0 { reason } else { nil } }
    }

    var refusals: [(status: Int, refusal: ServerTrace.Refusal)] {
        traces.compactMap { if case .refused(_, let status, let refusal) = $0 { (status, refusal) } else { nil } }
    }

    var verdicts: [DigestVerdict] {
        traces.compactMap { if case .authentication(let authentication) = $0 { authentication.verdict } else { nil } }
    }
}

/// A REGISTER as a phone writes it.
struct Register {
    var user = "alice"
    var domain = "pinhole"
    var username: String?
    var callID = "c1@192.168.1.10"
    var cseq: UInt32 = 1
    var branch: String?
    var via = "192.168.1.10:5060;rport"
    /// Contact values; nil leaves the header out.
    var contact: String? = "<sip:alice@192.168.1.10:5060>"
    var expires: String?
    var extra = ""
    var authorization: String?
    var fromTag = "f1"

    var text: String {
        var text =
            "REGISTER sip:\(domain) SIP/2.0\r\nVia: SIP/2.0/UDP \(via);branch=\(branch ?? "z9hG4bK\(callID.prefix { $0 != "@" })-\(cseq)")\r\n"
        text += "Max-Forwards: 70\r\nFrom: <sip:\(user)@\(domain)>;tag=\(fromTag)\r\nTo: <sip:\(user)@\(domain)>\r\n"
        text += "Call-ID: \(callID)\r\nCSeq: \(cseq) REGISTER\r\n"
        if let contact { text += "Contact: \(contact)\r\n" }
        if let expires { text += "Expires: \(expires)\r\n" }
        if let authorization { text += "Authorization: \(authorization)\r\n" }
        return text + extra + "Content-Length: 0\r\n\r\n"
    }

    /// The next request: credentials over a response's first challenge that offers `algorithm`.
    func answering(
        _ response: SIPMessage, password: String = "secret", algorithm: String? = nil, uri: String? = nil, realm: String? = nil
    ) -> Register {
        var next = self
        next.cseq += 1
        let values = response.all(.wwwAuthenticate).map(\.value.string)
        let value = values.first { algorithm == nil || $0.contains("algorithm=\(algorithm!)") } ?? ""
        next.authorization = Credentials(challenge: value).header(
            username: username ?? user, password: password, method: "REGISTER", uri: uri ?? "sip:\(domain)", realm: realm)
        return next
    }
}

/// Digest credentials made from scratch, so that the server is not tested with its own client.
struct Credentials {
    var realm = ""
    var nonce = ""
    var algorithm = "MD5"
    var qop: String?

    init(challenge: String) {
        func quoted(_ name: String) -> String? {
            guard let start = challenge.range(of: "\(name)=\"") else { return nil }
            return String(challenge[start.upperBound...].prefix { $0 != "\"" })
        }
        realm = quoted("realm") ?? ""
        nonce = quoted("nonce") ?? ""
        qop = quoted("qop")
        if let start = challenge.range(of: "algorithm=") {
            algorithm = String(challenge[start.upperBound...].prefix { $0 != "," && $0 != " " })
        }
    }

    func header(username: String, password: String, method: String, uri: String, realm: String? = nil, nc: Int = 1) -> String {
        let hash: DigestHash = algorithm == "MD5" ? .md5 : algorithm == "SHA-256" ? .sha256 : .sha512256
        func h(_ text: String) -> String { hash.hash(Array(text.utf8)).description }
        let ha1 = h("\(username):\(realm ?? self.realm):\(password)")
        let ha2 = h("\(method):\(uri)")
        let count = String(repeating: "0", count: 8 - String(nc, radix: 16).count) + String(nc, radix: 16)
        var text = "Digest username=\"\(username)\", realm=\"\(self.realm)\", nonce=\"\(nonce)\", uri=\"\(uri)\""
        if qop != nil {
            text +=
                ", response=\"\(h("\(ha1):\(nonce):\(count):0a4f113b:auth:\(ha2)"))\", qop=auth, nc=\(count), cnonce=\"0a4f113b\""
        } else {
            text += ", response=\"\(h("\(ha1):\(nonce):\(ha2)"))\""
        }
        return text + ", algorithm=\(algorithm)"
    }
}
