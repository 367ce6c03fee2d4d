import Base
import Testing

@testable import Analysis

@Suite("Two calls in a row on the same ports")
struct NextCallTests {
    private typealias S = SideScene
    private static let server = Endpoint("10.0.1.5:5060")!
    private static let (outer, phoneAudio, serverAudio) = (
        S.outer, Endpoint("203.0.113.2:58839")!, Endpoint("10.0.1.5:16384")!
    )

    /// Calls through a server behind a public address of its own, which names that, seen at the server: `pause` seconds lie between them.
    private static func accusations(pause: Double, isSilent second: Bool = false) -> [FindingName] {
        var analyzer = Analyzer(sources: [SourceSummary(name: "srv", kind: .capture)])
        var frame = 0
        func see(_ what: Observation.What, _ source: Endpoint, _ destination: Endpoint, _ at: Double) {
            frame += 1
            analyzer.observe(
                Observation(
                    place: .frame(file: 0, number: frame), time: S.start + .microseconds(Int64((at * 1e6).rounded())),
                    source: source,
                    destination: destination, transport: .udp, what: what))
        }
        var packet = 0
        for call in 0..<2 {
            let start = Double(call) * (8 + pause)
            func say(_ text: String, _ isFromPhone: Bool, _ at: Double) {
                let own = text.with("call-1@", "call-\(call)-long@").with("z9hG4bK-", "z9hG4bK-\(call)").with(
                    "tag=t9", "tag=t9\(call)"
                )
                .with("tag=f9", "tag=f9\(call)")
                see(.sip(Array(own.utf8), isCut: false), isFromPhone ? outer : server, isFromPhone ? server : outer, start + at)
            }
            say(S.invite(), true, 0)
            say(S.answer(host: "192.168.1.100:5060"), false, 1)
            say(S.ack(host: "192.168.1.100:5060"), true, 1.05)
            for number in 0..<300 where call == 0 || !second {
                let at = start + 1.1 + Double(number) * 0.02
                see(.rtp(MediaScene.rtp(0, packet, UInt32(packet) * 160, 11)), phoneAudio, serverAudio, at)
                see(.rtp(MediaScene.rtp(0, packet, UInt32(packet) * 160, 12)), serverAudio, phoneAudio, at + 0.005)
                packet += 1
            }
            say(S.bye(host: "192.168.1.100:5060"), true, 7.5)
            say(
                S.bye(host: "192.168.1.100:5060").with("BYE sip:200@198.51.100.20 SIP/2.0", "SIP/2.0 200 OK").with(
                    "Max-Forwards: 70\r\n", ""), false, 7.55)
        }
        return analyzer.finish().findings.filter { $0.severity.accuses }.map(\.name)
    }

    @Test("with the same SSRC going on: each has its audio", arguments: [1.6, 2.5, 60])
    func sameStream(pause: Double) { #expect(Self.accusations(pause: pause).isEmpty) }

    @Test("of which the second has none: that is told")
    func silent() { #expect(!Self.accusations(pause: 20, isSilent: true).isEmpty) }

    @Test("a pause in which other calls end and begin parts no stream")
    func pauses() {
        var scene = MediaScene()
        scene.call(ended: 40)
        scene.say(MediaScene.callerAudio, MediaScene.calleeAudio, at: 1.1) {
            $0.seconds = 38
            $0.speaks = { !(500..<650).contains($0) && !(1_000..<1_150).contains($0) }
        }
        scene.say(MediaScene.calleeAudio, MediaScene.callerAudio, at: 1.1) {
            $0.seconds = 38
            $0.ssrc = 0x4321
        }
        for (number, start) in [0.5, 11.5, 21.5, 30].enumerated() {
            scene.call(
                dialog: 50 + number, began: start, ended: start + 10,
                offer: MediaScene.sdp(Endpoint("198.51.100.80:\(6_000 + number)")!),
                answer: MediaScene.sdp(Endpoint("203.0.113.80:\(7_000 + number)")!), source: Endpoint("198.51.100.80:5060")!,
                destination: Endpoint("203.0.113.80:5060")!)
        }
        #expect(scene.finish().streams.map(\.ssrc).sorted() == [0x1234, 0x4321])
    }
}
