import Base
import SIP

/// A server as a person writes it: a name or address, a port if one was given, a transport if one was asked for.
public struct ServerAddress: Hashable, Sendable {
    public var host: String
    /// nil leaves it to the look-up (RFC 3263).
    public var port: UInt16?
    public var transport: SIPTransport?

    /// The address where the host is one.
    public var literal: IPAddress? { IPAddress(host) }

    /// As it stands in a URI: brackets around an IPv6 address.
    public var uriHost: String { literal?.uriHost ?? host }

    public var uriHostPort: String { uriHost + (port.map { ":\($0)" } ?? "") }

    /// `example.net`, `example.net:5070`, an address, `[v6]:port`, or a `sip:` URI; nil for anything else.
    public init?(_ text: String) {
        if text.utf8.starts(with: "sip:".utf8) || text.utf8.starts(with: "sips:".utf8) {
            guard let uri = try? SIPURI(parsing: SIPText(text)) else { return nil }
            self.init(uri)
        } else if let address = IPAddress(text) {
            self.init(host: address.description)
        } else {
            guard let uri = try? SIPURI(parsing: SIPText("sip:\(text)")), uri.user == nil else { return nil }
            self.init(uri)
        }
    }

    private init(host: String) { self.host = host }

    /// nil where its port is 0 or its transport unknown.
    public init?(_ uri: SIPURI) {
        guard uri.port != 0 else { return nil }
        switch uri.host {
        case .ipv4(let v4): self.init(host: v4.description)
        case .ipv6(let v6): self.init(host: v6.description)
        case .name(let name): self.init(host: name.string)
        }
        port = uri.port
        if uri.transport != nil {
            guard let known = uri.knownTransport else { return nil }
            transport = known
        }
        if uri.scheme == .sips { transport = .tls }
    }
}
