import Base
import SDP
import SIP
import SIPStack

/// Offer/answer rounds across the two legs of a call: asked on one side, answered on the other (RFC 3264, RFC 3725 for those of our own).
extension ServerNode {
    /// Begins a round. `session`: the asker's offer; nil: `target` is asked for one. Throws, and leaves the call as it was, where it
    /// cannot be met.
    mutating func begin(
        _ asker: CallExchange.Asker, _ session: SessionDescription?, _ body: [UInt8], ask target: Int, for second: Int,
        isInvite: Bool,
        _ call: inout Call, at now: Instant
    ) throws(SessionRefusal) {
        // Not before its ACK is there (RFC 3261 14.1).
        guard call.legs[target].answer?.isOver != false else {
            throw SessionRefusal(399, "the other side has not acknowledged yet", status: 491)
        }
        let former = [target, second].map {
            CallExchange.Former(leg: $0, session: call.legs[$0].session, streams: call.legs[$0].streams)
        }
        do throws(SessionRefusal) {
            var offer: [UInt8] = []
            if let session {
                try takeOffer(session, body, second, &call)
                offer = try self.offer(session, from: second, to: target, &call)
            }
            let client = try renegotiate(offer, target, isInvite: isInvite, &call, at: now)
            call.exchange = CallExchange(
                asker: asker, target: target, second: second, hasOffer: session != nil, step: .asked(client: client),
                former: former,
                deadline: now + settings.calls.timers.patience * 2)
        } catch {
            revert(former, &call)
            throw error
        }
    }

    /// A re-INVITE or UPDATE of ours.
    private mutating func renegotiate(
        _ offer: [UInt8], _ leg: Int, isInvite: Bool, _ call: inout Call, at now: Instant
    ) throws(SessionRefusal) -> UInt32 {
        let flow = requestWay(call.legs[leg])
        let token = freshToken()
        let method: SIPMethod = isInvite ? .invite : .update
        guard call.legs[leg].refreshing == nil,
            var builder = call.legs[leg].dialog?.request(method, via: addresses.via(flow, token))
        else {
            throw SessionRefusal(399, "the other side is being asked already", status: 491)
        }
        addSessionTerms(leg, &call, to: &builder)
        builder.setSession(offer)
        let purpose = ClientTransactions.Purpose.exchange(call: call.key, leg: leg)
        guard ask(builder.bytes, token, on: flow, isInvite: isInvite, purpose, .request(method), at: now) else {
            throw SessionRefusal(399, "a table is full", status: 503)
        }
        if isInvite { call.legs[leg].inviteSequence = call.legs[leg].dialog?.localSequence ?? 0 }
        return token.place
    }

    /// Takes back what a round has changed: what it opened is closed.
    private mutating func revert(_ former: [CallExchange.Former], _ call: inout Call) {
        for saved in former {
            let kept = Set(saved.streams.compactMap { $0?.id })
            for index in call.legs[saved.leg].streams.indices {
                guard let stream = call.legs[saved.leg].streams[index], !kept.contains(stream.id) else { continue }
                closeStream(index, saved.leg, &call)
            }
            guard call.legs[saved.leg].takesPart else { continue }
            let version = call.legs[saved.leg].session.version
            call.legs[saved.leg].session = saved.session
            // What was offered has used up its version.
            call.legs[saved.leg].session.version = version
            call.legs[saved.leg].streams = saved.streams
        }
    }

    // MARK: Answers

