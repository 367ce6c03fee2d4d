import Base
import SDP
import RegistrationClient
import SIP
import SIPStack

/// Calls that come in, until they are answered or refused (RFC 3261 13.3).
extension CallAgent {
    mutating func invited(_ id: ServerTransactionID, _ message: SIPMessage, _ flow: FlowID, at now: Instant) {
        if message.contains(.replaces) {
            switch replacement(message) {
            case .call(let former): return ring(id, message, flow, replacing: former, at: now)
            case .refusal(let status): return refuse(id, message, status, over: flow, at: now)
            }
        }
        switch wishes.answers {
        case .busy: refuse(id, message, 486, over: flow, at: now)
        case .ring, .auto: ring(id, message, flow, replacing: nil, at: now)
        }
    }

    private mutating func ring(
        _ id: ServerTransactionID, _ message: SIPMessage, _ flow: FlowID, replacing former: PhoneCallID?, at now: Instant
    ) {
        guard stopBy == nil else { return refuse(id, message, 480, over: flow, at: now) }
        guard let port = freePorts.first, calls.count < Self.mostCalls else {
            emit(.turnedAway)
            return refuse(id, message, 486, over: flow, at: now)
        }
        if !message.body.isEmpty, let type = try? message.contentType, !type.isSDP {
            return refuse(id, message, 415, over: flow, headers: [(.accept, "application/sdp")], at: now)
        }
        let terms = SessionTimerTerms(message)
        let timer = terms.answer(timerSettings, wants: wishes.sessionExpires != nil)
        if case .tooSmall(let shortest) = timer {
            return refuse(id, message, 422, over: flow, headers: [(.minSE, SIPText("\(shortest)"))], at: now)
        }
        let from = try? message.from
        lastIncoming += 1
        var call = newCall(
            PhoneCallID(lastIncoming - 1), remote: printable(from?.uriText.bytes ?? [], atMost: 200), target: SIPText(),
            state: .gone, at: now)
        call.flow = flow
        call.callID = (try? message.callID.detached) ?? SIPText()
        guard let dialog = try? Dialog(answering: message, localTag: call.localTag, localSequence: call.sequence) else {
            return refuse(id, message, 400, over: flow, at: now)
        }
        call.isHome = flow.remote == server
        learnExtensions(message, &call)
        occupy(port, call.id, play: former.flatMap { media[$0]?.playSource } ?? wishes.answerPlay)
        media[call.id]?.local = flow.local.address
        var offer: SessionDescription?
        if !message.body.isEmpty {
            if let refusal = fault(of: message, call, &offer) {
                freePort(of: call.id)
                return refuse(
                    id, message, 488, over: flow, headers: [(.warning, SIPText(refusal.warning(agent: agent)))], at: now)
            }
        }
        let supported = (try? message.supported) ?? []
        let required = (try? message.require) ?? []
        func names(_ tags: [SIPText]) -> Bool { tags.contains { $0.equalsCaseless(literal: "100rel") } }
        let usesReliable =
            names(required) && wishes.reliability != .never || names(supported) && wishes.reliability == .required
        var answerAt: Instant?
        if case .auto(let after) = wishes.answers { answerAt = now + max(.zero, after) }
        if former != nil { answerAt = now }
        call.state = .ringing(
            Call.Ringing(
                request: message, transaction: id, flow: flow, dialog: dialog, offer: offer,
                provisionals: ReliableProvisionals(
                    sequence: (try? message.cseq.number) ?? 0, first: UInt32(truncatingIfNeeded: entropy.next())),
                usesReliable: usesReliable, answerAt: answerAt, giveUpAt: now + wishes.ringPatience,
                wantsEarlyMedia: wishes.earlyMedia && offer != nil, replaces: former))
        invitations[id] = call.id
        dialogs[dialog.id] = call.id
        let to = printable((try? message.to)?.uriText.bytes ?? [], atMost: 200)
        emit(.taken)
        let name = (from?.displayName?.unquoted).map { printable($0.bytes, atMost: 80) }
        emit(.event(call.id, .incoming(from: call.remote, name: name, to: to)))
        startMapping(&call, at: now)
        // Where the address of the audio port is known at once, 183 went out already.
        if case .ringing(let ringing) = call.state, !ringing.hasRung { progress(&call, at: now) }
        store(call)
    }

