@testable import Analysis
import Base
import Capture
import Testing

@Suite("Pauses that the sender makes itself are no one-way audio")
struct PauseTests {
    private let a = MediaScene.callerAudio
    private let b = MediaScene.calleeAudio

    /// The callee is heard for 5 s, pauses, and goes on from `source` up to the end.
    private func accusations(
        pause: Double = 6, isServer: Bool, ssrc: UInt32 = 3, sequence: Int = 9_000, from source: Endpoint = MediaScene.calleeAudio
    ) -> [String] {
        var scene = MediaScene()
        let end = 16 + pause
        scene.call(ended: end)
        if isServer { scene.media.serves(at: PackedAddress(MediaScene.callee.address)) }
        scene.say(a, b, at: 1.1) { $0.seconds = end - 1.2 }
        scene.say(b, a, at: 1.1) {
            $0.seconds = 5; $0.ssrc = 2
        }
        scene.say(source, a, at: 6.1 + pause) {
            $0.seconds = 9.8; $0.ssrc = ssrc; $0.sequence = sequence
        }
        return scene.accusations()
    }

    @Test("another source from the same place of a server is another one put on the line", arguments: [3.2, 6, 34])
    func handover(pause: Double) { #expect(accusations(pause: pause, isServer: true) == []) }

    @Test("of a phone, or after more than a minute, the same is told", arguments: [(6.0, false), (70, true)])
    func noHandover(pause: Double, isServer: Bool) {
        #expect(accusations(pause: pause, isServer: isServer) == ["media.one-way fault [0]"])
    }

    @Test("the same source with numbers missing, or another place, is told of a server too")
    func lost() {
        #expect(accusations(isServer: true, ssrc: 2, sequence: 1_550).contains("media.one-way fault [0]"))
        #expect(
            accusations(isServer: true, from: Endpoint("203.0.113.77:8000")!).contains("media.one-way fault [0]"))
    }

    @Test("numbers that go on without a gap under a new SSRC: nothing was lost, whoever sends", arguments: [true, false])
    func goesOn(isServer: Bool) { #expect(accusations(pause: 24, isServer: isServer, sequence: 1_250) == []) }

    @Test("a server's first packet may take some seconds; a phone's late start and a long wait are told")
    func start() {
        func late(_ seconds: Double, isServer: Bool) -> [String] {
            var scene = MediaScene()
            scene.call(ended: 30)
            if isServer { scene.media.serves(at: PackedAddress(MediaScene.callee.address)) }
            scene.say(a, b, at: 1.1) { $0.seconds = 28 }
            scene.say(b, a, at: 1 + seconds) {
                $0.seconds = 28 - seconds; $0.ssrc = 2
            }
            return scene.accusations()
        }
        #expect(late(4, isServer: true) == [])
        #expect(late(4, isServer: false) == ["media.one-way fault [0]"])
        #expect(late(8, isServer: true) == ["media.one-way fault [0]"])
    }

    @Test(
        "the provider on the open net, as a phone in a private one sees it, is a server; a phone on the open net is none",
        arguments: [true, false])
    func provider(isInside: Bool) {
        var scene = MediaScene()
        let phone = Endpoint("192.168.1.40:5060")!
        let audio = Endpoint("192.168.1.40:5004")!
        scene.call(ended: 22, offer: MediaScene.sdp(audio), source: phone)
        if !isInside { scene.media.serves(at: PackedAddress(phone.address)) }
        scene.say(audio, b, at: 1.1) { $0.seconds = 20.8 }
        scene.say(b, audio, at: 1.1) {
            $0.seconds = 5; $0.ssrc = 2
        }
        scene.say(b, audio, at: 12.1) {
            $0.seconds = 9.8; $0.ssrc = 3; $0.sequence = 9_000
        }
        #expect(scene.accusations() == (isInside ? [] : ["media.one-way fault [0]"]))
    }

    // MARK: Keepalives

    @Test(
        "empty packets that keep a mapping open are no codec and no sound; with sound in them they are one",
        arguments: [20, 126, 127],
        [0, 1, 160])
    func keepalives(type: UInt8, payload: Int) {
        var scene = MediaScene()
        scene.call(ended: 127)
        scene.say(b, a, at: 1.1) {
            $0.seconds = 125.8; $0.ssrc = 2
        }
        scene.say(a, b, at: 1.1) { $0.seconds = 5 }
        for number in 0..<60 {
            scene.packet(
                MediaScene.rtp(type, 1_250 + number, 45_000 + UInt32(number) * 160, 0x1234, payload: payload), a, b,
                at: 7 + Double(number) * 2)
        }
        #expect(scene.accusations() == (payload > 1 ? ["codec.not-negotiated fault [0]"] : []))
    }

    @Test("a stream of nothing but keepalives is no codec either")
    func keepalivesAlone() {
        var scene = MediaScene()
        scene.call(ended: 127)
        scene.say(b, a, at: 1.1) {
            $0.seconds = 125.8; $0.ssrc = 2
        }
        for number in 0..<63 {
            scene.packet(MediaScene.rtp(126, 1 + number, 7, 0x1234, payload: 0), a, b, at: 1.2 + Double(number) * 2)
        }
        #expect(scene.accusations() == [])
    }
}
