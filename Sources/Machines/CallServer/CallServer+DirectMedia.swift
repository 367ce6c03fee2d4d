import Base
import SDP
import SIP
import SIPStack

/// Media past us, where both accounts wish it and both phones can reach each other.
extension CallServer {
    /// Why a call's media are relayed; nil: the SDPs pass untouched, as both accounts ask for it and there is reason to believe that the phones
    /// reach each other.
    func whyRelayed(_ party: CallParty, _ flow: FlowID, _ session: SessionDescription, _ found: Found) -> CallTrace.Relayed? {
        guard party.wantsDirectMedia, !party.isAnonymous, case .user(_, true, let srtp) = found.owner else { return .unwished }
        // What the accounts say of SRTP is kept by us.
        guard party.srtp == nil, srtp == nil else { return .unwished }
        let places = session.media.indices.compactMap { session.rtpEndpoint(of: $0)?.address }
        guard !places.isEmpty else { return .unwished }
        let own = flow.remote.address
        for target in found.targets {
            guard places.allSatisfy({ $0.isIPv6 == target.source.isIPv6 }) else { return .families }
            if own == target.source {
                // Behind one NAT, or in one network with us: their private addresses are good for each other.
                guard own.isPrivate || places.allSatisfy(\.isPrivate) else { return .oneAddress }
                continue
            }
            let isStraight = !target.isTranslated && places.allSatisfy { $0 == own }
            guard isStraight, target.source.isPrivate == own.isPrivate else { return .translated }
            // A helper in a router that changes SIP changes SDP, too; what it opens for media is open to us, if at all.
            guard !target.isRewritten, !found.isCallerRewritten else { return .rewritten }
        }
        return nil
    }
}
