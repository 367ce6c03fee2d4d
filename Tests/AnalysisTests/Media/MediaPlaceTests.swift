import Analysis
import Base
import Testing

@Suite("Places in SDP where nobody is, and audio that follows no change")
struct MediaPlaceTests {
    private let a = MediaScene.callerAudio
    private let b = MediaScene.calleeAudio
    private let phone = Endpoint("192.168.1.20:5060")!
    private let server = Endpoint("192.168.1.5:5060")!
    private let phoneAudio = Endpoint("192.168.1.20:4000")!
    private let serverAudio = Endpoint("192.168.1.5:12000")!

    /// A call on one network whose server names `place`; the phone sends there if it is told so.
    private func inside(_ place: Endpoint, phoneSends: Bool = true, serverSendsFrom: Endpoint? = nil) -> MediaScene {
        var scene = MediaScene()
        scene.call(
            ended: 14, offer: MediaScene.sdp(phoneAudio), answer: MediaScene.sdp(place), source: phone, destination: server)
        if phoneSends { scene.say(phoneAudio, place, at: 1.1) { $0.seconds = 12 } }
        scene.say(serverSendsFrom ?? serverAudio, phoneAudio, at: 1.1) {
            $0.seconds = 12; $0.ssrc = 2
        }
        return scene
    }

