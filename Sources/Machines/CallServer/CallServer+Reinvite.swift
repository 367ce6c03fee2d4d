import Base
import SDP
import SIP
import SIPStack

/// A phone changes its session: re-INVITE and UPDATE (RFC 3261 14.2, RFC 3311 5.2).
extension CallServer {
    package mutating func reinvite(_ request: ServerRequest, at now: Instant) {
        guard let (key, leg) = enterDialog(request), var call = calls.take(key) else { return }
        defer { settle(call, at: now) }
        guard mayChange(request, leg, &call) else { return }
        open(request, leg, call)
        let message = request.message
        call.legs[leg].dialog?.refreshTarget(message)
        call.legs[leg].takesUpdate = message.allowsUpdate
        do throws(SessionRefusal) {
            let session = try readSession(message)
            let body = message.sessionBody
            if case .served = call.phase {
                let answer = session == nil ? call.legs[leg].session.local : try answerAsService(session!, body, leg, &call)
                return accept(request, answer, leg, &call, at: now)
            }
            guard let other = call.other(leg), call.legs[other].isConfirmed else {
                return refuseReinvite(
                    request, leg, &call, SessionRefusal(399, "nobody is on the other side now", status: 480))
            }
            if session != nil, isUnchanged(body, leg, call) {
                relearn(leg, other, &call)
                return accept(request, call.legs[leg].session.local, leg, &call, at: now)
            }
            try begin(.invite(leg: leg, request), session, body, ask: other, for: leg, isInvite: true, &call, at: now)
        } catch {
            refuseReinvite(request, leg, &call, error)
        }
    }

    package mutating func update(_ request: ServerRequest, at now: Instant) {
        guard let (key, leg) = enterDialog(request), var call = calls.take(key) else { return }
        defer { settle(call, at: now) }
        let message = request.message
        do throws(SessionRefusal) {
            let session = try readSession(message)
            guard let session else {
                if tooSmall(request) { return }
                call.legs[leg].dialog?.refreshTarget(message)
                return acceptUpdate(request, [], leg, &call, at: now)
            }
            guard mayChange(request, leg, &call) else { return }
            call.legs[leg].dialog?.refreshTarget(message)
            let body = message.sessionBody
            if case .served = call.phase {
                return acceptUpdate(request, try answerAsService(session, body, leg, &call), leg, &call, at: now)
            }
            let early = call.earlyOther(leg)
            guard let other = early ?? call.other(leg), early != nil || call.legs[other].isConfirmed else {
                throw SessionRefusal(399, "nobody is on the other side now", status: 480)
            }
            if isUnchanged(body, leg, call) {
                relearn(leg, other, &call)
                return acceptUpdate(request, call.legs[leg].session.local, leg, &call, at: now)
            }
            let asks = call.legs[other].takesUpdate
            try begin(.update(leg: leg, request), session, body, ask: other, for: leg, isInvite: !asks, &call, at: now)
        } catch {
            refuseUpdate(request, error.status, settings.addresses.warning(error, request.flow), .session(error))
        }
    }

    /// Glare and order (RFC 3261 14.2, RFC 3311 5.2, RFC 4028 9). False: the request is refused already.
    private mutating func mayChange(_ request: ServerRequest, _ leg: Int, _ call: inout Call) -> Bool {
        switch call.legs[leg].state {
        case .confirmed: break
        // Before the answer: by UPDATE, where both sides have agreed already and the other takes it, too.
        case .inviting where request.method == .update && call.earlyOther(leg).map { call.legs[$0].takesUpdate } == true: break
        case .inviting:
            var reply = ReplyWriter.Reply(500)
            reply.add("Retry-After", number: 3)
            refuse(request, reply, .glare)
            return false
        case .leaving, .ended:
            refuse(request, 481, .noDialog)
            return false
        }
        if tooSmall(request) { return false }
        if let exchange = call.exchange {
            counters.glares &+= 1
            if case .invite(leg, _) = exchange.asker {
                // Its own is not answered yet.
                var reply = ReplyWriter.Reply(500)
                reply.add("Retry-After", number: UInt32(truncatingIfNeeded: entropy.next() % 10))
                refuse(request, reply, .glare)
            } else {
                refuse(request, 491, .glare)
            }
            return false
        }
        let awaitsAnswer = call.legs[leg].awaitsACK && call.legs[leg].session.remote == nil
        if call.legs[leg].confirmed?.refreshing != nil || awaitsAnswer || isAwaitingAnswer(leg, call) {
            counters.glares &+= 1
            refuse(request, 491, .glare)
            return false
        }
        // It has our 2xx, or it would not go on: only the ACK was lost.
        call.legs[leg].acknowledge()
        return true
    }

    /// Whether the call's first offer is still to be answered by the caller's ACK.
    private func isAwaitingAnswer(_ leg: Int, _ call: Call) -> Bool {
        guard !call.hasOffer, case .talking(0, let other) = call.phase else { return false }
        return call.legs[0].session.remote == nil && (leg == 0 || leg == other)
    }

    private mutating func tooSmall(_ request: ServerRequest) -> Bool {
        let terms = SessionTimerTerms(request.message)
        guard case .tooSmall(let shortest) = terms.answer(settings.calls.session) else { return false }
        var reply = ReplyWriter.Reply(422)
        reply.add("Min-SE", number: shortest)
        refuse(request, reply, .sessionTooSmall(terms.interval ?? 0))
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

    /// The session stays as it was (RFC 3261 14.1).
    private mutating func refuseReinvite(
        _ request: ServerRequest, _ leg: Int, _ call: inout Call, _ refusal: SessionRefusal
    ) {
        noteRefusal(call.legs[leg].flow, status: refusal.status, .session(refusal))
        var reply = ReplyWriter.Reply(refusal.status)
        reply.add("Warning", settings.addresses.warning(refusal, call.legs[leg].flow).bytes)
        if refusal.status == 415 { reply.addAcceptedBodies() }
        respond(reply, to: request, tag: call.legs[leg].tag)
    }
}
