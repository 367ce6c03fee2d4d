import Base
import SIP
import SIPStack
import STUN
import STUNStack

/// What arrives: told apart by content, SIP checked and handed on.
extension ServerNode {
    mutating func received(_ bytes: [UInt8], on flow: FlowID, at now: Instant) {
        tally.received &+= 1
        tally.receivedBytes &+= UInt64(bytes.count)
        guard let first = bytes.first else { return drop(flow, .empty) }
        if let reason = sources.admit(flow, at: now), !isKnown(flow) || !admitKnown(bytes, on: flow, at: now) {
            return drop(flow, reason)
        }
        if first < 4 { return receivedSTUN(bytes, on: flow) }
        if first == 0x0d || first == 0x0a, bytes.allSatisfy({ $0 == 0x0d || $0 == 0x0a }) {
            return receivedLineEnds(bytes, on: flow)
        }
        let message: SIPMessage
        do throws(SIPParseError) {
            message = try SIPMessage(salvaging: bytes, limits: Self.readable)
        } catch {
            return drop(flow, looksLikeSIP(bytes) ? .unanswerable : .junk, error)
        }
        switch message.startLine {
        case .request(let method, let uri): receivedRequest(message, method, uri, on: flow, at: now)
        case .response(let status, _): receivedResponse(message, status, on: flow, at: now)
        }
    }

    /// What can be answered: more than is taken, or whoever asks would hear nothing at all.
    private static let readable = SIPLimits(headers: 4_096, headerBytes: SIPLimits.default.messageBytes)

    /// Whether a message on a flow in use may be read although its source may not send any more.
    private mutating func admitKnown(_ bytes: [UInt8], on flow: FlowID, at now: Instant) -> Bool {
        if sources.admitKnown(flow, at: now) { return true }
        guard !flow.transport.isReliable, let message = try? SIPMessage(salvaging: bytes), isOfFlowOwner(message, on: flow) else {
            return false
        }
        return sources.admitOwner(flow, at: now)
    }

    /// Whether somebody who proved himself, or a call, uses the flow.
    func isKnown(_ flow: FlowID) -> Bool { locations.uses(flow) || calls.uses(flow) }

    private mutating func receivedSTUN(_ bytes: [UInt8], on flow: FlowID) {
        guard isSTUN(bytes) else { return drop(flow, .junk) }
        guard settings.answersSTUN else { return drop(flow, .stunOff) }
        guard let answer = stun.answer(bytes, from: flow.remote, to: flow.local) else { return drop(flow, .malformedSTUN) }
        tally.stunRequests &+= 1
        tally.sent &+= 1
        tally.sentBytes &+= UInt64(answer.bytes.count)
        traces.note(.stunAnswered(flow))
        var way = flow
        way.local = answer.local
        way.remote = answer.remote
        outbox.append(.send(on: way, answer.bytes))
    }

    /// RFC 5626 4.4.1: over a stream a double CRLF asks for a single one. Over UDP it asks for nothing.
    private mutating func receivedLineEnds(_ bytes: [UInt8], on flow: FlowID) {
        guard flow.transport.isReliable else { return drop(flow, .crlfOverUDP) }
        guard bytes.count >= 4 else { return }
        tally.streamPings &+= 1
        tally.sent &+= 1
        tally.sentBytes &+= 2
        outbox.append(.send(on: flow, [0x0d, 0x0a]))
    }

    private func looksLikeSIP(_ bytes: [UInt8]) -> Bool {
        let line = bytes.prefix(2_048).prefix { $0 != 0x0d && $0 != 0x0a }
        let mark = Array("SIP/".utf8)
        guard line.count >= mark.count else { return false }
        return line.indices.dropLast(mark.count - 1).contains { line[$0..<($0 + mark.count)].elementsEqual(mark) }
    }

    private mutating func receivedResponse(_ message: SIPMessage, _ status: Int, on flow: FlowID, at now: Instant) {
        tally.responses &+= 1
        guard message.bytes.count <= settings.limits.messageBytes else { return drop(flow, .oversizeResponse) }
        if let flaw = message.flaw { return drop(flow, .malformedResponse, flaw) }
        let via: Via
        do throws(SIPParseError) { via = try message.topVia } catch { return drop(flow, .malformedResponse, error) }
        guard let branch = via.branch else { return drop(flow, .strayResponse) }
        if let token = ClientToken(branch: branch) {
            switch token.purpose {
            case .keepalive: if keepaliveAnswered(token, message, status, on: flow, at: now) { return }
            case .probe: if probeAnswered(token, message, status, on: flow, at: now) { return }
            case .call: if callAnswered(token, message, status, on: flow, at: now) { return }
            }
        }
        traces.note(.received(flow, message, meaning: .response(status: status)))
        drop(flow, .strayResponse)
    }

