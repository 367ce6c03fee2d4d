import Base
import SIP
import SIPStack

/// Requests inside dialogs: BYE, and what is passed on to the other side (RFC 3261 12.2.2, 15).
extension CallServer {
    // MARK: BYE

    package mutating func bye(_ request: ServerRequest, at now: Instant) {
        guard let (key, leg) = enterDialog(request), var call = calls.take(key) else { return }
        answer(request, ReplyWriter.Reply(200))
        let reason = request.message.first(.reason)?.value.string
        let name = call.legs[leg].party.address.description
        switch call.legs[leg].state {
        case .inviting:
            // The caller may end an early dialog so (RFC 3261 15); a callee that does has refused.
            if call.legs[leg].isCaller {
                endInvite(&call, leg, status: 487)
                if leg == 0 { hangUp(&call, "\(name) gave up", at: now) } else { replacementWithdrawn(leg, &call) }
            } else {
                cancel(call.legs[leg].client)
                decline(leg, 480, .refused, &call, at: now)
                concludeRinging(&call, at: now)
            }
        case .confirmed:
            // A crossing 2xx of ours needs no ACK any more.
            call.legs[leg].acknowledge()
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
                dropExchange(&call)
                call.transfer?.referral = nil
                return
            }
            if leg != transfer.transferee { return }
        }
        hangUp(&call, why, reason: reason.map { SIPText($0) }, at: now)
    }

    // MARK: Passing on

    /// INFO, MESSAGE and the like inside a call: to the other side, and its answer back (RFC 6086, RFC 3428).
    package mutating func relay(_ request: ServerRequest, at now: Instant) {
        guard let (key, leg) = enterDialog(request), var call = calls.take(key) else { return }
        defer { settle(call, at: now) }
        guard let other = call.other(leg), call.legs[other].isConfirmed else {
            if case .served = call.phase, request.method == .info {
                tellDigit(request.message, leg, call)
                return answer(request, ReplyWriter.Reply(200))
            }
            return refuse(request, 480, .nobodyRegistered)
        }
        let flow = requestWay(call.legs[other])
        let token = tokens.next()
        guard var builder = call.legs[other].dialog?.request(request.method, via: settings.addresses.via(flow, token)) else {
            return refuse(request, 481, .noDialog)
        }
        for name in Self.relayedHeaders { builder.copy(name, from: request.message) }
        builder.add(.contact, settings.addresses.contact(flow))
        addSoftware(to: &builder)
        builder.body = Array(request.message.body)
        ask(request.method, builder.bytes, token, on: flow, for: call.legs[leg].party.account, .relay(request))
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

    mutating func relayAnswered(_ request: ServerRequest, _ outcome: ClientOutcome) {
        switch outcome {
        case .unwanted, .response(_, ..<200): break
        case .unsent: refuse(request, 503, .tablesFull)
        case .timeout, .failed: refuse(request, 408, .noAnswer)
        // Credentials of the sender are no business of the receiver's, and the other way round.
        case .response(_, 401), .response(_, 407): refuse(request, 480, .noAnswer)
        case .response(let message, let status):
            var reply = ReplyWriter.Reply(status)
            for name in [HeaderName.contentType, .warning, .retryAfter, .accept] {
                for header in message.all(name) { reply.add(named: name, header.value.bytes) }
            }
            reply.body = Array(message.body)
            answer(request, reply)
        }
    }
}
