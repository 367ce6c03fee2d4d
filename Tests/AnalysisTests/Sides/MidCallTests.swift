import Base
import Capture
import Testing

@testable import Analysis

@Suite("Audio that a box held up, or passed on for a while only; and captures that lack or time it wrongly themselves")
struct MidCallTests {
    private typealias S = SideScene
    private static let phone = Endpoint("192.168.1.100:4000")!
    private static let outer = Endpoint("203.0.113.2:4000")!
    private static let server = Endpoint("198.51.100.20:12000")!
    private static let host = "192.168.1.100:5060"
    private static let router = Culprit.proved("the router with the outside address 203.0.113.2")

    /// 600 packets of one direction at both taps. `time`: when one passes a tap after its time, nil where it does not.
    private static func audio(
        _ taps: inout Taps, isOutbound: Bool, ssrc: UInt32, after gap: Double = 0, time: (_ tap: Int, _ number: Int) -> Double?
    ) {
        for tap in 0...1 {
            let own = tap == 0 ? phone : outer
            for number in 0..<600 {
                guard let late = time(tap, number) else { continue }
                taps.see(
                    .rtp(MediaScene.rtp(0, number, UInt32(number) * 160, ssrc)), tap, isOutbound ? own : server,
                    isOutbound ? server : own,
                    at: 1.1 + Double(number) * 0.02 + late + (number >= 300 ? gap : 0) + (isOutbound == (tap == 0) ? 0 : 0.0004))
            }
        }
    }

    private static func scene(
        out: (_ tap: Int, _ number: Int) -> Double? = { _, _ in 0 }, back: (_ tap: Int, _ number: Int) -> Double? = { _, _ in 0 },
        gap: Double = 0, skew: Double = 0
    ) -> [Finding] {
        var taps = Taps(skew: skew)
        taps.call()
        audio(&taps, isOutbound: true, ssrc: 1, after: gap, time: out)
        audio(&taps, isOutbound: false, ssrc: 2, after: gap, time: back)
        taps.send(S.bye(host: host), at: 14 + gap, isOutbound: true)
        return taps.accusations()
    }

    /// A queue that fills and empties.
    private static func queue(_ number: Int) -> Double { 0.3 * Double(number % 40) / 40 }

    @Test("audio that ends inside and goes on outside, while the other way crosses: the router", arguments: [0, 7.0])
    func halted(skew: Double) {
        let found = Self.scene(back: { $0 == 0 && $1 >= 300 ? nil : 0 }, skew: skew)
        #expect(found.map(\.name) == [.mediaOneWay])
        #expect(found.first?.severity == .fault && found.first?.culprit == Self.router)
        #expect(
            found.first?.summary
                == "100@lab.test no longer hears the other end, for 6.0 s up to the end: 300 RTP packets from 198.51.100.20:12000 to 203.0.113.2:4000 "
                + "came to the router with the outside address 203.0.113.2, and it passed none of them on, while it had passed those before."
        )
    }

    @Test("the same on the way out")
    func haltedOut() {
        let found = Self.scene(out: { $0 == 1 && $1 >= 300 ? nil : 0 })
        #expect(found.contains { $0.name == .mediaOneWay && $0.culprit == Self.router })
    }

    @Test("both directions end in one capture, as when it ends early; a pause of both; a short rest: nobody is accused")
    func innocent() {
        let early: (Int, Int) -> Double? = { $0 == 0 && $1 >= 300 ? nil : 0 }
        #expect(Self.scene(out: early, back: early) == [])
        #expect(Self.scene(gap: 6) == [])
        #expect(Self.scene(back: { $0 == 0 && $1 >= 500 ? nil : 0 }).allSatisfy { $0.name != .mediaOneWay })
        #expect(Self.scene(out: { $1 >= 300 ? nil : 0 }).allSatisfy { $0.culprit != Self.router })
    }

    @Test("audio on time before the router and late behind it is held up there, either way", arguments: [true, false])
    func heldUp(isOutbound: Bool) {
        let late: (Int, Int) -> Double? = { $0 == (isOutbound ? 1 : 0) ? Self.queue($1) : 0 }
        let found = isOutbound ? Self.scene(out: late) : Self.scene(back: late)
        #expect(found.map(\.name) == [.mediaQuality])
        #expect(found.first?.culprit == Self.router && found.first?.remedies.first?.actor == .router)
        #expect(
            found.first?.summary.hasSuffix(
                "The router with the outside address 203.0.113.2 holds them up: before it 0 of 600 are late.") == true)
    }

    @Test("late on both sides is late before the router, and told once", arguments: [true, false])
    func heldUpBefore(isOutbound: Bool) {
        let late: (Int, Int) -> Double? = { Self.queue($1) }
        let found = isOutbound ? Self.scene(out: late) : Self.scene(back: late)
        #expect(found.map(\.name) == [.mediaQuality])
        #expect(found.first?.culprit != Self.router)
    }

    @Test("late before the router and on time behind it: no line does that, the capture's clock is not true")
    func wrongClock() {
        #expect(Self.scene(out: { $0 == 0 ? Self.queue($1) : 0 }) == [])
        // A clock that is 2 % fast.
        let fast: (Int, Int) -> Double? = { $0 == 1 ? 0.0004 * Double($1) : 0 }
        #expect(Self.scene(out: fast, back: fast) == [])
    }

    @Test("where nothing of the other direction proves the late side's clock, the router is not blamed")
    func unproved() {
        let late: (Int, Int) -> Double? = { $0 == 0 ? Self.queue($1) : 0 }
        #expect(Self.scene(out: { _, _ in nil }, back: late).allSatisfy { $0.culprit != Self.router })
    }
}

