import MediaControl
import SDP
import SIP

/// Who is offered SRTP, who plain RTP, and what becomes of a refusal (RFC 3711, RFC 4568).
extension CallServer {
    /// What a leg is offered where the other side says `profile`.
    func profile(_ profile: MediaProfile, for leg: CallLeg) -> MediaProfile {
        let isSecret = leg.callee?.securesMedia ?? usuallyOffersSRTP(to: leg)
        switch profile {
        case .avp, .savp, .dtlsSAVP: return isSecret ? .savp : .avp
        case .avpf, .savpf, .dtlsSAVPF: return isSecret ? .savpf : .avpf
        case .udptl, .other: return profile
        }
    }

    /// Whether a phone that is rung is offered SRTP first.
    func offersSRTP(to leg: CallLeg, _ call: Call) -> Bool {
        guard settings.calls.srtpAvailable, leg.party.srtp == nil else { return usuallyOffersSRTP(to: leg) }
        let isSecretThere =
            call.legs[call.offerer].session.remote?.media.contains { !$0.isRejected && $0.profile.isSecure } ?? false
        return leg.callee?.target.insistsOnSRTP ?? (isSecretThere || usuallyOffersSRTP(to: leg))
    }

    /// As the account says; otherwise where SIP is secret too, or the keys could be read beside the media.
    private func usuallyOffersSRTP(to leg: CallLeg) -> Bool {
        guard settings.calls.srtpAvailable else { return false }
        switch leg.party.srtp {
        case .required, .offered: return true
        case .off: return false
        case nil: return leg.flow.transport.isSecure
        }
    }

    /// Whether a phone that refused is to be asked again, with plain RTP for SRTP or the other way round. Once: it may mean its codecs.
    func mayTryOtherwise(_ leg: Int, _ status: Int, _ call: Call) -> Bool {
        guard settings.calls.srtpAvailable, !call.isDirect, call.hasOffer, call.legs[leg].callee?.triedBoth == false,
            let offer = call.legs[call.offerer].session.remote,
            offer.media.contains(where: { !$0.isRejected && $0.profile.isRTP })
        else { return false }
        if call.legs[leg].callee?.securesMedia == true { return call.legs[leg].party.srtp != .required }
        return call.legs[leg].party.srtp != .off && (status == 488 || status == 606)
    }

    /// A phone answered the call and took no stream: so do some that insist on SRTP. The next call tries.
    mutating func noteEmptyAnswer(_ leg: Int, _ call: inout Call) {
        guard let offeredSRTP = call.legs[leg].callee?.securesMedia else { return }
        let party = call.legs[leg].party.address
        note(
            .call(
                .answeredNothing(
                    call: call.number, party: party.description, user: party.user, call.legs[leg].flow, offeredSRTP: offeredSRTP))
        )
        keepHabit(leg, insists: !offeredSRTP, call)
    }

    /// A phone took the second of two offers: what it wants is kept with its binding.
    mutating func noteSRTP(_ leg: Int, _ call: Call) {
        let party = call.legs[leg].party.address
        guard let callee = call.legs[leg].callee, callee.triedBoth else { return }
        let insists = callee.securesMedia
        let (name, flow) = (party.description, call.legs[leg].flow)
        note(
            .call(
                insists
                    ? .insistsOnSRTP(call: call.number, party: name, user: party.user, flow)
                    : .refusesSRTP(call: call.number, party: name, user: party.user, flow)))
        keepHabit(leg, insists: insists, call)
    }

    /// Never that it wants no SRTP where its SIP is encrypted: whoever once could make it say so would have all its calls in clear. Elsewhere
    /// the keys are in clear anyway.
    private mutating func keepHabit(_ leg: Int, insists: Bool, _ call: Call) {
        let habit: Bool? = insists ? true : call.legs[leg].flow.transport.isSecure ? nil : false
        guard let contact = call.legs[leg].callee?.target.contact else { return }
        outbox.append(.habit(call.legs[leg].party.address, contact: contact, insistsOnSRTP: habit))
    }
}
