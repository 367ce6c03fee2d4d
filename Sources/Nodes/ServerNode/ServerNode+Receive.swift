import Base
import Registrar
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
            case .keepalive:
                if registrar.expects(token) {
                    traces.note(.received(flow, message, meaning: .keepaliveAnswer))
                    return registrar.answered(token, status, on: flow, at: now)
                }
            case .call, .subscription, .probe:
                if clients.awaits(token), (try? message.cseq) != nil {
                    let meaning = token.purpose == .probe ? ServerTrace.Meaning.probeAnswer : .response(status: status)
                    traces.note(.received(flow, message, meaning: meaning))
                    return clients.receive(token, message, status, at: now)
                }
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
            request = try ServerRequest(message, method, uri, on: flow, keys)
        } catch {
            return refuseMalformed(message, method, error, on: flow, at: now)
        }
        admit(request, at: now)
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
        if request.method == .invite, invites.contains(request.key) {
            return inviteAgain(&request, of: request.key, at: now)
        }
        if repeated(&request, of: request.key) { return }
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
        if request.isLooped { return refuse(&request, 482, .loop, at: now) }
        if !request.hasToTag, request.method != .cancel, let twin = replies.twin(request.mergeKey, apartFrom: request.key) {
            // The same branch by another sent-by is no fork: a box on the way rewrote a copy.
            let isRewritten = twin.branch != 0 && twin.branch == keys.branch(request)
            if isRewritten, request.method == .invite, invites.contains(twin.key) {
                return inviteAgain(&request, of: twin.key, at: now)
            }
            if isRewritten, repeated(&request, of: twin.key) { return }
            if isMerged(request, with: twin.account) { return refuse(&request, 482, .merged, at: now) }
        }
        if request.method != .cancel, message.contains(.require) || message.contains(.proxyRequire),
            let refusal = unsupportedExtension(message)
        {
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
    private mutating func repeated(_ request: inout ServerRequest, of key: ReplyBook.Key) -> Bool {
        guard replies.contains(key) else { return false }
        let octets = request.flow.packetBytes(request.message.bytes.count)
        let repetition = replies.repeat(key, fingerprint: keys.fingerprint(request), on: request.flow, octets: octets)
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

    /// The same request came by another way before (RFC 3261 8.2.2.2). Two users' phones may choose the same Call-ID, tag and CSeq: these are two.
    ///
    /// `signer`: keyed hash of the user name that the other one was signed for.
    private func isMerged(_ request: ServerRequest, with signer: ReplyBook.Key) -> Bool {
        let attempt = authenticator.attempt(request.message.all(.authorization).map(\.value.bytes))
        guard let credentials = attempt.credentials else { return true }
        return keys.text(SIPText(credentials.accountName).bytes) == signer
    }

    /// RFC 3261 8.2.2.3 and, as calls will pass through, 16.3 step 5.
    private func unsupportedExtension(_ message: SIPMessage) -> (status: Int, names: [SIPText], refusal: ServerTrace.Refusal)? {
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
}
