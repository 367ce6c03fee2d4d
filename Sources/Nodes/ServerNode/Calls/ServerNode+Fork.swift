import Base
import Registrar
import SDP
import SIP
import SIPStack

/// Phones that are rung: one INVITE an instance, what each answers, and what the caller hears of it (RFC 3261 16.7, RFC 5626 5.3).
extension ServerNode {
    /// Rings one instance, over its newest flow first.
    ///
    /// `forward`: the forward by which it is rung.
    mutating func fork(
        to aor: AddressOfRecord, _ flows: [Binding], by forward: Int? = nil, _ call: inout Call, at now: Instant
    ) {
        guard let binding = flows.first, let flow = way(to: binding, of: aor, at: now) else { return }
        var party = CallLeg.Party(address: aor, instance: SIPText(binding.instance))
        party.srtp = accounts.srtp(of: aor)
        let tag = callEntropy.next()
        var leg = CallLeg(isCaller: false, party: party, flow: flow, tag: tag, callID: callEntropy.callID())
        leg.alternates = Array(flows.dropFirst())
        leg.aim(at: binding, domain: domain(aor, binding, flow))
        leg.securesMedia = offersSRTP(to: leg, call)
        leg.pickUpID = callEntropy.next()
        leg.forward = forward
        leg.branch = forward.map { call.forwards[$0].tried } ?? 0
        call.legs.append(leg)
        calls.tags[tag] = .leg(call: call.key, call.legs.count - 1)
        calls.tags[leg.pickUpID] = .pickUp(call: call.key, call.legs.count - 1)
        calls.join(aor, call.key)
        calls.enter(flow, call.key)
        invite(call.legs.count - 1, &call, at: now)
    }

    /// Sends the leg's INVITE, for the first time or anew. A failure ends the leg.
    mutating func invite(_ leg: Int, _ call: inout Call, at now: Instant) {
        var body: [UInt8] = []
        let origin = call.offerer
        if call.hasOffer, let source = call.legs[origin].session.remote {
            do throws(SessionRefusal) {
                body = try offer(source, from: origin, to: leg, &call)
            } catch {
                return decline(leg, 503, .session(error), &call, at: now)
            }
        }
        let flow = call.legs[leg].flow
        let token = freshToken()
        var builder = SIPMessageBuilder(.invite, call.legs[leg].contact)
        builder.add(addresses.via(flow, token))
        builder.add(.maxForwards, call.hops)
        if !call.legs[leg].path.isEmpty { builder.add(.route, call.legs[leg].path) }
        let domain = call.legs[leg].domain
        builder.add(
            .from, header(call.legs[origin].party, in: domain).appending(";tag=").appending(Self.tagText(call.legs[leg].tag)))
        builder.add(.to, header(call.legs[leg].party, in: domain))
        builder.add(.callID, call.legs[leg].callID)
        if call.legs[leg].inviteSequence == 0 { call.legs[leg].inviteSequence = callEntropy.initialSequence() }
        call.legs[leg].inviteSequence += 1
        builder.add(CSeq(call.legs[leg].inviteSequence, .invite))
        builder.add(.contact, addresses.contact(flow))
        builder.add(.allow, SIPText(ReplyWriter.allow))
        builder.add(.supported, SIPText(ReplyWriter.supportedInCalls))
        let shortest = max(settings.calls.session.shortest, call.legs[leg].shortestSession)
        let interval = max(settings.calls.session.interval, shortest)
        builder.add(.sessionExpires, Int(interval))
        if shortest > 90 { builder.add(.minSE, Int(shortest)) }
        call.legs[leg].askedSession = interval
        addSoftware(to: &builder)
        if origin == 0, let key = call.legs[0].inviteKey, let entry = calls.invites[key] {
            let isAnonymous = call.legs[0].party.isAnonymous
            for name in isAnonymous ? [HeaderName.priority] : [.subject, .priority] {
                builder.copy(name, from: entry.request.message)
            }
            let mayOpen = mayOpenMicrophone(leg, call)
            for name in isAnonymous ? [HeaderName.alertInfo] : [.alertInfo, .callInfo] {
                for header in entry.request.message.all(name) where mayOpen || !header.value.mayOpenMicrophone {
                    builder.add(name, header.value)
                }
            }
        }
        if let referrer = call.transfer?.referrer, !referrer.isAnonymous {
            builder.add(.referredBy, header(referrer, in: domain))
        }
        addForwards(to: leg, call, &builder)
        builder.setSession(body)
        guard ask(builder.bytes, token, on: flow, isInvite: true, .fork(call: call.key, leg: leg), .request(.invite), at: now)
        else {
            return decline(leg, 503, .flowDead, &call, at: now)
        }
        call.legs[leg].client = token.place
    }

