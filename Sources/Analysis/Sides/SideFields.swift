import Base
import Capture

/// One value of a message as it is compared.
struct SideItem: Hashable {
    var field: SideField
    /// Which one of several with the same field.
    var occurrence: Int
    var value: String
    /// Host and port, where the value names some.
    var host: HostPort
    /// Position of its line.
    var line: Int
}

/// A message taken apart for comparing: every header, the parts of the topmost Via, every line of SDP.
struct SideFields {
    private(set) var items: [SideItem] = []
    private(set) var viaCount = 0
    private(set) var isRequest = false
    private(set) var isRegister = false
    /// Octets behind the empty line.
    private(set) var bodyCount = 0
    private(set) var announcedLength: Int?
    private var seen: [SideField: Int] = [:]
    private var lineNumber = 0

    static let mostItems = 400

    init(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { read($0) }
    }

    private mutating func read(_ p: Bytes) {
        var at = 0
        while at < p.count, p[at] == 0x0d || p[at] == 0x0a { at += 1 }
        var inBody = false
        var vias: [(Int, Int)] = []
        while at < p.count, items.count < Self.mostItems {
            let feed = p.place(of: 0x0a, at, p.count) ?? p.count
            var stop = feed
            if stop > at, p[stop - 1] == 0x0d { stop -= 1 }
            defer { at = feed + 1 }
            lineNumber += 1
            if lineNumber == 1 {
                start(p, at, stop)
            } else if inBody {
                body(p, at, stop)
            } else if stop == at {
                inBody = true
                bodyCount = max(0, p.count - feed - 1)
            } else if let colon = p.place(of: 0x3a, at, stop) {
                var end = colon
                while end > at, p[end - 1] == 0x20 || p[end - 1] == 0x09 { end -= 1 }
                var from = colon + 1
                while from < stop, p[from] == 0x20 || p[from] == 0x09 { from += 1 }
                var to = stop
                while to > from, p[to - 1] == 0x20 || p[to - 1] == 0x09 { to -= 1 }
                header(p, at, end, from, to, &vias)
            }
        }
        viaCount = vias.count
    }

    private mutating func add(_ field: SideField, _ value: String, _ host: HostPort = HostPort()) {
        let number = seen[field, default: 0]
        seen[field] = number + 1
        items.append(SideItem(field: field, occurrence: number, value: value, host: host, line: lineNumber))
    }

    private mutating func start(_ p: Bytes, _ from: Int, _ to: Int) {
        isRequest = !p.starts(from, to, with: "sip/")
        guard isRequest, let space = p.place(of: 0x20, from, to) else {
            add(.other("status line"), p.string(Span(from, to)))
            return
        }
        isRegister = p.matches(from, space, "register")
        let end = p.place(of: 0x20, space + 1, to) ?? to
        add(.requestURI, p.string(Span(space + 1, end)), MessageFacts.uri(p, space + 1, end).host)
    }

    private mutating func header(_ p: Bytes, _ start: Int, _ end: Int, _ from: Int, _ to: Int, _ vias: inout [(Int, Int)]) {
        let name = Self.canonical(p, start, end)
        let value = p.string(Span(from, to))
        switch name {
        case "via":
            vias.append((from, to))
            if vias.count == 1 { topVia(p, from, to) } else { add(.via, value, Self.viaHost(p, from, to)) }
        case "contact": add(.contact, value, address(p, from, to))
        case "from": add(.from, value, address(p, from, to))
        case "to": add(.to, value, address(p, from, to))
        case "call-id":
            let sign = p.place(of: 0x40, from, to)
            add(.callID, value, sign.map { MessageFacts.host(p, $0 + 1, to) } ?? HostPort())
        case "cseq": add(.cseq, value)
        case "authorization", "proxy-authorization": add(.authorization, value)
        case "content-length":
            announcedLength = p.number(from, to).map(Int.init)
            add(.contentLength, value)
        case "max-forwards": add(.maxForwards, value)
        case "user-agent", "server": add(.userAgent, value)
        case "route": add(.route, value, address(p, from, to))
        case "record-route": add(.recordRoute, value, address(p, from, to))
        default: add(.other(name), value)
        }
    }

