import Analysis
import Base
import Capture
import Testing

@Suite("audio that a change of the call sends to nobody, and relays that name a private address")
struct MediaAstrayTests {
    private let a = MediaScene.callerAudio
    private let b = MediaScene.calleeAudio

    /// Three seconds both ways, then the callee names another place; the caller goes on to there, and, if told, is answered from there.
    private func moved(to place: Endpoint, isAnswered: Bool, goesOn: Bool = false) -> [Finding] {
        var scene = MediaScene()
        scene.call(ended: 14)
        scene.say(a, b, at: 1) { $0.seconds = 3 }
        scene.say(b, a, at: 1) {
            $0.seconds = goesOn ? 12 : 3; $0.ssrc = 2
        }
        scene.fact(.description(MediaScene.sdp(place), isAnswer: false), fromCaller: false, at: 4)
        scene.fact(.description(MediaScene.sdp(a), isAnswer: true), fromCaller: true, at: 4.1)
        scene.say(a, place, at: 4.1) {
            $0.seconds = 9; $0.ssrc = 1; $0.sequence = 2_000
        }
        if isAnswered {
            scene.say(place, a, at: 4.1) {
                $0.seconds = 9; $0.ssrc = 3
            }
        }
        return scene.finish().findings.filter(\.severity.accuses)
    }

    @Test("a re-INVITE that sends the audio to a private address ends it both ways")
    func direct() throws {
        let found = moved(to: Endpoint("10.77.1.9:30000")!, isAnswered: false)
        #expect(found.map(\.name) == [.mediaNone])
        let finding = try #require(found.first)
        #expect(finding.culprit == .proved("the callee (203.0.113.9:5060)"))
        #expect(finding.summary.contains("told the caller to send to 10.77.1.9:30000 from then on, a private address"))
    }

    @Test("a public place, one that answers, and a callee that is heard on from its former place are not cut off")
    func innocent() {
        #expect(moved(to: Endpoint("203.0.113.77:30000")!, isAnswered: true).isEmpty)
        #expect(moved(to: Endpoint("10.77.1.9:30000")!, isAnswered: true).allSatisfy { $0.name != .mediaNone })
        #expect(moved(to: Endpoint("10.77.1.9:30000")!, isAnswered: false, goesOn: true).allSatisfy { $0.name != .mediaNone })
    }

    /// A server that is heard, held after three seconds, resumed after five, and heard again or not; or one whose prompt ended before.
    private func resumed(_ isHeard: Bool, prompt: Double = 3) -> [String] {
        var scene = MediaScene()
        scene.media.serves(at: PackedAddress(MediaScene.callee.address))
        scene.call(ended: 16)
        for (at, direction) in [(4.0, "sendonly"), (6, "sendrecv")] {
            scene.fact(.description(MediaScene.sdp(a, direction), isAnswer: false), fromCaller: true, at: at)
            scene.fact(
                .description(MediaScene.sdp(b, direction == "sendonly" ? "recvonly" : direction), isAnswer: true),
                fromCaller: false,
                at: at + 0.01)
        }
        scene.say(a, b, at: 1) { $0.seconds = 15 }
        scene.say(b, a, at: 1) {
            $0.seconds = prompt; $0.ssrc = 2
        }
        if isHeard {
            scene.say(b, a, at: 6) {
                $0.seconds = 10; $0.ssrc = 2; $0.sequence = 1_150; $0.timestamp = 45_000
            }
        }
        return scene.accusations()
    }

    @Test("hold that breaks off the audio for good is told, also of a server that answers calls")
    func resume() {
        #expect(resumed(false) == ["media.one-way fault [0]"])
        #expect(resumed(true) == [])
        #expect(resumed(false, prompt: 1.5) == [])
    }

