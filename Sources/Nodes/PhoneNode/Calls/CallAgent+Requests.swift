import Base
import SDP
import SIP
import SIPStack

/// Requests of the other side (RFC 3261 8.2, 12.2.2).
extension CallAgent {
    mutating func received(_ id: ServerTransactionID, _ message: SIPMessage, _ flow: FlowID, at now: Instant) {
        guard let method = message.method else { return }
        if let fault = RequestVerdict(faultOf: message, method, understood: understood) {
            let unknown = fault.status == 420 ? (try? message.require) ?? [] : []
            let foreign = unknown.filter { tag in !understood.contains(tag.lowercased.string) }
            return refuse(
                id, message, fault.status, reason: SIPText(fault.reason), over: flow,
                headers: foreign.prefix(16).map { (.unsupported, $0) }, at: now)
        }
        guard (try? message.to)?.tag != nil else {
            switch method {
            case .invite: invited(id, message, flow, at: now)
            case .message: textReceived(id, message, flow, at: now)
            // Nobody but the other side of a call may have us dial.
            case .refer: refuse(id, message, 603, over: flow, at: now)
            default: refuse(id, message, 481, over: flow, at: now)
            }
            return
        }
        guard let dialogID = DialogID(request: message), let owner = dialogs[dialogID], var call = calls[owner] else {
            return refuse(id, message, 481, over: flow, at: now)
        }
        inside(&call, id, message, method, flow, at: now)
        store(call)
    }

    private var understood: [String] {
        wishes.reliability == .never ? Self.understood.filter { $0 != "100rel" } : Self.understood
    }

    private mutating func inside(
        _ call: inout Call, _ id: ServerTransactionID, _ message: SIPMessage, _ method: SIPMethod, _ flow: FlowID, at now: Instant
    ) {
        let sequence = (try? message.cseq.number) ?? 0
        guard counts(method, sequence, in: &call, remoteTag: (try? message.from)?.tag?.detached) else {
            return refuse(id, message, 500, over: flow, at: now)
        }
        switch method {
        case .bye: byeReceived(&call, id, message, flow, at: now)
        case .invite: reinvited(&call, id, message, flow, at: now)
        case .update: updated(&call, id, message, flow, at: now)
        case .prack: acknowledged(&call, id, message, flow, at: now)
        case .info: informed(&call, id, message, flow, at: now)
        case .refer: referred(&call, id, message, flow, at: now)
        case .notify: notified(&call, id, message, flow, at: now)
        case .message: textReceived(id, message, flow, at: now)
        case .options:
            var builder = response(to: message, 200, tag: call.localTag, over: flow, namesContact: true)
            builder.add(.accept, "application/sdp")
            layer.respond(id, status: 200, builder.bytes, at: now)
        default:
            refuse(id, message, 405, over: flow, headers: [(.allow, SIPText(Self.allowedMethods))], at: now)
        }
    }

    /// Whether the request comes in order (RFC 3261 12.2.2).
    private func counts(_ method: SIPMethod, _ sequence: UInt32, in call: inout Call, remoteTag: SIPText?) -> Bool {
        func isInOrder(_ dialog: inout Dialog) -> Bool {
            switch dialog.receive(method, sequence: sequence) {
            case .inOrder: true
            case .outOfOrder: false
            }
        }
        switch call.state {
        case .confirmed(var confirmed):
            let result = isInOrder(&confirmed.dialog)
            call.state = .confirmed(confirmed)
            return result
        case .ringing(var ringing):
            let result = isInOrder(&ringing.dialog)
            call.state = .ringing(ringing)
            return result
        case .inviting(var inviting):
            guard let remoteTag, var early = inviting.early[remoteTag] else { return true }
            let result = isInOrder(&early.dialog)
            inviting.early[remoteTag] = early
            call.state = .inviting(inviting)
            return result
        case .preparing, .closing, .gone: return true
        }
    }

    private mutating func confirm(
        _ id: ServerTransactionID, _ message: SIPMessage, _ call: Call, _ flow: FlowID, at now: Instant
    ) {
        layer.respond(id, status: 200, response(to: message, 200, tag: call.localTag, over: flow).bytes, at: now)
    }

