import Base

/// Writes the client's own requests as text (RFC 3261 8.1.1, 10.2; RFC 5626 4.2).
///
/// What people type into settings is cut free of line breaks, so that no setting can begin a header of its own.
package struct RegisterComposer: Sendable {
    private let settings: RegistrationSettings
    /// `sip:example.net`, the Request-URI of REGISTER.
    let requestURI: String
    private let aor: String
    private let callID: String
    private let fromTag: String
    private let optionsCallID: String
    private let route: String?

    init(settings: RegistrationSettings, registrar: ServerAddress, proxy: ServerAddress?, entropy: inout Entropy) {
        self.settings = settings
        requestURI = "sip:\(registrar.uriHostPort)"
        aor = "sip:\(Self.escapedUser(settings.identity.user))@\(registrar.uriHost)"
        callID = entropy.hex(24)
        optionsCallID = entropy.hex(24)
        fromTag = entropy.hex(10)
        // A loose route, so that the proxy is visited and the Request-URI stays the registrar's (RFC 3261 8.1.2).
        route = proxy.map { "<sip:\($0.uriHostPort);lr>" }
    }

    var callIDText: String { callID }

    /// `authorization`: header name and value, in the order in which they are to stand.
    func register(_ plan: RegisterPlan, branch: String, authorization: [(name: String, value: [UInt8])]) -> [UInt8] {
        var text = head("REGISTER", uri: requestURI, sentBy: plan.sentBy, branch: branch, callID: callID, cseq: plan.cseq)
        text += "Contact: \(contact(plan.contact))\r\n"
        if let former = plan.removes {
            text += "Contact: <\(contactURI(former))>;expires=0\r\n"
        }
        if settings.behaviour == .modern {
            text += "Supported: path, outbound\r\n"
            text += "Allow: \(settings.allow)\r\n"
        } else {
            text += "Supported: gruu\r\n"
        }
        text += "User-Agent: \(Self.plain(settings.userAgent))\r\n"
        var bytes = Array(text.utf8)
        for (name, value) in authorization {
            bytes += "\(name): ".utf8
            bytes += value
            bytes += "\r\n".utf8
        }
        bytes += "Expires: \(plan.expires)\r\nContent-Length: 0\r\n\r\n".utf8
        return bytes
    }

    /// A request of our own outside any dialog that only asks whether the path is open (RFC 3261 11.1).
    func options(cseq: UInt32, sentBy: Endpoint, branch: String) -> [UInt8] {
        var text = head("OPTIONS", uri: requestURI, sentBy: sentBy, branch: branch, callID: optionsCallID, cseq: cseq)
        text += "User-Agent: \(Self.plain(settings.userAgent))\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n"
        return Array(text.utf8)
    }

    func contactURI(_ endpoint: Endpoint) -> String {
        var uri = "sip:\(Self.escapedUser(settings.identity.user))@\(endpoint)"
        // Whoever calls this Contact without our flow must not do so over UDP.
        if settings.transport.isReliable { uri += ";transport=\(settings.transport == .tls ? "tls" : "tcp")" }
        if settings.behaviour == .seed { uri += ";line=\(fromTag)" }
        return uri
    }

    private func contact(_ endpoint: Endpoint) -> String {
        let instance = settings.instanceID.map { ";+sip.instance=\"<\(Self.token($0))>\"" }
        switch settings.behaviour {
        case .modern:
            // `ob` says: reach me over the flow that this came in on (RFC 5626 4.2.1, 5.4).
            return "<\(contactURI(endpoint))>" + (instance.map { ";reg-id=1\($0)" } ?? "")
        case .seed:
            return
                "<\(contactURI(endpoint))>;q=1.0;flow-id=1\(instance ?? ";+sip.instance=\"\"");audio;mobility=\"fixed\";duplex=\"full\""
                + ";description=\"snom300\";actor=\"principal\";events=\"dialog\""
                + ";methods=\"INVITE,ACK,CANCEL,BYE,REFER,OPTIONS,NOTIFY,SUBSCRIBE,PRACK,MESSAGE,INFO\""
        }
    }

    private func head(_ method: String, uri: String, sentBy: Endpoint, branch: String, callID: String, cseq: UInt32) -> String {
        let display = settings.identity.displayName.map { "\"\(Self.quotable($0))\" " } ?? ""
        let tag = callID == self.callID ? fromTag : "\(fromTag)k"
        var text = "\(method) \(uri) SIP/2.0\r\n"
        text += "Via: SIP/2.0/\(settings.transport.viaToken) \(sentBy);branch=\(branch)\(settings.rport ? ";rport" : "")\r\n"
        text += "Max-Forwards: 70\r\n"
        if let route { text += "Route: \(route)\r\n" }
        text += "From: \(display)<\(aor)>;tag=\(tag)\r\n"
        text += "To: \(method == "REGISTER" ? "\(display)<\(aor)>" : "<\(uri)>")\r\n"
        text += "Call-ID: \(callID)\r\n"
        text += "CSeq: \(cseq) \(method)\r\n"
        return text
    }

    /// RFC 3261 25.1 `user`: what is neither unreserved nor user-unreserved is escaped.
    package static func escapedUser(_ user: String) -> String {
        var bytes: [UInt8] = []
        for byte in user.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                bytes.append(byte)
            case _ where "-_.!~*'()&=+$,;?/".utf8.contains(byte): bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), lowerHexDigits[Int(byte >> 4)], lowerHexDigits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func plain(_ text: String) -> String {
        String(decoding: text.utf8.map { $0 < 0x20 || $0 == 0x7f ? 0x20 : $0 }, as: UTF8.self)
    }

    private static func quotable(_ text: String) -> String {
        var bytes: [UInt8] = []
        for byte in plain(text).utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func token(_ text: String) -> String {
        String(decoding: text.utf8.filter { $0 > 0x20 && $0 < 0x7f && !"\"<>\\".utf8.contains($0) }, as: UTF8.self)
    }
}
