import Base
import SDP
import SIP

/// Media past us, where both accounts wish it and both phones can reach each other; and connections that close under a call.
extension ServerNode {
    /// Whether the SDPs may pass untouched: both accounts ask for it, one address family, and nothing is translated between the two.
    func mayBeDirect(
        _ party: CallLeg.Party, _ flow: FlowID, _ session: SessionDescription, _ aor: AddressOfRecord, _ bindings: [Binding]
    ) -> Bool {
        guard party.wantsDirectMedia, !party.isAnonymous, accounts.wantDirectMedia(aor) else { return false }
        // What the accounts say of SRTP is kept by us.
        guard party.srtp == nil, accounts.srtp(of: aor) == nil else { return false }
        let places = session.media.indices.compactMap { session.rtpEndpoint(of: $0)?.address }
        guard !places.isEmpty else { return false }
        return bindings.allSatisfy { binding in
            guard binding.reach == .reachable else { return true }
            let theirs = binding.flow.remote.address
            guard places.allSatisfy({ $0.isIPv6 == theirs.isIPv6 }) else { return false }
            // Behind one NAT, or in one network with us: their private addresses are good for each other.
            if flow.remote.address == theirs { return true }
            let isStraight = !binding.verdict.contains(.translated) && places.allSatisfy { $0 == flow.remote.address }
            return isStraight && theirs.isPrivate == flow.remote.address.isPrivate
        }
    }

    /// A connection is gone: legs on it can be told nothing more (RFC 5626 4.2.1). A phone that rings may have another flow.
    mutating func closedUnderCalls(_ flow: FlowID, at now: Instant) {
        forgetSubscriptions(on: flow)
        for key in calls.takeStream(flow) {
            guard var call = calls.take(key) else { continue }
            for leg in call.legs.indices where call.legs[leg].flow == flow && call.legs[leg].state != .ended {
                let name = call.legs[leg].party.address.description
                switch call.legs[leg].state {
                case .inviting where !call.legs[leg].isCaller:
                    if let client = call.legs[leg].client { forgetClient(client) }
                    decline(leg, 480, .flowDead, &call, at: now)
                case .inviting, .confirmed, .leaving:
                    endLeg(leg, &call)
                    partyLeft(leg, &call, "the connection of \(name) closed", at: now)
                case .ended: break
                }
            }
            concludeRinging(&call, at: now)
            settle(call, at: now)
        }
    }
}
