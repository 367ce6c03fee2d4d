import Analysis
import Base
import RTP
import Testing

@Suite("Streams of a capture: counts, loss, jitter, quality")
struct MediaStreamTests {
    private let a = MediaScene.callerAudio
    private let b = MediaScene.calleeAudio

    private func only(_ scene: MediaScene) throws -> StreamSummary {
        var scene = scene
        let streams = scene.finish().streams
        return try #require(streams.count == 1 ? streams.first : nil, "\(streams.count) streams")
    }

    @Test("a steady stream: everything came, no jitter, codec by its static type, MOS 4.4")
    func steady() throws {
        var scene = MediaScene()
        scene.say(a, b, at: 0) { $0.seconds = 10 }
        let stream = try only(scene)
        #expect(stream.packets == 500)
        #expect(stream.expected == 500)
        #expect(stream.lost == 0)
        #expect(stream.codec == "PCMU")
        #expect(stream.clockRate == 8_000)
        #expect(stream.packetTime == .milliseconds(20))
        #expect(stream.maximumJitter < 0.13)
        #expect(abs((stream.meanOpinionScore ?? 0) - 4.409) < 0.001)
        #expect(stream.source == a && stream.destination == b && stream.ssrc == 0x1234)
        #expect(stream.first == MediaScene.start)
        #expect(stream.last == MediaScene.at(9.98))
        #expect(stream.dialog == nil)
        #expect(!stream.suppressesSilence)
        #expect(stream.restarts == 0)
    }

    @Test("losses are counted where they lie, and the time line adds up to them")
    func losses() throws {
        var scene = MediaScene()
        scene.say(a, b, at: 0) {
            $0.seconds = 40
            $0.isLost = { (300..<310).contains($0) || $0 == 1_000 || $0 == 1_001 }
        }
        let stream = try only(scene)
        #expect(stream.expected == 2_000)
        #expect(stream.lost == 12)
        #expect(stream.bursts.longestRun == 10)
        #expect(stream.bursts.count == 2)
        #expect(stream.bins.reduce(0) { $0 + Int($1.expected) } == 2_000)
        #expect(stream.bins.reduce(0) { $0 + Int($1.lost) } == 12)
        #expect(stream.bins.count <= 64)
        #expect(stream.binWidth == .seconds(1))
        #expect(stream.bins.indices.filter { stream.bins[$0].lost > 0 } == [6, 20])
    }

    @Test("an hour's call still has 64 bins at most, and none of its packets is missing there")
    func hour() throws {
        var scene = MediaScene()
        scene.say(a, b, at: 0) {
            $0.seconds = 3_600; $0.packetTime = 200; $0.step = 1_600
        }
        let stream = try only(scene)
        #expect(stream.expected == 18_000)
        #expect(stream.bins.count <= 64)
        #expect(stream.bins.reduce(0) { $0 + Int($1.expected) } == 18_000)
        #expect(stream.binWidth == .seconds(64))
    }

    @Test("numbers and timestamps that wrap are no loss and no seam")
    func wraps() throws {
        var scene = MediaScene()
        scene.say(a, b, at: 0) {
            $0.sequence = 65_400; $0.timestamp = 0xffff_f000
        }
        let stream = try only(scene)
        #expect(stream.lost == 0)
        #expect(stream.restarts == 0)
        #expect(stream.maximumJitter < 0.13)
    }

    @Test("the same SSRC with new numbers is a restart, another SSRC another stream, and neither is loss")
    func restarts() {
        var scene = MediaScene()
        scene.say(a, b, at: 0) { $0.seconds = 3 }
        scene.say(a, b, at: 3) {
            $0.seconds = 3; $0.sequence = 40_000; $0.timestamp = 99
        }
        scene.say(a, b, at: 6) {
            $0.seconds = 3; $0.ssrc = 9
        }
        let streams = scene.finish().streams
        #expect(streams.map(\.ssrc) == [0x1234, 9])
        #expect(streams.map(\.lost) == [0, 0])
        #expect(streams.first?.restarts == 1)
        #expect(streams.first?.packets == 300)
        #expect((streams.first?.maximumJitter ?? 99) < 0.13)
    }

