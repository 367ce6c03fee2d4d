import Base
import SDP
import SIP
import SIPStack

/// A new INVITE of a party that is known, and whom it rings (RFC 3261 14, 16, 21).
extension CallServer {
    /// Who is called.
    package enum Callee: Sendable {
        /// `isSecret`: by a `sips:` URI.
        case user(AddressOfRecord, isSecret: Bool)
        /// A number of no user's.
        case number(SIPText)
    }

    package mutating func invite(_ request: ServerRequest, _ callee: Callee, _ party: CallParty, at now: Instant) {
        var service: CallService?
        if case .number(let number) = callee {
            service = settings.calls.service(number.string)
            if service == nil { return refuse(request, 404, .unknownAOR) }
        }
        guard !isDraining else { return refuse(request, 503, .draining) }
        let limits = settings.limits
        guard calls.count < limits.calls else {
            counters.callTablesFull &+= 1
            note(.full("calls"))
            return refuse(request, 503, .tablesFull)
        }
        guard calls.perAccount[party.account, default: 0] < limits.callsPerAccount, beginsInTime(party.account, at: now) else {
            counters.callTablesFull &+= 1
            return refuse(request, 503, .tooManyCalls(of: party.address))
        }
        if request.message.contains(.replaces) { return inviteReplacing(request, party, at: now) }
        if case .user(let aor, let isSecret) = callee { return call(aor, request, party, isSecret: isSecret, at: now) }
        if let service { serve(service, request, party, at: now) }
    }

    private mutating func beginsInTime(_ account: SIPText, at now: Instant) -> Bool {
        guard let rate = settings.limits.callRatePerAccount else { return true }
        return calls.rates.change(account, or: Gauge()) { $0.take(rate, at: now) }
    }

    // MARK: A call between users

    private mutating func call(
        _ aor: AddressOfRecord, _ request: ServerRequest, _ party: CallParty, isSecret: Bool, at now: Instant
    ) {
        guard var call = begin(request, party, calledName: aor.description, at: now) else { return }
        call.isSecret = isSecret
        if lookUp(.user(aor), .ring(call: call.key), for: call.legs[0], at: now) { return calls.put(call) }
        noteRefusal(request.flow, status: 503, .tablesFull)
        endInvite(&call, status: 503)
        finish(&call, "a table was full", at: now)
        settle(call, at: now)
    }

    /// Whom a call is for takes its time: the caller is told 100 (RFC 3261 17.2.1).
    mutating func findingTakesTime(_ call: inout Call) {
        guard case .finding(isTold: false) = call.phase, let request = call.legs[0].invite else { return }
        call.phase = .finding(isTold: true)
        respond(ReplyWriter.Reply(100), to: request)
    }

    /// Whom a call is for is known.
    mutating func ring(_ found: Found, _ call: inout Call, at now: Instant) {
        guard case .finding(let isTold) = call.phase, let request = call.legs[0].invite else { return }
        let party = call.legs[0].party
        guard case .user(let aor, _, let srtp) = found.owner else {
            noteRefusal(request.flow, status: 404, .unknownAOR)
            endInvite(&call, status: 404)
            return finish(&call, "\(call.calledName) is no user any more", at: now)
        }
        let instances = CallTarget.byInstance(found.targets, isSecret: call.isSecret)
        guard !instances.isEmpty else {
            let isInClear = !found.targets.isEmpty
            noteRefusal(request.flow, status: 480, isInClear ? .onlyInClear : .nobodyRegistered)
            // RFC 5630 8.4: a warning of its own.
            let refusal = SessionRefusal(380, "nobody is registered there over TLS")
            endInvite(&call, status: 480, warning: isInClear ? settings.addresses.warning(refusal, request.flow) : nil)
            return finish(
                &call, "nobody is registered as \(aor)\(isInClear ? " over TLS, as a sips: URI asks for" : "")", at: now)
        }
        let session: SessionDescription?
        do throws(SessionRefusal) {
            session = try readSession(request.message)
            if let session {
                let why = whyRelayed(party, request.flow, session, found)
                call.isDirect = why == nil
                if let why, why != .unwished {
                    note(.call(.relayed(call: call.number, from: party.address.description, to: aor.description, why)))
                }
                try takeOffer(session, request.message.sessionBody, 0, &call)
            }
        } catch {
            return refuseCall(&call, error, at: now)
        }
        call.hasOffer = session != nil
        // A malformed Expires counts as absent.
        let expires = ((try? request.message.expires) ?? nil).map { call.start + .seconds(Int64($0)) }
        let until = now + settings.calls.ringFor
        call.phase = .ringing(.init(until: until, limit: call.start + settings.calls.setupLimit, expires: expires))
        note(
            .call(.started(call: call.number, from: party.address.description, to: aor.description, instances: instances.count)))
        counters.callsStarted &+= 1
        // What follows may take its time (RFC 3261 17.2.1).
        if !isTold { respond(ReplyWriter.Reply(100), to: request) }
        for flows in instances.prefix(settings.limits.forks) { fork(to: aor, srtp, flows, &call) }
        // Nobody could be rung at all: the last leg to fail has ended the call by then.
        concludeRinging(&call, at: now)
    }

    // MARK: A call to a service

    private mutating func serve(_ service: CallService, _ request: ServerRequest, _ party: CallParty, at now: Instant) {
        guard var call = begin(request, party, calledName: service.name, at: now) else { return }
        call.service = service
        call.phase = .served(media(service, request.flow, party))
        let body: [UInt8]
        do throws(SessionRefusal) {
            try enterLoop(of: service, 0, &call)
            if let session = try readSession(request.message) {
                call.hasOffer = true
                body = try answerAsService(session, request.message.sessionBody, 0, &call)
            } else {
                body = try offerAsService(0, &call)
            }
        } catch {
            refuseCall(&call, error, at: now)
            return settle(call, at: now)
        }
        counters.callsStarted &+= 1
        counters.callsAnswered &+= 1
        note(
            .call(.started(call: call.number, from: party.address.description, to: service.name, instances: 0)))
        call.answered = now
        call.status = 200
        call.legs[0].hasTalked = true
        accept(request, body, 0, &call, at: now)
        announce(&call, 2)
        settle(call, at: now)
    }
}
