import Analysis
import Base
import Testing

@Suite("The same message on both sides of a box")
struct SideMatchingTests {
    private typealias S = SideScene

    private func result(_ scene: SideScene) -> (findings: [Finding], side: SideComparison?) {
        var scene = scene
        let (findings, sides) = scene.sides.finish()
        return (findings, sides.first)
    }

    // MARK: Nothing wrong

    @Test("translated packets with the same bytes inside: transparent, and nothing is said")
    func plainNAT() {
        var scene = SideScene()
        for number in 1...5 {
            scene.cross(S.register(number), S.register(number), at: Double(number))
            scene.cross(S.ok(number), S.ok(number), at: Double(number) + 0.05, isOutbound: false)
        }
        let (findings, side) = result(scene)
        #expect(findings.isEmpty)
        #expect(side?.box == .transparent)
        #expect(side?.matchedMessages == 10)
        #expect(side?.changedMessages == 0)
        #expect(side?.translatedTo == S.outer)
        #expect(side?.isInsideProved == true)
    }

    @Test("the same place captured twice is no box at all")
    func twice() {
        var scene = SideScene()
        scene.cross(S.register(), S.register(), at: 0, outer: S.phone)
        #expect(result(scene).side == nil)
    }

    @Test("captures of other talks do not match")
    func strangers() {
        var scene = SideScene()
        scene.cross(S.register(), nil, at: 0)
        scene.cross(
            nil,
            S.register(1, call: "other").with("tag=f7", "tag=g1").with("z9hG4bK-1-aa", "z9hG4bK-q").with("sip:100@", "sip:300@"),
            at: 0)
        let (findings, side) = result(scene)
        #expect(findings.isEmpty)
        #expect(side == nil)
    }

    @Test("a B2BUA's two calls have nothing of their own in common: not matched")
    func b2bua() {
        var scene = SideScene()
        let other = S.invite(host: "203.0.113.2:5060", media: "203.0.113.2", call: "b2b-77").with("tag=f9", "tag=zz9")
            .with("z9hG4bK-inv", "z9hG4bKother").with("CSeq: 7", "CSeq: 102").with("53655765 2353687637", "11111111 22222222")
        scene.cross(S.invite(), other, at: 0, peer: Endpoint("192.168.1.1:5060")!, outerPeer: S.server)
        #expect(result(scene).side == nil)
    }

    @Test("a proxy that the phone addresses does its work: a note, no accusation")
    func proxy() {
        var scene = SideScene()
        let forwarded = S.register().with("Max-Forwards: 70", "Max-Forwards: 69")
            .with("Via: SIP/2.0/UDP 192", "Via: SIP/2.0/UDP 203.0.113.2;branch=z9hG4bKpx\r\nVia: SIP/2.0/UDP 192")
        scene.cross(S.register(), forwarded, at: 0, peer: Endpoint("192.168.1.1:5060")!, outerPeer: S.server)
        let (findings, side) = result(scene)
        #expect(findings.map(\.severity) == [.note])
        #expect(side?.box == .proxy)
        #expect(side?.messages.first?.changes.map(\.field) == [.via, .maxForwards])
    }

    @Test("a proxy's work alone on the way to somebody else is a note too")
    func proxyStyle() {
        var scene = SideScene()
        let forwarded = S.register().with("Max-Forwards: 70", "Max-Forwards: 69")
            .with("Via: SIP/2.0/UDP 192", "Via: SIP/2.0/UDP 203.0.113.2;branch=z9hG4bKpx\r\nVia: SIP/2.0/UDP 192")
        scene.cross(S.register(), forwarded, at: 0)
        #expect(result(scene).findings.map(\.severity) == [.note])
    }

    // MARK: Rewriting

    @Test("rewritten addresses prove a helper: which fields, in how many messages, with both texts")
    func rewritten() throws {
        var scene = SideScene()
        scene.cross(S.register(), S.register(host: "203.0.113.2:41000"), at: 0)
        scene.cross(S.ok(), S.ok(host: "203.0.113.2:41000"), at: 0.05, isOutbound: false)
        let (findings, side) = result(scene)
        let finding = try #require(findings.first)
        #expect(findings.count == 1)
        #expect(finding.name == .algRewritten)
        #expect(finding.severity == .risk)
        #expect(finding.confidence == .proved)
        #expect(finding.culprit == .proved("the router with the outside address 203.0.113.2"))
        #expect(finding.subject.dialogs == [0, 1])
        #expect(finding.subject.callID == "3c4d-77@192.168.1.100")
        #expect(finding.evidence.count == 4)
        #expect(side?.box == .helper)
        #expect(side?.fields.map(\.field) == [.via, .contact])
        #expect(side?.fields.first?.inside == "SIP/2.0/UDP 192.168.1.100:5060")
        #expect(side?.fields.first?.outside == "SIP/2.0/UDP 203.0.113.2:41000")
        #expect(side?.messages.map(\.isOutbound) == [true, false])
        #expect(side?.messages.first?.changes.map(\.kind) == [.translated, .translated])
    }

