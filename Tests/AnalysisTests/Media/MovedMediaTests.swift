import Analysis
import Base
import Capture
import Testing

@Suite("Audio that is sent off to a private place, named nowhere, or joined by another's")
struct MovedMediaTests {
    private let phone = Endpoint("192.168.1.40:5060")!
    private let audio = Endpoint("192.168.1.40:5004")!
    private let relay = Endpoint("203.0.113.9:8000")!
    private let far = Endpoint("192.168.50.4:11800")!

    /// After 2 s the other end asks for audio at `place`; the phone sends there. `back`: audio comes back from there.
    private func moved(
        to place: Endpoint, _ direction: String? = nil, back: Bool = false, byServer: Bool = true, knows: Bool = false
    ) -> [Finding] {
        var scene = MediaScene()
        if byServer { scene.media.serves(at: PackedAddress(MediaScene.callee.address)) }
        scene.call(ended: 30, offer: MediaScene.sdp(audio), answer: MediaScene.sdp(relay), source: phone)
        scene.fact(
            .description(MediaScene.sdp(place, direction), isAnswer: false), fromCaller: false, at: 3, destination: phone)
        scene.fact(
            .description(MediaScene.sdp(audio, direction == "sendonly" ? "recvonly" : nil), isAnswer: true), fromCaller: true,
            at: 3.1, source: phone)
        scene.say(audio, relay, at: 1) { $0.seconds = 2 }
        scene.say(relay, audio, at: 1) {
            $0.seconds = 2; $0.ssrc = 2
        }
        if direction == nil {
            scene.say(audio, place, at: 3.1) {
                $0.seconds = 26; $0.ssrc = 3
            }
        }
        if back {
            scene.say(place, audio, at: 3.2) {
                $0.seconds = 26; $0.ssrc = 4
            }
        }
        if knows { scene.say(Endpoint(place.address, 12_000), Endpoint("192.168.1.41:5004")!, at: 1) { $0.ssrc = 5 } }
        return scene.finish().findings.filter(\.severity.accuses)
    }

    private func isBlamed(_ found: [Finding]) -> Bool { found.contains { $0.summary.contains("the audio was to go directly") } }

