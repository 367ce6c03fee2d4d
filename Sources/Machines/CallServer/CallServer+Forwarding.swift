import Base
import SDP
import SIP
import SIPStack

/// Phones that forward their calls: a 302 is followed to our own users, rooms and services, with what the forwarder may do (RFC 3261 8.1.3.4,
/// 21.3); the target hears of it by History-Info (RFC 7044) and Diversion (RFC 5806).
extension CallServer {
    /// A phone's 3xx: it is followed, or counts as a refusal of which the caller is told what he may know.
    mutating func forwarded(_ message: SIPMessage, _ status: Int, _ leg: Int, _ call: inout Call, at now: Instant) {
        let name = call.legs[leg].party.address.description
        note(.call(.declined(call: call.number, party: name, call.legs[leg].flow, status: status, .refused)))
        // The leg rings no more; that it refused counts only where nothing can be followed.
        dropEarlyExchange(with: leg, &call)
        endLeg(leg, &call)
        call.isNews = true
        var forward = CallForward(
            by: leg, status: status, reason: ForwardReason(message, hasRung: call.legs[leg].callee?.hasRung == true), waiting: [])
        var groups: [(q: Int, contacts: [NameAddress])] = []
        if case .list(let contacts)? = try? message.contacts {
            for contact in contacts.prefix(settings.limits.contactsPerForward) {
                if let refusal = whyNotFollowed(status) {
                    forward.refusal = refusal
                    noteNotForwarded(leg, contact.uriText, refusal, call)
                    continue
                }
                let q = Int(contact.q ?? 1000)
                if let place = groups.firstIndex(where: { $0.q == q }) {
                    groups[place].contacts.append(contact)
                } else {
                    groups.append((q, [contact]))
                }
            }
        }
        if groups.isEmpty, forward.refusal == .unreadable { noteNotForwarded(leg, SIPText(), .unreadable, call) }
        forward.warning = message.first(.warning)?.value.detached
        forward.waiting = groups.sorted { $0.q > $1.q }.map(\.contacts)
        call.forwards.append(forward)
        followNext(call.forwards.count - 1, &call, at: now)
    }

    /// Why no Contact of a 3xx is followed, wherever it leads.
    private func whyNotFollowed(_ status: Int) -> ForwardRefusal? {
        guard settings.calls.forwarding != .refuse else { return .switchedOff }
        return [300, 301, 302].contains(status) ? nil : .otherKind
    }

    /// Whether so many forwards were followed that one more is not.
    private func isTooOften(_ index: Int, _ call: Call) -> Bool {
        call.forwards.count > settings.limits.forwardsPerCall
            || call.forwards(to: call.forwards[index].by).count >= settings.limits.forwardsInARow
    }

    /// Looks up what a forward names next. Where nothing is left, whoever forwards counts as one who refused.
    private mutating func followNext(_ index: Int, _ call: inout Call, at now: Instant) {
        while !call.forwards[index].waiting.isEmpty {
            for contact in call.forwards[index].waiting.removeFirst() {
                let way = call.legs[call.forwards[index].by].flow
                let purpose = LookUpTable.Purpose.forward(call: call.key, index: index, contact)
                guard lookUp(.uri(contact.uri, from: way), purpose, for: call.legs[call.offerer], at: now) else {
                    notFollowed(contact, .nobodyRegistered, index, &call)
                    continue
                }
                call.forwards[index].finding += 1
            }
            if call.forwards[index].finding > 0 { return }
        }
        let leg = call.forwards[index].by
        let forward = call.forwards[index]
        if !forward.redirections.isEmpty {
            call.legs[leg].callee?.invite = .refused(
                .init(status: forward.status, warning: forward.warning, redirections: forward.redirections))
        } else if forward.tried == 0 {
            let why = SessionRefusal(399, "the phone forwards its calls: \(forward.refusal.text)")
            let warning = settings.addresses.warning(why, call.legs[0].flow)
            call.legs[leg].callee?.invite = .refused(.init(status: 480, warning: warning))
        }
        forwardedInVain(leg, &call, at: now)
    }

    /// A leg is over: where nobody is left of the forward that it rang by, its next targets ring.
    mutating func forwardedInVain(_ leg: Int, _ call: inout Call, at now: Instant) {
        guard let index = call.legs[leg].callee?.forward, !isTried(index, call) else { return }
        followNext(index, &call, at: now)
    }

    /// Whether somebody rings or is looked up by a forward, or by one further on, or the call is past ringing.
    private func isTried(_ index: Int, _ call: Call) -> Bool {
        guard case .ringing = call.phase else { return true }
        return call.legs.indices.contains { call.legs[$0].isInviting && call.forwards(to: $0).contains(index) }
            || call.forwards.indices.contains {
                call.forwards[$0].finding > 0 && ($0 == index || call.forwards(to: call.forwards[$0].by).contains(index))
            }
    }

    // MARK: What was found

    /// Where a Contact leads is known: it rings there, if the forwarder may call there.
    ///
    /// `found`: nil where nobody told in time.
    mutating func forwardFound(_ index: Int, _ contact: NameAddress, _ found: Found?, _ call: inout Call, at now: Instant) {
        call.forwards[index].finding -= 1
        if case .ringing = call.phase, !call.forwards[index].isStopped {
            do throws(ForwardRefusal) {
                guard let found else { throw .nobodyRegistered }
                try follow(contact, found, index, &call, at: now)
            } catch {
                notFollowed(contact, error, index, &call)
            }
        }
        if call.forwards[index].finding == 0, !isTried(index, call) { followNext(index, &call, at: now) }
    }

