import Base
import Codecs
import Conference
import MediaControl
import RTP
import Testing

@Suite struct RoomTests {
    @Test("*6 mutes and unmutes: the others hear it, the party is told by tone, signalling by event")
    func mute() {
        let rig = SoundRig()
        let one = rig.join(TestParty(0, .pcmu, tone: 440))
        let two = rig.join(TestParty(1, .pcmu, tone: 700))
        rig.run(seconds: 0.5)
        one.forget()
        rig.dial("*6", one)
        #expect(rig.roomEvents.contains(.muted(one.id, true)))
        #expect(rig.digits(one) == "*6")
        #expect(one.heardBurst(of: 520) && one.heardBurst(of: 390))
        rig.run(seconds: 0.5)
        two.forget()
        rig.run(seconds: 1)
        #expect(ToneMeter.level(two.heard) < 30 && one.share(of: 700) > 0.5)
        rig.dial("*6", one)
        #expect(rig.roomEvents.last { if case .muted = $0 { true } else { false } } == .muted(one.id, false))
        two.forget()
        rig.run(seconds: 1)
        #expect(two.share(of: 440) > 0.98)
        // Without the star, or long after it, a 6 is a digit and no more.
        rig.dial("6", one)
        rig.dial("*", one)
        rig.run(seconds: 4)
        rig.dial("6", one)
        #expect(rig.roomEvents.filter { if case .muted = $0 { true } else { false } }.count == 2)
    }

    @Test("The owner locks with *1: nobody enters but another owner; a second *1 opens; others' *1 does nothing")
    func lock() {
        let rig = SoundRig()
        let owner = rig.join(TestParty(0, .pcmu, tone: nil), isOwner: true)
        let guest = rig.join(TestParty(1, .pcmu, tone: nil))
        rig.dial("*1", guest)
        #expect(!rig.roomEvents.contains(.locked(true)))
        rig.dial("*1", owner)
        #expect(rig.roomEvents.contains(.locked(true)))
        let late = rig.join(TestParty(2, .pcmu, tone: nil))
        rig.run(seconds: 2)
        #expect(rig.finished(late) == .locked && late.heardBurst(of: 480))
        #expect(rig.plane.members(of: "8000") == [owner.id, guest.id] && rig.plane.counts.refusedEntries == 1)
        let second = rig.join(TestParty(3, .pcmu, tone: nil), isOwner: true)
        #expect(rig.plane.members(of: "8000").contains(second.id))
        rig.dial("*1", second)
        #expect(rig.roomEvents.contains(.locked(false)))
        let welcome = rig.join(TestParty(4, .pcmu, tone: nil))
        #expect(rig.plane.members(of: "8000").contains(welcome.id))
    }

    @Test("The owner's *3 removes the one who entered last and is no owner; he hears why and is told to hang up")
    func kick() {
        let rig = SoundRig()
        let owner = rig.join(TestParty(0, .pcmu, tone: nil), isOwner: true)
        let first = rig.join(TestParty(1, .pcmu, tone: 440))
        let last = rig.join(TestParty(2, .pcmu, tone: 700))
        let other = rig.join(TestParty(3, .pcmu, tone: nil), isOwner: true)
        rig.dial("*3", first)
        #expect(rig.plane.members(of: "8000").count == 4)
        last.forget()
        rig.dial("*3", owner)
        #expect(rig.plane.members(of: "8000") == [owner.id, first.id, other.id])
        rig.run(seconds: 1)
        #expect(rig.finished(last) == .kicked && rig.finished(first) == nil)
        #expect(rig.roomEvents.contains(.left(last.id, party: "party2")))
        owner.forget()
        rig.run(seconds: 1)
        #expect(owner.share(of: 440) > 0.98)
        // Finished means finished: nothing is sent any more.
        last.forget()
        rig.run(seconds: 1)
        #expect(last.received.isEmpty)
        rig.dial("*3", owner)
        rig.dial("*3", owner)
        #expect(rig.plane.members(of: "8000") == [owner.id, other.id])
    }

