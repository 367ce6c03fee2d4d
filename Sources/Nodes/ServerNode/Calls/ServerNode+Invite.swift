import Base
import Registrar
import SDP
import SIP
import SIPStack

/// A new INVITE: who asks, for whom, and with what (RFC 3261 14, 16, 21).
extension ServerNode {
    /// Who is called.
    enum Callee {
        case service(CallService)
        case user(AddressOfRecord)
    }

    mutating func invite(_ request: inout ServerRequest, _ target: SIPURI, at now: Instant) {
        guard let party = caller(&request, at: now) else { return }
        remember(request, at: now)
        guard let domain = domains.domain(target.host, local: request.flow.local) else {
            return refuse(&request, 404, .foreignDomain(SIPText(target.host.description)), at: now)
        }
        guard let user = target.unescapedUser, let callee = callee(user, domain, party) else {
            return refuse(&request, 404, .unknownAOR, at: now)
        }
        let limits = settings.limits
        guard calls.count < limits.calls, calls.invites.count < 2 * limits.calls else {
            tally.callTablesFull &+= 1
            traces.note(.notice(.tableFull("calls")))
            return refuse(&request, 503, .tablesFull, at: now)
        }
        guard calls.perAccount[party.account, default: 0] < limits.callsPerAccount, beginsInTime(party.account, at: now) else {
            tally.callTablesFull &+= 1
            return refuse(&request, 503, .tooManyCalls(of: party.address), at: now)
        }
        if request.message.contains(.replaces) { return inviteReplacing(&request, party, at: now) }
        switch callee {
        case .service(let service): serve(service, &request, party, at: now)
        case .user(let aor): ring(aor, &request, party, isSecret: target.scheme == .sips, at: now)
        }
    }

    private mutating func beginsInTime(_ account: SIPText, at now: Instant) -> Bool {
        guard let rate = settings.limits.callRatePerAccount else { return true }
        return calls.rates.change(account, or: Gauge()) { $0.take(rate, at: now) }
    }

    /// Who calls; nil where the request is answered already.
    mutating func caller(_ request: inout ServerRequest, at now: Instant) -> CallLeg.Party? {
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
        return CallLeg.Party(
            address: address, displayName: from.displayName?.detached, instance: instance(request), account: account.username,
            wantsDirectMedia: account.wantsDirectMedia, srtp: account.srtp, isAnonymous: request.message.hidesSender)
    }

    /// A caller who proves nothing: only under a name that is none of ours.
    private func stranger(_ from: NameAddress, _ request: ServerRequest) -> CallLeg.Party? {
        guard let uri = from.uri.sip else { return nil }
        let user = uri.unescapedUser ?? "anonymous"
        if let domain = domains.domain(uri.host, local: request.flow.local), accounts.owns(user: user, domain: domain) {
            return nil
        }
        let host = SIPText(uri.host.description)
        return CallLeg.Party(
            address: AddressOfRecord(user: user.bytes, domain: host.bytes), displayName: from.displayName?.detached,
            isVouched: false, isAnonymous: request.message.hidesSender)
    }

    /// RFC 5626 instance-id of the Contact.
    private func instance(_ request: ServerRequest) -> SIPText {
        guard case .list(let contacts)? = try? request.message.contacts else { return SIPText() }
        return contacts.first?.instanceID?.detached ?? SIPText()
    }

    /// A user of ours comes first, then services and rooms.
    func callee(_ user: SIPText, _ domain: SIPText, _ party: CallLeg.Party) -> Callee? {
        if accounts.owns(user: user, domain: domain) { return .user(AddressOfRecord(user: user.bytes, domain: domain.bytes)) }
        return service(user.string, party).map(Callee.service)
    }

    // MARK: A call between users

    private mutating func ring(
        _ aor: AddressOfRecord, _ request: inout ServerRequest, _ party: CallLeg.Party, isSecret: Bool, at now: Instant
    ) {
        let bindings = registrar.bindings(of: aor).filter { $0.expires > now }
        guard var call = begin(&request, party, calledName: aor.description, at: now) else { return }
        call.isSecret = isSecret
        let instances = byInstance(bindings, isSecret: isSecret)
        guard !instances.isEmpty else {
            let isInClear = !byInstance(bindings, isSecret: false).isEmpty
            traces.note(.refused(request.flow, status: 480, isInClear ? .onlyInClear : .nobodyRegistered))
            // RFC 5630 8.4: a warning of its own.
            let refusal = SessionRefusal(380, "nobody is registered there over TLS")
            endInvite(&call, status: 480, warning: isInClear ? addresses.warning(refusal, request.flow) : nil, at: now)
            finish(&call, "nobody is registered as \(aor)\(isInClear ? " over TLS, as a sips: URI asks for" : "")", at: now)
            return settle(call, at: now)
        }
        let session: SessionDescription?
        do throws(SessionRefusal) {
            session = try readSession(request.message)
            if let session {
                let why = whyRelayed(party, request.flow, session, aor, bindings)
                call.isDirect = why == nil
                if let why, why != .unwished {
                    traces.note(.call(.relayed(call: call.number, from: party.address.description, to: aor.description, why)))
                }
                try takeOffer(session, request.message.sessionBody, 0, &call)
            }
        } catch {
            return refuseCall(&call, error, at: now)
        }
        call.hasOffer = session != nil
        // A malformed Expires counts as absent.
        let expires = ((try? request.message.expires) ?? nil).map { now + .seconds(Int64($0)) }
        let until = now + settings.calls.ringFor
        call.phase = .ringing(.init(until: until, limit: now + settings.calls.setupLimit, expires: expires))
        traces.note(
            .call(.started(call: call.number, from: party.address.description, to: aor.description, instances: instances.count)))
        tally.callsStarted &+= 1
        if case .absent = trying(&call, at: now) { return settle(call, at: now) }
        for flows in instances.prefix(settings.limits.forks) { fork(to: aor, flows, &call, at: now) }
        // Nobody could be rung at all: the last leg to fail has ended the call by then.
        concludeRinging(&call, at: now)
        settle(call, at: now)
    }

