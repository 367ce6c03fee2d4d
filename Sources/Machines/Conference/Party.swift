import Base
import Codecs
import MediaControl
import RTP

/// One served leg: what it hears and what is heard of it.
struct Party: Sendable {
    enum Stage: Sendable {
        /// Nobody is served in this slot.
        case vacant
        /// No SDP is known: nobody to send to.
        case waiting(MediaService)
        /// Nothing is sent.
        case silent
        case tone(ToneGenerator)
        case announcing(Announcement)
        /// Before the door.
        case proving(PINEntry)
        /// The entry was complete, but too many were wrong lately: judged when its turn comes.
        case held(PINEntry, isRight: Bool)
        /// `room`: index.
        case inRoom(room: Int, RoomEntry)
        /// Hears the last prompt, then is told to hang up.
        case leaving(MediaEnd)
        case finished
    }

    let id: MediaLegID
    var stage: Stage
    var remote: MediaRemote?
    /// Both nil until a codec is agreed.
    var receiver: AudioReceiver?
    var sender: SoundSender?
    private(set) var voice = VoiceActivity()
    var isMuted = false
    /// `*` was pressed then.
    var star: Instant?
    /// What this party alone hears now.
    var prompt: NotePlayer?
    /// The rate group and the shared encoder, in a room.
    var group = 0
    var shared: Int?
    /// In the room's current sum, and in the one before.
    var isSounding = false
    var wasSounding = false

    /// A slot that is not served.
    init() {
        id = MediaLegID(0)
        stage = .vacant
    }

    init(_ id: MediaLegID, _ service: MediaService) {
        self.id = id
        stage = .waiting(service)
    }

    var receives: Bool { remote?.receives ?? false }
    var sends: Bool { remote?.sends ?? false }

    var isServed: Bool {
        switch stage {
        case .vacant: false
        case .waiting, .silent, .tone, .announcing, .proving, .held, .inRoom, .leaving, .finished: true
        }
    }

    /// Served, and not in a room.
    var isAlone: Bool {
        switch stage {
        case .vacant, .inRoom: false
        case .waiting, .silent, .tone, .announcing, .proving, .held, .leaving, .finished: true
        }
    }

    var room: Int? {
        if case .inRoom(let room, _) = stage { return room }
        return nil
    }

    /// Why a packet of the party is not even looked at.
    enum Refusal: Error {
        /// No codec is agreed yet, or any more.
        case unserved
        /// Our own SSRC.
        case looped
        /// The party had said that it sends nothing.
        case unexpected
    }

    mutating func receive(
        _ header: RTPHeader, _ payload: UnsafeRawBufferPointer, at now: Instant
    ) throws(Refusal) -> AudioReceiver.Arrival {
        guard receiver != nil else { throw .unserved }
        guard header.ssrc != sender?.ssrc else { throw .looped }
        guard sends else { throw .unexpected }
        return receiver!.insert(header, payload, at: now)
    }

    /// Makes the coming tick's samples. `isListened` false: what is made counts as silence.
    mutating func hear(at now: Instant, isListened: Bool) {
        guard receiver != nil else { return }
        receiver!.tick(at: now)
        guard isListened, receiver!.isSpeech else { return voice.rest() }
        var level = 0
        receiver!.withSamples { level = MixingLoops.level($0, receiver!.count) }
        voice.hear(level: level)
    }

    mutating func play(_ prompt: Prompt) {
        guard let sender else { return }
        self.prompt = NotePlayer(prompt.notes, sampleRate: sender.sampleRate)
    }

    /// What SDP agreed. False: there is no codec we know.
    mutating func agree(
        _ remote: MediaRemote, _ codecs: CodecRegistry, tick: UInt64, _ entropy: inout Entropy
    ) -> Bool {
        self.remote = remote
        guard let (format, codec) = codecs.choose(among: remote.formats), codec.sampleRate >= 8_000, format.clockRate >= 8_000
        else {
            return false
        }
        if sender == nil {
            sender = SoundSender(format, codec, tick: tick, &entropy)
        } else {
            sender!.change(to: format, codec, tick: tick)
        }
        sender!.agree(remote.formats, packetTime: remote.packetTime)
        if receiver?.rate != codec.sampleRate {
            receiver = AudioReceiver(rate: codec.sampleRate, noiseSeed: entropy.next())
            voice = VoiceActivity()
            prompt = nil
        }
        receiver!.accept(remote.formats, codecs)
        if !remote.sends { receiver!.drop() }
        return true
    }
}
