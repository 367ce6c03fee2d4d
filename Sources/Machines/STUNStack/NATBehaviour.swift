import Base
import STUN

/// Upon what a NAT lets its choice depend, as seen from outside (RFC 4787 4.1 and 5, RFC 5780 3).
public enum ObservedDependence: Hashable, Sendable, CaseIterable {
    case endpointIndependent
    case addressDependent
    case addressAndPortDependent
}

/// What happens to the source endpoint on the way to the server.
public enum ObservedMapping: Hashable, Sendable {
    /// The server sees our own endpoint.
    case noTranslation
    case translated(ObservedDependence)
}

/// How long a mapping lives without traffic from inside.
public struct ObservedLifetime: Hashable, Sendable {
    /// Was still alive after this silence.
    public var aliveAfter: Duration
    /// Was gone after this silence; nil: outlived the longest silence tried.
    public var goneAfter: Duration?

    public init(aliveAfter: Duration, goneAfter: Duration?) {
        self.aliveAfter = aliveAfter
        self.goneAfter = goneAfter
    }
}

/// Why a test says nothing.
public enum DiscoveryTrouble: Error, Hashable, Sendable {
    case notAsked
    /// The server's primary endpoint never answered: UDP is blocked, or there is no server.
    case noAnswer
    /// The server has no second address and port (no OTHER-ADDRESS).
    case noAlternate
    /// The first test passed, but the server's alternate endpoint never answers: it cannot be told from a blocked path.
    case alternateSilent
    case refused(STUNErrorCode)
    /// The server answered, but not as asked: no mapped address, or from an endpoint that CHANGE-REQUEST excluded.
    case wrongAnswer
    case unreachable
    /// Without translation there is nothing to hairpin and nothing to expire.
    case noTranslation
}

/// What `NATBehaviourDiscovery` found out.
public struct NATBehaviourReport: Hashable, Sendable {
    public typealias Finding<Value: Hashable & Sendable> = Result<Value, DiscoveryTrouble>

    /// Our first local endpoint as the server's primary endpoint sees it.
    public var reflexive: Endpoint?
    public var mapping: Finding<ObservedMapping> = .failure(.notAsked)
    public var filtering: Finding<ObservedDependence> = .failure(.notAsked)
    /// Whether a datagram to our own mapped endpoint comes back in.
    public var hairpinning: Finding<Bool> = .failure(.notAsked)
    public var lifetime: Finding<ObservedLifetime> = .failure(.notAsked)

    public init() {}
}
