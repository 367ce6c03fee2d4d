import Base
import Codecs
import Conference
import MediaControl
import RTP
import Testing

@Suite struct HostileSoundTests {
    @Test("What is not agreed, not served, not expected or our own is counted by its kind and heard by nobody")
    func counted() {
        let rig = SoundRig()
        let one = rig.join(TestParty(0, .pcmu, tone: 440))
        let two = rig.join(TestParty(1, .pcmu, tone: nil))
        one.isSending = false
        rig.run(seconds: 0.5)
        let own = two.received[0].ssrc
        two.forget()
        for number in 0..<50 {
            let sequence = UInt16(number)
            let payload = [UInt8](repeating: 0, count: 160)
            func send(_ type: UInt8, ssrc: UInt32, to slot: Int) {
                rig.deliver(
                    RTPPacket(
                        payloadType: type, sequenceNumber: sequence, timestamp: UInt32(number * 160), ssrc: ssrc, payload: payload
                    )
                    .bytes, from: slot)
            }
            send(8, ssrc: 5, to: 0)
            send(127, ssrc: 5, to: 0)
            send(0, ssrc: 5, to: 7)
            send(0, ssrc: 5, to: -1)
            send(0, ssrc: own, to: 1)
            rig.run(seconds: 0.02)
        }
        let counts = rig.plane.counts
        #expect(counts.wrongType == 100 && counts.unserved == 100 && counts.looped == 50)
        #expect(ToneMeter.level(two.heard) < 30)
    }

    @Test("A flood within one tick is cut off, the stream itself goes on")
    func flood() {
        let rig = SoundRig()
        let one = rig.join(TestParty(0, .pcmu, tone: 440))
        let two = rig.join(TestParty(1, .pcmu, tone: nil))
        rig.run(seconds: 1)
        two.forget()
        for _ in 0..<50 {
            for _ in 0..<1_000 {
                rig.deliver(RTPPacket(payloadType: 0, sequenceNumber: 9, timestamp: 9, ssrc: 1, payload: []).bytes, from: 1)
            }
            rig.run(seconds: 0.02)
        }
        // Forty a tick are looked at, with the stream's own.
        #expect(rig.plane.counts.flood >= 50 * 960 && rig.plane.counts.flood <= 50 * 962)
        #expect(two.share(of: 440) > 0.99 && one.received.count > 90)
    }

    @Test("Absurd numbers, timestamps, payloads and lengths never trap, whoever sends them", arguments: [UInt64(1), 2, 3])
    func garbage(seed: UInt64) {
        let rig = SoundRig()
        var entropy = Entropy(labSeed: seed)
        for slot in 0..<4 { rig.join(TestParty(slot, slot % 2 == 0 ? .pcmu : muLaw(at: 48_000), tone: nil), comfortNoise: true) }
        rig.join(TestParty(4, .pcma, tone: nil), pin: "1")
        let types: [UInt8] = [0, 96, 101, 13, 8, 77]
        for _ in 0..<400 {
            for _ in 0..<20 {
                let dice = entropy.next()
                let packet = RTPPacket(
                    marker: dice & 1 == 1, payloadType: types[Int(dice >> 1 & 7) % types.count],
                    sequenceNumber: dice & 0xf00 == 0
                        ? UInt16(truncatingIfNeeded: dice >> 16) : UInt16(truncatingIfNeeded: dice >> 56),
                    timestamp: UInt32(truncatingIfNeeded: entropy.next()), ssrc: UInt32(dice >> 12 & 1),
                    payload: entropy.bytes(Int(dice >> 20 & 0x1ff) % 300 * (dice >> 40 & 15 == 0 ? 5 : 1)))
                rig.deliver(packet.bytes, from: Int(dice >> 33 & 7))
            }
            rig.run(seconds: 0.02)
        }
        #expect(rig.plane.partyCount == 5)
        #expect(rig.plane.counts.wrongType > 0 && rig.plane.counts.unserved > 0)
    }

    @Test("Nothing grows when nobody fetches: what overflows is dropped and counted")
    func queues() {
        var settings = SoundSettings()
        settings.queue = 160
        var plane = SoundPlane(settings: settings, entropy: Entropy(labSeed: 1))
        let party = TestParty(0, .pcmu, tone: nil)
        var now = Instant(seconds: 1)
        plane.serve(
            slot: 0, id: party.id, service: .room(RoomEntry(room: "r", party: "p", records: true)), remote: party.remote(),
            at: now)
        for _ in 0..<1_000 {
            now += .milliseconds(20)
            plane.advance(to: now)
        }
        var packets = 0
        var recordings = 0
        while plane.nextPacket() != nil { packets += 1 }
        while plane.nextRecording() != nil { recordings += 1 }
        #expect(packets == 160 && recordings == 10)
        #expect(plane.counts.overflowed == UInt64(1_000 - 160 + 101 - 10))
    }

    @Test("A machine that slept does not make up for it in a rush: timestamps go on as if it had been awake")
    func sleep() {
        let rig = SoundRig()
        let party = rig.serve(TestParty(0, .pcmu, tone: nil), .tone(440))
        rig.run(seconds: 1)
        let before = party.received.last!
        rig.now += .seconds(3_600)
        rig.run(seconds: 0.02)
        #expect(party.received.count <= 52 && rig.plane.counts.skippedTicks >= 179_998)
        let after = party.received.last!
        #expect(after.timestamp &- before.timestamp == UInt32(truncatingIfNeeded: 3_600 * 8_000 + 160))
        #expect(rig.plane.nextDeadline == rig.now + .milliseconds(20))
        // Late by less is made up for.
        rig.now += .milliseconds(100)
        rig.run(seconds: 0.02)
        #expect(party.received.last!.timestamp &- after.timestamp == 6 * 160)
    }

    @Test("A hundred thousand calls to a room, broken off at any point, leave nothing behind")
    func churn() {
        let rig = SoundRig()
        var entropy = Entropy(labSeed: 9)
        let party = TestParty(0, .pcmu, tone: nil)
        for _ in 0..<100_000 {
            let dice = entropy.next()
            let slot = Int(dice & 15)
            if dice & 16 == 0 {
                let entry = RoomEntry(
                    room: "\(dice >> 5 & 3)", party: "p", pin: dice >> 7 & 3 == 0 ? "1" : nil, isOwner: dice >> 9 & 1 == 0,
                    records: dice >> 10 & 7 == 0)
                rig.plane.serve(
                    slot: slot, id: MediaLegID(dice), service: .room(entry), remote: dice >> 13 & 3 == 0 ? nil : party.remote(),
                    at: rig.now)
            } else if dice & 32 == 0 {
                rig.plane.leave(slot: slot, at: rig.now)
            } else {
                rig.plane.digit(slot: slot, "*13#6"[dice >> 6], at: rig.now)
            }
            if dice >> 20 & 15 == 0 {
                rig.now += .milliseconds(20)
                rig.plane.advance(to: rig.now)
            }
            while rig.plane.nextPacket() != nil {}
            while rig.plane.nextEvent() != nil {}
            while rig.plane.nextRecording() != nil {}
        }
        for slot in 0..<16 { rig.plane.leave(slot: slot, at: rig.now) }
        #expect(rig.plane.partyCount == 0 && rig.plane.roomCount == 0 && rig.plane.nextDeadline == nil)
    }
}

extension String {
    fileprivate subscript(_ dice: UInt64) -> Character { Array(self)[Int(dice % UInt64(count))] }
}
