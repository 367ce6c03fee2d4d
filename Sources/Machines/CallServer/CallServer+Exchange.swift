import Base
import SDP
import SIP
import SIPStack

/// What becomes of offer/answer rounds: answers, refusals, silence, ACKs.
extension CallServer {
    mutating func exchangeAnswered(
        _ key: UInt32, _ leg: Int, _ sent: Request, _ outcome: ClientOutcome, at now: Instant
    ) {
        let isInvite = sent.isInvite
        guard var call = calls.take(key) else {
            if isInvite, case .response(let message, 200..<300) = outcome { endStray(message, sent) }
            return
        }
        defer { settle(call, at: now) }
        guard let exchange = call.exchange, exchange.client == sent.name, call.legs[leg].takesPart else {
            guard isInvite, case .response(let message, 200..<300) = outcome else { return }
            if call.legs[leg].isConfirmed {
                sendACKAgain(message, call.legs[leg])
            } else {
                endStray(message, sent)
            }
            return
        }
        switch outcome {
        case .unwanted: break
        case .unsent: exchangeFailed(exchange, leg, 503, nil, &call, at: now)
        case .timeout, .failed: exchangeFailed(exchange, leg, 408, nil, &call, at: now)
        case .response(let message, let status):
            switch status {
            case ..<200: break
            case 200..<300:
                call.legs[leg].dialog?.refreshTarget(message)
                if call.legs[leg].isConfirmed {
                    let asked = call.legs[leg].askedSession
                    call.legs[leg].confirmed?.timer = SessionTimerTerms(message).timer(asked: asked, at: now)
                }
                do throws(SessionRefusal) {
                    try exchangeAccepted(message, exchange, leg, isInvite: isInvite, &call, at: now)
                } catch {
                    if isInvite { sendACK([], leg, &call) }
                    exchangeFailed(
                        exchange, leg, error.status, settings.addresses.warning(error, call.legs[leg].flow), &call, at: now)
                }
            default: exchangeFailed(exchange, leg, status, message.first(.warning)?.value.detached, &call, at: now)
            }
        }
    }

    private mutating func exchangeAccepted(
        _ message: SIPMessage, _ exchange: CallExchange, _ leg: Int, isInvite: Bool, _ call: inout Call, at now: Instant
    ) throws(SessionRefusal) {
        guard let session = try readSession(message) else { throw SessionRefusal(399, "the answer brings no SDP") }
        let body = message.sessionBody
        switch exchange.step {
        case .asked:
            if exchange.hasOffer {
                try takeAnswer(session, body, exchange.target, &call)
                if isInvite { sendACK([], exchange.target, &call) }
                let reply = answer(session, from: exchange.target, to: exchange.second, &call)
                // Another phone may still take what this one refused.
                connect(exchange.second, exchange.target, isFinal: !call.isEarly, &call)
                return exchangeDone(exchange, reply, &call, at: now)
            }
            try takeOffer(session, body, exchange.target, &call)
            let relayed = try offer(session, from: exchange.target, to: exchange.second, &call)
            switch exchange.asker {
            case .invite(let asker, let invite):
                call.exchange?.step = .awaitingACK
                accept(invite, relayed, asker, &call, at: now)
            case .replacement, .update: throw SessionRefusal(399, "an offer came where none was asked for")
            case .us:
                let client = try renegotiate(relayed, exchange.second, isInvite: true, &call)
                call.exchange?.step = .relayed(client: client)
            }
        case .relayed:
            sendACK([], exchange.second, &call)
            try takeAnswer(session, body, exchange.second, &call)
            let reply = answer(session, from: exchange.second, to: exchange.target, &call)
            sendACK(reply, exchange.target, &call)
            connect(exchange.target, exchange.second, &call)
            exchangeDone(exchange, [], &call, at: now)
        case .awaitingACK: break
        }
    }

    /// Both sides agree.
    private mutating func exchangeDone(_ exchange: CallExchange, _ body: [UInt8], _ call: inout Call, at now: Instant) {
        call.exchange = nil
        let name: String
        switch exchange.asker {
        case .invite(let leg, let invite):
            name = call.legs[leg].party.address.description
            if !body.isEmpty { accept(invite, body, leg, &call, at: now) }
        case .replacement(let leg, let invite, let old):
            name = call.legs[leg].party.address.description
            accept(invite, body, leg, &call, at: now)
            replaced(old, by: leg, with: exchange.target, &call)
        case .update(let leg, let request):
            name = call.legs[leg].party.address.description
            if call.isEarly {
                call.legs[exchange.target].session.early = .changed
                call.legs[leg].session.early = .changed
            }
            acceptUpdate(request, body, leg, &call, at: now)
        case .us: name = "the server"
        }
        note(.call(.renegotiated(call: call.number, by: name, status: 200)))
    }

