import Analysis
import Base
import Testing

@Suite("One dialog on several hops, over other transports, and seen in part")
struct HopTests {
    private static let proxy = Endpoint("203.0.113.10:5060")!
    private static let registrar = Endpoint("203.0.113.20:5060")!

    /// A message as a proxy passes it on.
    private func forwarded(_ message: String) -> String {
        message.replacingFirst("Via: ", with: "Via: SIP/2.0/UDP 203.0.113.10;branch=z9hG4bKp\(message.count)\r\nVia: ")
    }

    @Test("a registration through a proxy seen on both its hops accuses nobody")
    func bothHops() {
        var talk = Talk()
        let a = talk.register(1)
        let b = talk.register(2, nonce: "n1")
        for (index, request) in [a, b].enumerated() {
            let at = Double(index) * 0.1
            let passed = forwarded(request)
            let answer = { (text: String) in index == 0 ? talk.challenge(to: text, nonce: "n1") : talk.response(200, to: text) }
            talk.up(at, request)
            talk.up(at + 0.01, passed, from: Self.proxy, to: Self.registrar)
            talk.down(at + 0.02, answer(passed), to: Self.proxy, from: Self.registrar)
            talk.down(at + 0.03, answer(request))
        }
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test(
        "a refusal that a proxy passes on is told as that of who said it first, also where a 503 becomes 500",
        arguments: [503, 500])
    func refusedBehind(passedOn: Int) throws {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1)
        talk.up(0, invite)
        talk.down(0.01, talk.response(100, to: invite))
        talk.up(0.02, forwarded(invite), from: Self.proxy, to: Self.registrar)
        talk.down(0.2, talk.response(503, to: forwarded(invite)), to: Self.proxy, from: Self.registrar)
        talk.down(0.21, talk.response(passedOn, to: invite))
        talk.later(60)
        let finding = try #require(talk.finding(.sipRefused))
        #expect(finding.summary.hasSuffix("failed: 203.0.113.20:5060 answered 503 Whatever."), "\(finding.summary)")
    }

    @Test("the last hop that answered is named when what lies behind it is silent")
    func silentHop() throws {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1)
        talk.up(0, invite)
        talk.down(0.01, talk.response(100, to: invite))
        for gap in [0, 0.5, 1.5, 3.5, 7.5] { talk.up(0.02 + gap, forwarded(invite), from: Self.proxy, to: Self.registrar) }
        talk.later(60)
        let finding = try #require(talk.finding(.sipRetransmit))
        #expect(finding.details.contains("The last hop that answered is 203.0.113.10:5060; what lies behind it did not."))
    }

    @Test("a router that captures both its interfaces shows each packet before and after translation: no port jumps")
    func router() {
        var talk = Talk()
        let inside = Endpoint("192.168.1.20:5060")!
        let a = talk.register(1)
        let b = talk.register(2, nonce: "n1")
        for (index, request) in [a, b].enumerated() {
            let at = Double(index) * 0.1
            let answer = index == 0 ? talk.challenge(to: request, nonce: "n1") : talk.response(200, to: request)
            talk.up(at, request, from: inside)
            talk.up(at + 0.0002, request)
            talk.down(at + 0.02, answer)
            talk.down(at + 0.0202, answer, to: inside)
        }
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("a capture that begins in the middle of a call, or of a registration, accuses nobody")
    func middle() {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        let bye = talk.request("BYE", "sip:bob@203.0.113.10", 7)
        talk.up(0, bye)
        talk.down(0.02, talk.response(200, to: bye))
        talk.call = "other"
        let refresh = talk.register(9, nonce: "cached", count: "00000007")
        talk.up(1, refresh)
        talk.down(1.02, talk.challenge(to: refresh, nonce: "fresh", stale: true))
        let again = talk.register(10, nonce: "fresh", count: "00000001")
        talk.up(1.03, again)
        talk.down(1.05, talk.response(200, to: again))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test(
        "over WebSocket and TLS connections come and go: new ports are new connections",
        arguments: [SIPTransport.ws, .wss, .tls, .tcp])
    func connections(transport: SIPTransport) {
        var talk = Talk()
        talk.transport = transport
        talk.said = "df7jal23ls0d.invalid"
        talk.registers()
        talk.registers(at: 5, nonce: "n2", from: 3, port: 40_900)
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("IPv6: a port that jumps is one, too; unique local addresses are private")
    func v6() {
        var talk = Talk()
        talk.phone = Endpoint("[2001:db8::7]:40000")!
        talk.server = Endpoint("[2001:db8:1::10]:5060")!
        talk.said = "[fd00::20]:5060"
        let a = talk.register(1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        let b = talk.register(2, nonce: "n1")
        talk.up(0.03, b, port: 40_007)
        talk.down(0.05, talk.response(200, to: b), port: 40_007)
        talk.later(60)
        #expect(talk.result().findings.map(\.name) == [.natPortJump, .natPrivateContact])
    }

    @Test("compact and oddly written field names are the same fields")
    func compact() {
        var talk = Talk()
        talk.registers()
        for (long, short) in [
            ("Via: ", "v:"), ("From: ", "f : "), ("To: ", "t:"), ("Call-ID: ", "i: "), ("Contact: ", "m:"), ("CSeq: ", "cseq :"),
        ] {
            var other = Talk()
            for observation in talk.seen {
                guard case .sip(let bytes, _) = observation.what, let time = observation.time else { continue }
                let text = String(decoding: bytes, as: UTF8.self).replacing("\r\n\(long)", with: "\r\n\(short)")
                other.see(
                    Double(time.nanoseconds - 1_700_000_000_000_000_000) / 1e9, observation.source, observation.destination,
                    .sip(Array(text.utf8), isCut: false))
            }
            let (a, b) = (talk.result(), other.result())
            #expect(a.findings.map(\.name) == b.findings.map(\.name) && b.dialogs.count == 1, "\(long)")
            #expect(b.dialogs.first?.outcome == .registered(expires: 3_600))
        }
    }

    @Test("a call forked to two phones, one of which answers, accuses nobody")
    func forked() {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:40000>"], body: Talk.sdp("198.51.100.7"))
        talk.up(0, invite)
        talk.down(0.01, talk.response(100, to: invite))
        talk.down(0.2, talk.response(180, to: invite, tag: "one"))
        talk.down(0.3, talk.response(180, to: invite, tag: "two"))
        talk.down(
            2, talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: Talk.sdp("203.0.113.10"), tag: "two"))
        talk.up(2.02, talk.request("ACK", "sip:bob@203.0.113.10", 1, branch: "a", peer: "<sip:bob@pbx.example>;tag=two"))
        talk.later(60)
        #expect(talk.accusations() == [])
    }
}

extension String {
    fileprivate func replacingFirst(_ part: String, with other: String) -> String {
        replacing(part, with: other, maxReplacements: 1)
    }
}
