import Base
import SIP
import SIPStack

/// What time does to calls.
extension CallServer {
    mutating func advanceCall(_ key: UInt32, at now: Instant) {
        guard var call = calls.take(key) else { return }
        switch call.phase {
        case .ringing(let ringing): if ringing.deadline <= now { ringingOver(ringing, &call, at: now) }
        case .over(let until): if until <= now { callOverdue(&call) }
        case .finding, .talking, .served: break
        }
        if let exchange = call.exchange, exchange.deadline <= now { exchangeOverdue(&call, at: now) }
        if call.transfer?.referral?.advance(to: now) == true { call.transfer?.referral = nil }
        for leg in call.legs.indices where !call.legs[leg].isEnded {
            if let due = call.legs[leg].nextDeadline, due <= now { advance(leg, &call, at: now) }
        }
        settle(call, at: now)
    }

    private mutating func advance(_ leg: Int, _ call: inout Call, at now: Instant) {
        switch call.legs[leg].advanceAnswer(to: now) {
        case .send: if let answer = call.legs[leg].answer { send(answer.bytes, on: call.legs[leg].flow, .again) }
        case .giveUp: unacknowledged(leg, &call, at: now)
        case nil: break
        }
        switch call.legs[leg].caller?.provisionals?.advance(to: now) {
        case .send(let bytes): send(bytes, on: call.legs[leg].flow, .again)
        case .giveUp:
            // RFC 3262 3: 64*T1 without a PRACK refuses the INVITE.
            endInvite(&call, leg, status: 504)
            hangUp(&call, "\(call.legs[leg].party.address) acknowledged no provisional response", at: now)
        case nil: break
        }
        guard call.legs[leg].isConfirmed else { return }
        switch call.legs[leg].confirmed?.timer?.advance(to: now) {
        case .refresh: refresh(leg, &call)
        case .expired:
            counters.sessionsExpired &+= 1
            let name = call.legs[leg].party.address
            hangUp(&call, "the session timer of \(name) ran out", cause: 102, text: "session timer", at: now)
        case nil: break
        }
    }

    /// No ACK for 64*T1: the dialog stands, and is ended (RFC 3261 13.3.1.4).
    private mutating func unacknowledged(_ leg: Int, _ call: inout Call, at now: Instant) {
        counters.callsUnacknowledged &+= 1
        if case .leaving(let reason, _) = call.legs[leg].state {
            sendBYE(leg, &call, reason: reason)
            return endLeg(leg, &call)
        }
        hangUp(&call, "\(call.legs[leg].party.address) never acknowledged our 200", cause: 102, at: now)
    }
}
