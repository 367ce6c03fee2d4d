import Base

/// A line that opens a message, by the programs that write it.
struct LogFraming {
    /// What ends the message.
    enum End: Equatable {
        /// `<------------->`.
        case bracketedDashes
        /// `---`.
        case dashes
        /// So many octets.
        case octets(Int)
        /// 20 times `|`.
        case pipes
        /// Nothing of its own: the message's own grammar.
        case grammar
    }

    var format: LogFormat?
    var direction: LoggedMessage.Direction
    var remote: LoggedPeer?
    var local: LoggedPeer?
    var transport: PayloadTransport?
    var natConfigured: Bool?
    var end: End
    var time: LoggedTime?
    /// A rule of dashes comes before the message.
    var hasRule = false
    /// ngrep ends each line with a dot, its stand for CR.
    var isDotted = false
    /// Blanks before the line.
    var indent = 0
    /// tcpdump -A: the packet's headers stand before the message as what they look like in ASCII.
    var isDump = false

    /// `line`: in ASCII; `start`: behind its time and level.
    init?(_ line: [UInt8], from start: Int, _ clock: inout LogClock) {
        let text = line[min(start, line.count)...]
        if let open = text.firstIndex(of: "<---") {
            guard let close = text.firstIndex(of: "--->", from: open + 4) else { return nil }
            let inner = Array(text[(open + 4)..<close].trimmed)
            if inner.starts(with: "SIP read from ") {
                self.init(.chanSIP, .received, peer: inner[14...], end: .bracketedDashes)
            } else if let (rest, nat) = Self.transmitting(inner[...]) {
                self.init(.chanSIP, .sent, peer: rest, end: .bracketedDashes)
                natConfigured = nat
            } else if let parsed = Self.pjsip(inner) ?? Self.history(inner, &clock) {
                self = parsed
            } else {
                return nil
            }
            return
        }
        let body = Array(text.trimmed)
        if let (rest, nat) = Self.transmitting(body[...]), rest.last == 0x3a {
            self.init(.chanSIP, .sent, peer: rest.dropLast(), end: .dashes)
            natConfigured = nat
        } else if body.starts(with: "Retransmitting ") {
            // Our own view does not count.
            var at = body.count > 15 && body[15] == 0x23 ? 16 : 14
            let count = body.number(&at) ?? 0
            guard let (rest, nat) = Self.configured(body[at...]) else { return nil }
            let isRequest = rest.last == 0x3a
            self.init(
                .chanSIP, .retransmitted(count), peer: isRequest ? rest.dropLast() : rest, end: .dashes)
            natConfigured = nat
        } else if body.starts(with: "recv ") || body.starts(with: "send ") {
            guard let parsed = Self.sofia(body, &clock) else { return nil }
            self = parsed
        } else if let parsed = Self.arrow(body, hasTime: start > 0, &clock) {
            self = parsed
        } else if let parsed = Self.dump(body) ?? Self.sessionBorder(body) ?? Self.yealink(body) {
            self = parsed
        } else {
            return nil
        }
    }

    private init(_ format: LogFormat, _ direction: LoggedMessage.Direction, peer: ArraySlice<UInt8>, end: End) {
        self.format = format
        self.direction = direction
        self.end = end
        (transport, remote) = Self.peer(peer)
    }

    /// A SIP message that nothing introduces.
    init(bare: Void) {
        direction = .passing
        end = .grammar
    }

    /// A SIP message that the lines before introduce.
    init(_ hint: LogHint) {
        direction = hint.direction ?? .passing
        end = .grammar
        (remote, local) = hint.ends
        transport = hint.transport
    }

    /// No other line looks like it: what follows is a message, whatever it looks like.
    var isSure: Bool {
        switch format {
        case .chanSIP, .pjsip, .sofia, .kamailio, .openSIPS: true
        case .sngrep, nil: false
        }
    }

    /// Kamailio's: endpoints come from the lines of its head.
    init(kamailio direction: LoggedMessage.Direction) {
        format = .kamailio
        self.direction = direction
        end = .pipes
    }

    // MARK: Asterisk

    /// `[Reliably ]Transmitting (NAT|no NAT) to A:P`: what follows "to ".
    private static func transmitting(_ text: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, Bool?)? {
        var at = text.startIndex
        if text.starts(with: "Reliably ", at: at) { at += 9 }
        guard text.starts(with: "Transmitting", at: at) else { return nil }
        return configured(text[(at + 12)...])
    }

    /// ` (NAT) to A:P`.
    private static func configured(_ text: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, Bool?)? {
        let isNAT: Bool?
        var at = text.startIndex
        if text.starts(with: " (NAT) to ") {
            isNAT = true
            at += 10
        } else if text.starts(with: " (no NAT) to ") {
            isNAT = false
            at += 13
        } else if text.starts(with: " to ") {
            isNAT = nil
            at += 4
        } else {
            return nil
        }
        guard at < text.endIndex else { return nil }
        return (text[at...], isNAT)
    }

