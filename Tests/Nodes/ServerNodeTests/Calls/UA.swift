import Base
import Foundation
import SIP
import ServerNode
import Testing

/// One phone with one dialog, its messages written by hand.
final class UA {
    let h: Harness
    let user: String
    let password: String
    var flow: FlowID
    var callID: String
    var localTag: String
    var remoteTag: String?
    var localURI: String
    var remoteURI: String
    /// Request-URI of what is sent inside the dialog.
    var target: String
    var cseq = 1
    var inviteSequence = 1
    var inviteBranch = ""
    var authorization: String?
    /// The request of the server that is answered.
    var request: SIPMessage?
    /// What the server sent over this phone's flow and was not taken yet.
    var supported = "timer, replaces"
    var isRegistered = false
    /// In the To of its REGISTER.
    var domain = "pinhole"

    private var count = 0

    init(_ h: Harness, _ user: String, at remote: String, _ transport: SIPTransport = .udp, password: String? = nil) {
        self.h = h
        self.user = user
        self.password = password ?? (user == "alice" ? "secret" : "word")
        flow = Harness.flow(Endpoint(remote)!, transport)
        callID = "call-\(user)-\(remote)"
        localTag = "t\(user)\(flow.remote.port)"
        localURI = "sip:\(user)@pinhole"
        remoteURI = ""
        target = ""
    }

    var address: String { "\(flow.remote.address)" }
    /// Another than it speaks from; nil: there.
    var contactHost: String?
    var contact: String { "<sip:\(user)@\(contactHost ?? "\(address):\(flow.remote.port)")>" }

    /// Everything sent to this phone in `out`, parsed.
    func mine(_ out: [(flow: FlowID, bytes: [UInt8])]) throws -> [SIPMessage] {
        try out.filter { $0.flow == flow }.map { try SIPMessage(parsing: $0.bytes) }
    }

    /// Registers the phone's contact. `instance`: the last twelve digits of its instance-id.
    @discardableResult
    func register(instance: String? = nil, regID: Int? = nil, q: String? = nil) throws -> SIPMessage {
        var register = Register(user: user, domain: domain)
        register.callID = "reg-\(user)-\(flow.remote.port)-\(address)"
        register.contact = contact
        if let instance { register.contact! += ";+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-\(instance)>\"" }
        if let regID {
            register.contact! += ";reg-id=\(regID)"
            register.extra = "Supported: outbound, path\r\n"
        }
        if let q { register.contact! += ";q=\(q)" }
        register.via = "\(address):\(flow.remote.port);rport"
        return try h.register(register, password: password, on: flow)
    }

    // MARK: Requests

    func via(_ branch: String) -> String {
        "SIP/2.0/\(flow.transport.viaToken) \(address):\(flow.remote.port);rport;branch=\(branch)"
    }

