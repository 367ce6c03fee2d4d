import Base
import SIP
import SIPStack

/// What becomes due in a call.
extension CallAgent {
    mutating func advance(_ id: PhoneCallID, to now: Instant) {
        guard var call = calls[id] else { return }
        if case .asking(let until, let rtp, let rtcp) = call.mapping, until <= now {
            settleMapping(&call, rtp, rtcp, at: now)
        }
        if let due = call.mappingRefreshAt, due <= now { refreshMapping(&call, at: now) }
        switch call.state {
        case .inviting(var inviting): advance(&inviting, &call, to: now)
        case .ringing: advanceRinging(&call, to: now)
        case .confirmed: advanceConfirmed(&call, to: now)
        case .preparing, .closing, .gone: break
        }
        store(call)
    }

    private mutating func advance(_ inviting: inout Call.Inviting, _ call: inout Call, to now: Instant) {
        switch inviting.cancelling {
        case .no:
            guard inviting.giveUpAt <= now else { return }
            call.pendingEnd = .noAnswer
            cancel(&inviting, &call, at: now)
            call.state = .inviting(inviting)
        case .wanted: break
        case .sent(let until):
            // RFC 3261 9.1: the INVITE is over 64*T1 after its CANCEL, answered or not.
            guard until <= now else { return }
            layer.abandon(inviting.transaction)
            sent[inviting.transaction] = nil
            fail(&call, .cancelled, at: now)
        }
    }

    private mutating func advanceRinging(_ call: inout Call, to now: Instant) {
        guard case .ringing(var ringing) = call.state else { return }
        if let due = ringing.answerAt, due <= now { return accept(&call, at: now) }
        guard ringing.giveUpAt > now else { return turnDown(&call, 480, end: .noAnswer, at: now) }
        switch ringing.provisionals.advance(to: now) {
        case .send(let bytes):
            layer.sendStatelessly(bytes, over: ringing.flow)
            call.state = .ringing(ringing)
        case .giveUp:
            call.state = .ringing(ringing)
            turnDown(&call, 504, end: .lost("a provisional response was never acknowledged"), at: now)
        case nil: break
        }
    }

    private mutating func advanceConfirmed(_ call: inout Call, to now: Instant) {
        guard case .confirmed(var confirmed) = call.state else { return }
        if var waiting = confirmed.unacknowledged {
            switch waiting.repeater.advance(to: now) {
            case .send:
                layer.sendStatelessly(waiting.repeater.bytes, over: waiting.flow)
                confirmed.unacknowledged = waiting
                call.state = .confirmed(confirmed)
            case .giveUp:
                // RFC 3261 13.3.1.4: nobody acknowledged our 2xx for 64*T1.
                confirmed.unacknowledged = nil
                call.state = .confirmed(confirmed)
                if confirmed.byeWaits || !call.isAlive {
                    bye(&call, &confirmed.dialog, at: now)
                    call.state = .closing(confirmed.dialog)
                } else {
                    end(&call, .lost("our 200 was never acknowledged"), at: now)
                }
                return
            case nil: break
            }
        }
        guard call.isAlive else { return }
        if let due = call.hangUpAt, due <= now {
            call.hangUpAt = nil
            return end(&call, .hungUp, at: now)
        }
        if let due = call.dtmfAt, due <= now {
            call.dtmfAt = nil
            let digits = call.dtmf
            store(call)
            dial(call.id, digits, at: now)
            call = calls[call.id] ?? call
        }
        if case .confirmed(var confirmed) = call.state, let due = confirmed.retryAt, due <= now {
            confirmed.retryAt = nil
            call.state = .confirmed(confirmed)
            renegotiate(&call, at: now)
        }
        if var timer = call.timer {
            let action = timer.advance(to: now)
            call.timer = timer
            switch action {
            case .refresh: refresh(&call, at: now)
            case .expired: end(&call, .lost("the session timer ran out"), at: now)
            case nil: break
            }
        }
    }

    /// RFC 4028 7.4: UPDATE without an offer where the other side knows it, else a re-INVITE that says what was said.
    private mutating func refresh(_ call: inout Call, at now: Instant) {
        guard case .confirmed(var confirmed) = call.state, confirmed.renegotiation == nil else { return }
        guard call.peerTakesUpdate else { return renegotiate(&call, isRefresh: true, at: now) }
        var draft = Draft(method: .update)
        addTimer(to: &draft, call)
        send(draft, for: .update(isRefresh: true), &call, &confirmed.dialog, at: now)
        call.state = .confirmed(confirmed)
    }
}
