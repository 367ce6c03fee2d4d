import Base

/// What is known of where a request shall go before DNS is asked (RFC 3263 4): the parts of a SIP URI that matter.
public struct SIPTargetQuery: Hashable, Sendable {
    /// The URI's `maddr` if it has one, otherwise its host: a name, or an address with or without brackets.
    public var host: String
    /// Nil where the URI has none.
    public var port: UInt16?
    /// The URI's `transport` parameter; nil where it has none.
    public var transport: SIPTransport?
    /// A `sips` URI.
    public var isSecure: Bool

    public init(host: String, port: UInt16? = nil, transport: SIPTransport? = nil, isSecure: Bool = false) {
        self.host = host
        self.port = port
        self.transport = transport
        self.isSecure = isSecure
    }
}

/// One place to try.
public struct SIPTarget: Hashable, Sendable, CustomStringConvertible {
    public var transport: SIPTransport
    public var endpoint: Endpoint
    /// The domain that was asked for, by which a certificate must name its holder (RFC 5922 4).
    public var domain: String

    public init(_ transport: SIPTransport, _ endpoint: Endpoint, domain: String) {
        self.transport = transport
        self.endpoint = endpoint
        self.domain = domain
    }

    public var description: String { "\(transport.viaToken) \(endpoint)" }
}

/// Why there is nowhere to go.
public enum SIPTargetFailure: Error, Hashable, Sendable {
    /// Neither a name nor an address.
    case badHost
    /// The URI wants a transport that is not spoken here, or `sips` over UDP.
    case transportNotSupported
    /// The domain says that it has no SIP service of a kind we speak.
    case serviceNotOffered
    /// The name exists, but has no address of a family we speak.
    case noAddress
    case nameError
    case lookUpFailed(DNSFailure)
    case tooMany
    case cancelled
}
