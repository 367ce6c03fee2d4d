import Base
import SIP
import SIPStack

/// What the phone's owner wants of its calls.
extension CallAgent {
    mutating func command(_ input: PhoneNode.Input, at now: Instant) {
        switch input {
        case .call(let request): make(request, at: now)
        case .answer(let id, let play): answer(id, play, at: now)
        case .reject(let id, let status): reject(id, min(max(status, 400), 699), at: now)
        case .hangUp(let id): hangUp(id, at: now)
        case .hold(let id): hold(id, true, at: now)
        case .resume(let id): hold(id, false, at: now)
        case .mute(let id, let isMuted): withMedia(id) { $0.mute(isMuted) }
        case .play(let id, let source): withMedia(id) { $0.play(source) }
        case .microphone(let id, let samples, let rate): withMedia(id) { $0.feed(samples, rate: rate) }
        case .dtmf(let id, let digits): dial(id, digits, at: now)
        case .transfer(let id, let to): transfer(id, to: to, at: now)
        case .transferAttended(let id, let other): transfer(id, with: other, at: now)
        case .sendText(let to, let text): sendText(text, to: to, at: now)
        case .start, .stop, .received, .unreachable, .addressChanged, .connected, .receivedStream, .closed: break
        }
        drainLayer(at: now)
    }

    // MARK: Ending

    mutating func hangUp(_ id: PhoneCallID, at now: Instant) {
        guard var call = calls[id], call.isAlive else { return }
        end(&call, .hungUp, at: now)
        store(call)
    }

    /// Ends a call by our wish, whatever its state; `reason` is what an answered one is reported as.
    mutating func end(_ call: inout Call, _ reason: CallEnd, at now: Instant) {
        switch call.state {
        case .preparing:
            call.state = .gone
            report(&call, .cancelled, at: now)
        case .inviting(var inviting):
            cancel(&inviting, &call, at: now)
            call.state = .inviting(inviting)
            var outcome = reason
            if case .hungUp = reason { outcome = .cancelled }
            call.pendingEnd = outcome
        case .ringing(let ringing):
            refuse(
                ringing.transaction, ringing.request, 603, tag: call.localTag, over: ringing.flow, at: now)
            invitations[ringing.transaction] = nil
            call.state = .gone
            var outcome = reason
            if case .hungUp = reason { outcome = .refused(code: 603, reason: "Decline") }
            report(&call, outcome, at: now)
        case .confirmed(var confirmed):
            report(&call, reason, at: now)
            // RFC 3261 15: the one who was called sends no BYE before the ACK of its 2xx.
            if confirmed.unacknowledged != nil {
                confirmed.byeWaits = true
                call.state = .confirmed(confirmed)
            } else {
                bye(&call, &confirmed.dialog, at: now)
                call.state = .closing(confirmed.dialog)
            }
        case .closing, .gone: break
        }
    }

    mutating func bye(_ call: inout Call, _ dialog: inout Dialog, for purpose: Purpose = .bye, at now: Instant) {
        send(Draft(method: .bye), for: purpose, &call, &dialog, at: now)
        dialog.terminate()
    }

    /// CANCEL, or the intention to send one (RFC 3261 9.1: not before a provisional response).
    mutating func cancel(_ inviting: inout Call.Inviting, _ call: inout Call, at now: Instant) {
        switch inviting.cancelling {
        case .no:
            guard inviting.wasHeard else {
                inviting.cancelling = .wanted
                return
            }
            sendCancel(&inviting, &call, at: now)
        case .wanted, .sent: break
        }
    }

    mutating func sendCancel(_ inviting: inout Call.Inviting, _ call: inout Call, at now: Instant) {
        inviting.cancelling = .sent(until: now + timers.patience)
        let invite = inviting.request
        guard let flow = call.flow, let uri = invite.requestURIText, let via = try? invite.topVia else { return }
        var builder = SIPMessageBuilder(.cancel, uri)
        builder.add(.via, via.written.isEmpty ? via.text : via.written)
        builder.add(.maxForwards, 70)
        builder.copy(.route, from: invite)
        builder.copy(.from, from: invite)
        builder.copy(.to, from: invite)
        builder.copy(.callID, from: invite)
        builder.add(CSeq(inviting.sequence, .cancel))
        begin(
            builder, Sent(call: call.id, purpose: .cancel, draft: Draft(method: .cancel), sequence: inviting.sequence), flow,
            at: now)
    }

    // MARK: The whole phone

    /// The phone signs off: every call says goodbye, for 4 s at most.
    mutating func hangUpAll(at now: Instant) {
        stopBy = now + Self.stopPatience
        for id in calls.keys.sorted() { hangUp(id, at: now) }
        drainLayer(at: now)
        if calls.isEmpty { stopBy = nil }
    }

    /// What has not ended by now is let go.
    mutating func dropAll(at now: Instant) {
        stopBy = nil
        for id in calls.keys.sorted() {
            guard var call = calls[id] else { continue }
            report(&call, call.pendingEnd ?? .lost("the phone was switched off"), at: now)
            call.state = .gone
            store(call)
        }
        sent.removeAll()
        invitations.removeAll()
    }

    /// The machine has other addresses: answered calls say so in a re-INVITE, from the new address.
    mutating func addressChanged(to locals: [Endpoint], contact: Endpoint, at now: Instant) {
        self.locals = locals
        self.contact = contact
        for id in calls.keys.sorted() {
            guard var call = calls[id], var flow = call.flow, call.isAlive else { continue }
            guard let local = locals.first(where: { $0.address.isIPv6 == flow.remote.address.isIPv6 }) else {
                end(&call, .lost("the phone has no address of that family any more"), at: now)
                store(call)
                continue
            }
            media[id]?.local = local.address
            if flow.transport.isReliable {
                // The old connection is closed; the next request opens one from the new address.
                flow.local.address = local.address
            } else {
                flow.local = local
            }
            call.flow = flow
            switch call.state {
            case .confirmed:
                call.wantsReoffer = true
                call.mapping = .none
                // RFC 8445 9: other addresses are a restart.
                ice[id] = nil
                media[id]?.forgetICE()
                // The re-INVITE goes out as soon as the mapped address is known.
                startMapping(&call, at: now)
            case .preparing, .inviting, .ringing, .closing, .gone: break
            }
            store(call)
        }
        drainLayer(at: now)
    }

    private mutating func withMedia(_ id: PhoneCallID, _ change: (inout CallMedia) -> Void) {
        guard var audio = media[id] else {
            emit(.event(id, .refused("there is no such call")))
            return
        }
        change(&audio)
        media[id] = audio
        deadlines.set(.media(id), to: audio.nextDeadline)
    }
}
