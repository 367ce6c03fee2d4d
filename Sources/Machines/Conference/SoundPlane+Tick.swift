import Base
import Codecs
import MediaControl

extension SoundPlane {
    mutating func runTick(at now: Instant) {
        watchDoors(at: now)
        for slot in parties.indices where parties[slot].isAlone { serveAlone(slot, at: now) }
        for index in rooms.indices where rooms[index] != nil {
            // Taken out, so that room and parties can be worked on side by side.
            var room = rooms[index].take()!
            runRoom(&room, at: now)
            rooms[index] = room
        }
    }

    // MARK: - Outside rooms

    private mutating func serveAlone(_ slot: Int, at now: Instant) {
        parties[slot].hear(at: now, isListened: false)
        takeCounts(slot)
        switch parties[slot].stage {
        case .vacant, .waiting, .silent, .finished: return
        case .tone, .announcing, .proving, .held, .leaving, .inRoom: break
        }
        let count = parties[slot].sender!.sampleRate / 50
        prepareOwn(count)
        let isPrompting = fillPrompt(slot, count)
        switch parties[slot].stage {
        case .tone(var tone):
            let samples = tone.next(count)
            parties[slot].stage = .tone(tone)
            ownSamples.replaceSubrange(0..<count, with: samples)
            sendOwn(slot, count)
        case .announcing(var announcement):
            let isHeard = parties[slot].receiver!.hasHeard
            ownSamples.withUnsafeMutableBufferPointer {
                announcement.next(
                    into: UnsafeMutableBufferPointer(rebasing: $0[0..<count]), isHeard: isHeard, speech,
                    patience: settings.speechTime, at: now)
            }
            parties[slot].stage = .announcing(announcement)
            sendOwn(slot, count)
            if announcement.isOver { finish(slot, .announced) }
        case .proving(let entry):
            // Asked again every eight seconds of standing about.
            if !isPrompting, entry.isEmpty, tick % 400 == 0 { parties[slot].play(.askPIN) }
            sendOwn(slot, count)
        case .held: sendOwn(slot, count)
        case .leaving(let reason):
            guard isPrompting else { return finish(slot, reason) }
            sendOwn(slot, count)
        case .vacant, .waiting, .silent, .inRoom, .finished: break
        }
    }

    private mutating func prepareOwn(_ count: Int) {
        if ownSamples.count < count { ownSamples = [Int16](repeating: 0, count: count) }
        ownSamples.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    }

    /// True: the party hears a prompt in this tick.
    private mutating func fillPrompt(_ slot: Int, _ count: Int) -> Bool {
        guard parties[slot].prompt != nil else { return false }
        guard !parties[slot].prompt!.isOver else {
            parties[slot].prompt = nil
            return false
        }
        ownSamples.withUnsafeMutableBufferPointer {
            parties[slot].prompt!.next(into: UnsafeMutableBufferPointer(rebasing: $0[0..<count]))
        }
        return true
    }

    private mutating func sendOwn(_ slot: Int, _ count: Int) {
        ownSamples.withUnsafeBufferPointer { encode(UnsafeBufferPointer(rebasing: $0[0..<count]), for: slot) }
    }

    /// Encodes for one party and sends.
    private mutating func encode(_ samples: UnsafeBufferPointer<Int16>, for slot: Int) {
        guard parties[slot].receives, let encoder = parties[slot].sender!.encoder() else {
            parties[slot].sender!.pause()
            return
        }
        let length = scratch.withUnsafeMutableBytes { encoder.encode(samples, into: $0) }
        counts.encoded &+= 1
        guard length > 0 else { return }
        let bytes = scratch.withUnsafeBytes {
            parties[slot].sender!.packet(UnsafeRawBufferPointer(rebasing: $0[..<length]), tick: tick)
        }
        if let bytes { send(bytes, to: slot) }
    }

    private mutating func takeCounts(_ slot: Int) {
        guard let (concealed, undecodable) = parties[slot].receiver?.takeCounts() else { return }
        counts.concealed &+= concealed
        counts.undecodable &+= undecodable
    }

    // MARK: - Rooms

