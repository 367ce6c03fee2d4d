import Base
import PhoneNode

/// One call of one phone, as it went: what the phone was told of it and what it heard.
public struct LabCall: Hashable, Sendable {
    public var id: PhoneCallID
    /// What was dialled, or who calls.
    public var remote: String
    public var beganAt: Instant
    /// The first 180 or 183, or when ours began to ring.
    public var rangAt: Instant?
    public var answeredAt: Instant?
    /// The newest agreement on media.
    public var media: CallMediaState?
    /// How it ended; nil: it has not.
    public var report: CallReport?
    public var heard = ToneTranscript()
    /// What the phone plays, in Hz; nil: something else, or nothing.
    public var tone: Int?
    /// Digits that came.
    public var digits = ""

    init(id: PhoneCallID, remote: String, at now: Instant) {
        self.id = id
        self.remote = remote
        beganAt = now
    }

    public var isIncoming: Bool { id.isIncoming }

    mutating func take(_ event: CallEvent, at now: Instant) {
        switch event {
        case .incoming: rangAt = now
        case .progress: if rangAt == nil { rangAt = now }
        case .answered(let state):
            if answeredAt == nil { answeredAt = now }
            media = state ?? media
        case .media(let state): media = state
        case .digit(let digit): digits.append(digit)
        case .ended(let report): self.report = report
        case .calling, .digitsSent, .asksTransfer, .transfer, .refused: break
        }
    }
}
