import Base
import Codecs
import Conference
import MediaControl
import RTP
import Synchronization
import Testing

@Suite struct MixingTests {
    private static let tones = [440, 710, 1_130]

    @Test(
        "Three parties of different tones: each hears exactly the other two, never himself, whatever the codecs and clocks",
        arguments: [[8_000, 8_000, 8_000], [8_000, 16_000, 48_000], [48_000, 48_000, 8_000], [16_000, 16_000, 8_000]])
    func three(rates: [Int]) {
        let rig = SoundRig()
        let parties = rates.enumerated().map { slot, rate in
            rig.join(TestParty(slot, rate == 8_000 ? (slot == 0 ? .pcmu : .pcma) : muLaw(at: rate), tone: Self.tones[slot]))
        }
        rig.run(seconds: 1)
        parties.forEach { $0.forget() }
        rig.run(seconds: 2)
        for (slot, party) in parties.enumerated() {
            #expect(party.heard.count == 2 * party.rate)
            for (other, tone) in Self.tones.enumerated() {
                if other == slot {
                    #expect(party.share(of: tone) < 0.0005, "\(slot) hears himself")
                } else {
                    #expect(abs(party.share(of: tone) - 0.5) < 0.01, "\(slot) hears \(other)")
                }
            }
            // Two sines of 8,000 each.
            #expect(abs(ToneMeter.level(party.heard) - 8_000) < 150)
        }
    }

    @Test("What a party is sent has one SSRC, rising numbers, timestamps a tick apart, and a marker on the first packet alone")
    func stream() throws {
        let rig = SoundRig()
        let one = rig.join(TestParty(0, .pcmu, tone: 440))
        let two = rig.join(TestParty(1, muLaw(at: 48_000), tone: 700))
        rig.run(seconds: 1)
        for (party, step) in [(one, UInt32(160)), (two, 960)] {
            let received = party.received
            #expect(received.count == 50)
            #expect(Set(received.map(\.ssrc)).count == 1)
            #expect(received.map(\.marker) == [true] + [Bool](repeating: false, count: 49))
            for (before, after) in zip(received, received.dropFirst()) {
                #expect(after.sequenceNumber == before.sequenceNumber &+ 1 && after.timestamp == before.timestamp &+ step)
            }
        }
        #expect(one.received[0].ssrc != two.received[0].ssrc)
        let sent = try #require(rig.plane.sent(slot: 1))
        #expect(sent.packets == 50 && sent.octets == 50 * 960 && sent.ssrc == two.received[0].ssrc)
        #expect(sent.timestamp == two.received[49].timestamp && sent.at == rig.now && sent.clockRate == 48_000)
    }

    @Test("Listeners of one codec share one encoding; speakers have their own")
    func sharing() {
        let rig = SoundRig()
        rig.join(TestParty(0, .pcmu, tone: 440))
        rig.join(TestParty(1, .pcmu, tone: 700))
        for slot in 2..<12 { rig.join(TestParty(slot, .pcmu, tone: nil)) }
        rig.join(TestParty(12, .pcma, tone: nil))
        rig.run(seconds: 2)
        let before = rig.plane.counts
        rig.run(seconds: 1)
        // Two speakers, one mu-law and one A-law encoding a tick.
        #expect(rig.plane.counts.encoded - before.encoded == 50 * 4)
        #expect(rig.plane.counts.shared - before.shared == 50 * 11)
        let listeners = rig.parties[2...11]
        let last = listeners.map { Array($0.heard.suffix(8_000)) }
        #expect(Set(last).count == 1)
        #expect(abs(ToneMeter.share(of: 440, in: last[0], sampleRate: 8_000) - 0.5) < 0.01)
    }

    @Test("Who speaks again gets a fresh encoder; what listeners share goes on with its own")
    func freshEncoders() {
        let made = Mutex(0)
        var counting = AudioCodec.pcmu
        counting.makeEncoder = { _ in
            made.withLock { $0 += 1 }
            return G711Encoder(.muLaw)
        }
        var codecs = CodecRegistry()
        codecs.add(counting)
        let rig = SoundRig(codecs: codecs)
        let one = rig.join(TestParty(0, .pcmu, tone: 440))
        let two = rig.join(TestParty(1, .pcmu, tone: 700))
        two.isSending = false
        rig.run(seconds: 1)
        // A pair for all who listen, the mix and quiet; one for the speaker while the entry tone sounded.
        #expect(made.withLock { $0 } == 3)
        for turn in 1...3 {
            two.isSending = true
            rig.run(seconds: 1)
            #expect(made.withLock { $0 } == 3 + 2 * turn)
            two.isSending = false
            rig.run(seconds: 1)
        }
        #expect(made.withLock { $0 } == 9 && one.received.count == two.received.count)
    }

