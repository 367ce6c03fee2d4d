import Base
import Capture
import Testing

@testable import Analysis

@Suite("More than two captures along one path: what is lost is lost where they say")
struct SidePathTests {
    private typealias S = SideScene
    private static let timer = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    private static let host = "192.168.1.100:5060"
    private static let router = "the router with the outside address 203.0.113.2"
    private static let path = Culprit.between(router, "198.51.100.20:5060")
    private static let audioPath = Culprit.between(router, "198.51.100.20:12000")

    private static func challenge(_ number: Int) -> String {
        S.ok(number).with("200 OK", "401 Unauthorized").with(
            "Contact: <sip:100@\(host)>;expires=3600\r\n", "WWW-Authenticate: Digest realm=\"lab\", nonce=\"n1\"\r\n")
    }

    /// Answers, seen at the server; `reach`: the taps they come to.
    private static func unanswered(reach: [Int]) -> [Finding] {
        var taps = PathTaps()
        for at in timer {
            taps.send(S.register(), at: at, isOutbound: true)
            taps.send(challenge(1), at: at + 0.06, isOutbound: false, on: reach)
        }
        return taps.accusations()
    }

    @Test("answers that do not come as far as the router's outside are lost before it; those that do, at it")
    func answers() {
        let before = Self.unanswered(reach: [2])
        #expect(before.map(\.name) == [.sipRetransmit])
        #expect(before.first?.culprit == Self.path)
        #expect(before.first?.summary.contains("the answers get lost on the path between \(Self.router) and") == true)
        #expect(before.first?.remedies.allSatisfy { $0.actor == .network } == true)
        let at = Self.unanswered(reach: [1, 2])
        #expect(at.map(\.name) == [.sipRetransmit])
        #expect(at.first?.culprit == .proved(Self.router))
    }

    @Test("a request that leaves the router and does not come to the server is lost beyond it", arguments: [true, false])
    func request(leaves: Bool) {
        var taps = PathTaps()
        taps.send(S.register(), at: 0, isOutbound: true)
        taps.send(S.ok(), at: 0.06, isOutbound: false)
        for at in Self.timer.prefix(7) { taps.send(S.invite(), at: 10 + at, isOutbound: true, on: leaves ? [0, 1] : [0]) }
        taps.send(S.register(2), at: 60, isOutbound: true)
        taps.send(S.ok(2), at: 60.06, isOutbound: false)
        let found = taps.accusations()
        #expect(found.map(\.name) == [.sipRetransmit])
        #expect(found.first?.culprit == (leaves ? Self.path : .proved(Self.router)))
    }

    @Test("audio to the router's public place that is lost before the router: the path, and no private session description")
    func audio() {
        var taps = PathTaps()
        taps.call()
        taps.audio(isOutbound: true, ssrc: 1)
        taps.audio(isOutbound: false, ssrc: 2) { tap, _ in tap != 2 }
        taps.send(S.bye(host: Self.host), at: 12, isOutbound: true)
        let found = taps.accusations()
        #expect(found.map(\.name) == [.mediaOneWay])
        #expect(found.first?.culprit == Self.audioPath)
    }

    @Test("a stream that leaves the router whole and comes to the server with holes: the path")
    func holes() {
        var taps = PathTaps()
        taps.call()
        taps.audio(isOutbound: true, ssrc: 1) { tap, number in tap == 2 && number % 8 == 3 }
        taps.audio(isOutbound: false, ssrc: 2)
        taps.send(S.bye(host: Self.host), at: 12, isOutbound: true)
        let found = taps.accusations()
        #expect(found.map(\.name) == [.mediaQuality])
        #expect(found.first?.culprit == Self.audioPath)
        #expect(found.first?.summary.contains("loses them") == false)
    }

    @Test("a stream that comes to the router with the holes it leaves it with: inside, told once")
    func inside() {
        var taps = PathTaps(inside: 2, outside: 1)
        taps.call()
        taps.audio(isOutbound: true, ssrc: 1) { tap, number in tap > 0 && number % 8 == 3 }
        taps.audio(isOutbound: false, ssrc: 2)
        taps.send(S.bye(host: Self.host), at: 12, isOutbound: true)
        let found = taps.accusations()
        #expect(found.map(\.name) == [.mediaQuality])
        #expect(found.first?.culprit == .between("192.168.1.100:4000", Self.router))
    }

    @Test("taps at the phone and at the server alone: the path between is not told from the router")
    func ends() {
        var taps = PathTaps(inside: 1, outside: 2)
        taps.call()
        taps.audio(isOutbound: true, ssrc: 1) { tap, number in tap == 2 && number % 8 == 3 }
        taps.audio(isOutbound: false, ssrc: 2)
        taps.send(S.bye(host: Self.host), at: 12, isOutbound: true)
        #expect(taps.accusations().first?.summary.contains("The router with the outside address 203.0.113.2 loses") == false)
    }
}

