import Analysis
import Base
import Testing

@Suite("What receivers report (RTCP, RFC 3550 6.4)")
struct MediaReportTests {
    private let a = MediaScene.callerAudio
    private let b = MediaScene.calleeAudio
    private var aControl: Endpoint { Endpoint(a.address, a.port + 1) }
    private var bControl: Endpoint { Endpoint(b.address, b.port + 1) }

    private func receiverReport(
        of source: UInt32, by reporter: UInt32, lost: Int32, fraction: UInt8 = 0, last: UInt32 = 0, wait: UInt32 = 0
    ) -> [UInt8] {
        var bytes: [UInt8] = [0x81, 201, 0, 7]
        bytes.append(bigEndian: reporter)
        bytes.append(bigEndian: source)
        bytes.append(bigEndian: UInt32(fraction) << 24 | UInt32(bitPattern: lost) & 0xff_ffff)
        bytes.append(bigEndian: UInt32(1_300))
        bytes.append(bigEndian: UInt32(16))
        bytes.append(bigEndian: last)
        bytes.append(bigEndian: wait)
        return bytes
    }

    private func senderReport(of source: UInt32, ntp: UInt64) -> [UInt8] {
        var bytes: [UInt8] = [0x80, 200, 0, 6]
        bytes.append(bigEndian: source)
        bytes.append(bigEndian: ntp)
        for _ in 0..<3 { bytes.append(bigEndian: UInt32(1)) }
        return bytes
    }

    @Test("the receiver's view: losses, worst interval, jitter, and the way there and back")
    func view() throws {
        var scene = MediaScene()
        scene.say(a, b, at: 0)
        scene.packet(senderReport(of: 0x1234, ntp: 0x0001_0002_0003_0004), aControl, bControl, at: 2)
        scene.packet(
            receiverReport(of: 0x1234, by: 9, lost: 3, fraction: 64, last: 0x0002_0003, wait: 32_768), bControl, aControl,
            at: 2.58)
        let remote = try #require(scene.finish().streams.first?.remote)
        #expect(remote.reports == 1)
        #expect(remote.packetsLost == 3)
        #expect(remote.worstFractionLost == 0.25)
        #expect(remote.jitter == 2)
        #expect(remote.roundTrip == .milliseconds(80))
    }

    @Test("losses that the receiver does not report are the capture's")
    func captureLoss() {
        var scene = MediaScene()
        scene.say(a, b, at: 0) { $0.isLost = { $0 % 10 == 5 } }
        scene.packet(receiverReport(of: 0x1234, by: 9, lost: 0), bControl, aControl, at: 5.5)
        #expect(scene.accusations() == [])
    }

    @Test("losses that only the receiver reports happened beyond the capture, and are told so")
    func farLoss() throws {
        var scene = MediaScene()
        scene.say(a, b, at: 0)
        scene.packet(receiverReport(of: 0x1234, by: 9, lost: 30, fraction: 26), bControl, aControl, at: 5.5)
        let finding = try #require(scene.finish().findings.first)
        #expect(finding.name == .mediaQuality)
        #expect(finding.severity == .fault)
        #expect(finding.culprit == .between("the place of the capture", "\(b)"))
    }

    @Test("a listener that reports on a stream which the capture does not show hears it: not one way")
    func unseenStream() {
        var scene = MediaScene()
        scene.neighbour()
        scene.call(ended: 9)
        scene.say(a, b, at: 1.1) { $0.seconds = 7 }
        scene.packet(receiverReport(of: 0xbeef, by: 0x1234, lost: 0), aControl, bControl, at: 6)
        #expect(scene.accusations() == [])
    }
}
