import Base
import SDP
import SIP
import SIPStack

/// Phones that refuse, stay silent or cannot be reached, and what the caller is told when nobody is left (RFC 3261 16.7, RFC 5626 5.3).
extension CallServer {
    /// A leg's INVITE came to nothing: the instance's next flow if it was the flow's fault, otherwise the leg is over.
    ///
    /// `warning`: the Warning of its refusal.
    mutating func decline(
        _ leg: Int, _ status: Int, _ why: CallTrace.Decline, warning: SIPText? = nil, _ call: inout Call, at now: Instant
    ) {
        guard !call.legs[leg].isEnded else { return }
        let name = call.legs[leg].party.address.description
        note(.call(.declined(call: call.number, party: name, call.legs[leg].flow, status: status, why)))
        if call.legs[leg].isInviting, call.legs[leg].callee?.alternates.isEmpty == false, Self.isFlowsFault(status, why),
            lookUp(.user(call.legs[leg].party.address), .nextFlow(call: call.key, leg: leg), at: now)
        {
            // What comes of this INVITE after all means nothing any more.
            call.legs[leg].callee?.invite = .lost(status: status)
            return
        }
        giveUp(leg, status, warning, &call, at: now)
    }

    /// Its next flow is rung, if it still stands now that it is its turn.
    mutating func nextFlow(_ leg: Int, _ found: Found, _ call: inout Call, at now: Instant) {
        guard case .lost(let status)? = call.legs[leg].callee?.invite, call.legs[leg].isInviting else { return }
        while let wanted = call.legs[leg].callee?.alternates.first {
            call.legs[leg].callee?.alternates.removeFirst()
            let target = found.targets.first { $0.flow == wanted.flow || $0.contact == wanted.contact && !$0.isOpen }
            if let target { return ringOver(target, leg, &call) }
        }
        giveUp(leg, status, nil, &call, at: now)
    }

    private mutating func giveUp(_ leg: Int, _ status: Int, _ warning: SIPText?, _ call: inout Call, at now: Instant) {
        dropEarlyExchange(with: leg, &call)
        endLeg(leg, &call)
        call.legs[leg].callee?.invite = .refused(.init(status: status, warning: warning))
        forwardedInVain(leg, &call, at: now)
    }

    /// Legs whose INVITE could not even be put together.
    private mutating func declineFailed(_ call: inout Call, at now: Instant) {
        // A leg that is tried anew may fail anew.
        while let leg = call.legs.firstIndex(where: { $0.isInviting && $0.failure != nil }), let why = call.legs[leg].failure {
            decline(leg, 503, why, &call, at: now)
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
        guard case .ringing = call.phase, !call.legs.contains(where: { !$0.isCaller && $0.isInviting }),
            !call.forwards.contains(where: { $0.finding > 0 })
        else { return }
        if call.transfer != nil { return transferFailed(Self.best(call)?.status ?? 480, &call, at: now) }
        guard call.legs[0].isInviting else { return }
        let best = Self.best(call)
        var reply = ReplyWriter.Reply(best.map { Self.told($0.status) } ?? 480)
        let status = reply.status
        for contact in best?.redirections ?? [] { reply.add(named: .contact, contact.bytes) }
        endInvite(
            &call, status: status, warning: status == best?.status ? best?.warning : nil, lines: reply.lines)
        finish(&call, "\(status) \(SIPStatus.phrase(status))", at: now)
    }

    private static func best(_ call: Call) -> CallLeg.Callee.Refusal? {
        let from = call.transfer?.firstTarget ?? 0
        return call.legs[from...].compactMap(\.refusal).min { rank($0.status) < rank($1.status) }
    }

    private static func rank(_ status: Int) -> Int {
        switch status {
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
    private static func told(_ status: Int) -> Int {
        switch status {
        case 401, 407, 408, 430, 487, 503: 480
        default: status
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
