/// The caps and times of the sound plane.
public struct SoundSettings: Hashable, Sendable {
    /// Rooms at a time; who opens one more hears `.full`.
    public var rooms = 256
    public var partiesPerRoom = 1_000
    /// Of those who speak at once in a room, how many are heard: the loudest. Each needs an encoding of his own, which in Opus takes
    /// a core 0.15 ms a tick; and nobody could follow more.
    public var speakersPerRoom = 50
    /// Samples a second of recordings.
    public var recordingRate = 16_000
    /// How many wrong PINs a call may try.
    public var wrongPINs = 3
    /// Wrong PINs that a room, and one party at a room, takes at once from all calls together; and how long it takes to be granted one more.
    /// Whoever has used them up waits for the verdict, in this call or the next.
    public var pinsPerRoom = 10
    public var pinRoomInterval: Duration = .seconds(30)
    public var pinsPerParty = 5
    public var pinPartyInterval: Duration = .seconds(60)
    /// How long an account that was let in pays with its own share alone, and so cannot be locked out by others.
    public var pinMemory: Duration = .seconds(30 * 86_400)
    /// Calls waiting for such a verdict at a room; one more is sent away.
    public var pinsWaiting = 16
    /// From answering to the right PIN.
    public var pinTime: Duration = .seconds(60)
    /// An entry without `#` counts as complete after this long.
    public var pinPause: Duration = .seconds(3)
    /// How long a voice may take to be made before Morse takes its place.
    public var speechTime: Duration = .seconds(3)
    /// What is held for a driver that does not fetch; beyond it outputs are dropped and counted.
    public var queue = 65_536

    public init() {}
}

/// What the sound plane refused, by reason.
public struct SoundCounts: Hashable, Sendable {
    public var packets: UInt64 = 0
    /// For a slot that is not served, or one that is told to hang up.
    public var unserved: UInt64 = 0
    /// A payload type that was not agreed, or that no codec is at hand for.
    public var wrongType: UInt64 = 0
    /// More packets in one tick than any codec sends.
    public var flood: UInt64 = 0
    /// Carried our own SSRC: the party sends back what it gets.
    public var looped: UInt64 = 0
    /// Came while the party had said that it sends nothing.
    public var unexpected: UInt64 = 0
    /// The codec made nothing of it.
    public var undecodable: UInt64 = 0
    public var concealed: UInt64 = 0
    public var wrongPINs: UInt64 = 0
    /// Parties not let into a room: locked, full, wrong PIN.
    public var refusedEntries: UInt64 = 0
    /// Packets, events and recordings that nobody fetched.
    public var overflowed: UInt64 = 0
    /// Ticks left out because time had moved on by more than 200 ms.
    public var skippedTicks: UInt64 = 0
    /// Payloads encoded, and packets that shared one.
    public var encoded: UInt64 = 0
    public var shared: UInt64 = 0

    public init() {}
}
