import Base
import SDP
import SIP
import SIPStack

/// REFER inside a call: a transfer, blind or to a second call of the same phone (RFC 3515, RFC 5589, RFC 3891).
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
        guard call.transfer == nil, call.exchange == nil, let other = call.other(leg), call.legs[leg].isConfirmed,
            call.legs[other].isConfirmed, call.legs[other].confirmed?.refreshing == nil
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
        call.transfers += 1
        call.transfer = CallTransfer(
            number: call.transfers, transferor: leg, transferee: other, firstTarget: call.legs.count, referral: referral,
            targetName: name,
            referrer: call.legs[leg].party)
        counters.transfers &+= 1
        note(.call(.transferring(call: call.number, by: call.legs[leg].party.address.description, to: name)))
        tellTransferor(100, &call, at: now)
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

    // MARK: Attended

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
        guard let moved = from.other(second.1), from.transfer == nil, from.exchange == nil, from.legs[moved].isConfirmed,
            from.legs[moved].confirmed?.refreshing == nil, !from.legs[moved].awaitsACK
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
        moved.caller?.invite = nil
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
}
