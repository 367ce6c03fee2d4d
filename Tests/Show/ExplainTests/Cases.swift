import Analysis
import Base
import Capture
import Fixtures
import ShowExplain

/// Analyses that reports are made of: small talks written down by hand, and recordings of both sides of a router.
enum Cases {
    static let home = Endpoint("198.51.100.7:52899")!
    static let server = Endpoint("203.0.113.10:5060")!

    /// A phone whose port jumps and who answers the older of two challenges; people are named wherever messages can name them.
    static func stale(user: String = "alice", display: String = "Alice Smith", calls: Int = 1) -> AnalysisResult {
        var analyzer = Analyzer(sources: [SourceSummary(name: "/home/smith/case.pcap", kind: .capture, frames: 6 * calls)])
        var frame = 0
        for call in 0..<calls {
            let phone = Endpoint(Cases.home.address, 52_899 + UInt16(call * 4))
            let jumped = Endpoint(phone.address, phone.port - 3)
            let name = call == 0 ? user : "\(user)\(call)"
            func see(_ seconds: Double, _ source: Endpoint, _ destination: Endpoint, _ message: String) {
                frame += 1
                analyzer.observe(
                    Observation(
                        place: .frame(file: 0, number: frame),
                        time: Instant(nanoseconds: 1_700_000_000_000_000_000 + Int64((seconds + Double(call) * 60) * 1e9)),
                        source: source, destination: destination, transport: .udp, what: .sip(Array(message.utf8), isCut: false)))
            }
            func register(_ number: Int, _ nonce: String? = nil) -> String {
                let authorization = nonce.map {
                    "Authorization: Digest username=\"\(name)\", realm=\"pbx.example.org\", nonce=\"\($0)\", "
                        + "uri=\"sip:pbx.example.org\", response=\"0123456789abcdef0123456789abcdef\"\r\n"
                }
                return "REGISTER sip:pbx.example.org SIP/2.0\r\n"
                    + "Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bK\(call)x\(number);rport\r\n"
                    + "From: \"\(display)\" <sip:\(name)@pbx.example.org>;tag=t\r\nTo: <sip:\(name)@pbx.example.org>\r\n"
                    + "Call-ID: \(name)-77f1@192.168.1.20\r\nCSeq: \(number) REGISTER\r\nContact: <sip:\(name)@192.168.1.20:5060>\r\n"
                    + "User-Agent: snom300 000413AABBCC\r\n" + (authorization ?? "") + "Content-Length: 0\r\n\r\n"
            }
            func answer(_ status: Int, _ number: Int, _ more: String) -> String {
                "SIP/2.0 \(status) Whatever\r\nVia: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bK\(call)x\(number);rport\r\n"
                    + "From: \"\(display)\" <sip:\(name)@pbx.example.org>;tag=t\r\nTo: <sip:\(name)@pbx.example.org>;tag=s\r\n"
                    + "Call-ID: \(name)-77f1@192.168.1.20\r\nCSeq: \(number) REGISTER\r\n\(more)Content-Length: 0\r\n\r\n"
            }
            func challenge(_ nonce: String, stale: Bool = false) -> String {
                "WWW-Authenticate: Digest realm=\"pbx.example.org\", nonce=\"\(nonce)\"\(stale ? ", stale=true" : "")\r\n"
            }
            see(0, phone, Cases.server, register(1))
            see(0.02, Cases.server, phone, answer(401, 1, challenge("aa11aa11")))
            see(0.05, jumped, Cases.server, register(2))
            see(0.07, Cases.server, jumped, answer(401, 2, challenge("bb22bb22")))
            see(0.10, phone, Cases.server, register(3, "aa11aa11"))
            see(0.12, Cases.server, phone, answer(401, 3, challenge("cc33cc33", stale: true)))
        }
        return analyzer.finish()
    }

    /// The same story as somebody pasted it: no addresses, no times, no Call-ID.
    static func pasted() -> AnalysisResult {
        let text = """
            My phone would not register from behind the new router, a Speedtouch 780.

            <— Transmitting (NAT) to <home>:52899 —>
            SIP/2.0 401 Unauthorized
            CSeq: 1 REGISTER
            WWW-Authenticate: Digest algorithm=MD5, realm=”pbx”, nonce=”aa11aa11
            Content-Length: 0

            <— Transmitting (NAT) to <home>:52896 —>
            SIP/2.0 401 Unauthorized
            CSeq: 2 REGISTER
            WWW-Authenticate: Digest algorithm=MD5, realm=”pbx”, nonce=”bb22bb22”
            Content-Length: 0

            <— SIP read from <home>:52899 —>
            REGISTER sip:pbx.example SIP/2.0
            CSeq: 3 REGISTER
            Authorization: Digest username=”me”,realm=”pbx”,nonce=”aa11aa11“,uri=”sip:pbx.example”,response=”x”,algorithm=md5
            Content-Length: 0

            <————>[Jul 11 12:01:48] NOTICE[89797]: chan_sip.c:8167 check_auth: Correct auth, but based on stale nonce received from ‘”me” ‘

            """
        var analyzer = Analyzer(sources: [SourceSummary(name: "story.txt", kind: .log)])
        var reader = LogReader()
        reader.read(Array(text.utf8))
        reader.finish()
        while let item = reader.nextItem() { analyzer.observe(item, file: 0) }
        return analyzer.finish()
    }

    /// Nothing but a registration that works.
    static func healthy() -> AnalysisResult {
        var analyzer = Analyzer(sources: [SourceSummary(name: "good.pcap", kind: .capture)])
        let lines =
            "Via: SIP/2.0/UDP 198.51.100.7:52899;branch=z9hG4bK1;rport\r\nFrom: <sip:a@b.example>;tag=t\r\nTo: <sip:a@b.example>"
        let rest = "\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        for (number, (from, to, text)) in [
            (home, server, "OPTIONS sip:b.example SIP/2.0\r\n\(lines)\(rest)"),
            (server, home, "SIP/2.0 200 OK\r\n\(lines);tag=s\(rest)"),
        ].enumerated() {
            analyzer.observe(
                Observation(
                    place: .frame(file: 0, number: number + 1),
                    time: Instant(nanoseconds: 1_700_000_000_000_000_000 + Int64(number)),
                    source: from, destination: to, transport: .udp, what: .sip(Array(text.utf8), isCut: false)))
        }
        return analyzer.finish()
    }

    // MARK: Recordings

    /// Both sides of a router, as two captures.
    static func sides(_ name: String) throws -> AnalysisResult {
        let recording = try Recording(name)
        let sides = [Recording.Side.inside, .outside]
        var analyzer = Analyzer(sources: sides.map { SourceSummary(name: "\(name).\($0).pcap", kind: .capture) })
        for (file, side) in sides.enumerated() {
            var decoder = CaptureDecoder(file: file)
            var batch = PayloadBatch(capacity: 1 << 16)
            decoder.feed(recording.pcap(side), into: &batch)
            analyzer.observe(batch, file: file)
            decoder.finish(&batch)
            analyzer.observe(batch, file: file)
            analyzer.blind(decoder.notes, in: Vantage(UInt16(file)))
        }
        return analyzer.finish()
    }
}