    @Test("Signalling mutes, locks and kicks as well; rooms and parties that do not exist are passed over")
    func commands() {
        let rig = SoundRig()
        let one = rig.join(TestParty(0, .pcmu, tone: 440))
        let two = rig.join(TestParty(1, .pcmu, tone: nil))
        rig.plane.room("8000", .mute(one.id, true), at: rig.now)
        rig.plane.room("8000", .mute(one.id, true), at: rig.now)
        rig.plane.room("8000", .lock(true), at: rig.now)
        rig.plane.room("8000", .lock(true), at: rig.now)
        rig.plane.room("8000", .kick(two.id), at: rig.now)
        rig.plane.room("8000", .kick(MediaLegID(99)), at: rig.now)
        rig.plane.room("8001", .lock(true), at: rig.now)
        rig.run(seconds: 1)
        #expect(rig.finished(two) == .kicked)
        #expect(
            rig.roomEvents == [
                .entered(one.id, party: "party0"), .entered(two.id, party: "party1"), .muted(one.id, true), .locked(true),
                .left(two.id, party: "party1"),
            ])
    }

    @Test("Entry and exit are heard by all inside, as a rising and as a falling pair of tones")
    func doorTones() {
        let rig = SoundRig()
        let one = rig.join(TestParty(0, .pcmu, tone: nil))
        rig.run(seconds: 1)
        one.forget()
        let two = rig.join(TestParty(1, muLaw(at: 16_000), tone: nil))
        rig.run(seconds: 0.4)
        #expect(one.heardBurst(of: 660) && one.heardBurst(of: 880) && !one.heardBurst(of: 587))
        one.forget()
        rig.run(seconds: 0.5)
        #expect(ToneMeter.level(one.heard) < 30)
        one.forget()
        rig.leave(two)
        rig.run(seconds: 0.4)
        #expect(one.heardBurst(of: 880) && one.heardBurst(of: 587) && !one.heardBurst(of: 660))
    }

    @Test("Who speaks is told loudest first, when it changes and not otherwise")
    func speaking() {
        let rig = SoundRig()
        let parties = (0..<3).map { rig.join(TestParty($0, .pcmu, tone: 400 + 200 * $0, amplitude: 2_000 * Double($0 + 1))) }
        parties.forEach { $0.isSending = false }
        rig.run(seconds: 1)
        #expect(rig.speaking.isEmpty)
        parties[0].isSending = true
        rig.run(seconds: 2)
        parties[2].isSending = true
        rig.run(seconds: 2)
        parties[1].isSending = true
        rig.run(seconds: 2)
        #expect(rig.speaking == [[0], [2, 0], [2, 1, 0]])
        parties[2].isSending = false
        rig.run(seconds: 2)
        // Hardly louder than who stands before him: no change of places.
        parties[0].tone?.amplitude = 4_400
        rig.run(seconds: 2)
        #expect(rig.speaking.dropFirst(3) == [[1, 0]])
        parties[0].tone?.amplitude = 8_000
        rig.run(seconds: 2)
        parties.forEach { $0.isSending = false }
        rig.run(seconds: 2)
        #expect(rig.speaking.dropFirst(4) == [[0, 1], []])
    }

    @Test("In a quiet room who takes comfort noise gets one packet every half second, who does not gets soft noise")
    func comfortNoise() {
        let rig = SoundRig()
        let quiet = rig.join(TestParty(0, .pcmu, tone: nil), comfortNoise: true)
        let noisy = rig.join(TestParty(1, .pcmu, tone: nil))
        rig.run(seconds: 1)
        quiet.forget()
        noisy.forget()
        rig.run(seconds: 5)
        #expect(quiet.received.count == 10 && quiet.received.allSatisfy { $0.payloadType == 13 && $0.payload == [70] })
        #expect(noisy.received.count == 250)
        #expect((1...25).contains(ToneMeter.level(noisy.heard)))
        quiet.forget()
        let speaker = rig.join(TestParty(2, .pcmu, tone: 440), comfortNoise: true)
        rig.run(seconds: 1)
        // The entry tone ends quiet, a talkspurt begins with the marker.
        #expect(quiet.received.first?.marker == true && quiet.received.first?.payloadType == 0)
        #expect(quiet.received.filter(\.marker).count == 1)
        // The speaker hears nobody: to him it is quiet still.
        #expect(speaker.received.filter { $0.payloadType == 13 }.count >= 1)
    }

    @Test("RFC 3389: what a party sends in its pauses is noise and no speech; it costs no concealment")
    func silenceSuppression() {
        let rig = SoundRig()
        let one = rig.join(TestParty(0, .pcmu, tone: 440), comfortNoise: true)
        let two = rig.join(TestParty(1, .pcmu, tone: nil))
        rig.run(seconds: 1)
        one.isSending = false
        rig.deliver(
            RTPPacket(payloadType: 13, sequenceNumber: 50, timestamp: 8_000, ssrc: 77, payload: [25]).bytes, from: 0)
        rig.run(seconds: 2)
        #expect(rig.plane.counts.concealed == 0)
        two.forget()
        rig.run(seconds: 1)
        #expect(ToneMeter.level(two.heard) < 30 && rig.speaking.last == [])
    }

    @Test("The recording is the mix of everyone, at its own rate, from the first who records until the room is empty")
    func recording() throws {
        let rig = SoundRig()
        let one = rig.join(TestParty(0, .pcmu, tone: 440), records: true)
        let two = rig.join(TestParty(1, muLaw(at: 48_000), tone: 710))
        rig.run(seconds: 4)
        rig.leave(one)
        rig.leave(two)
        guard case .began(let id, let room, let rate, let at)? = rig.recordings.first else {
            Issue.record("no recording began")
            return
        }
        #expect(room == "8000" && rate == 16_000 && at == Instant(seconds: 1_700_000_000))
        #expect(rig.recordings.last == .ended(id))
        var samples: [Int16] = []
        for case .samples(id, let block) in rig.recordings { samples += block }
        #expect(samples.count == 4 * 16_000 && rig.recordings.count == 22)
        let settled = Array(samples.dropFirst(16_000))
        for tone in [440, 710] { #expect(abs(ToneMeter.share(of: tone, in: settled, sampleRate: 16_000) - 0.5) < 0.01) }
        // Whoever is recorded is told so.
        #expect(one.heardBurst(of: 1_400) && two.heardBurst(of: 1_400))
    }

    @Test("Recordings of two planes can be told apart")
    func recordingNumbers() {
        let ids = [UInt64(1), 2].flatMap { seed -> [RecordingID] in
            var plane = SoundPlane(entropy: Entropy(labSeed: seed))
            let party = TestParty(0, .pcmu, tone: nil)
            for room in ["a", "b"] {
                let entry = RoomEntry(room: room, party: "p", records: true)
                plane.serve(slot: 0, id: party.id, service: .room(entry), remote: party.remote(), at: Instant(seconds: 1))
            }
            var ids: [RecordingID] = []
            while let event = plane.nextRecording() { if case .began(let id, _, _, _) = event { ids.append(id) } }
            return ids
        }
        #expect(ids.count == 4 && Set(ids).count == 4)
    }

    @Test("Caps: a room is full, there are rooms enough; the caller hears the tone of refusal and is told `full`")
    func caps() {
        var settings = SoundSettings()
        settings.partiesPerRoom = 2
        settings.rooms = 2
        let rig = SoundRig(settings: settings)
        for slot in 0..<2 { rig.join(TestParty(slot, .pcmu, tone: nil)) }
        let third = rig.join(TestParty(2, .pcmu, tone: nil))
        rig.join(TestParty(3, .pcmu, tone: nil), room: "8001")
        let fourth = rig.join(TestParty(4, .pcmu, tone: nil), room: "8002")
        rig.run(seconds: 1.5)
        #expect(rig.finished(third) == .full && rig.finished(fourth) == .full)
        rig.leave(rig.parties[0])
        let next = rig.join(TestParty(5, .pcmu, tone: nil))
        #expect(rig.plane.members(of: "8000").last == next.id)
    }

    @Test("A party without a codec we can mix is told so at once; a slot served anew leaves its room")
    func noCodec() {
        let rig = SoundRig()
        let party = TestParty(0, .pcmu, tone: nil)
        let odd = MediaRemote(
            epoch: 1, rtp: nil, formats: [MediaFormat(payloadType: 18, encoding: "G729", clockRate: 8_000), party.events])
        let entry = RoomEntry(room: "8000", party: "x")
        rig.plane.serve(slot: 0, id: party.id, service: .room(entry), remote: odd, at: rig.now)
        rig.fetch()
        #expect(rig.finished(party) == .noCodec && rig.plane.roomCount == 0)
        rig.plane.serve(slot: 0, id: party.id, service: .room(entry), remote: nil, at: rig.now)
        #expect(rig.plane.roomCount == 0)
        rig.plane.update(slot: 0, remote: party.remote(), at: rig.now)
        #expect(rig.plane.roomCount == 1)
        rig.plane.update(slot: 0, remote: odd, at: rig.now)
        #expect(rig.plane.roomCount == 0)
        rig.plane.serve(slot: 0, id: party.id, service: .room(entry), remote: party.remote(), at: rig.now)
        rig.plane.serve(slot: 0, id: party.id, service: .silence, remote: party.remote(), at: rig.now)
        #expect(rig.plane.roomCount == 0 && rig.plane.partyCount == 1)
    }
}
