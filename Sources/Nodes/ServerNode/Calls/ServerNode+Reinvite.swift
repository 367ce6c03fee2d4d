import Base
import SDP
import SIP
import SIPStack

/// A phone changes its session: re-INVITE and UPDATE (RFC 3261 14.2, RFC 3311 5.2).
extension ServerNode {
    mutating func reinvite(_ request: inout ServerRequest, at now: Instant) {
        guard let (key, leg) = enterDialog(&request, at: now) else { return }
        guard var call = calls.take(key) else { return refuse(&request, 481, .noDialog, at: now) }
        defer { settle(call, at: now) }
        guard mayChange(&request, leg, &call, at: now) else { return }
        openInvite(request, call: key, leg: leg, at: now)
        let message = request.message
        call.legs[leg].dialog?.refreshTarget(message)
        call.legs[leg].takesUpdate = Self.allowsUpdate(message)
        let inviteKey = request.key
        do throws(SessionRefusal) {
            let session = try readSession(message)
            let body = message.sessionBody
            if case .served = call.phase {
                let answer = session == nil ? call.legs[leg].session.local : try reanswerAsService(session!, body, leg, &call)
                return accept(inviteKey, answer, leg, &call, at: now)
            }
            guard let other = call.other(leg), call.legs[other].state == .confirmed else {
                return refuseReinvite(
                    inviteKey, leg, &call, SessionRefusal(399, "nobody is on the other side now", status: 480), at: now)
            }
            if session != nil, isUnchanged(body, leg, call) {
                relearn(leg, other, &call)
                return accept(inviteKey, call.legs[leg].session.local, leg, &call, at: now)
            }
            try begin(.invite(leg: leg, inviteKey), session, body, ask: other, for: leg, isInvite: true, &call, at: now)
        } catch {
            refuseReinvite(inviteKey, leg, &call, error, at: now)
        }
    }

    mutating func update(_ request: inout ServerRequest, at now: Instant) {
        guard let (key, leg) = enterDialog(&request, at: now) else { return }
        guard var call = calls.take(key) else { return refuse(&request, 481, .noDialog, at: now) }
        defer { settle(call, at: now) }
        let message = request.message
        do throws(SessionRefusal) {
            let session = try readSession(message)
            guard let session else {
                if tooSmall(&request, at: now) { return }
                call.legs[leg].dialog?.refreshTarget(message)
                return acceptUpdate(request, [], leg, &call, at: now)
            }
            guard mayChange(&request, leg, &call, at: now) else { return }
            call.legs[leg].dialog?.refreshTarget(message)
            let body = message.sessionBody
            if case .served = call.phase {
                return acceptUpdate(request, try reanswerAsService(session, body, leg, &call), leg, &call, at: now)
            }
            let early = call.earlyOther(leg)
            guard let other = early ?? call.other(leg), early != nil || call.legs[other].state == .confirmed else {
                throw SessionRefusal(399, "nobody is on the other side now", status: 480)
            }
            if isUnchanged(body, leg, call) {
                relearn(leg, other, &call)
                return acceptUpdate(request, call.legs[leg].session.local, leg, &call, at: now)
            }
            let asks = call.legs[other].takesUpdate
            try begin(.update(leg: leg, request), session, body, ask: other, for: leg, isInvite: !asks, &call, at: now)
        } catch {
            refuseUpdate(request, error.status, addresses.warning(error, request.flow), .session(error), at: now)
        }
    }

    private mutating func reanswerAsService(
        _ session: SessionDescription, _ body: [UInt8], _ leg: Int, _ call: inout Call
    ) throws(SessionRefusal) -> [UInt8] {
        try answerAsService(session, body, leg, &call)
    }

