import Analysis
import Base
import Testing

@Suite("media.one-way: an end that says itself that it sends nothing")
struct IdleReportTests {
    /// A call of half a minute whose caller speaks only in its last seconds, and reports meanwhile of that kind.
    private func accusations(reports kind: UInt8?, packets: UInt8 = 0) -> [String] {
        var scene = MediaScene()
        let (a, b) = (MediaScene.callerAudio, MediaScene.calleeAudio)
        scene.call(ended: 31)
        scene.say(b, a, at: 1.1) {
            $0.seconds = 29; $0.ssrc = 2
        }
        scene.say(a, b, at: 25) {
            $0.seconds = 5; $0.ssrc = 1
        }
        for at in kind == nil ? [] : [6.0, 11, 16, 21] {
            let own: [UInt8] = [0, 0, 0, 1]
            let sender: [UInt8] = kind == 200 ? [UInt8](repeating: 0, count: 11) + [1, 0, 0, 0, packets, 0, 0, 0, 0] : []
            let block: [UInt8] = [0, 0, 0, 2] + [UInt8](repeating: 0, count: 20)
            let length = UInt8((4 + 4 + sender.count + 24) / 4 - 1)
            scene.packet(
                [0x81, kind ?? 201, 0, length] + own + sender + block, Endpoint(a.address, a.port + 1),
                Endpoint(b.address, b.port + 1),
                at: at)
        }
        return scene.accusations()
    }

    @Test("receiver reports, or sender reports without a packet, say that nothing was sent: nothing was lost")
    func idle() {
        #expect(accusations(reports: 201) == [])
        #expect(accusations(reports: 200) == [])
    }

    @Test("without reports, or with packets counted in them, what does not arrive is missed")
    func missed() {
        #expect(accusations(reports: nil) == ["media.one-way fault [0]"])
        #expect(accusations(reports: 200, packets: 9) == ["media.one-way fault [0]"])
    }
}
