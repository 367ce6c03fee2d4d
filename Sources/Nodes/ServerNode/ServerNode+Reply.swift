import Base
import Registrar
import SIP
import SIPStack
import Subscriptions

/// Answers: where they go, what they cost us, who hears of them.
extension ServerNode {
    /// The `.received` trace of a request, once, as soon as it is known what the request is.
    mutating func note(_ request: inout ServerRequest, _ meaning: ServerTrace.Meaning) {
        guard !request.isNoted else { return }
        request.isNoted = true
        traces.note(.received(request.flow, request.message, meaning: meaning))
    }

    mutating func refuse(_ request: inout ServerRequest, _ status: Int, _ refusal: ServerTrace.Refusal, at now: Instant) {
        var reply = ReplyWriter.Reply(status)
        if case .malformed(let error) = refusal { reply.reason = "Bad Request (\(error))" }
        if status == 503 { reply.add("Retry-After", number: 5) }
        refuse(&request, reply, refusal, at: now)
    }

    mutating func refuse(
        _ request: inout ServerRequest, _ reply: ReplyWriter.Reply, _ refusal: ServerTrace.Refusal, at now: Instant
    ) {
        note(&request, .request(request.method))
        let status = reply.status
        tally.refused(refusal.reason)
        traces.note(.refused(request.flow, status: status, refusal))
        answer(&request, reply, .refusal(status: status), at: now)
    }

    /// A request too malformed to be read. Silence where there is no Via to answer by, and towards an ACK (RFC 3261 17.1.1.3).
    mutating func refuseMalformed(
        _ message: SIPMessage, _ method: SIPMethod, _ error: SIPParseError, on flow: FlowID, at now: Instant
    ) {
        traces.note(.received(flow, message, meaning: .request(method)))
        guard method != .ack else { return drop(flow, .malformedACK, error) }
        let echo = ReplyWriter.Echo(message)
        guard let via = echo.via, let way = ways.reply(via, flow) else { return drop(flow, .unanswerable, error) }
        if let reason = refusedUnprovedReply(to: message, on: flow, at: now) { return drop(flow, reason, error) }
        // A version that is not ours may have other rules (RFC 3261 21.5.7).
        let isForeign = !message.version.equalsCaseless(literal: "SIP/2.0")
        let refusal: ServerTrace.Refusal = isForeign ? .version : .malformed(error)
        var reply = ReplyWriter.Reply(isForeign ? 505 : 400)
        if !isForeign { reply.reason = "Bad Request (\(error))" }
        tally.refused(refusal.reason)
        traces.note(.refused(flow, status: reply.status, refusal))
        let tag = keys.text(message.first(.callID)?.value.bytes ?? [])
        let bytes = writer.bytes(reply, to: echo, source: flow.remote, toTag: tag)
        tally.replied(reply.status)
        send(bytes, on: way, .refusal(status: reply.status))
    }

    /// Sends a final response, if whoever asked may draw one.
    mutating func answer(
        _ request: inout ServerRequest, _ reply: ReplyWriter.Reply, _ meaning: ServerTrace.Meaning, at now: Instant
    ) {
        if !request.isProved, let reason = refusedUnprovedReply(to: request.message, on: request.flow, at: now) {
            return drop(request.flow, reason)
        }
        guard let way = ways.reply(request.via, request.flow) else { return drop(request.flow, .noReplyAddress) }
        let bytes = writer.bytes(reply, to: request.parts.echo, source: request.flow.remote, toTag: keys.toTag(request))
        guard request.mayDraw(bytes) || isKnown(request.flow) else { return drop(request.flow, .amplification) }
        if settings.profile == .chanSIP, replies[request.key] == nil {
            remember(request, mergeKey: request.key, at: now)
        }
        replies.complete(request.key, on: way, bytes)
        guard isAskedAgain(request, way) else { return transmit(bytes, on: way, reply.status, meaning) }
        // Where not both may be drawn, the port in Via had its answer before.
        if request.mayDraw(bytes, copies: 2) || isKnown(request.flow) { send(bytes, on: way, meaning) }
        transmit(bytes, on: request.flow, reply.status, meaning)
    }

    private mutating func refusedUnprovedReply(to message: SIPMessage, on flow: FlowID, at now: Instant) -> DropReason? {
        guard let reason = sources.admitUnprovedReply(to: flow, at: now) else { return nil }
        guard isKnown(flow) else { return reason }
        if sources.admitUnprovedReplyToKnown(flow, at: now) { return nil }
        return isOfFlowOwner(message, on: flow) && sources.admitUnprovedReplyToOwner(flow, at: now) ? nil : reason
    }

    /// From now on the request is processed once only, and copies of it draw its answer.
    mutating func remember(_ request: ServerRequest, mergeKey: ReplyBook.Key? = nil, at now: Instant) {
        replies.open(
            request.key, mergeKey: mergeKey ?? request.mergeKey, branch: keys.branch(request), account: request.account,
            fingerprint: keys.fingerprint(request), allowance: request.isSurelyThere || isKnown(request.flow) ? nil : 0, at: now)
    }

    /// A box on the way may have written that Via: what is asked again is answered over the flow as well.
    private mutating func isAskedAgain(_ request: ServerRequest, _ way: FlowID) -> Bool {
        guard way != request.flow, settings.natHandling else { return false }
        if answeredAtVia[request.key] != nil { return true }
        answeredAtVia.change(request.key, or: true) { _ in }
        return false
    }
}
