import Base
import Capture
import Testing

@testable import Analysis

@Suite("Captures with no translation between them, and boxes that both ends address")
struct BetweenTapsTests {
    private typealias S = SideScene
    private static let phone = Endpoint("192.168.1.100:4000")!
    private static let server = Endpoint("198.51.100.20:12000")!
    private static let host = "192.168.1.100:5060"

    /// A call that two taps show with the same addresses. `shows`: whether a packet of a direction passes a tap.
    private static func scene(_ shows: (_ tap: Int, _ isOutbound: Bool, _ number: Int) -> Bool) -> [Finding] {
        var taps = Taps()
        func both(_ text: String, at seconds: Double, isOutbound: Bool) {
            for tap in 0...1 {
                taps.see(
                    .sip(Array(text.utf8), isCut: false), tap, isOutbound ? S.phone : S.server, isOutbound ? S.server : S.phone,
                    at: seconds + (isOutbound == (tap == 0) ? 0 : 0.001))
            }
        }
        both(S.invite(), at: 0, isOutbound: true)
        both(S.answer(host: host), at: 1, isOutbound: false)
        both(S.ack(host: host), at: 1.01, isOutbound: true)
        for tap in 0...1 {
            taps.audio(tap, phone, server, ssrc: 1) { !shows(tap, true, $0) }
            taps.audio(tap, server, phone, ssrc: 2) { !shows(tap, false, $0) }
        }
        both(S.bye(host: host), at: 12, isOutbound: true)
        return taps.accusations()
    }

    private static let between = Culprit.between(
        "the capture nearer 198.51.100.20:12000", "the capture nearer 192.168.1.100:4000")

    @Test("audio that passes the far capture and not the near one is lost between them")
    func filtered() {
        let found = Self.scene { tap, isOutbound, _ in isOutbound || tap == 1 }
        #expect(found.map(\.name) == [.mediaOneWay])
        #expect(found.first?.culprit == Self.between && found.first?.remedies.map(\.actor) == [.network])
    }

    @Test("audio that is whole in the far capture and thin in the near one gets lost between them")
    func thinned() {
        let found = Self.scene { tap, isOutbound, number in isOutbound || tap == 1 || number % 8 != 3 }
        #expect(found.map(\.name) == [.mediaQuality])
        #expect(found.first?.culprit == Self.between)
    }

    @Test("whole in both accuses nobody; thin in both, or both ways in one capture, lies not between them")
    func innocent() {
        #expect(Self.scene { _, _, _ in true } == [])
        #expect(Self.scene { _, isOutbound, number in isOutbound || number % 8 != 3 }.allSatisfy { $0.culprit != Self.between })
        #expect(Self.scene { tap, _, number in tap == 1 || number % 8 != 3 } == [])
        #expect(Self.scene { _, isOutbound, _ in isOutbound }.allSatisfy { $0.culprit != Self.between })
    }

    /// A proxy on the router, that the phone addresses. `sends`: whether it passes audio on, to the inside and to the outside.
    private static func proxied(inward: Bool, outward: Bool, server isHeard: Bool = true) -> [Finding] {
        var taps = Taps()
        let (inner, outer) = (Endpoint("192.168.1.1:5060")!, Endpoint("203.0.113.2:5060")!)
        let via = "Via: SIP/2.0/UDP 203.0.113.2:5060;branch=z9hG4bK-px\r\n"
        func send(_ text: String, at seconds: Double) {
            let isOutbound = !text.hasPrefix("SIP/2.0")
            let out = text.with("Via: SIP/2.0/UDP \(host)", via + "Via: SIP/2.0/UDP \(host)").with(
                "Max-Forwards: 70", "Max-Forwards: 69"
            ).with("c=IN IP4 192.168.1.100", "c=IN IP4 203.0.113.2")
            let inside = text.with("c=IN IP4 198.51.100.20", "c=IN IP4 192.168.1.1")
            taps.see(
                .sip(Array(inside.utf8), isCut: false), 0, isOutbound ? S.phone : inner, isOutbound ? inner : S.phone, at: seconds
            )
            taps.see(
                .sip(Array(out.utf8), isCut: false), 1, isOutbound ? outer : S.server, isOutbound ? S.server : outer, at: seconds)
        }
        send(S.invite(), at: 0)
        send(S.answer(host: host), at: 1)
        send(S.ack(host: host), at: 1.01)
        taps.audio(0, phone, Endpoint("192.168.1.1:12000")!, ssrc: 1)
        if outward { taps.audio(1, Endpoint("203.0.113.2:4000")!, server, ssrc: 3) }
        if isHeard { taps.audio(1, server, Endpoint("203.0.113.2:4000")!, ssrc: 2) }
        if inward { taps.audio(0, Endpoint("192.168.1.1:12000")!, phone, ssrc: 4) }
        send(S.bye(host: host), at: 12)
        return taps.accusations()
    }

