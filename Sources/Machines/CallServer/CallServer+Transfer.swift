import Base
import SDP
import SIP
import SIPStack

/// Transfers: REFER inside a call, blind or to a second call of the same phone (RFC 3515, RFC 5589, RFC 3891), told of by NOTIFYs.
extension CallServer {
    package mutating func refer(_ request: ServerRequest, at now: Instant) {
        guard let (key, leg) = enterDialog(request), var call = calls.take(key) else { return }
        defer { settle(call, at: now) }
        let headers = request.message.all(.referTo)
        guard headers.count == 1, let target = try? NameAddress(parsing: headers[0].value) else {
            return refuse(request, 400, .badReferTo)
        }
        guard let other = transferee(of: leg, call), !call.isReferring else {
            return refuse(request, call.isOver ? 481 : 491, .glare)
        }
        guard call.legs.count + settings.limits.forks <= settings.limits.legsPerCall else {
            return refuse(request, 503, .tablesFull)
        }
        if let replaces = target.uri.sip?.headers.flatMap({ Replaces(uriHeaders: $0) }),
            let second = secondCall(replaces, of: call.legs[leg].party.address, apartFrom: key)
        {
            return attend(second, request, leg, other, &call, at: now)
        }
        let purpose = LookUpTable.Purpose.transfer(call: key, leg: leg, request, target)
        call.isReferring = lookUp(.uri(target.uri, from: request.flow), purpose, for: call.legs[other], at: now)
        if !call.isReferring { refuse(request, 503, .tablesFull) }
    }

    /// The leg that stays when another transfers it; nil: nobody can be transferred now.
    private func transferee(of leg: Int, _ call: Call) -> Int? {
        guard call.transfer == nil, call.exchange == nil, let other = call.other(leg), call.legs[leg].state == .confirmed,
            call.legs[other].state == .confirmed, call.legs[other].refreshing == nil
        else { return nil }
        return other
    }

    /// Whom a REFER means is known.
    mutating func transferFound(
        _ leg: Int, _ request: ServerRequest, _ target: NameAddress, _ found: Found, _ call: inout Call, at now: Instant
    ) {
        call.isReferring = false
        guard let other = transferee(of: leg, call) else { return refuse(request, call.isOver ? 481 : 491, .glare) }
        switch found.owner {
        case .otherScheme: refuse(request, 400, .badReferTo)
        case .foreign(let host): refuse(request, 603, .foreignDomain(host))
        case .nobody(let user, let domain, _):
            guard let user, let service = settings.calls.service(user.string) else { return refuse(request, 404, .unknownAOR) }
            accept(transfer: request, from: leg, other, to: "\(user)@\(domain)", &call, at: now)
            transfer(to: service, other, &call, at: now)
        case .user(let aor, _, let srtp):
            accept(transfer: request, from: leg, other, to: aor.description, &call, at: now)
            let isSecret = call.isSecret || target.uri.sip?.scheme == .sips
            call.phase = .ringing(.init(until: now + settings.calls.ringFor, limit: now + settings.calls.setupLimit))
            call.hasOffer = true
            for flows in CallTarget.byInstance(found.targets, isSecret: isSecret).prefix(settings.limits.forks) {
                fork(to: aor, srtp, flows, &call)
            }
            concludeRinging(&call, at: now)
        }
    }

    /// 202, and the first NOTIFY (RFC 3515 2.4.4), unless none is wanted (RFC 4488).
    private mutating func accept(
        transfer request: ServerRequest, from leg: Int, _ other: Int, to name: String, _ call: inout Call, at now: Instant
    ) {
        let wantsNone = request.message.first(.referSub)?.value.lowercased == "false"
        var reply = dialogReply(202, request, leg, call)
        if wantsNone { reply.add("Refer-Sub", "false".utf8) }
        answer(request, reply)
        var referral: Subscription?
        if !wantsNone {
            referral = Subscription(
                event: "refer;id=\(request.cseq)", seconds: UInt32(clamping: settings.calls.setupLimit.wholeSeconds), at: now)
        }
        call.transfer = CallTransfer(
            transferor: leg, transferee: other, firstTarget: call.legs.count, referral: referral, targetName: name,
            referrer: call.legs[leg].party)
        counters.transfers &+= 1
        note(.call(.transferring(call: call.number, by: call.legs[leg].party.address.description, to: name)))
        tellTransferor(100, &call, at: now)
    }

    // MARK: How it fares

