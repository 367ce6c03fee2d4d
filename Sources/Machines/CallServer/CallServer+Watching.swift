import SIP
import SIPStack

/// What watchers of a user see of his calls (RFC 4235).
extension CallServer {
    /// The user's dialogs. While a phone of his rings, whoever may pick it up is told identifiers for an INVITE with Replaces (RFC 3891): invented
    /// ones, as the dialog's own are nobody's but its phone's.
    package func dialogs(of aor: AddressOfRecord, for watcher: AddressOfRecord) -> [DialogInfo] {
        calls.calls(of: aor).filter { !$0.isOver }.flatMap { call in
            call.legs.indices.filter { call.legs[$0].party.address == aor }.compactMap { dialog($0, call, watcher) }
        }
    }

    private func dialog(_ index: Int, _ call: Call, _ watcher: AddressOfRecord) -> DialogInfo? {
        let leg = call.legs[index]
        let state: DialogInfo.State
        switch leg.state {
        case .inviting: state = leg.isCaller ? .proceeding : leg.callee?.hasRung == true ? .early : .trying
        case .confirmed: state = .confirmed
        case .leaving, .ended: return nil
        }
        var identifiers: DialogInfo.Identifiers?
        if state == .early, let callee = leg.callee, settings.calls.mayPickUp(watcher, leg.party.address) {
            let id = PickUpIdentifiers(callee.pickUpID)
            identifiers = .init(callID: id.callID, localTag: id.localTag, remoteTag: id.remoteTag)
        }
        let other = (call.other(index) ?? (leg.isCaller ? nil : call.offerer)).map { call.legs[$0].party }
        return DialogInfo(
            id: "\(call.number)-\(index)", isInitiator: leg.isCaller, state: state, identifiers: identifiers,
            remote: other?.address, isRemoteAnonymous: other?.isAnonymous ?? false)
    }
}
