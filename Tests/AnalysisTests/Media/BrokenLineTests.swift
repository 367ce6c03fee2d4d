import Analysis
import Base
import Capture
import Testing

@Suite("Audio that was sent and lost, ports that are closed, packets that do not turn round, audio that ends before its call")
struct BrokenLineTests {
    private let a = MediaScene.callerAudio
    private let b = MediaScene.calleeAudio

    private func broken(_ change: (inout MediaScene.Talk) -> Void) -> [Finding] {
        var scene = MediaScene()
        scene.call(ended: 62)
        scene.say(a, b, at: 1) { $0.seconds = 60 }
        scene.say(b, a, at: 1) {
            $0.seconds = 60; $0.ssrc = 2
            change(&$0)
        }
        return scene.finish().findings.filter(\.severity.accuses)
    }

    @Test("numbers that jump by what a pause misses: sent and lost before the capture, one finding, nobody told to let RTP pass")
    func jump() throws {
        let found = broken { $0.isLost = { (1_000..<1_900).contains($0) } }
        #expect(found.map(\.name) == [.mediaQuality])
        let finding = try #require(found.first)
        #expect(
            finding.summary
                == "Audio of the callee (203.0.113.9:8000) to 198.51.100.5:4000 was interrupted for 18.0 s: the 900 packets of that time were "
                + "sent, as their numbers show, and lost before the place of the capture.")
        #expect(finding.remedies.map(\.actor) == [.network])
        #expect(finding.culprit == .between("203.0.113.9:8000", "the place of the capture"))
    }

    @Test("several such pauses are counted together")
    func several() throws {
        let found = broken { $0.isLost = { ($0 / 500 > 0) && $0 % 500 < 160 } }
        #expect(found.map(\.name) == [.mediaQuality])
        #expect(try #require(found.first).summary.contains("was interrupted 5 times, for 16.1 s in all"))
    }

    @Test("a sender that was silent itself lost nothing; one that starts its numbers anew proves nothing")
    func notSent() {
        #expect(broken { $0.speaks = { !(1_000..<1_900).contains($0) } } == [])
        var scene = MediaScene()
        scene.call(ended: 62)
        scene.say(a, b, at: 1) { $0.seconds = 60 }
        scene.say(b, a, at: 1) {
            $0.seconds = 20; $0.ssrc = 2
        }
        scene.say(b, a, at: 39) {
            $0.seconds = 22; $0.ssrc = 2; $0.sequence = 2_350; $0.timestamp = 5_000
        }
        #expect(scene.accusations().contains("media.one-way fault [0]"))
    }

    // MARK: Closed ports

    private let host = Endpoint("172.31.5.9:5060")!

    private func cloud(sites: Int, answer: String = "198.51.100.9", heard: Bool = false, sends: Bool = true) -> [Finding] {
        var scene = MediaScene()
        scene.media.serves(at: PackedAddress(host.address))
        for number in 0..<3 {
            let phone = Endpoint("93.104.7.\(number % sites + 1):15062")!
            let began = Double(number) * 40
            scene.call(
                dialog: number, began: began, ended: began + 20, offer: MediaScene.sdp(Endpoint("192.168.0.4\(number):4000")!),
                answer: MediaScene.sdp(Endpoint("\(answer):\(10_000 + 2 * number)")!), source: phone, destination: host)
            let port = UInt16(10_000 + 2 * number)
            if sends {
                scene.say(Endpoint(host.address, port), Endpoint("192.168.0.4\(number):4000")!, at: began + 1) {
                    $0.seconds = 18; $0.ssrc = UInt32(number + 1)
                }
            }
            if heard, number == 2 {
                scene.say(Endpoint(phone.address, 30_000), Endpoint(host.address, port), at: began + 1) {
                    $0.seconds = 18; $0.ssrc = 99
                }
            }
        }
        return scene.finish().findings.filter(\.severity.accuses)
    }

    @Test("audio of phones at several places, and not one packet arrives: the host's ports are closed")
    func shut() throws {
        let found = cloud(sites: 3)
        #expect(found.map(\.name) == [.mediaNone])
        let finding = try #require(found.first)
        #expect(
            finding.summary
                == "No audio packet reaches 172.31.5.9, of any of the 3 calls from 3 places, though SIP does: its ports for RTP are closed on the way in."
        )
        #expect(finding.count == 3)
    }

    @Test("one place, one phone heard, a private address in the server's SDP, or a server that sends nothing: not the ports")
    func notShut() {
        for found in [
            cloud(sites: 1), cloud(sites: 3, heard: true), cloud(sites: 3, answer: "172.31.5.9"), cloud(sites: 3, sends: false),
        ] {
            #expect(!found.contains { $0.summary.hasPrefix("No audio packet reaches") })
        }
    }

    // MARK: The own outside address

    private let phone = Endpoint("192.168.1.40:5060")!
    private let audio = Endpoint("192.168.1.40:5004")!
    private let outside = Endpoint("198.51.100.23:11780")!

    private func inner(isOutside: Bool = true, back: Endpoint? = nil) -> [Finding] {
        var scene = MediaScene()
        if isOutside {
            scene.media.outsides.note(PackedAddress(outside.address), of: PackedAddress(phone.address), file: 0)
        }
        scene.call(ended: 30, offer: MediaScene.sdp(audio), answer: MediaScene.sdp(outside), source: phone)
        scene.say(audio, outside, at: 1) { $0.seconds = 28 }
        if let back {
            scene.say(back, audio, at: 1) {
                $0.seconds = 28; $0.ssrc = 2
            }
        }
        return scene.finish().findings.filter(\.severity.accuses)
    }

    @Test("audio to the own router's outside address, and nothing comes back: no loopback there, and no firewall of anybody else")
    func loop() throws {
        let found = inner()
        #expect(found.map(\.name) == [.mediaNone])
        let finding = try #require(found.first)
        #expect(
            finding.summary.contains(
                "goes to the router with the outside address 198.51.100.23, which does not turn it back inside"))
        #expect(finding.remedies.map(\.actor) == [.server, .router, .phone])
    }

    @Test("what turns round, what comes back directly, and a far address that is not the own one are no such case")
    func noLoop() {
        #expect(inner(back: outside) == [])
        #expect(inner(back: Endpoint("192.168.1.41:11780")!).filter { $0.summary.contains("turn it back") } == [])
        #expect(!inner(isOutside: false).contains { $0.summary.contains("turn it back") })
    }

    // MARK: Before the end

    private func notes(_ first: Double, _ second: Double, ended: Double = 92, change: (inout MediaScene) -> Void = { _ in })
        -> [Finding]
    {
        var scene = MediaScene()
        scene.media.serves(at: PackedAddress(MediaScene.callee.address))
        scene.call(ended: ended)
        scene.say(a, b, at: 1) { $0.seconds = first }
        scene.say(b, a, at: 1) {
            $0.seconds = second; $0.ssrc = 2
        }
        change(&scene)
        return scene.finish().findings
    }

    @Test("a server silent after its first words is a note, not an accusation: it may record")
    func recording() throws {
        let found = notes(88, 12)
        #expect(found.map(\.name) == [.mediaOneWay])
        #expect(found.map(\.severity) == [.note])
        #expect(
            try #require(found.first).summary.hasPrefix("No audio of the callee (203.0.113.9:5060) came after its first 12.0 s"))
        #expect(notes(19, 12, ended: 20) == [])
    }

    @Test("both ends silent at once for long before the end, without hold, is a note; a short rest or a new description is none")
    func bothStop() throws {
        let found = notes(27, 27)
        #expect(found.map(\.name) == [.mediaNone])
        #expect(found.map(\.severity) == [.note])
        #expect(notes(27, 27, ended: 40) == [])
        let moved = notes(27, 27) {
            $0.fact(.description(MediaScene.sdp(MediaScene.callerAudio, "inactive"), isAnswer: false), fromCaller: true, at: 28)
        }
        #expect(moved == [])
    }
}
