import Analysis
import Base
import Testing

@Suite("dtls.never-completed, and certificates that nobody named")
struct MediaHandshakeTests {
    static let hello: UInt8 = 1
    static let serverHello: UInt8 = 2
    static let certificate = [UInt8](0x30...0xc9)

    /// A record of DTLS 1.2 (RFC 6347 4.1).
    static func record(_ type: UInt8, epoch: UInt8 = 0, _ body: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1]
        bytes.append(bigEndian: UInt16(body.count))
        return bytes + body
    }

    /// A handshake message, or the piece of one (RFC 6347 4.2.2).
    static func message(_ type: UInt8, _ body: [UInt8] = [3, 3], from: Int = 0, of whole: Int? = nil) -> [UInt8] {
        func three(_ value: Int) -> [UInt8] { [UInt8(value >> 16), UInt8(value >> 8 & 255), UInt8(value & 255)] }
        return record(22, [type] + three(whole ?? body.count) + [0, 0] + three(from) + three(body.count) + body)
    }

    static func alert(_ code: UInt8, level: UInt8 = 2) -> [UInt8] { record(21, [level, code]) }
    static let protected = record(22, epoch: 1, [UInt8](repeating: 0x5a, count: 40))

    /// Of a chain of one.
    static let chain: [UInt8] = [0, 0, 157, 0, 0, 154] + certificate

    private static func sdp(_ audio: Endpoint, _ setup: String, prints: [String] = ["sha-256 \(right)"]) -> [UInt8] {
        let plain = MediaScene.sdp(audio, extra: prints.map { "a=fingerprint:\($0)" } + ["a=setup:\(setup)", "a=rtcp-mux"])
        return Array(String(decoding: plain, as: UTF8.self).replacing("RTP/AVP", with: "UDP/TLS/RTP/SAVPF").utf8)
    }

    /// What `hash` makes of the certificate, and something else.
    static let right = written([0xab] + [UInt8](repeating: 1, count: 31))
    static let wrong = written([UInt8](repeating: 2, count: 32))
    static let hash: @Sendable (AnalysisHash, [UInt8]) -> [UInt8] = { _, bytes in
        bytes == certificate ? [0xab] + [UInt8](repeating: 1, count: 31) : [UInt8](repeating: 9, count: 32)
    }
    static func written(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }

    /// A call with DTLS-SRTP: the callee begins the handshake.
    private func scene(answered: [String] = ["sha-256 \(right)"], offered: [String] = ["sha-256 \(right)"]) -> MediaScene {
        var scene = MediaScene()
        scene.call(
            ended: 40, offer: Self.sdp(MediaScene.callerAudio, "actpass", prints: offered),
            answer: Self.sdp(MediaScene.calleeAudio, "active", prints: answered))
        return scene
    }

    private func up(_ scene: inout MediaScene, _ bytes: [UInt8], at seconds: Double) {
        scene.packet(bytes, MediaScene.calleeAudio, MediaScene.callerAudio, at: seconds)
    }

    private func down(_ scene: inout MediaScene, _ bytes: [UInt8], at seconds: Double) {
        scene.packet(bytes, MediaScene.callerAudio, MediaScene.calleeAudio, at: seconds)
    }

    @Test(
        "a handshake that is begun again and again is a fault: who never answered, or whose answers led nowhere",
        arguments: [false, true])
    func neverCompleted(isAnswered: Bool) throws {
        var scene = scene()
        for at in [1.1, 2.1, 4.1, 8.1] {
            up(&scene, Self.message(Self.hello), at: at)
            if isAnswered { down(&scene, Self.message(Self.serverHello), at: at + 0.05) }
        }
        let findings = scene.finish().findings
        #expect(findings.map(\.name) == [.dtlsNeverCompleted])
        let finding = try #require(findings.first)
        #expect(finding.severity == .fault && finding.subject.dialogs == [0])
        #expect(finding.summary.contains("4 times in 7 s"))
        #expect(
            finding.summary.hasSuffix(
                isAnswered ? "the answers of 198.51.100.5:4000 led to nothing." : "198.51.100.5:4000 never answered."))
    }

    @Test("a fatal alert is a fault with its name and who sent it; one that a second try mends, or at the call's end, is none")
    func refused() throws {
        var scene = scene()
        up(&scene, Self.message(Self.hello), at: 1.1)
        down(&scene, Self.alert(40), at: 1.2)
        var mended = scene
        let finding = try #require(scene.finish().findings.first)
        #expect(finding.name == .dtlsNeverCompleted && finding.confidence == .proved)
        #expect(finding.summary.contains("refused by 198.51.100.5:4000 with the alert handshake_failure"))
        up(&mended, Self.message(Self.hello), at: 1.3)
        up(&mended, Self.protected, at: 1.4)
        down(&mended, Self.protected, at: 1.5)
        #expect(mended.accusations() == [])
        var late = self.scene()
        up(&late, Self.message(Self.hello), at: 39.9)
        down(&late, Self.alert(80), at: 40.1)
        #expect(late.accusations() == [])
    }

    @Test(
        "what looks like it is silent",
        arguments: [
            "completes after losses", "few losses", "begun in the middle", "audio all the same", "one direction",
            "no call's places",
            "the other end's own", "a second one", "two calls on the same ports", "another association", "DTLS 1.3",
        ])
    func lookAlikes(kind: String) {
        var scene = scene()
        let hello = Self.message(Self.hello)
        let lost = [1.1, 2.1, 4.1, 8.1]
        switch kind {
        case "completes after losses", "a second one":
            for at in lost { up(&scene, hello, at: at) }
            down(&scene, Self.message(Self.serverHello), at: 8.2)
            up(&scene, Self.protected, at: 8.3)
            down(&scene, Self.protected, at: 8.4)
            // New keys, of which the capture lacks an answer.
            if kind == "a second one" { for at in lost { up(&scene, hello, at: at + 20) } }
        case "few losses": for at in lost.dropLast() { up(&scene, hello, at: at) }
        case "begun in the middle":
            scene.say(MediaScene.callerAudio, MediaScene.calleeAudio, at: 1.5)
            scene.say(MediaScene.calleeAudio, MediaScene.callerAudio, at: 1.5) { $0.ssrc = 9 }
            up(&scene, Self.protected, at: 3)
        case "audio all the same":
            for at in lost { up(&scene, hello, at: at) }
            scene.say(MediaScene.callerAudio, MediaScene.calleeAudio, at: 9) { $0.seconds = 30 }
            scene.say(MediaScene.calleeAudio, MediaScene.callerAudio, at: 9) {
                $0.ssrc = 9; $0.seconds = 30
            }
        case "one direction":
            for at in lost { up(&scene, hello, at: at) }
            up(&scene, Self.protected, at: 8.3)
        case "no call's places":
            for at in lost { scene.packet(hello, Endpoint("192.0.2.1:4433")!, Endpoint("192.0.2.2:4433")!, at: at) }
        case "the other end's own":
            for at in lost {
                up(&scene, hello, at: at)
                down(&scene, hello, at: at + 0.01)
            }
            down(&scene, Self.protected, at: 8.4)
            up(&scene, Self.protected, at: 8.5)
        case "two calls on the same ports":
            for at in lost.prefix(2) { up(&scene, hello, at: at) }
            for at in lost.prefix(2) { up(&scene, hello, at: at + 100) }
        case "another association":
            up(&scene, hello, at: 1.1)
            up(&scene, Self.protected, at: 1.3)
            down(&scene, Self.protected, at: 1.4)
            for at in lost { up(&scene, hello, at: at + 20) }
        default:
            up(&scene, hello, at: 1.1)
            down(&scene, Self.message(Self.serverHello) + [0x2e, 1, 2, 3], at: 1.2)
            up(&scene, [0x2e, 4, 5, 6], at: 1.3)
        }
        #expect(scene.accusations() == [])
    }

    @Test("a handshake that failed is told instead of the silence that follows from it")
    func silence() {
        var scene = scene()
        scene.neighbour()
        for at in [1.1, 2.1, 4.1, 8.1] { up(&scene, Self.message(Self.hello), at: at) }
        #expect(scene.accusations() == ["dtls.never-completed fault [0]"])
    }

    @Test(
        "a certificate that its end's description does not name is a mismatch; one of several names is enough",
        arguments: [
            (["sha-256 \(wrong)"], true), (["sha-256 \(right)"], false), (["sha-256 \(wrong)", "sha-256 \(right)"], false),
            (["sha-1 00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13"], false), (["sha-256 xx:xx"], false),
            ([], false),
        ])
    func certificate(prints: [String], isWrong: Bool) throws {
        var scene = scene(answered: ["sha-256 \(Self.wrong)"], offered: prints)
        up(&scene, Self.message(Self.hello), at: 1.1)
        // In pieces, the second of which comes first once.
        let (first, rest) = (Array(Self.chain.prefix(100)), Array(Self.chain.dropFirst(100)))
        down(&scene, Self.message(11, rest, from: 100, of: Self.chain.count), at: 1.20)
        down(&scene, Self.message(11, first, of: Self.chain.count), at: 1.21)
        down(&scene, Self.message(11, rest, from: 100, of: Self.chain.count), at: 1.22)
        up(&scene, Self.alert(42), at: 1.3)
        scene.feed()
        var other = scene
        let findings = scene.media.finish(hash: Self.hash).findings
        #expect(findings.contains { $0.name == .srtpMismatch } == isWrong)
        #expect(other.media.finish().findings.allSatisfy { $0.name == .dtlsNeverCompleted })
    }

    @Test("what the descriptions agree on and how far the handshake got is told of each call")
    func protection() throws {
        var scene = scene()
        up(&scene, Self.message(Self.hello), at: 1.1)
        up(&scene, Self.protected, at: 1.3)
        down(&scene, Self.protected, at: 1.4)
        scene.say(MediaScene.callerAudio, MediaScene.calleeAudio, at: 1.5)
        let stream = try #require(scene.finish().streams.first)
        let protection = try #require(stream.protection)
        #expect(protection.kind == .dtls && protection.handshake == .completed && !protection.isExtra)
    }

    @Test("datagrams cut anywhere, with lengths that lie and certificates without an end, leave no trap and nothing told")
    func hostile() {
        var scene = scene()
        let lies: [[UInt8]] = [
            Self.message(11, [UInt8](repeating: 0, count: 7)), Self.message(11, [0, 0, 9, 0xff, 0xff, 0xff, 1]),
            Self.message(11, [1], from: 0xff_ff00, of: 0xff_ffff), Self.message(11, [], of: 7),
            Self.message(11, [1, 2, 3], of: 1),
            [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 11, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff],
        ]
        var at = 1.1
        up(&scene, Self.message(Self.hello), at: at)
        for datagram in lies + [Self.message(Self.hello), Self.message(11, Self.chain), Self.alert(40, level: 1), Self.protected]
        {
            for length in 0...datagram.count {
                at += 0.001
                down(&scene, Array(datagram.prefix(length)) + (length % 3 == 0 ? Self.record(23, []) : []), at: at)
            }
        }
        #expect(scene.accusations() == [])
    }
}
