import Base
import Capture
import Testing

@testable import Analysis

@Suite("What one side sent towards the other and that never appeared there: the router drops it")
struct DroppedTests {
    private typealias S = SideScene
    private static let router = Culprit.proved("the router with the outside address 203.0.113.2")
    private static let timer = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    private static let host = "192.168.1.100:5060"

    private static func challenge(_ number: Int = 1) -> String {
        S.ok(number).with("200 OK", "401 Unauthorized").with(
            "Contact: <sip:100@\(host)>;expires=3600\r\n", "WWW-Authenticate: Digest realm=\"lab\", nonce=\"n1\"\r\n")
    }

    private static func inbound(_ method: String = "INVITE") -> String {
        S.message([
            "\(method) sip:100@203.0.113.2:41000 SIP/2.0", "Via: SIP/2.0/UDP 198.51.100.20:5060;rport;branch=z9hG4bK-in",
            "Max-Forwards: 70",
            "From: <sip:300@lab.test>;tag=z1", "To: <sip:100@lab.test>", "Call-ID: call-in@198.51.100.20", "CSeq: 5 \(method)",
            "Contact: <sip:300@198.51.100.20>", "Content-Length: 0",
        ])
    }

    @Test(
        "answers that the outside shows and the inside lacks, whatever the clocks: the router drops them",
        arguments: [0, 3, -3600])
    func answers(skew: Double) throws {
        var taps = Taps(skew: skew)
        for at in Self.timer {
            taps.send(S.register(), at: at, isOutbound: true)
            taps.send(Self.challenge(), at: at + 0.01, isOutbound: false, on: [1])
        }
        let result = taps.analyzer.finish()
        let side = try #require(result.sides.first)
        #expect(side.clockOffset == .microseconds(Int64(skew * 1e6) + 400))
        #expect(side.matchedMessages == 11)
        let found = result.findings.filter { $0.severity.accuses }
        #expect(found.map(\.name) == [.sipRetransmit])
        #expect(found.first?.culprit == Self.router)
        #expect(found.first?.confidence == .proved)
        #expect(
            found.first?.summary
                == "100@lab.test cannot register: the router with the outside address 203.0.113.2 drops the answers. 198.51.100.20:5060 sent 401 "
                + "to its REGISTER 10 times to 203.0.113.2:41000, and none appeared inside.")
        #expect(found.first?.remedies.contains { $0.text.contains("capture at") } == false)
    }

    @Test("in one of several rounds each repetition finds its own partner")
    func rounds() throws {
        var taps = Taps()
        for round in 0..<3 {
            for at in Self.timer.prefix(5) {
                taps.send(S.register(round + 1), at: Double(round) * 20 + at, isOutbound: true)
            }
        }
        let side = try #require(taps.analyzer.finish().sides.first)
        #expect(side.clockOffset == .microseconds(400))
        #expect(side.matchedMessages == 15)
    }

    @Test("an INVITE to the port that the phone wears, seen outside alone: the router does not pass it on")
    func invite() {
        var taps = Taps()
        taps.send(S.register(), at: 0, isOutbound: true)
        taps.send(S.ok(), at: 0.01, isOutbound: false)
        for at in Self.timer.prefix(7) { taps.send(Self.inbound(), at: 100 + at, isOutbound: false, on: [1]) }
        taps.send(S.register(2), at: 200, isOutbound: true)
        taps.send(S.ok(2), at: 200.01, isOutbound: false)
        let found = taps.analyzer.finish().findings.filter { $0.name == .sipRetransmit }
        #expect(found.map(\.culprit) == [Self.router])
        #expect(found.first?.summary.hasPrefix("300@lab.test does not reach 100@lab.test: ") == true)
    }

    @Test("what the inside capture was not there for is not called dropped")
    func later() {
        var taps = Taps()
        taps.send(S.register(), at: 0, isOutbound: true)
        taps.send(S.ok(), at: 0.01, isOutbound: false)
        for at in Self.timer.prefix(7) { taps.send(Self.inbound(), at: 100 + at, isOutbound: false, on: [1]) }
        let found = taps.analyzer.finish().findings.filter { $0.name == .sipRetransmit }
        #expect(found.map(\.culprit) == [.between("198.51.100.20:5060", "203.0.113.2:41000")])
    }

    @Test("a tap that shows one direction alone proves nothing about requests of the other")
    func oneDirection() {
        var taps = Taps()
        taps.send(S.register(), at: 0, isOutbound: true)
        taps.send(S.ok(), at: 0.01, isOutbound: false, on: [1])
        for at in Self.timer.prefix(7) { taps.send(Self.inbound(), at: 100 + at, isOutbound: false, on: [1]) }
        taps.send(S.register(2), at: 200, isOutbound: true)
        taps.send(S.ok(2), at: 200.01, isOutbound: false, on: [1])
        #expect(!taps.analyzer.finish().findings.contains { $0.culprit == Self.router })
    }

    @Test("a single loss that a repetition repaired accuses nobody")
    func repaired() throws {
        var taps = Taps()
        taps.send(S.register(), at: 0, isOutbound: true, on: [0])
        taps.send(S.register(), at: 0.5, isOutbound: true)
        taps.send(S.ok(), at: 0.51, isOutbound: false)
        let result = taps.analyzer.finish()
        #expect(result.sides.first?.clockOffset == .microseconds(400))
        #expect(!result.findings.contains { $0.severity.accuses })
    }

    @Test("ACKs seen inside alone: the router drops them, and the Contact is not to blame")
    func acks() {
        var taps = Taps()
        taps.call(ackedOutside: false)
        for at in Self.timer.dropFirst() {
            taps.send(S.answer(host: Self.host), at: 1 + at, isOutbound: false)
            taps.send(S.ack(host: Self.host), at: 1.01 + at, isOutbound: true, on: [0])
        }
        taps.send(S.bye(host: Self.host), at: 40, isOutbound: true)
        let found = taps.analyzer.finish().findings.filter { $0.severity.accuses }
        #expect(found.first?.name == .sipNoACK)
        #expect(found.first?.culprit == Self.router)
        #expect(found.first?.remedies.contains { $0.text.contains("Contact") } == false)
    }

    private static let phoneAudio = Endpoint("192.168.1.100:4000")!
    private static let outerAudio = Endpoint("203.0.113.2:4000")!
    private static let serverAudio = Endpoint("198.51.100.20:12000")!

    @Test("audio that came to the router and never left it: the router, and no word of audio both ways")
    func audio() {
        var taps = Taps()
        taps.call()
        taps.audio(0, Self.phoneAudio, Self.serverAudio, ssrc: 1)
        taps.audio(1, Self.outerAudio, Self.serverAudio, ssrc: 1)
        taps.audio(1, Self.serverAudio, Self.outerAudio, ssrc: 2)
        taps.send(S.bye(host: Self.host), at: 12, isOutbound: true)
        let found = taps.analyzer.finish().findings
        #expect(found.filter { $0.severity.accuses }.map(\.name) == [.mediaOneWay])
        #expect(found.first?.culprit == Self.router)
        #expect(found.first?.confidence == .proved)
        #expect(
            found.first?.summary.hasPrefix("100@lab.test hears nothing: 500 RTP packets of the callee (198.51.100.20:12000)")
                == true)
        #expect(!found.contains { $0.details.contains { $0.contains("both ways") } })
    }

    @Test("one side lacks a twentieth of a stream that the other has whole: the router loses it; before it, the capture did")
    func loss() {
        for isBehind in [true, false] {
            var taps = Taps()
            taps.call()
            taps.audio(isBehind ? 0 : 1, isBehind ? Self.phoneAudio : Self.outerAudio, Self.serverAudio, ssrc: 1)
            taps.audio(isBehind ? 1 : 0, isBehind ? Self.outerAudio : Self.phoneAudio, Self.serverAudio, ssrc: 1) { $0 % 15 == 7 }
            taps.audio(0, Self.serverAudio, Self.phoneAudio, ssrc: 2)
            taps.audio(1, Self.serverAudio, Self.outerAudio, ssrc: 2)
            taps.send(S.bye(host: Self.host), at: 12, isOutbound: true)
            let found = taps.analyzer.finish().findings.filter { $0.name == .mediaQuality }
            #expect(found.map(\.severity.accuses) == [isBehind])
            if isBehind { #expect(found.first?.culprit == Self.router) }
        }
    }

    @Test("requests to the port that a helper wrote into Contact stay unanswered: the helper leads, the rest hangs below it")
    func contact() {
        var taps = Taps()
        let rewritten = S.register().with("Contact: <sip:100@\(Self.host)>", "Contact: <sip:100@203.0.113.2:61000>")
        taps.send(S.register(), at: 0, isOutbound: true, on: [0])
        taps.send(rewritten, at: 0, isOutbound: true, on: [1])
        taps.send(S.ok(), at: 0.01, isOutbound: false)
        for at in Self.timer.prefix(7) {
            taps.see(
                .sip(Array(Self.inbound().with("203.0.113.2:41000", "203.0.113.2:61000").utf8), isCut: false), 1, S.server,
                Endpoint("203.0.113.2:61000")!, at: 60 + at)
        }
        let found = taps.analyzer.finish().findings.filter { $0.severity.accuses }
        #expect(found.map(\.name) == [.algRewritten])
        #expect(found.first?.severity == .fault)
        #expect(
            found.first?.summary.hasPrefix("100@lab.test cannot be reached: the router wrote 203.0.113.2:61000 into Contact")
                == true)
    }

    @Test(
        "a BYE that comes to the router after the phone's last message, while its audio is still captured: dropped, and silence follows"
    )
    func bye() {
        var taps = Taps()
        taps.analyzer = Analyzer(
            sources: ["in.pcap", "out.pcap"].map {
                SourceSummary(name: $0, kind: .capture, first: S.start, last: S.start + .seconds(40))
            })
        taps.call()
        taps.audio(0, Self.phoneAudio, Self.serverAudio, ssrc: 1)
        taps.audio(1, Self.outerAudio, Self.serverAudio, ssrc: 1)
        for (at, number) in zip(Self.timer, 0...) where number < 8 {
            taps.send(
                Self.inbound("BYE").with("call-in@198.51.100.20", "call-1@192.168.1.100").with("tag=z1", "tag=t9").with(
                    "<sip:100@lab.test>", "<sip:100@lab.test>;tag=f9"), at: 3 + at, isOutbound: false, on: [1])
        }
        for number in 500..<1_500 {
            taps.see(
                .rtp(MediaScene.rtp(0, number, UInt32(number) * 160, 1)), 0, Self.phoneAudio, Self.serverAudio,
                at: 1.1 + Double(number) * 0.02)
        }
        let found = taps.accusations()
        let drop = found.first { $0.name == .sipRetransmit }
        #expect(drop?.culprit == Self.router)
    }

    @Test("answers from another port than was asked are dropped by any NAT: the server is told, not the router")
    func otherPort() {
        var taps = Taps()
        for at in Self.timer {
            taps.send(S.register(), at: at, isOutbound: true)
            taps.see(
                .sip(Array(Self.challenge().utf8), isCut: false), 1, Endpoint("198.51.100.20:5070")!, S.outer, at: at + 0.01)
        }
        let found = taps.accusations()
        #expect(found.map(\.name) == [.sipRetransmit])
        #expect(found.first?.summary.hasPrefix("The answers to the REGISTER") == true)
        #expect(found.first?.culprit != Self.router)
        #expect(found.first?.remedies.first?.actor == .server)
    }

    @Test("of several phones one's requests do not leave the router, while the others' do")
    func onePhone() {
        var taps = Taps()
        for (index, phone) in ["192.168.1.101:5060", "192.168.1.102:5060"].enumerated() {
            for number in 1...2 {
                let text = S.register(number).with("3c4d-77@", "phone\(index)-x@").with("=f7", "=p\(index)").with(
                    "-aa", "-p\(index)")
                let answer = S.ok(number).with("3c4d-77@", "phone\(index)-x@").with("=f7", "=p\(index)").with("-aa", "-p\(index)")
                let at = Double(number) * 30 - 29
                let outer = Endpoint("203.0.113.2:\(42_000 + index)")!
                for (file, place) in [(0, Endpoint(phone)!), (1, outer)] {
                    taps.see(.sip(Array(text.utf8), isCut: false), file, place, S.server, at: at)
                    taps.see(.sip(Array(answer.utf8), isCut: false), file, S.server, place, at: at + 0.02)
                }
            }
        }
        for at in Self.timer.prefix(7) { taps.send(S.register(), at: 5 + at, isOutbound: true, on: [0]) }
        let found = taps.accusations().filter { $0.name == .sipRetransmit }
        #expect(found.map(\.culprit) == [Self.router])
    }
}
