import Base
import SIP
import SIPStack

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
        guard let via = echo.via, let way = replyFlow(via, flow) else { return drop(flow, .unanswerable, error) }
        if let reason = refusedUnprovedReply(to: message, on: flow, at: now) { return drop(flow, reason, error) }
        // A version that is not ours may have other rules (RFC 3261 21.5.7).
        let isForeign = !message.version.equalsCaseless(literal: "SIP/2.0")
        let refusal: ServerTrace.Refusal = isForeign ? .version : .malformed(error)
        var reply = ReplyWriter.Reply(isForeign ? 505 : 400)
        if !isForeign { reply.reason = "Bad Request (\(error))" }
        traces.note(.refused(flow, status: reply.status, refusal))
        var hash = KeyedHash(key: hashKey)
        hash.combine(message.first(.callID)?.value.bytes ?? [])
        let bytes = writer.bytes(reply, to: echo, source: flow.remote, toTag: hash.finish())
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
        guard let way = replyFlow(request.via, request.flow) else { return drop(request.flow, .noReplyAddress) }
        let bytes = self.bytes(reply, to: request)
        guard mayDraw(bytes, request) else { return drop(request.flow, .amplification) }
        if settings.profile == .chanSIP, replies[request.key] == nil {
            remember(request, mergeKey: request.key, at: now)
        }
        replies.complete(request.key, on: way, bytes)
        guard isAskedAgain(request, way) else { return transmit(bytes, on: way, reply.status, meaning) }
        // Where not both may be drawn, the port in Via had its answer before.
        if mayDraw(bytes, copies: 2, request) { send(bytes, on: way, meaning) }
        transmit(bytes, on: request.flow, reply.status, meaning)
    }

    private mutating func refusedUnprovedReply(to message: SIPMessage, on flow: FlowID, at now: Instant) -> DropReason? {
        guard let reason = sources.admitUnprovedReply(to: flow, at: now) else { return nil }
        guard isKnown(flow) else { return reason }
        if sources.admitUnprovedReplyToKnown(flow, at: now) { return nil }
        return isOfFlowOwner(message, on: flow) && sources.admitUnprovedReplyToOwner(flow, at: now) ? nil : reason
    }

    /// Whether a request may draw so much: of whom may be somebody else, three times what it took (RFC 9000 8.1 has the same bound), headers of
    /// IP and UDP counted.
    private func mayDraw(_ bytes: [UInt8], copies: Int = 1, _ request: ServerRequest) -> Bool {
        let flow = request.flow
        return copies * Self.packetBytes(bytes.count, flow) <= 3 * Self.packetBytes(request.message.bytes.count, flow)
            || isWhoHeSeems(request)
    }

    /// Nobody forges where it comes from: a connection, a nonce that was issued there, a flow in use.
    private func isWhoHeSeems(_ request: ServerRequest) -> Bool {
        request.isProvedHere || request.flow.transport.isReliable || isKnown(request.flow)
    }

    /// With the headers of UDP and IP.
    static func packetBytes(_ payload: Int, _ flow: FlowID) -> Int {
        if case .v4 = flow.remote.address { payload + 28 } else { payload + 48 }
    }

    /// From now on the request is processed once only, and copies of it draw its answer.
    mutating func remember(_ request: ServerRequest, mergeKey: ReplyBook.Key? = nil, at now: Instant) {
        replies.open(
            request.key, mergeKey: mergeKey ?? self.mergeKey(request), account: request.account,
            fingerprint: fingerprint(request), allowance: isWhoHeSeems(request) ? nil : 0, at: now)
    }

    /// Counts and sends a response that is already put together.
    mutating func transmit(_ bytes: [UInt8], on way: FlowID, _ status: Int, _ meaning: ServerTrace.Meaning) {
        tally.replied(status)
        if way.transport == .udp, bytes.count > 1_300 { traces.note(.notice(.largeReply(way, bytes: bytes.count))) }
        send(bytes, on: way, meaning)
    }

    func bytes(_ reply: ReplyWriter.Reply, to request: ServerRequest) -> [UInt8] {
        writer.bytes(reply, to: request.parts.echo, source: request.flow.remote, toTag: toTag(request))
    }

    /// The same for each retransmission, and for chan_sip the same for the whole dialog, without any memory.
    func toTag(_ request: ServerRequest) -> UInt64 {
        var hash = KeyedHash(key: hashKey)
        hash.combine(request.callID.bytes)
        if settings.profile == .pinhole {
            hash.combine(request.fromTag.bytes)
            hash.combine(UInt64(request.cseq))
        }
        return hash.finish()
    }

    /// Where a response goes. Streams and NAT handling: the flow. Otherwise the source's address, and its port only if `rport` asks for it
    /// (RFC 3261 18.2.2, RFC 3581 4). `maddr` is not followed: it would let a stranger point our answers anywhere.
    func replyFlow(_ via: Via, _ flow: FlowID) -> FlowID? {
        guard !flow.transport.isReliable, via.rport == .absent, !settings.natHandling || listensAtVia(via, flow) else {
            return flow
        }
        var way = flow
        way.remote.port = via.port ?? flow.transport.defaultPort
        return way.remote.port == 0 ? nil : way
    }

    /// A phone that says where it is, and is there, and does not ask for the port it sends from: it listens at the one in its Via (Cisco 79xx).
    private func listensAtVia(_ via: Via, _ flow: FlowID) -> Bool { via.host.address == flow.remote.address }

    /// The flow that reaches whoever sent a request.
    func homeFlow(_ request: ServerRequest) -> FlowID { replyFlow(request.via, request.flow) ?? request.flow }

    /// A box on the way may have written that Via: what is asked again is answered over the flow as well.
    private mutating func isAskedAgain(_ request: ServerRequest, _ way: FlowID) -> Bool {
        guard way != request.flow, settings.natHandling else { return false }
        if answeredAtVia[request.key] != nil { return true }
        answeredAtVia.change(request.key, or: true) { _ in }
        return false
    }

    // MARK: Methods that are not REGISTER

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
            reply.add("Allow-Events", Self.allowEvents.utf8)
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
        guard locations.locations(of: aor).contains(where: { $0.binding.reach == .reachable }) else {
            return refuse(&request, 480, .nobodyRegistered, at: now)
        }
        refuse(&request, 501, .noCallsYet, at: now)
    }
}
