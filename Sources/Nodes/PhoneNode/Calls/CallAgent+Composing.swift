import Base
import RegistrationClient
import SIP
import SIPStack

/// How the phone words its requests and responses in calls.
extension CallAgent {
    var isStream: Bool { settings.transport.isReliable }

    var contactText: SIPText {
        let user = RegisterComposer.escapedUser(settings.identity.user)
        let transport = isStream ? ";transport=\(settings.transport == .tls ? "tls" : "tcp")" : ""
        return SIPText("<sip:\(user)@\(contact)\(transport)>")
    }

    /// Our From: the AOR, with the display name as a quoted string.
    var fromText: String {
        let host = registrar?.uriHost ?? contact.address.uriHost
        let name = settings.identity.displayName.map { SIPText($0).quoted.string + " " } ?? ""
        return "\(name)<sip:\(RegisterComposer.escapedUser(settings.identity.user))@\(host)>"
    }

    mutating func via(_ flow: FlowID) -> Via {
        let local = locals.first { $0.address.isIPv6 == flow.remote.address.isIPv6 } ?? flow.local
        let sentBy = flow.transport == .udp ? flow.local : local
        return Via(
            flow.transport, host: SIPHost(sentBy.address), port: sentBy.port, branch: entropy.branch(), rport: settings.rport)
    }

    func addIdentity(_ builder: inout SIPMessageBuilder) {
        builder.add(.allow, SIPText(Self.allowedMethods))
        var supported = "timer, replaces"
        if wishes.reliability != .never { supported = Self.extensions }
        builder.add(.supported, SIPText(supported))
        builder.add(.userAgent, SIPText(settings.userAgent))
    }

    /// A response of ours, with our tag; above 100 it names our Contact where a dialog comes of it.
    func response(
        to request: SIPMessage, _ status: Int, reason: SIPText? = nil, tag: SIPText, over flow: FlowID, namesContact: Bool = false
    ) -> SIPMessageBuilder {
        var builder = SIPMessageBuilder.response(to: request, status: status, reason: reason, toTag: tag, source: flow.remote)
        if namesContact {
            builder.copy(.recordRoute, from: request)
            builder.add(.contact, contactText)
            addIdentity(&builder)
        } else {
            builder.add(.userAgent, SIPText(settings.userAgent))
        }
        return builder
    }

    mutating func refuse(
        _ id: ServerTransactionID, _ request: SIPMessage, _ status: Int, reason: SIPText? = nil, tag: SIPText? = nil,
        over flow: FlowID, headers: [(name: HeaderName, value: SIPText)] = [], at now: Instant
    ) {
        var builder = response(to: request, status, reason: reason, tag: tag ?? entropy.tag(), over: flow)
        for header in headers { builder.add(header.name, header.value) }
        layer.respond(id, status: status, builder.bytes, at: now)
    }

    /// The name in a Warning header.
    var agent: String { contact.address.uriHost }

    /// Where the next request of a dialog goes: the address in its next hop; over a stream, or for a name, the flow that stands.
    func flow(of dialog: Dialog, _ call: Call) -> FlowID? {
        guard var flow = call.flow else { return nil }
        guard !flow.transport.isReliable else { return flow }
        guard let uri = try? SIPURI(parsing: dialog.nextHop), !uri.isOutbound, let address = uri.host.address,
            let local = locals.first(where: { $0.address.isIPv6 == address.isIPv6 })
        else { return flow }
        if let transport = uri.knownTransport, transport != .udp { return flow }
        flow.remote = Endpoint(address, uri.port ?? 5060)
        flow.local = local
        return flow
    }

    /// Credentials for a request, where the last challenge was taken up: header and value.
    mutating func credentials(
        _ method: SIPMethod, uri: SIPText, body: [UInt8], _ call: Call, sequence: UInt32, prepared: [UInt8]? = nil
    ) -> (name: HeaderName, value: SIPText)? {
        guard let isProxy = call.authorizesAsProxy, call.isHome else { return nil }
        if let prepared { return (isProxy ? .proxyAuthorization : .authorization, SIPText(prepared)) }
        let subject = DigestSubject(
            method: method.text.bytes, uri: uri.bytes, body: body[...], callID: call.callID.bytes, sequence: sequence)
        guard let value = isProxy ? proxyDigest.authorize(subject) : digest.authorize(subject) else { return nil }
        return (isProxy ? .proxyAuthorization : .authorization, SIPText(value))
    }

    /// Takes up a challenge: the credentials of the same request once more; nil where it cannot or must not be answered.
    mutating func takeUp(
        _ response: SIPMessage, _ status: Int, _ method: SIPMethod, uri: SIPText, body: [UInt8], _ call: inout Call
    ) -> [UInt8]? {
        // Nobody but our own server learns what our password makes of its nonce.
        guard call.isHome, !settings.identity.password.isEmpty else { return nil }
        let isProxy = status == 407
        let offers = DigestClient.readable(
            response.all(isProxy ? .proxyAuthenticate : .wwwAuthenticate).map(\.value.bytes))
        let subject = DigestSubject(
            method: method.text.bytes, uri: uri.bytes, body: body[...], callID: call.callID.bytes, sequence: call.sequence &+ 1)
        guard let answer = isProxy ? proxyDigest.answer(offers, for: subject) : digest.answer(offers, for: subject) else {
            return nil
        }
        call.authorizesAsProxy = isProxy
        return answer
    }
}