    @Test("a link-local address in SDP takes nothing: a fault of its writer, whose DHCP is to be mended")
    func linkLocal() throws {
        var scene = inside(Endpoint("169.254.33.2:12000")!)
        let finding = try #require(scene.finish().findings.first { $0.severity.accuses })
        #expect(finding.name == .mediaOneWay && finding.severity == .fault)
        #expect(finding.culprit == .proved("the callee (192.168.1.5:5060)"))
        #expect(
            finding.summary.hasSuffix(
                "The caller sends to the link-local address 169.254.33.2:12000, out of the SDP of the callee (192.168.1.5:5060): nothing that goes there leaves its sender's own link."
            ))
    }

    @Test("another interface's address: a risk, with ICMP a fault; where nothing is sent at all it is named, not a firewall")
    func otherInterface() throws {
        let wrong = Endpoint("10.9.9.5:12000")!
        var silent = inside(wrong)
        let risk = try #require(silent.finish().findings.first { $0.severity.accuses })
        #expect(risk.name == .mediaOneWay && risk.severity == .risk && risk.culprit == .proved("the callee (192.168.1.5:5060)"))
        #expect(risk.remedies.first?.text.hasPrefix("Bind its audio to 192.168.1.5, or name that address in SDP:") == true)
        var refused = inside(wrong)
        for second in 0..<4 {
            refused.icmp(from: IPAddress("192.168.1.1")!, about: phoneAudio, wrong, at: 1.2 + Double(second), code: 1)
        }
        let fault = try #require(refused.finish().findings.first { $0.severity.accuses })
        #expect(fault.severity == .fault && fault.details == ["192.168.1.1 reports by ICMP that it does not get there."])
        var none = inside(wrong, phoneSends: false)
        let missing = try #require(none.finish().findings.first { $0.severity.accuses })
        #expect(missing.summary.contains("asks for audio at 10.9.9.5:12000, from which nothing comes"))
        #expect(missing.culprit == .proved("the callee (192.168.1.5)"))
    }

    @Test(
        "a media server beside the one that signals, and a host that sends from the port it names elsewhere, are no wrong interface"
    )
    func mediaServer() {
        let relay = Endpoint("10.9.9.5:12000")!
        var beside = inside(relay, serverSendsFrom: relay)
        #expect(beside.accusations() == [])
        var plain = inside(serverAudio)
        #expect(plain.accusations() == [])
    }

    /// The caller moves its audio at 7 s, and the callee goes on to the old place; `stays`: the caller sends on from there, too.
    private func moved(stays: Bool = false, follows: Bool = false) -> MediaScene {
        var scene = MediaScene()
        let new = Endpoint("198.51.100.5:4500")!
        scene.call(ended: 30)
        scene.fact(.description(MediaScene.sdp(new), isAnswer: false), fromCaller: true, at: 7)
        scene.say(a, b, at: 1.1) { $0.seconds = stays ? 28 : 6 }
        if !stays {
            scene.say(new, b, at: 7.1) {
                $0.seconds = 22; $0.sequence = 2_000
            }
        }
        scene.say(b, a, at: 1.1) {
            $0.seconds = 28; $0.ssrc = 2
        }
        if follows {
            scene.say(b, new, at: 7.2) {
                $0.seconds = 22; $0.ssrc = 3
            }
        }
        return scene
    }

    @Test("a re-INVITE's new place that is not followed is a fault of who goes on to the old one, without any ICMP")
    func notFollowed() throws {
        var scene = moved()
        let found = scene.finish().findings.filter(\.severity.accuses)
        #expect(found.map(\.name) == [.mediaOneWay])
        let finding = try #require(found.first)
        #expect(finding.severity == .fault && finding.culprit == .proved("the callee (203.0.113.9:5060)"))
        #expect(finding.summary.contains("although the caller has asked for 198.51.100.5:4500 since and sends from there"))
    }

    @Test("followed beside, or named and never used by who named it: nothing")
    func followed() {
        var follows = moved(follows: true)
        var stays = moved(stays: true)
        #expect(follows.accusations() == [])
        #expect(stays.accusations() == [])
    }

    @Test("a relay that dies in the middle of a call silences both, and its host says so by ICMP")
    func cut() throws {
        func scene(refused: Bool) -> MediaScene {
            var scene = MediaScene()
            scene.call(ended: 14)
            scene.say(a, b, at: 1.1) { $0.seconds = 12 }
            scene.say(b, a, at: 1.1) {
                $0.seconds = 5; $0.ssrc = 2
            }
            if refused { for step in 0..<14 { scene.icmp(from: b.address, about: a, b, at: 6.2 + Double(step) / 2) } }
            return scene
        }
        var dead = scene(refused: true)
        let found = dead.finish().findings.filter(\.severity.accuses)
        #expect(found.map(\.name) == [.mediaNone])
        let finding = try #require(found.first)
        #expect(finding.culprit == .proved("203.0.113.9"))
        #expect(
            finding.summary.hasSuffix(
                "the caller goes on sending to 203.0.113.9:8000, and 203.0.113.9 refuses it by ICMP, as nothing listens there any more."
            ))
        var quiet = scene(refused: false)
        #expect(quiet.accusations() == ["media.one-way fault [0]"])
    }

    /// A call through a relay with a leg to each phone: who of them is heard at the relay, and whether it sends.
    private func relayed(caller: Bool, callee: Bool, sends: Bool) -> MediaScene {
        var scene = MediaScene()
        let hub = Endpoint("203.0.113.10:5060")!
        let (inner, outer) = (Endpoint("203.0.113.10:35000")!, Endpoint("203.0.113.10:35002")!)
        let (one, two) = (Endpoint("198.51.100.2:40020")!, Endpoint("198.51.100.66:7922")!)
        scene.call(
            leg: 0, ended: 14, offer: MediaScene.sdp(Endpoint("192.168.1.21:40020")!), answer: MediaScene.sdp(inner),
            source: Endpoint("198.51.100.2:5060")!, destination: hub)
        scene.call(
            leg: 1, began: 0.1, ended: 14, offer: MediaScene.sdp(outer), answer: MediaScene.sdp(Endpoint("10.0.0.11:7922")!),
            source: hub, destination: Endpoint("198.51.100.66:5060")!)
        for (index, talk) in [
            (one, inner, caller), (outer, two, caller && sends), (two, outer, callee), (inner, one, callee && sends),
        ].enumerated() where talk.2 {
            scene.say(talk.0, talk.1, at: 1.2) {
                $0.seconds = 12; $0.ssrc = UInt32(index + 1)
            }
        }
        return scene
    }

    @Test("a relay that nothing comes to from one end has nothing to pass on: no private address is to blame")
    func nothingToPassOn() throws {
        var scene = relayed(caller: false, callee: true, sends: true)
        let finding = try #require(scene.finish().findings.first { $0.severity.accuses })
        #expect(!finding.summary.contains("private address"))
        #expect(finding.culprit != .between("the caller (203.0.113.10:5060)", "the callee (198.51.100.66:5060)"))
        #expect(scene.media.isReached(dialog: 0, caller: true))
    }

    @Test("a relay that is sent the audio of both ends and sends none: the relay, and no private address")
    func deafHub() throws {
        var scene = relayed(caller: true, callee: true, sends: false)
        let finding = try #require(scene.finish().findings.first { $0.severity.accuses })
        #expect(finding.culprit == .proved("203.0.113.10"))
        #expect(finding.summary.contains("is sent the audio of both ends"))
        var well = relayed(caller: true, callee: true, sends: true)
        #expect(well.accusations() == [])
    }

    @Test("digits with a number that neither description names are lost; with the other end's own number, nothing is said")
    func unnamedDigits() throws {
        func scene(_ offer: String, _ answer: String) -> MediaScene {
            var scene = MediaScene()
            scene.call(
                ended: 10, offer: MediaScene.sdp(a, formats: ["0 PCMU/8000", "\(offer) telephone-event/8000"]),
                answer: MediaScene.sdp(b, formats: ["0 PCMU/8000", "\(answer) telephone-event/8000"]))
            for (from, to, ssrc) in [(a, b, UInt32(1)), (b, a, 2)] {
                scene.say(from, to, at: 1.1) {
                    $0.seconds = 3; $0.ssrc = ssrc
                }
                scene.say(from, to, at: 5) {
                    $0.seconds = 4; $0.ssrc = ssrc; $0.sequence = 1_162; $0.timestamp = 5_000 + 195 * 160
                }
            }
            for packet in 0..<12 {
                let stamp = UInt32(5_000 + 150 * 160 + packet / 6 * 2_000)
                scene.packet(
                    MediaScene.rtp(101, 1_150 + packet, stamp, 1, payload: 4), a, b, at: 4.1 + Double(packet) * 0.02)
            }
            return scene
        }
        var unnamed = scene("96", "96")
        let finding = try #require(unnamed.finish().findings.first { $0.name == .codecNotNegotiated })
        #expect(finding.severity == .fault && finding.culprit == .proved("the caller (198.51.100.5:5060)"))
        #expect(
            finding.summary
                == "The caller (198.51.100.5:5060) sends 2 digits with payload type 101, which no description of the call names: the callee (203.0.113.9:5060) takes telephone-event as 96, so digits (DTMF) are lost."
        )
        var asymmetric = scene("101", "96")
        var agreed = scene("96", "101")
        #expect(!(asymmetric.accusations() + agreed.accusations()).contains { $0.hasPrefix("codec") })
    }
}
