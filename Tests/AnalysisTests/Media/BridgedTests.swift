import Base
import Testing

@testable import Analysis

@Suite("Calls that a server joins, calls nobody sees, and calls that are all one-way")
struct BridgedTests {
    private static let phone = Endpoint("10.20.0.21:5060")!
    private static let server = Endpoint("10.20.0.5:5060")!
    private static let trunk = Endpoint("192.0.2.44:5060")!
    private static let (phoneAudio, inner) = (Endpoint("10.20.0.21:11780")!, Endpoint("10.20.0.5:14000")!)
    private static let (outer, trunkAudio) = (Endpoint("10.20.0.5:15000")!, Endpoint("192.0.2.44:30000")!)

    /// A call of the phone that the server carries on to the trunk. Who speaks where: phone to server, server to phone, server to trunk,
    /// trunk to server.
    private static func bridged(_ speaks: [Bool], calls: Int = 1) -> MediaScene {
        var scene = MediaScene()
        for number in 0..<calls {
            let at = Double(number) * 20
            let ssrc = UInt32(10 * number)
            scene.call(
                dialog: 2 * number, began: at, ended: at + 12, offer: MediaScene.sdp(phoneAudio), answer: MediaScene.sdp(inner),
                source: phone, destination: server)
            scene.call(
                dialog: 2 * number + 1, began: at + 0.1, ended: at + 12.1, offer: MediaScene.sdp(outer),
                answer: MediaScene.sdp(trunkAudio),
                source: server, destination: trunk)
            for (index, way) in [(phoneAudio, inner), (inner, phoneAudio), (outer, trunkAudio), (trunkAudio, outer)].enumerated()
            where speaks[index] {
                scene.say(way.0, way.1, at: at + 1.2) {
                    $0.seconds = 10.5; $0.ssrc = ssrc + UInt32(index) + 1
                }
            }
        }
        return scene
    }

    @Test("the trunk is silent: told of the trunk's leg alone, the phone's leg follows from it")
    func silentTrunk() throws {
        var scene = Self.bridged([true, false, true, false])
        #expect(scene.accusations() == ["media.one-way fault [1]"])
    }

    @Test("the phone is silent: told of the phone's leg alone")
    func silentPhone() {
        var scene = Self.bridged([false, true, false, true])
        #expect(scene.accusations() == ["media.one-way fault [0]"])
    }

    @Test("the server hears the trunk and does not pass it on: the server")
    func withheld() throws {
        var scene = Self.bridged([true, false, true, true])
        let findings = scene.finish().findings.filter { $0.severity.accuses }
        #expect(findings.map(\.name) == [.mediaOneWay] && findings.map(\.subject.dialogs) == [[0]])
        #expect(findings.first?.culprit == .proved("10.20.0.5"))
        #expect(findings.first?.summary.contains("10.20.0.5 receives the audio of 192.0.2.44:30000 on the other leg") == true)
    }

    @Test(
        "a phone's private address is not why a server says nothing that it was not told or does not pass on",
        arguments: [false, true])
    func privatePhone(isHeard: Bool) {
        var scene = MediaScene()
        let (nat, mapped) = (Endpoint("198.51.100.7:5060")!, Endpoint("198.51.100.7:31000")!)
        scene.call(
            dialog: 0, began: 0, ended: 12, offer: MediaScene.sdp(Endpoint("192.168.1.50:11780")!),
            answer: MediaScene.sdp(Self.inner),
            source: nat, destination: Self.server)
        scene.call(
            dialog: 1, began: 0.1, ended: 12.1, offer: MediaScene.sdp(Self.outer), answer: MediaScene.sdp(Self.trunkAudio),
            source: Self.server, destination: Self.trunk)
        scene.say(mapped, Self.inner, at: 1.2) { $0.seconds = 10.5 }
        scene.say(Self.outer, Self.trunkAudio, at: 1.2) {
            $0.seconds = 10.5; $0.ssrc = 2
        }
        if isHeard {
            scene.say(Self.trunkAudio, Self.outer, at: 1.2) {
                $0.seconds = 10.5; $0.ssrc = 3
            }
        }
        #expect(scene.accusations() == ["media.one-way fault [\(isHeard ? 0 : 1)]"])
        #expect(scene.media.isOvercome(dialog: 0, caller: true))
    }