    @Test("a proxy that gets audio from both ends and passes none on is named")
    func relay() {
        let found = Self.proxied(inward: false, outward: false)
        #expect(found.map(\.name) == [.mediaOneWay])
        #expect(found.first?.summary.contains("and it sent none to the other end, nor back.") == true)
        #expect(found.first?.remedies.first?.actor == .server)
    }

    @Test("one that passes on, or that gets nothing from one end, is not")
    func relayInnocent() {
        #expect(Self.proxied(inward: true, outward: true) == [])
        #expect(
            Self.proxied(inward: false, outward: true, server: false).allSatisfy { !$0.summary.contains("passes no audio on") })
    }

    /// A box on the router that the phone registers with, and that registers it outside with its own address and the same Call-ID.
    @Test("what a box writes outside that the phone addresses inside is no helper's; alone it may be", arguments: [true, false])
    func ownBox(isSeen: Bool) {
        var taps = Taps()
        let (inner, outer) = (Endpoint("192.168.1.1:5060")!, Endpoint("203.0.113.2:5060")!)
        if isSeen {
            taps.see(.sip(Array(S.register().utf8), isCut: false), 0, S.phone, inner, at: 0)
            taps.see(.sip(Array(S.ok().utf8), isCut: false), 0, inner, S.phone, at: 0.2)
        }
        let own = S.register(9, host: "203.0.113.2:5060").with("tag=f7", "tag=own").with("sip:100@", "sip:900@")
        taps.see(.sip(Array(own.utf8), isCut: false), 1, outer, S.server, at: 0.1)
        taps.see(
            .sip(
                Array(S.ok(9, host: "203.0.113.2:5060").with("tag=f7", "tag=own").with("sip:100@", "sip:900@").utf8), isCut: false
            ), 1,
            S.server, outer, at: 0.15)
        #expect(taps.accusations().contains { $0.name == .algSuspected } == !isSeen)
    }

    @Test(
        "a call that does not come in, to a phone that its router finds nowhere: the phone, not the router",
        arguments: [true, false])
    func away(isSaid: Bool) {
        var taps = Taps()
        taps.send(S.register(), at: 0, isOutbound: true)
        taps.send(S.ok(), at: 0.1, isOutbound: false)
        let call = S.message([
            "INVITE sip:100@203.0.113.2:41000 SIP/2.0", "Via: SIP/2.0/UDP 198.51.100.20:5060;branch=z9hG4bK-in",
            "Max-Forwards: 70",
            "From: <sip:300@lab.test>;tag=z1", "To: <sip:100@lab.test>", "Call-ID: call-in@198.51.100.20", "CSeq: 5 INVITE",
            "Contact: <sip:300@198.51.100.20>", "Content-Length: 0",
        ])
        for (number, at) in [0, 0.5, 1.5, 3.5, 7.5, 15.5].enumerated() {
            taps.send(call, at: 10 + at, isOutbound: false, on: [1])
            guard isSaid, number > 1 else { continue }
            taps.see(
                .icmp(type: 3, code: 1, source: S.server, destination: S.outer), 1, Endpoint("203.0.113.2:0")!, S.server,
                at: 10.1 + at)
        }
        taps.send(S.register(2), at: 40, isOutbound: true)
        taps.send(S.ok(2), at: 40.1, isOutbound: false)
        let found = taps.accusations().filter { $0.name == .sipRetransmit }
        #expect(found.count == 1)
        #expect(found.first?.remedies.first?.actor == (isSaid ? .phone : .router))
    }
}
