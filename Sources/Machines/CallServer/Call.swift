import Base
import MediaControl
import SIP

/// One call through the server: a caller's leg and the legs of those it rings, or one leg and a service of ours.
struct Call: Sendable {
    enum Phase: Sendable {
        /// It is looked up whom to ring.
        ///
        /// `isTold`: the caller had his 100.
        case finding(isTold: Bool)
        /// Somebody is rung; nobody answered.
        case ringing(Ringing)
        /// Two legs talk.
        case talking(Int, Int)
        /// The one leg talks to a service.
        case served(MediaService)
        /// No dialog is left; only verdicts of media are awaited.
        case over(until: Instant)
    }

    struct Ringing: Sendable {
        /// No answer: 480.
        var until: Instant
        /// Timer C.
        var limit: Instant
        /// By which the caller wants an answer (RFC 3261 13.3.1): 487. nil: it does not say.
        var expires: Instant?
        /// The leg whose SDP the caller was given as early media.
        var early: Int?
        /// The highest provisional status given to the caller.
        var said = 0

        var deadline: Instant { min(until, limit, expires ?? .distantFuture) }
    }

    let key: UInt32
    let number: UInt64
    var phase: Phase
    var legs: [CallLeg]
    /// All its media is in this loop.
    var loop: Int
    /// Whether the SDPs pass untouched, and no port of ours is used.
    var isDirect = false
    /// Whether a `sips:` URI was asked for: no leg of it goes over a way that is not encrypted (RFC 3261 26.2.2).
    var isSecret = false
    /// Whether the caller's INVITE brought an offer.
    var hasOffer: Bool
    var exchange: CallExchange?
    var transfer: CallTransfer?
    /// Transfers there were.
    var transfers = 0
    /// A REFER whose target is looked up.
    var isReferring = false
    /// The forwards that phones asked for and that were followed.
    var forwards: [CallForward] = []
    /// Who forwarded to whom, in words.
    var forwarded: [String] = []
    /// The caller heard early media of another phone than the one that answered, in other codecs: both are to agree anew.
    var needsRound = false
    /// Digest user names that this call counts for.
    var accounts: [SIPText] = []
    /// Who is called, in words.
    var calledName: String
    /// The service it ended up with.
    var service: CallService?
    /// Max-Forwards of what we send on.
    var hops = 69
    var start: Instant
    var answered: Instant?
    var ended: Instant?
    var status = 0
    var reason = ""
    var codec = ""
    /// T.38 was agreed on.
    var hasFax = false
    /// Media of this call whose `.closed` is awaited.
    var openMedia = 0
    var verdicts: [Verdict] = []
    /// What the rest of the world was told about this call by the dialog package: 0 nothing, 1 early, 2 confirmed.
    var announced = 0
    /// Watchers are to hear of the call once it is put back.
    var isNews = false

    struct Verdict: Sendable {
        var leg: Int
        var stream: Int
        var id: MediaLegID
        var other: MediaLegID?
        var kind: String
        var signalled: Endpoint?
        /// Whether both sides' SDPs were known: what never was to flow did not fail.
        var isAgreed: Bool
        var verdict: MediaVerdict?
    }

    /// The leg on the other side of the conversation. While a transfer rings, the two still have each other.
    func other(_ leg: Int) -> Int? {
        switch phase {
        case .talking(let a, let b): return leg == a ? b : leg == b ? a : nil
        case .ringing:
            guard let transfer else { return nil }
            return leg == transfer.transferor ? transfer.transferee : leg == transfer.transferee ? transfer.transferor : nil
        case .finding, .served, .over: return nil
        }
    }

    /// Whether the caller still waits for an answer.
    var isEarly: Bool { if case .ringing = phase { transfer == nil } else { false } }

    /// The leg on the other side of a session that both agreed on before the answer. Others that ring are in none.
    func earlyOther(_ leg: Int) -> Int? {
        guard isEarly, case .ringing(let ringing) = phase, let early = ringing.early, legs[early].isInviting,
            legs[0].session.early != .none, legs[early].session.early != .none
        else { return nil }
        return leg == 0 ? early : leg == early ? 0 : nil
    }

    /// The leg on whose behalf phones are rung.
    var offerer: Int { transfer?.transferee ?? 0 }

    /// In words.
    var spokenCodec: String { hasFax ? codec.isEmpty ? "T.38 (fax)" : "\(codec), T.38 (fax)" : codec }

    var isOver: Bool { if case .over = phase { true } else { false } }

    var nextDeadline: Instant? {
        var next: Instant?
        func take(_ instant: Instant?) {
            guard let instant else { return }
            next = next.map { min($0, instant) } ?? instant
        }
        switch phase {
        case .ringing(let ringing): take(ringing.deadline)
        case .finding, .talking, .served: break
        case .over(let until): take(until)
        }
        for leg in legs where !leg.isEnded { take(leg.nextDeadline) }
        take(exchange?.deadline)
        take(transfer?.referral?.nextDeadline)
        return next
    }
}