    /// A proxy between two phones at public addresses; it writes `relay` into what both said, and sends to `callee`.
    private func relayed(_ relay: Endpoint?, callee: String = "192.0.2.50", server: String = "10.0.0.11", heard: Bool = false)
        -> [String]
    {
        var scene = MediaScene()
        let (box, far) = (Endpoint("\(server):5060")!, Endpoint("\(callee):5060")!)
        let (inner, outer) = (Endpoint("192.168.1.21:9332")!, Endpoint("\(callee):42982")!)
        func described(_ place: Endpoint, leg: Int, fromCaller: Bool, at: Double) {
            let (client, end) = leg == 0 ? (MediaScene.caller, box) : (box, far)
            scene.fact(
                .description(MediaScene.sdp(place), isAnswer: !fromCaller), leg: leg, fromCaller: fromCaller, at: at,
                source: fromCaller ? client : end, destination: fromCaller ? end : client)
        }
        described(inner, leg: 0, fromCaller: true, at: 0)
        described(relay ?? inner, leg: 1, fromCaller: true, at: 0.01)
        described(outer, leg: 1, fromCaller: false, at: 0.5)
        described(relay.map { Endpoint($0.address, $0.port + 2) } ?? outer, leg: 0, fromCaller: false, at: 0.51)
        scene.fact(.answered, fromCaller: false, at: 0.51, source: box, destination: MediaScene.caller)
        if heard, let relay {
            scene.say(outer, relay, at: 1) { $0.seconds = 8 }
        }
        scene.fact(.ended, fromCaller: true, at: 9)
        return scene.accusations()
    }

    @Test("a server whose relay names its private address to both ends is told, within its network and before it")
    func privateRelay() {
        let relay = Endpoint("10.0.0.11:35000")!
        #expect(relayed(relay) == ["nat.private-sdp risk [0]"])
        #expect(relayed(relay, server: "203.0.113.66") == ["nat.private-sdp risk [0]"])
    }

    @Test(
        "a relay with a public address, an end within its network, a proxy that relays nothing, and audio that arrives accuse nobody"
    )
    func relays() {
        #expect(relayed(Endpoint("203.0.113.66:35000")!) == [])
        #expect(relayed(Endpoint("10.0.0.11:35000")!, callee: "10.0.0.40") == [])
        #expect(relayed(nil) == [])
        #expect(!relayed(Endpoint("10.0.0.11:35000")!, heard: true).contains { $0.hasPrefix("nat.private-sdp") })
    }

    /// A proxy that passes SDP on as it is, between two phones whose SDP is private, in a capture of signalling alone.
    private func unrelayed(second: String, _ extra: [String] = []) -> [String] {
        var scene = MediaScene()
        let (box, far) = (Endpoint("203.0.113.9:5060")!, Endpoint("\(second):5060")!)
        let offer = MediaScene.sdp(Endpoint("192.168.1.21:4000")!, extra: extra)
        let answer = MediaScene.sdp(Endpoint("10.0.0.11:5958")!, extra: extra)
        for (leg, from, to) in [(0, MediaScene.caller, box), (1, box, far)] {
            scene.fact(
                .description(offer, isAnswer: false), leg: leg, fromCaller: true, at: 0.01 * Double(leg), source: from,
                destination: to)
            scene.fact(
                .description(answer, isAnswer: true), leg: leg, fromCaller: false, at: 1.1 - 0.01 * Double(leg), source: to,
                destination: from)
        }
        scene.fact(.answered, fromCaller: false, at: 1.1)
        scene.fact(.ended, fromCaller: true, at: 12)
        return scene.accusations()
    }

    @Test("two phones behind two NATs that nothing relays for; behind one NAT, or with ICE, it may work")
    func signallingAlone() {
        #expect(unrelayed(second: "192.0.2.66") == ["nat.private-sdp risk [0]"])
        #expect(unrelayed(second: "198.51.100.5") == [])
        #expect(unrelayed(second: "192.0.2.66", ["a=candidate:1 1 UDP 1 192.0.2.66 4000 typ srflx"]) == [])
    }
}
