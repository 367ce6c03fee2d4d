import Base
import SDP
import RegistrationClient
import SIP
import SIPStack

/// Requests of ours inside a dialog (RFC 3261 12.2.1) and what becomes of them.
extension CallAgent {
    /// Sends a request inside a dialog; target refreshes carry our Contact.
    mutating func send(
        _ draft: Draft, for purpose: Purpose, _ call: inout Call, _ dialog: inout Dialog, rounds: Int = 0, tag: SIPText? = nil,
        prepared: [UInt8]? = nil, at now: Instant
    ) {
        guard let flow = flow(of: dialog, call) else { return }
        let uri = dialog.remoteTarget
        var builder = dialog.request(draft.method, via: via(flow))
        let sequence = dialog.localSequence
        call.sequence = max(call.sequence, sequence)
        if let credentials = credentials(draft.method, uri: uri, body: draft.body, call, sequence: sequence, prepared: prepared) {
            builder.add(credentials.name, credentials.value)
        }
        switch draft.method {
        case .invite, .update, .refer, .notify:
            builder.add(.contact, contactText)
            addIdentity(&builder)
        default: builder.add(.userAgent, SIPText(settings.userAgent))
        }
        for header in draft.headers { builder.add(header.name, header.value) }
        if let type = draft.type {
            builder.add(.contentType, type)
            builder.body = draft.body
        }
        let record = Sent(call: call.id, purpose: purpose, draft: draft, sequence: sequence, rounds: rounds, tag: tag)
        begin(builder, record, flow, at: now)
    }

    /// The same request with credentials, in the dialog it was sent in.
    private mutating func sendAgain(_ record: Sent, _ call: inout Call, prepared: [UInt8], at now: Instant) {
        let rounds = record.rounds + 1
        switch call.state {
        case .confirmed(var confirmed):
            send(record.draft, for: record.purpose, &call, &confirmed.dialog, rounds: rounds, prepared: prepared, at: now)
            call.state = .confirmed(confirmed)
        case .closing(.some(var dialog)):
            send(record.draft, for: record.purpose, &call, &dialog, rounds: rounds, prepared: prepared, at: now)
            call.state = .closing(dialog)
        case .inviting(var inviting):
            guard let tag = record.tag, var early = inviting.early[tag] else { return }
            send(record.draft, for: record.purpose, &call, &early.dialog, rounds: rounds, tag: tag, prepared: prepared, at: now)
            inviting.early[tag] = early
            call.state = .inviting(inviting)
        case .preparing, .ringing, .closing(nil), .gone: break
        }
    }

    mutating func answered(_ call: inout Call, _ record: Sent, _ message: SIPMessage, _ status: Int, at now: Instant) {
        guard status >= 200 else { return }
        if status == 401 || status == 407, record.rounds < Self.mostRounds,
            let uri = (call.dialog ?? call.earlyDialog(record.tag))?.remoteTarget,
            let prepared = takeUp(message, status, record.draft.method, uri: uri, body: record.draft.body, &call)
        {
            return sendAgain(record, &call, prepared: prepared, at: now)
        }
        // RFC 3261 12.2.1.2: the dialog is no more.
        let isGone = status == 481 || status == 408
        switch record.purpose {
        case .bye: call.state = .gone
        case .reinvite(let isRefresh): reinviteAnswered(&call, record, message, status, isRefresh: isRefresh, at: now)
        case .update(let isRefresh): updateAnswered(&call, message, status, isRefresh: isRefresh, at: now)
        case .prack: if isGone, case .inviting = call.state { break }
        case .info:
            call.infoIsOut = false
            if status >= 300 {
                call.infoDigits = []
                emit(.event(call.id, .refused("the other side takes no digits by INFO: \(status)")))
            }
            sendNextDigit(&call, at: now)
        case .refer: referAnswered(&call, message, status, at: now)
        case .notify: break
        case .invite, .cancel, .strayBye: break
        }
        switch record.purpose {
        case .reinvite, .update, .info, .refer:
            if isGone { lose(&call, "the other side knows nothing of the call any more", at: now) }
        case .invite, .prack, .bye, .strayBye, .cancel, .notify: break
        }
    }

    mutating func unanswered(_ call: inout Call, _ record: Sent, isUnreachable: Bool, _ why: String, at now: Instant) {
        switch record.purpose {
        case .reinvite, .update: lose(&call, "a \(record.draft.method) was not answered: \(why)", at: now)
        case .info:
            (call.infoIsOut, call.infoDigits) = (false, [])
            emit(.event(call.id, .refused("digits were not answered: \(why)")))
        case .refer: emit(.event(call.id, .transfer(code: isUnreachable ? 503 : 408, reason: why)))
        case .prack, .notify, .invite, .bye, .strayBye, .cancel: break
        }
    }

    /// The dialog is dead; a BYE all the same, should the other side think otherwise.
    mutating func lose(_ call: inout Call, _ why: String, at now: Instant) {
        guard call.isAlive else { return }
        end(&call, .lost(why), at: now)
    }

    // MARK: Renegotiation

    mutating func hold(_ id: PhoneCallID, _ wants: Bool, at now: Instant) {
        guard var call = calls[id], case .confirmed = call.state, call.isAlive else {
            emit(.event(id, .refused("only an answered call can be held")))
            return
        }
        guard call.wantsHold != wants || call.heldByUs != wants else { return }
        call.wantsHold = wants
        renegotiate(&call, at: now)
        store(call)
    }

