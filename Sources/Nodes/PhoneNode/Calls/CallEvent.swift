import Base

/// What happens to a call, as its owner is told.
public enum CallEvent: Hashable, Sendable {
    /// Somebody calls; `from` and `to` are URIs as written, `name` the display name.
    case incoming(from: String, name: String?, to: String)
    /// The INVITE goes out (again after a challenge or a redirection).
    case calling(target: String, next: Endpoint)
    /// A provisional response: 180 rings, 183 mostly carries audio.
    case progress(code: Int, reason: String)
    /// The dialog stands; `media` is what was agreed, nil while it is not yet.
    case answered(CallMediaState?)
    /// What was agreed changed: a re-INVITE, an UPDATE, early media.
    case media(CallMediaState)
    /// A digit of the other side.
    case digit(Character)
    /// All digits asked for so far have been sent.
    case digitsSent
    /// The other side asks us to call somebody else in its stead; the new call has that name.
    case asksTransfer(to: String, as: PhoneCallID)
    /// What became of a transfer we asked for: the status the other side reports, 200 and above is the last.
    case transfer(code: Int, reason: String)
    /// A command that cannot be carried out now.
    case refused(String)
    case ended(CallReport)
}

/// What the last offer and answer came to.
public struct CallMediaState: Hashable, Sendable {
    public var codec: String
    /// Of the samples in `.audio`, in Hz.
    public var sampleRate: Int
    /// We may send, and do unless muted.
    public var sends: Bool
    public var receives: Bool
    public var heldByUs: Bool
    public var heldByThem: Bool
    public var isSRTP: Bool
    /// The address of ours that SDP names.
    public var local: Endpoint
    /// The address of theirs that SDP names.
    public var remote: Endpoint
    public var hasTelephoneEvents: Bool

    public init(
        codec: String, sampleRate: Int, sends: Bool, receives: Bool, heldByUs: Bool, heldByThem: Bool, isSRTP: Bool,
        local: Endpoint, remote: Endpoint, hasTelephoneEvents: Bool
    ) {
        self.codec = codec
        self.sampleRate = sampleRate
        self.sends = sends
        self.receives = receives
        self.heldByUs = heldByUs
        self.heldByThem = heldByThem
        self.isSRTP = isSRTP
        self.local = local
        self.remote = remote
        self.hasTelephoneEvents = hasTelephoneEvents
    }
}

/// How a call ended.
public enum CallEnd: Hashable, Sendable {
    /// We hung up an answered call.
    case hungUp
    /// The other side hung up an answered call.
    case hungUpByPeer
    /// We gave up before it was answered.
    case cancelled
    /// The caller gave up before we answered.
    case cancelledByPeer
    /// A final refusal, theirs of our call or ours of theirs.
    case refused(code: Int, reason: String)
    case noAnswer
    /// The network says that nobody is there, or the connection could not be made.
    case unreachable(String)
    /// The name in the target has no address.
    case unresolvable(String)
    /// The session timer ran out without a refresh, or a request inside the dialog was not answered.
    case lost(String)
    /// Offer and answer do not fit.
    case incompatible(String)
    /// The call could not be begun: settings, target, or no free port.
    case impossible(String)
    /// Another call took its place (RFC 3891) or a transfer succeeded.
    case replaced

    public var text: String {
        switch self {
        case .hungUp: "we hung up"
        case .hungUpByPeer: "the other side hung up"
        case .cancelled: "given up before it was answered"
        case .cancelledByPeer: "the caller gave up"
        case .refused(let code, let reason): "refused: \(code) \(reason)"
        case .noAnswer: "no answer"
        case .unreachable(let what): "unreachable: \(what)"
        case .unresolvable(let why): "name not found: \(why)"
        case .lost(let why): "lost: \(why)"
        case .incompatible(let why): "no common media: \(why)"
        case .impossible(let why): "impossible: \(why)"
        case .replaced: "went over to another call"
        }
    }
}

/// What became of one call and its audio.
public struct CallReport: Hashable, Sendable {
    public var id: PhoneCallID
    /// The other side's URI.
    public var remote: String
    public var startedAt: Instant
    /// nil: never.
    public var answeredAt: Instant?
    public var endedAt: Instant
    public var end: CallEnd
    /// Empty where no media was agreed.
    public var codec = ""
    public var isSRTP = false
    /// Our RTP socket.
    public var local: Endpoint?
    /// What STUN saw of it, and SDP named.
    public var mapped: Endpoint?
    /// Theirs by SDP.
    public var signalled: Endpoint?
    /// Where the first RTP that was taken came from, and the last.
    public var source: Endpoint?
    public var lastSource: Endpoint?
    public var packetsSent: UInt64 = 0
    public var bytesSent: UInt64 = 0
    public var packetsReceived: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    /// RFC 3550 A.3: expected less received.
    public var lost: Int64 = 0
    /// RFC 3550 A.8, milliseconds.
    public var jitter: Double = 0
    /// Frames that had to be invented because theirs was not there in time.
    public var concealed: UInt64 = 0
    /// Datagrams on the call's ports that were not taken: no RTP, wrong payload type, SRTP failed, flood.
    public var refused: UInt64 = 0
    /// What the other side reports of our audio (RFC 3550 6.4.1), the last: percent lost, jitter in milliseconds.
    public var theirLossPercent: Double?
    public var theirJitter: Double?
    /// RFC 3550 6.4.1, milliseconds.
    public var roundTrip: Double?
    /// Digits received.
    public var digits = ""
    /// The mean opinion score that the E-model predicts for what we heard; nil where nothing came.
    public var meanOpinionScore: Double?
    /// The last second heard, at `heardRate` Hz.
    public var heard: [Int16] = []
    public var heardRate = 8000

    public init(id: PhoneCallID, remote: String, startedAt: Instant, endedAt: Instant, end: CallEnd) {
        self.id = id
        self.remote = remote
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.end = end
    }

    public var wasAnswered: Bool { answeredAt != nil }
    /// Answered, and ended by somebody's wish.
    public var isSuccess: Bool {
        guard wasAnswered else { return false }
        switch end {
        case .hungUp, .hungUpByPeer, .replaced: return true
        case .cancelled, .cancelledByPeer, .refused, .noAnswer, .unreachable, .unresolvable, .lost, .incompatible, .impossible:
            return false
        }
    }

    public var talkTime: Duration { answeredAt.map { endedAt - $0 } ?? .zero }

    /// Lost packets in percent of those expected.
    public var lossPercent: Double {
        let expected = Double(packetsReceived) + Double(max(0, lost))
        return expected > 0 ? 100 * Double(max(0, lost)) / expected : 0
    }

    /// One sentence on the audio: who said what, where it came from, how well.
    public var mediaText: String {
        guard let signalled else { return "no audio was agreed" }
        var text = "SDP said \(signalled), "
        if let source {
            text += source == signalled ? "RTP came from there" : "RTP came from \(source)"
            if let lastSource, lastSource != source { text += ", later from \(lastSource)" }
            text += "; \(packetsReceived) packets received, \(Self.tenths(lossPercent)) % lost, \(Self.tenths(jitter)) ms jitter"
        } else {
            text += "but no RTP ever came"
        }
        return text + "; \(packetsSent) packets sent"
    }

    static func tenths(_ value: Double) -> String {
        let scaled = Int64((value * 10).rounded())
        return "\(scaled / 10).\(scaled % 10)"
    }
}
