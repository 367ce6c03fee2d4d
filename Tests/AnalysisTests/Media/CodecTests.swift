import Analysis
import Base
import Testing

@Suite("codec.not-negotiated")
struct CodecTests {
    private let a = MediaScene.callerAudio
    private let b = MediaScene.calleeAudio

    /// A call with PCMU agreed, and audio of the callee in `type`.
    private func accusations(
        sending type: UInt8, seconds: Double = 6, callerTakes: [String] = ["0 PCMU/8000"],
        calleeNames: [String] = ["0 PCMU/8000"],
        _ change: (inout MediaScene) -> Void = { _ in }
    ) -> [String] {
        var scene = MediaScene()
        scene.call(
            ended: 8, offer: MediaScene.sdp(a, formats: callerTakes), answer: MediaScene.sdp(b, formats: calleeNames))
        change(&scene)
        scene.say(a, b, at: 1.1) { $0.payloadType = UInt8(callerTakes[0].prefix { $0 != " " })! }
        scene.say(b, a, at: 1.1) {
            $0.payloadType = type; $0.seconds = seconds; $0.ssrc = 2
        }
        return scene.accusations()
    }

    @Test("G.729 into a call of PCMU alone: a fault of its sender")
    func foreign() throws {
        #expect(accusations(sending: 18) == ["codec.not-negotiated fault [0]"])
        var scene = MediaScene()
        scene.call(ended: 8)
        scene.say(b, a, at: 1.1) {
            $0.payloadType = 18; $0.ssrc = 2
        }
        scene.say(a, b, at: 1.1)
        let finding = try #require(scene.finish().findings.first { $0.name == .codecNotNegotiated })
        #expect(
            finding.summary
                == "The callee (203.0.113.9:5060) sends G729 (payload type 18), which was never negotiated: the caller hears silence or noise."
        )
        #expect(finding.culprit == .proved("the callee (203.0.113.9:5060)"))
    }

    @Test("what the listener named is agreed, though the answer chose another")
    func chosenOther() {
        #expect(accusations(sending: 8, callerTakes: ["0 PCMU/8000", "8 PCMA/8000"]) == [])
    }

    @Test("a sender that uses its own number for a dynamic format is understood")
    func ownNumber() {
        #expect(accusations(sending: 111, callerTakes: ["96 opus/48000"], calleeNames: ["111 opus/48000"]) == [])
    }

    @Test("what only the sender named is no accusation: most phones take it")
    func sendersOwn() { #expect(accusations(sending: 8, calleeNames: ["0 PCMU/8000", "8 PCMA/8000"]) == []) }

    /// An offer of PCMA and G.729, answered with G.729 alone, which the callee sends; the caller sends `type`.
    private func ignored(
        _ type: UInt8 = 8, answer: [String] = ["18 G729/8000"], back: UInt8 = 18, at: Double = 1.1, seconds: Double = 6,
        again: Bool = false
    ) -> MediaScene {
        var scene = MediaScene()
        scene.call(
            ended: 9, offer: MediaScene.sdp(a, formats: ["8 PCMA/8000", "18 G729/8000"]),
            answer: MediaScene.sdp(b, formats: answer))
        if again {
            scene.fact(
                .description(MediaScene.sdp(b, formats: ["8 PCMA/8000"]), isAnswer: false), fromCaller: false, at: 1.05)
            scene.fact(.description(MediaScene.sdp(a, formats: ["8 PCMA/8000"]), isAnswer: true), fromCaller: true, at: 1.06)
        }
        scene.say(a, b, at: at) {
            $0.payloadType = type; $0.seconds = seconds
        }
        scene.say(b, a, at: 1.1) {
            $0.payloadType = back; $0.ssrc = 2; $0.step = 160
        }
        return scene
    }

    @Test("what the sender had offered and the answer left out is a fault of the sender, where the listener sends another")
    func ignoredAnswer() throws {
        var scene = ignored()
        let finding = try #require(scene.finish().findings.first { $0.name == .codecNotNegotiated })
        #expect(finding.severity == .fault && finding.culprit == .proved("the caller (198.51.100.5:5060)"))
        #expect(
            finding.summary
                == "The caller (198.51.100.5:5060) sends PCMA (payload type 8), which it had offered and the callee left out of its answer: whoever "
                + "offers has to send what the answer names.")
    }

    @Test("agreed, sent before the answer came, changed within the call, sent back alike, or for a moment: nothing")
    func ignoredAlike() {
        var scenes = [
            ignored(18), ignored(answer: ["8 PCMA/8000", "18 G729/8000"]), ignored(at: 0.2, seconds: 1.5), ignored(again: true),
            ignored(back: 8), ignored(seconds: 2),
        ]
        #expect(scenes.indices.map { scenes[$0].accusations().filter { $0.hasPrefix("codec") } } == scenes.map { _ in [] })
    }

    @Test("comfort noise alone is no codec", arguments: [13, 19])
    func comfortNoise(type: UInt8) {
        #expect(!accusations(sending: type).contains { $0.hasPrefix("codec") })
    }

    @Test("a format that a later description names is agreed")
    func renegotiated() {
        let found = accusations(sending: 9) { scene in
            let (offer, answer) = (MediaScene.sdp(a, formats: ["9 G722/8000"]), MediaScene.sdp(b, formats: ["9 G722/8000"]))
            scene.fact(.description(offer, isAnswer: false), fromCaller: true, at: 1.05)
            scene.fact(.description(answer, isAnswer: true), fromCaller: false, at: 1.06)
        }
        #expect(found == [])
    }

    @Test("what the listener offered and the sender's answer left out is a note; named by both, or a number of its own, nothing")
    func leftOut() throws {
        func note(_ type: UInt8, _ taken: [String], _ named: [String]) -> Finding? {
            var scene = MediaScene()
            scene.call(ended: 8, offer: MediaScene.sdp(a, formats: taken), answer: MediaScene.sdp(b, formats: named))
            scene.say(a, b, at: 1.1) { $0.payloadType = 9 }
            scene.say(b, a, at: 1.1) {
                $0.payloadType = type; $0.ssrc = 2
            }
            return scene.finish().findings.first { $0.name == .codecNotNegotiated }
        }
        let found = try #require(note(8, ["9 G722/8000", "8 PCMA/8000"], ["9 G722/8000"]))
        #expect(found.severity == .note)
        #expect(
            found.summary
                == "The callee (203.0.113.9:5060) sends PCMA (payload type 8), which its own description leaves out; the caller named it, so it "
                + "can play it. What both name is what should be sent (RFC 3264 6.1).")
        #expect(note(8, ["9 G722/8000", "8 PCMA/8000"], ["9 G722/8000", "8 PCMA/8000"]) == nil)
        #expect(note(96, ["9 G722/8000", "96 opus/48000"], ["9 G722/8000", "111 opus/48000"]) == nil)
    }
}

