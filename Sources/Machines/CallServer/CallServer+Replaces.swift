import Base
import SDP
import SIP
import SIPStack

/// An INVITE that takes the place of a dialog (RFC 3891): pick-up of a ringing call, or one party of a call changing phones.
extension CallServer {
    /// The leg that a `Replaces` names by its dialog, the tags as we see them or as its phone does.
    func leg(_ replaces: Replaces) -> (call: UInt32, leg: Int)? {
        for (ours, theirs) in [(replaces.toTag, replaces.fromTag), (replaces.fromTag, replaces.toTag)] {
            guard let tag = ours.tagNumber, case .leg(let key, let leg)? = calls.tags[tag], let call = calls.peek(key),
                call.legs.indices.contains(leg), call.legs[leg].callID == replaces.callID,
                call.legs[leg].dialog?.id.remoteTag == theirs
            else { continue }
            return (key, leg)
        }
        return nil
    }

    /// The leg to replace: a ringing one by its invented identifiers for members of its pick-up group, any by its own for its own account.
    /// nil: refused already.
    private mutating func replaceable(
        _ replaces: Replaces, by party: CallParty, _ request: ServerRequest
    ) -> (call: UInt32, leg: Int)? {
        if let number = PickUpIdentifiers.number(replaces), case .pickUp(let key, let leg)? = calls.tags[number],
            let ringing = calls.leg(leg, of: key), ringing.isInviting
        {
            let address = ringing.party.address
            if party.isVouched, settings.calls.mayPickUp(party.address, address) { return (key, leg) }
            refuse(request, 403, .notInPickupGroup(address))
            return nil
        }
        guard let (key, leg) = leg(replaces), let address = calls.leg(leg, of: key)?.party.address else {
            refuse(request, 481, .noDialog)
            return nil
        }
        if party.isVouched, party.address == address { return (key, leg) }
        refuse(request, 403, .notOfItsDialog(address))
        return nil
    }

    mutating func inviteReplacing(_ request: ServerRequest, _ party: CallParty, at now: Instant) {
        let headers = request.message.all(.replaces)
        guard headers.count == 1, let replaces = Replaces(headers[0].value) else {
            return refuse(request, 400, .badReplaces)
        }
        guard let (key, old) = replaceable(replaces, by: party, request), let found = calls.peek(key) else { return }
        if replaces.isEarlyOnly, found.legs[old].isConfirmed { return refuse(request, 486, .badReplaces) }
        guard found.legs.count < settings.limits.legsPerCall else { return refuse(request, 503, .tablesFull) }
        guard found.exchange == nil, found.transfer == nil, !found.isDirect else { return refuse(request, 491, .glare) }
        // The new leg is read as a call of its own, then comes over.
        guard let draft = begin(request, party, calledName: found.calledName, at: now) else { return }
        guard var call = calls.take(key) else { return }
        defer { settle(call, at: now) }
        let place = call.legs.count
        calls.tags[draft.legs[0].tag] = .leg(call: key, place)
        calls.invites[request.key] = (key, place)
        calls.leave(draft.legs[0].flow, draft.key)
        calls.enter(draft.legs[0].flow, key)
        calls.part(party.address, draft.key)
        calls.join(party.address, key)
        call.accounts += draft.accounts
        call.legs.append(draft.legs[0])
        do throws(SessionRefusal) {
            guard let session = try readSession(request.message) else {
                throw SessionRefusal(399, "an offer is needed to replace a dialog")
            }
            let body = request.message.sessionBody
            switch call.legs[old].state {
            case .confirmed:
                guard let other = call.other(old), call.legs[other].isConfirmed, call.legs[other].confirmed?.refreshing == nil
                else {
                    throw SessionRefusal(399, "nobody is on the other side", status: 481)
                }
                let asker = CallExchange.Asker.replacement(leg: place, request, of: old)
                try begin(asker, session, body, ask: other, for: place, isInvite: true, &call, at: now)
            case .inviting where !call.legs[old].isCaller:
                try pickUp(session, body, place, request, &call, at: now)
            case .inviting, .leaving, .ended: throw SessionRefusal(399, "that dialog cannot be replaced now", status: 481)
            }
        } catch {
            endInvite(&call, place, status: error.status, warning: settings.addresses.warning(error, request.flow))
        }
    }

    /// The caller's offer answers the new phone's, and the other way round.
    private mutating func pickUp(
        _ session: SessionDescription, _ body: [UInt8], _ place: Int, _ invite: ServerRequest, _ call: inout Call,
        at now: Instant
    ) throws(SessionRefusal) {
        guard case .ringing = call.phase, call.hasOffer, let asker = call.legs[0].invite,
            let asked = call.legs[0].session.remote
        else {
            throw SessionRefusal(399, "that dialog cannot be replaced now", status: 481)
        }
        try takeOffer(session, body, place, &call)
        let toNew = answer(asked, from: 0, to: place, &call)
        let toCaller = finalAnswer(session, from: place, &call)
        abandonForks(&call, reason: "SIP;cause=200;text=\"Call completed elsewhere\"")
        call.phase = .talking(0, place)
        call.answered = now
        call.status = 200
        call.legs[0].hasTalked = true
        call.legs[place].hasTalked = true
        counters.callsAnswered &+= 1
        note(.call(.answered(call: call.number, party: call.legs[place].party.address.description, call.legs[place].flow)))
        connect(0, place, &call)
        accept(invite, toNew, place, &call, at: now)
        accept(asker, toCaller, 0, &call, at: now)
        announce(&call, 2)
    }
}