    @Test("A party that joins late is heard within 100 ms, and hears at once")
    func lateJoin() {
        let rig = SoundRig()
        let one = rig.join(TestParty(0, .pcmu, tone: 440))
        let two = rig.join(TestParty(1, .pcma, tone: 700))
        rig.run(seconds: 3)
        let three = rig.join(TestParty(2, muLaw(at: 48_000), tone: 1_130))
        rig.run(seconds: 0.5)
        [one, two, three].forEach { $0.forget() }
        rig.run(seconds: 1)
        #expect(abs(one.share(of: 700) - 0.5) < 0.02 && abs(one.share(of: 1_130) - 0.5) < 0.02)
        #expect(abs(three.share(of: 440) - 0.5) < 0.02 && abs(three.share(of: 700) - 0.5) < 0.02)
        #expect(rig.plane.members(of: "8000") == [one.id, two.id, three.id])
        rig.leave(two)
        rig.run(seconds: 0.6)
        one.forget()
        rig.run(seconds: 1)
        #expect(one.share(of: 1_130) > 0.99)
    }

    @Test("Two rooms do not hear each other; a room is gone when its last party leaves")
    func rooms() {
        let rig = SoundRig()
        let one = rig.join(TestParty(0, .pcmu, tone: 440), room: "8000")
        let two = rig.join(TestParty(1, .pcmu, tone: 700), room: "8000")
        let three = rig.join(TestParty(2, .pcmu, tone: 1_130), room: "8001")
        #expect(rig.plane.roomCount == 2)
        rig.run(seconds: 1)
        one.forget()
        three.forget()
        rig.run(seconds: 1)
        #expect(one.share(of: 700) > 0.99)
        #expect(ToneMeter.level(three.heard) < 30)
        rig.leave(three)
        #expect(rig.plane.roomCount == 1 && rig.plane.members(of: "8001").isEmpty)
        rig.leave(one)
        rig.leave(two)
        #expect(rig.plane.roomCount == 0 && rig.plane.partyCount == 0 && rig.plane.nextDeadline == nil)
    }

