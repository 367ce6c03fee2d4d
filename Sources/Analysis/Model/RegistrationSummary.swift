import Base

/// One AOR's registering as one vantage saw it: challenges, answers, mappings and keepalives in time order.
public struct RegistrationSummary: Sendable {
    /// One challenge and what became of it.
    public struct Challenge: Hashable, Sendable {
        public var nonce: String
        public var place: EvidencePlace
        public var time: Instant?
        /// Of the request that was challenged.
        public var sequence: UInt32
        /// Where the challenge went.
        public var sentTo: Endpoint?
        public var isStale: Bool
        public var answers: [Answer]
        /// How many other unanswered challenges were outstanding when this one was sent, itself included.
        public var outstanding: Int
    }

    /// A request with credentials and how the server took it.
    public struct Answer: Hashable, Sendable {
        public var place: EvidencePlace
        public var time: Instant?
        public var sequence: UInt32
        public var source: Endpoint?
        /// The nonce was not the newest one sent.
        public var isSuperseded: Bool
        /// Nil where no response was seen.
        public var status: Int?
    }

    /// Where the client was seen to come from.
    public struct Mapping: Hashable, Sendable {
        public var client: Endpoint
        public var first: Instant?
        public var last: Instant?
        /// Of the message that showed it first.
        public var place: EvidencePlace
        public var messages: Int
    }

    public var dialog: Int
    public var aor: String
    public var vantage: Vantage
    public var server: Endpoint?
    public var challenges: [Challenge]
    /// In the order of their appearance, one entry each time the client's endpoint changed.
    public var mappings: [Mapping]
    /// As granted by the last 200; nil where none was seen.
    public var grantedExpires: UInt32?
    /// The median gap between packets that keep the mapping alive, of either side; nil where there were fewer than three.
    public var keepaliveInterval: Duration?
    /// The mapping was seen to work after this much silence.
    public var mappingLivedAtLeast: Duration?
    /// The mapping was seen gone after this much silence.
    public var mappingGoneAfter: Duration?
}
