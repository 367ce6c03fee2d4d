import Base
import CallServer
import Registrar
import SIP
import SIPStack
import Subscriptions

/// Requests of calls and subscriptions: whose they are is proved here, then they are handed on.
extension ServerNode {
    mutating func dispatchCall(_ request: inout ServerRequest, _ target: SIPURI, at now: Instant) {
        if target.scheme == .sips, !request.flow.transport.isSecure, [.invite, .message, .subscribe].contains(request.method) {
            var reply = ReplyWriter.Reply(416)
            reply.add("Warning", addresses.warning(SessionRefusal(399, "sips: is taken over TLS alone"), request.flow).bytes)
            return refuse(&request, reply, .askedInClear, at: now)
        }
        switch request.method {
        case .cancel: cancelled(&request, at: now)
        case .subscribe: subscribe(&request, target, at: now)
        case .invite where !request.hasToTag: invite(&request, target, at: now)
        case .message where !request.hasToTag: message(&request, target, at: now)
        case .refer where !request.hasToTag: refuse(&request, 403, .outsideCalls, at: now)
        // We subscribe to nothing: any NOTIFY is a stray one (RFC 6665 4.1.3).
        case .notify: refuse(&request, 481, .noDialog, at: now)
        default: insideCall(&request, at: now)
        }
    }

    // MARK: Outside of calls

    private mutating func invite(_ request: inout ServerRequest, _ target: SIPURI, at now: Instant) {
        guard let (party, user, domain) = caller(&request, target, at: now) else { return }
        guard invites.count < 2 * settings.limits.calls else {
            tally.callTablesFull &+= 1
            traces.note(.notice(.tableFull("calls")))
            return refuse(&request, 503, .tablesFull, at: now)
        }
        note(&request, .request(.invite))
        // A user of ours comes first, then services and rooms.
        let isUser = accounts.owns(user: user, domain: domain)
        let callee: CallServer.Callee =
            isUser
            ? .user(AddressOfRecord(user: user.bytes, domain: domain.bytes), isSecret: target.scheme == .sips) : .number(user)
        calls.invite(request, callee, party, at: now)
    }

    private mutating func message(_ request: inout ServerRequest, _ target: SIPURI, at now: Instant) {
        guard let (party, user, domain) = caller(&request, target, at: now) else { return }
        guard accounts.owns(user: user, domain: domain) else { return refuse(&request, 404, .unknownAOR, at: now) }
        guard !clients.isFull(for: party.account) else { return refuse(&request, 503, .tablesFull, at: now) }
        note(&request, .request(.message))
        let aor = AddressOfRecord(user: user.bytes, domain: domain.bytes)
        calls.message(request, to: aor, isSecret: target.scheme == .sips, party, at: now)
    }

    /// Who calls, and whom in which domain of ours; nil where the request is answered already.
    private mutating func caller(
        _ request: inout ServerRequest, _ target: SIPURI, at now: Instant
    ) -> (party: CallParty, user: SIPText, domain: SIPText)? {
        guard let party = caller(&request, at: now) else { return nil }
        remember(request, at: now)
        guard let domain = domains.domain(target.host, local: request.flow.local) else {
            refuse(&request, 404, .foreignDomain(SIPText(target.host.description)), at: now)
            return nil
        }
        guard let user = target.unescapedUser else {
            refuse(&request, 404, .unknownAOR, at: now)
            return nil
        }
        return (party, user, domain)
    }

    private mutating func caller(_ request: inout ServerRequest, at now: Instant) -> CallParty? {
        let from: NameAddress
        do throws(SIPParseError) { from = try request.message.from } catch {
            refuse(&request, 400, .malformed(error), at: now)
            return nil
        }
        if settings.calls.anonymousCalls, !request.message.contains(.authorization), let stranger = stranger(from, request) {
            return stranger
        }
        guard let account = authenticate(&request, at: now) else { return nil }
        let domain = account.domain ?? domains.primary
        let address = AddressOfRecord(user: account.user.bytes, domain: domain.bytes)
        return CallParty(
            address: address, displayName: from.displayName?.detached, instance: instance(request), account: account.username,
            wantsDirectMedia: account.wantsDirectMedia, srtp: account.srtp, isAnonymous: request.message.hidesSender,
            proved: settings.natHandling ? [] : registrar.provedAddresses(of: address))
    }

    /// A caller who proves nothing: only under a name that is none of ours.
    private func stranger(_ from: NameAddress, _ request: ServerRequest) -> CallParty? {
        guard let uri = from.uri.sip else { return nil }
        let user = uri.unescapedUser ?? "anonymous"
        if let domain = domains.domain(uri.host, local: request.flow.local), accounts.owns(user: user, domain: domain) {
            return nil
        }
        let host = SIPText(uri.host.description)
        return CallParty(
            address: AddressOfRecord(user: user.bytes, domain: host.bytes), displayName: from.displayName?.detached,
            isVouched: false, isAnonymous: request.message.hidesSender)
    }

