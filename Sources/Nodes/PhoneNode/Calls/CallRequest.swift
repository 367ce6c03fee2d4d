import Base

/// Names a call of one phone. Calls the phone makes are named by whoever asks for them, with a value below 2^32; calls that
/// come in are numbered by the phone from 2^32 on.
public struct PhoneCallID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var value: UInt64

    public init(_ value: UInt64) { self.value = value }

    static let firstIncoming: UInt64 = 1 << 32

    public var isIncoming: Bool { value >= Self.firstIncoming }

    public static func < (a: PhoneCallID, b: PhoneCallID) -> Bool { a.value < b.value }

    public var description: String { isIncoming ? "in-\(value - Self.firstIncoming)" : "out-\(value)" }
}

/// What a call sends to the other side.
public enum PlaySource: Hashable, Sendable {
    case silence
    /// A sine of so many Hz.
    case tone(Int)
    /// Mono samples at `rate` Hz, over and over or once (then silence).
    case samples([Int16], rate: Int, repeats: Bool)
    /// What `.microphone` brings; silence where it brings too little.
    case microphone
}

/// A call to be made.
public struct CallRequest: Hashable, Sendable {
    public var id: PhoneCallID
    /// `8000` (at our registrar), `8000@example.net`, or a SIP URI.
    public var target: String
    public var play: PlaySource
    /// Digits to be sent once the call is answered.
    public var dtmf: String
    /// How long after the answer the digits wait.
    public var dtmfDelay: Duration
    /// Hang up so long after the answer; nil: not by itself.
    public var duration: Duration?
    /// INVITE without an offer: the other side offers in its 200 (RFC 3264 5).
    public var lateOffer: Bool

    public init(
        id: PhoneCallID, target: String, play: PlaySource = .silence, dtmf: String = "", dtmfDelay: Duration = .milliseconds(500),
        duration: Duration? = nil, lateOffer: Bool = false
    ) {
        self.id = id
        self.target = target
        self.play = play
        self.dtmf = dtmf
        self.dtmfDelay = dtmfDelay
        self.duration = duration
        self.lateOffer = lateOffer
    }
}
