import Base
import SIP

/// A user agent that says exactly what a test wants, at 192.0.2.250:5060, with audio at 192.0.2.250:4000.
final class Peer {
    static let endpoint = Endpoint("192.0.2.250:5060")!
    static let sdp =
        "v=0\r\no=- 1 1 IN IP4 192.0.2.250\r\ns=-\r\nc=IN IP4 192.0.2.250\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"

    /// What is answered to a request: any number of responses.
    var answers: (Peer, SIPMessage) -> [[UInt8]] = { _, _ in [] }
    private(set) var requests: [SIPMessage] = []
    private(set) var responses: [SIPMessage] = []

    func receive(_ datagram: Datagram) -> [Datagram] {
        guard let message = try? SIPMessage(parsing: datagram.payload) else { return [] }
        guard message.isRequest else {
            responses.append(message)
            return []
        }
        requests.append(message)
        return answers(self, message).map { Datagram(from: datagram.destination, to: datagram.source, $0) }
    }

    func response(
        _ request: SIPMessage, _ status: Int, _ reason: String = "Reason", tag: String = "peer", lines: String = "",
        sdp: String = ""
    ) -> [UInt8] {
        var text = "SIP/2.0 \(status) \(reason)\r\n"
        for name in [HeaderName.via, .from, .callID, .cseq] {
            for header in request.all(name) { text += "\(name.canonical): \(header.value)\r\n" }
        }
        let to = request.first(.to)!.value.string
        text += "To: \(to)\(to.contains(";tag=") || status == 100 ? "" : ";tag=\(tag)")\r\n"
        text += "Contact: <sip:peer@192.0.2.250>\r\n\(lines)"
        if !sdp.isEmpty { text += "Content-Type: application/sdp\r\n" }
        return Array((text + "Content-Length: \(sdp.utf8.count)\r\n\r\n\(sdp)").utf8)
    }

    func count(_ method: SIPMethod) -> Int { requests.filter { $0.method == method }.count }
    func last(_ method: SIPMethod) -> SIPMessage? { requests.last { $0.method == method } }
}