    /// Glare and order (RFC 3261 14.2, RFC 3311 5.2, RFC 4028 9). False: the request is refused already.
    private mutating func mayChange(_ request: inout ServerRequest, _ leg: Int, _ call: inout Call, at now: Instant) -> Bool {
        switch call.legs[leg].state {
        case .confirmed: break
        // Before the answer: by UPDATE, where both sides have agreed already and the other takes it, too.
        case .inviting where request.method == .update && call.earlyOther(leg).map { call.legs[$0].takesUpdate } == true: break
        case .inviting:
            var reply = ReplyWriter.Reply(500)
            reply.add("Retry-After", number: 3)
            refuse(&request, reply, .glare, at: now)
            return false
        case .leaving, .ended:
            refuse(&request, 481, .noDialog, at: now)
            return false
        }
        if tooSmall(&request, at: now) { return false }
        if let exchange = call.exchange {
            tally.glares &+= 1
            if case .invite(leg, _) = exchange.asker {
                // Its own is not answered yet.
                var reply = ReplyWriter.Reply(500)
                reply.add("Retry-After", number: UInt32(truncatingIfNeeded: callEntropy.next() % 10))
                refuse(&request, reply, .glare, at: now)
            } else {
                refuse(&request, 491, .glare, at: now)
            }
            return false
        }
        let awaitsAnswer = call.legs[leg].answer?.isOver == false && call.legs[leg].session.remote == nil
        if call.legs[leg].refreshing != nil || awaitsAnswer || isAwaitingAnswer(leg, call) {
            tally.glares &+= 1
            refuse(&request, 491, .glare, at: now)
            return false
        }
        // It has our 2xx, or it would not go on: only the ACK was lost.
        call.legs[leg].answer?.acknowledge()
        return true
    }

    /// Whether the call's first offer is still to be answered by the caller's ACK.
    private func isAwaitingAnswer(_ leg: Int, _ call: Call) -> Bool {
        guard !call.hasOffer, case .talking(0, let other) = call.phase else { return false }
        return call.legs[0].session.remote == nil && (leg == 0 || leg == other)
    }

    private mutating func tooSmall(_ request: inout ServerRequest, at now: Instant) -> Bool {
        let terms = SessionTimerTerms(request.message)
        guard case .tooSmall(let shortest) = terms.answer(settings.calls.session) else { return false }
        var reply = ReplyWriter.Reply(422)
        reply.add("Min-SE", number: shortest)
        refuse(&request, reply, .sessionTooSmall(terms.interval ?? 0), at: now)
        return true
    }

    /// Nothing but a session refresh (RFC 4028 7.4).
    private func isUnchanged(_ body: [UInt8], _ leg: Int, _ call: Call) -> Bool {
        body == call.legs[leg].session.remoteBody && !call.legs[leg].session.local.isEmpty
    }

    /// The phone may have moved all the same: its media are looked for anew.
    private mutating func relearn(_ leg: Int, _ other: Int, _ call: inout Call) {
        for index in call.legs[leg].streams.indices { call.legs[leg].streams[index]?.epoch &+= 1 }
        connect(leg, other, isFinal: !call.isEarly, &call)
    }

    mutating func acceptUpdate(_ request: ServerRequest, _ body: [UInt8], _ leg: Int, _ call: inout Call, at now: Instant) {
        var request = request
        var reply = dialogReply(200, request, leg, call)
        if call.legs[leg].state == .confirmed { startTimer(answering: request.message, leg, &call, &reply, at: now) }
        reply.setSession(body)
        answer(&request, reply, .response(status: 200), at: now)
    }

    mutating func refuseUpdate(
        _ request: ServerRequest, _ status: Int, _ warning: SIPText?, _ refusal: ServerTrace.Refusal, at now: Instant
    ) {
        var request = request
        var reply = ReplyWriter.Reply(status)
        if let warning { reply.add("Warning", warning.bytes) }
        if status == 503 || status == 480 { reply.add("Retry-After", number: 5) }
        if status == 415 { reply.addAcceptedBodies() }
        refuse(&request, reply, refusal, at: now)
    }

    /// The session stays as it was (RFC 3261 14.1).
    private mutating func refuseReinvite(
        _ key: ReplyBook.Key, _ leg: Int, _ call: inout Call, _ refusal: SessionRefusal, at now: Instant
    ) {
        traces.note(.refused(call.legs[leg].flow, status: refusal.status, .session(refusal)))
        var reply = ReplyWriter.Reply(refusal.status)
        reply.add("Warning", addresses.warning(refusal, call.legs[leg].flow).bytes)
        if refusal.status == 415 { reply.addAcceptedBodies() }
        respondToInvite(reply, key, tag: call.legs[leg].tag, at: now)
    }
}
