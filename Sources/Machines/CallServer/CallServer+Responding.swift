import Base
import SIP
import SIPStack

/// What the INVITEs of phones are answered: progress, the 2xx that is repeated until its ACK, refusals (RFC 3261 13.3.1, RFC 3262).
extension CallServer {
    /// Its answers go by a transaction of its own from now on.
    mutating func open(_ invite: ServerRequest, _ leg: Int, _ call: Call) {
        calls.invites[invite.key] = (call.key, leg)
        outbox.append(.open(invite, from: call.legs[leg].party.address))
    }

    /// A response to an INVITE, by its transaction; the bytes.
    @discardableResult
    mutating func respond(_ reply: ReplyWriter.Reply, to request: ServerRequest, tag: UInt64 = 0) -> [UInt8] {
        let bytes = writer.bytes(reply, to: request.parts.echo, source: request.flow.remote, toTag: tag)
        outbox.append(.respond(request.key, status: reply.status, bytes))
        if reply.status >= 200 { calls.invites[request.key] = nil }
        return bytes
    }

    /// The final refusal of the leg's INVITE, if it still waits for one.
    mutating func endInvite(
        _ call: inout Call, _ leg: Int = 0, status: Int, reason: String? = nil, warning: SIPText? = nil, lines: [UInt8] = []
    ) {
        guard call.legs[leg].isInviting, let invite = call.legs[leg].invite else { return }
        var reply = ReplyWriter.Reply(status, reason: reason)
        if let warning { reply.add("Warning", warning.bytes) }
        if status == 503 { reply.add("Retry-After", number: 5) }
        if status == 415 { reply.addAcceptedBodies() }
        reply.lines += lines
        call.legs[leg].caller?.provisionals?.stop()
        call.legs[leg].caller?.held = nil
        call.legs[leg].caller?.invite = nil
        respond(reply, to: invite, tag: call.legs[leg].tag)
        call.status = status
        endLeg(leg, &call)
    }

    /// 180 or 183 to the caller, reliably where it must be (RFC 3262 3).
    mutating func progress(_ status: Int, _ body: [UInt8], _ call: inout Call, at now: Instant) {
        guard call.legs[0].isInviting, let invite = call.legs[0].invite else { return }
        let isReliable =
            call.legs[0].caller?.requiresReliability == true || (call.legs[0].caller?.provisionals != nil && !body.isEmpty)
        var reply = dialogReply(status, invite, 0, call)
        if isReliable {
            guard let number = call.legs[0].caller?.provisionals?.nextNumber() else {
                // An answer that waits is not lost to a mere 181.
                if call.legs[0].caller?.held?.body.isEmpty != false {
                    call.legs[0].caller?.held = .init(status: status, body: body)
                }
                return
            }
            reply.add("Require", "100rel".utf8)
            reply.add("RSeq", number: number)
        }
        reply.setSession(body)
        let bytes = respond(reply, to: invite, tag: call.legs[0].tag)
        if isReliable { call.legs[0].caller?.provisionals?.sent(bytes, timers: settings.calls.timers, at: now) }
    }

    /// The 2xx of a leg's INVITE or re-INVITE, repeated until its ACK.
    mutating func accept(_ invite: ServerRequest, _ body: [UInt8], _ leg: Int, _ call: inout Call, at now: Instant) {
        var reply = dialogReply(200, invite, leg, call)
        if call.legs[leg].isInviting { call.legs[leg].state = .confirmed(CallLeg.Confirmed()) }
        startTimer(answering: invite.message, leg, &call, &reply, at: now)
        reply.setSession(body)
        call.legs[leg].caller?.provisionals?.stop()
        call.legs[leg].caller?.held = nil
        call.legs[leg].caller?.invite = nil
        let bytes = respond(reply, to: invite, tag: call.legs[leg].tag)
        call.legs[leg].dialog?.confirm()
        call.legs[leg].confirmed?.answer = AnswerRepeater(bytes, timers: settings.calls.timers, at: now)
        call.legs[leg].answerSequence = invite.cseq
    }

    /// A response that makes or refreshes a dialog: Contact, Record-Route, what we can do (RFC 3261 12.1.1).
    func dialogReply(_ status: Int, _ request: ServerRequest, _ leg: Int, _ call: Call) -> ReplyWriter.Reply {
        var reply = ReplyWriter.Reply(status)
        for header in request.message.all(.recordRoute) { reply.add("Record-Route", header.value.bytes) }
        let contact = settings.addresses.contact(call.legs[leg].flow, isSecret: call.isSecret && leg == 0)
        reply.add("Contact", contact.bytes)
        reply.add("Allow", ReplyWriter.allow.utf8)
        if status >= 200 { reply.add("Supported", ReplyWriter.supportedInCalls.utf8) }
        return reply
    }

    /// The timer that a 2xx of ours starts, and its headers.
    private func startTimer(
        answering message: SIPMessage, _ leg: Int, _ call: inout Call, _ reply: inout ReplyWriter.Reply, at now: Instant
    ) {
        guard case .agreed(let interval, let isUAC, let requires) = SessionTimerTerms(message).answer(settings.calls.session)
        else { return }
        reply.add("Session-Expires", "\(interval);refresher=\(isUAC ? "uac" : "uas")".utf8)
        if requires { reply.add("Require", "timer".utf8) }
        call.legs[leg].confirmed?.timer = SessionTimer(interval: interval, refresher: isUAC ? .them : .us, at: now)
    }

    // MARK: UPDATE

    mutating func acceptUpdate(_ request: ServerRequest, _ body: [UInt8], _ leg: Int, _ call: inout Call, at now: Instant) {
        var reply = dialogReply(200, request, leg, call)
        if call.legs[leg].isConfirmed { startTimer(answering: request.message, leg, &call, &reply, at: now) }
        reply.setSession(body)
        answer(request, reply)
    }

    mutating func refuseUpdate(_ request: ServerRequest, _ status: Int, _ warning: SIPText?, _ refusal: Refusal) {
        var reply = ReplyWriter.Reply(status)
        if let warning { reply.add("Warning", warning.bytes) }
        if status == 503 || status == 480 { reply.add("Retry-After", number: 5) }
        if status == 415 { reply.addAcceptedBodies() }
        refuse(request, reply, refusal)
    }
}

extension ReplyWriter.Reply {
    /// `application/sdp`, unless it is empty.
    mutating func setSession(_ body: [UInt8]) {
        guard !body.isEmpty else { return }
        add("Content-Type", "application/sdp".utf8)
        self.body = body
    }
}
