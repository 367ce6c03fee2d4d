import Analysis
import Base
import Capture
import Testing

@Suite("audio that stops after the same time in each call, and clocks that run wrong")
struct StopTests {
    /// Calls of a minute in which the callee is heard for so many seconds.
    private func calls(_ heard: [Double]) -> MediaScene {
        var scene = MediaScene()
        scene.media.serves(at: PackedAddress(MediaScene.callee.address))
        for (number, seconds) in heard.enumerated() {
            let began = Double(number) * 200
            scene.call(dialog: number, began: began, ended: began + 60)
            scene.say(MediaScene.callerAudio, MediaScene.calleeAudio, at: began + 1) {
                $0.seconds = 58; $0.ssrc = 100 + UInt32(number)
            }
            scene.say(MediaScene.calleeAudio, MediaScene.callerAudio, at: began + 1) {
                $0.seconds = seconds; $0.ssrc = 200 + UInt32(number)
            }
        }
        return scene
    }

    @Test("thirty seconds in each of three calls are a timer's: one finding")
    func timer() throws {
        var scene = calls([30, 30, 30])
        let found = scene.finish().findings.filter(\.severity.accuses)
        #expect(found.map(\.name) == [.mediaOneWay])
        let finding = try #require(found.first)
        #expect(finding.count == 3)
        #expect(finding.subject.dialogs == [0, 1, 2])
        #expect(
            finding.summary
                == "Audio of the callee (203.0.113.9:5060) stops 30 s after it began, in each of 3 calls, while the other end goes on: a timer "
                + "on the way ends it, not a person.")
        #expect(finding.remedies.map(\.actor) == [.router, .server])
    }

    @Test(
        "greetings of a mailbox, alike or not, two calls, and calls heard to the end accuse nobody",
        arguments: [
            [12.3, 12.3, 12.3, 12.3], [20, 20, 20], [30, 30], [29, 17, 8], [58, 58, 58],
        ])
    func innocent(_ heard: [Double]) {
        var scene = calls(heard)
        #expect(scene.accusations() == [])
    }

    /// A call in which the callee's packets come as told, beside a caller who keeps true time.
    private func clock(_ change: (inout MediaScene.Talk) -> Void, formats: [String] = ["0 PCMU/8000"]) -> [Finding] {
        var scene = MediaScene()
        scene.call(ended: 22, answer: MediaScene.sdp(MediaScene.calleeAudio, formats: formats))
        scene.say(MediaScene.callerAudio, MediaScene.calleeAudio, at: 1) { $0.seconds = 20 }
        scene.say(MediaScene.calleeAudio, MediaScene.callerAudio, at: 1) {
            $0.seconds = 20; $0.ssrc = 9
            change(&$0)
        }
        return scene.finish().findings.filter(\.severity.accuses)
    }

    @Test("timestamps that run half as fast again as time are told, with both packet times")
    func fast() throws {
        let found = clock { $0.step = 240 }
        #expect(found.map(\.name) == [.mediaQuality])
        let finding = try #require(found.first)
        #expect(finding.summary.contains("its timestamps run at 150."))
        #expect(finding.culprit == .proved("the callee (203.0.113.9:8000)"))
    }

    @Test("true clocks, other packet times, G.722, pauses, silence suppression and events accuse nobody")
    func trueClocks() {
        #expect(clock { $0.step = 160 }.isEmpty)
        #expect(
            clock {
                $0.packetTime = 30; $0.step = 240
            }.isEmpty)
        #expect(
            clock(
                {
                    $0.payloadType = 9; $0.step = 320
                }, formats: ["9 G722/8000"]
            ).isEmpty)
        #expect(
            clock {
                $0.speaks = { $0 % 200 < 150 }; $0.clockRunsInSilence = false
            }.isEmpty)
        #expect(
            clock {
                $0.speaks = { $0 % 200 < 190 }; $0.clockRunsInSilence = false
            }.isEmpty)
        #expect(clock { $0.late = { Int64(5 - $0 % 5) * 20_000_000 } }.isEmpty)
    }

    @Test("where no stream keeps true time it is the capture's clock")
    func capture() {
        var scene = MediaScene()
        scene.call(ended: 22)
        scene.say(MediaScene.callerAudio, MediaScene.calleeAudio, at: 1) {
            $0.seconds = 20; $0.step = 240
        }
        scene.say(MediaScene.calleeAudio, MediaScene.callerAudio, at: 1) {
            $0.seconds = 20; $0.ssrc = 9; $0.step = 240
        }
        #expect(scene.accusations() == [])
    }
}
