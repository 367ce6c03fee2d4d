import Base
import SIP
import SIPStack

/// The requests of its own that go to phones.
extension Registrar {
    mutating func ask(_ binding: Binding, on flow: FlowID, _ token: ClientToken) {
        outbox.append(.send(on: flow, options(binding, on: flow, token)))
    }

    /// An OPTIONS to a binding (RFC 3261 11.1).
    func options(_ binding: Binding, on flow: FlowID, _ token: ClientToken) -> [UInt8] {
        let host = settings.addresses.text(flow)
        var out: [UInt8] = []
        out.reserveCapacity(640)
        out.append(static: "OPTIONS ")
        // Headers of a URI have no place in a Request-URI (RFC 3261 19.1.1).
        out.append(contentsOf: binding.contact.prefix { $0 != UInt8(ascii: "?") })
        out.append(static: " SIP/2.0\r\nVia: SIP/2.0/")
        out.append(contentsOf: flow.transport.viaToken.utf8)
        out.append(0x20)
        out.append(contentsOf: host)
        out.append(static: ";rport;branch=")
        token.appendBranch(to: &out)
        if !binding.path.isEmpty {
            out.append(static: "\r\nRoute: ")
            out.append(contentsOf: binding.path)
        }
        out.append(static: "\r\nMax-Forwards: 70\r\nFrom: <sip:")
        out.append(contentsOf: host)
        out.append(static: ">;tag=")
        token.appendCore(to: &out)
        out.append(static: "\r\nTo: <")
        out.append(contentsOf: binding.contact.prefix { $0 != UInt8(ascii: "?") })
        out.append(static: ">\r\nCall-ID: ")
        token.appendCore(to: &out)
        out.append(UInt8(ascii: "@"))
        out.append(contentsOf: host.prefix { $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "[") })
        out.append(static: "\r\nCSeq: 1 OPTIONS\r\nContact: <sip:")
        out.append(contentsOf: host)
        out.append(static: ">\r\nAccept: application/sdp\r\n")
        if !settings.software.isEmpty {
            out.append(static: "User-Agent: ")
            for byte in settings.software.utf8 { out.append(byte < 0x20 ? 0x20 : byte) }
            out.append(static: "\r\n")
        }
        out.append(static: "Content-Length: 0\r\n\r\n")
        return out
    }
}
