import Base
import Registrar
import SIP
import SIPStack

extension ServerTrace {
    /// One plain English line.
    public var text: String {
        switch self {
        case .received(let flow, _, let meaning): "<- \(flow.remote): \(meaning.text)"
        case .sent(let flow, _, let meaning): "-> \(flow.remote): \(meaning.text)"
        case .challenged(let challenged): challenged.text
        case .authentication(let authentication): authentication.text
        case .bound(let aor, let binding, let event): "\(aor) \(event.text): \(binding.summary)"
        case .unbound(let aor, let binding, let reason):
            "\(aor) loses \(String(decoding: binding.contact, as: UTF8.self)): \(reason.text)"
        case .flowDead(let aor, let binding, _) where binding.flow.transport.isReliable:
            "\(aor): its connection \(binding.flow) closed; "
                + (binding.opensTo.map { "who calls opens a new one to \($0)" } ?? "not reachable until it comes back")
        case .flowDead(let aor, let binding, let unanswered):
            "\(aor) cannot be reached any more: \(unanswered) OPTIONS in a row over \(binding.flow) went unanswered"
        case .flowRevived(let aor, let binding): "\(aor) answers again over \(binding.flow)"
        case .keepalive(let aor, let flow, let event): "keepalive of \(aor) over \(flow): \(event.text)"
        case .probed(let aor, let outcome): "probe of \(aor) at \(outcome.contact): \(outcome.result.text)"
        case .refused(let flow, let status, let refusal): "refuses a request from \(flow.remote) with \(status): \(refusal.text)"
        case .dropped(let flow, let reason, let error):
            "drops a message from \(flow.remote): \(reason.text)\(error.map { " (\($0))" } ?? "")"
        case .commitFailed(let reason, let requests):
            "nothing can be stored (\(reason)): registrations, \(requests) of them waiting, are kept in memory for a short time"
        case .storageWorks: "what is registered can be stored again"
        case .restored(let bindings, let unreachable, let refused):
            "restored \(bindings) binding\(bindings == 1 ? "" : "s")\(unreachable == 0 ? "" : ", \(unreachable) of them not reachable until their phones come back")"
                + (refused == 0 ? "" : "; \(refused) had expired")
        case .stunAnswered(let flow): "answers a STUN request from \(flow.remote)"
        case .notice(let notice): notice.text
        case .call(let call): call.text
        }
    }
}

extension ServerTrace.Meaning {
    /// What the message is for, in a few words.
    public var text: String {
        switch self {
        case .request(let method): "\(method)"
        case .registerWithoutCredentials(let attempt):
            attempt == 1
                ? "REGISTER without credentials" : "REGISTER without credentials, number \(attempt) in a row on its Call-ID"
        case .answers(let place, let verdict): "answers challenge \(place.index) of \(place.count); \(verdict.text(place: place))"
        case .credentials(let verdict): "brings credentials over a nonce not outstanding here; \(verdict.text(place: nil))"
        case .signed(let verdict): "brings credentials; \(verdict.text(place: nil))"
        case .retransmission: "a retransmission; gets the same answer again"
        case .response(let status): "response \(status)"
        case .challenge(let ordinal): "challenge \(ordinal)"
        case .staleChallenge(let ordinal): "challenge \(ordinal), stale=true: right password, unfit nonce"
        case .registered(let bindings): "registered; \(bindings) binding\(bindings == 1 ? "" : "s")"
        case .refusal(let status): "refused with \(status)"
        case .keepalive: "OPTIONS that keeps the NAT mapping alive"
        case .keepaliveAnswer: "the phone answers the keepalive"
        case .probe: "OPTIONS that asks whether the phone can be reached"
        case .probeAnswer: "the phone answers the probe"
        }
    }
}

extension DigestVerdict {
    /// What it means for whoever answered. `place`: the challenge answered.
    func text(place: ServerTrace.ChallengePlace?) -> String {
        switch self {
        case .accepted:
            guard let place, place.index < place.count else { return "accepted" }
            return "still valid: accepted"
        case .absent: return "no credentials for this realm"
        case .stale(let status): return "right password, but \(status.text): stale"
        case .replayed(let count): return "right password, but count \(count) of this nonce was used before: stale"
        case .wrongPassword(let failure):
            return failure.isUserKnown
                ? "wrong password (\(failure.nonce.text))" : "unknown user, answered like a wrong password"
        case .mangled(let mangling): return mangling.text
        }
    }
}

extension NonceStatus {
    var text: String {
        switch self {
        case .valid: "the nonce is good"
        case .expired(let age): "the nonce is \(age.wholeSeconds) s old"
        case .foreign: "the nonce is not ours"
        case .superseded(let newer):
            "\(newer) newer challenge\(newer == 1 ? " was" : "s were") sent since, and only the newest counts"
        case .spent: "the nonce was used up by an earlier success"
        }
    }
}

