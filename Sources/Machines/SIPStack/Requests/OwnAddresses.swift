import Base
import SIP

/// By what the peer of a flow knows us: in Via, Contact, Warning and SDP. As configured for its network, otherwise by our end of the flow.
package struct OwnAddresses: Sendable {
    private struct Entry: Sendable {
        package let peers: IPPrefix
        package let host: SIPHost
        package let hostText: [UInt8]
        /// nil: the port of our end of the flow.
        package let port: UInt16?
        /// nil: the host is a name.
        package let address: IPAddress?
    }

    private let entries: [Entry]

    package init(_ advertised: [AdvertisedAddress]) {
        entries = advertised.map { entry in
            let address = IPAddress(entry.host)
            let host = address.map { SIPHost($0) } ?? .name(SIPText(entry.host))
            return Entry(peers: entry.peers, host: host, hostText: Array("\(host)".utf8), port: entry.port, address: address)
        }
    }

    private func entry(_ flow: FlowID) -> Entry? { entries.first { $0.peers.contains(flow.remote.address) } }

    /// Host and port of Via and Contact.
    package func sentBy(_ flow: FlowID) -> (host: SIPHost, port: UInt16) {
        guard let entry = entry(flow) else { return (SIPHost(flow.local.address), flow.local.port) }
        return (entry.host, entry.port ?? flow.local.port)
    }

    /// The same as text: `host:port`, IPv6 in brackets.
    package func text(_ flow: FlowID) -> [UInt8] {
        var out: [UInt8] = []
        if let entry = entry(flow) {
            out.append(contentsOf: entry.hostText)
            out.append(UInt8(ascii: ":"))
            out.append(decimal: UInt64(entry.port ?? flow.local.port))
        } else {
            out.append(endpoint: flow.local)
        }
        return out
    }

    /// Where media are sent to us. A name is none: SDP wants an address.
    package func media(_ flow: FlowID) -> IPAddress {
        for entry in entries where entry.peers.contains(flow.remote.address) {
            if let address = entry.address { return address }
        }
        return flow.local.address
    }

    /// `<sip:host:port;transport=tcp>`. `isSecret`: `sips:`, as who was asked by such a URI must say (RFC 3261 12.1.1).
    package func contact(_ flow: FlowID, isSecret: Bool = false) -> SIPText {
        let (host, port) = sentBy(flow)
        let transport: String
        switch flow.transport {
        case .udp: transport = ""
        case .tcp: transport = ";transport=tcp"
        case .tls: transport = isSecret ? ";transport=tcp" : ";transport=tls"
        case .ws, .wss: transport = ";transport=ws"
        }
        return SIPText("<\(isSecret ? "sips" : "sip"):\(host):\(port)\(transport)>")
    }

    /// The Via of a request of ours.
    package func via(_ flow: FlowID, _ token: ClientToken) -> Via {
        var branch: [UInt8] = []
        branch.reserveCapacity(24)
        token.appendBranch(to: &branch)
        let (host, port) = sentBy(flow)
        return Via(flow.transport, host: host, port: port, branch: SIPText(branch))
    }

    /// `399 192.0.2.1:5060 "..."` (RFC 3261 20.43).
    package func warning(_ code: Int, _ text: String, _ flow: FlowID) -> SIPText {
        let (host, port) = sentBy(flow)
        return SIPText("\(code) \(host):\(port) ").appending(SIPText(text).quoted)
    }
}

/// The host by which peers of one network are told to reach us.
public struct AdvertisedAddress: Hashable, Sendable {
    /// Peers whose source address lies in here.
    public var peers: IPPrefix
    /// Host of Via and Contact in requests we send them.
    public var host: String
    /// nil: the port of the socket the flow lives on.
    public var port: UInt16?

    public init(peers: IPPrefix, host: String, port: UInt16? = nil) {
        self.peers = peers
        self.host = host
        self.port = port
    }
}

extension SIPText {
    package func appending(_ other: SIPText) -> SIPText {
        var bytes = Array(bytes)
        bytes.append(contentsOf: other.bytes)
        return SIPText(bytes)
    }
}

extension SIPURI {
    /// `example.com`, `192.0.2.1:5070`, `[2001:db8::1]`.
    package var hostPort: SIPText { Self.hostPort(host, port) }

    package static func hostPort(_ host: SIPHost, _ port: UInt16?) -> SIPText {
        guard let port, port != SIPTransport.udp.defaultPort else { return SIPText(host.description) }
        return SIPText("\(host):\(port)")
    }
}
