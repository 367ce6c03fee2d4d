import Analysis
import Base
import Testing

extension MediaCallTests {
    @Test("8 % lost of G.711 is a fault that says how many, in which direction, and how it sounds")
    func loss() throws {
        var scene = MediaScene()
        scene.call(ended: 12)
        scene.say(a, b, at: 1.1) {
            $0.seconds = 10; $0.isLost = { $0 % 25 < 2 }
        }
        scene.say(b, a, at: 1.1) {
            $0.seconds = 10; $0.ssrc = 2
        }
        let finding = try #require(scene.finish().findings.first)
        #expect(finding.name == .mediaQuality)
        #expect(finding.severity == .fault)
        #expect(finding.summary.contains("the caller (198.51.100.5:4000)"))
        #expect(finding.culprit == .between("198.51.100.5:4000", "the place of the capture"))
        #expect(finding.details.contains { $0.contains("MOS") && $0.contains("PCMU") })
    }

    @Test("one packet in 300 is nothing, one in 50 a risk at most")
    func little() {
        for (every, accuses) in [(300, false), (50, true)] {
            var scene = MediaScene()
            scene.call(ended: 12)
            scene.say(a, b, at: 1.1) {
                $0.seconds = 10; $0.isLost = { $0 % every == every - 7 }
            }
            scene.say(b, a, at: 1.1) {
                $0.seconds = 10; $0.ssrc = 2
            }
            let severities = scene.finish().findings.map(\.severity)
            #expect(severities == (accuses ? [.risk] : []))
        }
    }

    @Test("copies from two places with clocks apart, merged into one file, are no loss")
    func copies() {
        var scene = MediaScene()
        scene.call(ended: 22)
        for seconds in [1.1, 3.8] {
            scene.say(a, b, at: seconds) { $0.seconds = 15 }
            scene.say(b, a, at: seconds) {
                $0.seconds = 15; $0.ssrc = 2
            }
        }
        #expect(scene.accusations() == [])
    }

    @Test("two calls after one another on the same ports: each has its own streams")
    func reused() {
        var scene = MediaScene()
        scene.call(dialog: 0, began: 0, ended: 8)
        scene.say(a, b, at: 1.1)
        scene.say(b, a, at: 1.1) { $0.ssrc = 2 }
        scene.call(dialog: 1, began: 20, ended: 28)
        scene.say(a, b, at: 21.1) { $0.ssrc = 3 }
        let (findings, streams) = scene.finish()
        #expect(streams.map(\.dialog) == [0, 0, 1])
        #expect(findings.map(\.subject.dialogs) == [[1]])
    }

    @Test("captures are judged apart: audio in one does not help the other")
    func files() {
        var scene = MediaScene()
        scene.call(dialog: 0, ended: 8, file: 0)
        scene.call(dialog: 1, ended: 8, file: 1)
        scene.say(a, b, at: 1.1, file: 0)
        scene.say(b, a, at: 1.1, file: 0) { $0.ssrc = 2 }
        scene.say(a, b, at: 1.1, file: 1)
        #expect(scene.accusations() == ["media.one-way fault [1]"])
    }
}
