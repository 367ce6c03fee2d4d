import Base
import SDP
import SIP
import SIPStack

/// What each phone that is rung answers, and what the caller hears of it (RFC 3261 16.7, RFC 3262).
extension CallServer {
    mutating func forkAnswered(
        _ key: UInt32, _ leg: Int, _ sent: Request, _ outcome: ClientOutcome, at now: Instant
    ) {
        guard var call = calls.take(key), call.legs.indices.contains(leg) else {
            if case .response(let message, 200..<300) = outcome { endStray(message, sent) }
            return
        }
        // Ours is this INVITE only while no newer one was sent on the leg.
        let isCurrent = call.legs[leg].isAwaited(sent.name)
        switch outcome {
        case .unwanted: break
        case .unsent: if isCurrent, call.legs[leg].isInviting { decline(leg, 503, .flowDead, &call, at: now) }
        case .failed: if isCurrent, call.legs[leg].isInviting { decline(leg, 480, .flowDead, &call, at: now) }
        case .timeout:
            if isCurrent, call.legs[leg].isInviting {
                noteSilence(sent, call.legs[leg], call)
                decline(leg, 408, .timedOut, &call, at: now)
            }
        case .response(let message, let status):
            switch status {
            case ..<200: if isCurrent { forkProgressed(message, status, leg, sent, &call, at: now) }
            case 200..<300: forkAccepted(message, leg, sent, isCurrent, &call, at: now)
            default: if isCurrent, call.legs[leg].isInviting { forkRefused(message, status, leg, &call, at: now) }
            }
        }
        concludeRinging(&call, at: now)
        settle(call, at: now)
    }

    /// A large INVITE drew nothing at all: the way may drop fragments.
    private mutating func noteSilence(_ sent: Request, _ leg: CallLeg, _ call: Call) {
        guard sent.flow.transport == .udp, sent.bytes.count > 1_300, leg.callee?.hasRung == false else { return }
        outbox.append(.unanswered(call: call.number, leg.party.address, sent.flow, bytes: sent.bytes.count))
    }

    private mutating func forkProgressed(
        _ message: SIPMessage, _ status: Int, _ leg: Int, _ sent: Request, _ call: inout Call, at now: Instant
    ) {
        guard status > 100, call.legs[leg].isInviting else { return }
        if call.legs[leg].dialog == nil, let request = try? SIPMessage(parsing: sent.bytes),
            let dialog = try? Dialog(request: request, response: message)
        {
            call.legs[leg].dialog = dialog
        }
        if message.allowsUpdate { call.legs[leg].takesUpdate = true }
        let reliable = call.legs[leg].callee?.seen.receive(message)
        if let (number, isNew) = reliable {
            // A copy: our PRACK is on its way, and repeats itself.
            guard isNew else { return }
            acknowledgeProvisional(number, leg, &call)
        }
        guard case .ringing(var ringing) = call.phase else { return }
        var body: [UInt8] = []
        if call.hasOffer, ringing.early == nil || ringing.early == leg, call.legs[leg].session.remote == nil,
            let session = try? readSession(message)
        {
            do throws(SessionRefusal) {
                try takeAnswer(session, message.sessionBody, leg, &call)
                ringing.early = leg
                if reliable != nil { call.legs[leg].session.early = .agreed }
                if call.transfer == nil {
                    body = answer(session, from: leg, to: 0, &call)
                    connect(0, leg, isFinal: false, &call)
                }
            } catch {
                call.legs[leg].session.remote = nil
            }
        }
        let isNews = status > ringing.said || !body.isEmpty
        if isNews { ringing.said = max(status, ringing.said) }
        call.phase = .ringing(ringing)
        if isNews || call.legs[leg].callee?.hasRung == false {
            note(
                .call(
                    .ringing(
                        call: call.number, party: call.legs[leg].party.address.description, call.legs[leg].flow, status: status)))
        }
        call.legs[leg].callee?.hasRung = true
        announce(&call, 1)
        guard isNews else { return }
        if call.transfer != nil { return tellTransferor(status, &call, at: now) }
        progress(status, body, &call, at: now)
    }

