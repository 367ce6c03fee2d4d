public import Base

/// Names one expectation; never reused.
public struct ExpectationID: Hashable, Sendable {
    package var number: UInt64

    package init(_ number: UInt64) { self.number = number }
}

/// A pinhole: packets that may come in before anything went out, because a message inside a flow announced them.
///
/// The first packet that fits makes an ordinary mapping. A permanent one stays for further remotes; others have then done their work.
public struct Expectation: Hashable, Sendable {
    public var proto: NATProtocol
    public var from: ExpectedRemote
    /// Where it is expected: an external address of the NAT and a port that is reserved or free.
    public var external: Endpoint
    /// Where it goes.
    public var `internal`: Endpoint
    public var expires: Instant
    public var isPermanent: Bool
    public var purpose: ExpectationPurpose
    /// Packets from `internal` that have no mapping yet leave from `external` too.
    public var appliesOutbound: Bool
    /// Whoever owns it, to flush by: the call or flow, as the caller counts them.
    public var owner: UInt64

    public init(
        _ proto: NATProtocol, from: ExpectedRemote, to external: Endpoint, for internal: Endpoint, expires: Instant,
        isPermanent: Bool = false, purpose: ExpectationPurpose, appliesOutbound: Bool = true, owner: UInt64 = 0
    ) {
        self.proto = proto
        self.from = from
        self.external = external
        self.internal = `internal`
        self.expires = expires
        self.isPermanent = isPermanent
        self.purpose = purpose
        self.appliesOutbound = appliesOutbound
        self.owner = owner
    }
}

/// Who may use a pinhole.
public enum ExpectedRemote: Hashable, Sendable {
    case any
    case address(IPAddress)
    case endpoint(Endpoint)
}

/// What a pinhole is for; one class can be flushed apart from the other.
public enum ExpectationPurpose: UInt8, Hashable, Sendable {
    case signalling, media
}

public enum ExpectationEnd: Hashable, Sendable {
    case met, expired, cancelled
}

/// Why an expectation was not taken.
public enum ExpectationRefusal: Error, Hashable, Sendable {
    case limit
    /// Not one of the NAT's external addresses, or an address that is not IPv4.
    case notOurAddress
    /// Another internal endpoint's mapping or expectation holds the external endpoint.
    case portTaken
    case alreadyExpired
}
