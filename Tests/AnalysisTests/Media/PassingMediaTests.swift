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

@Suite("Audio sent from one private network into another")
struct PrivateNetworkTests {
    private static let cloud = Endpoint("172.31.5.5:8000")!
    private static let home = Endpoint("192.168.1.20:4000")!

    /// A phone at home, behind 198.51.100.5, and a server in a cloud that sends to what the phone's SDP says.
    private func scene(phoneAnswersFrom source: Endpoint) -> [String] {
        var scene = MediaScene()
        scene.call(
            ended: 8, offer: MediaScene.sdp(Self.home), answer: MediaScene.sdp(Self.cloud),
            destination: Endpoint("172.31.5.5:5060")!)
        scene.say(source, Self.cloud, at: 1.1)
        scene.say(Self.cloud, Self.home, at: 1.1) { $0.ssrc = 2 }
        return scene.accusations()
    }

    @Test("from a cloud to a phone's own private address, from which nothing ever comes: it is not heard")
    func lost() { #expect(scene(phoneAnswersFrom: Endpoint("198.51.100.5:4000")!) == ["media.one-way fault [0]"]) }

    @Test("through a VPN, where the phone sends from that very address: heard both ways")
    func tunnelled() { #expect(scene(phoneAnswersFrom: Self.home) == []) }
}