    /// A re-INVITE with what we want now; waits while another exchange is under way (RFC 3261 14.1).
    mutating func renegotiate(_ call: inout Call, isRefresh: Bool = false, at now: Instant) {
        guard case .confirmed(var confirmed) = call.state, call.isAlive else { return }
        guard confirmed.renegotiation == nil, confirmed.unacknowledged == nil else {
            if !isRefresh { call.wantsReoffer = true }
            return
        }
        confirmed.renegotiation = Call.Confirmed.Renegotiation(wantsHold: call.wantsHold)
        confirmed.retryAt = nil
        call.wantsReoffer = false
        let offer = makeOffer(&call)
        var draft = Draft(method: .invite, type: "application/sdp", body: offer.bytes)
        addTimer(to: &draft, call)
        send(draft, for: .reinvite(isRefresh: isRefresh), &call, &confirmed.dialog, at: now)
        call.state = .confirmed(confirmed)
    }

    private mutating func reinviteAnswered(
        _ call: inout Call, _ record: Sent, _ message: SIPMessage, _ status: Int, isRefresh: Bool, at now: Instant
    ) {
        guard case .confirmed(var confirmed) = call.state else {
            // We hung up meanwhile: the other side waits for its ACK all the same.
            if 200..<300 ~= status, let dialog = call.dialog, let flow = flow(of: dialog, call) {
                layer.sendStatelessly(dialog.acknowledgement(sequence: record.sequence, via: via(flow)).bytes, over: flow)
            }
            return
        }
        let wanted = confirmed.renegotiation?.wantsHold ?? call.wantsHold
        confirmed.renegotiation = nil
        guard status < 300 else {
            call.state = .confirmed(confirmed)
            renegotiationFailed(&call, status, message, at: now)
            return
        }
        confirmed.dialog.refreshTarget(message)
        acknowledge(&call, &confirmed, sequence: record.sequence, at: now)
        call.state = .confirmed(confirmed)
        startTimer(response: message, asked: call.timer?.interval, &call, at: now)
        call.heldByUs = wanted
        if let description = description(of: message), call.session.offer != nil,
            let failure = take(answer: description, isFinal: true, &call, at: now)
        {
            lose(&call, "the answer to our offer does not fit: \(failure)", at: now)
            return
        }
        if call.wantsReoffer || call.wantsHold != call.heldByUs { renegotiate(&call, at: now) }
    }

    private mutating func updateAnswered(
        _ call: inout Call, _ message: SIPMessage, _ status: Int, isRefresh: Bool, at now: Instant
    ) {
        guard case .confirmed(var confirmed) = call.state else { return }
        guard status < 300 else {
            if isRefresh, status != 491, status != 500 {
                // RFC 4028 7.4: where UPDATE is refused a re-INVITE may still do.
                call.peerTakesUpdate = false
                renegotiate(&call, isRefresh: true, at: now)
            } else {
                renegotiationFailed(&call, status, message, at: now)
            }
            return
        }
        confirmed.dialog.refreshTarget(message)
        call.state = .confirmed(confirmed)
        startTimer(response: message, asked: call.timer?.interval, &call, at: now)
    }

    private mutating func renegotiationFailed(_ call: inout Call, _ status: Int, _ message: SIPMessage, at now: Instant) {
        guard case .confirmed(var confirmed) = call.state else { return }
        call.session.offer = nil
        switch status {
        case 491, 500:
            // RFC 3261 14.1: whoever made the call waits longer.
            let spread = call.id.isIncoming ? entropy.next() % 200 : 210 + entropy.next() % 190
            confirmed.retryAt = now + .milliseconds(Int64(spread) * 10)
            call.wantsReoffer = true
        case 422:
            let least = SessionTimerTerms(message).shortest
            if least > call.minimumExpires, least <= 86_400 {
                call.minimumExpires = least
                confirmed.retryAt = now
                call.wantsReoffer = true
            }
        default:
            if call.wantsHold != call.heldByUs {
                emit(.event(call.id, .refused("the other side refuses \(call.wantsHold ? "hold" : "resume"): \(status)")))
            }
            call.wantsHold = call.heldByUs
        }
        call.state = .confirmed(confirmed)
    }

    // MARK: Digits

    mutating func dial(_ id: PhoneCallID, _ digits: String, at now: Instant) {
        guard var call = calls[id], call.isAlive, var audio = media[id] else {
            emit(.event(id, .refused("there is no such call")))
            return
        }
        let wanted = digits.prefix(128).filter { "0123456789*#ABCD".contains($0) }
        guard !wanted.isEmpty else { return }
        if wishes.dtmf == .rfc4733, audio.dial(String(wanted)) {
            media[id] = audio
            deadlines.set(.media(id), to: audio.nextDeadline)
            return
        }
        guard call.infoDigits.count < 128 else { return }
        call.infoDigits += wanted
        sendNextDigit(&call, at: now)
        store(call)
    }

    /// One INFO at a time, so that digits arrive in order.
    mutating func sendNextDigit(_ call: inout Call, at now: Instant) {
        guard !call.infoIsOut, case .confirmed(var confirmed) = call.state, !call.infoDigits.isEmpty else { return }
        let digit = call.infoDigits.removeFirst()
        call.infoIsOut = true
        let body = Array("Signal=\(digit)\r\nDuration=160\r\n".utf8)
        send(Draft(method: .info, type: "application/dtmf-relay", body: body), for: .info, &call, &confirmed.dialog, at: now)
        call.state = .confirmed(confirmed)
        if call.infoDigits.isEmpty { emit(.event(call.id, .digitsSent)) }
    }
}
