import Base
import SDP
import SIP
import SIPStack

/// Phones that refuse, stay silent or cannot be reached, and what the caller is told when nobody is left (RFC 3261 16.7, RFC 5626 5.3).
extension CallServer {
    /// A leg's INVITE came to nothing: the instance's next flow if it was the flow's fault, otherwise the leg is over.
    mutating func decline(_ leg: Int, _ status: Int, _ why: CallTrace.Decline, _ call: inout Call, at now: Instant) {
        guard call.legs[leg].state != .ended else { return }
        let name = call.legs[leg].party.address.description
        note(.call(.declined(call: call.number, party: name, call.legs[leg].flow, status: status, why)))
        if call.legs[leg].state == .inviting, !call.legs[leg].alternates.isEmpty, Self.isFlowsFault(status, why),
            lookUp(.user(call.legs[leg].party.address), .nextFlow(call: call.key, leg: leg), at: now)
        {
            // What comes of this INVITE after all means nothing any more.
            call.legs[leg].client = nil
            call.legs[leg].lost = status
            return
        }
        giveUp(leg, status, &call, at: now)
    }

    /// Its next flow is rung, if it still stands now that it is its turn.
    mutating func nextFlow(_ leg: Int, _ found: Found, _ call: inout Call, at now: Instant) {
        guard let status = call.legs[leg].lost, call.legs[leg].state == .inviting else { return }
        call.legs[leg].lost = nil
        while !call.legs[leg].alternates.isEmpty {
            let wanted = call.legs[leg].alternates.removeFirst()
            guard let target = found.targets.first(where: { $0.flow == wanted.flow || $0.contact == wanted.contact && !$0.isOpen }) else {
                continue
            }
            return ringOver(target, leg, &call)
        }
        giveUp(leg, status, &call, at: now)
    }

    private mutating func giveUp(_ leg: Int, _ status: Int, _ call: inout Call, at now: Instant) {
        dropEarlyExchange(with: leg, &call)
        call.legs[leg].status = status
        endLeg(leg, &call)
        forwardedInVain(leg, &call, at: now)
    }

    /// Legs whose INVITE could not even be put together.
    private mutating func declineFailed(_ call: inout Call, at now: Instant) {
        while let leg = call.legs.firstIndex(where: { $0.failure != nil }) {
            let failure = call.legs[leg].failure!
            call.legs[leg].failure = nil
            decline(leg, 503, failure, &call, at: now)
        }
    }

    /// Silence, 430 (RFC 5626 11.2) and 503 tell of the way, not of the phone.
    private static func isFlowsFault(_ status: Int, _ why: CallTrace.Decline) -> Bool {
        switch why {
        case .timedOut, .flowDead: true
        case .refused: status == 430 || status == 503 || status == 408
        case .session, .cancelled: false
        }
    }

    /// Where nobody rings any more, the caller gets the best of all refusals.
    mutating func concludeRinging(_ call: inout Call, at now: Instant) {
        declineFailed(&call, at: now)
        guard case .ringing = call.phase, !call.legs.contains(where: { !$0.isCaller && $0.state == .inviting }),
            !call.forwards.contains(where: { $0.finding > 0 })
        else { return }
        if call.transfer != nil { return transferFailed(Self.best(call)?.status ?? 480, &call, at: now) }
        guard call.legs[0].state == .inviting else { return }
        let best = Self.best(call)
        var reply = ReplyWriter.Reply(best.map(Self.told) ?? 480)
        let status = reply.status
        for contact in best?.redirections ?? [] { reply.add(named: .contact, contact.bytes) }
        endInvite(
            &call, status: status, warning: status == best?.status ? best?.warning : nil, lines: reply.lines)
        finish(&call, "\(status) \(SIPStatus.phrase(status))", at: now)
    }

    private static func best(_ call: Call) -> CallLeg? {
        let from = call.transfer?.firstTarget ?? 0
        return call.legs[from...].filter { !$0.isCaller && $0.status > 0 }.min { rank($0) < rank($1) }
    }

    private static func rank(_ leg: CallLeg) -> Int {
        switch leg.status {
        case 600...: 0
        case 300..<400: 1
        case 486: 2
        case 488, 415, 406: 3
        case 404, 408, 410, 430, 480, 487, 503, 401, 407: 6
        case 400..<500: 4
        default: 5
        }
    }

    /// What a refusal of a phone is to the caller. A dead flow, a challenge: nobody can be had there now (RFC 5626: no phone ever receives
    /// 430).
    private static func told(_ leg: CallLeg) -> Int {
        switch leg.status {
        case 401, 407, 408, 430, 487, 503: 480
        default: leg.status
        }
    }

    /// Nobody answered in time.
    mutating func ringingOver(_ ringing: Call.Ringing, _ call: inout Call, at now: Instant) {
        let isExpired = ringing.expires.map { $0 <= now } ?? false
        let status = isExpired ? 487 : ringing.limit <= now ? 408 : 480
        abandonForks(&call, reason: nil)
        if call.transfer != nil { return transferFailed(status, &call, at: now) }
        endInvite(&call, status: status)
        finish(
            &call,
            "nobody answered within \((now - call.start).wholeSeconds) s\(isExpired ? ", as long as the caller would wait" : "")",
            at: now)
    }
}
