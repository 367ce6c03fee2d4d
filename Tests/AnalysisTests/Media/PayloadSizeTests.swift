import Analysis
import Base
import Testing

@Suite("Payloads that are not what was agreed on, and digits that are taken many times over")
struct PayloadSizeTests {
    private let a = MediaScene.callerAudio
    private let b = MediaScene.calleeAudio

    /// Audio of PCMU with so many octets a packet of 160 samples, from one end.
    private func say(_ scene: inout MediaScene, up: Bool, octets: Int, packets: Int = 300, changing: Bool = false) {
        for number in 0..<packets {
            scene.packet(
                MediaScene.rtp(
                    0, number, UInt32(number * 160), up ? 1 : 2, payload: changing ? octets - number % 3 : octets),
                up ? a : b, up ? b : a, at: 1.1 + Double(number) * 0.02)
        }
    }

    private func accusations(
        caller: Int, callee: Int = 160, changing: Bool = false, secure: Bool = false, packets: Int = 300
    ) -> [String] {
        var scene = MediaScene()
        let extra = secure ? ["a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR"] : []
        func sdp(_ place: Endpoint) -> [UInt8] {
            Array(
                String(decoding: MediaScene.sdp(place, extra: extra), as: UTF8.self)
                    .replacing("RTP/AVP", with: secure ? "RTP/SAVP" : "RTP/AVP").utf8)
        }
        scene.call(ended: 8, offer: sdp(a), answer: sdp(b))
        say(&scene, up: true, octets: caller, packets: packets, changing: changing)
        say(&scene, up: false, octets: callee)
        return scene.accusations().map { String($0.prefix { $0 != " " }) }
    }

    @Test(
        "packets longer than their samples by SRTP's tag, in a call of plain RTP, are a fault of their sender",
        arguments: [170, 164])
    func secret(octets: Int) throws {
        #expect(accusations(caller: octets) == ["srtp.mismatch"])
        var scene = MediaScene()
        scene.call(ended: 8)
        say(&scene, up: true, octets: octets)
        say(&scene, up: false, octets: 160)
        let finding = try #require(scene.finish().findings.first { $0.name == .srtpMismatch })
        #expect(
            finding.summary
                == "The caller (198.51.100.5:5060) sends its audio encrypted (SRTP), though the call agreed on plain RTP: the callee hears noise."
        )
        #expect(finding.culprit == .proved("the caller (198.51.100.5:5060)"))
    }

    @Test("both ends longer, SRTP that is agreed on, sizes that change, other lengths, few packets: nothing")
    func secretLookAlikes() {
        #expect(accusations(caller: 170, callee: 170) == [])
        #expect(!accusations(caller: 170, callee: 160, secure: true).contains("srtp.mismatch"))
        #expect(accusations(caller: 170, changing: true) == [])
        #expect(accusations(caller: 176) == [])
        #expect(accusations(caller: 170, packets: 80).filter { $0 == "srtp.mismatch" } == [])
    }

    @Test("20 octets for 160 samples are no G.711", arguments: [20, 160])
    func mislabelled(octets: Int) {
        #expect(accusations(caller: octets) == (octets == 20 ? ["codec.not-negotiated"] : []))
    }

    /// Keys of eight packets each; whether each packet bears a time of its own.
    private func digits(ownTimes: Bool, keys: Int = 3) -> [String] {
        var scene = MediaScene()
        let formats = ["0 PCMU/8000", "101 telephone-event/8000"]
        scene.call(
            ended: 8, offer: MediaScene.sdp(a, formats: formats), answer: MediaScene.sdp(b, formats: formats))
        var number = 0
        for packet in 0..<300 {
            let at = 1.1 + Double(packet) * 0.02
            let (key, part) = (packet / 50, packet % 50)
            let isKey = key < keys && part < 8
            let time = UInt32((isKey && !ownTimes ? packet - part : packet) * 160)
            scene.packet(MediaScene.rtp(isKey ? 101 : 0, number, time, 1, payload: isKey ? 4 : 160), a, b, at: at)
            scene.packet(MediaScene.rtp(0, number, UInt32(packet * 160), 2), b, a, at: at)
            number += 1
        }
        return scene.accusations().map { String($0.prefix { $0 != " " }) }
    }

    @Test("a key whose packets bear times of their own is many keys; keys that keep their time are not")
    func restamped() {
        #expect(digits(ownTimes: true) == ["media.quality"])
        #expect(digits(ownTimes: false) == [])
        #expect(digits(ownTimes: true, keys: 0) == [])
    }

    @Test(
        "a phone that was silent between digits, with nothing lost, may be silent after them; one whose packets are missing may not"
    )
    func quietBetweenDigits() {
        func accusations(lost: Int) -> [String] {
            var scene = MediaScene()
            let formats = ["0 PCMU/8000", "101 telephone-event/8000"]
            scene.call(
                ended: 31, offer: MediaScene.sdp(a, formats: formats), answer: MediaScene.sdp(b, formats: formats))
            scene.say(b, a, at: 1.1) {
                $0.seconds = 29; $0.ssrc = 2
            }
            for number in 0..<50 {
                scene.packet(MediaScene.rtp(0, number, UInt32(number * 160), 1), a, b, at: 1.1 + Double(number) * 0.02)
            }
            for number in 0..<8 {
                scene.packet(
                    MediaScene.rtp(101, 50 + lost + number, 80_000, 1, payload: 4), a, b, at: 11 + Double(number) * 0.02)
            }
            return scene.accusations().map { String($0.prefix { $0 != " " }) }
        }
        #expect(accusations(lost: 0) == [])
        #expect(accusations(lost: 450).contains("media.one-way"))
    }
}
