import Base
import SIP
import SIPStack

/// A SIP endpoint with an account and no manners: it sends what it is told to, when it is told to, and keeps of each dialog no more than the next
/// message needs. A phone that follows the RFCs would never try the half of it.
struct ScriptedEndpoint: Sendable {
    struct Dialog: Sendable {
        var callID: String
        var localTag: String
        /// `<uri>;tag=...` as the other side is written; without a tag until it has one.
        var remote: String
        /// Request-URI of what is asked inside it.
        var target: String
        var cseq: UInt32
        var inviteCSeq: UInt32
        var branch: String
        /// The INVITE that came; nil where we called.
        var invite: SIPMessage?
        var reliable: String?
    }

    private struct Sent: Sendable {
        var branch: String
        var draft: Draft
        var isRepeated: Bool
    }

    /// A request but for what changes when it is asked again.
    struct Draft: Sendable {
        var method: String
        var uri: String
        var from: String
        var to: String
        var callID: String
        var cseq: UInt32
        var lines: [String] = []
        var body = ""
        var type = "application/sdp"
    }

    static let mostDialogs = 4

    let user: String
    let local: Endpoint
    let server: Endpoint
    /// Oldest first.
    var dialogs: [Dialog] = []
    var answers = true
    var acknowledges = true
    var outbox = Outbox<Datagram>()
    private var digest: DigestClient
    private var sent: [Sent] = []
    private var number = 0
    private var registerCSeq: UInt32 = 0

    init(user: String, local: Endpoint, server: Endpoint, entropy: Entropy) {
        self.user = user
        self.local = local
        self.server = server
        digest = DigestClient(username: user, password: .text(user), entropy: entropy)
    }

    var uri: String { "sip:\(user)@\(server.address)" }
    var contact: String { "<sip:\(user)@\(local)>" }

    /// The dialog of that place, counted from the newest; nil where there are none.
    func place(_ dialog: Int) -> Int? { dialogs.isEmpty ? nil : dialogs.count - 1 - dialog % dialogs.count }

    // MARK: What it is told

    mutating func perform(_ deed: EndpointDeed) {
        switch deed {
        case .register(let seconds): register(contact, expires: seconds)
        case .unregister(let everybody): register(everybody ? "*" : contact, expires: 0)
        case .options: send(draft("OPTIONS", to: 0))
        case .invite(let target, let offer): invite(Cast.uri(target), offer)
        case .respond(let dialog, let status): respond(dialog, status)
        case .ack(let dialog): acknowledge(dialog)
        case .cancel(let dialog): cancel(dialog)
        case .bye(let dialog): inside(dialog, "BYE")
        case .reinvite(let dialog, let offer): inside(dialog, "INVITE", ["Contact: \(contact)"], body(offer))
        case .update(let dialog): inside(dialog, "UPDATE", ["Contact: \(contact)"], body(.audio))
        case .info(let dialog): inside(dialog, "INFO", [], "Signal=5\r\nDuration=160\r\n", type: "application/dtmf-relay")
        case .prack(let dialog):
            let reliable = place(dialog).flatMap { dialogs[$0].reliable } ?? "1"
            let invite = place(dialog).map { dialogs[$0].inviteCSeq } ?? 1
            inside(dialog, "PRACK", ["RAck: \(reliable) \(invite) INVITE"])
        case .refer(let dialog, let target): inside(dialog, "REFER", ["Contact: \(contact)", "Refer-To: <\(Cast.uri(target))>"])
        case .referReplaces(let dialog, let other):
            guard let replaces = place(other).map({ replaces(dialogs[$0]) }) else { return }
            let escaped = replaces.replacing(";", with: "%3B").replacing("=", with: "%3D").replacing("@", with: "%40")
            inside(dialog, "REFER", ["Contact: \(contact)", "Refer-To: <\(Cast.uri(0))?Replaces=\(escaped)>"])
        case .inviteReplaces(let dialog):
            guard let place = place(dialog) else { return }
            invite(dialogs[place].target, .audio, ["Replaces: \(replaces(dialogs[place]))"])
        case .subscribe(let target, let event, let seconds):
            var request = draft("SUBSCRIBE", to: target)
            request.lines = ["Contact: \(contact)", "Event: \(Cast.events[event])", "Expires: \(seconds)"]
            send(request)
        case .message(let target):
            var request = draft("MESSAGE", to: target)
            (request.body, request.type) = ("hello", "text/plain")
            send(request)
        case .answersByItself(let isOn): answers = isOn
        case .acknowledgesByItself(let isOn): acknowledges = isOn
        }
    }

    private mutating func register(_ contact: String, expires: Int) {
        registerCSeq += 1
        var request = draft("REGISTER", to: 3)
        request.uri = "sip:\(server.address)"
        request.callID = "registers@\(user)"
        request.cseq = registerCSeq
        request.lines = ["Contact: \(contact)", "Expires: \(expires)"]
        send(request)
    }

    private mutating func invite(_ target: String, _ offer: EndpointDeed.Offer, _ lines: [String] = []) {
        number += 1
        let dialog = Dialog(
            callID: "call\(number)@\(user)", localTag: "t\(number)", remote: "<\(target)>", target: target, cseq: 1,
            inviteCSeq: 1,
            branch: "")
        add(dialog)
        let place = dialogs.count - 1
        var request = draft(inside: place, "INVITE")
        request.lines = ["Contact: \(contact)", "Supported: 100rel, timer, replaces"] + lines
        request.body = body(offer)
        dialogs[place].branch = send(request)
    }

    mutating func add(_ dialog: Dialog) {
        if dialogs.count >= Self.mostDialogs { dialogs.removeFirst() }
        dialogs.append(dialog)
    }