@Suite("What a box passed on is not lost, and what a capture lacks was not lost on the line")
struct PassedOnTests {
    private typealias S = SideScene
    private static let timer = [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    private static let host = "192.168.1.100:5060"

    private static func inbound(_ to: String) -> String {
        S.message([
            "INVITE sip:100@\(to) SIP/2.0", "Via: SIP/2.0/UDP 198.51.100.20:5060;rport;branch=z9hG4bK-in",
            "Max-Forwards: 70",
            "From: <sip:300@lab.test>;tag=z1", "To: <sip:100@lab.test>", "Call-ID: call-in@198.51.100.20", "CSeq: 5 INVITE",
            "Contact: <sip:300@198.51.100.20>", "Content-Length: 0",
        ])
    }

    private static func ringing(_ status: String) -> String {
        S.message([
            "SIP/2.0 \(status)", "Via: SIP/2.0/UDP 198.51.100.20:5060;rport;branch=z9hG4bK-in", "From: <sip:300@lab.test>;tag=z1",
            "To: <sip:100@lab.test>;tag=p1", "Call-ID: call-in@198.51.100.20", "CSeq: 5 INVITE", "Content-Length: 0",
        ])
    }

    @Test("an INVITE that comes out of the NAT to the private address was not sent there: the phone is silent")
    func silentPhone() {
        var taps = Taps()
        taps.send(S.register(), at: 0, isOutbound: true)
        taps.send(S.ok(), at: 0.01, isOutbound: false)
        for at in Self.timer { taps.send(Self.inbound(Self.host), at: 20 + at, isOutbound: false) }
        let found = taps.accusations()
        #expect(found.map(\.name) == [.sipRetransmit])
        #expect(found.first?.culprit == .between("the router with the outside address 203.0.113.2", "192.168.1.100:5060"))
        #expect(found.first?.remedies.map(\.actor) == [.phone])
    }

    @Test("answers of the phone that the outside lacks: it is not called silent")
    func lostAnswers() {
        var taps = Taps()
        taps.send(S.register(), at: 0, isOutbound: true)
        taps.send(S.ok(), at: 0.01, isOutbound: false)
        for at in Self.timer {
            taps.send(Self.inbound(Self.host), at: 20 + at, isOutbound: false)
            taps.send(Self.ringing("180 Ringing"), at: 20.1 + at, isOutbound: true, on: [0])
        }
        let found = taps.accusations()
        #expect(found.map(\.name) == [.sipRetransmit])
        #expect(found.first?.culprit == .proved("the router with the outside address 203.0.113.2"))
        #expect(found.first?.summary.contains("silent") == false)
    }

    @Test("sent to the private address outside as well, the server went by Contact")
    func truePrivate() {
        var taps = Taps()
        taps.send(S.register(), at: 0, isOutbound: true)
        taps.send(S.ok(), at: 0.01, isOutbound: false)
        for at in Self.timer {
            taps.see(.sip(Array(Self.inbound(Self.host).utf8), isCut: false), 1, S.server, S.phone, at: 20 + at)
        }
        #expect(taps.accusations().map(\.name) == [.natPrivateContact])
    }

    /// `ours`: which packets the outside capture lacks of what goes out; `theirs`: of what comes in, which reached the inside all the same.
    private static func lossy(_ ours: (Int) -> Bool, _ theirs: (Int) -> Bool) -> [Finding] {
        var taps = Taps()
        taps.call()
        let (phone, outer, server) = (
            Endpoint("192.168.1.100:4000")!, Endpoint("203.0.113.2:4000")!, Endpoint("198.51.100.20:12000")!
        )
        taps.audio(0, phone, server, ssrc: 1)
        taps.audio(1, outer, server, ssrc: 1, without: ours)
        taps.audio(0, server, phone, ssrc: 2)
        taps.audio(1, server, outer, ssrc: 2, without: theirs)
        taps.send(S.bye(host: host), at: 12, isOutbound: true)
        return taps.accusations()
    }

    @Test("a capture that lacks packets which reached the other side lost those of the other direction too")
    func lossyCapture() {
        #expect(Self.lossy({ $0 % 8 == 3 }, { $0 % 9 == 5 }).isEmpty)
        // A few that it lacks do not explain many.
        #expect(Self.lossy({ $0 % 8 == 3 }, { $0 == 100 || $0 == 300 }).map(\.name) == [.mediaQuality])
        #expect(Self.lossy({ $0 % 8 == 3 }, { _ in false }).map(\.name) == [.mediaQuality])
    }

    @Test("a call that both sides saw refused was refused once")
    func countedOnce() {
        var taps = Taps()
        taps.send(S.invite(), at: 0, isOutbound: true)
        taps.send(
            S.answer(host: Self.host).with("200 OK", "486 Busy Here").with("Content-Type: application/sdp\r\n", ""), at: 1,
            isOutbound: false)
        taps.send(S.ack(host: Self.host), at: 1.01, isOutbound: true)
        var analyzer = taps.analyzer
        #expect(analyzer.finish().verdict.hasPrefix("No NAT or ALG fault was found; 1 call failed with 486 Busy Here."))
    }
}
