import ALG
import Base
import Testing

@Suite("profiles as data")
struct ProfileTests {
    @Test("each shipped profile is found by its name, whatever its case; others are not")
    func names() {
        #expect(ALGProfile.known.map(\.name) == ["none", "speedtouch-780", "linux"])
        #expect(ALGProfile.named("LINUX") == .linux)
        #expect(ALGProfile.named("cisco") == nil)
    }

    @Test("none: every payload passes as it is and nothing is remembered")
    func none() {
        var bench = GatewayBench(.none)
        let text = lines(
            "REGISTER sip:x SIP/2.0", "Via: SIP/2.0/UDP 192.168.1.100:5060", "CSeq: x", "Contact: <sip:192.168.1.100:80>", "")
        #expect(bench.pass(text) == text)
        #expect(bench.traces().isEmpty)
        #expect(bench.gateway.nextDeadline == nil)
    }

    @Test("a profile of one's own: Contact's address alone, whatever its port")
    func own() {
        var profile = ALGProfile(name: "own", summary: "address, not port", evidence: .synthetic)
        profile.rewrites = [ALGRewriteRule(.contact, .flowAddress, .addressOnly)]
        var bench = GatewayBench(profile)
        let text = lines(
            "OPTIONS sip:x SIP/2.0", "Via: SIP/2.0/UDP 192.168.1.100:5060", "Contact: <sip:a@192.168.1.100:7777>", "")
        #expect(bench.pass(text) == text.replacing("a@192.168.1.100:", with: "a@203.0.113.2:"))
    }

    @Test("speedtouch-780: Via and Contact both ways, bodies untouched, responses held 200 ms, requests not")
    func speedtouch() {
        var bench = GatewayBench(.speedtouch780)
        let request = message(
            [
                "INVITE sip:x SIP/2.0", "Via: SIP/2.0/UDP 192.168.1.100:5060", "Contact: <sip:a@192.168.1.100:5060>",
                "CSeq: 1 INVITE",
            ],
            ["v=0", "c=IN IP4 192.168.1.100", "m=audio 6000 RTP/AVP 0"])
        #expect(
            bench.pass(request)
                == request.replacing("UDP 192.168.1.100", with: "UDP 203.0.113.2").replacing(
                    "a@192.168.1.100", with: "a@203.0.113.2"))
        let response = lines("SIP/2.0 401 No", "Via: SIP/2.0/UDP 203.0.113.2:5060", "CSeq: 1 INVITE", "")
        let inside = response.replacing("203.0.113.2", with: "192.168.1.100")
        guard case .hold(let passage, let until) = bench.verdict(response, .inbound) else {
            Issue.record("not held")
            return
        }
        #expect(String(decoding: passage.bytes, as: UTF8.self) == inside)
        #expect(until == bench.now + .milliseconds(200))
        guard case .pass = bench.verdict(request, .inbound) else {
            Issue.record("a request was held")
            return
        }
    }
}
