public import Base
public import DNS

/// Whom a DNS forwarder asks, and what it knows itself.
public struct DNSForwarderSettings: Hashable, Sendable {
    /// Resolvers, in the order in which they are tried.
    public var upstreams: [Endpoint] = []
    /// Where questions leave from, by family; nil: none of that family.
    public var outsideV4: IPv4Address?
    public var outsideV6: IPv6Address?
    /// The local domain, never asked outside: `host` and `host.domain` are one.
    public var domain: DNSName
    /// Names in the local domain, by label, lower case, and what they stand for; the router's own among them.
    public var hosts: [String: [IPAddress]] = [:]
    /// Prefixes whose addresses have names here alone: no PTR question about them leaves.
    public var inside: [IPPrefix] = []
    public var limits = Limits()

    public struct Limits: Hashable, Sendable {
        public var questions = 1024
        public var perClient = 128
        /// How long one resolver has.
        public var patience: Duration = .seconds(2)
        /// How often in all a question is sent.
        public var tries = 4
        /// For answers from what the router knows, seconds.
        public var timeToLive: UInt32 = 60

        public init() {}
    }

    public init(domain: DNSName) { self.domain = domain }
}

/// Why a message was not acted on.
public enum DNSForwarderDrop: UInt8, Hashable, Sendable, CaseIterable {
    /// Not a question with one query (RFC 1035 4.1).
    case malformed
    /// An answer where questions come, or a question where answers come.
    case wrongWay
    /// Nobody asked that there, or it is not what was asked: late, or forged.
    case unasked
    /// Too many questions are open.
    case limit
}

/// What a DNS forwarder noticed.
public enum DNSForwarderTrace: Hashable, Sendable {
    case asked(DNSName, DNSRecordType, of: Endpoint)
    case answered(DNSName, DNSRecordType, by: Endpoint, after: Duration)
    /// From what the router knows itself.
    case answeredLocally(DNSName, DNSRecordType)
    /// The resolver did not answer; the next one is asked.
    case silent(Endpoint)
    /// Nobody answered: the client hears Server Failure.
    case failed(DNSName, DNSRecordType)
    case dropped(DNSForwarderDrop)
}

/// What a DNS forwarder has done.
public struct DNSForwarderCounters: Hashable, Sendable {
    public internal(set) var questions: UInt64 = 0
    public internal(set) var forwarded: UInt64 = 0
    public internal(set) var answered: UInt64 = 0
    public internal(set) var local: UInt64 = 0
    public internal(set) var failed: UInt64 = 0
    private var dropped: [UInt64] = Array(repeating: 0, count: DNSForwarderDrop.allCases.count)

    public internal(set) subscript(reason: DNSForwarderDrop) -> UInt64 {
        get { dropped[Int(reason.rawValue)] }
        set { dropped[Int(reason.rawValue)] = newValue }
    }
}
