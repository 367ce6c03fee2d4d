import Base

/// A transport address that may work, as ICE tells the other side of it (RFC 8445 5.1, RFC 8839 5.1).
public struct ICECandidate: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case host
        case serverReflexive = "srflx"
        case peerReflexive = "prflx"
        case relayed = "relay"

        /// RFC 8445 5.1.2.2.
        public var typePreference: UInt32 {
            switch self {
            case .host: 126
            case .peerReflexive: 110
            case .serverReflexive: 100
            case .relayed: 0
            }
        }
    }

    /// Equal for candidates of one kind, base address and server (RFC 8445 5.1.1.3).
    public var foundation: String
    /// 1 is RTP, 2 RTCP.
    public var component: Int
    /// `UDP`; others are kept and never tried.
    public var transport: String
    public var priority: UInt32
    public var endpoint: Endpoint
    public var kind: Kind
    /// The base that the candidate was learnt from: `raddr` and `rport`.
    public var related: Endpoint?
    /// What follows, as written: `generation 0`.
    public var extensions: String

    public init(
        foundation: String, component: Int = 1, transport: String = "UDP", priority: UInt32, endpoint: Endpoint, kind: Kind,
        related: Endpoint? = nil, extensions: String = ""
    ) {
        self.foundation = foundation
        self.component = component
        self.transport = transport
        self.priority = priority
        self.endpoint = endpoint
        self.kind = kind
        self.related = related
        self.extensions = extensions
    }

    /// RFC 8445 5.1.2.1. `localPreference`: 65,535 for the only or best address. `component`: 1...256.
    public static func priority(_ kind: Kind, localPreference: UInt16 = .max, component: Int = 1) -> UInt32 {
        kind.typePreference << 24 | UInt32(localPreference) << 8 | UInt32(256 - min(256, max(1, component)))
    }

    public var isUDP: Bool { transport.lowercased() == "udp" }

    /// The value of `a=candidate`.
    public var attributeValue: String {
        var text = "\(foundation) \(component) \(transport) \(priority) \(endpoint.address) \(endpoint.port) typ \(kind.rawValue)"
        if let related { text += " raddr \(related.address) rport \(related.port)" }
        return extensions.isEmpty ? text : text + " " + extensions
    }

    /// nil: malformed, of an unknown type, or with a name (such as `.local`) for an address.
    public init?(attribute value: ArraySlice<UInt8>) {
        let parts = value.split(separator: UInt8(ascii: " "))
        func text(_ index: Int) -> String { String(decoding: parts[index], as: UTF8.self) }
        guard parts.count >= 8, (1...32).contains(parts[0].count), let component = Int(text(1)), (1...256).contains(component),
            let priority = UInt32(text(3)), let address = IPAddress(utf8: Array(parts[4])), let port = UInt16(text(5)),
            text(6).lowercased() == "typ", let kind = Kind(rawValue: text(7).lowercased())
        else { return nil }
        self.init(
            foundation: text(0), component: component, transport: text(2), priority: priority,
            endpoint: Endpoint(address, port), kind: kind)
        var rest = Array(parts[8...])
        if rest.count >= 4, String(decoding: rest[0], as: UTF8.self).lowercased() == "raddr",
            String(decoding: rest[2], as: UTF8.self).lowercased() == "rport"
        {
            if let address = IPAddress(utf8: Array(rest[1])), let port = UInt16(String(decoding: rest[3], as: UTF8.self)) {
                related = Endpoint(address, port)
                rest.removeFirst(4)
            }
        }
        extensions = rest.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
    }
}
