import Base
import SDP
import RegistrationClient
import SIP
import SIPStack

/// What comes back to our INVITEs (RFC 3261 13.2.2).
extension CallAgent {
    static let mostRounds = 4
    static let mostRedirections = 5
    static let mostForks = 8

    mutating func answered(_ id: ClientTransactionID, _ message: SIPMessage, _ flow: FlowID, at now: Instant) {
        if texts[id] != nil { return textAnswered(id, message, at: now) }
        guard let record = sent[id], let status = message.statusCode else {
            if message.statusCode.map({ 200..<300 ~= $0 }) ?? false { strayAnswer(message, flow, at: now) }
            return
        }
        if status >= 200 { sent[id] = nil }
        guard var call = calls[record.call] else { return }
        switch record.purpose {
        case .invite: inviteAnswered(&call, id, message, status, at: now)
        case .cancel, .strayBye:
            // The INVITE's own answer decides; 481 means that it was on its way already.
            break
        case .reinvite, .update, .prack, .bye, .info, .refer, .notify: answered(&call, record, message, status, at: now)
        }
        store(call)
    }

    private mutating func inviteAnswered(
        _ call: inout Call, _ id: ClientTransactionID, _ message: SIPMessage, _ status: Int, at now: Instant
    ) {
        guard case .inviting(var inviting) = call.state, inviting.transaction == id else { return }
        if status < 200 {
            inviting.wasHeard = true
            if case .wanted = inviting.cancelling { sendCancel(&inviting, &call, at: now) }
            call.state = .inviting(inviting)
            if status > 100 { provisional(&call, message, status, at: now) }
            return
        }
        let isWanted: Bool
        switch inviting.cancelling {
        case .no: isWanted = true
        case .wanted, .sent: isWanted = false
        }
        guard status >= 300 else { return established(&call, inviting, message, isWanted: isWanted, at: now) }
        guard isWanted else { return fail(&call, .cancelled, at: now) }
        refused(&call, message, status, at: now)
    }

    // MARK: Provisional

    private mutating func provisional(_ call: inout Call, _ message: SIPMessage, _ status: Int, at now: Instant) {
        guard case .inviting(var inviting) = call.state else { return }
        let reason = printable(message.reason?.bytes ?? [], atMost: 80)
        guard let tag = (try? message.to)?.tag?.detached else {
            emit(.event(call.id, .progress(code: status, reason: reason)))
            return
        }
        if inviting.early[tag] == nil {
            guard inviting.early.count < Self.mostForks,
                let dialog = try? Dialog(request: inviting.request, response: message)
            else { return }
            inviting.early[tag] = Call.Inviting.EarlyDialog(dialog: dialog)
            dialogs[dialog.id] = call.id
        }
        guard var early = inviting.early[tag] else { return }
        var acknowledgement: ProvisionalAcknowledgement?
        if let (number, isNew) = early.provisionals.receive(message) {
            guard isNew else { return }
            acknowledgement = ProvisionalAcknowledgement(responseNumber: number, sequence: inviting.sequence, method: .invite)
        }
        emit(.event(call.id, .progress(code: status, reason: reason)))
        var answer: [UInt8] = []
        if let description = description(of: message) {
            if call.session.offer != nil {
                take(answer: description, isFinal: false, &call, at: now)
            } else if call.lateOffer, !call.session.isAgreed, acknowledgement != nil,
                let given = try? respond(to: description, &call, at: now)
            {
                // RFC 3262 5: an offer in a reliable provisional response is answered in the PRACK.
                answer = given
            }
        }
        if let acknowledgement {
            var draft = Draft(method: .prack, headers: [(.rack, acknowledgement.text)])
            if !answer.isEmpty {
                draft.type = "application/sdp"
                draft.body = answer
            }
            send(draft, for: .prack, &call, &early.dialog, tag: tag, at: now)
        }
        inviting.early[tag] = early
        call.state = .inviting(inviting)
    }

    // MARK: Success

