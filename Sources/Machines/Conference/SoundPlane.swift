import Base
import Codecs
import MediaControl
import RTP

/// Who answers when nobody else does: tones, announcements and conference rooms, for all served legs of one media loop.
///
/// The relay hands in the plain RTP of served legs and sends what comes out. All parties share one tick of 20 ms, in which every jitter
/// buffer gives its sound, every room is summed up and every party gets one packet.
public struct SoundPlane: Sendable {
    public let settings: SoundSettings
    public internal(set) var counts = SoundCounts()
    let codecs: CodecRegistry
    let speech: SpeechProvider?
    var entropy: Entropy
    /// By slot; not optional, as looking into an optional copies what is in it.
    var parties: [Party] = []
    var served = 0
    var rooms: [Room?] = []
    var roomIndices: [String: Int] = [:]
    var throttles: PINThrottles
    /// Slots whose entry is judged when the throttle allows, in order.
    var waiting: [Int] = []
    /// The latest recording's number.
    var recordings: UInt64
    /// Counted from 0; every RTP timestamp follows from it.
    var tick: UInt64 = 0
    private var nextTick: Instant?
    /// Where a party's mix is encoded.
    var scratch = [UInt8](repeating: 0, count: AudioLimits.payload)
    var ownSamples: [Int16] = []
    /// Who is in the current room's sum.
    var sounding: [Int] = []
    private var packets = Outbox<SoundPacket>()
    private var events = Outbox<MediaEvent>()
    private var recorded = Outbox<RecordingEvent>()

    public init(
        settings: SoundSettings = SoundSettings(), codecs: CodecRegistry = .g711, speech: SpeechProvider? = nil, entropy: Entropy
    ) {
        self.settings = settings
        self.codecs = codecs
        self.speech = speech
        self.entropy = entropy
        recordings = self.entropy.next()
        throttles = PINThrottles(settings)
    }

    public mutating func nextPacket() -> SoundPacket? { packets.next() }
    public mutating func nextEvent() -> MediaEvent? { events.next() }
    public mutating func nextRecording() -> RecordingEvent? { recorded.next() }

    // MARK: - Signalling's edits

    /// The leg in `slot` talks to a service from now on. `remote` nil: its SDP is not known yet.
    public mutating func serve(slot: Int, id: MediaLegID, service: MediaService, remote: MediaRemote?, at now: Instant) {
        guard slot >= 0, slot < 1 << 20 else { return }
        leave(slot: slot, at: now)
        while parties.count <= slot { parties.append(Party()) }
        parties[slot] = Party(id, service)
        served += 1
        if nextTick == nil { nextTick = now + .milliseconds(20) }
        if let remote { update(slot: slot, remote: remote, at: now) }
    }

    /// The party's newest SDP.
    public mutating func update(slot: Int, remote: MediaRemote, at now: Instant) {
        guard isServing(slot: slot) else { return }
        switch parties[slot].stage {
        case .vacant, .leaving, .finished: return
        case .waiting, .silent, .tone, .announcing, .proving, .held, .inRoom: break
        }
        let rate = parties[slot].sender?.sampleRate
        guard parties[slot].agree(remote, codecs, tick: tick, &entropy) else {
            // Held calls agree on formats as well: a stream that is refused has none.
            leaveRoom(slot, at: now)
            finish(slot, .noCodec)
            return
        }
        let newRate = parties[slot].sender!.sampleRate
        switch parties[slot].stage {
        case .waiting(let service): begin(slot, service, at: now)
        case .tone(let tone) where rate != newRate:
            parties[slot].stage = .tone(ToneGenerator(tone.frequencies, sampleRate: newRate))
        case .announcing(let announcement) where rate != newRate:
            parties[slot].stage = .announcing(Announcement(announcement.text, rate: newRate, at: now))
        case .inRoom(let room, _): rejoin(slot, room)
        case .vacant, .silent, .tone, .announcing, .proving, .held, .leaving, .finished: break
        }
    }

    /// The leg is closed, or talks to somebody else.
    public mutating func leave(slot: Int, at now: Instant) {
        guard isServing(slot: slot) else { return }
        leaveRoom(slot, at: now)
        abandonEntry(slot)
        waiting.removeAll { $0 == slot }
        parties[slot] = Party()
        served -= 1
        if served == 0 { nextTick = nil }
    }

