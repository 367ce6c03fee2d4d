import Base
import Capture
import Testing

@testable import Analysis

@Suite("What both sides show of a line that failed for a time, and of a BYE that never left")
struct OutageBetweenTapsTests {
    private typealias S = SideScene
    private static let router = Culprit.proved("the router with the outside address 203.0.113.2")
    private static let timer = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    private static let host = "192.168.1.100:5060"

    /// Eleven sendings of one REGISTER inside alone, and `again` another, of the same phone started anew.
    private func register(again: Double, isAnswered: Bool = true) -> [Finding] {
        let call = "again@192.168.1.100"
        var taps = Taps()
        taps.send(S.register(1), at: -100, isOutbound: true)
        taps.send(S.ok(1), at: -99.9, isOutbound: false)
        for at in Self.timer { taps.send(S.register(2), at: at, isOutbound: true, on: [0]) }
        taps.send(S.register(call: call), at: again, isOutbound: true)
        if isAnswered { taps.send(S.ok(call: call), at: again + 0.5, isOutbound: false) }
        return taps.analyzer.finish().findings.filter { $0.summary.contains("203.0.113.2") && $0.name == .sipRetransmit }
    }

    @Test("nothing left the router for a time, and later the same passed: an outage, no filter")
    func outage() throws {
        let finding = try #require(register(again: 60).first)
        #expect(
            finding.summary
                == "The router with the outside address 203.0.113.2 let nothing out for a time: 192.168.1.100:5060 sent its REGISTER 11 times to "
                + "198.51.100.20:5060, none appeared outside, and 60.5 s after the first the same passed: an outage, no filter.")
        #expect(finding.culprit == Self.router)
        #expect(finding.remedies.map(\.actor) == [.network])
    }

    @Test("where nothing answers the later one either, the router drops it")
    func filter() {
        let found = register(again: 60, isAnswered: false)
        #expect(found.count == 1)
        #expect(found.first?.summary.contains("drops the REGISTER") == true)
    }

    /// The phone hangs up after 11 s; the server goes on sending if the BYE does not get there.
    private func hungUp(leaves: Bool) -> [Finding] {
        var taps = Taps()
        taps.call()
        for number in 0..<(leaves ? 500 : 2_000) {
            for side in [0, 1] {
                let (inner, server) = (
                    Endpoint(side == 0 ? "192.168.1.100:4000" : "203.0.113.2:4000")!, Endpoint("198.51.100.20:12000")!
                )
                let at = 1.1 + Double(number) * 0.02 + Double(side) * 0.0004
                let stamp = UInt32(number) * 160
                if number < 500 { taps.see(.rtp(MediaScene.rtp(0, number, stamp, 1)), side, inner, server, at: at) }
                taps.see(.rtp(MediaScene.rtp(0, number, stamp, 2)), side, server, inner, at: at)
            }
        }
        for at in leaves ? [0] : Self.timer {
            taps.send(S.bye(host: Self.host), at: 11.2 + at, isOutbound: true, on: leaves ? [0, 1] : [0])
        }
        if leaves {
            let ok = S.bye(host: Self.host).with("BYE sip:200@198.51.100.20 SIP/2.0", "SIP/2.0 200 OK")
            taps.send(ok, at: 11.25, isOutbound: false)
        }
        taps.send(S.register(), at: 60, isOutbound: true)
        taps.send(S.ok(), at: 60.1, isOutbound: false)
        return taps.accusations()
    }

    @Test("a BYE that the router drops leads, and the audio that ends one way for it hangs below")
    func bye() throws {
        let found = hungUp(leaves: false)
        #expect(found.map(\.name) == [.sipRetransmit])
        let finding = try #require(found.first)
        #expect(finding.culprit == Self.router)
        #expect(finding.details.contains { $0.hasPrefix("What follows from it: ") && $0.contains("udio") })
    }

    @Test("a BYE that crosses accuses nobody")
    func crosses() { #expect(hungUp(leaves: true) == []) }
}