    private mutating func established(
        _ call: inout Call, _ inviting: Call.Inviting, _ message: SIPMessage, isWanted: Bool, at now: Instant
    ) {
        var dialog: Dialog
        if let tag = (try? message.to)?.tag, let early = inviting.early[tag.detached] {
            dialog = early.dialog
            dialog.confirm(with: message)
        } else if let new = try? Dialog(request: inviting.request, response: message) {
            dialog = new
        } else {
            return fail(&call, .incompatible("the answer names no dialog"), at: now)
        }
        for (_, early) in inviting.early where early.dialog.id != dialog.id { dialogs[early.dialog.id] = nil }
        dialogs[dialog.id] = call.id
        var confirmed = Call.Confirmed(dialog: dialog, invitation: inviting.request)
        var failure: SDPRefusal?
        var answer: [UInt8] = []
        if let description = description(of: message) {
            if call.session.offer != nil {
                failure = take(answer: description, isFinal: true, &call, at: now)
            } else if call.lateOffer, !call.session.isAgreed {
                do throws(SDPRefusal) {
                    answer = try respond(to: description, &call, at: now)
                } catch {
                    failure = error
                    answer = rejection(of: description, call).bytes
                }
            }
        } else if !call.session.isAgreed {
            failure = SDPRefusal(.noMedia)
        }
        acknowledge(&call, &confirmed, sequence: inviting.sequence, answer: answer, at: now)
        guard isWanted, failure == nil else {
            if let failure { note(call.id, "hangs up: \(failure)") }
            report(&call, isWanted ? .incompatible(failure?.description ?? "") : .cancelled, at: now)
            bye(&call, &confirmed.dialog, at: now)
            call.state = .closing(confirmed.dialog)
            return
        }
        learnExtensions(message, &call)
        startTimer(response: message, asked: call.sessionExpires.map { max($0, call.minimumExpires) }, &call, at: now)
        call.state = .confirmed(confirmed)
        beAnswered(&call, at: now)
    }

    /// The ACK of a 2xx (RFC 3261 13.2.2.4), kept for copies of it.
    mutating func acknowledge(
        _ call: inout Call, _ confirmed: inout Call.Confirmed, sequence: UInt32, answer: [UInt8] = [], at now: Instant
    ) {
        guard let flow = flow(of: confirmed.dialog, call) else { return }
        var builder = confirmed.dialog.acknowledgement(sequence: sequence, via: via(flow))
        // RFC 3261 22.1: the ACK repeats the credentials of its INVITE.
        if let request = confirmed.invitation, (try? request.cseq.number) == sequence {
            builder.copy(.authorization, from: request)
            builder.copy(.proxyAuthorization, from: request)
        }
        builder.add(.contact, contactText)
        builder.add(.userAgent, SIPText(settings.userAgent))
        if !answer.isEmpty {
            builder.add(.contentType, "application/sdp")
            builder.body = answer
        }
        let bytes = builder.bytes
        confirmed.ack = Call.Confirmed.Acknowledgement(sequence: sequence, bytes: bytes)
        layer.sendStatelessly(bytes, over: flow)
    }

    mutating func beAnswered(_ call: inout Call, at now: Instant) {
        call.answeredAt = now
        call.hangUpAt = call.duration.map { now + max(.zero, $0) }
        if !call.dtmf.isEmpty { call.dtmfAt = now + call.dtmfDelay }
        emit(.event(call.id, .answered(call.shown)))
        referralProgress(&call, code: 200, reason: "OK", isLast: true, at: now)
    }