    @Test(
        "any single identifying field may be rewritten, and the message is still matched",
        arguments: [
            ("branch=z9hG4bK-inv", "branch=z9hG4bKalg1"), ("Call-ID: call-1@192.168.1.100", "Call-ID: call-1@203.0.113.2"),
            ("Call-ID: call-1@192.168.1.100", "Call-ID: 9f8e7d@box"), ("tag=f9", "tag=alg"),
            ("sip:100@lab.test", "sip:anon@203.0.113.2"),
            ("CSeq: 7 INVITE", "CSeq: 8 INVITE"), ("53655765 2353687637", "1 1"),
        ])
    func anyField(old: String, new: String) {
        var scene = SideScene()
        scene.cross(S.invite(), S.invite().with(old, new), at: 0)
        let (findings, side) = result(scene)
        #expect(side?.matchedMessages == 1)
        #expect(findings.map(\.name) == [.algRewritten])
    }

    @Test("branch, Call-ID, Via, Contact and SDP all at once: still matched by tags, users and CSeq")
    func all() {
        var scene = SideScene()
        let outside = S.invite(host: "203.0.113.2:41000", media: "203.0.113.2", call: "hidden-9").with("z9hG4bK-inv", "z9hG4bKzz")
        scene.cross(S.invite(), outside, at: 0)
        let (_, side) = result(scene)
        #expect(side?.matchedMessages == 1)
        #expect(
            side?.messages.first?.changes.map(\.field) == [
                .via, .viaBranch, .callID, .contact, .contentLength, .sdpOrigin, .sdpConnection,
            ])
    }

    @Test("a Content-Length that no longer fits the body breaks the message: a fault")
    func miscounted() throws {
        var scene = SideScene()
        let right = S.invite()
        let count = try #require(right.firstRange(of: "Content-Length: ")).upperBound
        let number = Int(right[count...].prefix { $0.isNumber })
        scene.cross(right, S.invite(host: "203.0.113.2:41000", media: "203.0.113.2", length: number), at: 0)
        let (findings, side) = result(scene)
        #expect(findings.map(\.severity) == [.fault])
        #expect(side?.messages.first?.changes.contains { $0.kind == .miscounted } == true)
    }

    @Test("altered credentials break the digest: a fault")
    func credentials() {
        let answer =
            "Expires: 3600\r\nAuthorization: Digest username=\"100\", nonce=\"n1\", uri=\"sip:lab.test\", response=\"ab12\""
        var scene = SideScene()
        let inside = S.register().with("Expires: 3600", answer)
        scene.cross(inside, inside.with("uri=\"sip:lab.test\"", "uri=\"sip:203.0.113.2\""), at: 0)
        let (findings, _) = result(scene)
        #expect(findings.map(\.severity) == [.fault])
        #expect(findings.first?.summary.contains("digest") == true)
    }

    @Test("headers that were only moved are told as layout")
    func moved() {
        var scene = SideScene()
        let moved = S.register().with("Expires: 3600\r\n", "").with(
            "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\nExpires: 3600\r\n")
        scene.cross(S.register(), moved, at: 0)
        #expect(result(scene).side?.messages.first?.changes.map(\.field) == [.layout])
    }

    // MARK: Sides and clocks

    @Test("private addresses tell which capture is the inside, in whatever order they come")
    func order() {
        for file in [0, 1] {
            var scene = SideScene()
            scene.insideFile = file
            scene.skew = .milliseconds(-250)
            scene.cross(S.register(), S.register(host: "203.0.113.2:41000"), at: 0)
            let side = result(scene).side
            #expect(side?.inside.index == UInt16(file))
            #expect(side?.outside.index == UInt16(1 - file))
            #expect(side?.isInsideProved == true)
            #expect(side?.messages.first?.isOutbound == true)
            #expect(side?.clockOffset == .milliseconds(-249))
        }
    }

    @Test(
        "three captures along one path are put in order, whatever order they come in, and only neighbours are compared",
        arguments: [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
    func chain(order: [Int]) {
        var sides = SideMatching()
        let places = [Endpoint("192.168.1.100:5060")!, Endpoint("10.0.0.5:5060")!, Endpoint("203.0.113.2:41000")!]
        for (place, source) in places.enumerated() {
            // The second router rewrites.
            let text = place < 2 ? S.register() : S.register(host: "203.0.113.2:41000")
            sides.message(
                SideMessage(
                    place: .frame(file: order[place], number: 1), time: S.start + .milliseconds(place), source: source,
                    destination: S.server, isStream: false, bytes: Array(text.utf8), dialog: order[place]))
        }
        let (findings, compared) = sides.finish()
        #expect(
            Set(compared.map { [$0.inside.index, $0.outside.index].map(Int.init) }) == [
                [order[0], order[1]], [order[1], order[2]],
            ])
        #expect(findings.map(\.name) == [.algRewritten])
        #expect(findings.first?.summary.hasPrefix("The router that translates 10.0.0.5 to 203.0.113.2 rewrites SIP") == true)
    }

    @Test("clocks that are hours apart are aligned, and messages held back by the box are still matched")
    func clocks() {
        var scene = SideScene()
        scene.skew = .seconds(7_200)
        for number in 1...30 {
            scene.cross(S.register(number), S.register(number), at: Double(number))
            scene.cross(
                S.ok(number), S.ok(number), at: Double(number) + 0.05, isOutbound: false, delay: number % 5 == 0 ? 0.2 : 0.001)
        }
        let side = result(scene).side
        #expect(side?.matchedMessages == 60)
        let offset = side?.clockOffset ?? .zero
        #expect(offset >= .milliseconds(7_199_990) && offset <= .milliseconds(7_200_010))
    }

    @Test("a clock that gains 50 ppm is seen to")
    func drift() {
        var scene = SideScene()
        for number in 0..<300 {
            scene.skew = .seconds(1) + .microseconds(number * 10 * 50)
            scene.cross(S.register(number), S.register(number), at: Double(number * 10))
        }
        let side = result(scene).side
        #expect(side?.matchedMessages == 300)
        #expect(abs((side?.clockDrift ?? 0) - 50) < 1)
    }

    @Test("retransmissions are paired in their order, each once")
    func retransmissions() {
        var scene = SideScene()
        for at in [0, 0.5, 1.5, 3.5] { scene.cross(S.register(), S.register(host: "203.0.113.2:41000"), at: at) }
        scene.cross(S.register(), nil, at: 7.5)
        scene.cross(S.ok(), S.ok(host: "203.0.113.2:41000"), at: 8, isOutbound: false)
        let side = result(scene).side
        #expect(side?.matchedMessages == 5)
        #expect(side?.insideOnly == 1)
        #expect(side?.outsideOnly == 0)
        #expect(side?.messages.allSatisfy { $0.delay == .milliseconds(0) || ($0.delay ?? .zero) < .milliseconds(3) } == true)
    }

    @Test("two thousand messages of one dialog are matched, each with its own")
    func many() {
        var scene = SideScene()
        for number in 0..<2_000 {
            scene.cross(S.register(number), S.register(number, host: "203.0.113.2:41000"), at: Double(number))
        }
        let (findings, side) = result(scene)
        #expect(side?.matchedMessages == 2_000)
        #expect(side?.changedMessages == 2_000)
        #expect(findings.count == 1)
        #expect(side?.messages.count == 200)
    }

    @Test("octets that are no SIP, or cut anywhere, trap nothing")
    func hostile() {
        let text = S.invite()
        var scene = SideScene()
        for length in stride(from: 0, to: text.utf8.count, by: 7) {
            let cut = String(text.prefix(length))
            scene.cross(cut, cut.with("192.168.1.100", "203.0.113.2"), at: Double(length))
        }
        scene.cross(
            "INVITE sip:\u{0}@ SIP/2.0\r\nVia\r\n:\r\nCall-ID:@\r\n\r\nc=\r\no=\r\nm=", "SIP/2.0 200\r\nVia: ;;;,,\r\n", at: 1)
        _ = result(scene)
    }
}