    /// A provisional answer of whom the transfer rings.
    mutating func tellTransferor(_ status: Int, _ call: inout Call, at now: Instant) {
        notifyReferral(status, isLast: false, &call, at: now)
    }

    mutating func transferAnswered(_ leg: Int, _ call: inout Call, at now: Instant) {
        guard let transfer = call.transfer else { return }
        // What the two still negotiated while the target rang is overtaken.
        dropExchange(&call)
        abandonForks(but: leg, &call, reason: "SIP;cause=200;text=\"Call completed elsewhere\"")
        call.legs[leg].hasTalked = true
        note(.call(.answered(call: call.number, party: call.legs[leg].party.address.description, call.legs[leg].flow)))
        concludeTransfer(200, &call, at: now)
        call.phase = .talking(transfer.transferee, leg)
        // What both have said already may do; both are asked anew all the same.
        connect(transfer.transferee, leg, isFinal: false, &call)
        join(transfer.transferee, leg, &call, at: now)
    }

    /// Two legs that never negotiated with each other do so now (RFC 3725 4.4).
    mutating func join(_ stays: Int, _ comes: Int, _ call: inout Call, at now: Instant) {
        announce(&call, 2)
        do throws(SessionRefusal) {
            try begin(.us, nil, [], ask: stays, for: comes, isInvite: true, &call, at: now)
        } catch {
            hangUp(&call, "a transfer: \(error.text)", cause: 88, at: now)
        }
    }

    /// The last NOTIFY; the transferor leaves the call.
    private mutating func concludeTransfer(_ status: Int, _ call: inout Call, at now: Instant) {
        guard let transfer = call.transfer else { return }
        notifyReferral(status, isLast: true, &call, at: now)
        call.transfer = nil
        let name = call.legs[transfer.transferor].party.address.description
        note(.call(.transferred(call: call.number, by: name, to: transfer.targetName, status: status)))
        if status < 300 { leave(transfer.transferor, &call, reason: "SIP;cause=200;text=\"transferred\"") }
    }

    /// The two talk on, if they are still there.
    mutating func transferFailed(_ status: Int, _ call: inout Call, at now: Instant) {
        guard let transfer = call.transfer else { return }
        concludeTransfer(status, &call, at: now)
        call.phase = .talking(transfer.transferor, transfer.transferee)
        guard call.legs[transfer.transferor].state != .confirmed || call.legs[transfer.transferee].state != .confirmed else {
            return
        }
        hangUp(&call, "the transfer to \(transfer.targetName) failed (\(status))", at: now)
    }

    private mutating func notifyReferral(_ status: Int, isLast: Bool, _ call: inout Call, at now: Instant) {
        guard let transfer = call.transfer, var referral = transfer.referral else { return }
        let leg = transfer.transferor
        if isLast { referral.terminate(.noresource) }
        let flow = requestWay(call.legs[leg])
        let token = tokens.next()
        guard var builder = call.legs[leg].dialog?.request(.notify, via: settings.addresses.via(flow, token)) else { return }
        builder.add(.event, referral.event)
        builder.add(.subscriptionState, referral.header(at: now))
        builder.add(.contact, settings.addresses.contact(flow))
        addSoftware(to: &builder)
        builder.add(.contentType, "message/sipfrag;version=2.0")
        builder.body = Array("SIP/2.0 \(status) \(SIPStatus.phrase(status))\r\n".utf8)
        ask(.notify, builder.bytes, token, on: flow, .referral(call: call.key))
        call.transfer?.referral = isLast ? nil : referral
    }

    /// The transferor takes no notice of it any more (RFC 6665 4.2.2).
    mutating func referralAnswered(_ key: UInt32, _ outcome: ClientOutcome) {
        let why: String
        switch outcome {
        case .response(_, ..<300), .unwanted, .unsent: return
        case .response(_, let status): why = "the watcher answers \(status)"
        case .timeout: why = "the watcher does not answer"
        }
        guard var call = calls.take(key) else { return }
        if call.transfer?.referral != nil {
            call.transfer?.referral = nil
            note(.call(.unsubscribed("", event: "refer", reason: why)))
        }
        calls.put(call)
    }