    @Test("a call answered as the clock begins, and a second leg that nobody answers, are judged")
    func answeredAtZero() {
        var scene = MediaScene()
        let zero = -Double(MediaScene.start.nanoseconds / 1_000_000_000)
        scene.call(
            dialog: 0, began: zero - 1, ended: zero + 12, offer: MediaScene.sdp(Self.phoneAudio),
            answer: MediaScene.sdp(Self.inner),
            source: Self.phone, destination: Self.server)
        scene.fact(
            .description(MediaScene.sdp(Self.outer), isAnswer: false), dialog: 1, fromCaller: true, at: zero - 0.9,
            source: Self.server,
            destination: Self.trunk)
        scene.fact(.ended, dialog: 1, fromCaller: true, at: zero + 12.1, source: Self.server, destination: Self.trunk)
        scene.say(Self.phoneAudio, Self.inner, at: zero + 0.2) { $0.seconds = 11 }
        #expect(scene.accusations() == ["media.one-way fault [0]"])
    }

    @Test("both legs heard both ways accuse nobody")
    func healthy() {
        var scene = Self.bridged([true, true, true, true])
        #expect(scene.accusations() == [])
    }

    @Test("the same silence in several calls is one finding, also where no call has audio both ways")
    func all() throws {
        var scene = MediaScene()
        for number in 0..<3 {
            scene.call(dialog: number, began: Double(number) * 20, ended: Double(number) * 20 + 12)
            scene.say(MediaScene.callerAudio, MediaScene.calleeAudio, at: Double(number) * 20 + 1) {
                $0.seconds = 10; $0.ssrc = UInt32(number)
            }
        }
        let findings = scene.finish().findings
        #expect(findings.map(\.name) == [.mediaOneWay] && findings.map(\.severity) == [.fault])
        #expect(findings.first?.count == 3 && findings.first?.subject.dialogs == [0, 1, 2])
    }

    @Test("media of another host than the signalling may pass by: one direction in every call is a tap of one")
    func elsewhere() {
        var scene = MediaScene()
        let relay = Endpoint("203.0.113.31:8000")!
        for number in 0..<3 {
            scene.call(
                dialog: number, began: Double(number) * 20, ended: Double(number) * 20 + 12, answer: MediaScene.sdp(relay))
            scene.say(MediaScene.callerAudio, relay, at: Double(number) * 20 + 1) {
                $0.seconds = 10; $0.ssrc = UInt32(number)
            }
        }
        #expect(scene.accusations() == [])
    }

    // MARK: Streams of calls whose signalling is not seen

    private static let (a, b) = (MediaScene.callerAudio, MediaScene.calleeAudio)

    private static func seen(_ change: (inout MediaScene) -> Void) -> [String] {
        var scene = MediaScene()
        scene.call(ended: 12)
        scene.say(a, b, at: 1) { $0.seconds = 10 }
        scene.say(b, a, at: 1) {
            $0.seconds = 10; $0.ssrc = 2
        }
        change(&scene)
        return scene.accusations()
    }

    @Test("other calls of the same hosts, in other codecs, on ports that nobody named", arguments: [UInt8(9), 18, 96, 0])
    func otherAccount(type: UInt8) {
        let found = Self.seen { scene in
            let (x, y) = (Endpoint("198.51.100.5:40010")!, Endpoint("203.0.113.9:14010")!)
            for (ssrc, way) in [(UInt32(8), (x, y)), (9, (y, x))] {
                scene.say(way.0, way.1, at: 2) {
                    $0.seconds = 8; $0.payloadType = type; $0.ssrc = ssrc
                }
            }
        }
        #expect(found == [])
    }

    @Test(
        "a camera, a recorder and paging beside the call",
        arguments: ["198.51.100.60:50000 203.0.113.9:7000", "203.0.113.9:16000 224.0.1.75:9000"])
    func beside(way: String) {
        let ends = way.split(separator: " ").compactMap { Endpoint(String($0)) }
        let found = Self.seen { scene in
            scene.say(ends[0], ends[1], at: 2) {
                $0.seconds = 8; $0.payloadType = 96; $0.ssrc = 8
            }
        }
        #expect(found == [])
    }