    // MARK: Requests

    private mutating func receivedRequest(
        _ message: SIPMessage, _ method: SIPMethod, _ uri: SIPText, on flow: FlowID, at now: Instant
    ) {
        tally.requests &+= 1
        let request: ServerRequest
        do throws(SIPParseError) {
            request = try self.request(message, method, uri, on: flow)
        } catch {
            return refuseMalformed(message, method, error, on: flow, at: now)
        }
        admit(request, at: now)
    }

    /// Reads what identifies a request, once. Throws for what makes it malformed (RFC 3261 8.1.1, 8.2, 20).
    private func request(
        _ message: SIPMessage, _ method: SIPMethod, _ uri: SIPText, on flow: FlowID
    ) throws(SIPParseError) -> ServerRequest {
        let via = try message.topVia
        if let flaw = message.flaw { throw flaw }
        let headers = message.headers
        guard headers.count <= SIPLimits.default.headers else {
            throw SIPParseError(.tooManyHeaders, at: headers[SIPLimits.default.headers].line.lowerBound)
        }
        var echo = ReplyWriter.Echo()
        var seen: UInt8 = 0
        for header in headers {
            let bit: UInt8
            switch header.name.id {
            case HeaderID.via:
                echo.vias.append(header.value)
                continue
            case HeaderID.from:
                bit = 1
                echo.from = header.value
            case HeaderID.to:
                bit = 2
                echo.to = header.value
            case HeaderID.callID:
                bit = 4
                echo.callID = header.value
            case HeaderID.cseq:
                bit = 8
                echo.cseq = header.value
            case HeaderID.maxForwards: bit = 16
            case HeaderID.expires: bit = 32
            default: continue
            }
            guard seen & bit == 0 else { throw SIPParseError(.repeated(header.name), at: header.line.lowerBound) }
            seen |= bit
        }
        let from = try message.from
        let to = try message.to
        let callID = try message.callID
        let cseq = try message.cseq
        guard cseq.method == method else { throw SIPParseError(.methodMismatch, at: echo.cseq?.range.lowerBound ?? 0) }
        var vias = echo.vias.count
        if let first = echo.vias.first, first.count > via.written.count { vias += 1 }
        echo.via = via
        echo.hasToTag = to.tag != nil
        var request = ServerRequest(
            ServerRequest.Parts(
                message: message, flow: flow, method: method, uriText: uri, via: via, viaCount: vias,
                fromTag: from.tag ?? SIPText(),
                to: to, callID: callID, cseq: cseq.number, echo: echo))
        request.key = transactionKey(request)
        return request
    }

    /// Past form: version, retransmission, hops, loops, extensions; then by method.
    private mutating func admit(_ incoming: ServerRequest, at now: Instant) {
        var request = incoming
        let message = request.message
        if request.method == .ack {
            if settings.profile == .pinhole { return acknowledged(&request, at: now) }
            note(&request, .request(.ack))
            return drop(request.flow, .strayACK)
        }
        guard message.version.equalsCaseless(literal: "SIP/2.0") else { return refuse(&request, 505, .version, at: now) }
        if request.method == .invite, calls.invites[request.key] != nil { return inviteAgain(request.key, request, at: now) }
        if repeated(&request) { return }
        guard message.bytes.count <= settings.limits.messageBytes else {
            return refuse(&request, 513, .tooLarge(bytes: message.bytes.count), at: now)
        }
        do throws(SIPParseError) {
            // An OPTIONS is for us, however far it came: a ping (RFC 3261 11).
            if let hops = try message.maxForwards, hops == 0, request.method != .options {
                return refuse(&request, 483, .maxForwards, at: now)
            }
        } catch {
            return refuse(&request, 400, .malformed(error), at: now)
        }
        if isLooped(request) { return refuse(&request, 482, .loop, at: now) }
        if isMerged(request) { return refuse(&request, 482, .merged, at: now) }
        if request.method != .cancel, let refusal = unsupportedExtension(message) {
            var reply = ReplyWriter.Reply(refusal.status)
            for name in refusal.names { reply.add("Unsupported", name.bytes) }
            return refuse(&request, reply, refusal.refusal, at: now)
        }
        let uri: SIPURIReference
        do throws(SIPParseError) {
            uri = try message.requestURI()
        } catch {
            return refuse(&request, 400, .malformed(error), at: now)
        }
        guard let target = request.method == .register ? uri.sip : dialled(uri) else {
            return refuse(&request, 416, .scheme, at: now)
        }
        if let encoding = message.first(.contentEncoding), !encoding.value.isEmpty,
            !encoding.value.equalsCaseless(literal: "identity")
        {
            var reply = ReplyWriter.Reply(415)
            reply.add("Accept-Encoding", "identity".utf8)
            return refuse(&request, reply, .encoding, at: now)
        }
        dispatch(&request, target, at: now)
    }