    @Test("Twenty parties at once stay within 16 bits: the limiter turns all down alike, and still nobody hears himself")
    func limiter() {
        let rig = SoundRig()
        let parties = (0..<20).map { rig.join(TestParty($0, .pcmu, tone: 300 + 150 * $0, amplitude: 12_000)) }
        rig.run(seconds: 2)
        parties.forEach { $0.forget() }
        rig.run(seconds: 2)
        for (slot, party) in parties.enumerated() where slot % 5 == 0 {
            #expect(party.heard.allSatisfy { $0 < 32_124 && $0 > -32_124 })
            #expect(party.share(of: 300 + 150 * slot) < 0.002)
            for other in 0..<20 where other != slot { #expect(abs(party.share(of: 300 + 150 * other) - 1.0 / 19) < 0.02) }
        }
        for party in parties[2...] { rig.leave(party) }
        rig.run(seconds: 2)
        parties[0].forget()
        rig.run(seconds: 1)
        // The gain has come back.
        #expect(abs(ToneMeter.level(parties[0].heard) - 12_000 * 0.5.squareRoot()) < 200)
    }

    @Test(
        "When more speak than a room lets be heard, the loudest are; the others hear them all, and take turns only when clearly louder"
    )
    func loudest() {
        var settings = SoundSettings()
        settings.speakersPerRoom = 2
        let rig = SoundRig(settings: settings)
        let amplitudes: [Double] = [2_000, 6_000, 5_000, 3_000]
        let parties = (0..<4).map { rig.join(TestParty($0, .pcmu, tone: 400 + 210 * $0, amplitude: amplitudes[$0])) }
        func heardBy(_ party: TestParty) -> [Int] {
            party.forget()
            rig.run(seconds: 1)
            return (0..<4).filter { party.share(of: 400 + 210 * $0) > 0.1 }
        }
        rig.run(seconds: 1)
        #expect(heardBy(parties[0]) == [1, 2] && heardBy(parties[3]) == [1, 2] && heardBy(parties[1]) == [2])
        // Louder than who is heard, but not by enough.
        parties[3].tone?.amplitude = 8_000
        rig.run(seconds: 1)
        #expect(heardBy(parties[0]) == [1, 2])
        parties[3].tone?.amplitude = 14_000
        rig.run(seconds: 1)
        #expect(heardBy(parties[0]) == [1, 3] && heardBy(parties[2]) == [1, 3])
    }

    @Test("Five per cent of loss and 40 ms of jitter are bridged: the tone stays the sound", arguments: [UInt64(1), 2])
    func lossAndJitter(seed: UInt64) {
        let rig = SoundRig()
        var entropy = Entropy(labSeed: seed)
        let one = rig.join(TestParty(0, .pcmu, tone: 400))
        let two = rig.join(TestParty(1, .pcmu, tone: nil))
        one.fate = { _ in entropy.next() % 100 < 5 ? nil : Int(entropy.next() % 3) }
        rig.run(seconds: 2)
        two.forget()
        rig.run(seconds: 10)
        #expect(two.share(of: 400) > 0.85)
        #expect(abs(ToneMeter.level(two.heard) - 8_000 * 0.5.squareRoot()) < 500)
        #expect((15...60).contains(rig.plane.counts.concealed))
    }

    @Test("Packets of 10, 30 and 60 ms are mixed like those of 20", arguments: [10, 30, 60])
    func packetTimes(milliseconds: Int) {
        let rig = SoundRig()
        let two = rig.join(TestParty(1, .pcmu, tone: nil))
        let one = TestParty(0, .pcmu, tone: 440)
        rig.join(one)
        one.isSending = false
        var tone = ToneGenerator(440, sampleRate: 8_000)
        var sequence: UInt16 = 0
        var due = 0
        for turn in 0..<150 {
            while due <= turn * 20 {
                let samples = tone.next(8 * milliseconds)
                rig.deliver(
                    RTPPacket(
                        payloadType: 0, sequenceNumber: sequence, timestamp: UInt32(due * 8), ssrc: 9,
                        payload: samples.map(G711.muLaw.encode)
                    ).bytes, from: 0)
                sequence += 1
                due += milliseconds
            }
            if turn == 50 { two.forget() }
            rig.run(seconds: 0.02)
        }
        #expect(two.share(of: 440) > 0.995)
        #expect(rig.plane.counts.concealed == 0)
    }

    @Test(
        "RFC 8866 6.4: who wishes packets of 40 or 60 ms gets them whole, speaking or listening; of 30 or 200 ms the nearest below"
    )
    func wishedPacketTimes() {
        let rig = SoundRig()
        rig.join(TestParty(0, .pcmu, tone: 440))
        for (slot, wish) in [40, 60, 30, 200, 0].enumerated() {
            for tone in [nil, 700] {
                let party = TestParty(1 + 2 * slot + (tone == nil ? 0 : 1), slot % 2 == 0 ? .pcmu : .pcma, tone: tone)
                party.packetTime = wish
                rig.join(party, room: tone == nil ? "8000" : "800\(slot + 1)")
                if tone != nil { rig.join(TestParty(100 + slot, .pcmu, tone: 440), room: "800\(slot + 1)") }
            }
        }
        rig.run(seconds: 1.2)
        rig.parties.forEach { $0.forget() }
        rig.run(seconds: 1.2)
        for party in rig.parties where (1...10).contains(party.slot) {
            let length = [40, 60, 20, 60, 20][(party.slot - 1) / 2]
            #expect(party.received.count == 1_200 / length)
            #expect(party.received.allSatisfy { $0.payload.count == 8 * length })
            for (one, two) in zip(party.received, party.received.dropFirst()) {
                #expect(two.timestamp == one.timestamp &+ UInt32(8 * length) && two.sequenceNumber == one.sequenceNumber &+ 1)
            }
            #expect(party.share(of: 440) > 0.99)
        }
    }

    @Test("A party on hold is neither heard nor sent to; when it comes back it is")
    func hold() {
        let rig = SoundRig()
        let one = rig.join(TestParty(0, .pcmu, tone: 440))
        let two = rig.join(TestParty(1, .pcmu, tone: 700))
        rig.run(seconds: 1)
        rig.plane.update(slot: 0, remote: one.remote(epoch: 2, receives: false, sends: false), at: rig.now)
        rig.run(seconds: 0.5)
        one.forget()
        two.forget()
        rig.run(seconds: 1)
        #expect(one.received.isEmpty)
        #expect(ToneMeter.level(two.heard) < 30)
        #expect(rig.plane.counts.unexpected >= 50)
        rig.plane.update(slot: 0, remote: one.remote(epoch: 3), at: rig.now)
        rig.run(seconds: 0.5)
        two.forget()
        rig.run(seconds: 1)
        #expect(two.share(of: 440) > 0.99 && one.share(of: 700) > 0.9 && one.received[0].marker)
    }

    @Test("A re-INVITE to another codec and clock goes on with the same numbers")
    func codecChange() {
        let rig = SoundRig()
        let one = rig.join(TestParty(0, .pcmu, tone: 440))
        rig.join(TestParty(1, .pcmu, tone: 700))
        rig.run(seconds: 1)
        let wide = TestParty(0, muLaw(at: 16_000), tone: 440)
        rig.parties[0] = wide
        rig.plane.update(slot: 0, remote: wide.remote(epoch: 2), at: rig.now)
        rig.run(seconds: 1)
        #expect(wide.received[0].sequenceNumber == one.received.last!.sequenceNumber &+ 1)
        #expect(wide.received[0].ssrc == one.received[0].ssrc)
        rig.parties.forEach { $0.forget() }
        rig.run(seconds: 1)
        #expect(wide.share(of: 700) > 0.99 && rig.parties[1].share(of: 440) > 0.99)
        #expect(wide.heard.count == 16_000)
    }
}