    /// RFC 5626 instance-id of the Contact.
    private func instance(_ request: ServerRequest) -> SIPText {
        guard case .list(let contacts)? = try? request.message.contacts else { return SIPText() }
        return contacts.first?.instanceID?.detached ?? SIPText()
    }

    // MARK: Inside calls

    private mutating func insideCall(_ request: inout ServerRequest, at now: Instant) {
        guard let (party, flow) = calls.party(of: request) else { return refuse(&request, 481, .noDialog, at: now) }
        guard belongs(&request, to: party, on: flow, at: now) else { return }
        note(&request, .request(request.method))
        if request.method != .invite { remember(request, at: now) }
        switch request.method {
        case .invite: calls.reinvite(request, at: now)
        case .bye: calls.bye(request, at: now)
        case .prack: calls.acknowledgedProvisional(request, at: now)
        case .update: calls.update(request, at: now)
        case .refer: calls.refer(request, at: now)
        case .subscribe: calls.resubscribe(request, at: now)
        default: calls.relay(request, at: now)
        }
    }

    private mutating func cancelled(_ request: inout ServerRequest, at now: Instant) {
        let key = keys.transaction(request, as: .invite)
        guard let invite = invites.request(key), isFromCaller(request, invite) else {
            return refuse(&request, 481, .noTransaction, at: now)
        }
        note(&request, .request(.cancel))
        request.isProved = true
        remember(request, mergeKey: request.key, at: now)
        answer(&request, ReplyWriter.Reply(200), .response(status: 200), at: now)
        guard invites.isProceeding(key) else { return }
        calls.cancelled(key, reason: request.message.first(.reason)?.value, at: now)
    }

    /// ACK: of a refusal by its transaction, of a 2xx by its dialog.
    mutating func acknowledged(_ request: inout ServerRequest, at now: Instant) {
        note(&request, .request(.ack))
        if case .refusal = invites.acknowledge(keys.transaction(request, as: .invite), at: now) { return }
        if calls.acknowledged(request, at: now) { return }
        // The ACK of a refusal that was given without a transaction: our tag in it proves that we gave it.
        guard request.parts.to.tag != SIPText(tag: keys.toTag(request)) else { return }
        drop(request.flow, .strayACK)
    }

    /// The same INVITE again: whatever was said last is said again.
    ///
    /// `key`: of its transaction; a box on the way may have given the copy another.
    mutating func inviteAgain(_ request: inout ServerRequest, of key: UInt64, at now: Instant) {
        guard let invite = invites.request(key) else { return }
        // Somebody else's request with the same branch, or a copy that others send: it draws nothing.
        guard keys.fingerprint(request) == keys.fingerprint(invite.request), isFromCaller(request, invite)
        else {
            return refuse(&request, 482, .merged, at: now)
        }
        tally.retransmissionsAbsorbed &+= 1
        note(&request, .retransmission)
        let way = ways.reply(request.via, request.flow) ?? invites.way(key) ?? request.flow
        if let bytes = invites.again(key, on: way) { send(bytes, on: way, .retransmission) }
    }

    // MARK: Subscriptions

    private mutating func subscribe(_ request: inout ServerRequest, _ target: SIPURI, at now: Instant) {
        if request.hasToTag { return resubscribe(&request, at: now) }
        guard let account = authenticate(&request, at: now) else { return }
        remember(request, at: now)
        guard let domain = domains.domain(target.host, local: request.flow.local) else {
            return refuse(&request, 404, .foreignDomain(SIPText(target.host.description)), at: now)
        }
        let event = request.message.first(.event)?.value ?? SIPText()
        let user = target.unescapedUser ?? SIPText()
        let aor = AddressOfRecord(user: user.bytes, domain: domain.bytes)
        guard let watched = Subscriptions.Watched(event: event, of: aor) else {
            var reply = ReplyWriter.Reply(489)
            reply.add("Allow-Events", Subscriptions.allowEvents.utf8)
            return refuse(&request, reply, .event(event), at: now)
        }
        guard accounts.owns(user: user, domain: domain) else { return refuse(&request, 404, .unknownAOR, at: now) }
        // Who is busy all may see; where someone is and what waits for him is his alone.
        if case .dialog = watched {
        } else if !account.mayRegister(user: user, domain: domain) {
            return refuse(&request, 403, .notTheirs(aor, username: account.username), at: now)
        }
        note(&request, .request(.subscribe))
        let watcher = Subscriptions.Watcher(
            address: AddressOfRecord(user: account.user.bytes, domain: (account.domain ?? domains.primary).bytes),
            account: account.username, domain: DialledDomain(aor, written: target.hostPort))
        subscriptions.subscribe(request, to: watched, watcher, at: now)
    }

    private mutating func resubscribe(_ request: inout ServerRequest, at now: Instant) {
        guard let (watcher, flow) = subscriptions.watcher(of: request) else { return insideCall(&request, at: now) }
        let party = CallParty(address: watcher.address, account: watcher.account)
        guard belongs(&request, to: party, on: flow, at: now) else { return }
        note(&request, .request(.subscribe))
        remember(request, at: now)
        subscriptions.resubscribe(request, at: now)
    }
}
