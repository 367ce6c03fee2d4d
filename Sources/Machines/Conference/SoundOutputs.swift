import Base

/// A whole RTP packet for the party in `slot`, plain.
public struct SoundPacket: Hashable, Sendable {
    public var slot: Int
    public var bytes: [UInt8]

    public init(slot: Int, bytes: [UInt8]) {
        self.slot = slot
        self.bytes = bytes
    }
}

/// What was sent to a party so far: what an RTCP sender report says (RFC 3550 6.4.1).
public struct SentStream: Hashable, Sendable {
    public var ssrc: UInt32
    public var packets: UInt32
    /// Of payload.
    public var octets: UInt32
    /// That belongs to `at`.
    public var timestamp: UInt32
    public var at: Instant
    /// RTP units a second.
    public var clockRate: Int
}

/// Which recording. Each sound plane counts from a number of its own drawing, so that one recorder can serve several.
public struct RecordingID: Hashable, Sendable {
    public var value: UInt64

    public init(_ value: UInt64) { self.value = value }
}

/// A room's mix for whoever writes it down.
public enum RecordingEvent: Hashable, Sendable {
    case began(RecordingID, room: String, sampleRate: Int, at: Instant)
    /// One channel, about 200 ms at a time.
    case samples(RecordingID, [Int16])
    case ended(RecordingID)
}

/// What became of a request for speech.
public enum SpeechAnswer: Sendable {
    /// One channel.
    case ready([Int16], sampleRate: Int)
    /// Not yet: asked again at the next tick.
    case pending
    /// No voice here: Morse.
    case unavailable
}

/// A voice, supplied by the edge. `ask` must return at once: it starts the work when it hears a text for the first time.
public struct SpeechProvider: Sendable {
    public var ask: @Sendable (String) -> SpeechAnswer

    public init(ask: @escaping @Sendable (String) -> SpeechAnswer) { self.ask = ask }
}
