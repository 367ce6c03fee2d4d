import Base
import SIP
import SIPStack

/// What time does to calls.
extension ServerNode {
    mutating func advanceCalls(to now: Instant) {
        while let timer = calls.deadlines.popDue(at: now) {
            switch timer {
            case .client(let id): advancedClient(id, at: now)
            case .invite(let key): advanceInvite(key, at: now)
            case .call(let key): advanceCall(key, at: now)
            case .subscription(let key): advanceSubscription(key, at: now)
            }
        }
    }

    private mutating func advanceCall(_ key: UInt32, at now: Instant) {
        guard var call = calls.take(key) else { return }
        switch call.phase {
        case .ringing(let ringing): if ringing.deadline <= now { ringingOver(ringing, &call, at: now) }
        case .over(let until): if until <= now { callOverdue(&call, at: now) }
        case .talking, .served: break
        }
        if let exchange = call.exchange, exchange.deadline <= now { exchangeOverdue(&call, at: now) }
        for leg in call.legs.indices where call.legs[leg].state != .ended {
            if let due = call.legs[leg].nextDeadline, due <= now { advance(leg, &call, at: now) }
        }
        settle(call, at: now)
    }

    private mutating func advance(_ leg: Int, _ call: inout Call, at now: Instant) {
        switch call.legs[leg].answer?.advance(to: now) {
        case .send: if let answer = call.legs[leg].answer { send(answer.bytes, on: call.legs[leg].flow, .retransmission) }
        case .giveUp: unacknowledged(leg, &call, at: now)
        case nil: break
        }
        switch call.legs[leg].provisionals?.advance(to: now) {
        case .send(let bytes): send(bytes, on: call.legs[leg].flow, .retransmission)
        case .giveUp:
            // RFC 3262 3: 64*T1 without a PRACK refuses the INVITE.
            endInvite(&call, leg, status: 504, at: now)
            hangUp(&call, "\(call.legs[leg].party.address) acknowledged no provisional response", at: now)
        case nil: break
        }
        guard call.legs[leg].state == .confirmed else { return }
        switch call.legs[leg].timer?.advance(to: now) {
        case .refresh: refresh(leg, &call, at: now)
        case .expired:
            tally.sessionsExpired &+= 1
            sessionExpired(leg, &call, at: now)
        case nil: break
        }
    }

    /// No ACK for 64*T1: the dialog stands, and is ended (RFC 3261 13.3.1.4).
    private mutating func unacknowledged(_ leg: Int, _ call: inout Call, at now: Instant) {
        tally.callsUnacknowledged &+= 1
        if case .leaving(let reason) = call.legs[leg].state {
            sendBYE(leg, &call, reason: reason, at: now)
            return endLeg(leg, &call)
        }
        hangUp(&call, "\(call.legs[leg].party.address) never acknowledged our 200", cause: 102, at: now)
    }

    private mutating func sessionExpired(_ leg: Int, _ call: inout Call, at now: Instant) {
        hangUp(&call, "the session timer of \(call.legs[leg].party.address) ran out", cause: 102, text: "session timer", at: now)
    }

    /// When calls next need attention.
    var callDeadline: Instant? { calls.deadlines.nextDeadline }
}
