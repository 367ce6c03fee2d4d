import Base
import RTP
import SDP
import SIP
import SIPStack

/// One call as the phone keeps it. Its audio lies beside it, in the agent's table.
struct Call: Sendable {
    /// An INVITE of ours on its way.
    struct Inviting: Sendable {
        struct EarlyDialog: Sendable {
            var dialog: Dialog
            var provisionals = ProvisionalSequence()
        }

        enum Cancelling: Sendable {
            case no
            /// As soon as a provisional response shows that the INVITE has arrived (RFC 3261 9.1).
            case wanted
            case sent(until: Instant)
        }

        var request: SIPMessage
        var transaction: ClientTransactionID
        var sequence: UInt32
        /// By To tag; a forked INVITE makes several.
        var early: [SIPText: EarlyDialog] = [:]
        var cancelling = Cancelling.no
        var wasHeard = false
        var giveUpAt: Instant
    }

    /// Their INVITE, which we have not answered for good.
    struct Ringing: Sendable {
        var request: SIPMessage
        var transaction: ServerTransactionID
        var flow: FlowID
        var dialog: Dialog
        /// nil: they want us to offer.
        var offer: SessionDescription?
        var provisionals: ReliableProvisionals
        var usesReliable: Bool
        var answerAt: Instant?
        var giveUpAt: Instant
        /// `.answer` came, but the mapped address of the audio port or a PRACK is still waited for.
        var wantsAnswer = false
        /// 183 with SDP is due once the address is known.
        var wantsEarlyMedia: Bool
        /// What an earlier 183 said already; a 2xx repeats it.
        var given: [UInt8]?
        /// `given` was in a reliable response, so that the 2xx needs none.
        var isGivenReliably = false
        var replaces: PhoneCallID?
        /// A provisional response went out.
        var hasRung = false

        /// A provisional response waits for the address of the audio port.
        var owesProgress: Bool { wantsEarlyMedia || usesReliable && offer == nil && given == nil }
    }

    struct Confirmed: Sendable {
        /// A 2xx of ours that waits for its ACK.
        struct Unacknowledged: Sendable {
            var sequence: UInt32
            var repeater: AnswerRepeater
            var flow: FlowID
            /// The 2xx carried our offer; the ACK has to bring the answer.
            var awaitsAnswer: Bool
        }

        /// A re-INVITE or UPDATE of ours with an offer, on its way.
        struct Renegotiation: Sendable {
            var wantsHold: Bool
        }

        /// Our last ACK of a 2xx, for copies of that 2xx.
        struct Acknowledgement: Sendable {
            var sequence: UInt32
            var bytes: [UInt8]
        }

        var dialog: Dialog
        /// Our INVITE that made the dialog; nil where theirs did.
        var invitation: SIPMessage?
        var ack: Acknowledgement?
        var unacknowledged: Unacknowledged?
        var renegotiation: Renegotiation?
        /// 491 or a failed attempt: not before then.
        var retryAt: Instant?
        /// Hang up as soon as our 2xx is acknowledged or given up (RFC 3261 15).
        var byeWaits = false
    }

    enum State: Sendable {
        /// Ours: the target's address and the mapped address of the audio port are being asked for.
        case preparing
        case inviting(Inviting)
        case ringing(Ringing)
        case confirmed(Confirmed)
        /// Over for its owner; a BYE or REFER still waits for its answer.
        case closing(Dialog?)
        case gone
    }

    /// The mapped address of the audio port.
    enum Mapping: Sendable {
        /// No STUN server, or asked in vain.
        case none
        /// What has come in so far.
        case asking(until: Instant, rtp: Endpoint?, rtcp: Endpoint?)
        case known(rtp: Endpoint, rtcp: Endpoint?)

        var isDone: Bool { if case .asking = self { false } else { true } }
    }

    /// Who asked us to make this call (RFC 3515), and in which dialog that is reported.
    struct Referral: Sendable {
        var by: PhoneCallID
        var event: SIPText
    }

