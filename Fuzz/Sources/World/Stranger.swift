import Base
import SIP

/// Somebody without an account, who has seen the last messages between the others and the server.
struct Stranger: Sendable {
    static let mostSeen = 32

    /// Datagrams to and from the server, oldest first.
    private(set) var seen: [Datagram] = []
    let local: Endpoint
    let server: Endpoint
    var outbox = Outbox<Datagram>()
    private var number = 0

    init(local: Endpoint, server: Endpoint) {
        self.local = local
        self.server = server
    }

    mutating func see(_ datagram: Datagram) {
        guard datagram.destination == server || datagram.source == server else { return }
        if seen.count >= Self.mostSeen { seen.removeFirst() }
        seen.append(datagram)
    }

    /// Those the server sent, or those it was sent; nil where there are none. Counted from the newest.
    private func seen(_ place: Int, fromServer: Bool) -> Datagram? {
        let some = seen.filter { ($0.source == server) == fromServer && $0.payload.count > 100 }
        return some.isEmpty ? nil : some[some.count - 1 - place % some.count]
    }

    /// What a deed would send again in somebody else's name; whose registration may change by it.
    func replayed(_ deed: StrangerDeed) -> [UInt8]? {
        if case .replay(let place, _, _) = deed { seen(place, fromServer: false)?.payload } else { nil }
    }

    mutating func perform(_ deed: StrangerDeed) {
        switch deed {
        case .junk(let kind): send(Self.junk[kind])
        case .replay(let place, let forged, let mutation):
            guard let datagram = seen(place, fromServer: false) else { return }
            let bytes = mutation?.apply(datagram.payload) ?? datagram.payload
            outbox.append(Datagram(from: forged ? datagram.source : local, to: server, bytes))
        case .request(let method, let target): send(request(Cast.methods[method], Cast.uri(target)))
        case .guess(let method, let target):
            let line =
                "Authorization: Digest username=\"\(Cast.users[target % Cast.users.count])\", realm=\"\(Cast.realm)\", "
                + "nonce=\"\(nonce ?? "n")\", uri=\"\(Cast.uri(target))\", response=\"00000000000000000000000000000000\", "
                + "algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\"\r\n"
            send(request(Cast.methods[method], Cast.uri(target), line))
        case .response(let place, let status):
            guard let datagram = seen(place, fromServer: true), let asked = try? SIPMessage(parsing: datagram.payload),
                asked.isRequest
            else { return }
            var text = "SIP/2.0 \(status) So\r\n"
            for name: HeaderName in [.via, .from, .to, .callID, .cseq] {
                if let header = asked.first(name) { text += "\(name): \(header.value)\r\n" }
            }
            send(Array((text + "Content-Length: 0\r\n\r\n").utf8))
        case .intrude(let place, let method):
            guard let message = seen(place, fromServer: false).flatMap({ try? SIPMessage(parsing: $0.payload) }) else { return }
            number += 1
            var text = "\(Cast.methods[method]) \(message.requestURIText?.string ?? Cast.uri(0)) SIP/2.0\r\n"
            text += "Via: SIP/2.0/UDP \(local);branch=z9hG4bKin\(number)\r\nMax-Forwards: 70\r\n"
            for name: HeaderName in [.from, .to, .callID] {
                if let header = message.first(name) { text += "\(name): \(header.value)\r\n" }
            }
            send(Array((text + "CSeq: \(900 + number) \(Cast.methods[method])\r\nContent-Length: 0\r\n\r\n").utf8))
        case .flood(let count):
            for port in 0..<count {
                let source = Endpoint(local.address, 20_000 + UInt16(port))
                outbox.append(Datagram(from: source, to: server, request("REGISTER", Cast.uri(port % Cast.users.count))))
            }
        }
    }

    private mutating func send(_ bytes: [UInt8]) { outbox.append(Datagram(from: local, to: server, bytes)) }

    private static let junk: [[UInt8]] = [
        [], [0x0d, 0x0a], Array("hello".utf8), Array("INVITE sip:x SIP/2.0\r\n\r\n".utf8),
        // A STUN Binding request (RFC 8489 5), and one that lies about its length.
        [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        [0, 1, 0, 64, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    ]

    private var nonce: String? {
        let challenge = seen.last { $0.source == server && $0.payload.starts(with: "SIP/2.0 401".utf8) }
        let value = challenge.flatMap { try? SIPMessage(parsing: $0.payload) }?.first(.wwwAuthenticate)?.value.string
        return value?.split(separator: "nonce=\"").dropFirst().first?.split(separator: "\"").first.map(String.init)
    }

    private mutating func request(_ method: String, _ uri: String, _ line: String = "") -> [UInt8] {
        number += 1
        let text =
            "\(method) \(uri) SIP/2.0\r\nVia: SIP/2.0/UDP \(local);rport;branch=z9hG4bKstranger\(number)\r\nMax-Forwards: 70\r\n"
            + "From: <sip:mallory@\(local.address)>;tag=m\(number)\r\nTo: <\(uri)>\r\nCall-ID: stranger\(number)\r\n"
            + "CSeq: 1 \(method)\r\nContact: <sip:mallory@\(local)>\r\n\(line)Content-Length: 0\r\n\r\n"
        return Array(text.utf8)
    }
}