@Suite("digits that nobody takes")
struct DigitTests {
    private let a = MediaScene.callerAudio
    private let b = MediaScene.calleeAudio
    private static let events = "101 telephone-event/8000"

    /// A call in which the caller presses two digits, six packets each, if told as events of that payload type.
    private func scene(
        offer: [String] = ["0 PCMU/8000", events], answer: [String] = ["0 PCMU/8000"], type: UInt8? = 101, octets: Int = 4,
        calleeToo: Bool = false
    ) -> MediaScene {
        var scene = MediaScene()
        scene.call(ended: 10, offer: MediaScene.sdp(a, formats: offer), answer: MediaScene.sdp(b, formats: answer))
        for (from, to, ssrc) in [(a, b, UInt32(1)), (b, a, 2)] {
            scene.say(from, to, at: 1.1) {
                $0.seconds = 3; $0.ssrc = ssrc
            }
            scene.say(from, to, at: 5) {
                $0.seconds = 4; $0.ssrc = ssrc; $0.sequence = 1_162; $0.timestamp = 5_000 + 195 * 160
            }
            guard let type, from == a || calleeToo else { continue }
            for packet in 0..<12 {
                let stamp = UInt32(5_000 + 150 * 160 + packet / 6 * 2_000)
                scene.packet(
                    MediaScene.rtp(type, 1_150 + packet, stamp, ssrc, payload: octets), from, to,
                    at: 4.1 + Double(packet) * 0.02)
            }
        }
        return scene
    }

    @Test("digits as telephone-event to an end whose description leaves them out are lost: a fault that counts them")
    func lost() throws {
        var scene = scene()
        let finding = try #require(scene.finish().findings.first { $0.name == .codecNotNegotiated })
        #expect(finding.severity == .fault && finding.confidence == .likely)
        #expect(
            finding.summary
                == "The caller (198.51.100.5:5060) sends 2 digits as telephone-event (payload type 101), which the callee (203.0.113.9:5060) does "
                + "not take: its description leaves that format out, so digits (DTMF) are lost.")
        #expect(
            finding.culprit == .between("the caller (198.51.100.5:5060)", "the callee (203.0.113.9:5060)"))
    }

    @Test("agreed, by another number or without its name, answered with digits, unnamed by the sender, never pressed: nothing")
    func lookAlikes() {
        var scenes = [
            scene(answer: ["0 PCMU/8000", Self.events]), scene(answer: ["0 PCMU/8000", "96 telephone-event/8000"]),
            scene(answer: ["0 PCMU/8000", "101 x/8000"]), scene(calleeToo: true), scene(offer: ["0 PCMU/8000"]), scene(type: nil),
        ]
        #expect(scenes.indices.map { scenes[$0].accusations().filter { $0.hasPrefix("codec") } } == scenes.map { _ in [] })
    }
}