    /// Plain RTP of a served leg.
    public mutating func packet(slot: Int, header: RTPHeader, payload: UnsafeRawBufferPointer, at now: Instant) {
        counts.packets &+= 1
        guard parties.indices.contains(slot) else {
            counts.unserved &+= 1
            return
        }
        do throws(Party.Refusal) {
            switch try parties[slot].receive(header, payload, at: now) {
            case .sound, .nothing: break
            case .digit(let digit): self.digit(slot: slot, digit, at: now)
            case .wrongType: counts.wrongType &+= 1
            case .flood: counts.flood &+= 1
            }
        } catch {
            switch error {
            case .unserved: counts.unserved &+= 1
            case .looped: counts.looped &+= 1
            case .unexpected: counts.unexpected &+= 1
            }
        }
    }

    // MARK: - Time

    /// The next tick; nil while nobody is served.
    public var nextDeadline: Instant? { nextTick }

    public mutating func advance(to now: Instant) {
        while let due = nextTick, due <= now {
            let late = (now - due).wholeMilliseconds
            if late > 200 {
                // The machine slept: what should have been said meanwhile is not said in a rush.
                let skipped = UInt64(late / 20)
                tick &+= skipped
                counts.skippedTicks &+= skipped
                nextTick = due + .milliseconds(Int64(skipped) * 20)
                continue
            }
            nextTick = due + .milliseconds(20)
            tick &+= 1
            runTick(at: due)
        }
    }

    // MARK: - Queries

    public func isServing(slot: Int) -> Bool { parties.indices.contains(slot) && parties[slot].isServed }

    public var partyCount: Int { served }
    public var roomCount: Int { roomIndices.count }

    /// Who is in a room, in the order of entry.
    public func members(of room: String) -> [MediaLegID] {
        guard let index = roomIndices[room], let room = rooms[index] else { return [] }
        return room.members.map { parties[$0].id }
    }

    /// What was sent to the party; nil: nothing could be yet.
    public func sent(slot: Int) -> SentStream? {
        guard isServing(slot: slot), let sender = parties[slot].sender, let nextTick else { return nil }
        return SentStream(
            ssrc: sender.ssrc, packets: sender.packets, octets: sender.octets, timestamp: sender.timestamp(at: tick),
            at: nextTick - .milliseconds(20), clockRate: sender.format.clockRate)
    }

    // MARK: - Within

    /// What a party gets once its codec is known.
    private mutating func begin(_ slot: Int, _ service: MediaService, at now: Instant) {
        let rate = parties[slot].sender!.sampleRate
        switch service {
        case .echo, .silence: parties[slot].stage = .silent
        case .tone(let frequency):
            parties[slot].stage = .tone(ToneGenerator(max(1, min(frequency, rate / 2)), sampleRate: rate))
        case .announcement(let text): parties[slot].stage = .announcing(Announcement(text, rate: rate, at: now))
        case .room(let entry):
            if let pin = entry.pin {
                parties[slot].stage = .proving(PINEntry(entry, pin: pin, at: now))
                parties[slot].play(.askPIN)
            } else {
                enter(slot, entry, at: now)
            }
        }
    }

    mutating func finish(_ slot: Int, _ reason: MediaEnd) {
        parties[slot].stage = .finished
        append(.finished(parties[slot].id, reason: reason))
    }

    /// After a last prompt.
    mutating func sendAway(_ slot: Int, _ reason: MediaEnd, _ prompt: Prompt) {
        parties[slot].stage = .leaving(reason)
        parties[slot].play(prompt)
    }

    mutating func append(_ event: MediaEvent) {
        guard events.count < settings.queue else { return counts.overflowed &+= 1 }
        events.append(event)
    }

    mutating func append(_ event: RecordingEvent) {
        guard recorded.count < settings.queue / 16 else { return counts.overflowed &+= 1 }
        recorded.append(event)
    }

    mutating func send(_ bytes: [UInt8], to slot: Int) {
        guard packets.count < settings.queue else { return counts.overflowed &+= 1 }
        packets.append(SoundPacket(slot: slot, bytes: bytes))
    }
}
