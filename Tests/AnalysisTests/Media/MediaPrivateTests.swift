import Analysis
import Base
import Capture
import Testing

@Suite("Private places in SDP: early audio, direct media, checks of ICE, moved clocks")
struct MediaPrivateTests {
    let a = MediaScene.callerAudio
    let b = MediaScene.calleeAudio
    let inner = Endpoint("192.168.1.10:4000")!

    @Test("early audio to a private address for long is heard by nobody; a second of it is nothing", arguments: [true, false])
    func early(isLong: Bool) {
        var scene = MediaScene()
        let seconds = isLong ? 8.0 : 1.5
        scene.fact(.description(MediaScene.sdp(inner), isAnswer: false), fromCaller: true, at: 0)
        scene.fact(.description(MediaScene.sdp(b), isAnswer: true), fromCaller: false, at: 0.2)
        scene.fact(.answered, fromCaller: false, at: 9)
        scene.fact(.ended, fromCaller: true, at: 20)
        scene.say(b, inner, at: 0.3) { $0.seconds = seconds }
        scene.say(a, b, at: 9.1) { $0.seconds = 10 }
        scene.say(b, a, at: 9.1) {
            $0.seconds = 10; $0.ssrc = 2
        }
        #expect(scene.accusations() == (isLong ? ["nat.private-sdp fault [0]"] : []))
    }

    /// A PBX connects two phones directly; the second stands behind `nat`.
    private func direct(_ nat: String) -> [String] {
        var scene = MediaScene()
        let pbx = Endpoint("203.0.113.9:5060")!
        let (second, secondInner) = (Endpoint("\(nat):5060")!, Endpoint("192.168.7.20:8000")!)
        scene.neighbour()
        scene.call(ended: 14, offer: MediaScene.sdp(inner))
        scene.call(
            dialog: 1, began: 0.1, ended: 14, offer: MediaScene.sdp(Endpoint(pbx.address, 8_100)),
            answer: MediaScene.sdp(secondInner),
            source: pbx, destination: second)
        for (from, to) in [
            (a, b), (b, a), (Endpoint(second.address, 8_000), Endpoint(pbx.address, 8_100)),
            (Endpoint(pbx.address, 8_100), Endpoint(second.address, 8_000)),
        ] {
            scene.say(from, to, at: 1.2) { $0.seconds = 1 }
        }
        scene.fact(.description(MediaScene.sdp(secondInner), isAnswer: false), fromCaller: false, at: 2)
        scene.fact(
            .description(MediaScene.sdp(inner), isAnswer: false), dialog: 1, fromCaller: true, at: 2, source: pbx,
            destination: second)
        return scene.accusations()
    }

    @Test("direct media between private addresses behind two NATs is a risk, behind one NAT it works")
    func directMedia() {
        #expect(direct("192.0.2.133").contains { $0.hasPrefix("nat.private-sdp risk") })
        #expect(direct("198.51.100.5") == [])
    }

    @Test("a delay that changes once about the limit is late for ten packets at most")
    func edge() throws {
        var scene = MediaScene()
        scene.say(a, b, at: 0) {
            $0.seconds = 20
            $0.late = { $0 < 500 ? 0 : 100_000_000 + Int64($0 % 3 - 1) * 1_000_000 }
        }
        let stream = try #require(scene.finish().streams.first)
        #expect(stream.late <= 10)
    }

    @Test(
        "a server that greets and then listens records a message; a phone that falls silent is not heard",
        arguments: [true, false])
    func recording(isServer: Bool) {
        var scene = MediaScene()
        if isServer { scene.media.serves(at: PackedAddress(MediaScene.callee.address)) }
        scene.call(ended: 32)
        scene.say(a, b, at: 1.1) { $0.seconds = 30 }
        scene.say(b, a, at: 1.1) {
            $0.seconds = 6; $0.ssrc = 2
        }
        #expect(scene.accusations() == (isServer ? [] : ["media.one-way fault [0]"]))
    }
}
