import Analysis
import Base

/// Messages as two taps of one router see them.
struct SideScene {
    static let phone = Endpoint("192.168.1.100:5060")!
    static let outer = Endpoint("203.0.113.2:41000")!
    static let server = Endpoint("198.51.100.20:5060")!
    static let start = Instant(seconds: 1_700_000_000)

    var sides = SideMatching()
    /// What is added to the outside's times.
    var skew = Duration.zero
    /// How the two taps number the sources.
    var insideFile = 0
    private var frames = [0, 0]

    /// One message on both sides; nil: not seen there.
    mutating func cross(
        _ inside: String?, _ outside: String?, at seconds: Double, isOutbound: Bool = true, delay: Double = 0.001,
        inner: Endpoint = phone, outer: Endpoint = outer, peer: Endpoint = server, outerPeer: Endpoint? = nil
    ) {
        let sent = Self.start + .microseconds(Int64(seconds * 1e6))
        let took = Duration.microseconds(Int64(delay * 1e6))
        if let inside {
            tell(inside, insideFile, isOutbound ? sent : sent + took, isOutbound ? inner : peer, isOutbound ? peer : inner)
        }
        if let outside {
            let peer = outerPeer ?? peer
            tell(
                outside, 1 - insideFile, (isOutbound ? sent + took : sent) + skew, isOutbound ? outer : peer,
                isOutbound ? peer : outer)
        }
    }

    private mutating func tell(_ text: String, _ file: Int, _ time: Instant, _ source: Endpoint, _ destination: Endpoint) {
        frames[file] += 1
        sides.message(
            SideMessage(
                place: .frame(file: file, number: frames[file]), time: time, source: source, destination: destination,
                isStream: false,
                bytes: Array(text.utf8), dialog: file))
    }

    /// A REGISTER as a phone sends it.
    static func register(_ number: Int = 1, host: String = "192.168.1.100:5060", call: String = "3c4d-77@192.168.1.100") -> String
    {
        message([
            "REGISTER sip:lab.test SIP/2.0", "Via: SIP/2.0/UDP \(host);rport;branch=z9hG4bK-\(number)-aa", "Max-Forwards: 70",
            "From: <sip:100@lab.test>;tag=f7", "To: <sip:100@lab.test>", "Call-ID: \(call)", "CSeq: \(number) REGISTER",
            "Contact: <sip:100@\(host)>", "User-Agent: Phone/1", "Expires: 3600", "Content-Length: 0",
        ])
    }

    static func ok(_ number: Int = 1, host: String = "192.168.1.100:5060", call: String = "3c4d-77@192.168.1.100") -> String {
        message([
            "SIP/2.0 200 OK", "Via: SIP/2.0/UDP \(host);rport=41000;branch=z9hG4bK-\(number)-aa;received=203.0.113.2",
            "From: <sip:100@lab.test>;tag=f7", "To: <sip:100@lab.test>;tag=s1", "Call-ID: \(call)", "CSeq: \(number) REGISTER",
            "Contact: <sip:100@\(host)>;expires=3600", "Content-Length: 0",
        ])
    }

    static func invite(
        host: String = "192.168.1.100:5060", media: String = "192.168.1.100", length: Int? = nil,
        call: String = "call-1@192.168.1.100"
    ) -> String {
        let body = [
            "v=0", "o=- 53655765 2353687637 IN IP4 \(media)", "s=-", "c=IN IP4 \(media)", "t=0 0", "m=audio 4000 RTP/AVP 0", "",
        ]
        .joined(separator: "\r\n")
        return message(
            [
                "INVITE sip:200@lab.test SIP/2.0", "Via: SIP/2.0/UDP \(host);rport;branch=z9hG4bK-inv", "Max-Forwards: 70",
                "From: <sip:100@lab.test>;tag=f9", "To: <sip:200@lab.test>", "Call-ID: \(call)", "CSeq: 7 INVITE",
                "Contact: <sip:100@\(host)>", "Content-Type: application/sdp", "Content-Length: \(length ?? body.utf8.count)",
            ], body)
    }

    /// The server's 200 to `invite`, its ACK, and the phone's BYE.
    static func answer(host: String) -> String {
        let body =
            "v=0\r\no=- 7788991 1 IN IP4 198.51.100.20\r\ns=-\r\nc=IN IP4 198.51.100.20\r\nt=0 0\r\nm=audio 12000 RTP/AVP 0\r\n"
        return message(
            [
                "SIP/2.0 200 OK", "Via: SIP/2.0/UDP \(host);rport=41000;branch=z9hG4bK-inv", "From: <sip:100@lab.test>;tag=f9",
                "To: <sip:200@lab.test>;tag=t9", "Call-ID: call-1@192.168.1.100", "CSeq: 7 INVITE",
                "Contact: <sip:200@198.51.100.20>", "Content-Type: application/sdp", "Content-Length: \(body.utf8.count)",
            ], body)
    }

    static func ack(host: String) -> String { within("ACK", 7, host) }
    static func bye(host: String) -> String { within("BYE", 8, host) }

    private static func within(_ method: String, _ number: Int, _ host: String) -> String {
        message([
            "\(method) sip:200@198.51.100.20 SIP/2.0", "Via: SIP/2.0/UDP \(host);rport;branch=z9hG4bK-\(method)",
            "Max-Forwards: 70",
            "From: <sip:100@lab.test>;tag=f9", "To: <sip:200@lab.test>;tag=t9", "Call-ID: call-1@192.168.1.100",
            "CSeq: \(number) \(method)", "Content-Length: 0",
        ])
    }

    static func message(_ lines: [String], _ body: String = "") -> String { lines.joined(separator: "\r\n") + "\r\n\r\n" + body }
}

extension String {
    /// With a part replaced everywhere.
    func with(_ old: String, _ new: String) -> String {
        var rest = self[...]
        var result = ""
        while let range = rest.firstRange(of: old) {
            result += rest[..<range.lowerBound] + new
            rest = rest[range.upperBound...]
        }
        return result + rest
    }
}