    @Test(
        "silence suppression is seen by talk spurts with nothing lost between them, and makes no jitter",
        arguments: [true, false])
    func suppression(clockRuns: Bool) throws {
        var scene = MediaScene()
        scene.say(a, b, at: 0) {
            $0.seconds = 12
            $0.speaks = { $0 % 150 < 50 }
            $0.clockRunsInSilence = clockRuns
        }
        let stream = try only(scene)
        #expect(stream.suppressesSilence)
        #expect(stream.lost == 0)
        #expect(stream.maximumJitter < 0.13)
        #expect(stream.late == 0)
    }

    @Test("comfort noise and digits do not disturb codec, jitter or loss")
    func auxiliary() throws {
        var scene = MediaScene()
        scene.call(
            offer: MediaScene.sdp(a, formats: ["0 PCMU/8000", "101 telephone-event/8000"]),
            answer: MediaScene.sdp(b, formats: ["0 PCMU/8000", "101 telephone-event/8000"]))
        scene.say(a, b, at: 1) { $0.seconds = 2 }
        // Six packets of one digit: the timestamp stands still.
        for number in 0..<6 {
            scene.packet(
                MediaScene.rtp(101, 1_100 + number, 5_000 + 100 * 160, 0x1234, marker: number == 0, payload: 4), a, b,
                at: 3 + Double(number) * 0.02)
        }
        scene.packet(MediaScene.rtp(13, 1_106, 5_000 + 106 * 160, 0x1234, payload: 1), a, b, at: 3.12)
        scene.say(a, b, at: 3.14) {
            $0.seconds = 3; $0.sequence = 1_107; $0.timestamp = 5_000 + 107 * 160
        }
        let stream = try only(scene)
        #expect(stream.codec == "PCMU")
        #expect(stream.payloadType == 0)
        #expect(stream.lost == 0)
        #expect(stream.maximumJitter < 0.13)
        #expect(stream.suppressesSilence)
    }

    @Test("a dynamic payload type has the name and the clock that SDP gives it")
    func dynamicNamed() throws {
        var scene = MediaScene()
        scene.call(
            offer: MediaScene.sdp(a, formats: ["111 opus/48000/2"]), answer: MediaScene.sdp(b, formats: ["111 opus/48000/2"]))
        scene.say(a, b, at: 1) {
            $0.payloadType = 111; $0.step = 960
        }
        let stream = try only(scene)
        #expect(stream.codec == "opus")
        #expect(stream.clockRate == 48_000)
        #expect(stream.packetTime == .milliseconds(20))
        #expect(stream.maximumJitter < 0.05)
        #expect(stream.meanOpinionScore != nil)
    }

    @Test(
        "a dynamic payload type that nobody named gets the clock that its timestamps run by, and no score",
        arguments: [8_000, 16_000, 48_000])
    func dynamicUnnamed(rate: Int) throws {
        var scene = MediaScene()
        scene.say(a, b, at: 0) {
            $0.payloadType = 96; $0.step = UInt32(rate / 50)
        }
        let stream = try only(scene)
        #expect(stream.codec == nil)
        #expect(stream.clockRate == rate)
        #expect(stream.meanOpinionScore == nil)
        #expect(stream.maximumJitter < 0.13)
    }

    @Test("jitter is that of RFC 3550 A.8, and packets over 100 ms behind the promptest are late")
    func jitter() throws {
        var scene = MediaScene()
        scene.say(a, b, at: 0) { $0.late = { $0 % 10 == 9 ? 130_000_000 : 0 } }
        let stream = try only(scene)
        // Every tenth packet comes 130 ms late, so behind the six that follow it.
        #expect(stream.expected == 300)
        #expect(stream.lost == 0)
        #expect(stream.outOfOrder > 0)
        var slow = MediaScene()
        slow.say(a, b, at: 0) {
            $0.seconds = 20
            $0.packetTime = 200
            $0.step = 1_600
            $0.late = { $0 % 5 == 4 ? 130_000_000 : 0 }
        }
        let regular = try only(slow)
        #expect(regular.late == 20)
        #expect(abs(regular.mostLate - 130) < 1)
        // Two changes of 130 ms in five packets: 16 J / 15 stays near 52 ms.
        #expect(abs(regular.meanJitter - 52) < 10)
    }

