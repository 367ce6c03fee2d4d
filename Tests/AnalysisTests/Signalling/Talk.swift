import Analysis
import Base
import Capture

/// A talk between a phone and a server, written down message by message in virtual time, and what the analysis says of it.
struct Talk {
    /// Where the phone's packets come from, as the capture shows it.
    var phone = Endpoint("198.51.100.7:40000")!
    /// What the phone writes of itself.
    var said = "192.168.1.20:5060"
    var server = Endpoint("203.0.113.10:5060")!
    var call = "c1@192.168.1.20"
    var user = "alice"
    var transport = SIPTransport.udp
    var isLog = false
    var agent = "Phone/1.0"
    var options = AnalysisOptions()
    /// `rport` in Via.
    var asksForPort = true
    private(set) var seen: [Observation] = []
    private var branches = 0

    var aor: String { "\(user)@pbx.example" }

    /// Of a phone that has its public address itself.
    static func withoutNAT() -> Talk {
        var talk = Talk()
        talk.said = "198.51.100.7:5060"
        talk.call = "c1@phone.example"
        talk.phone = Endpoint("198.51.100.7:5060")!
        return talk
    }

    // MARK: Messages

    func via(_ branch: String) -> String {
        "SIP/2.0/\(transport.viaToken) \(said);branch=z9hG4bK\(branch)\(asksForPort ? ";rport" : "")"
    }

    func register(
        _ number: Int, nonce: String? = nil, count: String? = nil, branch: String? = nil, expires: Int = 3_600,
        contact: String? = nil,
        response: String = "0123456789abcdef0123456789abcdef", tag: String = "t1"
    ) -> String {
        request(
            "REGISTER", "sip:pbx.example", number, branch: branch,
            ["Contact: <sip:\(user)@\(contact ?? said)>", "Expires: \(expires)"] + authorization(nonce, count, response),
            tag: tag,
            peer: "<sip:\(aor)>")
    }

    func authorization(_ nonce: String?, _ count: String? = nil, _ response: String = "00", realm: String = "pbx.example")
        -> [String]
    {
        guard let nonce else { return [] }
        let protection = count.map { ", qop=auth, nc=\($0), cnonce=\"c\"" } ?? ""
        return [
            "Authorization: Digest username=\"\(user)\", realm=\"\(realm)\", nonce=\"\(nonce)\", uri=\"sip:pbx.example\", response=\"\(response)\"\(protection)"
        ]
    }

    func request(
        _ method: String, _ uri: String, _ number: Int, branch: String? = nil, _ more: [String] = [], body: String = "",
        tag: String = "t1", peer: String? = nil
    ) -> String {
        let lines =
            [
                "\(method) \(uri) SIP/2.0", "Via: \(via(branch ?? "\(method)\(number)"))", "From: <sip:\(aor)>;tag=\(tag)",
                "To: \(peer ?? "<sip:bob@pbx.example>")", "Call-ID: \(call)", "CSeq: \(number) \(method)", "Max-Forwards: 70",
                "User-Agent: \(agent)",
            ] + more
        return finished(lines, body)
    }

    /// A response to a request, with its Via, From, To, Call-ID and CSeq.
    func response(_ status: Int, to request: String, _ more: [String] = [], body: String = "", tag: String = "s1") -> String {
        let kept = request.components(lines: ["Via", "From", "To", "Call-ID", "CSeq"]).map { line in
            line.hasPrefix("To:") && !line.contains("tag=") && status > 100 ? line + ";tag=\(tag)" : line
        }
        return finished(["SIP/2.0 \(status) Whatever"] + kept + ["Server: PBX/2"] + more, body)
    }

    func challenge(_ status: Int = 401, to request: String, nonce: String, stale: Bool = false, realm: String = "pbx.example")
        -> String
    {
        let name = status == 401 ? "WWW-Authenticate" : "Proxy-Authenticate"
        return response(
            status, to: request, ["\(name): Digest realm=\"\(realm)\", nonce=\"\(nonce)\"\(stale ? ", stale=true" : "")"])
    }

