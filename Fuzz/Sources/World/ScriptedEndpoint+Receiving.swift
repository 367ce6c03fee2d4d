import Base
import SIP

/// What the scripted endpoint does by itself: it answers challenges, and unless told otherwise acknowledges, and answers what is asked inside dialogs.
extension ScriptedEndpoint {
    mutating func receive(_ datagram: Datagram) {
        guard let message = try? SIPMessage(parsing: datagram.payload), message.flaw == nil else { return }
        if message.isRequest { asked(message) } else { answered(message) }
    }

    private mutating func answered(_ response: SIPMessage) {
        guard let status = response.statusCode, status >= 101, let branch = (try? response.topVia)?.branch?.string,
            let cseq = try? response.cseq, let callID = (try? response.callID)?.string
        else { return }
        let place = cseq.method == .invite ? dialogs.firstIndex { $0.callID == callID && $0.branch == branch } : nil
        if let place {
            if (try? response.to)?.tag != nil, let to = response.first(.to)?.value.string { dialogs[place].remote = to }
            if let reliable = response.first("RSeq")?.value.string { dialogs[place].reliable = reliable }
            if status < 300, case .list(let contacts)? = try? response.contacts, let first = contacts.first {
                dialogs[place].target = first.uriText.string
            }
            // RFC 3261 17.1.1.3: that of a refusal belongs to the INVITE's transaction.
            if status >= 300 { acknowledge(at: place, branch: branch) }
            if (200..<300).contains(status), acknowledges { acknowledge(dialogs.count - 1 - place) }
        }
        if status == 401 || status == 407 { answerChallenge(response, branch: branch) }
    }

    private mutating func asked(_ request: SIPMessage) {
        guard let method = request.method, let callID = (try? request.callID)?.string, let cseq = (try? request.cseq)?.number
        else {
            return
        }
        let known = dialogs.firstIndex { $0.callID == callID }
        switch method {
        case .ack: break
        case .invite where known == nil:
            guard let from = request.first(.from)?.value.string else { return }
            var target = uri
            if case .list(let contacts)? = try? request.contacts, let first = contacts.first { target = first.uriText.string }
            add(
                Dialog(
                    callID: callID, localTag: "in\(cseq)\(callID.utf8.count)", remote: from, target: target, cseq: 0,
                    inviteCSeq: cseq,
                    branch: "", invite: request))
        case .invite:
            guard let known else { return }
            let isCopy = dialogs[known].invite.flatMap { try? $0.cseq.number } == cseq
            dialogs[known].invite = request
            if answers, !isCopy { reply(request, 200, tag: dialogs[known].localTag, body: body(.audio)) }
        default:
            guard answers else { return }
            reply(request, known == nil && method == .bye ? 481 : 200, tag: known.map { dialogs[$0].localTag } ?? "x")
        }
    }

    /// To an INVITE that came.
    mutating func respond(_ dialog: Int, _ status: Int) {
        guard let place = place(dialog), let invite = dialogs[place].invite else { return }
        var lines: [String] = []
        if status == 302 { lines = ["Contact: <\(Cast.uri(dialog))>"] }
        if status == 401 { lines = ["WWW-Authenticate: Digest realm=\"elsewhere\", nonce=\"n\""] }
        if status == 183 { lines = ["Require: 100rel", "RSeq: 7", "Contact: \(contact)"] }
        if status == 200 || status == 180 { lines = ["Contact: \(contact)"] }
        reply(invite, status, tag: dialogs[place].localTag, lines, body: status == 200 || status == 183 ? body(.audio) : "")
    }

    private mutating func reply(_ request: SIPMessage, _ status: Int, tag: String, _ lines: [String] = [], body: String = "") {
        var text = "SIP/2.0 \(status) So\r\n"
        for via in request.all(.via) { text += "Via: \(via.value)\r\n" }
        text += "From: \(request.first(.from)?.value ?? "")\r\n"
        let to = request.first(.to)?.value.string ?? ""
        text += "To: \(to)\(to.contains("tag=") || status == 100 ? "" : ";tag=\(tag)")\r\n"
        text += "Call-ID: \(request.first(.callID)?.value ?? "")\r\nCSeq: \(request.first(.cseq)?.value ?? "")\r\n"
        for line in lines { text += line + "\r\n" }
        if status < 300, request.method == .invite || request.method == .update,
            !lines.contains(where: { $0.hasPrefix("Contact") })
        {
            text += "Contact: \(contact)\r\n"
        }
        if !body.isEmpty { text += "Content-Type: application/sdp\r\n" }
        text += "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        transmit(text)
    }
}
