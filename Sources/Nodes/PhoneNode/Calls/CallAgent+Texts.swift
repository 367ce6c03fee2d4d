import Base
import RegistrationClient
import SIP
import SIPStack

/// Short messages (RFC 3428): MESSAGE with plain text, outside of any call.
extension CallAgent {
    struct Text: Sendable {
        var target: SIPText
        var body: [UInt8]
        var callID: SIPText
        var sequence: UInt32
        var rounds = 0
    }

    /// RFC 3428 8: not more than 1300 bytes go where congestion is not controlled.
    static let longestText = 1_000
    static let mostTexts = 32

    /// Over the registration's flow, so only while there is one.
    mutating func sendText(_ text: String, to: String, at now: Instant) {
        let body = Array(text.utf8.prefix(Self.longestText))
        guard let server, let local = locals.first(where: { $0.address.isIPv6 == server.address.isIPv6 }),
            let (uri, isHome) = destination(to), isHome, texts.count < Self.mostTexts
        else {
            emit(
                .textSent(
                    to: printable(to.utf8, atMost: 80), code: 0,
                    reason: "not sent: no registration, or not an address at our server"))
            return
        }
        let text = Text(target: uri.text, body: body, callID: entropy.callID(), sequence: 0)
        // A stream's connection is found by its peer.
        submit(text, FlowID(settings.transport, local: local, remote: server), at: now)
    }

    private mutating func submit(
        _ former: Text, _ flow: FlowID, prepared: (isProxy: Bool, value: [UInt8])? = nil, at now: Instant
    ) {
        var text = former
        text.sequence += 1
        var builder = SIPMessageBuilder(.message, text.target)
        builder.add(via(flow))
        builder.add(.maxForwards, 70)
        if let proxy { builder.add(.route, SIPText("<sip:\(proxy.uriHostPort);lr>")) }
        builder.add(.from, SIPText("\(fromText);tag=\(entropy.tag())"))
        builder.add(.to, SIPText("<\(text.target)>"))
        builder.add(.callID, text.callID)
        builder.add(CSeq(text.sequence, .message))
        if let (isProxy, value) = prepared { builder.add(isProxy ? .proxyAuthorization : .authorization, SIPText(value)) }
        builder.add(.userAgent, SIPText(settings.userAgent))
        builder.add(.contentType, "text/plain;charset=UTF-8")
        builder.body = text.body
        guard let message = try? builder.message(), let id = try? layer.send(message, over: flow, at: now) else {
            emit(.textSent(to: text.target.string, code: 0, reason: "not sent: too much is under way"))
            return
        }
        texts[id] = (text, flow)
    }

    mutating func textAnswered(_ id: ClientTransactionID, _ message: SIPMessage, at now: Instant) {
        guard let status = message.statusCode, status >= 200, let (sent, flow) = texts.removeValue(forKey: id) else { return }
        var text = sent
        if status == 401 || status == 407, text.rounds < Self.mostRounds, !settings.identity.password.isEmpty {
            let isProxy = status == 407
            let offers = DigestClient.readable(
                message.all(isProxy ? .proxyAuthenticate : .wwwAuthenticate).map(\.value.bytes))
            let subject = DigestSubject(
                method: SIPMethod.message.text.bytes, uri: text.target.bytes, body: text.body[...], callID: text.callID.bytes,
                sequence: text.sequence + 1)
            if let value = isProxy ? proxyDigest.answer(offers, for: subject) : digest.answer(offers, for: subject) {
                text.rounds += 1
                return submit(text, flow, prepared: (isProxy, value), at: now)
            }
        }
        emit(.textSent(to: text.target.string, code: status, reason: printable(message.reason?.bytes ?? [], atMost: 80)))
    }

    mutating func textFailed(_ id: ClientTransactionID, isUnreachable: Bool) {
        guard let (text, _) = texts.removeValue(forKey: id) else { return }
        emit(
            .textSent(
                to: text.target.string, code: isUnreachable ? 503 : 408, reason: isUnreachable ? "nobody is there" : "no answer"))
    }

    mutating func textReceived(_ id: ServerTransactionID, _ message: SIPMessage, _ flow: FlowID, at now: Instant) {
        if !message.body.isEmpty, let type = try? message.contentType, !type.matches("text", "plain") {
            return refuse(id, message, 415, over: flow, headers: [(.accept, "text/plain")], at: now)
        }
        layer.respond(id, status: 200, response(to: message, 200, tag: entropy.tag(), over: flow).bytes, at: now)
        let from = printable((try? message.from)?.uriText.bytes ?? [], atMost: 200)
        emit(.text(from: from, Self.readable(message.body)))
    }

    /// UTF-8 without control characters; a terminal shows it as it is.
    private static func readable(_ bytes: ArraySlice<UInt8>) -> String {
        let text = String(decoding: bytes.prefix(4_000), as: UTF8.self)
        return String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) ? " " : scalar
                }))
    }
}
