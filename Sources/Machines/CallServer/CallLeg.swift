import Base
import MediaControl
import RTP
import SDP
import SIP
import SIPStack

/// One side of a call: our dialog with one phone, and our ends of its media streams.
struct CallLeg: Sendable {
    enum State: Sendable {
        /// Its INVITE is not answered for good.
        case inviting
        /// A 2xx was sent or received.
        case confirmed(Confirmed)
        /// It is to be hung up as soon as the ACK of our 2xx is there (RFC 3261 15). `reason`: the Reason header of the BYE.
        case leaving(reason: String?, AnswerRepeater)
        /// BYE, CANCEL or a refusal ended it.
        case ended
    }

    /// A dialog that stands.
    struct Confirmed: Sendable {
        /// A 2xx of ours that waits for its ACK.
        var answer: AnswerRepeater?
        var timer: SessionTimer?
        /// A refresh of ours that is a re-INVITE: until its answer another INVITE of the phone gets 491.
        var refreshing: ClientToken?
    }

    /// Who asked whom.
    enum Role: Sendable {
        case caller(Caller)
        case callee(Callee)
    }

    /// A phone that called, and how it is told of progress (RFC 3262 3).
    struct Caller: Sendable {
        /// Its INVITE, until its final response.
        var invite: ServerRequest?
        /// nil: it takes no reliable ones. A PRACK may come after the 2xx.
        var provisionals: ReliableProvisionals?
        /// It said `Require: 100rel`.
        var requiresReliability = false
        /// What to say once the reliable response before it is acknowledged.
        var held: HeldProvisional?
    }

    struct HeldProvisional: Sendable {
        var status: Int
        var body: [UInt8]
    }

    /// A phone that is called.
    struct Callee: Sendable {
        /// What became of our INVITE.
        enum Invite: Sendable {
            /// It could not be put together.
            case unsent(CallTrace.Decline)
            /// It is under way.
            case asked(ClientToken)
            /// Its flow was at fault, with that status; whether the instance's next one stands is looked up.
            case lost(status: Int)
            /// Its 2xx made it a party.
            case won(ClientToken)
            case refused(Refusal)
            /// Nobody wants its answer any more.
            case withdrawn
        }

        struct Refusal: Sendable {
            var status: Int
            var warning: SIPText?
            /// Contacts of a 3xx that the caller may follow.
            var redirections: [SIPText] = []
        }

        var invite = Invite.withdrawn
        /// Where it is rung.
        var target: CallTarget
        /// Other flows of the same instance that were not tried yet.
        var alternates: [CallTarget]
        /// What watchers know its ringing by, in place of its dialog's identifiers.
        let pickUpID: UInt64
        /// By which of the call's forwards it is rung, and the last digits of its History-Info index; nil: it was called.
        let forward: Int?
        let branch: Int
        var seen = ProvisionalSequence()
        /// A provisional response came.
        var hasRung = false
        /// Whether what is offered to it is SRTP.
        var securesMedia = false
        /// It refused one of SRTP and plain RTP, and was asked again with the other.
        var triedBoth = false
    }

    /// How far offer and answer of its INVITE are before the 2xx.
    enum EarlyAgreement: Sendable {
        /// No answer in a reliable provisional response that was acknowledged.
        case none
        /// It was: an UPDATE may change the session (RFC 3311 5.1).
        case agreed
        /// An UPDATE did: what the INVITE's 2xx says of it is of no account (RFC 3261 13.2.1).
        case changed
    }

    /// What is remembered of the SDPs of this leg.
    struct Session: Sendable {
        /// Session id of our o= line, and its version.
        var id: UInt64 = 0
        var version: UInt64 = 0
        /// The body we sent last.
        var local: [UInt8] = []
        /// The body the phone sent last.
        var remoteBody: [UInt8] = []
        var remote: SessionDescription?
        /// `m=` lines of `remote` that cannot be relayed.
        var unusable: Set<Int> = []
        var early = EarlyAgreement.none
    }

    var state: State = .inviting
    var role: Role
    var party: CallParty
    var flow: FlowID
    /// Our tag as a number; hexadecimal in headers. Key of the tag table.
    var tag: UInt64
    var callID: SIPText
    var dialog: Dialog?
    /// CSeq of our latest INVITE to it, whose ACK repeats it.
    var inviteSequence: UInt32 = 0
    /// The ACKs of its 2xxs by CSeq, sent again whenever the 2xx comes again. None yet where it waits for an answer of the caller.
    private(set) var acks: [(sequence: UInt32, bytes: [UInt8])] = []
    /// CSeq of its latest INVITE that we accepted: that of the ACK.
    var answerSequence: UInt32 = 0
    /// Session-Expires of our latest INVITE or UPDATE, and the least the phone bears (422).
    var askedSession: UInt32 = 0
    var shortestSession: UInt32 = 0
    /// Whether the phone listed UPDATE in Allow.
    var takesUpdate = false
    var session = Session()
    /// By the index of their `m=` line; nil for refused ones.
    var streams: [LegStream?] = []
    /// Whether it ever took part in the conversation.
    var hasTalked = false