    /// `Transmitting SIP request (430 bytes) to UDP:192.0.2.1:5060`.
    private static func pjsip(_ inner: [UInt8]) -> LogFraming? {
        let isSent = inner.starts(with: "Transmitting SIP re")
        guard isSent || inner.starts(with: "Received SIP re"), let open = inner.firstIndex(of: 0x28) else { return nil }
        var at = open + 1
        guard let count = inner.number(&at), let close = inner.firstIndex(of: ") ", from: at) else { return nil }
        let from = close + 2 + (isSent ? 3 : 5)
        guard from < inner.count else { return nil }
        return LogFraming(.pjsip, isSent ? .sent : .received, peer: inner[from...], end: .octets(count))
    }

    /// `History Entry 3 Sent to 192.0.2.1:5060 at 1714731072`.
    private static func history(_ inner: [UInt8], _ clock: inout LogClock) -> LogFraming? {
        guard inner.starts(with: "History Entry "), let at = inner.firstIndex(of: " at ") else { return nil }
        let isSent = inner.contains(text: " Sent to ")
        guard let verb = inner.firstIndex(of: " Sent to ") ?? inner.firstIndex(of: " Received from "), verb < at else {
            return nil
        }
        var framing = LogFraming(.pjsip, isSent ? .sent : .received, peer: inner[(verb + (isSent ? 9 : 15))..<at], end: .grammar)
        var place = at + 4
        framing.time = clock.time(inner, &place)
        return framing
    }

    // MARK: Others

    /// `recv 732 bytes from udp/[192.0.2.1]:5060 at 13:57:37.123456:`.
    private static func sofia(_ body: [UInt8], _ clock: inout LogClock) -> LogFraming? {
        let isSent = body.starts(with: "send ")
        var at = 5
        guard let count = body.number(&at), body.starts(with: isSent ? " bytes to " : " bytes from ", at: at) else { return nil }
        at += isSent ? 10 : 12
        guard let end = body.firstIndex(of: " at ", from: at), let slash = body[at..<end].firstIndex(of: 0x2f) else { return nil }
        var framing = LogFraming(.sofia, isSent ? .sent : .received, peer: body[(slash + 1)..<end], end: .octets(count))
        framing.transport = transport(body[at..<slash])
        var place = end + 4
        framing.time = clock.time(body, &place)
        framing.hasRule = true
        return framing
    }

    /// `in udp 2026-08-20 16:15:26 A:P -> B:P` (OpenSIPS), `2026/08/20 16:15:26.123456 A:P -> B:P` (sngrep), `U A:P -> B:P` (ngrep).
    private static func arrow(_ body: [UInt8], hasTime: Bool, _ clock: inout LogClock) -> LogFraming? {
        guard let arrow = body.firstIndex(of: " -> ") else { return nil }
        var from = arrow
        while from > 0, body[from - 1] != 0x20 { from -= 1 }
        var to = arrow + 4
        while to < body.count, body[to] != 0x20 { to += 1 }
        let source = peer(body[from..<arrow]).peer
        let destination = peer(body[(arrow + 4)..<to]).peer
        guard let source, let destination else { return nil }
        // Who posts ngrep's output puts names in place of addresses.
        let isNgrep = (body[0] == 0x55 || body[0] == 0x54) && body.count > 1 && body[1] == 0x20
        guard
            source.endpoint != nil && destination.endpoint != nil
                || isNgrep && source.port != nil && destination.port != nil
        else { return nil }
        var framing = LogFraming(bare: ())
        framing.local = source
        framing.remote = destination
        var at = 0
        if body.starts(with: "in ") || body.starts(with: "out ") {
            framing.format = .openSIPS
            let isIn = body[0] == 0x69
            framing.direction = isIn ? .received : .sent
            (framing.remote, framing.local) = isIn ? (source, destination) : (destination, source)
            at = isIn ? 3 : 4
            var end = at
            while end < from, body[end] != 0x20 { end += 1 }
            framing.transport = transport(body[at..<end])
            at = min(end + 1, from)
        } else if isNgrep {
            framing.transport = body[0] == 0x55 ? .udp : .tcp
            framing.isDotted = true
            at = 2
        } else if body.count > 3, body[3] == 0x20, let carrier = transport(body[..<3]) {
            // baresip's: `UDP A:P -> B:P`, without a time.
            framing.transport = carrier
        } else {
            framing.format = .sngrep
        }
        framing.time = clock.time(Array(body[..<from]), &at)
        if framing.format == .sngrep, framing.time == nil, !hasTime { return nil }
        return framing
    }

