import Base
import Registrar
import SIP
import SIPStack

/// REGISTER, step by step (RFC 3261 10.3, RFC 5626 6, RFC 3327 5.3).
extension ServerNode {
    mutating func register(_ incoming: inout ServerRequest, _ target: SIPURI, at now: Instant) {
        var request = incoming
        defer { incoming = request }
        let (place, jumps) = attempts.arrive(keys.text(request.callID.bytes), from: request.flow.remote, at: now)
        request.attempt = place
        request.arrival = now
        if !jumps.isEmpty { traces.note(.notice(.portJumps(callID: request.callID, attempts.seen(place)))) }
        // Step 1.
        guard domains.domain(target.host, local: request.flow.local) != nil else {
            return refuse(&request, 404, .foreignDomain(SIPText(target.host.description)), at: now)
        }
        // Step 3; step 2, extensions, is behind us.
        guard let account = authenticate(&request, at: now) else { return }
        // Steps 4 and 5. Until here an address of record that exists and one that does not looked the same.
        guard case .sip(let aorURI) = request.parts.to.uri,
            let domain = domains.domain(aorURI.host, local: request.flow.local), let user = aorURI.unescapedUser
        else { return refuse(&request, 404, .unknownAOR, at: now) }
        let aor = AddressOfRecord(user: user.bytes, domain: domain.bytes)
        guard account.mayRegister(user: user, domain: domain) else {
            return refuse(&request, 403, .notTheirs(aor, username: account.user), at: now)
        }
        guard !registrar.isFull else { return refuse(&request, 503, .tablesFull, at: now) }
        let registration: Registration
        do throws(Registrar.Refusal) {
            registration = try reader.registration(request, aor, jumps, on: ways.home(request))
        } catch {
            return refuseRegistration(&request, error, at: now)
        }
        remember(request, at: now)
        do throws(Registrar.Refusal) {
            try registrar.register(registration, request, at: now)
        } catch {
            drain(at: now)
            refuseRegistration(&request, error, at: now)
        }
    }

    private mutating func refuseRegistration(_ request: inout ServerRequest, _ refusal: Registrar.Refusal, at now: Instant) {
        let traced = ServerTrace.Refusal(refusal)
        switch refusal {
        case .tooBrief(_, let shortest):
            var reply = ReplyWriter.Reply(423)
            reply.add("Min-Expires", number: shortest)
            refuse(&request, reply, traced, at: now)
        case .outOfOrder:
            tally.outOfOrder &+= 1
            refuse(&request, ReplyWriter.Reply(500, reason: "CSeq Out Of Order"), traced, at: now)
        case .tooManyContacts: refuse(&request, ReplyWriter.Reply(403, reason: "Too Many Contacts"), traced, at: now)
        case .firstHopLacksOutbound: refuse(&request, 439, traced, at: now)
        case .tablesFull: refuse(&request, 503, traced, at: now)
        case .malformed, .wildcard, .badContact, .manyFlows: refuse(&request, 400, traced, at: now)
        }
    }
}
