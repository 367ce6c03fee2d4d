import Base
import Codecs
import MediaControl
import RTP

extension SoundPlane {
    /// What signalling wishes of a room; what does not exist is passed over.
    public mutating func room(_ name: String, _ command: RoomCommand, at now: Instant) {
        guard let index = roomIndices[name] else { return }
        switch command {
        case .lock(let isLocked): lock(index, isLocked)
        case .mute(let id, let isMuted):
            guard let slot = member(id, of: index), parties[slot].isMuted != isMuted else { return }
            mute(slot, isMuted)
        case .kick(let id):
            guard let slot = member(id, of: index) else { return }
            kick(slot, at: now)
        }
    }

    private func member(_ id: MediaLegID, of room: Int) -> Int? { rooms[room]!.members.first { parties[$0].id == id } }

    // MARK: - Doors

    mutating func enter(_ slot: Int, _ entry: RoomEntry, at now: Instant) {
        let index: Int
        if let known = roomIndices[entry.room] {
            index = known
            guard entry.isOwner || !rooms[index]!.isLocked else { return refuse(slot, .locked) }
            guard rooms[index]!.members.count < settings.partiesPerRoom else { return refuse(slot, .full) }
        } else {
            guard roomIndices.count < settings.rooms else { return refuse(slot, .full) }
            index = rooms.firstIndex { $0 == nil } ?? rooms.count
            if index == rooms.count { rooms.append(nil) }
            rooms[index] = Room(entry.room, noiseSeed: entropy.next())
            roomIndices[entry.room] = index
        }
        parties[slot].stage = .inRoom(room: index, entry)
        parties[slot].prompt = nil
        parties[slot].star = nil
        rooms[index]!.members.append(slot)
        parties[slot].join(&rooms[index]!.mixer)
        if rooms[index]!.members.count > 1 { rooms[index]!.mixer.play(.entry) }
        append(.room(name: entry.room, .entered(parties[slot].id, party: entry.party)))
        if entry.records, rooms[index]!.recording == nil { beginRecording(index, at: now) }
        // Whoever is recorded is told so.
        if rooms[index]!.recording != nil { parties[slot].play(.recorded) }
    }

    /// The party's codec may have changed.
    mutating func rejoin(_ slot: Int, _ room: Int) {
        rooms[room]!.mixer.leave(parties[slot].group)
        parties[slot].join(&rooms[room]!.mixer)
    }

    mutating func leaveRoom(_ slot: Int, at now: Instant) {
        guard case .inRoom(let index, let entry) = parties[slot].stage else { return }
        parties[slot].stage = .silent
        rooms[index]!.members.removeAll { $0 == slot }
        rooms[index]!.mixer.leave(parties[slot].group)
        append(.room(name: entry.room, .left(parties[slot].id, party: entry.party)))
        guard rooms[index]!.members.isEmpty else {
            rooms[index]!.mixer.play(.exit)
            return
        }
        endRecording(index)
        roomIndices[rooms[index]!.name] = nil
        rooms[index] = nil
    }

    private mutating func refuse(_ slot: Int, _ reason: MediaEnd) {
        counts.refusedEntries &+= 1
        sendAway(slot, reason, .refused)
    }

    // MARK: - What may be done inside

    mutating func lock(_ index: Int, _ isLocked: Bool) {
        guard rooms[index]!.isLocked != isLocked else { return }
        rooms[index]!.isLocked = isLocked
        append(.room(name: rooms[index]!.name, .locked(isLocked)))
    }

    mutating func mute(_ slot: Int, _ isMuted: Bool) {
        guard let room = parties[slot].room else { return }
        parties[slot].isMuted = isMuted
        parties[slot].play(isMuted ? .muted : .unmuted)
        append(.room(name: rooms[room]!.name, .muted(parties[slot].id, isMuted)))
    }

    mutating func kick(_ slot: Int, at now: Instant) {
        leaveRoom(slot, at: now)
        sendAway(slot, .kicked, .removed)
    }

    /// The one who entered last and is no owner.
    mutating func kickLast(_ index: Int, at now: Instant) {
        let last = rooms[index]!.members.last { slot in
            guard case .inRoom(_, let entry) = parties[slot].stage else { return false }
            return !entry.isOwner
        }
        if let last { kick(last, at: now) }
    }

    // MARK: - Recording

    private mutating func beginRecording(_ index: Int, at now: Instant) {
        recordings &+= 1
        let id = RecordingID(recordings)
        let group = rooms[index]!.mixer.join(rate: settings.recordingRate)
        rooms[index]!.recording = Room.Recording(id: id, group: group)
        append(.began(id, room: rooms[index]!.name, sampleRate: settings.recordingRate, at: now))
    }

    private mutating func endRecording(_ index: Int) {
        guard let recording = rooms[index]!.recording else { return }
        if !recording.samples.isEmpty { append(.samples(recording.id, recording.samples)) }
        append(.ended(recording.id))
        rooms[index]!.recording = nil
    }
}

extension Party {
    /// Takes a place among those who hear at its rate.
    mutating func join(_ mixer: inout RoomMixer) {
        group = mixer.join(rate: sender!.sampleRate)
        shared = mixer.sharedEncoder(for: sender!.format, sender!.codec)
        isSounding = false
    }
}
