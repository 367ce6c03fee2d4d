import Base
import SIP

/// What the phone answers to a request, and why no more than that.
struct RequestVerdict: Hashable, Sendable {
    var status: Int
    var reason: String
    /// Further header lines, each with its line end.
    var lines = ""

    /// - Parameter cancels: the request is a CANCEL whose INVITE is known.
    /// - Parameter takesCalls: what belongs to calls is dealt with elsewhere; here only its absence is told.
    init(_ message: SIPMessage, _ method: SIPMethod, cancels: Bool, takesCalls: Bool = false) {
        if let fault = Self(faultOf: message, method) {
            self = fault
        } else {
            self.init(method, isInDialog: (try? message.to)?.tag != nil, cancels: cancels, takesCalls: takesCalls)
        }
    }

    /// Why a request cannot be considered at all (RFC 3261 8.2.1 to 8.2.3); nil where it can.
    init?(faultOf message: SIPMessage, _ method: SIPMethod, understood: [String] = ["path", "outbound"]) {
        if message.flaw?.reason == .unsupportedVersion || message.version != "SIP/2.0" {
            self.init(505, "Version Not Supported")
        } else if message.flaw != nil || !Self.isWhole(message, method) {
            self.init(400, "Bad Request")
        } else if method != .cancel, let unknown = Self.unknownRequirements(message, understood) {
            self.init(420, "Bad Extension", "Unsupported: \(unknown)\r\n")
        } else if Self.isForeignScheme(message) {
            self.init(416, "Unsupported URI Scheme")
        } else {
            return nil
        }
    }

    init(_ status: Int, _ reason: String, _ lines: String = "") {
        self.status = status
        self.reason = reason
        self.lines = lines
    }

    private init(_ method: SIPMethod, isInDialog: Bool, cancels: Bool, takesCalls: Bool) {
        let allow = "Allow: \(takesCalls ? CallAgent.allowedMethods : PhoneNode.allowedMethods)\r\n"
        switch method {
        case .cancel where cancels: self.init(200, "OK")
        // No dialog exists while there are no calls.
        case .cancel, .bye: self.init(481, "Call/Transaction Does Not Exist")
        case _ where isInDialog: self.init(481, "Call/Transaction Does Not Exist")
        case .options:
            let extensions = takesCalls ? "path, outbound, \(CallAgent.extensions)" : "path, outbound"
            self.init(200, "OK", allow + "Accept: application/sdp\r\nSupported: \(extensions)\r\n")
        case .invite: self.init(486, "Busy Here")
        case .register, .prack, .update, .info, .message, .subscribe, .notify, .refer, .publish:
            self.init(405, "Method Not Allowed", allow)
        default: self.init(501, "Not Implemented", allow)
        }
    }

    private static func isWhole(_ message: SIPMessage, _ method: SIPMethod) -> Bool {
        guard (try? message.from) != nil, (try? message.to) != nil, (try? message.callID) != nil, let cseq = try? message.cseq
        else {
            return false
        }
        return cseq.method == method && (try? message.requestURI()) != nil && (try? message.require) != nil
    }

    private static func unknownRequirements(_ message: SIPMessage, _ understood: [String]) -> String? {
        guard let required = try? message.require else { return nil }
        let unknown = required.filter { !understood.contains($0.lowercased.string) }
        return unknown.isEmpty ? nil : unknown.prefix(16).map(\.string).joined(separator: ", ")
    }

    private static func isForeignScheme(_ message: SIPMessage) -> Bool {
        switch try? message.requestURI() {
        case .sip, .tel: false
        case .other, nil: true
        }
    }
}

/// The response to a request as bytes, and where it goes (RFC 3261 8.2.6, 18.2.2; RFC 3581 4).
struct RequestAnswer: Hashable, Sendable {
    var bytes: [UInt8]
    var flow: FlowID

    /// nil where the request lacks even what a 400 is made of.
    init?(to message: SIPMessage, over flow: FlowID, _ verdict: RequestVerdict, userAgent: String, tag: String) {
        guard let via = try? message.topVia, let callID = message.first(.callID), let from = message.first(.from),
            let to = message.first(.to), let cseq = message.first(.cseq)
        else { return nil }
        var text = "SIP/2.0 \(verdict.status) \(verdict.reason)\r\n"
        var top = via
        let source = flow.remote
        self.flow = flow
        let received = SIPText(source.address.description)
        switch via.rport {
        case .absent:
            if via.host.address != source.address { top.parameters.set("received", received) }
            if !flow.transport.isReliable { self.flow.remote.port = via.port ?? 5060 }
        case .requested, .port:
            top.parameters.set("received", received)
            top.parameters.set("rport", SIPText("\(source.port)"))
        }
        text +=
            "Via: \(top.transport.string.isEmpty ? "UDP" : "SIP/2.0/\(top.transport)") \(Self.sentBy(top))\(top.parameters)\r\n"
        // Of the field that holds the topmost value the others follow, then the remaining fields.
        for value in message.values(of: .via).dropFirst() { text += "Via: \(value)\r\n" }
        for field in message.all(.recordRoute) { text += "Record-Route: \(field.value)\r\n" }
        text += "From: \(from.value)\r\n"
        let hasTag = (try? message.to)?.tag != nil
        text += "To: \(to.value)\(hasTag || verdict.status == 100 ? "" : ";tag=\(tag)")\r\n"
        text += "Call-ID: \(callID.value)\r\nCSeq: \(cseq.value)\r\n"
        text += verdict.lines
        text +=
            "User-Agent: \(String(decoding: userAgent.utf8.map { $0 < 0x20 ? 0x20 : $0 }, as: UTF8.self))\r\nContent-Length: 0\r\n\r\n"
        bytes = Array(text.utf8)
    }

    private static func sentBy(_ via: Via) -> String { "\(via.host)" + (via.port.map { ":\($0)" } ?? "") }
}
