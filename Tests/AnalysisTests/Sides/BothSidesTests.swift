import Base
import Capture
import Testing

@testable import Analysis

@Suite("What both sides of a router tell together: one cause, and what follows below it")
struct BothSidesTests {
    private typealias S = SideScene

    private static let phoneAudio = Endpoint("192.168.1.100:4000")!
    private static let serverAudio = Endpoint("198.51.100.20:12000")!

    /// A call out of the LAN as both taps see it; `host`, `media`: what the phone's messages say when they leave the router.
    private struct Call {
        var analyzer = Analyzer(sources: [
            SourceSummary(name: "in.pcap", kind: .capture), SourceSummary(name: "out.pcap", kind: .capture),
        ])
        private var frames = [0, 0]

        mutating func see(_ what: Observation.What, _ file: Int, _ source: Endpoint, _ destination: Endpoint, at seconds: Double)
        {
            frames[file] += 1
            analyzer.observe(
                Observation(
                    place: .frame(file: file, number: frames[file]), time: S.start + .microseconds(Int64(seconds * 1e6)),
                    source: source, destination: destination, transport: .udp, what: what))
        }

        mutating func cross(_ inside: String, _ outside: String, at seconds: Double, isOutbound: Bool) {
            let (inner, outer) = (Array(inside.utf8), Array(outside.utf8))
            see(.sip(inner, isCut: false), 0, isOutbound ? S.phone : S.server, isOutbound ? S.server : S.phone, at: seconds)
            see(.sip(outer, isCut: false), 1, isOutbound ? S.outer : S.server, isOutbound ? S.server : S.outer, at: seconds)
        }

        mutating func setUp(host: String, media: String) {
            let own = "192.168.1.100:5060"
            cross(S.invite(), S.invite(host: host, media: media), at: 0, isOutbound: true)
            cross(S.answer(host: own), S.answer(host: host), at: 1, isOutbound: false)
            cross(S.ack(host: own), S.ack(host: host), at: 1.01, isOutbound: true)
        }

        mutating func hangUp(host: String) {
            cross(S.bye(host: "192.168.1.100:5060"), S.bye(host: host), at: 12, isOutbound: true)
        }

        /// Ten seconds of audio.
        mutating func audio(_ file: Int, _ source: Endpoint, _ destination: Endpoint, ssrc: UInt32) {
            for number in 0..<500 {
                let bytes = MediaScene.rtp(0, number, UInt32(number) * 160, ssrc)
                see(.rtp(bytes), file, source, destination, at: 1.1 + Double(number) * 0.02)
            }
        }

        mutating func accusations() -> [Finding] { analyzer.finish().findings.filter { $0.severity.accuses } }
    }

    private static let outerHost = "203.0.113.2:41000"

    @Test("a helper that points audio at a port which the router does not pass on is the fault, and the silence follows from it")
    func helper() throws {
        var call = Call()
        call.setUp(host: Self.outerHost, media: "203.0.113.2")
        call.audio(0, Self.phoneAudio, Self.serverAudio, ssrc: 1)
        call.audio(1, Endpoint("203.0.113.2:50000")!, Self.serverAudio, ssrc: 1)
        call.audio(1, Self.serverAudio, Endpoint("203.0.113.2:4000")!, ssrc: 2)
        call.hangUp(host: Self.outerHost)
        let found = call.accusations()
        #expect(found.map(\.name) == [.algRewritten])
        let finding = try #require(found.first)
        #expect(finding.severity == .fault)
        #expect(finding.summary.hasPrefix("100@lab.test hears nothing: the router wrote 203.0.113.2:4000 into"))
        #expect(finding.culprit == .proved("the router with the outside address 203.0.113.2"))
        #expect(finding.details.contains { $0.hasPrefix("What follows from it: Audio went one way") })
    }

    @Test("a helper whose port the router passes on is a risk and no fault")
    func workingHelper() {
        var call = Call()
        call.setUp(host: Self.outerHost, media: "203.0.113.2")
        call.audio(0, Self.phoneAudio, Self.serverAudio, ssrc: 1)
        call.audio(1, Endpoint("203.0.113.2:4000")!, Self.serverAudio, ssrc: 1)
        call.audio(1, Self.serverAudio, Endpoint("203.0.113.2:4000")!, ssrc: 2)
        call.audio(0, Self.serverAudio, Self.phoneAudio, ssrc: 2)
        call.hangUp(host: Self.outerHost)
        #expect(call.accusations().map { [$0.name.rawValue, $0.severity.rawValue] } == [["alg.rewritten", "risk"]])
    }