    /// tcpdump: `IP 192.0.2.1.5060 > 192.0.2.2.5060: SIP: ...`; the last dot parts the port.
    private static func dump(_ body: [UInt8]) -> LogFraming? {
        guard body.starts(with: "IP ") || body.starts(with: "IP6 "), let arrow = body.firstIndex(of: " > "),
            let first = body.firstIndex(of: 0x20), first < arrow
        else { return nil }
        let stop = body[(arrow + 3)...].firstIndex(of: 0x20) ?? body.count
        guard stop > arrow + 4, body[stop - 1] == 0x3a, let source = dotted(body[(first + 1)..<arrow]),
            let destination = dotted(body[(arrow + 3)..<(stop - 1)])
        else { return nil }
        var framing = LogFraming(bare: ())
        framing.local = source
        framing.remote = destination
        framing.isDump = true
        return framing
    }

    /// Without -n it writes names: of hosts, and of services.
    private static func dotted(_ text: ArraySlice<UInt8>) -> LoggedPeer? {
        guard let dot = text.lastIndex(of: 0x2e), dot > text.startIndex, text.count < 300, !text.contains(0x20) else {
            return nil
        }
        let host = String(decoding: text[..<dot], as: UTF8.self)
        var at = dot + 1
        if let number = text.number(&at) {
            guard at == text.endIndex, let port = UInt16(exactly: number) else { return nil }
            return LoggedPeer(host: host, port: port)
        }
        switch String(decoding: text[(dot + 1)...], as: UTF8.self) {
        case "sip": return LoggedPeer(host: host, port: 5060)
        case "sips", "sip-tls": return LoggedPeer(host: host, port: 5061)
        default: return nil
        }
    }

    /// Acme Packet's sipmsg.log: `On [0:0]192.0.2.1:5060 received from 192.0.2.2:5060`, or `sent to`.
    private static func sessionBorder(_ body: [UInt8]) -> LogFraming? {
        guard body.starts(with: "On ["), let close = body.firstIndex(of: 0x5d) else { return nil }
        let isReceived = body.contains(text: " received from ")
        guard let verb = body.firstIndex(of: " received from ") ?? body.firstIndex(of: " sent to "), verb > close else {
            return nil
        }
        var framing = LogFraming(bare: ())
        framing.direction = isReceived ? .received : .sent
        framing.local = peer(body[(close + 1)..<verb]).peer
        framing.remote = peer(body[(verb + (isReceived ? 15 : 9))...]).peer
        return framing
    }

    /// Yealink's: `Message recv: (from src=192.0.2.1:5060 len=340)`, `message sent: (to dest= 192.0.2.1:5060)`.
    private static func yealink(_ body: [UInt8]) -> LogFraming? {
        let isReceived = body.contains(text: "essage recv: (from src=")
        guard let at = isReceived ? body.firstIndex(of: "(from src=") : body.firstIndex(of: "essage sent: (to dest=") else {
            return nil
        }
        let text = Array(body[(at + (isReceived ? 10 : 22))...].drop { $0 == 0x20 }.prefix { $0 != 0x20 && $0 != 0x29 })
        guard let remote = peer(text[...]).peer, remote.port != nil else { return nil }
        var framing = LogFraming(bare: ())
        framing.direction = isReceived ? .received : .sent
        framing.remote = remote
        return framing
    }

    // MARK: Ends

    /// `UDP:192.0.2.1:5060`, `[2001:db8::1]:5060`, `<public-ip>:52899`.
    static func peer(_ text: ArraySlice<UInt8>) -> (transport: PayloadTransport?, peer: LoggedPeer?) {
        var rest = Array(text).trimmed
        var carrier: PayloadTransport?
        if let colon = rest.firstIndex(of: 0x3a), let known = transport(rest[rest.startIndex..<colon]) {
            carrier = known
            rest = rest[(colon + 1)...]
        }
        guard !rest.isEmpty, rest.count < 300 else { return (carrier, nil) }
        if rest.first == 0x5b, let close = rest.firstIndex(of: 0x5d) {
            let host = String(decoding: rest[(rest.startIndex + 1)..<close], as: UTF8.self)
            var at = close + 2
            let port =
                close + 1 < rest.endIndex && rest[close + 1] == 0x3a ? rest.number(&at).flatMap { UInt16(exactly: $0) } : nil
            return (carrier, LoggedPeer(host: host, port: port))
        }
        let colons = rest.count { $0 == 0x3a }
        if let last = rest.lastIndex(of: 0x3a), colons == 1 || IPAddress(utf8: rest) == nil {
            var at = last + 1
            if let port = rest.number(&at), at == rest.endIndex, let port = UInt16(exactly: port) {
                return (carrier, LoggedPeer(host: String(decoding: rest[..<last], as: UTF8.self), port: port))
            }
        }
        return (carrier, LoggedPeer(host: String(decoding: rest, as: UTF8.self), port: nil))
    }

    static func transport(_ name: ArraySlice<UInt8>) -> PayloadTransport? {
        switch String(decoding: name.prefix(4), as: UTF8.self).lowercased() {
        case "udp": .udp
        case "tcp": .tcp
        case "tls": .tls
        case "ws": .ws
        case "wss": .wss
        default: nil
        }
    }
}