    private func finished(_ lines: [String], _ body: String) -> String {
        let type = body.isEmpty ? [] : ["Content-Type: application/sdp"]
        return (lines + type + ["Content-Length: \(body.utf8.count)", "", ""]).joined(separator: "\r\n") + body
    }

    static func sdp(
        _ address: String, port: Int = 20_000, formats: String = "0 8", extra: [String] = [], origin: String? = nil,
        profile: String = "RTP/AVP"
    ) -> String {
        ([
            "v=0", "o=- 1 1 IN IP4 \(origin ?? address)", "s=-", "c=IN IP4 \(address)", "t=0 0",
            "m=audio \(port) \(profile) \(formats)",
        ] + extra + [""])
        .joined(separator: "\r\n")
    }

    // MARK: Sending

    mutating func up(_ seconds: Double, _ message: String, port: UInt16? = nil, from: Endpoint? = nil, to: Endpoint? = nil) {
        var source = from ?? phone
        if let port { source.port = port }
        see(seconds, source, to ?? server, .sip(Array(message.utf8), isCut: false))
    }

    mutating func down(_ seconds: Double, _ message: String, port: UInt16? = nil, to: Endpoint? = nil, from: Endpoint? = nil) {
        var destination = to ?? phone
        if let port { destination.port = port }
        see(seconds, from ?? server, destination, .sip(Array(message.utf8), isCut: false))
    }

    mutating func see(_ seconds: Double, _ source: Endpoint?, _ destination: Endpoint?, _ what: Observation.What) {
        let number = seen.count + 1
        seen.append(
            Observation(
                place: isLog ? .line(file: 0, number: number) : .frame(file: 0, number: number),
                time: Instant(nanoseconds: 1_700_000_000_000_000_000 + Int64(seconds * 1e9)), source: source,
                destination: destination,
                transport: transport, what: what))
    }

    /// Something harmless later, so that the capture does not end with the matter.
    mutating func later(_ seconds: Double) {
        var other = self
        other.call = "other\(seconds)"
        other.user = "zoe"
        let request = other.request("OPTIONS", "sip:pbx.example", 1)
        up(seconds, request, from: Endpoint("198.51.100.99:5060")!)
        down(seconds + 0.01, other.response(200, to: request), to: Endpoint("198.51.100.99:5060")!)
    }

    /// REGISTER, challenge, answer, 200.
    mutating func registers(
        at start: Double = 0, nonce: String = "n1", from number: Int = 1, expires: Int = 3_600, port: UInt16? = nil
    ) {
        let first = register(number, expires: expires)
        up(start, first, port: port)
        down(start + 0.02, challenge(to: first, nonce: nonce), port: port)
        let second = register(number + 1, nonce: nonce, expires: expires)
        up(start + 0.03, second, port: port)
        down(start + 0.05, response(200, to: second, ["Contact: <sip:\(user)@\(said)>;expires=\(expires)"]), port: port)
    }

    /// The same as a capture shows it that keeps so many octets of each message.
    func cut(_ octets: Int) -> Talk {
        var talk = self
        talk.seen = seen.map { one in
            guard case .sip(let bytes, _) = one.what, bytes.count > octets else { return one }
            var one = one
            one.what = .sip(Array(bytes.prefix(octets)), isCut: true)
            return one
        }
        return talk
    }

    // MARK: Judging

    func result() -> AnalysisResult {
        var analyzer = Analyzer(sources: [SourceSummary(name: "talk", kind: isLog ? .log : .capture)], options: options)
        for observation in seen { analyzer.observe(observation) }
        return analyzer.finish()
    }

    /// What accuses, in order: `fault auth.no-answer`.
    func accusations() -> [String] {
        result().findings.filter(\.severity.accuses).map { "\($0.severity) \($0.name.rawValue)" }
    }

    func finding(_ name: FindingName) -> Finding? { result().findings.first { $0.name == name } }
}

extension String {
    /// The lines of a message whose field is one of `names`, in the message's order.
    fileprivate func components(lines names: [String]) -> [String] {
        split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init).filter { line in
            names.contains { line.hasPrefix($0 + ":") }
        }
    }
}