    mutating func exchangeAnswered(
        _ key: UInt32, _ leg: Int, _ id: UInt32, _ entry: ClientTransactions.Entry, _ outcome: Outcome, at now: Instant
    ) {
        let isInvite = if case .invite = entry.machine { true } else { false }
        guard var call = calls.take(key) else {
            if isInvite, case .response(let message, 200..<300) = outcome { endStray(message, entry, at: now) }
            return
        }
        defer { settle(call, at: now) }
        guard let exchange = call.exchange, exchange.client == id, call.legs[leg].takesPart else {
            guard isInvite, case .response(let message, 200..<300) = outcome else { return }
            if call.legs[leg].state == .confirmed {
                sendACKAgain(message, call.legs[leg])
            } else {
                endStray(message, entry, at: now)
            }
            return
        }
        switch outcome {
        case .timeout: exchangeFailed(exchange, leg, 408, nil, &call, at: now)
        case .response(let message, let status):
            switch status {
            case ..<200: break
            case 200..<300:
                call.legs[leg].dialog?.refreshTarget(message)
                if call.legs[leg].state == .confirmed {
                    call.legs[leg].timer = SessionTimerTerms(message).timer(asked: call.legs[leg].askedSession, at: now)
                }
                do throws(SessionRefusal) {
                    try exchangeAccepted(message, exchange, leg, isInvite: isInvite, &call, at: now)
                } catch {
                    if isInvite { sendACK([], leg, &call) }
                    exchangeFailed(exchange, leg, error.status, addresses.warning(error, call.legs[leg].flow), &call, at: now)
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
            case .invite(let asker, let key):
                call.exchange?.step = .awaitingACK
                accept(key, relayed, asker, &call, at: now)
            case .replacement, .update: throw SessionRefusal(399, "an offer came where none was asked for")
            case .us:
                let client = try renegotiate(relayed, exchange.second, isInvite: true, &call, at: now)
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
        case .invite(let leg, let key):
            name = call.legs[leg].party.address.description
            if !body.isEmpty { accept(key, body, leg, &call, at: now) }
        case .replacement(let leg, let key, let old):
            name = call.legs[leg].party.address.description
            accept(key, body, leg, &call, at: now)
            replaced(old, by: leg, with: exchange.target, &call, at: now)
        case .update(let leg, let request):
            name = call.legs[leg].party.address.description
            if call.isEarly {
                call.legs[exchange.target].session.early = .changed
                call.legs[leg].session.early = .changed
            }
            acceptUpdate(request, body, leg, &call, at: now)
        case .us: name = "the server"
        }
        traces.note(.call(.renegotiated(call: call.number, by: name, status: 200)))
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
        case .invite(let asker, let key):
            var reply = ReplyWriter.Reply(told)
            if let warning { reply.add("Warning", warning.bytes) }
            respondToInvite(reply, key, tag: call.legs[asker].tag, at: now)
            traces.note(.call(.renegotiated(call: call.number, by: call.legs[asker].party.address.description, status: told)))
        case .replacement(let asker, _, _): endInvite(&call, asker, status: told, warning: warning, at: now)
        case .update(let asker, let request):
            refuseUpdate(request, told, warning, .declinedThere(status), at: now)
            traces.note(.call(.renegotiated(call: call.number, by: call.legs[asker].party.address.description, status: told)))
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
        if let client = exchange.client { cancel(client, at: now) }
        if case .awaitingACK = exchange.step {
            // The asker's ACK never came; its 2xx gives up at the same time and ends the call.
            return hangUp(&call, "\(call.legs[exchange.second].party.address) never acknowledged our 200", cause: 102, at: now)
        }
        exchangeFailed(exchange, exchange.target, 504, nil, &call, at: now)
    }

    /// The asker withdraws its re-INVITE.
    mutating func exchangeCancelled(_ key: ReplyBook.Key, _ call: inout Call, at now: Instant) {
        guard let exchange = call.exchange, case .invite(let leg, key) = exchange.asker, exchange.client != nil else { return }
        withdraw(exchange, &call, at: now)
        respondToInvite(ReplyWriter.Reply(487), key, tag: call.legs[leg].tag, at: now)
    }

    /// The round is given up by who asked for it.
    mutating func withdraw(_ exchange: CallExchange, _ call: inout Call, at now: Instant) {
        if let client = exchange.client { cancel(client, at: now) }
        call.exchange = nil
        revert(exchange.former, &call)
    }

    /// What the caller and a phone negotiate before the answer ends with the phone's ringing.
    mutating func dropEarlyExchange(with leg: Int, _ call: inout Call, at now: Instant) {
        guard let exchange = call.exchange, case .update(let asker, let request) = exchange.asker, call.isEarly,
            exchange.target == leg || exchange.second == leg
        else { return }
        withdraw(exchange, &call, at: now)
        // A caller that is asked now will answer all the same, and believe it.
        if asker == leg { call.needsRound = true }
        refuseUpdate(request, asker == leg ? 487 : 491, nil, .glare, at: now)
    }

    /// Another phone than `winner` had it with the caller.
    mutating func dropEarlyExchange(but winner: Int, _ call: inout Call, at now: Instant) {
        guard let exchange = call.exchange else { return }
        let ringing = max(exchange.target, exchange.second)
        if ringing != winner { dropEarlyExchange(with: ringing, &call, at: now) }
    }

    /// The ACK of a 2xx of ours that carried an offer brings the answer.
    mutating func exchangeAcknowledged(_ request: ServerRequest, _ leg: Int, _ call: inout Call, at now: Instant) {
        if case .leaving(let reason) = call.legs[leg].state {
            sendBYE(leg, &call, reason: reason, at: now)
            return endLeg(leg, &call)
        }
        if case .served = call.phase, call.legs[leg].session.remote == nil {
            do throws(SessionRefusal) { try takeServiceAnswer(request.message, leg, &call) } catch {
                traces.note(.refused(request.flow, status: 488, .session(error)))
                hangUp(&call, "the caller's SDP: \(error.text)", cause: 88, at: now)
            }
            return
        }
        if leg == 0, call.needsRound, call.exchange == nil {
            call.needsRound = false
            if case .talking(0, let other) = call.phase { return join(0, other, &call, at: now) }
            if case .served = call.phase { return reinviteToService(0, &call, at: now) }
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
            traces.note(.refused(request.flow, status: 488, .session(error)))
            sendACK([], target, &call)
            hangUp(&call, "the caller's SDP: \(error.text)", cause: 88, at: now)
        }
    }
}

extension SessionDescription {
    fileprivate var offersFax: Bool { media.contains { !$0.isRejected && $0.profile == .udptl } }
}

extension CallExchange {
    /// The SDP that `leg` was last sent before the round.
    func formerBody(_ leg: Int) -> [UInt8] { former.first { $0.leg == leg }?.session.local ?? [] }
}