    let id: PhoneCallID
    /// The other side's URI for people.
    var remote: String
    let startedAt: Instant
    var answeredAt: Instant?
    var state: State

    // Where to.
    var target: SIPText
    var callID: SIPText
    var localTag: SIPText
    var sequence: UInt32
    var flow: FlowID?
    /// Further addresses to try (RFC 3263 4.3).
    var targets: [Endpoint] = []
    /// It goes to our own server, which may ask for our password.
    var isHome = false
    var rounds = 0
    var redirections = 0
    var sessionExpires: UInt32?
    var minimumExpires: UInt32
    /// Extra headers of the INVITE.
    var extras: [(name: HeaderName, value: SIPText)] = []
    var lateOffer = false
    /// Whether requests carry credentials over the last nonce unasked: nil none, else whether a proxy wants them.
    var authorizesAsProxy: Bool?

    // Offer and answer.
    var session: CallSession
    var mapping = Mapping.none
    /// The STUN server was asked for this call, with whatever success.
    var wasMapped = false
    var mappingRefreshAt: Instant?
    /// Whom the mapped address was asked of.
    var stunServer: Endpoint?
    var heldByUs = false
    var heldByThem = false
    /// What the owner wants; differs from `heldByUs` until a re-INVITE has said so.
    var wantsHold = false
    /// Our address changed: the next re-INVITE is due whatever `wantsHold` says.
    var wantsReoffer = false

    /// What was agreed last, as the owner is told.
    var shown: CallMediaState?

    // Within the call.
    var timer: SessionTimer?
    var peerTakesUpdate = false
    var dtmf = ""
    var dtmfDelay = Duration.zero
    var dtmfAt: Instant?
    var duration: Duration?
    var hangUpAt: Instant?
    /// Digits that wait for their INFO.
    var infoDigits: [Character] = []
    var infoIsOut = false
    var referral: Referral?
    /// Our REFER is accepted, its outcome awaited.
    var isTransferring = false

    var isReported = false
    /// What the end will be called once CANCEL or BYE is through.
    var pendingEnd: CallEnd?

    var dialog: Dialog? {
        switch state {
        case .confirmed(let confirmed): confirmed.dialog
        case .ringing(let ringing): ringing.dialog
        case .closing(let dialog): dialog
        case .preparing, .inviting, .gone: nil
        }
    }

    func earlyDialog(_ tag: SIPText?) -> Dialog? {
        guard let tag, case .inviting(let inviting) = state else { return nil }
        return inviting.early[tag]?.dialog
    }

    var isAlive: Bool {
        switch state {
        case .preparing, .inviting, .ringing, .confirmed: !isReported
        case .closing, .gone: false
        }
    }

    var deadlines: [Instant?] {
        var result = [dtmfAt, hangUpAt, timer?.nextDeadline, mappingRefreshAt]
        if case .asking(let until, _, _) = mapping { result.append(until) }
        switch state {
        case .preparing, .closing, .gone: break
        case .inviting(let inviting):
            switch inviting.cancelling {
            case .no: result.append(inviting.giveUpAt)
            case .wanted: break
            case .sent(let until): result.append(until)
            }
        case .ringing(let ringing): result += [ringing.answerAt, ringing.giveUpAt, ringing.provisionals.nextDeadline]
        case .confirmed(let confirmed): result += [confirmed.unacknowledged?.repeater.nextDeadline, confirmed.retryAt]
        }
        return result
    }
}

/// The descriptions that went to and fro in one call (RFC 3264).
struct CallSession: Sendable {
    let number: UInt64
    var version: UInt64 = 0
    /// What we said last; a description that says the same keeps its version.
    var lastSaid: SessionDescription?
    /// An offer of ours that is not answered yet.
    var offer: (description: SessionDescription, stream: LocalStream)?
    var keys: [SRTPParameters.Suite: [UInt8]]
    /// Something is agreed.
    var isAgreed = false
}
