import Base
import SIP
import SIPStack

/// A call begins: its first leg, and what it counts for.
extension CallServer {
    /// A call with its first leg and the server transaction of its INVITE. nil: the request is refused already.
    mutating func begin(_ request: ServerRequest, _ party: CallParty, calledName: String, at now: Instant) -> Call? {
        let terms = SessionTimerTerms(request.message)
        if case .tooSmall(let shortest) = terms.answer(settings.calls.session) {
            var reply = ReplyWriter.Reply(422)
            reply.add("Min-SE", number: shortest)
            refuse(request, reply, .sessionTooSmall(terms.interval ?? 0))
            return nil
        }
        let tag = entropy.next()
        guard
            let dialog = try? Dialog(
                answering: request.message, localTag: SIPText(tag: tag), localSequence: entropy.initialSequence())
        else {
            refuse(request, 400, .badContact)
            return nil
        }
        if !party.isVouched, request.flow.transport.isReliable { outbox.append(.called(over: request.flow)) }
        let (key, number) = calls.nextKey()
        let flow = ways.home(request)
        var leg = CallLeg(
            .caller(CallLeg.Caller(request, first: entropy.next())), party: party, flow: flow, tag: tag,
            callID: request.callID.detached)
        leg.dialog = dialog
        leg.takesUpdate = request.message.allowsUpdate
        calls.tags[tag] = .leg(call: key, 0)
        calls.join(party.address, key)
        calls.enter(flow, key)
        calls.perAccount[party.account, default: 0] += 1
        var call = Call(
            key: key, number: number, phase: .finding(isTold: false), legs: [leg], loop: calls.ports.idlest ?? 0,
            hasOffer: false, calledName: calledName, start: now)
        call.accounts = [party.account]
        open(request, 0, call)
        call.hops = max(1, Int((try? request.message.maxForwards) ?? 70) - 1)
        return call
    }

    /// The caller's SDP cannot be met: 488 with a Warning (or 415, 503), and the call is over.
    mutating func refuseCall(_ call: inout Call, _ refusal: SessionRefusal, at now: Instant) {
        noteRefusal(call.legs[0].flow, status: refusal.status, .session(refusal))
        endInvite(&call, status: refusal.status, warning: settings.addresses.warning(refusal, call.legs[0].flow))
        finish(&call, "the caller's SDP: \(refusal.text)", at: now)
    }

    /// Who is meant is asked. False: so many are asked already that nobody is.
    mutating func lookUp(
        _ subject: LookUp.Subject, _ purpose: LookUpTable.Purpose, for caller: CallLeg? = nil, at now: Instant
    ) -> Bool {
        guard lookUps.count < settings.limits.lookUps else {
            counters.callTablesFull &+= 1
            note(.full("look-ups"))
            return false
        }
        let id = lookUps.begin(purpose, until: now + settings.calls.findWithin)
        outbox.append(.lookUp(LookUp(id: id, subject: subject, caller: caller?.party.address, callerFlow: caller?.flow)))
        return true
    }
}

extension CallLeg.Caller {
    /// Reads what decides how it is told of progress (RFC 3262 3).
    fileprivate init(_ request: ServerRequest, first: UInt64) {
        invite = request
        let message = request.message
        let requires = ((try? message.require) ?? []).contains { $0.equalsCaseless(literal: "100rel") }
        let supports = ((try? message.supported) ?? []).contains { $0.equalsCaseless(literal: "100rel") }
        guard requires || supports, let sequence = try? message.cseq.number else { return }
        provisionals = ReliableProvisionals(sequence: sequence, first: UInt32(truncatingIfNeeded: first))
        requiresReliability = requires
    }
}

extension SIPMessage {
    var allowsUpdate: Bool { ((try? allow) ?? []).contains(.update) }
}
