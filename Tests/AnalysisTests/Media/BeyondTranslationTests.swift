import Analysis
import Base
import Testing

@Suite("Who is not heard: a private address named to the Internet, and a filter whose errors end before the call")
struct BeyondTranslationTests {
    private let inside = Endpoint("10.0.0.10:5060")!
    private let insideAudio = Endpoint("10.0.0.10:15000")!
    private let provider = Endpoint("212.9.44.10:5060")!
    private let providerAudio = Endpoint("212.9.44.77:31020")!

    private func scene(offer: Endpoint? = nil, answer: Endpoint? = nil, peer: Endpoint? = nil) -> MediaScene {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(
            ended: 16, offer: MediaScene.sdp(offer ?? insideAudio), answer: MediaScene.sdp(answer ?? providerAudio),
            source: inside,
            destination: peer ?? provider)
        scene.say(insideAudio, answer ?? providerAudio, at: 1.1) { $0.seconds = 14 }
        return scene
    }

    private func finding(_ scene: MediaScene) throws -> Finding {
        var scene = scene
        return try #require(scene.finish().findings.first { $0.subject.dialogs == [0] && $0.severity.accuses })
    }

    @Test("seen where it is private: what it names cannot be reached from the Internet, and that comes before any firewall")
    func named() throws {
        let finding = try finding(scene())
        #expect(finding.name == .mediaOneWay)
        #expect(finding.summary.contains("The caller asks for its audio at 10.0.0.10:15000, a private address"))
        #expect(finding.culprit == .proved("the caller (10.0.0.10:5060)"))
        #expect(finding.remedies.first?.text.contains("public address") == true)
        #expect(finding.remedies.first?.commands.contains { $0.contains("external_media_address") } == true)
    }

    @Test("a public address in SDP, a peer of the same network, or a provider that answers to such an address is no such case")
    func lookAlikes() throws {
        #expect(!(try finding(scene(offer: Endpoint("87.1.2.3:15000")!)).summary.contains("private address")))
        let near = Endpoint("10.0.0.77:31020")!
        #expect(!(try finding(scene(answer: near, peer: Endpoint("10.0.0.77:5060")!)).summary.contains("private address")))
        // The provider latches in another call, so that the address did not matter there.
        var latching = scene()
        let other = Endpoint("10.0.0.10:15002")!
        let from = Endpoint("212.9.44.77:31022")!
        latching.call(
            dialog: 1, began: 20, ended: 30, offer: MediaScene.sdp(other), answer: MediaScene.sdp(from), source: inside,
            destination: provider)
        latching.say(other, from, at: 21.1) {
            $0.seconds = 8; $0.ssrc = 21
        }
        latching.say(from, other, at: 21.2) {
            $0.seconds = 8; $0.ssrc = 22
        }
        #expect(!(try finding(latching).summary.contains("private address")))
    }

    @Test("a router refuses the audio by ICMP for most of the call, and its errors end before: it is the cause")
    func filtered() throws {
        let a = MediaScene.callerAudio
        let b = MediaScene.calleeAudio
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 22)
        scene.say(a, b, at: 1.1) { $0.seconds = 20 }
        let router = IPAddress("192.168.1.1")!
        for second in 1...15 { scene.icmp(from: router, about: a, b, at: 1.5 + Double(second), code: 13) }
        let finding = try #require(scene.finish().findings.first { $0.subject.dialogs == [0] && $0.severity.accuses })
        #expect(finding.name == .mediaNone)
        #expect(finding.culprit == .proved("192.168.1.1"))
        #expect(finding.summary.contains("The box 192.168.1.1 refuses the packets"))
    }
}