    @Test("the unseen call of the same hosts does not hide that the seen one is one-way")
    func hides() {
        var scene = MediaScene()
        scene.call(ended: 12)
        scene.say(Self.a, Self.b, at: 1) { $0.seconds = 10 }
        let (x, y) = (Endpoint("198.51.100.5:40010")!, Endpoint("203.0.113.9:14010")!)
        for (ssrc, way) in [(UInt32(8), (x, y)), (9, (y, x))] {
            scene.say(way.0, way.1, at: 1) {
                $0.seconds = 10; $0.ssrc = ssrc
            }
        }
        #expect(scene.accusations() == ["media.one-way fault [0]"])
    }

    @Test("a phone whose audio a NAT gave another port is heard at that port")
    func moved() {
        var scene = MediaScene()
        scene.call(ended: 12)
        let mapped = Endpoint("198.51.100.5:61000")!
        scene.say(mapped, Self.b, at: 1) { $0.seconds = 10 }
        scene.say(Self.b, mapped, at: 1) {
            $0.seconds = 10; $0.ssrc = 2
        }
        #expect(scene.accusations() == [])
    }

    @Test("a pause across which the numbers go on without a gap is the sender's own: a mute")
    func mute() {
        var scene = MediaScene()
        scene.call(ended: 82)
        scene.say(Self.a, Self.b, at: 1) {
            $0.seconds = 80
            $0.speaks = { $0 < 500 || $0 >= 3_500 }
        }
        scene.say(Self.b, Self.a, at: 1) {
            $0.seconds = 80; $0.ssrc = 2
        }
        #expect(scene.accusations() == [])
        var lost = MediaScene()
        lost.call(ended: 82)
        lost.say(Self.a, Self.b, at: 1) {
            $0.seconds = 80
            $0.isLost = { $0 >= 500 && $0 < 3_500 }
        }
        lost.say(Self.b, Self.a, at: 1) {
            $0.seconds = 80; $0.ssrc = 2
        }
        #expect(lost.accusations() == ["media.quality fault [0]"])
    }

    @Test("comfort noise as the last packet says that silence follows on purpose")
    func noise() {
        for last in [UInt8(13), 0] {
            var scene = MediaScene()
            scene.call(ended: 62)
            scene.say(Self.a, Self.b, at: 1) { $0.seconds = 10 }
            scene.packet(MediaScene.rtp(last, 1_500, 85_000, 0x1234, payload: last == 13 ? 1 : 160), Self.a, Self.b, at: 11)
            scene.say(Self.b, Self.a, at: 1) {
                $0.seconds = 60; $0.ssrc = 2
            }
            #expect(scene.accusations() == (last == 13 ? [] : ["media.one-way fault [0]"]))
        }
    }

    @Test("a server that latches in one call does not fail in another because of a private address")
    func latching() throws {
        var scene = MediaScene()
        let nat = Endpoint("198.51.100.5:5060")!
        for (number, port) in [(0, UInt16(11_780)), (1, 11_790)] {
            let (mapped, relay) = (Endpoint(nat.address, 40_000 + port), Endpoint("203.0.113.9:\(14_000 + number)")!)
            scene.call(
                dialog: number, began: Double(number) * 20, ended: Double(number) * 20 + 12,
                offer: MediaScene.sdp(Endpoint("192.168.1.50:\(port)")!), answer: MediaScene.sdp(relay), source: nat,
                destination: MediaScene.callee)
            scene.say(mapped, relay, at: Double(number) * 20 + 1) {
                $0.seconds = 10; $0.ssrc = UInt32(number) + 1
            }
            if number == 0 {
                scene.say(relay, mapped, at: 1) {
                    $0.seconds = 10; $0.ssrc = 9
                }
            }
        }
        let finding = try #require(scene.finish().findings.first { $0.severity.accuses })
        #expect(finding.name == .mediaOneWay && finding.subject.dialogs == [1] && !finding.summary.contains("private address"))
    }
}