    init(_ role: Role, party: CallParty, flow: FlowID, tag: UInt64, callID: SIPText) {
        self.role = role
        self.party = party
        self.flow = flow
        self.tag = tag
        self.callID = callID
    }

    /// The ACK of the 2xx of the INVITE with that CSeq; nil: it was not sent yet.
    func ack(_ sequence: UInt32) -> [UInt8]? { acks.first { $0.sequence == sequence }?.bytes }

    /// The last INVITE's and the one's before are kept: a copy of an older 2xx means nothing any more.
    mutating func keepACK(_ bytes: [UInt8], of sequence: UInt32) {
        acks.removeAll { $0.sequence == sequence }
        if acks.count > 1 { acks.removeFirst() }
        acks.append((sequence, bytes))
    }

    var nextDeadline: Instant? {
        var next: Instant?
        for deadline in [answer?.nextDeadline, caller?.provisionals?.nextDeadline, confirmed?.timer?.nextDeadline] {
            guard let deadline else { continue }
            next = next.map { min($0, deadline) } ?? deadline
        }
        return next
    }
}

// MARK: What it is in now

extension CallLeg {
    var isCaller: Bool { if case .caller = role { true } else { false } }
    var isInviting: Bool { if case .inviting = state { true } else { false } }
    var isConfirmed: Bool { if case .confirmed = state { true } else { false } }
    var isEnded: Bool { if case .ended = state { true } else { false } }
    /// Whether there is somebody to negotiate with.
    var takesPart: Bool { isInviting || isConfirmed }

    /// nil: it is a callee's.
    var caller: Caller? {
        get { if case .caller(let caller) = role { caller } else { nil } }
        _modify {
            var caller = self.caller
            let isCaller = caller != nil
            if isCaller { role = .caller(Caller()) }
            yield &caller
            if isCaller, let caller { role = .caller(caller) }
        }
    }

    /// Its INVITE that waits for its final response.
    var invite: ServerRequest? { caller?.invite }

    /// nil: it is the caller's.
    var callee: Callee? {
        get { if case .callee(let callee) = role { callee } else { nil } }
        _modify {
            var callee = self.callee
            let isCallee = callee != nil
            if isCallee { role = .caller(Caller()) }
            yield &callee
            if isCallee, let callee { role = .callee(callee) }
        }
    }

    /// nil: its dialog does not stand, or not any more.
    var confirmed: Confirmed? {
        get { if case .confirmed(let confirmed) = state { confirmed } else { nil } }
        _modify {
            var confirmed = self.confirmed
            let isConfirmed = confirmed != nil
            if isConfirmed { state = .inviting }
            yield &confirmed
            if isConfirmed, let confirmed { state = .confirmed(confirmed) }
        }
    }

    /// A 2xx of ours that waits for its ACK, or had it.
    var answer: AnswerRepeater? {
        switch state {
        case .confirmed(let confirmed): confirmed.answer
        case .leaving(_, let answer): answer
        case .inviting, .ended: nil
        }
    }

    /// Whether a 2xx of ours waits for its ACK.
    var awaitsACK: Bool { answer?.isOver == false }

    /// Its ACK came.
    mutating func acknowledge() {
        switch state {
        case .confirmed: confirmed?.answer?.acknowledge()
        case .leaving(let reason, var answer):
            answer.acknowledge()
            state = .leaving(reason: reason, answer)
        case .inviting, .ended: break
        }
    }

    /// What its 2xx that waits for an ACK needs now.
    mutating func advanceAnswer(to now: Instant) -> AnswerRepeater.Action? {
        switch state {
        case .confirmed: return confirmed?.answer?.advance(to: now)
        case .leaving(let reason, var answer):
            let action = answer.advance(to: now)
            state = .leaving(reason: reason, answer)
            return action
        case .inviting, .ended: return nil
        }
    }

    /// The request whose answer decides about it.
    var client: ClientToken? { if case .asked(let token)? = callee?.invite { token } else { nil } }

    /// Whether that INVITE of ours is the one that counts: no newer one was sent.
    func isAwaited(_ token: ClientToken) -> Bool {
        switch callee?.invite {
        case .asked(token), .won(token): true
        default: false
        }
    }

    /// Why its INVITE could not be put together; nil: it could.
    var failure: CallTrace.Decline? { if case .unsent(let why)? = callee?.invite { why } else { nil } }

    /// Why it refused; nil: it did not.
    var refusal: Callee.Refusal? { if case .refused(let refusal)? = callee?.invite { refusal } else { nil } }
}

extension CallLeg {
    /// Whether the phone's newest SDP has a stream there that is relayed.
    func isUsable(_ index: Int) -> Bool {
        guard let media = session.remote?.media, index < media.count else { return false }
        return !media[index].isRejected && !session.unusable.contains(index) && streams.element(index) != nil
    }
}
