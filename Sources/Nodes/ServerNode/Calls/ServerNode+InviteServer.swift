import Base
import SIP
import SIPStack

/// The INVITEs of phones and what they are answered: transactions, CANCEL, ACK, the 2xx that is repeated until its ACK
/// (RFC 3261 9.2, 13.3.1, 17.2.1).
extension ServerNode {
    // MARK: The transaction

    mutating func openInvite(_ request: ServerRequest, call: UInt32, leg: Int, at now: Instant) {
        let machine = ServerInviteTransaction(
            isReliable: request.flow.transport.isReliable, timers: settings.calls.timers, at: now)
        let way = ways.reply(request.via, request.flow) ?? request.flow
        calls.invites[request.key] = .init(machine: machine, way: way, request: request, call: call, leg: leg)
        calls.deadlines.set(.invite(request.key), to: machine.nextDeadline)
    }

    /// The same INVITE again: whatever was said last is said again.
    mutating func inviteAgain(_ key: ReplyBook.Key, _ request: ServerRequest, at now: Instant) {
        guard var entry = calls.invites[key] else { return }
        var request = request
        // Somebody else's request with the same branch, or a copy that others send: it draws nothing.
        guard keys.fingerprint(request) == keys.fingerprint(entry.request), isFromCaller(request, entry) else {
            return refuse(&request, 482, .merged, at: now)
        }
        tally.retransmissionsAbsorbed &+= 1
        note(&request, .retransmission)
        // A NAT may have moved the phone meanwhile: answers go where it is now.
        entry.way = ways.reply(request.via, request.flow) ?? entry.way
        let actions = entry.machine.receiveRetransmission()
        calls.invites[key] = entry
        if actions.contains(.sendResponse) { send(entry.machine.response, on: entry.way, .retransmission) }
    }

    /// A response to an INVITE; the bytes, or nothing where its transaction is over.
    @discardableResult
    mutating func respondToInvite(
        _ reply: ReplyWriter.Reply, _ key: ReplyBook.Key, tag: UInt64 = 0, at now: Instant
    ) -> [UInt8] {
        guard var entry = calls.invites[key] else { return [] }
        let bytes = writer.bytes(reply, to: entry.request.parts.echo, source: entry.request.flow.remote, toTag: tag)
        let actions = entry.machine.respond(status: reply.status, bytes, at: now)
        calls.invites[key] = entry
        calls.deadlines.set(.invite(key), to: entry.machine.nextDeadline)
        guard actions.contains(.sendResponse) else { return [] }
        transmit(bytes, on: entry.way, reply.status, .response(status: reply.status))
        return bytes
    }

    mutating func advanceInvite(_ key: ReplyBook.Key, at now: Instant) {
        guard var entry = calls.invites[key] else { return }
        let actions = entry.machine.advance(to: now)
        calls.invites[key] = entry
        if actions.contains(.makeTrying) { respondToInvite(ReplyWriter.Reply(100), key, at: now) }
        if actions.contains(.sendResponse) { send(entry.machine.response, on: entry.way, .retransmission) }
        guard let left = calls.invites[key] else { return }
        if left.machine.state == .terminated { calls.invites[key] = nil }
        calls.deadlines.set(.invite(key), to: calls.invites[key]?.machine.nextDeadline)
    }

    mutating func forgetInvite(_ key: ReplyBook.Key) {
        calls.invites[key] = nil
        calls.deadlines.set(.invite(key), to: nil)
    }

    // MARK: The caller's INVITE

    /// The final refusal of the leg's INVITE, if it still waits for one.
    mutating func endInvite(
        _ call: inout Call, _ leg: Int = 0, status: Int, reason: String? = nil, warning: SIPText? = nil, lines: [UInt8] = [],
        at now: Instant
    ) {
        guard call.legs[leg].state == .inviting, let key = call.legs[leg].inviteKey else { return }
        var reply = ReplyWriter.Reply(status, reason: reason)
        if let warning { reply.add("Warning", warning.bytes) }
        if status == 503 { reply.add("Retry-After", number: 5) }
        if status == 415 { reply.addAcceptedBodies() }
        reply.lines += lines
        call.legs[leg].provisionals?.stop()
        call.legs[leg].heldProvisional = nil
        respondToInvite(reply, key, tag: call.legs[leg].tag, at: now)
        call.status = status
        endLeg(leg, &call)
    }

    /// 180 or 183 to the caller, reliably where it must be (RFC 3262 3).
    mutating func progress(_ status: Int, _ body: [UInt8], _ call: inout Call, at now: Instant) {
        guard call.legs[0].state == .inviting, let key = call.legs[0].inviteKey, let entry = calls.invites[key] else { return }
        let isReliable = call.legs[0].requiresReliability || (call.legs[0].provisionals != nil && !body.isEmpty)
        var reply = dialogReply(status, entry.request, 0, call)
        if isReliable {
            guard let number = call.legs[0].provisionals?.nextNumber() else {
                // An answer that waits is not lost to a mere 181.
                if call.legs[0].heldProvisional?.body.isEmpty != false {
                    call.legs[0].heldProvisional = .init(status: status, body: body)
                }
                return
            }
            reply.add("Require", "100rel".utf8)
            reply.add("RSeq", number: number)
        }
        reply.setSession(body)
        let bytes = respondToInvite(reply, key, tag: call.legs[0].tag, at: now)
        if isReliable, !bytes.isEmpty { call.legs[0].provisionals?.sent(bytes, timers: settings.calls.timers, at: now) }
    }