extension DigestMangling {
    var text: String {
        func string(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        switch self {
        case .malformed(let error): return "credentials cannot be read: \(error.reason) at byte \(error.offset)"
        case .realm(let found): return "our nonce under another realm, \"\(string(found))\": rewritten on the way or badly cached"
        case .requestURI(let digest, let request):
            return "right password, signed for \(string(digest)), but the Request-URI is \(string(request)): rewritten on the way"
        case .digestURI(let digest, let request):
            return
                "right password, signed for \(string(request)), but the credentials say \(string(digest)): rewritten on the way"
        case .qop: return "right password, but the digest leaves out the qop it names"
        case .algorithmNotOffered(let algorithm): return "answers with \(algorithm), which was not offered"
        case .qopNotOffered(let qop): return "answers with qop \(qop?.token ?? "none"), which was not offered"
        }
    }
}

extension ServerTrace.Challenged {
    var text: String {
        let which = outstanding > 1 ? "; \(outstanding) challenges are outstanding on its Call-ID" : ""
        return
            "challenges \(flow.remote) (Call-ID \(callID), CSeq \(cseq)) with nonce \(nonce)\(isStale ? ", stale=true" : "")\(which)"
    }
}

extension ServerTrace.Authentication {
    var text: String {
        if isChanSIP {
            switch verdict {
            case .stale: return "Correct auth, but based on stale nonce received from '\(from)'"
            case .wrongPassword(let failure) where failure.nonce == .valid:
                return
                    "Registration from '\(from)' failed for '\(flow.remote)' - \(failure.isUserKnown ? "Wrong password" : "No matching peer found")"
            case .wrongPassword: return "Bad authentication received from '\(from)'"
            case .accepted, .absent, .replayed, .mangled: break
            }
        }
        let which = challenge.map { "answers challenge \($0.index) of \($0.count); " } ?? ""
        return "\(username) at \(flow.remote): \(which)\(verdict.text(place: challenge))"
    }
}

extension Binding {
    /// Contact, flow and what lies between in one line.
    var summary: String {
        "\(String(decoding: contact, as: UTF8.self)) over \(flow)\(verdict.text.isEmpty ? "" : "; \(verdict.text)")"
    }
}

extension PathVerdict {
    /// What was seen, in words; empty if nothing was.
    public var text: String {
        var parts: [String] = []
        if contains(.translated) {
            parts.append("it came from elsewhere than its Via says: a NAT, or another address of its own")
        }
        if contains(.privateContact) { parts.append("its Contact is private: it is reached over its flow alone") }
        if contains(.contactElsewhere), !contains(.privateContact) { parts.append("its Contact is not where it came from") }
        if contains(.withoutRport) { parts.append("its Via asks for no rport") }
        if contains(.rewrittenSuspected) {
            parts.append(
                "its Call-ID carries a private address: an ALG, STUN in the phone, or an outside address that is set there")
        }
        if contains(.viaContactDisagree) { parts.append("Via and Contact name different public places") }
        if contains(.signedElsewhere) {
            parts.append("its password is right, over another URI than the request's: a helper may rewrite that")
        }
        if contains(.addressJumped) { parts.append("it came from another address than before") }
        if contains(.portJumped) { parts.append("it came from another port than before") }
        if contains(.proxied) { parts.append("a proxy stands between") }
        return parts.joined(separator: ", ")
    }
}

extension ServerTrace.BindingEvent {
    var text: String {
        switch self {
        case .added: "registers"
        case .refreshed: "refreshes"
        case .replaced(let former): "moves from \(former)"
        case .flowChanged(let former):
            "now comes by another way than \(former.remote)"
        }
    }
}

extension ServerTrace.UnbindingReason {
    var text: String {
        switch self {
        case .removed: "removed by the phone"
        case .removedAll: "all removed by the phone"
        case .expired: "expired"
        case .replaced: "replaced"
        case .evicted: "gave way to a newer contact"
        }
    }
}

extension ServerTrace.KeepaliveEvent {
    var text: String {
        switch self {
        case .answered(let status, let after): "answered \(status) after \(after.wholeMilliseconds) ms"
        case .unanswered(let inARow): "unanswered, \(inARow) in a row"
        }
    }
}

extension ProbeOutcome.Result {
    var text: String {
        switch self {
        case .answered(let status, let after): "answered \(status) after \(after.wholeMilliseconds) ms"
        case .timedOut: "no answer within 32 s"
        case .unreachable: "nothing sent, the flow is dead"
        case .unroutable: "nothing sent, the Contact leads nowhere"
        case .refused: "nothing sent, too many probes are under way"
        }
    }
}

extension ServerTrace.Refusal {
    var text: String {
        switch self {
        case .malformed(let error): "\(error)"
        case .tooLarge(let bytes): "\(bytes) bytes are too many"
        case .version: "not SIP/2.0"
        case .scheme: "a Request-URI scheme we do not know"
        case .maxForwards: "Max-Forwards ran out"
        case .loop: "it passed here before"
        case .merged: "the same request came by another way"
        case .extensions(let names): "it requires what is not done here: \(names.map(\.string).joined(separator: ", "))"
        case .method(let method): "\(method) is not done here"
        case .encoding: "a body encoding we do not know"
        case .foreignDomain(let domain): "\(domain) is not our domain"
        case .notTheirs(let aor, let username): "\(username) may not register \(aor)"
        case .unknownAOR: "no such address of record"
        case .nobodyRegistered: "nobody is registered there"
        case .onlyInClear: "a sips: URI is asked for, and nobody is registered there over TLS"
        case .askedInClear: "a sips: URI is asked for over a way that is not encrypted"
        case .noCallsYet: "no calls are made under this profile"
        case .wildcard: "Contact: * is good alone and with Expires: 0 only"
        case .badContact: "a Contact that cannot be kept"
        case .outOfOrder(let had, let got): "CSeq \(got) comes after \(had)"
        case .tooBrief(let requested, let shortest): "\(requested) s is too brief, \(shortest) s is the least"
        case .tooManyContacts(let count): "\(count) contacts are too many"
        case .tablesFull: "a table is full"
        case .manyFlows: "several contacts with a reg-id in one request"
        case .firstHopLacksOutbound: "the proxy next to the phone does not do outbound (RFC 5626)"
        case .noTransaction: "no transaction or dialog of ours"
        case .noDialog: "no dialog of ours"
        case .notOfItsDialog(let aor): "whoever asks is not \(aor), whose dialog that is"
        case .notInPickupGroup(let aor): "whoever asks is in no pick-up group with \(aor)"
        case .tooManyCalls(let aor): "\(aor) has too many calls"
        case .session(let refusal): refusal.text
        case .sessionTooSmall(let seconds): "a session timer of \(seconds) s is too brief"
        case .glare: "another change of the session is under way"
        case .declinedThere(let status): "the other phone said \(status)"
        case .noAnswer: "the other phone did not take it"
        case .event(let event): "the event package \(event.isEmpty ? "is missing" : "\(event) is not known here")"
        case .outsideCalls: "REFER is taken inside calls only"
        case .badReferTo: "Refer-To is missing, repeated or cannot be read"
        case .badReplaces: "Replaces cannot be read, or does not fit the dialog"
        case .draining: "the server is about to stop and takes no new calls"
        case .credentials: "credentials that cannot be used"
        case .guessing: "too many wrong passwords came before"
        }
    }
}

extension DropReason {
    /// In a few words.
    public var text: String {
        switch self {
        case .junk: "neither SIP nor STUN"
        case .crlfOverUDP: "a bare line end, which nothing answers over UDP"
        case .empty: "empty"
        case .malformedResponse: "a malformed response"
        case .unanswerable: "a request too broken to be answered"
        case .malformedACK: "a malformed ACK"
        case .oversizeResponse: "a response too large"
        case .strayResponse: "a response to nothing we asked"
        case .strayACK: "an ACK to nothing of ours"
        case .sourceFlooding: "more came from its source than is taken"
        case .unprovedRepliesOfSource: "its source drew too many replies without proving itself"
        case .unprovedRepliesInAll: "too many unproved requests in all"
        case .amplification: "the answer would be over three times as large, to somebody who did not prove who he is"
        case .repeatedTooOften: "its answer was repeated as often as the copies' size allows"
        case .malformedSTUN: "STUN that gets no answer"
        case .stunOff: "STUN, which is switched off here"
        case .noReplyAddress: "there is nowhere to answer to"
        }
    }
}

extension ServerTrace.Notice {
    var text: String {
        switch self {
        case .path(let aor, let verdict, let flow):
            "\(aor) at \(flow.remote): \(verdict.isStraight ? "nothing changes its messages" : verdict.text)"
        case .contactElsewhere(let aor, let binding, let isProved):
            "\(aor) registered from \(binding.flow.remote.address) with the Contact \(String(decoding: binding.contact, as: UTF8.self)): "
                + (isProved ? "it answers, requests go there" : "it does not answer as that phone, nothing is sent there")
        case .portJumps(let callID, let seen):
            "Call-ID \(callID) came from \(seen.map { "\($0.endpoint)" }.joined(separator: ", then "))"
        case .largeReply(let flow, let bytes): "a reply of \(bytes) bytes to \(flow.remote) over UDP may be fragmented"
        case .tableFull(let name): "the table of \(name) is full"
        case .opens(let aor, let remote): "\(aor): opens a connection to its Contact, \(remote)"
        case .guessed(let username, let flow):
            "somebody guesses the password of \(username), lately from \(flow.remote.address): guesses from where it never proved itself wait"
        }
    }
}
