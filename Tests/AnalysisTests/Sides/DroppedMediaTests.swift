import Base
import Capture
import Testing

@testable import Analysis

@Suite("Audio that one side shows and the other lacks: who is to blame, and how sure that is")
struct DroppedMediaTests {
    private typealias S = SideScene
    private static let phone = Endpoint("192.168.1.100:4000")!
    private static let outer = Endpoint("203.0.113.2:4000")!
    private static let server = Endpoint("198.51.100.20:12000")!
    private static let host = "192.168.1.100:5060"

    /// A call whose audio from within crosses, and whose audio from without is lost at the router, or the other way round.
    private static func scene(
        lost isOutbound: Bool = false, trip: Double = 0, drops: Vantage? = nil, opposite: Bool = true
    ) -> [Finding] {
        var taps = Taps()
        taps.trip = trip
        taps.call()
        if isOutbound {
            taps.audio(0, phone, server, ssrc: 1)
        } else {
            taps.audio(1, server, outer, ssrc: 2)
        }
        if opposite {
            taps.audio(0, isOutbound ? server : phone, isOutbound ? phone : server, ssrc: 3)
            taps.audio(1, isOutbound ? server : outer, isOutbound ? outer : server, ssrc: 3)
        }
        taps.send(S.bye(host: host), at: 12, isOutbound: true)
        if let drops { taps.analyzer.blind(Blindness(.drops, "Packets were dropped.", count: 9), in: drops) }
        return taps.analyzer.finish().findings.filter { $0.severity.accuses && $0.name != .captureBlind }
    }

    private static let router = "the router with the outside address 203.0.113.2"

    @Test("lost on the way out or in, the router is proved, and who hears nothing is named", arguments: [false, true])
    func proved(isOutbound: Bool) {
        let found = Self.scene(lost: isOutbound)
        #expect(found.map(\.name) == [.mediaOneWay])
        #expect(found.first?.culprit == .proved(Self.router) && found.first?.confidence == .proved)
        #expect(found.first?.summary.hasPrefix(isOutbound ? "200@lab.test hears nothing" : "100@lab.test hears nothing") == true)
        #expect(found.first?.remedies.first?.actor == .router)
    }

    @Test("a capture that lacks the audio and lost packets itself makes it likely, one that shows it does not")
    func counters() {
        #expect(Self.scene(drops: Vantage(0)).first?.confidence == .likely)
        #expect(Self.scene(drops: Vantage(1)).first?.confidence == .proved)
        #expect(Self.scene(lost: true, drops: Vantage(1)).first?.confidence == .likely)
    }

    @Test("an outer capture far away, as the time out and back tells, puts the path between into question")
    func far() {
        let found = Self.scene(trip: 0.04).first
        #expect(found?.culprit == .between(Self.router, "the place of the outer capture") && found?.confidence == .likely)
        #expect(found?.details.contains { $0.hasPrefix("From one capture to the other and back it takes") } == true)
        #expect(Self.scene(trip: 0.004).first?.culprit == .proved(Self.router))
    }

    @Test("where the opposite direction does not cross either, the router is not proved to drop audio")
    func nothingCrosses() {
        #expect(Self.scene(opposite: false).allSatisfy { $0.culprit != .proved(Self.router) })
    }

    @Test("audio for a border controller inside, which sends on streams of its own, is not dropped by the router")
    func borderController() {
        let inner = Endpoint("192.168.1.1:7000")!
        var taps = Taps()
        taps.call()
        taps.audio(0, Self.phone, inner, ssrc: 1)
        taps.audio(1, Self.outer, Self.server, ssrc: 9)
        taps.audio(0, Self.server, Self.phone, ssrc: 3)
        taps.audio(1, Self.server, Self.outer, ssrc: 3)
        taps.send(S.bye(host: Self.host), at: 12, isOutbound: true)
        let found = taps.analyzer.finish().findings.filter { $0.severity.accuses }
        #expect(found.allSatisfy { $0.culprit != .proved(Self.router) })
    }

    @Test("audio that crosses both ways accuses nobody")
    func healthy() {
        var taps = Taps()
        taps.call()
        taps.audio(0, Self.phone, Self.server, ssrc: 1)
        taps.audio(1, Self.outer, Self.server, ssrc: 1)
        taps.audio(0, Self.server, Self.phone, ssrc: 3)
        taps.audio(1, Self.server, Self.outer, ssrc: 3)
        taps.send(S.bye(host: Self.host), at: 12, isOutbound: true)
        #expect(taps.analyzer.finish().findings.filter { $0.severity.accuses } == [])
    }
}