    private mutating func byeReceived(
        _ call: inout Call, _ id: ServerTransactionID, _ message: SIPMessage, _ flow: FlowID, at now: Instant
    ) {
        confirm(id, message, call, flow, at: now)
        switch call.state {
        case .ringing(let ringing):
            // RFC 3261 15.1.2: the caller may end an early dialog so; the INVITE gets 487.
            invitations[ringing.transaction] = nil
            refuse(ringing.transaction, ringing.request, 487, tag: call.localTag, over: ringing.flow, at: now)
            fail(&call, .cancelledByPeer, at: now)
        case .confirmed:
            report(&call, call.pendingEnd ?? .hungUpByPeer, at: now)
            call.state = .gone
        case .closing: call.state = .gone
        // The callee ended an early dialog; what becomes of the INVITE its own answer tells.
        case .preparing, .inviting, .gone: break
        }
    }

    // MARK: Renegotiation

    private mutating func reinvited(
        _ call: inout Call, _ id: ServerTransactionID, _ message: SIPMessage, _ flow: FlowID, at now: Instant
    ) {
        guard case .confirmed(var confirmed) = call.state, call.isAlive else {
            // RFC 3261 14.2: while the first INVITE is open.
            let status = call.isAlive ? 491 : 481
            return refuse(id, message, status, over: flow, at: now)
        }
        // RFC 3261 14.2: ours is under way, or the ACK of theirs.
        guard confirmed.renegotiation == nil else { return refuse(id, message, 491, over: flow, at: now) }
        guard confirmed.unacknowledged == nil else {
            return refuse(id, message, 500, over: flow, headers: [(.retryAfter, SIPText("\(1 + entropy.next() % 10)"))], at: now)
        }
        if case .tooSmall(let shortest) = SessionTimerTerms(message).answer(timerSettings) {
            return refuse(id, message, 422, over: flow, headers: [(.minSE, SIPText("\(shortest)"))], at: now)
        }
        var body: [UInt8] = []
        var awaitsAnswer = false
        if let refusal = renegotiated(&call, message, &body, at: now) {
            return refuse(
                id, message, 488, tag: call.localTag, over: flow, headers: [(.warning, SIPText(refusal.warning(agent: agent)))],
                at: now)
        }
        if message.body.isEmpty {
            body = makeOffer(&call).bytes
            awaitsAnswer = true
        }
        confirmed.dialog.refreshTarget(message)
        learnExtensions(message, &call)
        var builder = response(to: message, 200, tag: call.localTag, over: flow, namesContact: true)
        agreeTimer(to: message, &builder, &call, at: now)
        if !body.isEmpty {
            builder.add(.contentType, "application/sdp")
            builder.body = body
        }
        let bytes = builder.bytes
        layer.respond(id, status: 200, bytes, at: now)
        confirmed.unacknowledged = Call.Confirmed.Unacknowledged(
            sequence: (try? message.cseq.number) ?? 0, repeater: AnswerRepeater(bytes, timers: timers, at: now), flow: flow,
            awaitsAnswer: awaitsAnswer)
        call.state = .confirmed(confirmed)
    }

    /// Answers the offer in a message; why it cannot, nil where it could or there is none.
    private mutating func renegotiated(_ call: inout Call, _ message: SIPMessage, _ body: inout [UInt8], at now: Instant)
        -> SDPRefusal?
    {
        guard !message.body.isEmpty else { return nil }
        do {
            let offer = try SessionDescription(parsing: Array(message.body))
            body = try respond(to: offer, &call, at: now)
            return nil
        } catch let error as SDPError {
            return SDPRefusal(.malformed(error))
        } catch let error as SDPRefusal {
            return error
        } catch {
            return SDPRefusal(.noMedia)
        }
    }

    /// UPDATE (RFC 3311), in an early dialog too.
    private mutating func updated(
        _ call: inout Call, _ id: ServerTransactionID, _ message: SIPMessage, _ flow: FlowID, at now: Instant
    ) {
        if case .tooSmall(let shortest) = SessionTimerTerms(message).answer(timerSettings) {
            return refuse(id, message, 422, over: flow, headers: [(.minSE, SIPText("\(shortest)"))], at: now)
        }
        var body: [UInt8] = []
        if !message.body.isEmpty {
            // RFC 3311 5.2: an offer of ours is open.
            guard call.session.offer == nil, call.session.isAgreed else { return refuse(id, message, 491, over: flow, at: now) }
            if let refusal = renegotiated(&call, message, &body, at: now) {
                return refuse(
                    id, message, 488, tag: call.localTag, over: flow,
                    headers: [(.warning, SIPText(refusal.warning(agent: agent)))],
                    at: now)
            }
        }
        var builder = response(to: message, 200, tag: call.localTag, over: flow, namesContact: true)
        switch call.state {
        case .confirmed(var confirmed):
            confirmed.dialog.refreshTarget(message)
            call.state = .confirmed(confirmed)
            agreeTimer(to: message, &builder, &call, at: now)
        case .ringing(var ringing):
            ringing.dialog.refreshTarget(message)
            call.state = .ringing(ringing)
        case .preparing, .inviting, .closing, .gone: break
        }
        if !body.isEmpty {
            builder.add(.contentType, "application/sdp")
            builder.body = body
        }
        layer.respond(id, status: 200, builder.bytes, at: now)
    }

