import Base
import Registrar
import SIP
import SIPStack

/// What the server noticed, one fact each, in the order it happened; `explanation` is the line a person reads.
public enum ServerTrace: Sendable {
    /// A message as it arrived, before anything was decided.
    case received(FlowID, SIPMessage, meaning: Meaning)
    /// A message as it left.
    case sent(FlowID, SIPMessage, meaning: Meaning)
    /// A REGISTER without credentials, or with unusable ones, was answered 401.
    case challenged(Challenged)
    case authentication(Authentication)
    case bound(AddressOfRecord, Binding, BindingEvent)
    case unbound(AddressOfRecord, Binding, UnbindingReason)
    /// The phone stopped answering over its flow; the binding stays until it expires but nothing is sent to it.
    case flowDead(AddressOfRecord, Binding, unanswered: Int)
    /// It answers again.
    case flowRevived(AddressOfRecord, Binding)
    case keepalive(AddressOfRecord, FlowID, KeepaliveEvent)
    case probed(AddressOfRecord, ProbeOutcome)
    /// A request was refused with a status other than a challenge.
    case refused(FlowID, status: Int, Refusal)
    /// A message was thrown away without an answer. `error` says what and where for malformed ones.
    case dropped(FlowID, DropReason, error: SIPParseError?)
    /// Nothing can be stored. `requests` waited for it and are answered all the same, for a short time.
    case commitFailed(reason: String, requests: Int)
    /// It can again.
    case storageWorks
    case restored(bindings: Int, unreachable: Int, refused: Int)
    /// A STUN request was answered on the SIP port.
    case stunAnswered(FlowID)
    case notice(Notice)
    case call(CallTrace)

    /// What a message is for, as far as the server can tell.
    public enum Meaning: Hashable, Sendable {
        case request(SIPMethod)
        case registerWithoutCredentials(attempt: Int)
        /// Which of the challenges outstanding on its Call-ID it answers, and what became of it.
        case answers(ChallengePlace, DigestVerdict)
        /// Credentials over a nonce that is none of those remembered for its Call-ID: reused, or of an earlier life.
        case credentials(DigestVerdict)
        /// Credentials of another request than REGISTER, whose challenges are not remembered.
        case signed(DigestVerdict)
        case retransmission
        case response(status: Int)
        case challenge(ordinal: Int)
        case staleChallenge(ordinal: Int)
        case registered(bindings: Int)
        case refusal(status: Int)
        case keepalive
        case keepaliveAnswer
        case probe
        case probeAnswer
    }

    public struct Challenged: Hashable, Sendable {
        public var flow: FlowID
        public var callID: SIPText
        public var cseq: UInt32
        public var nonce: SIPText
        /// How many challenges, this one included, the Call-ID has outstanding.
        public var outstanding: Int
        public var isStale: Bool
    }

    /// Credentials were judged.
    public struct Authentication: Hashable, Sendable {
        /// Why credentials are a wrong password beyond doubt.
        public enum Failure: Hashable, Sendable {
            /// The account is there.
            case wrongPassword
            case unknownUser
        }

        public var flow: FlowID
        /// As sent; empty where it cannot be read.
        public var username: SIPText
        /// The From header, by which chan_sip names the peer in its log.
        public var from: SIPText
        public var callID: SIPText
        public var cseq: UInt32
        public var nonce: SIPText
        /// Which of the challenges outstanding on its Call-ID was answered, and of how many; nil where it is none that is remembered.
        public var challenge: ChallengePlace?
        public var verdict: DigestVerdict
        /// A wrong digest over a good nonce that was issued to where it came from: neither a challenge nor staleness nor a forged source, so that
        /// whoever is there may be locked out for it. nil: it is none of that.
        public var failure: Failure?
        /// Whether the server follows chan_sip's rules, and speaks in its words.
        public var isChanSIP: Bool
    }

    /// `index` of `count` outstanding challenges, from 1, the oldest first.
    public struct ChallengePlace: Hashable, Sendable {
        public var index: Int
        public var count: Int
    }

    public typealias BindingEvent = Registrar.BindingEvent
    public typealias UnbindingReason = Registrar.UnbindingReason
    public typealias KeepaliveEvent = Registrar.KeepaliveEvent

    /// Why a request was refused.
    public enum Refusal: Error, Hashable, Sendable {
        case malformed(SIPParseError)
        case tooLarge(bytes: Int)
        case version
        case scheme
        case maxForwards
        case loop
        case merged
        case extensions([SIPText])
        case method(SIPMethod)
        case encoding
        case foreignDomain(SIPText)
        case notTheirs(AddressOfRecord, username: SIPText)
        case unknownAOR
        case nobodyRegistered
        /// A `sips:` URI is asked for, and nobody is registered there over TLS.
        case onlyInClear
        /// A `sips:` URI is asked for over a way that is not encrypted.
        case askedInClear
        case noCallsYet
        case wildcard
        case badContact
        case outOfOrder(had: UInt32, got: UInt32)
        case tooBrief(requested: UInt32, shortest: UInt32)
        case tooManyContacts(Int)
        case tablesFull
        case manyFlows
        case firstHopLacksOutbound
        case noTransaction
        /// No call or subscription of ours has this dialog.
        case noDialog
        /// The dialog is there, and whoever asks is not the party of it.
        case notOfItsDialog(AddressOfRecord)
        /// A ringing call that whoever asks may not pick up.
        case notInPickupGroup(AddressOfRecord)
        case tooManyCalls(of: AddressOfRecord)
        case session(SessionRefusal)
        /// Session-Expires in seconds: less than we bear (RFC 4028).
        case sessionTooSmall(UInt32)
        /// Another change of the session is under way.
        case glare
        /// The other phone refused what was passed on.
        case declinedThere(Int)
        /// The other phone did not answer.
        case noAnswer
        case event(SIPText)
        /// REFER is taken inside calls only.
        case outsideCalls
        case badReferTo
        case badReplaces
        /// The server is about to stop.
        case draining
        case credentials
        /// Too many wrong passwords came before: these were not looked at.
        case guessing
    }

    /// Something worth knowing that stopped nothing.
    public enum Notice: Hashable, Sendable {
        /// What the way did to this phone, told when it changes.
        case path(AddressOfRecord, PathVerdict, FlowID)
        /// A Contact that names another address than its REGISTER came from, with NAT handling off: it has answered, or did not.
        case contactElsewhere(AddressOfRecord, Binding, isProved: Bool)
        /// A Call-ID came from several ports in turn: (when, port).
        case portJumps(callID: SIPText, [PortSeen])
        /// A reply larger than fits one packet without fragmentation went out over UDP.
        case largeReply(FlowID, bytes: Int)
        case tableFull(String)
        /// So many wrong passwords of one account came, from sources that never proved it, that guesses from such are refused for now.
        case guessed(username: SIPText, from: FlowID)
        /// The phone's connection is gone, and a new one is opened to its Contact.
        case opens(AddressOfRecord, Endpoint)
    }

    public struct PortSeen: Hashable, Sendable {
        public var at: Instant
        public var endpoint: Endpoint

        public init(at: Instant, endpoint: Endpoint) {
            self.at = at
            self.endpoint = endpoint
        }
    }
}
