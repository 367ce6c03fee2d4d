import Base
import SIPStack

/// One REGISTER as the registration wants it; the node makes the message of it.
struct RegisterPlan: Hashable, Sendable {
    /// Also names the transaction: no two REGISTERs of a client share it.
    var cseq: UInt32
    var target: Endpoint
    var local: Endpoint
    var contact: Endpoint
    /// A former Contact to remove along the way; nil for none.
    var removes: Endpoint?
    /// What Via names as the sender.
    var sentBy: Endpoint
    var expires: UInt32
    var credentials: [ChallengeAnswer]
    var meaning: SIPMeaning
}

/// A challenge and how to answer it.
struct ChallengeAnswer: Hashable, Sendable {
    var challenge: DigestOffer
    /// 407 and Proxy-Authorization rather than 401 and Authorization.
    var isProxy: Bool

    var nonceText: String { printable(challenge.nonce, atMost: 64) }
}

/// What a final or provisional response to a REGISTER says, free of its syntax.
struct RegisterResponse: Hashable, Sendable {
    enum Verdict: Hashable, Sendable {
        case provisional
        case accepted(Acceptance)
        /// `challenges`: those that can be answered, in the order of the message; none where it can answer no one.
        case challenged([DigestOffer], isProxy: Bool)
        case tooBrief(minimum: UInt32?)
        case refused
    }

    struct Acceptance: Hashable, Sendable {
        /// What was granted to our Contact; nil where the registrar did not say.
        var expires: UInt32?
        /// Not one Contact is listed, neither ours nor another's.
        var listsNobody: Bool
        /// The registrar speaks RFC 5626: a new Contact replaces the former by itself.
        var isOutbound: Bool
        /// Flow-Timer in seconds (RFC 5626 10).
        var flowTimer: UInt32?
    }

    var code: Int
    var reason: String
    var verdict: Verdict
    /// From `received` and `rport` of our Via (RFC 3581).
    var seenAs: Endpoint?
    /// In seconds.
    var retryAfter: UInt32?
}

/// What a registration asks the node to do, one fact each.
enum RegistrationAction: Hashable, Sendable {
    case resolve
    case register(RegisterPlan)
    /// No answer to that REGISTER matters any more.
    case abandon(cseq: UInt32)
    case askSTUN
    case keepalive(RegistrationSettings.Keepalive, target: Endpoint)
    case stopKeepalive
    case decided(RegistrationTrace.Decision)
    /// What the response just fed in meant.
    case status(RegistrationStatus)
    case stopped
}
