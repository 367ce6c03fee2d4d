import Base
import Capture
import Testing

@testable import Analysis

@Suite("Who hung up, where RTCP says goodbye and no BYE of SIP passes")
struct FarewellTests {
    private let a = MediaScene.callerAudio
    private let b = MediaScene.calleeAudio

    /// The callee's audio ends after 10 s and its port closes; the caller's goes on. `goodbye`: when its RTCP BYE passes (RFC 3550 6.6).
    private func cut(goodbye: Double?, of source: UInt32 = 2, bye: Bool = false, closes: Bool = true) -> [Finding] {
        var scene = MediaScene()
        scene.call(ended: bye ? 11 : nil)
        scene.say(a, b, at: 1) { $0.seconds = bye ? 10 : 30 }
        scene.say(b, a, at: 1) {
            $0.seconds = 10; $0.ssrc = 2
        }
        if let goodbye {
            var bytes: [UInt8] = [0x81, 203, 0, 1]
            bytes.append(bigEndian: source)
            scene.packet(bytes, Endpoint(b.address, b.port + 1), Endpoint(a.address, a.port + 1), at: goodbye)
        }
        if closes { for number in 0..<20 { scene.icmp(from: b.address, about: a, b, at: 11.05 + Double(number)) } }
        return scene.finish().findings.filter(\.severity.accuses)
    }

    @Test("its RTCP says goodbye and its port closes: it hung up, and the BYE got lost before the capture")
    func farewell() throws {
        let found = cut(goodbye: 11)
        #expect(found.map(\.name) == [.mediaNone])
        let finding = try #require(found.first)
        #expect(
            finding.summary
                == "The callee (203.0.113.9:5060) hung up, and the caller did not learn of it and goes on sending to 203.0.113.9:8000: its RTCP says "
                + "goodbye and its port closes at that moment, but no BYE of SIP passes here.")
        #expect(finding.culprit == .between("the callee (203.0.113.9:5060)", "the place of the capture"))
        #expect(finding.remedies.map(\.actor) == [.router])
    }

    @Test("no goodbye, one of long before, or of another source: the port closed, and nobody is said to have hung up")
    func none() {
        for found in [cut(goodbye: nil), cut(goodbye: 5), cut(goodbye: 11, of: 77)] {
            #expect(found.map(\.name) == [.mediaNone])
            #expect(!found.contains { $0.summary.contains("hung up") })
        }
    }

    @Test("a goodbye with a BYE of SIP accuses nobody")
    func regular() { #expect(cut(goodbye: 11, bye: true, closes: false) == []) }
}
