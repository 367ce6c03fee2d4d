import Base
import Registrar
import SDP
import SIP
import SIPStack

/// Phones that forward their calls: a 302 is followed to our own users, rooms and services, with what the forwarder may do (RFC 3261 8.1.3.4,
/// 21.3); the target hears of it by History-Info (RFC 7044) and Diversion (RFC 5806).
extension ServerNode {
    /// A phone's 3xx: it is followed, or counts as a refusal of which the caller is told what he may know.
    mutating func forwarded(_ message: SIPMessage, _ status: Int, _ leg: Int, _ call: inout Call, at now: Instant) {
        let name = call.legs[leg].party.address.description
        traces.note(.call(.declined(call: call.number, party: name, call.legs[leg].flow, status: status, .refused)))
        var refusal: ForwardRefusal?
        var groups: [(q: Int, targets: [CallForward.Target])] = []
        if case .list(let contacts)? = try? message.contacts {
            for contact in contacts.prefix(settings.limits.contactsPerRequest) {
                do throws(ForwardRefusal) {
                    let target = try target(contact, status, leg, call)
                    let q = Int(contact.q ?? 1000)
                    if let place = groups.firstIndex(where: { $0.q == q }) {
                        groups[place].targets.append(target)
                    } else {
                        groups.append((q, [target]))
                    }
                } catch {
                    refusal = error
                    noteNotForwarded(leg, contact.uriText, error, call)
                    if error == .elsewhere, settings.calls.forwarding == .passOn, [300, 301, 302].contains(status) {
                        call.legs[leg].redirections.append(contact.text.detached)
                    }
                }
            }
        }
        groups.sort { $0.q > $1.q }
        // The leg rings no more; that it refused counts only where nothing can be followed.
        dropEarlyExchange(with: leg, &call, at: now)
        endLeg(leg, &call)
        call.isNews = true
        call.legs[leg].status = call.legs[leg].redirections.isEmpty ? 0 : status
        if !groups.isEmpty {
            let reason = ForwardReason(message, hasRung: call.legs[leg].hasRung)
            call.forwards.append(CallForward(by: leg, status: status, reason: reason, waiting: groups.map(\.targets)))
            if followNext(call.forwards.count - 1, &call, at: now) { return }
            refusal = .nobodyRegistered
        } else if refusal == nil {
            noteNotForwarded(leg, SIPText(), .unreadable, call)
        }
        if call.legs[leg].redirections.isEmpty {
            let why = SessionRefusal(399, "the phone forwards its calls: \((refusal ?? .unreadable).text)")
            call.legs[leg].status = 480
            call.legs[leg].warning = addresses.warning(why, call.legs[0].flow)
        }
        forwardedInVain(leg, &call, at: now)
    }

    /// Where a Contact leads, if the forwarder may call there.
    private func target(_ contact: NameAddress, _ status: Int, _ leg: Int, _ call: Call) throws(ForwardRefusal)
        -> CallForward.Target
    {
        guard settings.calls.forwarding != .refuse else { throw .switchedOff }
        guard [300, 301, 302].contains(status) else { throw .otherKind }
        let local = call.legs[leg].flow.local
        guard let uri = dialled(contact.uri), let domain = domains.domain(uri.host, local: local) else { throw .elsewhere }
        let party = call.legs[leg].party
        guard let user = uri.unescapedUser, let callee = callee(user, domain, party) else {
            // A telephone number may be anybody's.
            let isOurs = uri.host.address == local.address || SIPText(uri.host.description).lowercased == domain
            throw isOurs && contact.uri.sip != nil ? .unknown : .elsewhere
        }
        guard call.forwards.count < settings.limits.forwardsPerCall,
            forwards(to: leg, call).count < settings.limits.forwardsInARow
        else {
            throw .tooOften
        }
        switch callee {
        case .service(let service): return .service(service)
        case .user(let aor):
            guard !wasRung(aor, call) else { throw .loop }
            return .user(aor, isSecret: call.isSecret || uri.scheme == .sips)
        }
    }

    private func wasRung(_ aor: AddressOfRecord, _ call: Call) -> Bool {
        call.legs[(call.transfer?.firstTarget ?? 0)...].contains { !$0.isCaller && $0.party.address == aor }
    }

