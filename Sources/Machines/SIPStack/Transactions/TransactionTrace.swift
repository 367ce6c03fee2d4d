import Base
import SIP

/// What a `TransactionLayer` noticed.
public enum TransactionTrace: Hashable, Sendable {
    /// A request or response sent again by a timer; how many times so far.
    case resentRequest(ClientTransactionID, FlowID)
    case resentResponse(ServerTransactionID, FlowID)
    /// A copy of a request that is being worked on or was answered.
    case absorbedRetransmission(ServerTransactionID, FlowID)
    /// The same, but from another source than before: a NAT moved its mapping meanwhile. Answers go to the new one.
    case retransmissionFromElsewhere(ServerTransactionID, was: FlowID, is: FlowID)
    /// A copy of a response that was taken already.
    case absorbedResponse(ClientTransactionID, status: Int)
    /// A response that belongs to no transaction of ours.
    case strayResponse(status: Int, FlowID)
    /// An ACK that belongs to no transaction of ours.
    case strayACK(FlowID)
    /// A message whose top Via or CSeq cannot be read: neither matched nor answered.
    case malformed(SIPParseError, FlowID)
    /// A copy of a request that came by another way: answered 482.
    case merged(FlowID)
    /// A new request found the table full: answered 503.
    case serverTableFull(FlowID)
    /// An answered request was forgotten before its time to make room; a late copy of it counts as new.
    case forgottenEarly(ServerTransactionID)
    /// A request of the user found the table full.
    case clientTableFull
    /// The user's response does not fit the transaction's state, or RFC 4320 forbids it.
    case responseRefused(ServerTransactionID, status: Int)
    /// A timer gave up.
    case timeout(ClientTransactionID)
    case unacknowledged(ServerTransactionID)
    case transportError(FlowID)
}

/// What a `TransactionLayer` has done, for statistics.
public struct TransactionCounts: Hashable, Sendable {
    public var clientsStarted: UInt64 = 0
    public var serversStarted: UInt64 = 0
    public var requestsResent: UInt64 = 0
    public var responsesResent: UInt64 = 0
    public var retransmissionsAbsorbed: UInt64 = 0
    public var responsesAbsorbed: UInt64 = 0
    public var strayResponses: UInt64 = 0
    public var strayACKs: UInt64 = 0
    public var malformed: UInt64 = 0
    public var merged: UInt64 = 0
    public var serversRefused: UInt64 = 0
    public var forgottenEarly: UInt64 = 0
    public var clientsRefused: UInt64 = 0
    public var responsesRefused: UInt64 = 0
    public var timeouts: UInt64 = 0
    public var unacknowledged: UInt64 = 0
    public var transportErrors: UInt64 = 0

    public init() {}
}