@Suite("A capture that lacks packets of both directions that another one has did not record them")
struct LossyCaptureTests {
    /// A relay of its own between two captures, of which no message is on both: `lacks`, which packets of a capture and direction are missing.
    private static func scene(lacks: (_ tap: Int, _ isOutbound: Bool, _ number: Int) -> Bool) -> [Finding] {
        var taps = Taps()
        let ends = [
            (Endpoint("192.168.1.100:4000")!, Endpoint("192.168.1.1:7070")!),
            (Endpoint("203.0.113.2:7070")!, Endpoint("198.51.100.20:12000")!),
        ]
        let host = "203.0.113.2:41000"
        for text in [
            SideScene.invite(host: host, media: "203.0.113.2").with("m=audio 4000", "m=audio 7070"), SideScene.answer(host: host),
            SideScene.ack(host: host),
        ] {
            let isOutbound = !text.hasPrefix("SIP/2.0")
            taps.see(
                .sip(Array(text.utf8), isCut: false), 1, isOutbound ? SideScene.outer : SideScene.server,
                isOutbound ? SideScene.server : SideScene.outer, at: 0.5)
        }
        for (tap, (near, far)) in ends.enumerated() {
            for isOutbound in [true, false] {
                for number in 0..<500 where !lacks(tap, isOutbound, number) {
                    taps.see(
                        .rtp(MediaScene.rtp(0, number, UInt32(number) * 160, isOutbound ? 1 : 2)), tap, isOutbound ? near : far,
                        isOutbound ? far : near, at: 1.1 + Double(number) * 0.02)
                }
            }
        }
        return taps.accusations().filter { $0.name == .mediaQuality }
    }

    @Test("packets of both directions are missing here and there in one capture alone: it lost them")
    func lossy() {
        #expect(Self.scene { tap, isOutbound, number in tap == 1 && number % 9 == (isOutbound ? 3 : 5) } == [])
    }

    @Test("a box that loses both directions is before one capture on each way; one direction alone may be the line's")
    func lines() {
        #expect(
            Self.scene { tap, isOutbound, number in tap == (isOutbound ? 1 : 0) && number % 9 == 4 }.isEmpty == false)
        #expect(Self.scene { tap, isOutbound, number in tap == 1 && !isOutbound && number % 9 == 4 }.isEmpty == false)
        #expect(Self.scene { _, _, number in number % 9 == 4 }.isEmpty == false)
    }
}
