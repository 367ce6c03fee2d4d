import Base

/// What one SIP message meant to a user agent that registers, in the moment it crossed the socket.
public enum SIPMeaning: Hashable, Sendable {
    // Sent.
    case registersWithoutCredentials(cseq: UInt32, RegisterCause)
    /// Credentials over a nonce of an earlier success, sent unasked (RFC 7616 3.6).
    case registersWithKnownNonce(cseq: UInt32, nonce: String, RegisterCause)
    /// `number`: which of the challenges of this attempt, counted from 1; `of`: how many have arrived.
    case answersChallenge(cseq: UInt32, number: Int, of: Int, nonce: String)
    case deregisters(cseq: UInt32, nonce: String?)
    case keepaliveOptions(cseq: UInt32)
    case retransmits(method: String, cseq: UInt32)
    case answers(code: Int, method: String)
    /// A request of a call; `again` where an answer made it necessary to send it anew.
    case callRequest(method: String, cseq: UInt32, again: Bool)

    // Received.
    case challenge(cseq: UInt32, number: Int, nonce: String)
    /// `stale=true`: the digest was right, the nonce too old.
    case staleChallenge(cseq: UInt32, number: Int, nonce: String)
    /// A challenge after credentials over the newest nonce, without `stale`.
    case credentialsRefused(cseq: UInt32)
    /// The seed's behaviour answers one challenge an attempt: this is a later one.
    case challengeIgnored(cseq: UInt32, number: Int, nonce: String)
    /// A challenge nothing can be answered to.
    case challengeUnsupported(cseq: UInt32)
    case registered(cseq: UInt32, expires: UInt32, seenAs: Endpoint?)
    case deregistered(cseq: UInt32)
    case tooBrief(cseq: UInt32, minimum: UInt32?)
    case refused(cseq: UInt32, code: Int, retryAfter: UInt32?)
    case provisional(cseq: UInt32, code: Int)
    case keepaliveAnswered(code: Int, seenAs: Endpoint?)
    /// A response that belongs to no request of ours that still waits: late, repeated or forged.
    case strayResponse(code: Int)
    case callResponse(code: Int, method: String)
    case request(method: String)
    case repeatedRequest(method: String)
    case malformed(reason: String)
}