    // MARK: ACK and CANCEL

    mutating func acknowledged(_ message: SIPMessage, at now: Instant) {
        guard let id = DialogID(request: message), let owner = dialogs[id], var call = calls[owner],
            case .confirmed(var confirmed) = call.state, let waiting = confirmed.unacknowledged,
            (try? message.cseq.number) == waiting.sequence
        else { return }
        confirmed.unacknowledged = nil
        call.state = .confirmed(confirmed)
        if confirmed.byeWaits {
            bye(&call, &confirmed.dialog, at: now)
            call.state = .closing(confirmed.dialog)
            store(call)
            return
        }
        if waiting.awaitsAnswer {
            let refusal = description(of: message).map { take(answer: $0, isFinal: true, &call, at: now) } ?? SDPRefusal(.noMedia)
            if let refusal {
                end(&call, .incompatible(refusal.description), at: now)
                store(call)
                return
            }
        }
        if call.wantsReoffer { renegotiate(&call, at: now) }
        store(call)
    }

    mutating func cancelled(
        _ id: ServerTransactionID, _ invite: ServerTransactionID?, _ message: SIPMessage, _ flow: FlowID, at now: Instant
    ) {
        guard let invite else { return refuse(id, message, 481, over: flow, at: now) }
        let owner = invitations[invite].flatMap { calls[$0] }
        layer.respond(
            id, status: 200, response(to: message, 200, tag: owner?.localTag ?? entropy.tag(), over: flow).bytes, at: now)
        // Answered already: the CANCEL has no effect (RFC 3261 9.2).
        guard var call = owner, case .ringing(let ringing) = call.state else { return }
        invitations[invite] = nil
        refuse(invite, ringing.request, 487, tag: call.localTag, over: ringing.flow, at: now)
        fail(&call, .cancelledByPeer, at: now)
        store(call)
    }

    // MARK: INFO

    /// Digits in words (`application/dtmf-relay`, `application/dtmf`); any other INFO is accepted and ignored where it has no body.
    private mutating func informed(
        _ call: inout Call, _ id: ServerTransactionID, _ message: SIPMessage, _ flow: FlowID, at now: Instant
    ) {
        guard !message.body.isEmpty else { return confirm(id, message, call, flow, at: now) }
        guard let type = try? message.contentType, let digit = Self.digit(type, message.body) else {
            return refuse(
                id, message, 415, over: flow, headers: [(.accept, "application/dtmf-relay, application/dtmf")], at: now)
        }
        confirm(id, message, call, flow, at: now)
        guard call.isAlive else { return }
        media[call.id]?.note(digit)
        emit(.event(call.id, .digit(digit)))
    }

    private static func digit(_ type: SIPMediaType, _ body: ArraySlice<UInt8>) -> Character? {
        var value = body.prefix(64)
        if type.matches("application", "dtmf-relay") {
            let line = value.split(whereSeparator: { $0 == 0x0D || $0 == 0x0A }).first {
                SIPText($0).lowercased.string.hasPrefix("signal")
            }
            guard let line, let equals = line.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            value = line[(equals + 1)...]
        } else if !type.matches("application", "dtmf") {
            return nil
        }
        let text = value.filter { $0 > 0x20 }
        guard !text.isEmpty else { return nil }
        // 10 and 11 are what some phones write for * and #.
        switch String(decoding: text, as: UTF8.self) {
        case "10": return "*"
        case "11": return "#"
        case let word where word.utf8.count == 1: return "0123456789*#ABCD".contains(word) ? word.first : nil
        default: return nil
        }
    }
}