    var timerSettings: SessionTimer.Settings {
        SessionTimer.Settings(interval: wishes.sessionExpires ?? 1800, shortest: wishes.minimumSessionExpires)
    }

    /// Reads the offer and tries it, so that what cannot be met is refused at once rather than after it was answered.
    private func fault(of message: SIPMessage, _ call: Call, _ offer: inout SessionDescription?) -> SDPRefusal? {
        let description: SessionDescription
        do throws(SDPError) {
            description = try SessionDescription(parsing: Array(message.body))
        } catch {
            return SDPRefusal(.malformed(error))
        }
        offer = description
        guard let stream = localStream(call, isOffer: false) else { return nil }
        var draws = entropy
        do throws(SDPRefusal) {
            let session = try MediaNegotiation.answer(
                to: description, origin: SDPOrigin(session: 0, address: contact.address), streams: [stream], entropy: &draws)
            guard let agreed = session.stream() else { return SDPRefusal(.mediaTypes(description.media.map(\.kind))) }
            guard registry.choose(among: agreed.sendFormats) != nil else {
                return SDPRefusal(.formats(agreed.sendFormats.map(\.encoding)))
            }
            guard let rtp = agreed.remoteRTP else { return SDPRefusal(.addressType("a name")) }
            guard rtp.address.isIPv6 == stream.rtp.address.isIPv6 else {
                return SDPRefusal(.addressType(rtp.address.isIPv6 ? "IP6" : "IP4"))
            }
        } catch {
            return error
        }
        return nil
    }

    mutating func freePort(of id: PhoneCallID) {
        guard let audio = media.removeValue(forKey: id) else { return }
        portOwners[audio.port] = nil
        portOwners[audio.port + 1] = nil
        freePorts.append(audio.port)
    }

    // MARK: Progress

    /// 180, or 183 with an answer once the address of the audio port is known.
    mutating func progress(_ call: inout Call, at now: Instant) {
        guard case .ringing(var ringing) = call.state, !ringing.provisionals.isAwaitingPRACK else { return }
        var status = 180
        var body: [UInt8] = []
        if ringing.wantsEarlyMedia, call.mapping.isDone, let offer = ringing.offer, ringing.given == nil {
            ringing.wantsEarlyMedia = false
            do throws(SDPRefusal) {
                body = try respond(to: offer, &call, at: now)
                ringing.given = body
                status = 183
            } catch {
                note(call.id, "no early audio: \(error)")
            }
        }
        // RFC 3262 5: without an offer in the INVITE the first reliable response has to bring it, for which the address is needed;
        // such a call rings without acknowledgement unless the caller insists.
        if ringing.usesReliable, ringing.offer == nil {
            guard call.mapping.isDone else { return }
            body = makeOffer(&call).bytes
            ringing.given = body
        }
        var builder = response(to: ringing.request, status, tag: call.localTag, over: ringing.flow, namesContact: true)
        if ringing.usesReliable, let number = ringing.provisionals.nextNumber() {
            builder.add(.require, "100rel")
            builder.add(.rseq, Int(number))
            if !body.isEmpty { ringing.isGivenReliably = true }
        }
        if !body.isEmpty {
            builder.add(.contentType, "application/sdp")
            builder.body = body
        }
        let bytes = builder.bytes
        ringing.hasRung = true
        if ringing.usesReliable { ringing.provisionals.sent(bytes, timers: timers, at: now) }
        call.state = .ringing(ringing)
        layer.respond(ringing.transaction, status: status, bytes, at: now)
    }

    /// The PRACK of a provisional response of ours (RFC 3262 3).
    mutating func acknowledged(
        _ call: inout Call, _ id: ServerTransactionID, _ message: SIPMessage, _ flow: FlowID, at now: Instant
    ) {
        guard case .ringing(var ringing) = call.state, let rack = ProvisionalAcknowledgement(message),
            ringing.provisionals.receive(rack)
        else { return refuse(id, message, 481, tag: call.localTag, over: flow, at: now) }
        call.state = .ringing(ringing)
        if call.session.offer != nil, let description = description(of: message),
            let refusal = take(answer: description, isFinal: true, &call, at: now)
        {
            refuse(
                id, message, 488, tag: call.localTag, over: flow, headers: [(.warning, SIPText(refusal.warning(agent: agent)))],
                at: now)
            return
        }
        layer.respond(
            id, status: 200, response(to: message, 200, tag: call.localTag, over: flow).bytes, at: now)
        proceed(&call, at: now)
    }