    private func address(_ p: Bytes, _ from: Int, _ to: Int) -> HostPort {
        let open = p.place(of: 0x3c, from, to)
        let close = open.flatMap { p.place(of: 0x3e, $0, to) } ?? to
        return MessageFacts.uri(p, open.map { $0 + 1 } ?? from, close).host
    }

    private static func viaHost(_ p: Bytes, _ from: Int, _ to: Int) -> HostPort {
        guard let space = p.place(of: 0x20, from, to) else { return HostPort() }
        return MessageFacts.host(p, space + 1, p.place(of: 0x3b, space, to) ?? to)
    }

    /// Sent-by, and each parameter that helpers touch, apart.
    private mutating func topVia(_ p: Bytes, _ from: Int, _ to: Int) {
        let semicolon = p.place(of: 0x3b, from, to) ?? to
        add(.via, p.string(Span(from, semicolon)), Self.viaHost(p, from, to))
        var at = semicolon
        while at < to {
            at += 1
            let stop = p.place(of: 0x3b, at, to) ?? to
            if p.starts(at, stop, with: "branch=") {
                add(.viaBranch, p.string(Span(at + 7, stop)))
            } else if p.starts(at, stop, with: "received=") {
                add(.viaReceived, p.string(Span(at + 9, stop)), MessageFacts.host(p, at + 9, stop))
            } else if p.starts(at, stop, with: "maddr=") {
                add(.viaMaddr, p.string(Span(at + 6, stop)), MessageFacts.host(p, at + 6, stop))
            } else if p.starts(at, stop, with: "rport") {
                var host = HostPort()
                if at + 5 < stop { host.port = UInt16(clamping: p.number(at + 6, stop) ?? 0) }
                add(.viaRport, at + 5 < stop ? p.string(Span(at + 6, stop)) : "", host)
            } else if stop > at {
                add(.other("Via parameter"), p.string(Span(at, stop)))
            }
            at = stop
        }
    }

    private mutating func body(_ p: Bytes, _ from: Int, _ to: Int) {
        guard to - from >= 2, p[from + 1] == 0x3d else {
            if to > from { add(.body, p.string(Span(from, to))) }
            return
        }
        let value = p.string(Span(from + 2, to))
        switch p[from] {
        case UInt8(ascii: "c"): add(.sdpConnection, value, lastHost(p, from + 2, to))
        case UInt8(ascii: "o"): add(.sdpOrigin, value, lastHost(p, from + 2, to))
        case UInt8(ascii: "m"):
            var host = HostPort()
            if let space = p.place(of: 0x20, from, to) { host.port = UInt16(clamping: p.number(space + 1, to) ?? 0) }
            add(.sdpMediaPort, value, host)
        default:
            if p.starts(from + 2, to, with: "rtcp:") {
                add(.sdpRTCP, value, lastHost(p, from + 2, to))
            } else if p.starts(from + 2, to, with: "candidate:") {
                add(.sdpCandidate, value)
            } else {
                add(.other("SDP \(String(decoding: [p[from]], as: UTF8.self))="), value)
            }
        }
    }

    private func lastHost(_ p: Bytes, _ from: Int, _ to: Int) -> HostPort {
        var start = to
        while start > from, p[start - 1] != 0x20 { start -= 1 }
        if p.place(of: 0x3a, start, to) != nil, to - start <= 45, let v6 = IPv6Address(utf8: Array(p[start..<to])) {
            var host = HostPort()
            host.kind = .address
            host.address = PackedAddress(high: v6.high, low: v6.low)
            return host
        }
        return MessageFacts.host(p, start, to)
    }

    /// Lower case, compact forms spelled out (RFC 3261 7.3.3).
    private static func canonical(_ p: Bytes, _ from: Int, _ to: Int) -> String {
        if to - from == 1 {
            switch lowered(p[from]) {
            case UInt8(ascii: "v"): return "via"
            case UInt8(ascii: "i"): return "call-id"
            case UInt8(ascii: "m"): return "contact"
            case UInt8(ascii: "f"): return "from"
            case UInt8(ascii: "t"): return "to"
            case UInt8(ascii: "l"): return "content-length"
            case UInt8(ascii: "c"): return "content-type"
            case UInt8(ascii: "k"): return "supported"
            case UInt8(ascii: "s"): return "subject"
            case UInt8(ascii: "e"): return "content-encoding"
            default: break
            }
        }
        return p.string(Span(from, to)).lowercased()
    }
}