    private mutating func runRoom(_ room: inout Room, at now: Instant) {
        room.mixer.begin()
        sounding.removeAll(keepingCapacity: true)
        for slot in room.members { listen(to: slot, at: now) }
        if sounding.count > settings.speakersPerRoom { keepLoudest() }
        for slot in sounding {
            let group = parties[slot].group
            parties[slot].receiver!.withSamples { room.mixer.add($0, to: group) }
        }
        room.mixer.mix()
        for slot in room.members { give(slot, &room.mixer) }
        record(&room)
        lookWhoSpeaks(&room)
    }

    private mutating func listen(to slot: Int, at now: Instant) {
        let isListened = !parties[slot].isMuted && parties[slot].sends
        parties[slot].hear(at: now, isListened: isListened)
        takeCounts(slot)
        let isSounding = isListened && parties[slot].voice.isActive
        parties[slot].wasSounding = parties[slot].isSounding
        parties[slot].isSounding = isSounding
        if isSounding { sounding.append(slot) }
    }

    /// More speak than can be heard. Who was heard stays unless another is twice as loud, so that nobody comes and goes.
    private mutating func keepLoudest() {
        func rank(_ slot: Int) -> Int { parties[slot].voice.loudness * (parties[slot].wasSounding ? 2 : 1) }
        let ranked = sounding.map { (slot: $0, rank: rank($0)) }.sorted { ($0.rank, $1.slot) > ($1.rank, $0.slot) }
        for (slot, _) in ranked[settings.speakersPerRoom...] { parties[slot].isSounding = false }
        sounding.removeAll { !parties[$0].isSounding }
    }

    private mutating func give(_ slot: Int, _ mixer: inout RoomMixer) {
        guard parties[slot].receives else {
            parties[slot].sender!.pause()
            return
        }
        let count = parties[slot].sender!.sampleRate / 50
        if parties[slot].prompt != nil {
            prepareOwn(count)
            if fillPrompt(slot, count) { return sendOwn(slot, count) }
        }
        let isSounding = parties[slot].isSounding
        let isQuiet = mixer.isQuiet(without: isSounding)
        let group = parties[slot].group
        if isQuiet, parties[slot].sender!.comfortNoise != nil {
            if let bytes = parties[slot].sender!.quietPacket(level: RoomMixer.quietLevel, tick: tick) { send(bytes, to: slot) }
            return
        }
        if isQuiet || !isSounding, let shared = parties[slot].shared {
            let bytes = mixer.withShared(shared, group, isQuiet: isQuiet, encoded: &counts.encoded) { payload -> [UInt8]? in
                payload.isEmpty ? nil : parties[slot].sender!.packet(payload, tick: tick)
            }
            counts.shared &+= 1
            parties[slot].sender!.dropEncoder()
            if let bytes { send(bytes, to: slot) }
            return
        }
        if isQuiet {
            mixer.withQuiet(group) { encode($0, for: slot) }
        } else if isSounding {
            encodeMix(of: slot, group, &mixer)
        } else {
            mixer.withWholeMix(group) { encode($0, for: slot) }
        }
    }

    /// The mix without the party's own sound.
    private mutating func encodeMix(of slot: Int, _ group: Int, _ mixer: inout RoomMixer) {
        let frame = parties[slot].receiver!.frame
        frame.withUnsafeBufferPointer { own in
            mixer.withMix(group, leavingOut: own.baseAddress!) { encode($0, for: slot) }
        }
    }

    private mutating func record(_ room: inout Room) {
        guard room.recording != nil else { return }
        let group = room.recording!.group
        room.mixer.withWholeMix(group) { room.recording!.samples += $0 }
        guard room.recording!.samples.count >= settings.recordingRate / 5 else { return }
        append(.samples(room.recording!.id, room.recording!.samples))
        room.recording!.samples = []
    }

    private mutating func lookWhoSpeaks(_ room: inout Room) {
        room.sinceLook += 1
        guard room.sinceLook >= SpeakerList.interval else { return }
        room.sinceLook = 0
        var active: [SpeakerList.Candidate] = []
        for slot in room.members where parties[slot].isSounding {
            let voice = parties[slot].voice
            active.append(.init(slot: slot, loudness: voice.loudness, activeTicks: voice.activeTicks))
        }
        guard room.speakers.update(active) else { return }
        append(.room(name: room.name, .speaking(room.speakers.speakers.map { parties[$0].id })))
    }
}
