import Base
import Capture
import Testing

@testable import Analysis

@Suite("What a helper breaks is the helper's, and what follows hangs below it")
struct HelperHarmTests {
    private typealias S = SideScene
    private static let router = Culprit.proved("the router with the outside address 203.0.113.2")
    private static let timer = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    private static let host = "192.168.1.100:5060"
    private static let outerHost = "203.0.113.2:41000"

    private static func challenge(_ number: Int = 1) -> String {
        S.ok(number).with("200 OK", "401 Unauthorized").with(
            "Contact: <sip:100@\(host)>;expires=3600\r\n", "WWW-Authenticate: Digest realm=\"lab\", nonce=\"n1\"\r\n")
    }

    /// Requests that leave with `out` done to them, whose answers bear the same outside, and inside what `back` makes of it.
    private func asked(_ times: [Double], _ out: (String) -> String, _ back: (String) -> String) -> [Finding] {
        var taps = Taps()
        for at in times {
            taps.send(S.register(), out(S.register()), at: at, isOutbound: true)
            let answer = out(Self.challenge())
            taps.send(back(answer), answer, at: at + 0.01, isOutbound: false)
        }
        return taps.accusations()
    }

    @Test(
        "what the router writes into a request and leaves in the answers makes them strange to the phone, which asks again and again",
        arguments: [
            ("192.168.1.100:5060;rport", "203.0.113.2:41000;rport", "Via"),
            ("3c4d-77@192.168.1.100", "3c4d-77@203.0.113.2", "Call-ID"),
            ("branch=z9hG4bK-1-aa", "branch=z9hG4bKrouter1", "Via branch"), ("tag=f7", "tag=router", "From"),
        ])
    func strangeAnswers(own: String, foreign: String, field: String) throws {
        let found = asked(Self.timer, { $0.with(own, foreign) }, { $0 })
        #expect(found.map(\.name) == [.algRewritten])
        let finding = try #require(found.first)
        #expect(finding.severity == .fault)
        #expect(finding.culprit == Self.router)
        #expect(finding.remedies.first == .disableALG)
        #expect(
            finding.summary.hasPrefix(
                "100@lab.test cannot register: the router changes \(field) in its REGISTER and does not change it back in the answers"
            ))
        #expect(finding.details.contains { $0.hasPrefix("What follows from it: ") })
    }

    @Test("what is changed back, or taken all the same, is no fault")
    func changedBack() {
        let (own, foreign) = ("192.168.1.100:5060;rport", "203.0.113.2:41000;rport")
        let restored = asked([0], { $0.with(own, foreign) }, { $0.with(foreign, own) })
        #expect(restored.map(\.severity) == [.risk])
        var taps = Taps()
        taps.send(S.register(), S.register().with(own, foreign), at: 0, isOutbound: true)
        taps.send(S.ok().with(own, foreign), S.ok().with(own, foreign), at: 0.01, isOutbound: false)
        #expect(taps.accusations().map { $0.severity } == [.risk])
    }

    @Test("answers that are restored and lost behind the router accuse no helper's echo")
    func restoredAndLost() {
        let (own, foreign) = ("192.168.1.100:5060;rport", "203.0.113.2:41000;rport")
        let found = asked(Self.timer, { $0.with(own, foreign) }, { $0.with(foreign, own) })
        #expect(!found.contains { $0.summary.contains("change it back") })
    }

    private static func withoutBody(_ text: String) -> String {
        let head = String(text[..<(text.firstRange(of: "\r\n\r\n")?.upperBound ?? text.endIndex)])
        return head.split(separator: "\r\n", omittingEmptySubsequences: false).map { line in
            line.hasPrefix("Content-Length") ? "Content-Length: 0" : String(line)
        }.filter { !$0.hasPrefix("Content-Type") }.joined(separator: "\r\n")
    }

    @Test("a description that the router takes out of the answer: its fault, and missing codecs and silence follow from it")
    func description() throws {
        var taps = Taps()
        taps.send(S.invite(), at: 0, isOutbound: true)
        let answer = S.answer(host: Self.host)
        taps.send(Self.withoutBody(answer), answer, at: 1, isOutbound: false)
        taps.send(S.ack(host: Self.host), at: 1.01, isOutbound: true)
        taps.audio(1, Endpoint("198.51.100.20:12000")!, Endpoint("203.0.113.2:4000")!, ssrc: 2)
        taps.send(S.bye(host: Self.host), at: 12, isOutbound: true)
        let found = taps.accusations()
        #expect(found.map(\.name) == [.algRewritten])
        let finding = try #require(found.first)
        #expect(finding.severity == .fault)
        #expect(finding.culprit == Self.router)
        #expect(finding.summary.contains("the session description was taken out"))
    }

    @Test("a server whose answer has no description is not the router's doing")
    func noDescription() {
        var taps = Taps()
        taps.send(S.invite(), at: 0, isOutbound: true)
        taps.send(Self.withoutBody(S.answer(host: Self.host)), at: 1, isOutbound: false)
        taps.send(S.ack(host: Self.host), at: 1.01, isOutbound: true)
        taps.send(S.bye(host: Self.host), at: 12, isOutbound: true)
        #expect(!taps.accusations().contains { $0.name == .algRewritten })
    }

    /// A call whose 200 names a route, as `inside` shows it; ACKs go where that points.
    private func routed(_ route: String, _ inside: String, to place: String) -> [Finding] {
        var taps = Taps()
        let answer = S.answer(host: Self.host).with("CSeq: 7", "Record-Route: <sip:\(route);lr>\r\nCSeq: 7")
        taps.send(S.invite(), at: 0, isOutbound: true)
        for at in Self.timer {
            taps.send(answer.with("<sip:\(route);lr>", "<sip:\(inside);lr>"), answer, at: 1 + at, isOutbound: false)
            taps.see(.sip(Array(S.ack(host: Self.host).utf8), isCut: false), 0, S.phone, Endpoint(place)!, at: 1.01 + at)
        }
        taps.send(S.bye(host: Self.host), at: 40, isOutbound: true)
        return taps.accusations()
    }

    @Test("a Record-Route that the router replaces by its own address: the router, not the server that wrote it right")
    func route() throws {
        let found = routed("198.51.100.20", "192.168.1.1", to: "192.168.1.1:5060")
        #expect(found.map(\.name) == [.algRewritten])
        let finding = try #require(found.first)
        #expect(finding.culprit == Self.router)
        #expect(
            finding.summary.hasPrefix(
                "The call of 100@lab.test to 200@lab.test breaks off: the router writes 192.168.1.1:5060 into"))
    }

    @Test("a wrong Record-Route that comes through as the server wrote it is the server's")
    func routeOfServer() {
        let found = routed("10.9.9.9", "10.9.9.9", to: "10.9.9.9:5060")
        #expect(found.map(\.name) == [.sipNoACK])
        #expect(found.first?.culprit != Self.router)
    }

    @Test("a first fragment is not compared as if it were the message; that the rest stays behind is the router's fault")
    func fragments() throws {
        var taps = Taps()
        let invite = S.invite().with("t=0 0\r\n", "t=0 0\r\n" + String(repeating: "a=x-filler:0123456789\r\n", count: 80))
        let whole = invite.with("Content-Length: 137", "Content-Length: \(137 + 80 * 23)")
        for at in Self.timer.prefix(7) {
            taps.see(.sip(Array(whole.utf8), isCut: false), 0, S.phone, S.server, at: at)
            taps.see(.sip(Array(whole.utf8.prefix(1_480)), isCut: true), 1, S.outer, S.server, at: at + 0.0004)
        }
        taps.send(S.register(), at: 60, isOutbound: true)
        taps.send(S.ok(), at: 60.01, isOutbound: false)
        let found = taps.accusations()
        #expect(found.map(\.name) == [.sipFragmented])
        #expect(found.first?.culprit == Self.router)
        #expect(
            found.first?.summary.hasSuffix("came to the router with the outside address 203.0.113.2, and only the first left it.")
                == true)
    }

    @Test("fragments that both sides show whole and nobody answers are lost further on")
    func wholeFragments() {
        var taps = Taps()
        let invite = S.invite().with("t=0 0\r\n", "t=0 0\r\n" + String(repeating: "a=x-filler:0123456789\r\n", count: 80))
        for at in Self.timer.prefix(7) { taps.send(invite, at: at, isOutbound: true) }
        taps.send(S.register(), at: 60, isOutbound: true)
        taps.send(S.ok(), at: 60.01, isOutbound: false)
        let found = taps.accusations().filter { $0.name == .sipFragmented }
        #expect(!found.isEmpty && found.allSatisfy { $0.culprit != Self.router })
    }

    /// Another phone's registrations cross in 20 ms; this one's are refused inside after `delay`, and nobody sees them outside.
    private func refusedInside(after delay: Double, outsideToo: Bool = false) -> [Finding] {
        var taps = Taps()
        let other = { (text: String) in
            text.with("sip:100@", "sip:300@").with("3c4d-77@", "other-1@").with("=f7", "=o7").with("-aa", "-oo")
        }
        let (inner, outer) = (Endpoint("192.168.1.101:5060")!, Endpoint("203.0.113.2:42000")!)
        for number in 1...4 {
            let at = Double(number) * 20
            for (file, place) in [(0, inner), (1, outer)] {
                taps.see(.sip(Array(other(S.register(number)).utf8), isCut: false), file, place, S.server, at: at)
                taps.see(.sip(Array(other(S.ok(number)).utf8), isCut: false), file, S.server, place, at: at + 0.02)
            }
        }
        for number in 1...3 {
            let at = Double(number) * 20 + 5
            let refusal = S.ok(number).with("200 OK", "503 Service Unavailable")
            taps.send(S.register(number), at: at, isOutbound: true, on: outsideToo ? [0, 1] : [0])
            taps.send(refusal, at: at + delay, isOutbound: false, on: outsideToo ? [0, 1] : [0])
        }
        return taps.accusations()
    }

    @Test("a router that answers 503 in the server's name, sooner than the server can: its helper, not the server")
    func ownAnswers() throws {
        let found = refusedInside(after: 0.0004)
        #expect(found.map(\.name) == [.algRewritten])
        let finding = try #require(found.first)
        #expect(finding.culprit == Self.router)
        #expect(
            finding.summary
                == "100@lab.test cannot register: the router with the outside address 203.0.113.2 itself answers 503 in the name of "
                + "198.51.100.20:5060, which never sees the REGISTER.")
    }

    @Test(
        "a refusal that comes from outside is the server's; one as late as the server's that only the tap outside lacks is not called the router's"
    )
    func serverRefuses() {
        #expect(!refusedInside(after: 0.02, outsideToo: true).contains { $0.name == .algRewritten })
        #expect(!refusedInside(after: 0.02).contains { $0.name == .algRewritten })
    }
}