    private mutating func inside(
        _ dialog: Int, _ method: String, _ lines: [String] = [], _ body: String = "", type: String = "application/sdp"
    ) {
        guard let place = place(dialog) else { return }
        dialogs[place].cseq += 1
        var request = draft(inside: place, method)
        (request.lines, request.body, request.type) = (lines, body, type)
        if method == "INVITE" { dialogs[place].inviteCSeq = request.cseq }
        let branch = send(request)
        if method == "INVITE" { dialogs[place].branch = branch }
    }

    private mutating func cancel(_ dialog: Int) {
        guard let place = place(dialog) else { return }
        var request = draft(inside: place, "CANCEL")
        request.cseq = dialogs[place].inviteCSeq
        put(request, branch: dialogs[place].branch, authorization: nil)
    }

    mutating func acknowledge(_ dialog: Int) {
        guard let place = place(dialog) else { return }
        acknowledge(at: place, branch: newBranch())
    }

    mutating func acknowledge(at place: Int, branch: String) {
        var request = draft(inside: place, "ACK")
        request.cseq = dialogs[place].inviteCSeq
        put(request, branch: branch, authorization: nil)
    }

    private func replaces(_ dialog: Dialog) -> String {
        let remoteTag = dialog.remote.split(separator: "tag=").dropFirst().first.map(String.init) ?? "none"
        return "\(dialog.callID);to-tag=\(remoteTag);from-tag=\(dialog.localTag)"
    }

    // MARK: Requests

    private mutating func newBranch() -> String {
        number += 1
        return "z9hG4bK\(user)\(number)"
    }

    private mutating func draft(_ method: String, to target: Int) -> Draft {
        number += 1
        return Draft(
            method: method, uri: Cast.uri(target), from: "<\(uri)>;tag=r\(number)", to: "<\(Cast.uri(target))>",
            callID: "ask\(number)@\(user)", cseq: 1)
    }

    private func draft(inside place: Int, _ method: String) -> Draft {
        let dialog = dialogs[place]
        return Draft(
            method: method, uri: dialog.target, from: "<\(uri)>;tag=\(dialog.localTag)", to: dialog.remote, callID: dialog.callID,
            cseq: dialog.cseq)
    }

    @discardableResult
    private mutating func send(_ draft: Draft, isRepeated: Bool = false) -> String {
        let branch = newBranch()
        if sent.count >= 16 { sent.removeFirst() }
        sent.append(Sent(branch: branch, draft: draft, isRepeated: isRepeated))
        let subject = DigestSubject(method: Array(draft.method.utf8)[...], uri: Array(draft.uri.utf8)[...])
        put(draft, branch: branch, authorization: digest.authorize(subject))
        return branch
    }

    private mutating func put(_ draft: Draft, branch: String, authorization: [UInt8]?) {
        var text = "\(draft.method) \(draft.uri) SIP/2.0\r\n"
        text +=
            "Via: SIP/2.0/UDP \(local);rport;branch=\(branch)\r\nMax-Forwards: 70\r\nFrom: \(draft.from)\r\nTo: \(draft.to)\r\n"
        text += "Call-ID: \(draft.callID)\r\nCSeq: \(draft.cseq) \(draft.method)\r\n"
        for line in draft.lines { text += line + "\r\n" }
        if let authorization { text += "Authorization: \(String(decoding: authorization, as: UTF8.self))\r\n" }
        if !draft.body.isEmpty { text += "Content-Type: \(draft.type)\r\n" }
        text += "Content-Length: \(draft.body.utf8.count)\r\n\r\n\(draft.body)"
        transmit(text)
    }

    mutating func transmit(_ text: String) { outbox.append(Datagram(from: local, to: server, Array(text.utf8))) }

    /// Asks again, with credentials; once.
    mutating func answerChallenge(_ response: SIPMessage, branch: String) {
        guard let place = sent.firstIndex(where: { $0.branch == branch }), !sent[place].isRepeated else { return }
        var draft = sent.remove(at: place).draft
        let subject = DigestSubject(method: Array(draft.method.utf8)[...], uri: Array(draft.uri.utf8)[...])
        let offers = DigestClient.readable(response.all(.wwwAuthenticate).map(\.value.bytes))
        guard !offers.isEmpty else { return }
        digest.forget()
        // What is sent next is signed over the nonce taken up here.
        guard digest.answer(offers, for: subject) != nil else { return }
        if draft.callID == "registers@\(user)" {
            registerCSeq += 1
            draft.cseq = registerCSeq
        } else {
            draft.cseq += 1
        }
        let former = dialogs.firstIndex { $0.callID == draft.callID && $0.branch == branch }
        let new = send(draft, isRepeated: true)
        if let former {
            dialogs[former].cseq = draft.cseq
            dialogs[former].inviteCSeq = draft.cseq
            dialogs[former].branch = new
        }
    }

    // MARK: SDP

    func body(_ offer: EndpointDeed.Offer) -> String {
        let head = "v=0\r\no=\(user) 1 \(number + 1) IN IP4 \(local.address)\r\ns=-\r\nc=IN IP4 \(local.address)\r\nt=0 0\r\n"
        let audio = "m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
        switch offer {
        case .audio: return head + audio
        case .hold: return head + audio + "a=sendonly\r\n"
        case .none: return ""
        case .video: return head + audio + "m=video 40002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        case .srtp:
            return head + "m=audio 40000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
                + "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n"
        case .broken: return head + "m=audio many RTP/AVP\r\n"
        case .port0: return head + "m=audio 0 RTP/AVP 0\r\n"
        }
    }
}