    func text(
        _ method: String, uri: String? = nil, branch: String? = nil, cseq number: Int? = nil, extra: String = "",
        body: String = ""
    ) -> String {
        count += 1
        let branch = branch ?? "z9hG4bK-\(user)-\(callID)-\(count)"
        var text = "\(method) \(uri ?? target) SIP/2.0\r\nVia: \(via(branch))\r\nMax-Forwards: 70\r\n"
        text += "From: <\(localURI)>;tag=\(localTag)\r\nTo: <\(remoteURI)>\(remoteTag.map { ";tag=\($0)" } ?? "")\r\n"
        text += "Call-ID: \(callID)\r\nCSeq: \(number ?? cseq) \(method)\r\nContact: \(contact)\r\n"
        if let authorization { text += "Authorization: \(authorization)\r\n" }
        text += extra
        if !body.isEmpty, !extra.contains("Content-Type") { text += "Content-Type: application/sdp\r\n" }
        return text + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    /// A request inside the dialog, CSeq counted up.
    @discardableResult
    func send(_ method: String, extra: String = "", body: String = "") -> [(flow: FlowID, bytes: [UInt8])] {
        cseq += 1
        if method == "INVITE" { inviteSequence = cseq }
        return h.receive(text(method, extra: extra, body: body), on: flow)
    }

    /// The same, signed for `method` once it is challenged. What came of the signed request.
    @discardableResult
    func sendSigned(_ method: String, as signer: (user: String, password: String)? = nil, extra: String = "", body: String = "")
        throws
        -> [(flow: FlowID, bytes: [UInt8])]
    {
        let challenge = try #require(try mine(send(method, extra: extra, body: body)).first { $0.statusCode == 401 })
        let value = challenge.all(.wwwAuthenticate).map(\.value.string).first { $0.contains("MD5") } ?? ""
        authorization = Credentials(challenge: value).header(
            username: signer?.user ?? user, password: signer?.password ?? password, method: method, uri: target)
        defer { authorization = nil }
        return send(method, extra: extra, body: body)
    }

    /// INVITE without credentials, its ACK, then INVITE with them: what the server sends then.
    @discardableResult
    func invite(
        _ callee: String, uri: String? = nil, body: String = UA.offer("192.168.1.10", 16_384), extra: String = "",
        authenticates: Bool = true
    ) throws -> [(flow: FlowID, bytes: [UInt8])] {
        remoteURI = uri ?? "sip:\(callee)@pinhole"
        target = remoteURI
        let common = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\nSupported: \(supported)\r\n" + extra
        inviteBranch = "z9hG4bK-i1-\(callID)"
        let first = h.receive(text("INVITE", branch: inviteBranch, extra: common, body: body), on: flow)
        guard authenticates, let challenge = try mine(first).first, challenge.statusCode == 401 else { return first }
        let tag = remoteTag
        remoteTag = (try? challenge.to)?.tag?.string
        h.receive(text("ACK", uri: target, branch: inviteBranch), on: flow)
        remoteTag = tag
        cseq += 1
        inviteSequence = cseq
        let value = challenge.all(.wwwAuthenticate).map(\.value.string).first { $0.contains("MD5") } ?? ""
        authorization = Credentials(challenge: value).header(username: user, password: password, method: "INVITE", uri: target)
        inviteBranch = "z9hG4bK-i2-\(callID)"
        defer { authorization = nil }
        lastInvite = text("INVITE", branch: inviteBranch, extra: common, body: body)
        return h.receive(lastInvite, on: flow)
    }
    var lastInvite = ""

    /// Takes To tag and Contact of a response into the dialog.
    func take(_ response: SIPMessage) throws {
        remoteTag = try response.to.tag?.string ?? remoteTag
        if case .list(let contacts) = try response.contacts, let first = contacts.first { target = first.uriText.string }
    }

    @discardableResult
    func ack(body: String = "") -> [(flow: FlowID, bytes: [UInt8])] {
        h.receive(text("ACK", cseq: inviteSequence, body: body), on: flow)
    }

    /// The ACK of a refusal: same branch.
    func ackRefusal(_ response: SIPMessage) throws {
        let tag = remoteTag
        remoteTag = try response.to.tag?.string
        h.receive(text("ACK", uri: remoteURI, branch: inviteBranch, cseq: inviteSequence), on: flow)
        remoteTag = tag
    }

    @discardableResult
    func cancel() -> [(flow: FlowID, bytes: [UInt8])] {
        h.receive(text("CANCEL", uri: remoteURI, branch: inviteBranch, cseq: inviteSequence), on: flow)
    }

    // MARK: Responses

    /// A response to `request`, or to the one taken last.
    func response(_ status: Int, to message: SIPMessage? = nil, extra: String = "", body: String = "", tag: String? = nil)
        -> String
    {
        guard let message = message ?? request else { return "" }
        var text = "SIP/2.0 \(status) \(SIPStatus.phrase(status))\r\n"
        for header in message.all(.via) { text += "Via: \(header.value)\r\n" }
        text += "From: \(message.first(.from)!.value)\r\nTo: \(message.first(.to)!.value)"
        if (try? message.to)?.tag == nil { text += ";tag=\(tag ?? localTag)" }
        text += "\r\nCall-ID: \(message.first(.callID)!.value)\r\nCSeq: \(message.first(.cseq)!.value)\r\nContact: \(contact)\r\n"
        text += "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n" + extra
        if !body.isEmpty { text += "Content-Type: application/sdp\r\n" }
        return text + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    @discardableResult
    func respond(
        _ status: Int, to message: SIPMessage? = nil, extra: String = "", body: String = "", tag: String? = nil
    ) -> [(flow: FlowID, bytes: [UInt8])] {
        h.receive(response(status, to: message, extra: extra, body: body, tag: tag), on: flow)
    }

    /// Becomes the callee of an INVITE.
    func called(by invite: SIPMessage) throws {
        request = invite
        callID = try invite.callID.string
        remoteTag = try invite.from.tag?.string
        remoteURI = try invite.from.uriText.string
        if case .list(let contacts) = try invite.contacts, let first = contacts.first { target = first.uriText.string }
    }

    // MARK: SDP

    static func offer(
        _ address: String, _ port: Int, formats: String = "0 8 101", direction: String? = nil, version: Int = 1,
        extra: String = ""
    ) -> String {
        let family = address.contains(":") ? "IP6" : "IP4"
        var text = "v=0\r\no=- 77 \(version) IN \(family) \(address)\r\ns=-\r\nc=IN \(family) \(address)\r\nt=0 0\r\n"
        text += "m=audio \(port) RTP/AVP \(formats)\r\n"
        if formats.contains("101") { text += "a=rtpmap:101 telephone-event/8000\r\n" }
        if let direction { text += "a=\(direction)\r\n" }
        return text + extra
    }
}

extension SIPMessage {
    var sdp: String { String(decoding: body, as: UTF8.self) }
}
