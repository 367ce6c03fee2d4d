import Base
import MediaControl
import RTP
import SDP
import SIP
import SIPStack

/// One side of a call: our dialog with one phone, and our ends of its media streams.
struct CallLeg: Sendable {
    enum State: Hashable, Sendable {
        /// Its INVITE is not answered for good.
        case inviting
        /// A 2xx was sent or received.
        case confirmed
        /// It is to be hung up as soon as the ACK of our 2xx is there (RFC 3261 15). `reason`: the Reason header of the BYE.
        case leaving(reason: String?)
        /// BYE, CANCEL or a refusal ended it.
        case ended
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
    let isCaller: Bool
    var party: CallParty
    var flow: FlowID
    /// Our tag as a number; hexadecimal in headers. Key of the tag table.
    var tag: UInt64
    var callID: SIPText
    /// Callee: what watchers know its ringing by, in place of its dialog's identifiers. 0: there is none.
    var pickUpID: UInt64 = 0
    var dialog: Dialog?
    /// Caller: its INVITE, until its final response.
    var invite: ServerRequest?
    /// Callee: the client transaction of its INVITE, as long as it has no final response.
    var client: ClientToken?
    /// CSeq of our latest INVITE to it, whose ACK repeats it.
    var inviteSequence: UInt32 = 0
    /// The ACKs of its 2xxs by CSeq, sent again whenever the 2xx comes again. None yet where it waits for an answer of the caller.
    private(set) var acks: [(sequence: UInt32, bytes: [UInt8])] = []
    /// A 2xx of ours that waits for its ACK.
    var answer: AnswerRepeater?
    /// CSeq of the INVITE that `answer` answers: that of its ACK.
    var answerSequence: UInt32 = 0
    var provisionals: ReliableProvisionals?
    /// Caller: it said `Require: 100rel`.
    var requiresReliability = false
    /// What to say once the reliable response before it is acknowledged.
    var heldProvisional: HeldProvisional?
    var seen = ProvisionalSequence()
    var timer: SessionTimer?
    /// Session-Expires of our latest INVITE or UPDATE, and the least the phone bears (422).
    var askedSession: UInt32 = 0
    var shortestSession: UInt32 = 0
    /// A refresh of ours that is a re-INVITE: until its answer another INVITE of the phone gets 491.
    var refreshing: ClientToken?
    /// Whether the phone listed UPDATE in Allow.
    var takesUpdate = false
    var session = Session()
    /// By the index of their `m=` line; nil for refused ones.
    var streams: [LegStream?] = []
    /// Callee: other flows of the same instance that were not tried yet.
    var alternates: [CallTarget] = []
    /// Callee: what its last flow came to, while it is looked up whether the next one stands.
    var lost: Int?
    /// Callee: why its INVITE could not be put together.
    var failure: CallTrace.Decline?
    /// Callee: Request-URI and Route of its INVITE.
    var contact: SIPText = SIPText()
    var path: SIPText = SIPText()
    /// Callee: the domain it knows us by.
    var domain = DialledDomain()
    /// Callee: the client transaction whose 2xx made it a party.
    var wonBy: ClientToken?
    /// Callee: a provisional response came.
    var hasRung = false
    /// Callee: the Contact of the binding that is rung.
    var binding: SIPText = SIPText()
    /// Whether what is offered to it is SRTP; nil: as its account and its transport have it.
    var securesMedia: Bool?
    /// Callee: it registered that it speaks ICE (RFC 5768).
    var speaksICE = false
    /// Callee: what it took of SRTP and plain RTP before; nil: not known.
    var insistsOnSRTP: Bool?
    /// Callee: it refused one of SRTP and plain RTP, and was asked again with the other.
    var triedBoth = false
    /// Callee: by which of the call's forwards it is rung, and the last digits of its History-Info index; nil: it was called.
    var forward: Int?
    var branch = 0
    /// Callee: Contacts of its 3xx that the caller may follow.
    var redirections: [SIPText] = []
    /// Callee: the final status it gave; 0 for none.
    var status = 0
    var warning: SIPText?
    /// Whether it ever took part in the conversation.
    var hasTalked = false

    /// Whether there is somebody to negotiate with.
    var takesPart: Bool { state == .inviting || state == .confirmed }

    struct HeldProvisional: Sendable {
        var status: Int
        var body: [UInt8]
    }

    /// The ACK of the 2xx of the INVITE with that CSeq; nil: it was not sent yet.
    func ack(_ sequence: UInt32) -> [UInt8]? { acks.first { $0.sequence == sequence }?.bytes }

    /// The last INVITE's and the one's before are kept: a copy of an older 2xx means nothing any more.
    mutating func keepACK(_ bytes: [UInt8], of sequence: UInt32) {
        acks.removeAll { $0.sequence == sequence }
        if acks.count > 1 { acks.removeFirst() }
        acks.append((sequence, bytes))
    }

    init(isCaller: Bool, party: CallParty, flow: FlowID, tag: UInt64, callID: SIPText) {
        self.isCaller = isCaller
        self.party = party
        self.flow = flow
        self.tag = tag
        self.callID = callID
    }

    var nextDeadline: Instant? {
        var next = answer?.nextDeadline
        for deadline in [provisionals?.nextDeadline, timer?.nextDeadline] {
            guard let deadline else { continue }
            next = next.map { min($0, deadline) } ?? deadline
        }
        return next
    }
}

extension CallLeg {
    /// Whether the phone's newest SDP has a stream there that is relayed.
    func isUsable(_ index: Int) -> Bool {
        guard let media = session.remote?.media, index < media.count else { return false }
        return !media[index].isRejected && !session.unusable.contains(index) && streams.element(index) != nil
    }
}

extension CallLeg {
    /// Its INVITE goes to this target.
    mutating func aim(at target: CallTarget) {
        contact = target.requestURI
        path = target.route
        binding = target.contact
        speaksICE = target.speaksICE
        domain = target.domain
        insistsOnSRTP = target.insistsOnSRTP
    }
}