    /// A transferor that keeps its `refer` subscription alive, or ends it.
    package mutating func resubscribe(_ request: ServerRequest, at now: Instant) {
        guard let (key, leg) = enterDialog(request), var call = calls.take(key) else { return }
        defer { calls.put(call) }
        guard let transfer = call.transfer, transfer.transferor == leg, transfer.referral != nil else {
            return refuse(request, 481, .noDialog)
        }
        let asked = ((try? request.message.expires) ?? nil) ?? 3_600
        let shortest = settings.calls.shortestSubscription
        let seconds = asked == 0 ? 0 : min(max(asked, shortest), settings.calls.longestSubscription)
        var reply = ReplyWriter.Reply(200)
        for header in request.message.all(.recordRoute) { reply.add("Record-Route", header.value.bytes) }
        reply.add("Contact", settings.addresses.contact(request.flow).bytes)
        reply.add("Expires", number: seconds)
        answer(request, reply)
        if seconds == 0 { call.transfer?.referral = nil } else { call.transfer?.referral?.refresh(seconds: seconds, at: now) }
    }

    // MARK: Attended, and into a service

    /// The transferor's other call, with a phone or with a service, by its dialog: it has to be its own.
    private func secondCall(_ replaces: Replaces, of transferor: AddressOfRecord, apartFrom key: UInt32) -> (UInt32, Int)? {
        guard let found = leg(replaces), found.call != key, let call = calls.peek(found.call),
            call.legs[found.leg].party.address == transferor
        else { return nil }
        if case .served = call.phase { return (found.call, found.leg) }
        return call.other(found.leg) == nil ? nil : (found.call, found.leg)
    }

    /// Whom the transferor talks to in its second call comes over into this one. A service stays where it is: who is transferred goes there,
    /// with rights of his own.
    private mutating func attend(
        _ second: (UInt32, Int), _ request: ServerRequest, _ leg: Int, _ other: Int, _ call: inout Call, at now: Instant
    ) {
        guard var from = calls.take(second.0) else { return refuse(request, 481, .noDialog) }
        defer { settle(from, at: now) }
        if case .served = from.phase, let service = from.service {
            accept(transfer: request, from: leg, other, to: service.name, &call, at: now)
            transfer(to: service, other, &call, at: now)
            if case .served = call.phase { hangUp(&from, "transferred by \(call.legs[leg].party.address)", at: now) }
            return
        }
        guard let moved = from.other(second.1), from.transfer == nil, from.exchange == nil, from.legs[moved].state == .confirmed,
            from.legs[moved].refreshing == nil, from.legs[moved].answer?.isOver != false
        else { return refuse(request, 491, .glare) }
        let name = from.legs[moved].party.address.description
        accept(transfer: request, from: leg, other, to: name, &call, at: now)
        let place = call.legs.count
        move(moved, of: &from, to: &call)
        hangUp(&from, "transferred by \(from.legs[second.1].party.address)", at: now)
        concludeTransfer(200, &call, at: now)
        call.phase = .talking(other, place)
        join(other, place, &call, at: now)
    }

    /// A leg changes calls: its dialog, its tag and, within one media loop, its streams.
    private mutating func move(_ leg: Int, of from: inout Call, to call: inout Call) {
        if from.loop != call.loop || from.isDirect != call.isDirect { closeStreams(leg, &from) }
        var moved = from.legs[leg]
        let place = call.legs.count
        moved.invite = nil
        calls.tags[moved.tag] = .leg(call: call.key, place)
        for stream in moved.streams {
            guard let stream else { continue }
            calls.hand(stream.id, to: call.key, leg: place)
            from.openMedia -= 1
            call.openMedia += 1
        }
        calls.leave(from.legs[leg].flow, from.key)
        calls.enter(moved.flow, call.key)
        calls.part(moved.party.address, from.key)
        calls.join(moved.party.address, call.key)
        call.legs.append(moved)
        from.legs[leg].state = .ended
        from.legs[leg].streams = []
        from.legs[leg].tag = 0
    }

    /// The one who stays goes to a room or service.
    mutating func transfer(to service: CallService, _ leg: Int, _ call: inout Call, at now: Instant) {
        guard call.legs[leg].streams.element(0) != nil, !call.isDirect,
            call.legs[leg].session.remote?.media.first?.kind == "audio"
        else {
            return transferFailed(488, &call, at: now)
        }
        let former = call.phase
        call.phase = .served(media(service, call.legs[leg].flow, call.legs[leg].party))
        do throws(SessionRefusal) {
            try enterLoop(of: service, leg, &call)
            call.legs[leg].session.local = try offerAsService(leg, &call)
        } catch {
            call.phase = former
            return transferFailed(error.status, &call, at: now)
        }
        call.service = service
        concludeTransfer(200, &call, at: now)
        reinviteToService(leg, &call)
    }
}
