import Analysis
import Base
import Testing

@Suite("Who was heard: media.one-way, media.none, media.wrong-source, media.quality")
struct MediaCallTests {
    let a = MediaScene.callerAudio
    let b = MediaScene.calleeAudio
    let stranger = Endpoint("192.0.2.200:7000")!

    // MARK: One way

    @Test(
        "audio one way for more than 3 s while both are sendrecv: a fault, with both descriptions and the stream as evidence",
        arguments: [true, false])
    func oneWay(callerSpeaks: Bool) throws {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 8)
        if callerSpeaks { scene.say(a, b, at: 1.1) } else { scene.say(b, a, at: 1.1) }
        let finding = try #require(scene.finish().findings.first)
        #expect(finding.name == .mediaOneWay)
        #expect(finding.severity == .fault)
        #expect(finding.subject.dialogs == [0])
        #expect(finding.evidence.count == 3)
        #expect(
            finding.summary.contains(
                callerSpeaks ? "the callee (203.0.113.9:5060) was never heard" : "the caller (198.51.100.5:5060) was never heard")
        )
        #expect(scene.media.outcome(ofDialog: 0) == .oneWay)
        #expect(scene.media.outcome(ofDialog: 90) == .bothWays)
    }

    @Test("both ways: nothing")
    func bothWays() {
        var scene = MediaScene()
        scene.call(ended: 8)
        scene.say(a, b, at: 1.1)
        scene.say(b, a, at: 1.1) { $0.ssrc = 2 }
        #expect(scene.accusations() == [])
        #expect(scene.media.outcome(ofDialog: 0) == .bothWays)
    }

    @Test("less than 3 s one way is nothing")
    func short() {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 4)
        scene.say(a, b, at: 1.1) { $0.seconds = 2.9 }
        #expect(scene.accusations() == [])
    }

    @Test("one that dies in the middle of the call is one way from there")
    func dies() {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 10)
        scene.say(a, b, at: 1.1) { $0.seconds = 8.5 }
        scene.say(b, a, at: 1.1) {
            $0.seconds = 2; $0.ssrc = 2
        }
        #expect(scene.accusations() == ["media.one-way fault [0]"])
    }

    @Test("on hold one way is right, by direction and by c=0.0.0.0", arguments: ["sendonly", "inactive", "0.0.0.0"])
    func hold(how: String) {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 20)
        scene.say(a, b, at: 1.1) { $0.seconds = 2 }
        scene.say(b, a, at: 1.1) {
            $0.seconds = 18; $0.ssrc = 2
        }
        let held = how == "0.0.0.0" ? MediaScene.sdp(Endpoint("0.0.0.0:8000")!) : MediaScene.sdp(b, how)
        scene.fact(.description(held, isAnswer: false), fromCaller: false, at: 3.2)
        scene.fact(.description(MediaScene.sdp(a, "recvonly"), isAnswer: true), fromCaller: true, at: 3.3)
        #expect(scene.accusations() == [])
    }

    @Test("after the hold ends, one way is a fault again")
    func afterHold() {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 20)
        scene.fact(.description(MediaScene.sdp(b, "sendonly"), isAnswer: false), fromCaller: false, at: 3.2)
        scene.fact(.description(MediaScene.sdp(a, "recvonly"), isAnswer: true), fromCaller: true, at: 3.3)
        scene.fact(.description(MediaScene.sdp(b), isAnswer: false), fromCaller: false, at: 10)
        scene.fact(.description(MediaScene.sdp(a), isAnswer: true), fromCaller: true, at: 10.1)
        scene.say(a, b, at: 1.1) { $0.seconds = 2 }
        scene.say(b, a, at: 1.1) {
            $0.seconds = 18; $0.ssrc = 2
        }
        #expect(scene.accusations() == ["media.one-way fault [0]"])
    }

    @Test("a sender that suppresses silence may pause for long")
    func suppression() {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 20)
        scene.say(a, b, at: 1.1) {
            $0.seconds = 18; $0.speaks = { $0 < 50 || (150..<200).contains($0) }
        }
        scene.say(b, a, at: 1.1) {
            $0.seconds = 18; $0.ssrc = 2
        }
        #expect(scene.accusations() == [])
    }

    @Test("audio of other hosts than the signalling: one direction of every call accuses nobody, and a note says so")
    func oneLeg() throws {
        var scene = MediaScene()
        for number in 0..<3 {
            let one = Endpoint(a.address, UInt16(4_000 + 10 * number))
            let two = Endpoint("203.0.113.31:\(8_000 + 10 * number)")!
            scene.call(dialog: number, began: Double(number), ended: 12, offer: MediaScene.sdp(one), answer: MediaScene.sdp(two))
            scene.say(one, two, at: Double(number) + 1.1) { $0.ssrc = UInt32(number + 1) }
        }
        let findings = scene.finish().findings
        #expect(findings.map(\.name) == [.mediaOneWay])
        #expect(findings.map(\.severity) == [.note])
        #expect(findings.first?.subject.dialogs == [0, 1, 2])
    }

    @Test("a NAT's other port is no cause that is seen: one direction of every call stays a note")
    func oneLegThroughNAT() {
        var scene = MediaScene()
        for number in 0..<3 {
            let one = Endpoint(a.address, UInt16(4_000 + 10 * number))
            let two = Endpoint("203.0.113.31:\(8_000 + 10 * number)")!
            scene.call(dialog: number, began: Double(number), ended: 12, offer: MediaScene.sdp(one), answer: MediaScene.sdp(two))
            scene.say(Endpoint(a.address, UInt16(31_000 + number)), two, at: Double(number) + 1.1) {
                $0.ssrc = UInt32(number + 1)
            }
        }
        #expect(scene.accusations() == [])
    }

    @Test("with a cause to be seen, every call one way is every call's fault")
    func allExplained() {
        var scene = MediaScene()
        for number in 0..<2 {
            let inner = Endpoint("192.168.1.20:\(4_000 + 10 * number)")!
            let outer = Endpoint(a.address, UInt16(4_000 + 10 * number))
            let two = Endpoint(b.address, UInt16(8_000 + 10 * number))
            scene.call(
                dialog: number, began: Double(number), ended: 12, offer: MediaScene.sdp(inner), answer: MediaScene.sdp(two))
            scene.say(outer, two, at: Double(number) + 1.1) { $0.ssrc = UInt32(number + 1) }
        }
        #expect(scene.accusations() == ["media.one-way fault [0]", "media.one-way fault [1]"])
    }

    @Test("a re-INVITE that was refused does not end the call")
    func refusedReinvite() {
        var scene = MediaScene()
        scene.neighbour()
        scene.call()
        scene.fact(.ended, fromCaller: false, at: 2)
        scene.fact(.description(MediaScene.sdp(b), isAnswer: false), fromCaller: false, at: 2.5)
        scene.fact(.description(MediaScene.sdp(a), isAnswer: true), fromCaller: true, at: 2.6)
        scene.fact(.ended, fromCaller: true, at: 12)
        scene.say(a, b, at: 1.1) { $0.seconds = 10 }
        #expect(scene.accusations() == ["media.one-way fault [0]"])
    }

    @Test("the only call of a capture: told with less confidence")
    func alone() throws {
        var scene = MediaScene()
        scene.call(ended: 8)
        scene.say(a, b, at: 1.1)
        let finding = try #require(scene.finish().findings.first)
        #expect(finding.severity == .fault)
        #expect(finding.confidence == .possible)
    }

    @Test("sent to the private address of a phone behind a NAT: it arrives nowhere, and the cause is named")
    func misdirected() throws {
        var scene = MediaScene()
        scene.neighbour()
        let inner = Endpoint("192.168.1.20:4000")!
        scene.call(ended: 8, offer: MediaScene.sdp(inner))
        scene.say(a, b, at: 1.1)
        scene.say(b, inner, at: 1.1) { $0.ssrc = 2 }
        let finding = try #require(scene.finish().findings.first { $0.name == .mediaOneWay })
        #expect(finding.summary.contains("sends to 192.168.1.20:4000, a private address"))
        #expect(finding.confidence == .proved)
    }

    @Test("inside the LAN a private address is reached: no fault")
    func inside() {
        var scene = MediaScene()
        let inner = Endpoint("192.168.1.20:4000")!
        scene.call(ended: 8, offer: MediaScene.sdp(inner), source: Endpoint("192.168.1.20:5060")!)
        scene.say(inner, b, at: 1.1)
        scene.say(b, inner, at: 1.1) { $0.ssrc = 2 }
        #expect(scene.accusations() == [])
    }

    @Test("a private SDP that the other end overcomes by latching: both ways")
    func latched() {
        var scene = MediaScene()
        scene.call(ended: 8, offer: MediaScene.sdp(Endpoint("192.168.1.20:4000")!))
        let outer = Endpoint(a.address, 31_000)
        scene.say(outer, b, at: 1.1)
        scene.say(b, outer, at: 1.1) { $0.ssrc = 2 }
        #expect(scene.accusations() == [])
        #expect(scene.media.outcome(ofDialog: 0) == .bothWays)
    }

    @Test("an ICMP refusal names the box, and proves it")
    func refused() throws {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 8)
        scene.say(a, b, at: 1.1)
        scene.icmp(from: a.address, about: b, a, at: 1.2)
        let finding = try #require(scene.finish().findings.first { $0.name == .mediaOneWay })
        #expect(finding.confidence == .proved)
        #expect(finding.culprit == .proved("the caller (198.51.100.5)"))
        #expect(finding.evidence.contains { $0.excerpt.hasPrefix("ICMP port unreachable for 203.0.113.9:8000") })
    }

    @Test("packets that arrive and are refused by ICMP all along are heard by nobody")
    func refusedAllAlong() throws {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 10)
        scene.say(a, b, at: 1.1) { $0.seconds = 8 }
        scene.say(b, a, at: 1.1) {
            $0.seconds = 8; $0.ssrc = 2
        }
        for second in 1...8 { scene.icmp(from: b.address, about: a, b, at: Double(second) + 0.2) }
        let finding = try #require(scene.finish().findings.first)
        #expect(finding.name == .mediaOneWay)
        #expect(finding.confidence == .proved)
        #expect(finding.culprit == .proved("the callee (203.0.113.9)"))
    }

    @Test("refusals before the listener opened its port, or after it closed it, are nothing")
    func refusedAtTheEdges() {
        var scene = MediaScene()
        scene.call(ended: 9)
        scene.say(a, b, at: 1.1) { $0.seconds = 8 }
        scene.say(b, a, at: 1.1) {
            $0.seconds = 8; $0.ssrc = 2
        }
        for at in [1.1, 1.12, 1.14, 9.02, 9.04] { scene.icmp(from: b.address, about: a, b, at: at < 2 ? at : 1.2) }
        #expect(scene.accusations() == [])
    }

    // MARK: None

    @Test("answered, both sendrecv, nobody heard, while the capture holds other audio: a fault")
    func silence() throws {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 8)
        let finding = try #require(scene.finish().findings.first)
        #expect(finding.name == .mediaNone)
        #expect(finding.severity == .fault)
        #expect(finding.subject.dialogs == [0])
        #expect(scene.media.outcome(ofDialog: 0) == .none)
    }

    @Test("a capture of signalling alone cannot tell")
    func signallingOnly() {
        var scene = MediaScene()
        scene.call(ended: 8)
        scene.call(dialog: 1, began: 2, ended: 12)
        #expect(scene.accusations() == [])
        #expect(scene.media.outcome(ofDialog: 0) == .unknown)
    }

    @Test("no audio is expected of a call that agreed on none", arguments: ["inactive", "port 0", "short", "unanswered"])
    func notExpected(how: String) {
        var scene = MediaScene()
        scene.neighbour()
        switch how {
        case "inactive": scene.call(ended: 9, offer: MediaScene.sdp(a, "inactive"), answer: MediaScene.sdp(b, "inactive"))
        case "port 0": scene.call(ended: 9, answer: MediaScene.sdp(Endpoint(b.address, 0)))
        case "short": scene.call(ended: 2)
        default:
            scene.fact(.description(MediaScene.sdp(a), isAnswer: false), fromCaller: true, at: 0)
            scene.fact(.description(MediaScene.sdp(b), isAnswer: true), fromCaller: false, at: 1)
            scene.fact(.ended, fromCaller: true, at: 20)
        }
        #expect(scene.accusations() == [])
    }

    @Test("audio between hosts that the capture never shows is not missed")
    func elsewhere() {
        var scene = MediaScene()
        scene.neighbour()
        // A proxy's capture: the phones' audio does not pass it.
        scene.call(
            ended: 9, offer: MediaScene.sdp(Endpoint("192.0.2.1:4000")!), answer: MediaScene.sdp(Endpoint("192.0.2.2:4000")!))
        #expect(scene.accusations() == [])
    }

    @Test("packets may travel through a TURN server, where no RTP shows")
    func relayed() {
        var scene = MediaScene()
        scene.neighbour()
        let relay = ["a=candidate:1 1 UDP 1 192.0.2.50 5000 typ relay raddr 10.0.0.1 rport 9"]
        scene.call(ended: 9, offer: MediaScene.sdp(a, extra: relay), answer: MediaScene.sdp(b, extra: relay))
        #expect(scene.accusations() == [])
    }

    @Test("two hops of one call: heard on one of them is heard")
    func hops() {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 9)
        let relay = Endpoint("203.0.113.50:9000")!
        scene.call(leg: 1, ended: 9, offer: MediaScene.sdp(relay), answer: MediaScene.sdp(Endpoint("203.0.113.60:9000")!))
        scene.say(a, b, at: 1.1)
        scene.say(b, a, at: 1.1) { $0.ssrc = 2 }
        #expect(scene.accusations() == [])
    }

    // MARK: Sources

    @Test("audio from a host that nobody signalled is a note while both are heard")
    func strangerWorks() throws {
        var scene = MediaScene()
        scene.call(ended: 8)
        scene.say(a, b, at: 1.1)
        scene.say(stranger, a, at: 1.1) { $0.ssrc = 2 }
        let findings = scene.finish().findings
        #expect(findings.map(\.name) == [.mediaWrongSource])
        #expect(findings.map(\.severity) == [.note])
    }

    @Test("and a risk when the other end is not heard")
    func strangerAlone() {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 8)
        scene.say(stranger, a, at: 1.1) { $0.ssrc = 2 }
        #expect(scene.accusations().contains("media.wrong-source risk [0]"))
    }

    @Test("RFC 4961: another port of the same host is a NAT's doing and no finding")
    func symmetric() {
        var scene = MediaScene()
        scene.call(ended: 8)
        let outer = Endpoint(a.address, 31_000)
        scene.say(outer, b, at: 1.1)
        scene.say(b, outer, at: 1.1) { $0.ssrc = 2 }
        let findings = scene.finish().findings
        #expect(findings.isEmpty)
    }

}
