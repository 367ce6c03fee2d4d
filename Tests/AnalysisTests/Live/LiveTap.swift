import Analysis
import Base
import SIP

/// A live tap that is told what a server would tell it.
struct LiveTap {
    static let local = Endpoint("203.0.113.10:5060")!

    var live: LiveAnalysis
    var now = Instant(seconds: 1_700_000_000)
    var transport = SIPTransport.udp

    init(room: Int) { live = LiveAnalysis(name: "server", room: room) }

    /// A message of a phone. `isProved`: its digest was right.
    mutating func comes(_ text: String, from remote: Endpoint, isProved: Bool = false, after: Duration = .milliseconds(5)) throws
    {
        now = now + after
        let message = try SIPMessage(parsing: Array(text.utf8))
        live.received(message, on: FlowID(transport, local: Self.local, remote: remote), isProved: isProved, at: now)
    }

    /// A message of the server.
    mutating func goes(_ text: String, to remote: Endpoint, after: Duration = .milliseconds(1)) throws {
        now = now + after
        let message = try SIPMessage(parsing: Array(text.utf8))
        live.sent(message, on: FlowID(transport, local: Self.local, remote: remote), at: now)
    }

    // MARK: Messages

    static func head(
        _ method: String, _ cseq: Int, of user: String, _ callID: String, branch: String, via: String,
        _ transport: SIPTransport = .udp
    ) -> String {
        "Via: SIP/2.0/\(transport.viaToken) \(via);rport;branch=z9hG4bK\(branch)\r\nFrom: <sip:\(user)@pinhole>;tag=f\r\nTo: <sip:\(user)@pinhole>\r\n"
            + "Call-ID: \(callID)\r\nCSeq: \(cseq) \(method)\r\n"
    }

    static func register(
        _ cseq: Int, of user: String, _ callID: String, nonce: String? = nil, via: String = "192.168.1.20:5060",
        contact: String = "192.168.1.20:5060", _ transport: SIPTransport = .udp
    ) -> String {
        let signed = nonce.map {
            "Authorization: Digest username=\"\(user)\", realm=\"pinhole\", nonce=\"\($0)\", uri=\"sip:pinhole\", "
                + "response=\"0123456789abcdef0123456789abcdef\", algorithm=MD5\r\n"
        }
        return "REGISTER sip:pinhole SIP/2.0\r\n"
            + head("REGISTER", cseq, of: user, callID, branch: "\(callID)\(cseq)", via: via, transport)
            + "Max-Forwards: 70\r\nContact: <sip:\(user)@\(contact)>\r\nExpires: 3600\r\n\(signed ?? "")Content-Length: 0\r\n\r\n"
    }

    static func answer(
        _ status: String, to cseq: Int, of user: String, _ callID: String, nonce: String? = nil,
        via: String = "192.168.1.20:5060",
        _ transport: SIPTransport = .udp
    ) -> String {
        "SIP/2.0 \(status)\r\n"
            + head("REGISTER", cseq, of: user, callID, branch: "\(callID)\(cseq)", via: via, transport)
            + (nonce.map { "WWW-Authenticate: Digest realm=\"pinhole\", nonce=\"\($0)\", algorithm=MD5\r\n" }
                ?? "Contact: <sip:\(user)@\(via)>;expires=3600\r\n")
            + "Content-Length: 0\r\n\r\n"
    }

    // MARK: Talks

    /// An account registers, its first CSeq being `first`; its second REGISTER comes from another port where `jumps`.
    mutating func registers(
        _ user: String, _ first: Int = 1, from phone: Endpoint, own: String = "192.168.1.20:5060", jumps: Bool = false
    ) throws {
        let callID = "r-\(user)"
        var second = phone
        if jumps { second.port += 1 }
        let nonce = "n\(user)\(first)"
        try comes(Self.register(first, of: user, callID, via: own, contact: own, transport), from: phone)
        try goes(Self.answer("401 Unauthorized", to: first, of: user, callID, nonce: nonce, via: own, transport), to: phone)
        try comes(
            Self.register(first + 1, of: user, callID, nonce: nonce, via: own, contact: own, transport), from: second,
            isProved: true)
        try goes(Self.answer("200 OK", to: first + 1, of: user, callID, via: own, transport), to: second)
    }

    /// The server asks a phone whether it is still there; nil: it does not answer.
    mutating func pings(_ phone: Endpoint, _ number: Int, isAnswered: Bool = true) throws {
        let head = Self.head("OPTIONS", 1, of: "server", "k\(number)", branch: "k\(number)", via: "203.0.113.10:5060")
        try goes("OPTIONS sip:alice@\(phone) SIP/2.0\r\n\(head)Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n", to: phone)
        if isAnswered { try comes("SIP/2.0 200 OK\r\n\(head)Content-Length: 0\r\n\r\n", from: phone) }
    }

    /// Strangers who register under invented names, once each, and hear 401.
    mutating func flood(_ messages: Int, startingAt first: Int = 0) throws {
        for number in first..<(first + messages / 2) {
            let stranger = Endpoint(.v4(IPv4Address(198, 18, UInt8(number >> 8 & 255), UInt8(number & 255))), 5_060)
            try comes(Self.register(1, of: "x\(number)", "s\(number)"), from: stranger, after: .microseconds(100))
            try goes(
                Self.answer("401 Unauthorized", to: 1, of: "x\(number)", "s\(number)", nonce: "n"), to: stranger,
                after: .microseconds(50))
        }
    }
}