    /// By method.
    private mutating func dispatch(_ request: inout ServerRequest, _ target: SIPURI, at now: Instant) {
        switch request.method {
        case .register: register(&request, target, at: now)
        case .options: answerOptions(&request, target, at: now)
        case .invite, .bye, .cancel, .prack, .update, .info, .message, .subscribe, .refer, .notify:
            guard settings.profile == .pinhole else { return dispatchForChanSIP(&request, target, at: now) }
            dispatchCall(&request, target, at: now)
        case .publish:
            var reply = ReplyWriter.Reply(405)
            reply.add("Allow", ReplyWriter.allow.utf8)
            refuse(&request, reply, .method(request.method), at: now)
        default:
            var reply = ReplyWriter.Reply(501)
            reply.add("Allow", ReplyWriter.allow.utf8)
            refuse(&request, reply, .method(request.method), at: now)
        }
    }

    private mutating func dispatchCall(_ request: inout ServerRequest, _ target: SIPURI, at now: Instant) {
        if target.scheme == .sips, !request.flow.transport.isSecure, [.invite, .message, .subscribe].contains(request.method) {
            var reply = ReplyWriter.Reply(416)
            reply.add("Warning", warning(SessionRefusal(399, "sips: is taken over TLS alone"), request.flow).bytes)
            return refuse(&request, reply, .askedInClear, at: now)
        }
        switch request.method {
        case .invite: if request.hasToTag { reinvite(&request, at: now) } else { invite(&request, target, at: now) }
        case .cancel: cancelled(&request, at: now)
        case .bye: bye(&request, at: now)
        case .prack: acknowledgedProvisional(&request, at: now)
        case .update: update(&request, at: now)
        case .refer: refer(&request, at: now)
        case .subscribe: subscribe(&request, target, at: now)
        case .message: if request.hasToTag { relay(&request, at: now) } else { message(&request, target, at: now) }
        case .info: relay(&request, at: now)
        // We subscribe to nothing: any NOTIFY is a stray one (RFC 6665 4.1.3).
        default: refuse(&request, 481, .noDialog, at: now)
        }
    }

    private mutating func dispatchForChanSIP(_ request: inout ServerRequest, _ target: SIPURI, at now: Instant) {
        switch request.method {
        case .invite, .bye, .cancel: answerCall(&request, target, at: now)
        case .prack, .update, .info, .message, .subscribe, .notify, .refer, .publish:
            var reply = ReplyWriter.Reply(405)
            reply.add("Allow", ReplyWriter.allowForChanSIP.utf8)
            refuse(&request, reply, .method(request.method), at: now)
        default:
            var reply = ReplyWriter.Reply(501)
            reply.add("Allow", ReplyWriter.allowForChanSIP.utf8)
            refuse(&request, reply, .method(request.method), at: now)
        }
    }

    /// Whether a copy of a request came that is answered, or being answered, already.
    private mutating func repeated(_ request: inout ServerRequest) -> Bool {
        guard replies[request.key] != nil else { return false }
        let octets = Self.packetBytes(request.message.bytes.count, request.flow)
        let repetition = replies.repeat(request.key, fingerprint: fingerprint(request), on: request.flow, octets: octets)
        if case .none = repetition { return false }
        tally.retransmissionsAbsorbed &+= 1
        note(&request, .retransmission)
        switch repetition {
        case .none, .trying: break
        case .reply(let ways, let bytes): for way in ways { send(bytes, on: way, .retransmission) }
        case .spent: drop(request.flow, .repeatedTooOften)
        }
        return true
    }

    // MARK: Checks

    /// A request that went through us before: one of its Vias is ours (RFC 3261 16.3, 8.2.2.2). As all requests we send begin here,
    /// our own sent-by is enough.
    private func isLooped(_ request: ServerRequest) -> Bool {
        func isOurs(_ via: Via) -> Bool {
            guard let sentBy = via.sentBy else { return false }
            return sentBy == request.flow.local && request.flow.remote != request.flow.local
        }
        if isOurs(request.via) { return true }
        guard request.viaCount > 1, let vias = try? request.message.vias else { return false }
        return vias.contains(where: isOurs)
    }

