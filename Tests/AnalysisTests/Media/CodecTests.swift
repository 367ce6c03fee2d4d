import Analysis
import Base
import Testing

@Suite("codec.not-negotiated")
struct CodecTests {
    private let a = MediaScene.callerAudio
    private let b = MediaScene.calleeAudio

    /// A call with PCMU agreed, and audio of the callee in `type`.
    private func accusations(
        sending type: UInt8, seconds: Double = 6, callerTakes: [String] = ["0 PCMU/8000"],
        calleeNames: [String] = ["0 PCMU/8000"],
        _ change: (inout MediaScene) -> Void = { _ in }
    ) -> [String] {
        var scene = MediaScene()
        scene.call(
            ended: 8, offer: MediaScene.sdp(a, formats: callerTakes), answer: MediaScene.sdp(b, formats: calleeNames))
        change(&scene)
        scene.say(a, b, at: 1.1) { $0.payloadType = UInt8(callerTakes[0].prefix { $0 != " " })! }
        scene.say(b, a, at: 1.1) {
            $0.payloadType = type; $0.seconds = seconds; $0.ssrc = 2
        }
        return scene.accusations()
    }

    @Test("G.729 into a call of PCMU alone: a fault of its sender")
    func foreign() throws {
        #expect(accusations(sending: 18) == ["codec.not-negotiated fault [0]"])
        var scene = MediaScene()
        scene.call(ended: 8)
        scene.say(b, a, at: 1.1) {
            $0.payloadType = 18; $0.ssrc = 2
        }
        scene.say(a, b, at: 1.1)
        let finding = try #require(scene.finish().findings.first { $0.name == .codecNotNegotiated })
        #expect(
            finding.summary
                == "The callee (203.0.113.9:5060) sends G729 (payload type 18), which was never negotiated: the caller hears silence or noise."
        )
        #expect(finding.culprit == .proved("the callee (203.0.113.9:5060)"))
    }

    @Test("what the listener named is agreed, though the answer chose another")
    func chosenOther() {
        #expect(accusations(sending: 8, callerTakes: ["0 PCMU/8000", "8 PCMA/8000"]) == [])
    }

    @Test("a sender that uses its own number for a dynamic format is understood")
    func ownNumber() {
        #expect(accusations(sending: 111, callerTakes: ["96 opus/48000"], calleeNames: ["111 opus/48000"]) == [])
    }

    @Test("what only the sender named is no accusation: most phones take it")
    func sendersOwn() { #expect(accusations(sending: 8, calleeNames: ["0 PCMU/8000", "8 PCMA/8000"]) == []) }

    @Test("comfort noise alone is no codec", arguments: [13, 19])
    func comfortNoise(type: UInt8) {
        #expect(!accusations(sending: type).contains { $0.hasPrefix("codec") })
    }

    @Test("a format that a later description names is agreed")
    func renegotiated() {
        let found = accusations(sending: 9) { scene in
            let (offer, answer) = (MediaScene.sdp(a, formats: ["9 G722/8000"]), MediaScene.sdp(b, formats: ["9 G722/8000"]))
            scene.fact(.description(offer, isAnswer: false), fromCaller: true, at: 1.05)
            scene.fact(.description(answer, isAnswer: true), fromCaller: false, at: 1.06)
        }
        #expect(found == [])
    }
}
