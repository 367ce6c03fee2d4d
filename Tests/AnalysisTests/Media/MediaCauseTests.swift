import Analysis
import Base
import Testing

@Suite("Who is not heard, and why: what audio that worked rules out")
struct MediaCauseTests {
    let a = MediaScene.callerAudio
    let b = MediaScene.calleeAudio
    /// What a phone behind a NAT says of itself; its packets come from `MediaScene.caller`'s address.
    let inner = Endpoint("192.168.1.10:4000")!

    @Test("audio that began eight seconds late came late: it did not stop")
    func late() throws {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 16)
        scene.say(a, b, at: 1.1) { $0.seconds = 14 }
        scene.say(b, a, at: 9.1) {
            $0.seconds = 6; $0.ssrc = 2
        }
        let finding = try #require(scene.finish().findings.first { $0.severity.accuses })
        #expect(finding.name == .mediaOneWay)
        #expect(finding.summary.contains("the callee (203.0.113.9:5060) was heard only after 7.8 s"))
    }

    @Test("a private address in SDP that was reached all the same is not why one end falls silent", arguments: [true, false])
    func reached(dies: Bool) throws {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 16, offer: MediaScene.sdp(inner))
        scene.say(a, b, at: 1.1) { $0.seconds = 14 }
        scene.say(b, a, at: dies ? 1.1 : 9.1) {
            $0.seconds = 5; $0.ssrc = 2
        }
        let finding = try #require(scene.finish().findings.first { $0.name == .mediaOneWay })
        #expect(!finding.summary.contains("private"))
        #expect(scene.media.outcome(ofDialog: 0) == .interrupted)
    }

    @Test("the same address, never reached, is why")
    func unreached() throws {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 16, offer: MediaScene.sdp(inner))
        scene.say(a, b, at: 1.1) { $0.seconds = 14 }
        let finding = try #require(scene.finish().findings.first { $0.name == .mediaOneWay })
        #expect(finding.summary.contains("a private address that cannot be reached"))
        #expect(scene.media.outcome(ofDialog: 0) == .oneWay)
    }

    @Test("neither was heard, and ICMP refuses what one of them sends: that is told, not what is merely missing")
    func refused() throws {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 9)
        scene.say(b, a, at: 1.1) { $0.seconds = 7 }
        for second in 1...6 { scene.icmp(from: a.address, about: b, a, at: 1.5 + Double(second)) }
        let finding = try #require(scene.finish().findings.first { $0.subject.dialogs == [0] && $0.severity.accuses })
        #expect(finding.name == .mediaNone)
        #expect(finding.culprit == .proved("the caller (198.51.100.5)"))
        #expect(finding.confidence == .proved)
    }

    /// Two legs through a PBX: what comes in on one goes out on the other.
    private func legs(_ scene: inout MediaScene, callerSpeaks: Bool) {
        let pbx = Endpoint("203.0.113.9:5060")!
        let phone = Endpoint("198.51.100.66:5060")!
        let second = Endpoint(phone.address, 5_000)
        let out = Endpoint(pbx.address, 8_100)
        scene.call(ended: 12)
        scene.call(
            dialog: 1, began: 0.1, ended: 12, offer: MediaScene.sdp(out), answer: MediaScene.sdp(second), source: pbx,
            destination: phone)
        scene.say(second, out, at: 1.2) {
            $0.seconds = 10; $0.ssrc = 3
        }
        scene.say(b, a, at: 1.2) {
            $0.seconds = 10; $0.ssrc = 4
        }
        guard callerSpeaks else { return }
        scene.say(a, b, at: 1.2) {
            $0.seconds = 10; $0.ssrc = 5
        }
        scene.say(out, second, at: 1.2) {
            $0.seconds = 10; $0.ssrc = 6
        }
    }

    @Test(
        "two legs on a PBX, nothing of the caller on either, while audio comes into the PBX and leaves it: one-way, told of the caller's leg"
    )
    func bothDirectionsAtTheHost() throws {
        var scene = MediaScene()
        legs(&scene, callerSpeaks: false)
        #expect(scene.accusations() == ["media.one-way fault [0]"])
    }

    @Test("two legs on a PBX with everybody heard: nothing")
    func everybody() {
        var scene = MediaScene()
        legs(&scene, callerSpeaks: true)
        #expect(scene.accusations() == [])
    }

    @Test("two calls between the same phones, each heard in one of them: no path is broken")
    func eachInOne() {
        var scene = MediaScene()
        scene.call(ended: 12)
        scene.call(
            dialog: 1, began: 0.1, ended: 12, offer: MediaScene.sdp(Endpoint(a.address, 4_100)),
            answer: MediaScene.sdp(Endpoint(b.address, 8_100)))
        scene.say(a, b, at: 1.2) { $0.seconds = 10 }
        scene.say(Endpoint(b.address, 8_100), Endpoint(a.address, 4_100), at: 1.2) {
            $0.seconds = 10; $0.ssrc = 9
        }
        #expect(scene.accusations() == [])
    }

    @Test("audio of other hosts than the signalling, and a tap that shows what goes out alone: two calls, nobody is accused")
    func outgoingAlone() {
        var scene = MediaScene()
        scene.call(ended: 12, answer: MediaScene.sdp(Endpoint("203.0.113.19:8000")!))
        scene.call(
            dialog: 1, began: 0.1, ended: 12, offer: MediaScene.sdp(Endpoint(a.address, 4_100)),
            answer: MediaScene.sdp(Endpoint("203.0.113.10:8100")!), destination: Endpoint("203.0.113.11:5060")!)
        scene.say(a, Endpoint("203.0.113.19:8000")!, at: 1.2) { $0.seconds = 10 }
        scene.say(Endpoint(a.address, 4_100), Endpoint("203.0.113.10:8100")!, at: 1.2) {
            $0.seconds = 10; $0.ssrc = 9
        }
        #expect(scene.accusations() == [])
    }
}
