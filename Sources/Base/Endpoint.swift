/// An address and a port.
public struct Endpoint: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var address: IPAddress
    public var port: UInt16

    @inlinable
    public init(_ address: IPAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    /// `192.0.2.1:5060` or `[2001:db8::1]:5060`; nil if `text` is anything else.
    public init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard let v6 = IPv6Address(host) else { return nil }
            address = .v6(v6)
        } else {
            guard let v4 = IPv4Address(host) else { return nil }
            address = .v4(v4)
        }
        self.port = port
    }

    public static func < (a: Endpoint, b: Endpoint) -> Bool { (a.address, a.port) < (b.address, b.port) }

    public var description: String { "\(address.uriHost):\(port)" }
}

/// One UDP payload on its way.
public struct Datagram: Hashable, Sendable {
    public var source: Endpoint
    public var destination: Endpoint
    public var payload: [UInt8]

    public init(from source: Endpoint, to destination: Endpoint, _ payload: [UInt8]) {
        self.source = source
        self.destination = destination
        self.payload = payload
    }
}

/// What carries SIP (RFC 3261 18, RFC 7118).
public enum SIPTransport: UInt8, Hashable, Sendable, CaseIterable {
    case udp, tcp, tls, ws, wss

    /// As it stands in Via: upper case.
    public var viaToken: String {
        switch self {
        case .udp: "UDP"
        case .tcp: "TCP"
        case .tls: "TLS"
        case .ws: "WS"
        case .wss: "WSS"
        }
    }

    /// Streams deliver in order and once; their transactions do not retransmit (RFC 3261 17).
    public var isReliable: Bool { self != .udp }

    public var isSecure: Bool { self == .tls || self == .wss }

    /// 5060, or 5061 over TLS; 80 and 443 for WebSocket (RFC 3261 19.1.2, RFC 7118 5.2).
    public var defaultPort: UInt16 {
        switch self {
        case .udp, .tcp: 5060
        case .tls: 5061
        case .ws: 80
        case .wss: 443
        }
    }
}

/// A bidirectional path between us and one peer: for UDP the pair of endpoints, for a stream one connection (RFC 5626 1.2).
///
/// Requests and responses towards a peer that reached us over a flow leave over that flow, from the very address that received.
public struct FlowID: Hashable, Sendable, CustomStringConvertible {
    public var transport: SIPTransport
    public var local: Endpoint
    public var remote: Endpoint
    /// Which connection, counted by the edge that owns it; 0 for UDP. Two connections between equal endpoints differ here.
    public var connection: UInt64

    public init(_ transport: SIPTransport, local: Endpoint, remote: Endpoint, connection: UInt64 = 0) {
        self.transport = transport
        self.local = local
        self.remote = remote
        self.connection = connection
    }

    public var description: String { "\(transport.viaToken) \(local) <-> \(remote)" }
}
