import Base
import SIP
import SIPStack

/// CANCEL, ACK and PRACK: what a phone says to an INVITE of its own (RFC 3261 9.2, 13.2.2.4, RFC 3262 3).
extension CallServer {
    /// The INVITE with that key is withdrawn; its CANCEL is answered already.
    ///
    /// `reason`: the CANCEL's (RFC 3326).
    package mutating func cancelled(_ key: UInt64, reason: SIPText?, at now: Instant) {
        guard let (callKey, leg) = calls.invites[key], var call = calls.take(callKey) else { return }
        if call.legs[leg].isInviting {
            endInvite(&call, leg, status: 487)
            let name = call.legs[leg].party.address.description
            if leg == 0 {
                hangUp(&call, "\(name) gave up", reason: reason, at: now)
            } else {
                // An INVITE with Replaces that is withdrawn: the call it meant goes on.
                replacementWithdrawn(leg, &call)
            }
        } else {
            exchangeCancelled(key, &call)
        }
        settle(call, at: now)
    }

    /// The ACK of a 2xx. False: it names no dialog of a call's.
    package mutating func acknowledged(_ request: ServerRequest, at now: Instant) -> Bool {
        guard let (key, leg) = leg(of: request), var call = calls.take(key) else { return false }
        // It cannot be challenged, so it moves nothing.
        if call.legs[leg].answerSequence == request.cseq, call.legs[leg].awaitsACK {
            call.legs[leg].acknowledge()
            exchangeAcknowledged(request, leg, &call, at: now)
        }
        settle(call, at: now)
        return true
    }

    package mutating func acknowledgedProvisional(_ request: ServerRequest, at now: Instant) {
        guard let (key, leg) = enterDialog(request), var call = calls.take(key) else { return }
        defer { settle(call, at: now) }
        guard let rack = ProvisionalAcknowledgement(request.message), call.legs[leg].caller?.provisionals?.receive(rack) == true
        else {
            return refuse(request, 481, .noTransaction)
        }
        answer(request, ReplyWriter.Reply(200))
        if let held = call.legs[leg].caller?.held {
            call.legs[leg].caller?.held = nil
            progress(held.status, held.body, &call, at: now)
        } else if !call.legs[leg].session.local.isEmpty, call.legs[leg].session.early == .none {
            call.legs[leg].session.early = .agreed
        }
    }
}
