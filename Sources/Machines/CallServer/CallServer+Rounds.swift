import Base
import SDP
import SIP
import SIPStack

/// Offer/answer rounds across the two legs of a call: asked on one side, answered on the other (RFC 3264, RFC 3725 for those of our own).
extension CallServer {
    /// Begins a round. `session`: the asker's offer; nil: `target` is asked for one. Throws, and leaves the call as it was, where it
    /// cannot be met.
    mutating func begin(
        _ asker: CallExchange.Asker, _ session: SessionDescription?, _ body: [UInt8], ask target: Int, for second: Int,
        isInvite: Bool,
        _ call: inout Call, at now: Instant
    ) throws(SessionRefusal) {
        // Not before its ACK is there (RFC 3261 14.1).
        guard !call.legs[target].awaitsACK else {
            throw SessionRefusal(399, "the other side has not acknowledged yet", status: 491)
        }
        let former = [target, second].map {
            CallExchange.Former(leg: $0, session: call.legs[$0].session, streams: call.legs[$0].streams)
        }
        do throws(SessionRefusal) {
            var offer: [UInt8] = []
            if let session {
                try takeOffer(session, body, second, &call)
                offer = try self.offer(session, from: second, to: target, &call)
            }
            let client = try renegotiate(offer, target, isInvite: isInvite, &call)
            call.exchange = CallExchange(
                asker: asker, target: target, second: second, hasOffer: session != nil, step: .asked(client: client),
                former: former,
                deadline: now + settings.calls.timers.patience * 2)
        } catch {
            revert(former, &call)
            throw error
        }
    }

    /// A re-INVITE or UPDATE of ours.
    mutating func renegotiate(
        _ offer: [UInt8], _ leg: Int, isInvite: Bool, _ call: inout Call
    ) throws(SessionRefusal) -> ClientToken {
        let flow = requestWay(call.legs[leg])
        let token = tokens.next()
        let method: SIPMethod = isInvite ? .invite : .update
        guard call.legs[leg].confirmed?.refreshing == nil,
            var builder = call.legs[leg].dialog?.request(method, via: settings.addresses.via(flow, token))
        else {
            throw SessionRefusal(399, "the other side is being asked already", status: 491)
        }
        addSessionTerms(leg, &call, to: &builder)
        builder.setSession(offer)
        ask(method, builder.bytes, token, on: flow, .exchange(call: call.key, leg: leg))
        if isInvite { call.legs[leg].inviteSequence = call.legs[leg].dialog?.localSequence ?? 0 }
        return token
    }

    /// The headers of a request of ours that changes or refreshes a session; its session timer's terms, once there is one.
    mutating func addSessionTerms(_ leg: Int, _ call: inout Call, to builder: inout SIPMessageBuilder) {
        if call.legs[leg].isConfirmed {
            let shortest = max(settings.calls.session.shortest, call.legs[leg].shortestSession)
            let interval = max(call.legs[leg].confirmed?.timer?.interval ?? settings.calls.session.interval, shortest)
            builder.add(.sessionExpires, Int(interval))
            if shortest > 90 { builder.add(.minSE, Int(shortest)) }
            call.legs[leg].askedSession = interval
        }
        builder.add(.contact, settings.addresses.contact(call.legs[leg].flow))
        builder.add(.allow, SIPText(ReplyWriter.allow))
        builder.add(.supported, SIPText(ReplyWriter.supportedInCalls))
        addSoftware(to: &builder)
    }

    /// Takes back what a round has changed: what it opened is closed.
    mutating func revert(_ former: [CallExchange.Former], _ call: inout Call) {
        for saved in former {
            let kept = Set(saved.streams.compactMap { $0?.id })
            for index in call.legs[saved.leg].streams.indices {
                guard let stream = call.legs[saved.leg].streams[index], !kept.contains(stream.id) else { continue }
                closeStream(index, saved.leg, &call)
            }
            guard call.legs[saved.leg].takesPart else { continue }
            let version = call.legs[saved.leg].session.version
            call.legs[saved.leg].session = saved.session
            // What was offered has used up its version.
            call.legs[saved.leg].session.version = version
            call.legs[saved.leg].streams = saved.streams
        }
    }

    // MARK: Given up

    /// What was being negotiated is not any more; whoever asked for it is told.
    mutating func dropExchange(_ call: inout Call) {
        guard let exchange = call.exchange else { return }
        call.exchange = nil
        cancel(exchange.client)
        switch exchange.asker {
        case .invite(let leg, let invite): respond(ReplyWriter.Reply(487), to: invite, tag: call.legs[leg].tag)
        case .update(_, let request): refuseUpdate(request, 487, nil, .noDialog)
        case .replacement, .us: break
        }
    }

    /// The round is given up by who asked for it.
    mutating func withdraw(_ exchange: CallExchange, _ call: inout Call) {
        cancel(exchange.client)
        call.exchange = nil
        revert(exchange.former, &call)
    }

    /// The new phone of an INVITE with Replaces gave up before the round was over.
    mutating func replacementWithdrawn(_ leg: Int, _ call: inout Call) {
        guard let exchange = call.exchange, case .replacement(leg, _, _) = exchange.asker else { return }
        withdraw(exchange, &call)
    }

    /// What the caller and a phone negotiate before the answer ends with the phone's ringing.
    mutating func dropEarlyExchange(with leg: Int, _ call: inout Call) {
        guard let exchange = call.exchange, case .update(let asker, let request) = exchange.asker, call.isEarly,
            exchange.target == leg || exchange.second == leg
        else { return }
        withdraw(exchange, &call)
        // A caller that is asked now will answer all the same, and believe it.
        if asker == leg { call.needsRound = true }
        refuseUpdate(request, asker == leg ? 487 : 491, nil, .glare)
    }

    /// Another phone than `winner` had it with the caller.
    mutating func dropEarlyExchange(but winner: Int, _ call: inout Call) {
        guard let exchange = call.exchange else { return }
        let ringing = max(exchange.target, exchange.second)
        if ringing != winner { dropEarlyExchange(with: ringing, &call) }
    }
}

extension CallExchange {
    /// The SDP that `leg` was last sent before the round.
    func formerBody(_ leg: Int) -> [UInt8] { former.first { $0.leg == leg }?.session.local ?? [] }
}
