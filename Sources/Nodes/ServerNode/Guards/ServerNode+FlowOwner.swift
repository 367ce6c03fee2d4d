import Base
import Registrar
import SIP
import SIPStack

/// What only the one at the far end of a flow can say: he reads what we send there. Whoever forges his address and port cannot, and so spends
/// neither the budget of his address nor that of his flow for long.
extension ServerNode {
    /// Whether somebody who proved himself, or a call, uses the flow.
    func isKnown(_ flow: FlowID) -> Bool { registrar.uses(flow) || calls.uses(flow) }

    /// Whether a message repeats what was sent to its flow alone: the branch of a request of ours, a tag of ours, a nonce that was issued to its
    /// address, or the Call-ID that its binding was registered with.
    func isOfFlowOwner(_ message: SIPMessage, on flow: FlowID) -> Bool {
        guard case .request(let method, _) = message.startLine else { return isAwaited(message, on: flow) }
        if calls.flow(ofTag: (try? message.to)?.tag) == flow { return true }
        if case .credentials(let credentials) = authenticator.attempt(message.all(.authorization).map(\.value.bytes)),
            authenticator.isIssued(credentials.nonce, to: keys.origin(of: flow))
        {
            return true
        }
        guard method == .register, let callID = try? message.callID, let to = try? message.to, case .sip(let uri) = to.uri,
            let user = uri.unescapedUser, let domain = domains.domain(uri.host, local: flow.local)
        else { return false }
        return registrar.locations(of: AddressOfRecord(user: user.bytes, domain: domain.bytes)).contains {
            $0.binding.flow == flow && $0.binding.callID.elementsEqual(callID.bytes)
        }
    }

    private func isAwaited(_ message: SIPMessage, on flow: FlowID) -> Bool {
        guard let branch = (try? message.topVia)?.branch, let token = ClientToken(branch: branch) else { return false }
        switch token.purpose {
        case .call, .subscription, .probe: return clients.awaits(token, on: flow)
        case .keepalive: return registrar.awaits(token, on: flow)
        }
    }
}