    /// The first 2xx wins the call; others are hung up.
    private mutating func forkAccepted(
        _ message: SIPMessage, _ leg: Int, _ sent: Request, _ isCurrent: Bool, _ call: inout Call, at now: Instant
    ) {
        let tag = (try? message.to)?.tag ?? SIPText()
        if isCurrent, call.legs[leg].isConfirmed, call.legs[leg].dialog?.id.remoteTag == tag {
            return sendACKAgain(message, call.legs[leg])
        }
        guard isCurrent, call.legs[leg].isInviting, case .ringing = call.phase else {
            return endStray(message, sent)
        }
        guard let request = try? SIPMessage(parsing: sent.bytes), let fresh = try? Dialog(request: request, response: message)
        else {
            return decline(leg, 502, .refused, &call, at: now)
        }
        if call.legs[leg].dialog?.id == fresh.id {
            call.legs[leg].dialog?.confirm(with: message)
        } else {
            call.legs[leg].dialog = fresh
        }
        call.legs[leg].state = .confirmed(CallLeg.Confirmed())
        call.legs[leg].callee?.invite = .won(sent.name)
        if message.allowsUpdate { call.legs[leg].takesUpdate = true }
        let asked = call.legs[leg].askedSession
        call.legs[leg].confirmed?.timer = SessionTimerTerms(message).timer(asked: asked, at: now)
        do throws(SessionRefusal) {
            try won(message, leg, &call, at: now)
            noteSRTP(leg, call)
        } catch {
            // It is in the call already as far as it knows: ACK, then BYE.
            sendACK([], leg, &call)
            sendBYE(leg, &call, reason: "SIP;cause=488;text=\"\(error.text)\"")
            decline(leg, 488, .session(error), &call, at: now)
        }
    }

    private mutating func won(_ message: SIPMessage, _ leg: Int, _ call: inout Call, at now: Instant) throws(SessionRefusal) {
        let session = try readSession(message)
        if call.transfer != nil {
            guard let session else { throw SessionRefusal(399, "the answer brings no SDP") }
            try takeAnswer(session, message.sessionBody, leg, &call)
            sendACK([], leg, &call)
            return transferAnswered(leg, &call, at: now)
        }
        guard let invite = call.legs[0].invite else { throw SessionRefusal(399, "the caller is gone") }
        dropEarlyExchange(but: leg, &call)
        let body: [UInt8]
        // An UPDATE that is not answered yet goes on.
        let isChanging = call.exchange != nil
        if isChanging {
            sendACK([], leg, &call)
            body = []
        } else if call.hasOffer {
            if let session, session.media.allSatisfy(\.isRejected), mayTryOtherwise(leg, 488, call) {
                noteEmptyAnswer(leg, &call)
                throw SessionRefusal(302, "the answer refuses every stream that was offered")
            }
            let isNew = call.legs[leg].session.remote == nil || call.legs[leg].session.remoteBody != message.sessionBody
            if let session, isNew, call.legs[leg].session.early != .changed {
                try takeAnswer(session, message.sessionBody, leg, &call)
            }
            guard let answered = call.legs[leg].session.remote else { throw SessionRefusal(399, "the answer brings no SDP") }
            sendACK([], leg, &call)
            body = finalAnswer(answered, from: leg, &call)
        } else {
            guard let session else { throw SessionRefusal(399, "the answer brings no SDP") }
            try takeOffer(session, message.sessionBody, leg, &call)
            body = try offer(session, from: leg, to: 0, &call)
        }
        call.phase = .talking(0, leg)
        call.answered = now
        call.status = 200
        call.legs[0].hasTalked = true
        call.legs[leg].hasTalked = true
        counters.callsAnswered &+= 1
        note(.call(.answered(call: call.number, party: call.legs[leg].party.address.description, call.legs[leg].flow)))
        abandonForks(but: leg, &call, reason: "SIP;cause=200;text=\"Call completed elsewhere\"")
        if call.hasOffer, !isChanging { connect(0, leg, &call) }
        accept(invite, body, 0, &call, at: now)
        announce(&call, 2)
    }

    // MARK: Refusals

    private mutating func forkRefused(_ message: SIPMessage, _ status: Int, _ leg: Int, _ call: inout Call, at now: Instant) {
        switch status {
        case 300..<400: return forwarded(message, status, leg, &call, at: now)
        case 401, 407:
            // It wants credentials of ours or of the caller's. Answering would tell it a digest to attack.
            counters.challengesRefused &+= 1
            note(
                .call(.challengedUs(call: call.number, party: call.legs[leg].party.address.description, call.legs[leg].flow)))
        case 422:
            let shortest = SessionTimerTerms(message).shortest
            guard shortest > max(call.legs[leg].shortestSession, settings.calls.session.shortest), shortest <= 86_400 else {
                break
            }
            call.legs[leg].shortestSession = shortest
            return inviteAgain(leg, &call)
        case 406, 415, 488, 606:
            guard mayTryOtherwise(leg, status, call) else { break }
            call.legs[leg].callee?.triedBoth = true
            call.legs[leg].callee?.securesMedia.toggle()
            withdrawStreams(leg, &call)
            return inviteAgain(leg, &call)
        // Nobody wants the call, whoever else rings or might (RFC 3261 16.7 step 5).
        case 600...: for index in call.forwards.indices { call.forwards[index].stop() }
        default: break
        }
        decline(leg, status, .refused, warning: message.first(.warning)?.value.detached, &call, at: now)
        guard status >= 600 else { return }
        abandonForks(&call, reason: nil)
    }
}
