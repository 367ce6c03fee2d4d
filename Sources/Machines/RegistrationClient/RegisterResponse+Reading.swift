import Base
import SIP
import SIPStack

extension RegisterResponse {
    /// Reads a response to a REGISTER. Parts that cannot be read count as absent: whoever registers lives on with what it understands.
    ///
    /// - Parameter contact: the Contact that the REGISTER gave.
    /// - Parameter choose: picks the challenge to answer, nil for none.
    init(
        _ message: SIPMessage, status: Int, contact: Endpoint, user: String, instanceID: String?,
        choose: ([DigestOffer]) -> DigestOffer?
    ) {
        code = status
        reason = printable(message.reason?.bytes ?? [], atMost: 80)
        seenAs = (try? message.topVia).flatMap(Self.seen)
        retryAfter = try? message.retryAfter
        switch status {
        case ..<200: verdict = .provisional
        case 200..<300:
            verdict = .accepted(Acceptance(message, contact: contact, user: user, instanceID: instanceID))
        case 401, 407:
            let name = status == 401 ? HeaderName.wwwAuthenticate : .proxyAuthenticate
            let challenges = DigestClient.readable(message.all(name).map(\.value.bytes))
            verdict = .challenged(choose(challenges).map { [$0] } ?? [], isProxy: status == 407)
        case 423: verdict = .tooBrief(minimum: try? message.minExpires)
        default: verdict = .refused
        }
    }

    /// The sender as the registrar saw it; nil where the response does not tell both address and port (RFC 3581 4).
    static func seen(_ via: Via) -> Endpoint? {
        guard case .port(let port) = via.rport, port > 0, let address = via.received ?? via.host.address, !address.isUnspecified
        else { return nil }
        return Endpoint(address, port)
    }
}

extension RegisterResponse.Acceptance {
    init(_ message: SIPMessage, contact: Endpoint, user: String, instanceID: String?) {
        var own: [(endpoint: Endpoint, expires: UInt32?)] = []
        var granted: UInt32?
        listsNobody = false
        if case .list(let list)? = try? message.contacts {
            listsNobody = list.isEmpty
            for entry in list.prefix(64) {
                guard let uri = entry.uri.sip, uri.unescapedUser?.string == user, let endpoint = uri.endpoint else { continue }
                own.append((endpoint, entry.expires))
                // A box on the way may have rewritten the address; the instance tells that the binding is ours.
                if let instanceID, entry.instanceID?.string == "<\(instanceID)>" { granted = granted ?? entry.expires }
            }
        }
        if let exact = own.first(where: { $0.endpoint == contact }) { granted = exact.expires ?? granted }
        if granted == nil, own.count == 1 { granted = own[0].expires }
        expires = granted ?? (try? message.expires)
        let options = ((try? message.require) ?? []) + ((try? message.supported) ?? [])
        isOutbound = options.contains { $0.lowercased.string == "outbound" }
        flowTimer = message.first(.flowTimer)?.value.decimal
    }
}

/// What a peer wrote, fit for a terminal: no control bytes, and not endless.
package func printable(_ bytes: some Collection<UInt8>, atMost count: Int) -> String {
    String(decoding: bytes.prefix(count).map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
        + (bytes.count > count ? "..." : "")
}