    @Test("a sender whose timestamps do not count the packets it failed to send is lossy, not late")
    func slipping() throws {
        var scene = MediaScene()
        var stamp: UInt32 = 0
        for number in 0..<500 {
            guard number % 10 != 9 else { continue }
            scene.packet(MediaScene.rtp(0, number, stamp, 1), a, b, at: Double(number) * 0.02)
            stamp += 160
        }
        let stream = try only(scene)
        #expect(stream.lost == 49)
        #expect(stream.late == 0)
    }

    @Test("a sender that pauses and goes on where it stopped is late for ten packets, then every buffer has followed")
    func paused() throws {
        var scene = MediaScene()
        scene.say(a, b, at: 0) { $0.late = { $0 < 100 ? 0 : 400_000_000 } }
        let stream = try only(scene)
        #expect(stream.late == 10)
        #expect(abs(stream.mostLate - 400) < 1)
    }

    @Test("while nothing at all is captured, the capture lost it: no fault of the path")
    func hole() {
        var scene = MediaScene()
        for (index, pair) in [(a, b), (b, a)].enumerated() {
            scene.say(pair.0, pair.1, at: 0) {
                $0.ssrc = UInt32(index + 1); $0.isLost = { (100..<140).contains($0) }
            }
        }
        let (findings, streams) = scene.finish()
        #expect(streams.map(\.lost) == [40, 40])
        #expect(streams.map(\.lostByCapture) == [40, 40])
        #expect(streams.map(\.lossRate) == [0, 0])
        #expect(findings.isEmpty)
    }

    @Test("one stream alone that stops and goes on lost its packets on the path")
    func noHole() {
        var scene = MediaScene()
        scene.say(a, b, at: 0) {
            $0.ssrc = 1; $0.isLost = { (100..<140).contains($0) }
        }
        scene.say(b, a, at: 0.01) { $0.ssrc = 2 }
        let (findings, streams) = scene.finish()
        #expect(streams.map(\.lostByCapture) == [0, 0])
        #expect(findings.map(\.name) == [.mediaQuality])
    }

    @Test("what is no stream is not listed: single packets, and numbers that never follow one another")
    func strays() {
        var scene = MediaScene()
        for number in 0..<200 {
            scene.packet(MediaScene.rtp(0, number * 977, 0, UInt32(number), payload: 20), a, b, at: Double(number) * 0.02)
            scene.packet(MediaScene.rtp(0, number * 7_919, 0, 5, payload: 20), b, a, at: Double(number) * 0.02)
        }
        #expect(scene.finish().streams.isEmpty)
    }

    @Test("a full table forgets what proved nothing, closes what is over, and counts the rest")
    func bounded() {
        var scene = MediaScene(mostStreams: 100)
        for number in 0..<1_000 {
            scene.packet(MediaScene.rtp(0, number, 0, UInt32(number + 10), payload: 20), a, b, at: Double(number) * 0.001)
        }
        scene.feed()
        #expect(scene.media.openStreams == 100)
        #expect(scene.media.untrackedPackets == 900)
        scene.say(a, b, at: 10) { $0.seconds = 2 }
        scene.feed()
        #expect(scene.media.openStreams == 1)
        for number in 0..<100 {
            scene.say(a, b, at: 60) {
                $0.ssrc = UInt32(5_000 + number); $0.seconds = 1
            }
        }
        let streams = scene.finish().streams
        #expect(streams.count == 101)
        #expect(streams.first?.ssrc == 0x1234)
    }

    @Test("random octets trap nothing, whatever they pretend to be")
    func hostile() {
        var scene = MediaScene(mostStreams: 64)
        var state: UInt64 = 88
        func next() -> UInt8 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
        for number in 0..<5_000 {
            var bytes = (0..<(Int(next()) % 80)).map { _ in next() }
            if bytes.count > 1 {
                bytes[0] = 0x80 | bytes[0] & 0x3f
                if number % 2 == 0 { bytes[1] = 200 + bytes[1] % 8 }
            }
            scene.packet(bytes, a, b, at: Double(next()) * 0.1 - 5)
        }
        scene.fact(.description((0..<300).map { _ in next() }, isAnswer: false), fromCaller: true, at: 0)
        _ = scene.finish()
    }
}
