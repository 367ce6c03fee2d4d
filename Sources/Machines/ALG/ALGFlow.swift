import Base

/// One translated path between an inside host and a peer: what a connection-tracking table holds for it.
public struct ALGFlow: Hashable, Sendable, CustomStringConvertible {
    /// `.udp` or `.tcp`.
    public var transport: SIPTransport
    /// The inside host's own endpoint.
    public var inside: Endpoint
    /// How the peer sees it.
    public var mapped: Endpoint
    public var remote: Endpoint

    public init(_ transport: SIPTransport, inside: Endpoint, mapped: Endpoint, remote: Endpoint) {
        self.transport = transport
        self.inside = inside
        self.mapped = mapped
        self.remote = remote
    }

    /// False where nothing is translated, and so nothing is rewritten.
    public var isTranslated: Bool { inside != mapped }

    public var description: String { "\(transport.viaToken) \(inside) as \(mapped) <-> \(remote)" }
}

/// Which way a packet crosses the router.
public enum ALGDirection: Hashable, Sendable {
    case outbound, inbound
}

/// A packet's endpoints on the side it comes from and on the side it leaves to.
struct ALGCrossing: Hashable, Sendable {
    var sourceBefore: Endpoint
    var destinationBefore: Endpoint
    var sourceAfter: Endpoint
    var destinationAfter: Endpoint

    init(_ flow: ALGFlow, _ direction: ALGDirection) {
        switch direction {
        case .outbound:
            sourceBefore = flow.inside
            sourceAfter = flow.mapped
            destinationBefore = flow.remote
            destinationAfter = flow.remote
        case .inbound:
            sourceBefore = flow.remote
            sourceAfter = flow.remote
            destinationBefore = flow.mapped
            destinationAfter = flow.inside
        }
    }
}