    // MARK: The owner's decision

    mutating func answer(_ id: PhoneCallID, _ play: PlaySource, at now: Instant) {
        guard var call = calls[id], case .ringing = call.state else {
            emit(.event(id, .refused("only a call that rings can be answered")))
            return
        }
        media[id]?.play(play)
        accept(&call, at: now)
        store(call)
    }

    mutating func reject(_ id: PhoneCallID, _ status: Int, at now: Instant) {
        guard var call = calls[id], case .ringing = call.state else {
            emit(.event(id, .refused("only a call that rings can be refused")))
            return
        }
        turnDown(&call, status, at: now)
        store(call)
    }

    mutating func turnDown(_ call: inout Call, _ status: Int, warning: String? = nil, end: CallEnd? = nil, at now: Instant) {
        guard case .ringing(let ringing) = call.state else { return }
        invitations[ringing.transaction] = nil
        refuse(
            ringing.transaction, ringing.request, status, tag: call.localTag, over: ringing.flow,
            headers: warning.map { [(.warning, SIPText($0))] } ?? [], at: now)
        fail(&call, end ?? .refused(code: status, reason: String(describing: SIPStatus.phrase(status))), at: now)
    }

    /// 200, as soon as the address of the audio port is known and no PRACK is waited for.
    mutating func accept(_ call: inout Call, at now: Instant) {
        guard case .ringing(var ringing) = call.state else { return }
        ringing.answerAt = nil
        ringing.wantsAnswer = true
        call.state = .ringing(ringing)
        // RFC 3262 3: no 2xx while a provisional response with SDP is unacknowledged.
        guard call.mapping.isDone, !(ringing.provisionals.isAwaitingPRACK && ringing.isGivenReliably) else { return }
        var body: [UInt8] = []
        var awaitsAnswer = false
        if let given = ringing.given {
            if !ringing.isGivenReliably { body = given }
        } else if let offer = ringing.offer {
            do throws(SDPRefusal) {
                body = try respond(to: offer, &call, at: now)
            } catch {
                return turnDown(&call, 488, warning: error.warning(agent: agent), end: .incompatible(error.description), at: now)
            }
        } else {
            body = makeOffer(&call).bytes
            awaitsAnswer = true
        }
        var builder = response(to: ringing.request, 200, tag: call.localTag, over: ringing.flow, namesContact: true)
        agreeTimer(to: ringing.request, &builder, &call, at: now)
        if !body.isEmpty {
            builder.add(.contentType, "application/sdp")
            builder.body = body
        }
        let bytes = builder.bytes
        ringing.dialog.confirm()
        invitations[ringing.transaction] = nil
        layer.respond(ringing.transaction, status: 200, bytes, at: now)
        var confirmed = Call.Confirmed(dialog: ringing.dialog)
        confirmed.unacknowledged = Call.Confirmed.Unacknowledged(
            sequence: (try? ringing.request.cseq.number) ?? 0, repeater: AnswerRepeater(bytes, timers: timers, at: now),
            flow: ringing.flow, awaitsAnswer: awaitsAnswer)
        call.state = .confirmed(confirmed)
        beAnswered(&call, at: now)
        if let former = ringing.replaces, var old = calls[former] {
            end(&old, .replaced, at: now)
            store(old)
        }
    }

    /// Session-Expires of a 2xx of ours (RFC 4028 9).
    func agreeTimer(to request: SIPMessage, _ builder: inout SIPMessageBuilder, _ call: inout Call, at now: Instant) {
        switch SessionTimerTerms(request).answer(timerSettings, wants: wishes.sessionExpires != nil || call.timer != nil) {
        case .tooSmall, .none: call.timer = nil
        case .agreed(let interval, let isUAC, let requires):
            builder.add(.sessionExpires, SIPText("\(interval);refresher=\(isUAC ? "uac" : "uas")"))
            if requires { builder.add(.require, "timer") }
            call.timer = SessionTimer(interval: interval, refresher: isUAC ? .them : .us, at: now)
        }
    }
}