    func addSoftware(to builder: inout SIPMessageBuilder) {
        if !settings.software.isEmpty { builder.add(.userAgent, SIPText(settings.software)) }
    }

    // MARK: Answers

    mutating func forkAnswered(
        _ key: UInt32, _ leg: Int, _ id: UInt32, _ entry: ClientTransactions.Entry, _ outcome: Outcome, at now: Instant
    ) {
        guard var call = calls.take(key), call.legs.indices.contains(leg) else {
            if case .response(let message, 200..<300) = outcome { endStray(message, entry, at: now) }
            return
        }
        // Ours is this INVITE only while no newer one was sent on the leg.
        let isCurrent = call.legs[leg].client == id || call.legs[leg].wonBy == id
        switch outcome {
        case .timeout:
            if isCurrent, call.legs[leg].state == .inviting {
                noteLostFragments(entry, call.legs[leg], call)
                decline(leg, 408, .timedOut, &call, at: now)
            }
        case .response(let message, let status):
            switch status {
            case ..<200: if isCurrent { forkProgressed(message, status, leg, entry, &call, at: now) }
            case 200..<300: forkAccepted(message, leg, id, isCurrent, entry, &call, at: now)
            default: if isCurrent, call.legs[leg].state == .inviting { forkRefused(message, status, leg, &call, at: now) }
            }
        }
        concludeRinging(&call, at: now)
        settle(call, at: now)
    }

    /// A large INVITE drew nothing at all, while the small OPTIONS of keepalives are answered: the way drops fragments.
    private mutating func noteLostFragments(_ entry: ClientTransactions.Entry, _ leg: CallLeg, _ call: Call) {
        guard entry.flow.transport == .udp, entry.bytes.count > 1_300, !leg.hasRung else { return }
        let answersKeepalives = registrar.locations(of: leg.party.address).contains { location in
            guard location.binding.flow == entry.flow, case .waiting(_, 0) = location.keepalive else { return false }
            return location.binding.reach == .reachable
        }
        guard answersKeepalives else { return }
        traces.note(
            .call(.fragmentsLost(call: call.number, party: leg.party.address.description, entry.flow, bytes: entry.bytes.count)))
    }

