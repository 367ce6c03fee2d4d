import Base
import Registrar
import SIP
import SIPStack
import Subscriptions

/// OPTIONS, and calls where none are made.
extension ServerNode {
    /// OPTIONS about the server itself (RFC 3261 11.2).
    mutating func answerOptions(_ request: inout ServerRequest, _ target: SIPURI, at now: Instant) {
        guard domains.domain(target.host, local: request.flow.local) != nil else {
            return refuse(&request, 404, .foreignDomain(SIPText(target.host.description)), at: now)
        }
        note(&request, .request(.options))
        var reply = ReplyWriter.Reply(200)
        reply.add("Allow", (settings.profile == .pinhole ? ReplyWriter.allow : ReplyWriter.allowForChanSIP).utf8)
        reply.addAcceptedBodies()
        reply.add("Accept-Language", "en".utf8)
        if settings.profile == .pinhole {
            reply.add("Supported", "\(ReplyWriter.supported), \(ReplyWriter.supportedInCalls)".utf8)
            reply.add("Allow-Events", Subscriptions.allowEvents.utf8)
        }
        answer(&request, reply, .response(status: 200), at: now)
    }

    /// INVITE, CANCEL and BYE where no calls are made: whoever asks is authenticated like everybody, then told why nothing rings.
    mutating func answerCall(_ request: inout ServerRequest, _ target: SIPURI, at now: Instant) {
        if request.method == .cancel {
            // Its INVITE, if there was one, is answered for good: nothing is left to cancel (RFC 3261 9.2).
            return refuse(&request, 481, .noTransaction, at: now)
        }
        if request.hasToTag || request.method == .bye { return refuse(&request, 481, .noTransaction, at: now) }
        guard let account = authenticate(&request, at: now) else { return }
        _ = account
        remember(request, at: now)
        guard let domain = domains.domain(target.host, local: request.flow.local) else {
            return refuse(&request, 404, .foreignDomain(SIPText(target.host.description)), at: now)
        }
        guard let user = target.unescapedUser, accounts.owns(user: user, domain: domain) else {
            return refuse(&request, 404, .unknownAOR, at: now)
        }
        let aor = AddressOfRecord(user: user.bytes, domain: domain.bytes)
        guard registrar.locations(of: aor).contains(where: { $0.binding.reach == .reachable }) else {
            return refuse(&request, 480, .nobodyRegistered, at: now)
        }
        refuse(&request, 501, .noCallsYet, at: now)
    }
}