    /// The 2xx of a leg's INVITE or re-INVITE, repeated until its ACK.
    mutating func accept(_ key: ReplyBook.Key, _ body: [UInt8], _ leg: Int, _ call: inout Call, at now: Instant) {
        guard let entry = calls.invites[key] else { return }
        var reply = dialogReply(200, entry.request, leg, call)
        startTimer(answering: entry.request.message, leg, &call, &reply, at: now)
        reply.setSession(body)
        call.legs[leg].provisionals?.stop()
        call.legs[leg].heldProvisional = nil
        let bytes = respondToInvite(reply, key, tag: call.legs[leg].tag, at: now)
        call.legs[leg].dialog?.confirm()
        if call.legs[leg].state == .inviting { call.legs[leg].state = .confirmed }
        call.legs[leg].answer = bytes.isEmpty ? nil : AnswerRepeater(bytes, timers: settings.calls.timers, at: now)
        call.legs[leg].answerSequence = entry.request.cseq
    }

    /// A response that makes or refreshes a dialog: Contact, Record-Route, what we can do (RFC 3261 12.1.1).
    func dialogReply(_ status: Int, _ request: ServerRequest, _ leg: Int, _ call: Call) -> ReplyWriter.Reply {
        var reply = ReplyWriter.Reply(status)
        for header in request.message.all(.recordRoute) { reply.add("Record-Route", header.value.bytes) }
        reply.add("Contact", addresses.contact(call.legs[leg].flow, isSecret: call.isSecret && leg == 0).bytes)
        reply.add("Allow", ReplyWriter.allow.utf8)
        if status >= 200 { reply.add("Supported", ReplyWriter.supportedInCalls.utf8) }
        return reply
    }

    // MARK: CANCEL, ACK, PRACK

    mutating func cancelled(_ request: inout ServerRequest, at now: Instant) {
        let key = keys.transaction(request, as: .invite)
        guard let entry = calls.invites[key], isFromCaller(request, entry) else {
            return refuse(&request, 481, .noTransaction, at: now)
        }
        note(&request, .request(.cancel))
        request.isProved = true
        remember(request, mergeKey: request.key, at: now)
        answer(&request, ReplyWriter.Reply(200), .response(status: 200), at: now)
        guard case .proceeding = entry.machine.state, var call = calls.take(entry.call) else { return }
        if call.legs[entry.leg].state == .inviting {
            endInvite(&call, entry.leg, status: 487, at: now)
            let name = call.legs[entry.leg].party.address.description
            if entry.leg == 0 {
                hangUp(&call, "\(name) gave up", reason: request.message.first(.reason)?.value, at: now)
            } else {
                // An INVITE with Replaces that is withdrawn: the call it meant goes on.
                replacementWithdrawn(entry.leg, &call, at: now)
            }
        } else {
            exchangeCancelled(key, &call, at: now)
        }
        settle(call, at: now)
    }

    /// ACK: of a refusal by its transaction, of a 2xx by its dialog.
    mutating func acknowledged(_ request: inout ServerRequest, at now: Instant) {
        let key = keys.transaction(request, as: .invite)
        if var entry = calls.invites[key] {
            switch entry.machine.state {
            case .completed, .confirmed:
                note(&request, .request(.ack))
                _ = entry.machine.receiveACK(at: now)
                calls.invites[key] = entry.machine.state == .terminated ? nil : entry
                return calls.deadlines.set(.invite(key), to: calls.invites[key]?.machine.nextDeadline)
            case .proceeding, .accepted, .terminated: break
            }
        }
        note(&request, .request(.ack))
        guard let (callKey, leg) = leg(of: request), var call = calls.take(callKey) else {
            // The ACK of a refusal that was given without a transaction: our tag in it proves that we gave it.
            guard request.parts.to.tag != Self.tagText(keys.toTag(request)) else { return }
            return drop(request.flow, .strayACK)
        }
        // It cannot be challenged, so it moves nothing.
        if call.legs[leg].answerSequence == request.cseq, call.legs[leg].answer?.isOver == false {
            call.legs[leg].answer?.acknowledge()
            exchangeAcknowledged(request, leg, &call, at: now)
        }
        settle(call, at: now)
    }

    mutating func acknowledgedProvisional(_ request: inout ServerRequest, at now: Instant) {
        guard let (key, leg) = enterDialog(&request, at: now) else { return }
        guard var call = calls.take(key) else { return refuse(&request, 481, .noTransaction, at: now) }
        guard let rack = ProvisionalAcknowledgement(request.message), call.legs[leg].provisionals?.receive(rack) == true else {
            calls.put(call)
            return refuse(&request, 481, .noTransaction, at: now)
        }
        answer(&request, ReplyWriter.Reply(200), .response(status: 200), at: now)
        if let held = call.legs[leg].heldProvisional {
            call.legs[leg].heldProvisional = nil
            progress(held.status, held.body, &call, at: now)
        } else if !call.legs[leg].session.local.isEmpty, call.legs[leg].session.early == .none {
            call.legs[leg].session.early = .agreed
        }
        settle(call, at: now)
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
