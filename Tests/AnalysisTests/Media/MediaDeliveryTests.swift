import Analysis
import Base
import Testing

@Suite("Where audio goes: to a place that the listener named or sends from, or astray")
struct MediaDeliveryTests {
    let a = MediaScene.callerAudio
    let b = MediaScene.calleeAudio
    let nat = Endpoint("198.51.100.5:40777")!

    /// Both speak for twelve seconds, to the places given.
    private func talk(_ scene: inout MediaScene, from: Endpoint? = nil, to: Endpoint, with offer: Endpoint? = nil) {
        scene.call(ended: 14, offer: MediaScene.sdp(offer ?? a))
        scene.say(from ?? a, b, at: 1.1) { $0.seconds = 12 }
        scene.say(b, to, at: 1.1) {
            $0.seconds = 12; $0.ssrc = 2
        }
    }

    @Test("audio to a port that nobody named and nobody sends from is a risk")
    func wrongPort() throws {
        var scene = MediaScene()
        talk(&scene, to: Endpoint(a.address, 4_010))
        let finding = try #require(scene.finish().findings.first { $0.severity.accuses })
        #expect(finding.name == .mediaOneWay)
        #expect(finding.severity == .risk)
        #expect(finding.culprit == .proved("the callee (203.0.113.9:5060)"))
        #expect(finding.summary.contains("198.51.100.5:4010"))
    }

    @Test("and a fault of its sender where ICMP refuses it")
    func wrongPortRefused() throws {
        var scene = MediaScene()
        let wrong = Endpoint(a.address, 4_010)
        talk(&scene, to: wrong)
        for second in 0..<12 { scene.icmp(from: a.address, about: b, wrong, at: 1.2 + Double(second)) }
        let finding = try #require(scene.finish().findings.first { $0.severity.accuses })
        #expect(finding.severity == .fault)
        #expect(finding.culprit == .proved("the callee (203.0.113.9:5060)"))
        #expect(finding.summary.contains("which nobody asked for"))
    }

    @Test("a sender that sends from another port than it listens on, and a latched NAT port, are where audio belongs")
    func lookAlikes() {
        var asymmetric = MediaScene()
        talk(&asymmetric, from: Endpoint(a.address, 4_020), to: a)
        #expect(asymmetric.accusations() == [])
        var latched = MediaScene()
        talk(&latched, from: nat, to: nat, with: Endpoint("192.168.1.10:4000")!)
        #expect(latched.accusations() == [])
    }

    @Test(
        "the NAT's port changed, the far end sends on to the old one: with ICMP a fault, without a risk",
        arguments: [true, false])
    func notLatchedAnew(refused: Bool) throws {
        var scene = MediaScene()
        let old = Endpoint(a.address, 40_002)
        scene.call(ended: 32, offer: MediaScene.sdp(Endpoint("192.168.1.10:4000")!))
        scene.say(old, b, at: 1.1) { $0.seconds = 9 }
        scene.say(nat, b, at: 10.1) {
            $0.seconds = 20; $0.sequence = 2_000
        }
        scene.say(b, old, at: 1.1) {
            $0.seconds = 29; $0.ssrc = 2
        }
        if refused { for second in 0..<20 { scene.icmp(from: a.address, about: b, old, at: 10.3 + Double(second)) } }
        let finding = try #require(scene.finish().findings.first { $0.severity.accuses })
        #expect(finding.severity == (refused ? .fault : .risk))
        #expect(finding.culprit == .proved("the callee (203.0.113.9:5060)"))
        #expect(finding.summary.contains("the NAT gave it a new port"))
        #expect(scene.media.isReached(dialog: 0, caller: true))
        #expect(scene.media.outcome(ofDialog: 0) == .interrupted)
    }

    @Test("a far end that latches on to the new port loses nothing")
    func latchedAnew() {
        var scene = MediaScene()
        let old = Endpoint(a.address, 40_002)
        scene.call(ended: 32, offer: MediaScene.sdp(Endpoint("192.168.1.10:4000")!))
        for (from, at, seconds) in [(old, 1.1, 9.0), (nat, 10.1, 20.0)] {
            scene.say(from, b, at: at) {
                $0.seconds = seconds; $0.sequence = Int(at * 100)
            }
            scene.say(b, from, at: at + 0.2) {
                $0.seconds = seconds; $0.ssrc = 2; $0.sequence = Int(at * 100)
            }
        }
        #expect(scene.accusations() == [])
    }

