import Base
import SIP
import SIPStack

/// What comes back: answers of phones, of look-ups, of connections, and time.
extension CallServer {
    package var nextDeadline: Instant? {
        guard let lookUp = lookUps.nextDeadline else { return calls.deadlines.nextDeadline }
        return calls.deadlines.nextDeadline.map { min($0, lookUp) } ?? lookUp
    }

    /// What is due first. False: nothing is.
    package mutating func advanceOnce(to now: Instant) -> Bool {
        if let purpose = lookUps.popDue(at: now) {
            counters.lookUpsOverdue &+= 1
            notFound(purpose, at: now)
            return true
        }
        guard let key = calls.deadlines.popDue(at: now) else { return false }
        advanceCall(key, at: now)
        return true
    }

    /// What a request of ours ended in, or brought.
    package mutating func came(_ outcome: ClientOutcome, of sent: Request, at now: Instant) {
        if case .unsent = outcome {
            counters.callTablesFull &+= 1
            note(.full("requests of ours"))
        }
        if case .unwanted(let message) = outcome { return unwanted(message, sent, at: now) }
        switch sent.user {
        case .fork(let key, let leg): forkAnswered(key, leg, sent, outcome, at: now)
        case .exchange(let key, let leg): exchangeAnswered(key, leg, sent, outcome, at: now)
        case .refresh(let key, let leg): refreshAnswered(key, leg, sent, outcome, at: now)
        case .courtesy: break
        case .relay(let request): relayAnswered(request, outcome)
        case .referral(let call, let transfer): referralAnswered(call, transfer, outcome)
        case .delivery(let key, let alternates): deliveryAnswered(key, alternates, outcome)
        }
    }

    /// A 2xx to an INVITE that was withdrawn. Of a re-INVITE only the round is gone: the dialog stays.
    private mutating func unwanted(_ message: SIPMessage, _ sent: Request, at now: Instant) {
        switch sent.user {
        case .exchange(let key, let leg), .refresh(let key, let leg):
            guard var call = calls.take(key) else { return endStray(message, sent) }
            if call.legs.indices.contains(leg), call.legs[leg].isConfirmed {
                sendACK([], leg, &call)
            } else {
                endStray(message, sent)
            }
            settle(call, at: now)
        case .fork, .courtesy, .relay, .referral, .delivery: endStray(message, sent)
        }
    }

    // MARK: Look-ups

    /// A look-up is not answered at once: whoever answers it takes his time.
    package mutating func waits(_ id: UInt32) {
        guard case .ring(let key)? = lookUps[id], var call = calls.take(key) else { return }
        findingTakesTime(&call)
        calls.put(call)
    }

    /// The answer to a look-up. One that comes too late is let be.
    package mutating func found(_ id: UInt32, _ found: Found, at now: Instant) {
        guard let purpose = lookUps.end(id) else { return }
        if case .delivery(let key) = purpose { return deliver(key, found) }
        guard let key = purpose.call, var call = calls.take(key) else { return callIsGone(purpose) }
        switch purpose {
        case .ring: ring(found, &call, at: now)
        case .forward(_, let index, let contact): forwardFound(index, contact, found, &call, at: now)
        case .transfer(_, let leg, let request, let target): transferFound(leg, request, target, found, &call, at: now)
        case .nextFlow(_, let leg): nextFlow(leg, found, &call, at: now)
        case .delivery: break
        }
        concludeRinging(&call, at: now)
        settle(call, at: now)
    }

    /// Nobody told in time.
    private mutating func notFound(_ purpose: LookUpTable.Purpose, at now: Instant) {
        if case .delivery(let key) = purpose {
            guard let delivery = deliveries[key] else { return }
            deliveries[key] = nil
            return refuse(delivery.request, 504, .noAnswer)
        }
        guard let key = purpose.call, var call = calls.take(key) else { return callIsGone(purpose) }
        switch purpose {
        case .ring:
            if case .finding = call.phase {
                noteRefusal(call.legs[0].flow, status: 504, .noAnswer)
                endInvite(&call, status: 504)
                finish(&call, "nobody told in time where \(call.calledName) can be reached", at: now)
            }
        case .forward(_, let index, let contact): forwardFound(index, contact, nil, &call, at: now)
        case .transfer(_, _, let request, _):
            call.isReferring = false
            refuse(request, 504, .noAnswer)
        case .nextFlow(_, let leg): nextFlow(leg, Found(owner: .otherScheme), &call, at: now)
        case .delivery: break
        }
        concludeRinging(&call, at: now)
        settle(call, at: now)
    }

    /// Whoever asked for a transfer is told that there is nothing to be transferred any more.
    private mutating func callIsGone(_ purpose: LookUpTable.Purpose) {
        if case .transfer(_, _, let request, _) = purpose { refuse(request, 481, .noDialog) }
    }

    // MARK: Connections

    /// A connection is gone: legs on it can be told nothing more (RFC 5626 4.2.1). A phone that rings may have another flow.
    package mutating func closed(_ flow: FlowID, at now: Instant) {
        for key in calls.takeStream(flow) {
            guard var call = calls.take(key) else { continue }
            for leg in call.legs.indices where call.legs[leg].flow == flow && !call.legs[leg].isEnded {
                let name = call.legs[leg].party.address.description
                switch call.legs[leg].state {
                case .inviting where !call.legs[leg].isCaller:
                    if let client = call.legs[leg].client { outbox.append(.forget(client)) }
                    decline(leg, 480, .flowDead, &call, at: now)
                case .inviting, .confirmed, .leaving:
                    endLeg(leg, &call)
                    partyLeft(leg, &call, "the connection of \(name) closed", at: now)
                case .ended: break
                }
            }
            concludeRinging(&call, at: now)
            settle(call, at: now)
        }
    }
}

extension LookUpTable.Purpose {
    fileprivate var call: UInt32? {
        switch self {
        case .ring(let call), .forward(let call, _, _), .transfer(let call, _, _, _), .nextFlow(let call, _): call
        case .delivery: nil
        }
    }
}