    /// Tries what a forward names next. False: nobody rings or answers by it.
    private mutating func followNext(_ index: Int, _ call: inout Call, at now: Instant) -> Bool {
        while !call.forwards[index].waiting.isEmpty {
            for target in call.forwards[index].waiting.removeFirst() {
                guard case .ringing = call.phase else { break }
                do throws(ForwardRefusal) { try follow(target, index, &call, at: now) } catch {
                    noteNotForwarded(call.forwards[index].by, target.name, error, call)
                }
            }
            if isTried(index, call) { return true }
        }
        return false
    }

    /// Whether somebody rings by a forward, or by one further on, or the call is past ringing.
    private func isTried(_ index: Int, _ call: Call) -> Bool {
        guard case .ringing = call.phase else { return true }
        return call.legs.indices.contains { call.legs[$0].state == .inviting && forwards(to: $0, call).contains(index) }
    }

    /// A leg is over: where nobody is left of the forward that it rang by, its next targets ring.
    mutating func forwardedInVain(_ leg: Int, _ call: inout Call, at now: Instant) {
        for index in forwards(to: leg, call).reversed() {
            if isTried(index, call) || followNext(index, &call, at: now) { return }
        }
    }

    private mutating func follow(
        _ target: CallForward.Target, _ index: Int, _ call: inout Call, at now: Instant
    ) throws(ForwardRefusal) {
        let by = call.legs[call.forwards[index].by].party.address.description
        switch target {
        case .service(let service):
            noteForward(by, service.name, &call)
            if let transferee = call.transfer?.transferee {
                abandonForks(&call, reason: Self.elsewhere, at: now)
                transfer(to: service, transferee, &call, at: now)
            } else {
                answer(by: service, &call, at: now)
            }
        case .user(let aor, let isSecret):
            guard !wasRung(aor, call) else { throw .loop }
            guard call.legs.count + settings.limits.forks <= settings.limits.legsPerCall else { throw .tooOften }
            let bindings = registrar.bindings(of: aor).filter { $0.expires > now }
            let instances = byInstance(bindings, isSecret: isSecret)
            guard !instances.isEmpty else { throw .nobodyRegistered }
            try leaveDirectMedia(aor, bindings, &call)
            guard case .ringing(var ringing) = call.phase else { return }
            noteForward(by, aor.description, &call)
            ringing.until = now + settings.calls.ringFor
            call.phase = .ringing(ringing)
            // That it rings there is news to those who watch.
            call.announced = 0
            call.forwards[index].tried += 1
            if call.transfer == nil { progress(181, [], &call, at: now) } else { tellTransferor(181, &call, at: now) }
            for flows in instances.prefix(settings.limits.forks) { fork(to: aor, flows, by: index, &call, at: now) }
        }
    }

    private mutating func noteForward(_ by: String, _ target: String, _ call: inout Call) {
        call.forwarded.append("\(by) forwarded to \(target)")
        traces.note(.call(.forwarded(call: call.number, by: by, to: target)))
    }

    private mutating func noteNotForwarded(_ leg: Int, _ target: SIPText, _ refusal: ForwardRefusal, _ call: Call) {
        guard traces.isOn else { return }
        let by = call.legs[leg].party.address.description
        traces.note(.call(.notForwarded(call: call.number, by: by, to: target.string, refusal)))
    }

    /// SDPs that pass untouched may be of no use to the target: then media come to us, if no other phone was told otherwise.
    private mutating func leaveDirectMedia(_ aor: AddressOfRecord, _ bindings: [Binding], _ call: inout Call)
        throws(ForwardRefusal)
    {
        guard call.isDirect, let session = call.legs[call.offerer].session.remote else { return }
        let caller = call.legs[call.offerer]
        guard let why = whyRelayed(caller.party, caller.flow, session, aor, bindings) else { return }
        guard call.transfer == nil, !call.legs.contains(where: { !$0.isCaller && $0.state == .inviting }) else {
            throw .directMedia
        }
        call.isDirect = false
        if why != .unwished {
            traces.note(
                .call(.relayed(call: call.number, from: caller.party.address.description, to: aor.description, why)))
        }
        do throws(SessionRefusal) { try takeOffer(session, caller.session.remoteBody, 0, &call) } catch { throw .directMedia }
    }