    private mutating func notFollowed(_ contact: NameAddress, _ refusal: ForwardRefusal, _ index: Int, _ call: inout Call) {
        let by = call.forwards[index].by
        call.forwards[index].refusal = refusal
        noteNotForwarded(by, contact.uriText, refusal, call)
        if refusal == .elsewhere, settings.calls.forwarding == .passOn {
            call.forwards[index].redirections.append(contact.text.detached)
        }
    }

    private mutating func follow(
        _ contact: NameAddress, _ found: Found, _ index: Int, _ call: inout Call, at now: Instant
    ) throws(ForwardRefusal) {
        let by = call.legs[call.forwards[index].by].party.address.description
        switch found.owner {
        case .otherScheme, .foreign: throw .elsewhere
        case .nobody(let user, _, let isOurs):
            guard let service = user.flatMap({ settings.calls.service($0.string) }) else {
                // A telephone number may be anybody's.
                throw isOurs && contact.uri.sip != nil ? .unknown : .elsewhere
            }
            guard !isTooOften(index, call) else { throw .tooOften }
            noteForward(by, service.name, &call)
            if let transferee = call.transfer?.transferee {
                abandonForks(&call, reason: Self.elsewhere)
                transfer(to: service, transferee, &call, at: now)
            } else {
                answer(by: service, &call, at: now)
            }
        case .user(let aor, _, let srtp):
            let wasRung = call.legs[(call.transfer?.firstTarget ?? 0)...].contains { !$0.isCaller && $0.party.address == aor }
            guard !isTooOften(index, call) else { throw .tooOften }
            guard !wasRung else { throw .loop }
            guard call.legs.count + settings.limits.forks <= settings.limits.legsPerCall else { throw .tooOften }
            let instances = CallTarget.byInstance(found.targets, isSecret: call.isSecret || contact.uri.sip?.scheme == .sips)
            guard !instances.isEmpty else { throw .nobodyRegistered }
            try leaveDirectMedia(aor, found, &call)
            guard case .ringing(var ringing) = call.phase else { return }
            noteForward(by, aor.description, &call)
            ringing.until = now + settings.calls.ringFor
            call.phase = .ringing(ringing)
            // That it rings there is news to those who watch.
            call.announced = 0
            call.forwards[index].tried += 1
            if call.transfer == nil { progress(181, [], &call, at: now) } else { tellTransferor(181, &call, at: now) }
            for flows in instances.prefix(settings.limits.forks) { fork(to: aor, srtp, flows, by: index, &call) }
        }
    }

    private mutating func noteForward(_ by: String, _ target: String, _ call: inout Call) {
        call.forwarded.append("\(by) forwarded to \(target)")
        note(.call(.forwarded(call: call.number, by: by, to: target)))
    }

    private mutating func noteNotForwarded(_ leg: Int, _ target: SIPText, _ refusal: ForwardRefusal, _ call: Call) {
        note(.call(.notForwarded(call: call.number, by: call.legs[leg].party.address.description, to: target.string, refusal)))
    }

    /// SDPs that pass untouched may be of no use to the target: then media come to us, if no other phone was told otherwise.
    private mutating func leaveDirectMedia(_ aor: AddressOfRecord, _ found: Found, _ call: inout Call)
        throws(ForwardRefusal)
    {
        guard call.isDirect, let session = call.legs[call.offerer].session.remote else { return }
        let caller = call.legs[call.offerer]
        guard let why = whyRelayed(caller.party, caller.flow, session, found) else { return }
        guard call.transfer == nil, !call.legs.contains(where: { !$0.isCaller && $0.isInviting }) else {
            throw .directMedia
        }
        call.isDirect = false
        if why != .unwished {
            note(
                .call(.relayed(call: call.number, from: caller.party.address.description, to: aor.description, why)))
        }
        do throws(SessionRefusal) { try takeOffer(session, caller.session.remoteBody, 0, &call) } catch { throw .directMedia }
    }

    /// The caller of a call that rings is answered by a service.
    private mutating func answer(by service: CallService, _ call: inout Call, at now: Instant) {
        guard call.legs[0].isInviting, let invite = call.legs[0].invite else { return }
        abandonForks(&call, reason: Self.elsewhere)
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
            endInvite(&call, status: error.status, warning: settings.addresses.warning(error, call.legs[0].flow))
            return finish(&call, "the caller's SDP: \(error.text)", at: now)
        }
        // As with phones: an answer is given once, what differs is settled by a round of its own.
        call.needsRound = !heard.isEmpty && heard != body
        if call.legs[0].session.early == .changed { body = [] }
        call.service = service
        call.answered = now
        call.status = 200
        call.legs[0].hasTalked = true
        counters.callsAnswered &+= 1
        accept(invite, body, 0, &call, at: now)
        announce(&call, 2)
    }

    private static let elsewhere: SIPText = "SIP;cause=200;text=\"Call completed elsewhere\""
}