    @Test("where the far end sends nothing at all a helper that rewrote the place is not what silenced it")
    func silentPeer() {
        var call = Call()
        call.setUp(host: Self.outerHost, media: "203.0.113.2")
        call.audio(0, Self.phoneAudio, Self.serverAudio, ssrc: 1)
        call.audio(1, Endpoint("203.0.113.2:4000")!, Self.serverAudio, ssrc: 1)
        call.hangUp(host: Self.outerHost)
        #expect(
            call.accusations().map { [$0.name.rawValue, $0.severity.rawValue] } == [
                ["media.one-way", "fault"], ["alg.rewritten", "risk"],
            ])
    }

    @Test("audio of another call that the router drops does not make a helper the cause of this one's silence")
    func otherCall() throws {
        var call = Call()
        call.setUp(host: Self.outerHost, media: "203.0.113.2")
        call.audio(0, Self.phoneAudio, Self.serverAudio, ssrc: 1)
        call.audio(1, Endpoint("203.0.113.2:4000")!, Self.serverAudio, ssrc: 1)
        // Another phone behind the same address, of which the inside capture shows nothing.
        let (other, host) = (Endpoint("203.0.113.2:42000")!, "203.0.113.2:42000")
        func second(_ text: String) -> Observation.What {
            .sip(
                Array(
                    text.with("call-1@", "call-2@").with("tag=f9", "tag=g9").with("tag=t9", "tag=u9").with(
                        "z9hG4bK-", "z9hG4bK-o"
                    )
                    .with("audio 4000", "audio 9000").with("audio 12000", "audio 13000").utf8), isCut: false)
        }
        call.see(second(S.invite(host: host, media: "203.0.113.2")), 1, other, S.server, at: 0.2)
        call.see(second(S.answer(host: host)), 1, S.server, other, at: 1.0)
        call.see(second(S.ack(host: host)), 1, other, S.server, at: 1.02)
        call.audio(1, Endpoint("198.51.100.20:13000")!, Endpoint("203.0.113.2:9000")!, ssrc: 9)
        call.hangUp(host: Self.outerHost)
        let found = call.accusations()
        let helper = try #require(found.first { $0.name == .algRewritten })
        #expect(helper.severity == .risk)
        #expect(!helper.details.contains { $0.hasPrefix("What follows from it") })
        #expect(found.contains { $0.name == .mediaOneWay && $0.severity == .fault })
    }

    @Test("no message changed: the private place that the server sends to is the cause, and the silence inside follows from it")
    func untouched() {
        var call = Call()
        call.setUp(host: "192.168.1.100:5060", media: "192.168.1.100")
        call.audio(0, Self.phoneAudio, Self.serverAudio, ssrc: 1)
        call.audio(1, Endpoint("203.0.113.2:50000")!, Self.serverAudio, ssrc: 1)
        call.audio(1, Self.serverAudio, Self.phoneAudio, ssrc: 2)
        call.hangUp(host: "192.168.1.100:5060")
        #expect(call.accusations().map(\.name) == [.natPrivateSDP])
    }
}

@Suite("Who refuses audio by ICMP")
struct RefusalTests {
    private let a = MediaScene.callerAudio
    private let b = MediaScene.calleeAudio

    private func finding(_ change: (inout MediaScene) -> Void) -> Finding? {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 10)
        change(&scene)
        return scene.finish().findings.first { $0.name == .mediaOneWay }
    }

    @Test("a router's own address without a mapping for the port: the router")
    func router() {
        let found = finding { scene in
            scene.media.translates(at: PackedAddress(a.address))
            scene.say(Endpoint(a.address, 50_000), b, at: 1.1) { $0.seconds = 8 }
            scene.say(b, a, at: 1.1) {
                $0.seconds = 8; $0.ssrc = 2
            }
            for second in 1...8 { scene.icmp(from: a.address, about: b, a, at: Double(second) + 0.2) }
        }
        #expect(found?.culprit == .proved("the router with the outside address 198.51.100.5"))
    }

    @Test("a router's own address from whose port audio had come: the phone behind it, whose refusal was translated")
    func phoneBehind() {
        let found = finding { scene in
            scene.media.translates(at: PackedAddress(a.address))
            scene.say(a, b, at: 1.1) { $0.seconds = 8 }
            scene.say(b, a, at: 1.1) {
                $0.seconds = 8; $0.ssrc = 2
            }
            for second in 1...8 { scene.icmp(from: a.address, about: b, a, at: Double(second) + 0.2) }
        }
        #expect(found?.culprit == .between("the caller (198.51.100.5)", "the router with the outside address 198.51.100.5"))
    }

    @Test("one early refusal, before the port was opened, explains no silence")
    func early() {
        let found = finding { scene in
            scene.say(a, b, at: 1.1) { $0.seconds = 8 }
            scene.icmp(from: b.address, about: a, b, at: 1.1)
        }
        #expect(found?.confidence != .proved)
    }
}
