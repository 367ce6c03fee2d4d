import Base
import SIP
import SIPStack

/// Requests inside dialogs: whose they are, BYE, and what is passed on to the other side (RFC 3261 12.2.2).
extension ServerNode {
    /// The number a tag of ours is; nil for one that is none.
    static func tagNumber(_ text: SIPText?) -> UInt64? {
        guard let text, text.count == 16 else { return nil }
        var value: UInt64 = 0
        for byte in text.bytes {
            guard let digit = hexDigit(byte) else { return nil }
            value = value << 4 | UInt64(digit)
        }
        return value
    }

    /// The leg whose dialog a request names: our tag, its Call-ID, its From tag.
    func leg(of request: ServerRequest) -> (call: UInt32, leg: Int)? {
        guard let tag = Self.tagNumber(request.parts.to.tag), case .leg(let key, let leg)? = calls.tags[tag],
            let call = calls.peek(key),
            call.legs.indices.contains(leg), call.legs[leg].callID == request.callID
        else { return nil }
        if let dialog = call.legs[leg].dialog, dialog.id.remoteTag != request.fromTag { return nil }
        return (key, leg)
    }

    /// Finds the leg, sees that the request is its own, checks the order, remembers the transaction. nil: it is challenged or refused already.
    mutating func enterDialog(_ request: inout ServerRequest, at now: Instant) -> (call: UInt32, leg: Int)? {
        guard let (key, leg) = leg(of: request), let found = calls.peek(key) else {
            refuse(&request, 481, .noDialog, at: now)
            return nil
        }
        guard belongs(&request, to: found.legs[leg].party, on: found.legs[leg].flow, at: now), var call = calls.take(key) else {
            return nil
        }
        note(&request, .request(request.method))
        let verdict = call.legs[leg].dialog?.receive(request.method, sequence: request.cseq) ?? .inOrder
        if request.method != .invite { remember(request, at: now) }
        if case .outOfOrder(let had, let got) = verdict {
            calls.put(call)
            tally.outOfOrder &+= 1
            refuse(&request, 500, .outOfOrder(had: had, got: got), at: now)
            return nil
        }
        follow(request, leg, &call)
        calls.put(call)
        return (key, leg)
    }

    /// The phone speaks from another place now: what we send follows it, as with its REGISTERs. Never down from a secret transport.
    mutating func follow(_ request: ServerRequest, _ leg: Int, _ call: inout Call) {
        let former = call.legs[leg].flow
        let flow = ways.home(request)
        guard former != flow, flow.transport.isSecure || !former.transport.isSecure else { return }
        move(leg, to: flow, &call)
    }

    /// A phone registered from another place than before: its calls follow, or a BYE would go into a mapping that is gone.
    mutating func follow(_ aor: AddressOfRecord, from former: FlowID, to flow: FlowID) {
        guard former != flow, flow.transport.isSecure || !former.transport.isSecure else { return }
        for found in calls.calls(of: aor) where found.legs.contains(where: { $0.flow == former && $0.party.address == aor }) {
            guard var call = calls.take(found.key) else { continue }
            for leg in call.legs.indices where call.legs[leg].flow == former && call.legs[leg].party.address == aor {
                guard call.legs[leg].state != .ended else { continue }
                move(leg, to: flow, &call)
            }
            calls.put(call)
        }
    }

    private mutating func move(_ leg: Int, to flow: FlowID, _ call: inout Call) {
        let former = call.legs[leg].flow
        traces.note(.call(.moved(call: call.number, party: call.legs[leg].party.address.description, from: former, to: flow)))
        calls.leave(former, call.key)
        call.legs[leg].flow = flow
        for stream in call.legs[leg].streams where former.remote.address != flow.remote.address {
            if let stream { outbox.append(.media(loop: stream.port.loop, .follow(stream.id, flow.remote.address))) }
        }
        for other in call.legs where other.state != .ended { calls.enter(other.flow, call.key) }
    }

    // MARK: BYE

    mutating func bye(_ request: inout ServerRequest, at now: Instant) {
        guard let (key, leg) = enterDialog(&request, at: now) else { return }
        guard var call = calls.take(key) else { return refuse(&request, 481, .noDialog, at: now) }
        answer(&request, ReplyWriter.Reply(200), .response(status: 200), at: now)
        let reason = request.message.first(.reason)?.value.string
        let name = call.legs[leg].party.address.description
        switch call.legs[leg].state {
        case .inviting:
            // The caller may end an early dialog so (RFC 3261 15); a callee that does has refused.
            if call.legs[leg].isCaller {
                endInvite(&call, leg, status: 487, at: now)
                if leg == 0 { hangUp(&call, "\(name) gave up", at: now) } else { replacementWithdrawn(leg, &call, at: now) }
            } else {
                if let client = call.legs[leg].client { cancel(client, at: now) }
                decline(leg, 480, .refused, &call, at: now)
                concludeRinging(&call, at: now)
            }
        case .confirmed:
            // A crossing 2xx of ours needs no ACK any more.
            call.legs[leg].answer?.acknowledge()
            endLeg(leg, &call)
            partyLeft(leg, &call, "\(name) hung up", reason: reason, at: now)
        case .leaving: endLeg(leg, &call)
        case .ended: break
        }
        settle(call, at: now)
    }

