import Base
import Registrar
import SDP
import SIP
import SIPStack

/// Phones that refuse, stay silent or cannot be reached, and what the caller is told when nobody is left (RFC 3261 16.7, RFC 5626 5.3).
extension ServerNode {
    mutating func forkRefused(_ message: SIPMessage, _ status: Int, _ leg: Int, _ call: inout Call, at now: Instant) {
        call.legs[leg].warning = message.first(.warning)?.value.detached
        switch status {
        case 300..<400: return forwarded(message, status, leg, &call, at: now)
        case 401, 407:
            // It wants credentials of ours or of the caller's. Answering would tell it a digest to attack.
            tally.challengesRefused &+= 1
            traces.note(
                .call(.challengedUs(call: call.number, party: call.legs[leg].party.address.description, call.legs[leg].flow)))
        case 422:
            let shortest = SessionTimerTerms(message).shortest
            guard shortest > max(call.legs[leg].shortestSession, settings.calls.session.shortest), shortest <= 86_400 else {
                break
            }
            call.legs[leg].shortestSession = shortest
            return again(leg, &call, at: now)
        case 406, 415, 488, 606:
            guard mayTryOtherwise(leg, status, call) else { break }
            call.legs[leg].triedBoth = true
            call.legs[leg].securesMedia?.toggle()
            withdrawStreams(leg, &call)
            return again(leg, &call, at: now)
        // Nobody wants the call, whoever else rings or might (RFC 3261 16.7 step 5).
        case 600...: for index in call.forwards.indices { call.forwards[index].waiting = [] }
        default: break
        }
        decline(leg, status, .refused, &call, at: now)
        guard status >= 600 else { return }
        abandonForks(&call, reason: nil, at: now)
    }

    /// The same phone, asked anew.
    private mutating func again(_ leg: Int, _ call: inout Call, at now: Instant) {
        dropEarlyExchange(with: leg, &call, at: now)
        call.legs[leg].dialog = nil
        call.legs[leg].client = nil
        call.legs[leg].seen = ProvisionalSequence()
        call.legs[leg].session.remote = nil
        call.legs[leg].session.early = .none
        invite(leg, &call, at: now)
    }

    /// A leg's INVITE came to nothing: the instance's next flow if it was the flow's fault, otherwise the leg is over.
    mutating func decline(_ leg: Int, _ status: Int, _ why: CallTrace.Decline, _ call: inout Call, at now: Instant) {
        guard call.legs[leg].state != .ended else { return }
        let name = call.legs[leg].party.address.description
        traces.note(.call(.declined(call: call.number, party: name, call.legs[leg].flow, status: status, why)))
        if call.legs[leg].state == .inviting, Self.isFlowsFault(status, why) {
            while !call.legs[leg].alternates.isEmpty {
                let binding = call.legs[leg].alternates.removeFirst()
                let aor = call.legs[leg].party.address
                guard binding.expires > now, isCallable(binding, aor), let flow = way(to: binding, of: aor, at: now) else {
                    continue
                }
                calls.leave(call.legs[leg].flow, call.key)
                calls.enter(flow, call.key)
                call.legs[leg].flow = flow
                call.legs[leg].aim(at: binding, domain: domain(call.legs[leg].party.address, binding, flow))
                call.legs[leg].securesMedia = offersSRTP(to: call.legs[leg], call)
                withdrawStreams(leg, &call)
                traces.note(.call(.nextFlow(call: call.number, party: name, flow)))
                return again(leg, &call, at: now)
            }
        }
        dropEarlyExchange(with: leg, &call, at: now)
        call.legs[leg].status = status
        endLeg(leg, &call)
        forwardedInVain(leg, &call, at: now)
    }

    /// Silence, 430 (RFC 5626 11.2) and 503 tell of the way, not of the phone.
    private static func isFlowsFault(_ status: Int, _ why: CallTrace.Decline) -> Bool {
        switch why {
        case .timedOut, .flowDead: true
        case .refused: status == 430 || status == 503 || status == 408
        case .session, .cancelled: false
        }
    }

    /// Whether the binding still stands now that it is its turn.
    private func isCallable(_ binding: Binding, _ aor: AddressOfRecord) -> Bool {
        let all = bindings(of: aor)
        return all.contains { $0.flow == binding.flow && registrar.isCallable($0, among: all) }
    }

    /// Where nobody rings any more, the caller gets the best of all refusals.
    mutating func concludeRinging(_ call: inout Call, at now: Instant) {
        guard case .ringing = call.phase, !call.legs.contains(where: { !$0.isCaller && $0.state == .inviting }) else { return }
        if call.transfer != nil { return transferFailed(Self.best(call)?.status ?? 480, &call, at: now) }
        guard call.legs[0].state == .inviting else { return }
        let best = Self.best(call)
        var reply = ReplyWriter.Reply(best.map(Self.told) ?? 480)
        let status = reply.status
        for contact in best?.redirections ?? [] { reply.add(named: .contact, contact.bytes) }
        endInvite(
            &call, status: status, warning: status == best?.status ? best?.warning : nil, lines: reply.lines, at: now)
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
        abandonForks(&call, reason: nil, at: now)
        if call.transfer != nil { return transferFailed(status, &call, at: now) }
        endInvite(&call, status: status, at: now)
        finish(
            &call,
            "nobody answered within \((now - call.start).wholeSeconds) s\(isExpired ? ", as long as the caller would wait" : "")",
            at: now)
    }
}