    /// A 2xx outside of its transaction: a copy gets its ACK again, another branch of a fork an ACK and a BYE (RFC 3261 13.2.2.4).
    mutating func strayAnswer(_ message: SIPMessage, _ flow: FlowID, at now: Instant) {
        guard let cseq = try? message.cseq, cseq.method == .invite, let id = DialogID(response: message) else { return }
        if let owner = dialogs[id], let call = calls[owner] {
            guard case .confirmed(let confirmed) = call.state, let ack = confirmed.ack, ack.sequence == cseq.number,
                let back = self.flow(of: confirmed.dialog, call)
            else { return }
            layer.sendStatelessly(ack.bytes, over: back)
            return
        }
        for call in calls.values.sorted(by: { $0.id < $1.id }) where call.callID == id.callID && call.localTag == id.localTag {
            guard case .confirmed(let confirmed) = call.state, let invitation = confirmed.invitation,
                let dialog = try? Dialog(request: invitation, response: message)
            else { return }
            note(call.id, "another branch of a fork answered too: acknowledges and hangs up")
            var copy = call
            var other = Call.Confirmed(dialog: dialog, invitation: invitation)
            acknowledge(&copy, &other, sequence: cseq.number, at: now)
            bye(&copy, &other.dialog, for: .strayBye, at: now)
            return
        }
    }

    // MARK: Failure

    private mutating func refused(_ call: inout Call, _ message: SIPMessage, _ status: Int, at now: Instant) {
        let reason = printable(message.reason?.bytes ?? [], atMost: 80)
        forgetEarlyDialogs(&call)
        switch status {
        case 401, 407:
            let body = call.session.offer?.description.bytes ?? []
            guard call.rounds < Self.mostRounds,
                let prepared = takeUp(message, status, .invite, uri: call.target, body: body, &call)
            else { break }
            call.rounds += 1
            invite(&call, prepared: prepared, at: now)
            return
        case 422:
            guard call.rounds < Self.mostRounds, call.sessionExpires != nil else { break }
            call.rounds += 1
            let least = SessionTimerTerms(message).shortest
            guard least > call.minimumExpires, least <= 86_400 else { break }
            call.minimumExpires = least
            invite(&call, at: now)
            return
        case 300..<400:
            guard call.redirections < Self.mostRedirections, case .list(let contacts)? = try? message.contacts,
                let uri = contacts.lazy.compactMap(\.uri.sip).first(where: { self.reaches($0) })
            else { break }
            call.redirections += 1
            call.isHome = destination(uri.text.string)?.isHome ?? false
            call.target = uri.text.detached
            call.authorizesAsProxy = nil
            note(call.id, "is sent on to \(printable(uri.text.bytes, atMost: 80))")
            route(&call, uri, at: now)
            return
        case 503:
            guard !call.targets.isEmpty else { break }
            openNext(&call, at: now)
            return
        default: break
        }
        referralProgress(&call, code: status, reason: reason, isLast: true, at: now)
        fail(&call, .refused(code: status, reason: reason), at: now)
    }

    private func reaches(_ uri: SIPURI) -> Bool {
        (uri.scheme == .sip || settings.transport == .tls) && (uri.knownTransport ?? settings.transport) == settings.transport
    }

    private mutating func forgetEarlyDialogs(_ call: inout Call) {
        guard case .inviting(let inviting) = call.state else { return }
        for early in inviting.early.values { dialogs[early.dialog.id] = nil }
    }

    /// A request of ours got no answer at all.
    mutating func failed(_ id: ClientTransactionID, isUnreachable: Bool, _ why: String, at now: Instant) {
        if texts[id] != nil { return textFailed(id, isUnreachable: isUnreachable) }
        guard let record = sent.removeValue(forKey: id), var call = calls[record.call] else { return }
        switch record.purpose {
        case .invite:
            guard case .inviting(let inviting) = call.state, inviting.transaction == id else { return }
            if case .no = inviting.cancelling, !call.targets.isEmpty {
                note(call.id, "\(why) at \(call.flow?.remote.description ?? "the first address"), tries the next")
                openNext(&call, at: now)
            } else {
                forgetEarlyDialogs(&call)
                let end: CallEnd = isUnreachable ? .unreachable(call.flow?.remote.description ?? "") : .noAnswer
                referralProgress(&call, code: isUnreachable ? 503 : 408, reason: why, isLast: true, at: now)
                fail(&call, end, at: now)
            }
        case .bye: call.state = .gone
        case .cancel, .strayBye: break
        case .reinvite, .update, .prack, .info, .refer, .notify:
            unanswered(&call, record, isUnreachable: isUnreachable, why, at: now)
        }
        store(call)
    }
}
