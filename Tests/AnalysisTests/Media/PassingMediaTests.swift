import Analysis
import Base
import Testing

@Suite("Audio that takes another way than its signalling: no accusation")
struct PassingMediaTests {
    private static let a = MediaScene.callerAudio
    private static let b = MediaScene.calleeAudio
    private static let server = Endpoint("192.0.2.1:5060")!

    @Test("two legs of a server, audio directly between the phones: it counts for both dialogs", arguments: [true, false])
    func direct(isThere: Bool) {
        var scene = MediaScene()
        if !isThere { scene.neighbour() }
        scene.call(dialog: 0, ended: 20, offer: MediaScene.sdp(Self.a), answer: MediaScene.sdp(Self.b), destination: Self.server)
        scene.call(
            dialog: 1, began: 0.1, ended: 20, offer: MediaScene.sdp(Self.a), answer: MediaScene.sdp(Self.b), source: Self.server)
        if isThere {
            scene.say(Self.a, Self.b, at: 1.2) { $0.seconds = 18 }
            scene.say(Self.b, Self.a, at: 1.2) {
                $0.seconds = 18
                $0.ssrc = 2
            }
        }
        #expect(scene.accusations().filter { $0.contains("media") } == [])
        #expect(scene.media.outcome(ofDialog: 0) == (isThere ? .bothWays : .unknown))
        #expect(scene.media.outcome(ofDialog: 1) == (isThere ? .bothWays : .unknown))
    }

    @Test("two hosts that signal for themselves past the capture: audio that is missing is still missing")
    func missing() {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 20)
        #expect(scene.accusations() == ["media.none fault [0]"])
    }

    @Test("three packets of hundreds, signalled by nobody, are no audio")
    func noAudio() {
        var scene = MediaScene()
        scene.say(Self.a, Self.b, at: 0) {
            $0.seconds = 20
            $0.isLost = { $0 > 5 && $0 % 5 != 0 }
        }
        #expect(scene.accusations() == [])
    }
}