    @Test("direct media to a private address beyond a NAT: who named it, and direct media off")
    func direct() throws {
        let found = moved(to: far)
        #expect(found.map(\.name) == [.mediaOneWay])
        let finding = try #require(found.first)
        #expect(
            finding.summary.contains(
                "has asked for audio at 192.168.50.4:11800, a private address beyond a NAT, where it had named 203.0.113.9:8000"))
        #expect(finding.remedies.first?.text.hasPrefix("Keep the audio on the server") == true)
    }

    @Test("direct media that is answered, or that goes to a public address, is no such case")
    func directWorks() {
        #expect(moved(to: far, back: true) == [])
        #expect(!isBlamed(moved(to: Endpoint("203.0.113.77:8000")!)))
    }

    @Test("one site, a site that is reached (VPN), the same port, an end that is no server, hold: not direct media")
    func directElsewhere() {
        #expect(!isBlamed(moved(to: Endpoint("192.168.1.77:11800")!)))
        #expect(!isBlamed(moved(to: far, knows: true)))
        #expect(!isBlamed(moved(to: Endpoint(far.address, relay.port))))
        #expect(!isBlamed(moved(to: far, byServer: false)))
        #expect(moved(to: far, "sendonly") == [])
    }

    /// A provider beyond the NAT is told by our server, after 2 s, to send to one of our phones; what it sends does not arrive, or does.
    private func movedIn(heard: Bool) -> [Finding] {
        let (server, provider) = (Endpoint("192.168.1.10:5060")!, Endpoint("203.0.113.5:5060")!)
        let (far, ours, inner) = (
            Endpoint("203.0.113.6:31000")!, Endpoint("198.51.100.1:15000")!, Endpoint("192.168.1.51:11800")!
        )
        var scene = MediaScene()
        scene.media.serves(at: PackedAddress(server.address))
        scene.call(ended: 30, offer: MediaScene.sdp(far), answer: MediaScene.sdp(ours), source: provider, destination: server)
        scene.fact(
            .description(MediaScene.sdp(inner), isAnswer: false), fromCaller: false, at: 3, source: server, destination: provider)
        let relay = Endpoint(server.address, ours.port)
        scene.say(far, relay, at: 1) { $0.seconds = 2 }
        scene.say(relay, far, at: 1) {
            $0.seconds = 2; $0.ssrc = 2
        }
        scene.say(inner, far, at: 3.1) {
            $0.seconds = 26; $0.ssrc = 3
        }
        if heard {
            scene.say(far, inner, at: 3.1) {
                $0.seconds = 26; $0.ssrc = 4
            }
        }
        return scene.finish().findings.filter(\.severity.accuses)
    }

    @Test(
        "a provider that is sent to a phone's private address falls silent: our server is why; if it gets there all the same, nothing is"
    )
    func directIn() throws {
        #expect(isBlamed(movedIn(heard: false)))
        #expect(try #require(movedIn(heard: false).first).culprit == .proved("the callee (192.168.1.10:5060)"))
        #expect(movedIn(heard: true) == [])
    }

    @Test("a mailbox that greets and records is no direct media, also when it took the call over from one that rang elsewhere")
    func mailbox() {
        var scene = MediaScene()
        scene.media.serves(at: PackedAddress(MediaScene.callee.address))
        scene.fact(
            .description(MediaScene.sdp(Endpoint("203.0.113.9:7000")!), isAnswer: true), fromCaller: false, at: 0.5)
        scene.call(ended: 30)
        scene.say(MediaScene.callerAudio, MediaScene.calleeAudio, at: 1) { $0.seconds = 28 }
        scene.say(MediaScene.calleeAudio, MediaScene.callerAudio, at: 1) {
            $0.seconds = 6; $0.ssrc = 2
        }
        scene.neighbour()
        #expect(scene.accusations() == [])
    }

    private func nulled(
        later: Bool = false, heard: Bool = false, speaks: Bool = true, holds: Bool = false, since began: Double = 1,
        by path: Endpoint? = nil
    ) -> [Finding] {
        var scene = MediaScene()
        let nowhere = MediaScene.sdp(Endpoint("0.0.0.0:5004")!)
        scene.call(ended: 24, offer: holds ? MediaScene.sdp(audio) : nowhere, answer: MediaScene.sdp(relay), source: phone)
        if holds { scene.fact(.description(nowhere, isAnswer: false), fromCaller: true, at: 1.5, source: phone) }
        if later { scene.fact(.description(MediaScene.sdp(audio), isAnswer: false), fromCaller: true, at: 1.5, source: phone) }
        if speaks { scene.say(path ?? audio, relay, at: began) { $0.seconds = 22 } }
        if heard {
            scene.say(relay, audio, at: 1) {
                $0.seconds = 22; $0.ssrc = 2
            }
        }
        if path == nil { scene.neighbour() }
        return scene.finish().findings.filter { $0.summary.contains("0.0.0.0 from the beginning") }
    }

    @Test("an end that names 0.0.0.0 from the beginning and speaks is sent nothing")
    func nowhere() throws {
        let finding = try #require(nulled().first)
        #expect(finding.name == .mediaOneWay)
        #expect(finding.severity == .fault)
        #expect(finding.culprit == .proved("the caller (192.168.1.40:5060)"))
    }

    @Test("who names its place later, is heard all the same, does not speak, or held before the capture began is on hold or well")
    func held() {
        for found in [
            nulled(later: true), nulled(heard: true), nulled(speaks: false), nulled(holds: true), nulled(since: -1),
        ] { #expect(found == []) }
    }

    @Test("where only what leaves is seen, who is sent nothing does not show")
    func oneDirection() { #expect(nulled(by: Endpoint("192.168.1.99:5004")!) == []) }

    /// The callee's audio up to `until`, and another's into the same port.
    private func second(
        _ source: String = "203.0.113.99:23000", at began: Double = 1, seconds: Double, ssrc: UInt32 = 9, until: Double = 29
    ) -> [String] {
        var scene = MediaScene()
        scene.call(ended: 30)
        scene.say(MediaScene.callerAudio, MediaScene.calleeAudio, at: 1) { $0.seconds = 28 }
        scene.say(MediaScene.calleeAudio, MediaScene.callerAudio, at: 1) {
            $0.seconds = until - 1; $0.ssrc = 2
        }
        scene.say(Endpoint(source)!, MediaScene.callerAudio, at: began) {
            $0.seconds = seconds; $0.ssrc = ssrc
        }
        return scene.accusations()
    }

    @Test("another's audio into the same port all the time is a risk; for a moment, or a copy of the same source, it is none")
    func joined() {
        #expect(second(seconds: 28) == ["media.wrong-source risk [0]"])
        #expect(second(seconds: 4) == [])
        #expect(second(seconds: 28, ssrc: 2) == [])
    }

    @Test("another that takes over (a transfer's new SSRC), and a relay that changes its port or sends from two, are none")
    func takenOver() {
        #expect(second(at: 15, seconds: 14, until: 15) == [])
        #expect(second("203.0.113.9:8222", at: 15, seconds: 14, until: 15) == [])
        #expect(second("203.0.113.9:8222", seconds: 28) == [])
    }
}
