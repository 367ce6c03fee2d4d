import Base
import SDP
import SIP
import SIPStack

/// Session timers (RFC 4028): every leg has one, so that a phone that vanished is found out. Where it is ours to refresh, an UPDATE without
/// SDP is sent, or a re-INVITE with the SDP as it stands.
extension CallServer {
    /// The leg's session is to be refreshed by us.
    mutating func refresh(_ leg: Int, _ call: inout Call) {
        // What is being negotiated with it now refreshes it as well.
        if let exchange = call.exchange, exchange.target == leg || exchange.second == leg { return }
        guard call.legs[leg].confirmed?.refreshing == nil, !call.legs[leg].awaitsACK else { return }
        let flow = requestWay(call.legs[leg])
        let token = tokens.next()
        let isUpdate = call.legs[leg].takesUpdate
        guard var builder = call.legs[leg].dialog?.request(isUpdate ? .update : .invite, via: settings.addresses.via(flow, token))
        else {
            return
        }
        addSessionTerms(leg, &call, to: &builder)
        if !isUpdate {
            builder.setSession(call.legs[leg].session.local)
            call.legs[leg].inviteSequence = call.legs[leg].dialog?.localSequence ?? 0
        }
        ask(isUpdate ? .update : .invite, builder.bytes, token, on: flow, .refresh(call: call.key, leg: leg))
        if !isUpdate { call.legs[leg].confirmed?.refreshing = token }
    }

    mutating func refreshAnswered(
        _ key: UInt32, _ leg: Int, _ sent: Request, _ outcome: ClientOutcome, at now: Instant
    ) {
        guard var call = calls.take(key) else {
            if sent.isInvite, case .response(let message, 200..<300) = outcome {
                endStray(message, sent)
            }
            return
        }
        defer { settle(call, at: now) }
        guard call.legs[leg].isConfirmed else {
            if sent.isInvite, case .response(let message, 200..<300) = outcome {
                endStray(message, sent)
            }
            return
        }
        let isInvite = sent.isInvite
        if case .unsent = outcome {
            if call.legs[leg].confirmed?.refreshing == sent.name { call.legs[leg].confirmed?.refreshing = nil }
            return
        }
        guard case .response(let message, let status) = outcome else {
            return hangUp(&call, "\(call.legs[leg].party.address) does not answer any more", cause: 102, at: now)
        }
        guard status >= 200 else { return }
        if isInvite, call.legs[leg].confirmed?.refreshing != sent.name {
            if status < 300 { sendACKAgain(message, call.legs[leg]) }
            return
        }
        if isInvite { call.legs[leg].confirmed?.refreshing = nil }
        switch status {
        case 200..<300:
            call.legs[leg].dialog?.refreshTarget(message)
            let asked = call.legs[leg].askedSession
            call.legs[leg].confirmed?.timer = SessionTimerTerms(message).timer(asked: asked, at: now)
            if isInvite {
                sendACK([], leg, &call)
                takeRefreshed(message, leg, &call)
            }
        case 408, 481: hangUp(&call, "\(call.legs[leg].party.address) has lost the dialog (\(status))", cause: 102, at: now)
        case 422:
            let shortest = SessionTimerTerms(message).shortest
            // It is there, and wants a longer session than we let go unseen.
            guard shortest > call.legs[leg].askedSession, shortest <= SessionTimer.longest else {
                call.legs[leg].confirmed?.timer?.restart(at: now)
                return
            }
            call.legs[leg].shortestSession = shortest
            refresh(leg, &call)
        case 405, 420, 501:
            guard !isInvite else { return }
            call.legs[leg].takesUpdate = false
            refresh(leg, &call)
        // It is there, and at something else: once more soon (RFC 3261 14.1, RFC 4028 10), as long as the session lasts.
        default:
            let pause = pause(after: status, message, call.legs[leg])
            call.legs[leg].confirmed?.timer?.retry(after: pause, at: now)
        }
    }

    /// RFC 3261 14.1 for 491: 2.1 to 4 s where the Call-ID is ours, up to 2 s where it is theirs; otherwise as Retry-After says, or 5 s.
    private mutating func pause(after status: Int, _ message: SIPMessage, _ leg: CallLeg) -> Duration {
        guard status == 491 else {
            let asked = message.first(.retryAfter).flatMap { SIPText($0.value.bytes.prefix { $0 &- 0x30 <= 9 }).decimal } ?? 5
            return .seconds(Int64(min(max(asked, 1), 600)))
        }
        let tens: UInt64 = leg.isCaller ? entropy.next() % 201 : 210 + entropy.next() % 191
        return .milliseconds(10 * Int64(tens))
    }

    /// Who was transferred to a service is offered what it can do.
    mutating func reinviteToService(_ leg: Int, _ call: inout Call) {
        let takesUpdate = call.legs[leg].takesUpdate
        call.legs[leg].takesUpdate = false
        refresh(leg, &call)
        call.legs[leg].takesUpdate = takesUpdate
    }

    /// The SDP that came back is usually the one we have.
    private mutating func takeRefreshed(_ message: SIPMessage, _ leg: Int, _ call: inout Call) {
        if case .served = call.phase {
            _ = try? takeServiceAnswer(message, leg, &call)
            return
        }
        guard message.sessionBody != call.legs[leg].session.remoteBody, let session = try? readSession(message),
            let other = call.other(leg), (try? takeAnswer(session, message.sessionBody, leg, &call)) != nil
        else { return }
        connect(leg, other, &call)
    }
}
