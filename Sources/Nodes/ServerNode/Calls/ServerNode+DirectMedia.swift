import Base
import Registrar
import SDP
import SIP
import SIPStack

/// Media past us, where both accounts wish it and both phones can reach each other; and connections that close under a call.
extension ServerNode {
    /// Why a call's media are relayed; nil: the SDPs pass untouched, as both accounts ask for it and there is reason to believe that the phones
    /// reach each other.
    func whyRelayed(
        _ party: CallLeg.Party, _ flow: FlowID, _ session: SessionDescription, _ aor: AddressOfRecord, _ bindings: [Binding]
    ) -> CallTrace.Relayed? {
        guard party.wantsDirectMedia, !party.isAnonymous, accounts.wantDirectMedia(aor) else { return .unwished }
        // What the accounts say of SRTP is kept by us.
        guard party.srtp == nil, accounts.srtp(of: aor) == nil else { return .unwished }
        let places = session.media.indices.compactMap { session.rtpEndpoint(of: $0)?.address }
        guard !places.isEmpty else { return .unwished }
        let own = flow.remote.address
        let caller = registrar.locations(of: party.address).first { $0.binding.flow == flow }?.binding.verdict
        for binding in bindings where registrar.isCallable(binding, among: bindings) {
            let theirs = binding.flow.remote.address
            guard places.allSatisfy({ $0.isIPv6 == theirs.isIPv6 }) else { return .families }
            if own == theirs {
                // Behind one NAT, or in one network with us: their private addresses are good for each other.
                guard own.isPrivate || places.allSatisfy(\.isPrivate) else { return .oneAddress }
                continue
            }
            let isStraight = !binding.verdict.contains(.translated) && places.allSatisfy { $0 == own }
            guard isStraight, theirs.isPrivate == own.isPrivate else { return .translated }
            // A helper in a router that changes SIP changes SDP, too; what it opens for media is open to us, if at all.
            let signs: PathVerdict = [.rewrittenSuspected, .viaContactDisagree]
            guard binding.verdict.isDisjoint(with: signs), caller?.isDisjoint(with: signs) ?? true else { return .rewritten }
        }
        return nil
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