    /// The same request came by another way before (RFC 3261 8.2.2.2). Two users' phones may choose the same Call-ID, tag and CSeq: these are two.
    private func isMerged(_ request: ServerRequest) -> Bool {
        guard !request.hasToTag, request.method != .cancel,
            let signer = replies.merged(mergeKey(request), apartFrom: request.key)
        else { return false }
        let attempt = authenticator.attempt(request.message.all(.authorization).map(\.value.bytes))
        guard let credentials = attempt.credentials else { return true }
        return attemptKey(SIPText(credentials.accountName).bytes) == signer
    }

    /// RFC 3261 8.2.2.3 and, as calls will pass through, 16.3 step 5.
    private func unsupportedExtension(_ message: SIPMessage) -> (status: Int, names: [SIPText], refusal: ServerTrace.Refusal)? {
        guard message.contains(.require) || message.contains(.proxyRequire) else { return nil }
        do throws(SIPParseError) {
            let names = try (message.require + message.proxyRequire).filter {
                !$0.equalsCaseless(literal: "path") && !$0.equalsCaseless(literal: "outbound") && !isKnownInCalls($0)
            }
            return names.isEmpty ? nil : (420, names, .extensions(names))
        } catch {
            return (400, [], .malformed(error))
        }
    }

    private func isKnownInCalls(_ name: SIPText) -> Bool {
        settings.profile == .pinhole
            && (name.equalsCaseless(literal: "100rel") || name.equalsCaseless(literal: "timer")
                || name.equalsCaseless(literal: "replaces") || name.equalsCaseless(literal: "norefersub"))
    }

    // MARK: Keys

    /// RFC 3261 17.2.3. Without the magic cookie (RFC 2543) all that a retransmission keeps goes in. chan_sip knows its dialogs by Call-ID
    /// and CSeq alone.
    ///
    /// `method`: that of the transaction, where it is not the request's own: a CANCEL and the ACK of a refusal share their INVITE's branch.
    func transactionKey(_ request: ServerRequest, as method: SIPMethod? = nil) -> ReplyBook.Key {
        var hash = KeyedHash(key: hashKey)
        if settings.profile == .pinhole, request.via.hasUniqueBranch, let branch = request.via.branch {
            hash.combine(branch.bytes)
            hash.combine(UInt64(request.via.port ?? 0))
            switch request.via.host {
            case .ipv4(let v4): hash.combine(UInt64(v4.bits))
            case .ipv6(let v6):
                hash.combine(v6.high)
                hash.combine(v6.low)
            case .name(let name): hash.combine(name.bytes)
            }
        } else {
            hash.combine(request.uriText.bytes)
            hash.combine(request.callID.bytes)
            hash.combine(request.fromTag.bytes)
            hash.combine(UInt64(request.cseq))
        }
        hash.combine((method ?? request.method).text.bytes)
        return hash.finish()
    }

    /// What a copy of a request has in common with it, beside what its transaction is known by. Boxes on the way change the rest.
    func fingerprint(_ request: ServerRequest) -> ReplyBook.Key {
        var hash = KeyedHash(key: hashKey)
        hash.combine(request.callID.bytes)
        hash.combine(request.fromTag.bytes)
        hash.combine(UInt64(request.cseq))
        for header in request.message.all(.authorization) { hash.combine(header.value.bytes) }
        return hash.finish()
    }

    /// What the attempt book knows a Call-ID or a nonce by.
    func attemptKey(_ text: ArraySlice<UInt8>) -> AttemptBook.Key {
        var hash = KeyedHash(key: hashKey)
        hash.combine(text)
        return hash.finish()
    }

    /// RFC 3261 8.2.2.2.
    func mergeKey(_ request: ServerRequest) -> ReplyBook.Key {
        var hash = KeyedHash(key: (hashKey.1, hashKey.0))
        hash.combine(request.callID.bytes)
        hash.combine(request.fromTag.bytes)
        hash.combine(UInt64(request.cseq))
        hash.combine(request.method.text.bytes)
        return hash.finish()
    }
}

/// Numbers of the names that are looked for in every request.
private enum HeaderID {
    static let via = HeaderName.via.id
    static let from = HeaderName.from.id
    static let to = HeaderName.to.id
    static let callID = HeaderName.callID.id
    static let cseq = HeaderName.cseq.id
    static let maxForwards = HeaderName.maxForwards.id
    static let expires = HeaderName.expires.id
}