    private mutating func forkProgressed(
        _ message: SIPMessage, _ status: Int, _ leg: Int, _ entry: ClientTransactions.Entry, _ call: inout Call, at now: Instant
    ) {
        guard status > 100, call.legs[leg].state == .inviting else { return }
        if call.legs[leg].dialog == nil, let request = try? SIPMessage(parsing: entry.bytes),
            let dialog = try? Dialog(request: request, response: message)
        {
            call.legs[leg].dialog = dialog
        }
        if Self.allowsUpdate(message) { call.legs[leg].takesUpdate = true }
        let reliable = call.legs[leg].seen.receive(message)
        if let (number, isNew) = reliable {
            // A copy: our PRACK is on its way, and repeats itself.
            guard isNew else { return }
            acknowledgeProvisional(number, leg, &call, at: now)
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
        if isNews || call.legs[leg].hasRung == false {
            traces.note(
                .call(
                    .ringing(
                        call: call.number, party: call.legs[leg].party.address.description, call.legs[leg].flow, status: status)))
        }
        call.legs[leg].hasRung = true
        announce(&call, 1, at: now)
        guard isNews else { return }
        if call.transfer != nil { return tellTransferor(status, &call, at: now) }
        progress(status, body, &call, at: now)
    }

    private mutating func acknowledgeProvisional(_ number: UInt32, _ leg: Int, _ call: inout Call, at now: Instant) {
        let flow = call.legs[leg].flow
        let token = freshToken()
        guard var builder = call.legs[leg].dialog?.request(.prack, via: addresses.via(flow, token)) else { return }
        builder.add(
            .rack,
            ProvisionalAcknowledgement(responseNumber: number, sequence: call.legs[leg].inviteSequence, method: .invite).text)
        addSoftware(to: &builder)
        ask(builder.bytes, token, on: flow, .courtesy, .request(.prack), at: now)
    }

    /// The first 2xx wins the call; others are hung up.
    private mutating func forkAccepted(
        _ message: SIPMessage, _ leg: Int, _ id: UInt32, _ isCurrent: Bool, _ entry: ClientTransactions.Entry, _ call: inout Call,
        at now: Instant
    ) {
        let tag = (try? message.to)?.tag ?? SIPText()
        if isCurrent, call.legs[leg].state == .confirmed, call.legs[leg].dialog?.id.remoteTag == tag {
            return sendACKAgain(message, call.legs[leg])
        }
        guard isCurrent, call.legs[leg].state == .inviting, case .ringing = call.phase else {
            return endStray(message, entry, at: now)
        }
        guard let request = try? SIPMessage(parsing: entry.bytes), let fresh = try? Dialog(request: request, response: message)
        else {
            return decline(leg, 502, .refused, &call, at: now)
        }
        if call.legs[leg].dialog?.id == fresh.id {
            call.legs[leg].dialog?.confirm(with: message)
        } else {
            call.legs[leg].dialog = fresh
        }
        call.legs[leg].state = .confirmed
        call.legs[leg].wonBy = id
        call.legs[leg].client = nil
        if Self.allowsUpdate(message) { call.legs[leg].takesUpdate = true }
        let terms = SessionTimerTerms(message)
        call.legs[leg].timer = terms.timer(asked: call.legs[leg].askedSession, at: now)
        do throws(SessionRefusal) {
            try won(message, leg, &call, at: now)
            noteSRTP(leg, call)
        } catch {
            // It is in the call already as far as it knows: ACK, then BYE.
            sendACK([], leg, &call)
            sendBYE(leg, &call, reason: "SIP;cause=488;text=\"\(error.text)\"", at: now)
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
        guard let inviteKey = call.legs[0].inviteKey else { throw SessionRefusal(399, "the caller is gone") }
        dropEarlyExchange(but: leg, &call, at: now)
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
        tally.callsAnswered &+= 1
        traces.note(.call(.answered(call: call.number, party: call.legs[leg].party.address.description, call.legs[leg].flow)))
        abandonForks(but: leg, &call, reason: "SIP;cause=200;text=\"Call completed elsewhere\"", at: now)
        if call.hasOffer, !isChanging { connect(0, leg, &call) }
        accept(inviteKey, body, 0, &call, at: now)
        announce(&call, 2, at: now)
    }

    /// What the 2xx of the caller's INVITE says. In one dialog an answer is given once (RFC 6337 3.1): what differs is settled by a round of
    /// its own, and what an UPDATE has overtaken is not said again.
    mutating func finalAnswer(_ source: SessionDescription, from leg: Int, _ call: inout Call) -> [UInt8] {
        let heard = call.legs[0].session.local
        let body = answer(source, from: leg, to: 0, &call)
        if !heard.isEmpty, heard != body { call.needsRound = true }
        return call.legs[0].session.early == .changed ? [] : body
    }

    /// The other phones stop ringing (RFC 3326 says why).
    mutating func abandonForks(but winner: Int? = nil, _ call: inout Call, reason: SIPText?, at now: Instant) {
        for index in call.legs.indices where index != winner && !call.legs[index].isCaller && call.legs[index].state == .inviting
        {
            dropEarlyExchange(with: index, &call, at: now)
            if let client = call.legs[index].client { cancel(client, reason: reason, at: now) }
            traces.note(
                .call(
                    .declined(
                        call: call.number, party: call.legs[index].party.address.description, call.legs[index].flow, status: 487,
                        .cancelled)))
            endLeg(index, &call)
        }
    }
}

extension SIPMessageBuilder {
    /// `application/sdp`, unless it is empty.
    mutating func setSession(_ body: [UInt8]) {
        guard !body.isEmpty else { return }
        add(.contentType, "application/sdp")
        self.body = body
    }
}

extension SIPText {
    /// Whether an Alert-Info or Call-Info may make a phone answer by itself. Of Alert-Info the registered URNs alone surely do not (RFC 7462);
    /// what else there is is a matter of the phone's settings (`;answer-after=0`, `;info=alert-autoanswer`, `Ring Answer`).
    fileprivate var mayOpenMicrophone: Bool {
        let text = lowercased.string
        if text.hasPrefix("<urn:alert:"), let end = text.firstIndex(of: ">") {
            return text[end...].dropFirst().contains { $0 != " " }
        }
        return !text.contains(";purpose=") || text.contains("answer")
    }
}
