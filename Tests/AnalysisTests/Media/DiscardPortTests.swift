import Analysis
import Base
import Testing

@Suite("media.one-way: audio that is asked for at port 9")
struct DiscardPortTests {
    private let a = MediaScene.callerAudio
    private let b = MediaScene.calleeAudio
    private let nine = Endpoint(MediaScene.calleeAudio.address, 9)

    /// A call of 20 s whose callee changes its place at 5 s.
    private func accusations(extra: [String] = [], seconds: Double = 12, direction: String? = nil, moves: Bool = true) -> [String]
    {
        var scene = MediaScene()
        scene.call(ended: 20, offer: MediaScene.sdp(a, extra: extra), answer: MediaScene.sdp(b, extra: extra))
        if moves {
            scene.fact(.description(MediaScene.sdp(nine, direction, extra: extra), isAnswer: false), fromCaller: false, at: 5)
        }
        scene.say(b, a, at: 1.1) {
            $0.seconds = 18; $0.ssrc = 2
        }
        scene.say(a, b, at: 1.1) { $0.seconds = moves ? 4 : 18 }
        if moves {
            scene.say(a, nine, at: 5.2) {
                $0.seconds = seconds; $0.sequence = 2_000; $0.timestamp = 90_000
            }
        }
        return scene.accusations()
    }

    @Test("audio that follows a description to port 9 is lost, through the fault of who named it")
    func discarded() {
        #expect(accusations().contains("media.one-way fault [0]"))
    }

    @Test("with ICE, for a moment, or without such a description: nothing")
    func innocent() {
        #expect(accusations(extra: ["a=ice-ufrag:x", "a=ice-pwd:y"]) == [])
        #expect(accusations(moves: false) == [])
    }
}