    /// A leg is gone: so is the call, unless a transfer keeps the rest of it.
    mutating func partyLeft(_ leg: Int, _ call: inout Call, _ why: String, reason: String? = nil, at now: Instant) {
        if call.isOver { return }
        if let transfer = call.transfer {
            // Whoever transfers may leave at once; whoever is transferred ends it all.
            if leg == transfer.transferor {
                dropExchange(&call, at: now)
                endReferral(transfer.subscription, nil, at: now)
                call.transfer?.subscription = nil
                return
            }
            if leg != transfer.transferee { return }
        }
        hangUp(&call, why, reason: reason.map { SIPText($0) }, at: now)
    }

    // MARK: Passing on

    /// INFO, MESSAGE and the like inside a call: to the other side, and its answer back (RFC 6086, RFC 3428).
    mutating func relay(_ request: inout ServerRequest, at now: Instant) {
        guard let (key, leg) = enterDialog(&request, at: now) else { return }
        guard var call = calls.take(key) else { return refuse(&request, 481, .noDialog, at: now) }
        defer { settle(call, at: now) }
        guard let other = call.other(leg), call.legs[other].state == .confirmed else {
            if case .served = call.phase, request.method == .info {
                tellDigit(request.message, leg, call)
                return answer(&request, ReplyWriter.Reply(200), .response(status: 200), at: now)
            }
            return refuse(&request, 480, .nobodyRegistered, at: now)
        }
        let flow = requestWay(call.legs[other])
        let token = freshToken()
        guard var builder = call.legs[other].dialog?.request(request.method, via: addresses.via(flow, token)) else {
            return refuse(&request, 481, .noDialog, at: now)
        }
        for name in Self.relayedHeaders { builder.copy(name, from: request.message) }
        builder.add(.contact, addresses.contact(flow))
        addSoftware(to: &builder)
        builder.body = Array(request.message.body)
        let account = call.legs[leg].party.account
        if !ask(builder.bytes, token, on: flow, .relay(request), .request(request.method), for: account, at: now) {
            refuse(&request, 503, .tablesFull, at: now)
        }
    }

    /// A room takes digits by INFO too: `application/dtmf-relay` with `Signal=5`, or `application/dtmf` with `5`.
    private mutating func tellDigit(_ message: SIPMessage, _ leg: Int, _ call: Call) {
        guard let type = try? message.contentType, let stream = call.legs[leg].streams.lazy.compactMap({ $0 }).first else {
            return
        }
        let text = String(decoding: message.body.prefix(256), as: UTF8.self)
        var digit: Substring?
        if type.matches("application", "dtmf-relay") {
            let line = text.split(whereSeparator: \.isNewline).first { $0.lowercased().hasPrefix("signal") }
            digit = line?.split(separator: "=").dropFirst().first
        } else if type.matches("application", "dtmf") {
            digit = text[...]
        }
        guard let found = digit?.filter({ $0 != " " && !$0.isNewline }), found.count == 1,
            let character = found.uppercased().first,
            "0123456789*#ABCD".contains(character)
        else { return }
        outbox.append(.media(loop: stream.port.loop, .digit(stream.id, character)))
    }

    /// What a request or response that is passed on keeps.
    static let relayedHeaders: [HeaderName] = [
        .contentType, .contentDisposition, .contentLanguage, .subject, .priority, .date, .inReplyTo, HeaderName("Info-Package"),
        HeaderName("Recv-Info"),
    ]

    mutating func relayAnswered(_ request: ServerRequest, _ outcome: Outcome, at now: Instant) {
        var request = request
        switch outcome {
        case .timeout: refuse(&request, 408, .noAnswer, at: now)
        case .response(let message, let status):
            guard status >= 200 else { return }
            // Credentials of the sender are no business of the receiver's, and the other way round.
            if status == 401 || status == 407 { return refuse(&request, 480, .noAnswer, at: now) }
            var reply = ReplyWriter.Reply(status)
            for name in [HeaderName.contentType, .warning, .retryAfter, .accept] {
                for header in message.all(name) { reply.add(named: name, header.value.bytes) }
            }
            reply.body = Array(message.body)
            answer(&request, reply, .response(status: status), at: now)
        }
    }
}