    /// The new leg talks; the old one leaves (RFC 3891).
    private mutating func replaced(_ old: Int, by leg: Int, with other: Int, _ call: inout Call) {
        call.legs[leg].hasTalked = true
        leave(old, &call, reason: "SIP;cause=200;text=\"replaced\"")
        call.phase = .talking(leg, other)
        announce(&call, 2)
    }

    /// A side refused, or is lost: the session stays as it was, or the call ends (RFC 3261 12.2.1.2, 14.1).
    private mutating func exchangeFailed(
        _ exchange: CallExchange, _ leg: Int, _ status: Int, _ warning: SIPText?, _ call: inout Call, at now: Instant
    ) {
        call.exchange = nil
        // The target's offer must be answered all the same: by what held before.
        if case .relayed = exchange.step { sendACK(exchange.formerBody(exchange.target), exchange.target, &call) }
        // Gateways stay with sound where fax is refused by 488.
        let isFax = exchange.hasOffer && call.legs[exchange.second].session.remote?.offersFax == true
        revert(exchange.former, &call)
        let isLost = status == 408 || status == 481
        let told = status == 401 || status == 407 || isLost ? 480 : isFax && (status == 415 || status == 606) ? 488 : status
        switch exchange.asker {
        case .invite(let asker, let invite):
            var reply = ReplyWriter.Reply(told)
            if let warning { reply.add("Warning", warning.bytes) }
            respond(reply, to: invite, tag: call.legs[asker].tag)
            note(.call(.renegotiated(call: call.number, by: call.legs[asker].party.address.description, status: told)))
        case .replacement(let asker, _, _): endInvite(&call, asker, status: told, warning: warning)
        case .update(let asker, let request):
            refuseUpdate(request, told, warning, .declinedThere(status))
            note(.call(.renegotiated(call: call.number, by: call.legs[asker].party.address.description, status: told)))
        case .us:
            if !isLost {
                return hangUp(&call, "the parties of a transfer did not agree (\(status))", cause: 88, at: now)
            }
        }
        // A phone that still rings is judged by its answer to the INVITE.
        if isLost, !call.isEarly {
            hangUp(&call, "\(call.legs[leg].party.address) has lost the dialog (\(status))", cause: 102, at: now)
        }
    }

    mutating func exchangeOverdue(_ call: inout Call, at now: Instant) {
        guard let exchange = call.exchange else { return }
        cancel(exchange.client)
        if case .awaitingACK = exchange.step {
            // The asker's ACK never came; its 2xx gives up at the same time and ends the call.
            return hangUp(&call, "\(call.legs[exchange.second].party.address) never acknowledged our 200", cause: 102, at: now)
        }
        exchangeFailed(exchange, exchange.target, 504, nil, &call, at: now)
    }

    /// The asker withdraws its re-INVITE.
    mutating func exchangeCancelled(_ key: UInt64, _ call: inout Call) {
        guard let exchange = call.exchange, case .invite(let leg, let invite) = exchange.asker, invite.key == key,
            exchange.client != nil
        else { return }
        withdraw(exchange, &call)
        respond(ReplyWriter.Reply(487), to: invite, tag: call.legs[leg].tag)
    }

    /// The ACK of a 2xx of ours that carried an offer brings the answer.
    mutating func exchangeAcknowledged(_ request: ServerRequest, _ leg: Int, _ call: inout Call, at now: Instant) {
        if case .leaving(let reason, _) = call.legs[leg].state {
            sendBYE(leg, &call, reason: reason)
            return endLeg(leg, &call)
        }
        if case .served = call.phase, call.legs[leg].session.remote == nil {
            do throws(SessionRefusal) { try takeServiceAnswer(request.message, leg, &call) } catch {
                hangUp(&call, "the caller's SDP: \(error.text)", cause: 88, at: now)
            }
            return
        }
        if leg == 0, call.needsRound, call.exchange == nil {
            call.needsRound = false
            if case .talking(0, let other) = call.phase { return join(0, other, &call, at: now) }
            if case .served = call.phase { return reinviteToService(0, &call) }
        }
        let target: Int
        if let exchange = call.exchange {
            guard case .awaitingACK = exchange.step, exchange.second == leg else { return }
            target = exchange.target
        } else {
            guard !call.hasOffer, leg == 0, case .talking(0, let other) = call.phase, call.legs[other].acks.isEmpty
            else { return }
            target = other
        }
        do throws(SessionRefusal) {
            guard let session = try readSession(request.message) else { throw SessionRefusal(399, "the ACK brings no SDP") }
            try takeAnswer(session, request.message.sessionBody, leg, &call)
            let body = answer(session, from: leg, to: target, &call)
            sendACK(body, target, &call)
            connect(target, leg, &call)
            if let exchange = call.exchange { exchangeDone(exchange, [], &call, at: now) }
        } catch {
            sendACK([], target, &call)
            hangUp(&call, "the caller's SDP: \(error.text)", cause: 88, at: now)
        }
    }
}

extension SessionDescription {
    fileprivate var offersFax: Bool { media.contains { !$0.isRejected && $0.profile == .udptl } }
}