    /// The caller of a call that rings is answered by a service.
    private mutating func answer(by service: CallService, _ call: inout Call, at now: Instant) {
        guard call.legs[0].state == .inviting, let key = call.legs[0].inviteKey else { return }
        abandonForks(&call, reason: Self.elsewhere, at: now)
        call.isDirect = false
        call.phase = .served(media(service, call.legs[0].flow, call.legs[0].party))
        let heard = call.legs[0].session.local
        var body: [UInt8]
        do throws(SessionRefusal) {
            try enterLoop(of: service, 0, &call)
            if let session = call.legs[0].session.remote {
                body = try answerAsService(session, call.legs[0].session.remoteBody, 0, &call)
            } else {
                body = try offerAsService(0, &call)
            }
        } catch {
            endInvite(&call, status: error.status, warning: addresses.warning(error, call.legs[0].flow), at: now)
            return finish(&call, "the caller's SDP: \(error.text)", at: now)
        }
        // As with phones: an answer is given once, what differs is settled by a round of its own.
        call.needsRound = !heard.isEmpty && heard != body
        if call.legs[0].session.early == .changed { body = [] }
        call.service = service
        call.answered = now
        call.status = 200
        call.legs[0].hasTalked = true
        tally.callsAnswered &+= 1
        accept(key, body, 0, &call, at: now)
        announce(&call, 2, at: now)
    }

    // MARK: What the target hears of it

    /// The forwards by which a leg came to be rung, the first of them first.
    private func forwards(to leg: Int, _ call: Call) -> [Int] {
        var chain: [Int] = []
        var next = call.legs[leg].forward
        while let index = next {
            chain.append(index)
            next = call.legs[call.forwards[index].by].forward
        }
        return chain.reversed()
    }

    /// Whether a call may open a phone's microphone: each on the way from the caller to it must be allowed to open the next one's.
    func mayOpenMicrophone(_ leg: Int, _ call: Call) -> Bool {
        let way = [0] + forwards(to: leg, call).map { call.forwards[$0].by } + [leg]
        return zip(way, way.dropFirst()).allSatisfy {
            settings.calls.mayOpenMicrophone(of: call.legs[$1].party.address, call.legs[$0].party)
        }
    }

    /// `History-Info: <sip:bob@example.com?Reason=SIP%3Bcause%3D302>;index=1`, then `<sip:carol@example.com;cause=302>;index=1.1;mp=1`;
    /// `Diversion: <sip:bob@example.com>;reason=unconditional;counter=1`, the latest first.
    func addForwards(to leg: Int, _ call: Call, _ builder: inout SIPMessageBuilder) {
        let chain = forwards(to: leg, call)
        guard !chain.isEmpty else { return }
        let domain = call.legs[leg].domain
        var index = "1"
        var cause = ""
        var mapped = ""
        for (place, number) in chain.enumerated() {
            let forward = call.forwards[number]
            let uri = domain.uriText(call.legs[forward.by].party.address)
            builder.add(.historyInfo, SIPText("<\(uri)\(cause)?Reason=SIP%3Bcause%3D\(forward.status)>;index=\(index)\(mapped)"))
            mapped = ";mp=\(index)"
            cause = ";cause=\(forward.reason.cause)"
            let rung = place + 1 < chain.count ? call.forwards[chain[place + 1]].by : leg
            index += ".\(call.legs[rung].branch)"
        }
        builder.add(.historyInfo, SIPText("<\(domain.uriText(call.legs[leg].party.address))\(cause)>;index=\(index)\(mapped)"))
        for number in chain.reversed() {
            let forward = call.forwards[number]
            let uri = domain.uriText(call.legs[forward.by].party.address)
            builder.add(.diversion, SIPText("<\(uri)>;reason=\(forward.reason.text);counter=1"))
        }
    }

    private static let elsewhere: SIPText = "SIP;cause=200;text=\"Call completed elsewhere\""
}

extension CallForward.Target {
    fileprivate var name: SIPText {
        switch self {
        case .user(let aor, _): SIPText(aor.bytes)
        case .service(let service): SIPText(service.name)
        }
    }
}