    private enum Trying { case sent, absent }

    /// 100 at once: what follows may take its time (RFC 3261 17.2.1).
    private mutating func trying(_ call: inout Call, at now: Instant) -> Trying {
        guard let key = call.legs[0].inviteKey, calls.invites[key] != nil else { return .absent }
        respondToInvite(ReplyWriter.Reply(100), key, at: now)
        return .sent
    }

    /// The bindings in the order in which each instance's flows are tried: the newest first (RFC 5626 5.3). A binding without an
    /// instance-id is an instance of its own. Flows that stand come before those that are yet to be opened. Higher q comes first.
    /// `isSecret`: over encrypted flows alone.
    func byInstance(_ bindings: [Binding], isSecret: Bool) -> [[Binding]] {
        var groups: [[Binding]] = []
        var places: [[UInt8]: Int] = [:]
        for binding in bindings where registrar.isCallable(binding, among: bindings) {
            guard !isSecret || binding.flow.transport.isSecure else { continue }
            let instance = Array(binding.instance)
            if !instance.isEmpty, let place = places[instance] {
                groups[place].append(binding)
                continue
            }
            if !instance.isEmpty { places[instance] = groups.count }
            groups.append([binding])
        }
        for index in groups.indices { groups[index].sort { $0.isBefore($1) } }
        return groups.enumerated().sorted { ($1.element[0].q, $0.offset) < ($0.element[0].q, $1.offset) }.map(\.element)
    }

    /// A call with its first leg and the server transaction of its INVITE. nil: the request is refused already.
    mutating func begin(_ request: inout ServerRequest, _ party: CallLeg.Party, calledName: String, at now: Instant) -> Call? {
        let terms = SessionTimerTerms(request.message)
        if case .tooSmall(let shortest) = terms.answer(settings.calls.session) {
            var reply = ReplyWriter.Reply(422)
            reply.add("Min-SE", number: shortest)
            refuse(&request, reply, .sessionTooSmall(terms.interval ?? 0), at: now)
            return nil
        }
        let tag = callEntropy.next()
        guard
            let dialog = try? Dialog(
                answering: request.message, localTag: Self.tagText(tag), localSequence: callEntropy.initialSequence())
        else {
            refuse(&request, 400, .badContact, at: now)
            return nil
        }
        note(&request, .request(.invite))
        request.isProved = true
        if !party.isVouched, request.flow.transport.isReliable { outbox.append(.proved(on: request.flow, by: .call)) }
        let (key, number) = calls.nextKey()
        let flow = ways.home(request)
        var leg = CallLeg(isCaller: true, party: party, flow: flow, tag: tag, callID: request.callID.detached)
        leg.dialog = dialog
        leg.inviteKey = request.key
        leg.takesUpdate = Self.allowsUpdate(request.message)
        leg.tellsCaller(request.message, first: callEntropy.next())
        calls.tags[tag] = .leg(call: key, 0)
        calls.join(party.address, key)
        calls.enter(flow, key)
        calls.perAccount[party.account, default: 0] += 1
        openInvite(request, call: key, leg: 0, at: now)
        var call = Call(
            key: key, number: number, phase: .ringing(.init(until: now, limit: now)), legs: [leg], loop: calls.ports.idlest ?? 0,
            hasOffer: false, calledName: calledName, start: now)
        call.accounts = [party.account]
        call.hops = max(1, Int((try? request.message.maxForwards) ?? 70) - 1)
        return call
    }

    static func tagText(_ tag: UInt64) -> SIPText {
        var bytes: [UInt8] = []
        bytes.append(hex: tag, digits: 16)
        return SIPText(bytes)
    }

    static func allowsUpdate(_ message: SIPMessage) -> Bool { ((try? message.allow) ?? []).contains(.update) }

    /// The caller's SDP cannot be met: 488 with a Warning (or 415, 503), and the call is over.
    mutating func refuseCall(_ call: inout Call, _ refusal: SessionRefusal, at now: Instant) {
        traces.note(.refused(call.legs[0].flow, status: refusal.status, .session(refusal)))
        endInvite(&call, status: refusal.status, warning: addresses.warning(refusal, call.legs[0].flow), at: now)
        finish(&call, "the caller's SDP: \(refusal.text)", at: now)
        settle(call, at: now)
    }

}

extension CallLeg {
    /// Reads what decides how its caller is told of progress (RFC 3262 3).
    fileprivate mutating func tellsCaller(_ message: SIPMessage, first: UInt64) {
        let requires = ((try? message.require) ?? []).contains { $0.equalsCaseless(literal: "100rel") }
        let supports = ((try? message.supported) ?? []).contains { $0.equalsCaseless(literal: "100rel") }
        guard requires || supports, let sequence = try? message.cseq.number else { return }
        provisionals = ReliableProvisionals(sequence: sequence, first: UInt32(truncatingIfNeeded: first))
        requiresReliability = requires
    }
}
