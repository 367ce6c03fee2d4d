import Base
import CallServer
import Registrar
import SIP
import SIPStack

/// Whose a request inside a dialog is. Call-ID and tags prove nothing: boxes on the way, and watchers, may know them.
///
/// It belongs where it comes over the flow of its leg, or over one that the leg's account registered, or is signed for that account: routers
/// that move ports exist. A leg without account counts by its address. Until that is settled it changes nothing.
extension ServerNode {
    /// Whether a request is the leg's own. False: it is challenged or refused already.
    mutating func belongs(_ request: inout ServerRequest, to party: CallParty, on flow: FlowID, at now: Instant) -> Bool {
        if isSameWay(request.flow, flow) || isRegistered(request.flow, for: party.address) {
            request.isProved = true
            return true
        }
        guard party.isVouched else {
            if request.flow.remote.address == flow.remote.address, request.flow.transport.isSecure == flow.transport.isSecure {
                return true
            }
            refuse(&request, 481, .notOfItsDialog(party.address), at: now)
            return false
        }
        guard let account = authenticate(&request, at: now) else { return false }
        guard party.isOf(account) else {
            refuse(&request, 481, .notOfItsDialog(party.address), at: now)
            return false
        }
        return true
    }

    /// Whether a CANCEL, which cannot be challenged (RFC 3261 22.1), or a copy of an INVITE comes from the INVITE's address, or over a flow of
    /// the caller's account.
    func isFromCaller(_ request: ServerRequest, _ invite: Invite) -> Bool {
        request.flow.remote.address == invite.request.flow.remote.address || isRegistered(request.flow, for: invite.caller)
    }

    /// Over streams the connection itself; over UDP the far end's endpoint, by whichever address of ours it comes.
    private func isSameWay(_ a: FlowID, _ b: FlowID) -> Bool {
        a.transport == b.transport && a.remote == b.remote && a.connection == b.connection
    }

    private func isRegistered(_ flow: FlowID, for aor: AddressOfRecord) -> Bool {
        registrar.locations(of: aor).contains { isSameWay($0.binding.flow, flow) }
    }
}

extension CallParty {
    /// Whether an account is this party's: the one that it proved, or that of the address of record that was rung.
    fileprivate func isOf(_ entry: AccountTable.Entry) -> Bool {
        isVouched
            && (account == entry.username || entry.mayRegister(user: SIPText(address.user), domain: SIPText(address.domain)))
    }
}
