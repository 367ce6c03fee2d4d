import Analysis
import Base
import Capture
import Testing

@Suite("ends that report by RTCP that they hear nothing")
struct EmptyReportTests {
    private let a = MediaScene.callerAudio
    private let b = MediaScene.calleeAudio

    /// A sender report, with blocks about nobody in particular.
    private static func report(_ ssrc: UInt32, blocks: Int = 0) -> [UInt8] {
        var bytes: [UInt8] = [0x80 | UInt8(blocks), 200]
        bytes.append(bigEndian: UInt16(6 + 6 * blocks))
        bytes.append(bigEndian: ssrc)
        return bytes + [UInt8](repeating: 1, count: 20 + 24 * blocks)
    }

    /// Ten seconds both ways; the callee reports at these times, with so many blocks.
    private func scene(
        _ reports: [(Double, Int)], spoken: Double = 10, holds: Bool = false, isServer: Bool = false, from port: UInt16 = 8_001,
        reportsElsewhere: Bool = true
    ) -> MediaScene {
        var scene = MediaScene()
        if reportsElsewhere {
            scene.packet(Self.report(77, blocks: 1), Endpoint(b.address, 9_001), Endpoint("192.0.2.77:6001")!, at: 0.5)
        }
        if isServer { scene.media.serves(at: PackedAddress(MediaScene.callee.address)) }
        scene.call(ended: 11)
        if holds {
            scene.fact(.description(MediaScene.sdp(b, "sendonly"), isAnswer: false), fromCaller: false, at: 1.2)
            scene.fact(.description(MediaScene.sdp(a, "recvonly"), isAnswer: true), fromCaller: true, at: 1.3)
        }
        scene.say(a, b, at: 1) { $0.seconds = spoken }
        scene.say(b, a, at: 1) {
            $0.seconds = 10; $0.ssrc = 9
        }
        for (at, blocks) in reports {
            scene.packet(Self.report(9, blocks: blocks), Endpoint(b.address, port), Endpoint(a.address, a.port + 1), at: at)
        }
        return scene
    }

    @Test("a sender report without a block while 200 packets were sent to its end: they are lost past the capture")
    func deaf() throws {
        var scene = scene([(6, 0)])
        let finding = try #require(scene.finish().findings.first { $0.severity.accuses })
        #expect(finding.name == .mediaOneWay)
        #expect(
            finding.summary
                == "The callee (203.0.113.9:5060) reports by RTCP that it hears nothing of the caller, whose 500 packets passed here on the way to "
                + "203.0.113.9:8000: they are lost past the place of this capture.")
        var muxed = self.scene([(6, 0)], from: 8_000)
        #expect(muxed.accusations() == ["media.one-way fault [0]"])
    }

    @Test(
        "a report of something, ever, one that comes early, hold, a server that plays, another end's report, and a program that never reports what it hears accuse nobody"
    )
    func innocent() {
        for reports in [[(6.0, 1)], [(6, 0), (9, 1)], [(3, 1), (8, 0)], [(2.5, 0)], []] {
            var scene = scene(reports)
            #expect(scene.accusations() == [])
        }
        var hold = scene([(6, 0)], holds: true)
        #expect(hold.accusations() == [])
        var server = scene([(6, 0)], isServer: true)
        #expect(server.accusations() == [])
        var silent = scene([(6, 0), (9, 0)], reportsElsewhere: false)
        #expect(silent.accusations() == [])
        var elsewhere = scene([(6, 0)], from: 8_100)
        #expect(elsewhere.accusations() == [])
    }
}