    @Test("an SDP that names an address nothing ever comes from, though asked for, is a risk of its writer")
    func wrongExternal() throws {
        var scene = MediaScene()
        let stale = Endpoint("198.51.100.99:4000")!
        talk(&scene, to: stale, with: stale)
        let finding = try #require(scene.finish().findings.first { $0.severity.accuses })
        #expect(finding.severity == .risk)
        #expect(finding.culprit == .proved("the caller (198.51.100.5:5060)"))
        #expect(finding.remedies.first?.text.contains("198.51.100.5") == true)
    }

    @Test("a media server at another address that sends audio too is none")
    func mediaServer() {
        var scene = MediaScene()
        let relay = Endpoint("198.51.100.99:4000")!
        talk(&scene, from: relay, to: relay, with: relay)
        #expect(scene.accusations() == [])
    }

    @Test(
        "two phones behind one NAT that send to its outside address reach nobody, until something comes back in",
        arguments: [true, false])
    func hairpin(loops: Bool) throws {
        var scene = MediaScene()
        let (one, two) = (Endpoint("192.168.1.10:4000")!, Endpoint("192.168.1.11:8000")!)
        let (outerOne, outerTwo) = (Endpoint("203.0.113.77:4000")!, Endpoint("203.0.113.77:8000")!)
        scene.call(
            ended: 14, offer: MediaScene.sdp(outerOne), answer: MediaScene.sdp(outerTwo), source: Endpoint("192.168.1.10:5060")!,
            destination: Endpoint("198.51.100.1:5060")!)
        scene.say(one, outerTwo, at: 1.1) { $0.seconds = 12 }
        scene.say(two, outerOne, at: 1.1) {
            $0.seconds = 12; $0.ssrc = 2
        }
        if loops {
            scene.say(outerOne, two, at: 1.1) { $0.seconds = 12 }
            scene.say(outerTwo, one, at: 1.1) {
                $0.seconds = 12; $0.ssrc = 2
            }
        }
        let found = scene.finish().findings.filter { $0.severity == .fault }
        guard !loops else {
            #expect(found.isEmpty)
            return
        }
        let finding = try #require(found.first)
        #expect(finding.name == .mediaNone)
        #expect(finding.summary.contains("no NAT loopback"))
    }

    @Test("a re-INVITE's new place that the far end ignores is told of the far end")
    func newPlaceIgnored() throws {
        var scene = MediaScene()
        let moved = Endpoint(a.address, 4_500)
        scene.call(ended: 22)
        scene.fact(.description(MediaScene.sdp(moved), isAnswer: false), fromCaller: true, at: 7)
        scene.say(a, b, at: 1.1) { $0.seconds = 6 }
        scene.say(moved, b, at: 7.1) {
            $0.seconds = 14; $0.sequence = 2_000
        }
        scene.say(b, a, at: 1.1) {
            $0.seconds = 20; $0.ssrc = 2
        }
        for step in 0..<28 { scene.icmp(from: a.address, about: b, a, at: 7.2 + Double(step) / 2) }
        let finding = try #require(scene.finish().findings.first { $0.severity.accuses })
        #expect(finding.culprit == .proved("the callee (203.0.113.9:5060)"))
        #expect(
            finding.summary.contains("stopped being heard") && finding.summary.contains("has asked for 198.51.100.5:4500 since"))
    }

    @Test(
        "time exceeded and packets too big are read as refusals, and named",
        arguments: [(11, 0), (3, 4), (3, 1)] as [(UInt8, UInt8)])
    func otherErrors(type: UInt8, code: UInt8) throws {
        var scene = MediaScene()
        talk(&scene, to: a)
        for second in 0..<12 {
            scene.icmp(from: IPAddress("192.0.2.254")!, about: a, b, at: 1.2 + Double(second), type: type, code: code)
        }
        let finding = try #require(scene.finish().findings.first { $0.severity.accuses })
        #expect(finding.name == .mediaOneWay)
        #expect(finding.culprit == .proved("192.0.2.254"))
        let word = ["11": "routing loop", "34": "too big", "31": "refuses the packets"][type == 11 ? "11" : "3\(code)"] ?? ""
        #expect(finding.summary.contains(word))
    }
}
