import Base
import Capture

/// What the analysis needs of one SIP message, as places in its bytes: read in one pass, lenient, without an allocation.
///
/// A forensic reader: it takes what a parser would refuse (cut messages, `CSeq` in the middle of a line, typographic quotes),
/// because the faulty messages are the ones that matter.
struct MessageFacts: Sendable {
    enum Rport: Sendable { case absent, requested, value(UInt16) }

    /// One Authorization or Proxy-Authorization.
    struct Credentials: Sendable {
        var whole = Span()
        var nonce = Span()
        var response = Span()
        var realm = Span()
        var user = Span()
        var count = Span()
        var isPresent: Bool { !nonce.isEmpty }
    }

    /// One WWW-Authenticate or Proxy-Authenticate.
    struct Challenge: Sendable {
        var nonce = Span()
        var realm = Span()
        var isStale = false
        var hasQOP = false
        var isPresent: Bool { !nonce.isEmpty }
    }

    /// 0 for a request.
    var status: UInt16 = 0
    var method = MessageMethod.other
    var sequence: UInt32 = 0
    var hasSequence = false
    var firstLine = Span()
    var requestHost = HostPort()
    var callID = Span()
    /// user@host.
    var from = Span()
    var fromTag = Span()
    var to = Span()
    var toTag = Span()
    var viaCount = 0
    var via = HostPort()
    var branch = Span()
    var rport = Rport.absent
    var hasReceived = false
    var received = HostPort()
    var contact = HostPort()
    var contactIsAll = false
    /// A registrar's note of where the request really came from.
    var contactHasReceived = false
    var contactExpires: UInt32?
    var contactUser = Span()
    var expires: UInt32?
    var contentLength: UInt32?
    var credentials = Credentials()
    var secondCredentials = Credentials()
    /// Credentials without a nonce: hidden by whoever gave the text away.
    var hidesCredentials = false
    var challenge = Challenge()
    var secondChallenge = Challenge()
    var userAgent = Span()
    var server = Span()
    var sessionExpires: UInt32?
    var hasRecordRoute = false
    var reason = Span()
    var retryAfter: UInt32?
    /// Where the body begins, and where the bytes end.
    var body = Span()
    var isSDP = false
    /// The empty line was seen.
    var isHeaderWhole = false

    var isRequest: Bool { status == 0 }
}

extension MessageFacts {
    /// Nil for bytes that do not begin with a request or status line. `isCut`: the message goes on behind the bytes; what the end parts is
    /// not taken for whole.
    init?(_ p: Bytes, isCut: Bool = false) {
        let end = p.count
        var at = 0
        while at < end, p[at] == 0x0d || p[at] == 0x0a || p[at] == 0x20 { at += 1 }
        guard let (line, next) = Self.line(p, at, end) else { return nil }
        firstLine = line
        guard startLine(p, line) else { return nil }
        if isCut, next == end, p[end - 1] != 0x0a { requestHost = HostPort() }
        at = next
        while at < end {
            guard let (line, next) = Self.line(p, at, end) else { break }
            at = next
            if line.isEmpty {
                isHeaderWhole = true
                break
            }
            header(p, isCut && at == end && p[end - 1] != 0x0a ? Self.whole(p, line) : line)
        }
        body = Span(min(at, end), end)
        if !hasSequence, !isCut { findSequence(p) }
    }

    /// Without its line end; the second is where the next begins.
    @inline(__always)
    private static func line(_ p: Bytes, _ from: Int, _ end: Int) -> (Span, Int)? {
        guard from < end else { return nil }
        let feed = p.place(of: 0x0a, from, end) ?? end
        var stop = feed
        if stop > from, p[stop - 1] == 0x0d { stop -= 1 }
        return (Span(from, stop), min(feed + 1, end))
    }

    /// What of a header that is not there to its end is: up to the last delimiter outside quotes. Nothing of a CSeq: a number without
    /// its method tells a response to INVITE from none, and the answers to a request that is cut there, which are longer, lack theirs.
    private static func whole(_ p: Bytes, _ line: Span) -> Span {
        if p.starts(line.start, line.end, with: "cseq") { return Span(line.start, line.start) }
        var end = line.start
        var isQuoted = false
        for at in line.start..<line.end {
            switch p[at] {
            case 0x22: isQuoted.toggle()
            case 0x20, 0x09, 0x2c, 0x3b: if !isQuoted { end = at }
            case 0x3a: if end == line.start { end = at + 1 }
            case 0x3e: if !isQuoted { end = at + 1 }
            default: break
            }
        }
        return Span(line.start, end)
    }

    private mutating func startLine(_ p: Bytes, _ line: Span) -> Bool {
        if p.starts(line.start, line.end, with: "sip/") {
            guard let space = p.place(of: 0x20, line.start, line.end), let code = p.number(space + 1, line.end),
                code >= 100, code <= 699
            else { return false }
            status = UInt16(code)
            return true
        }
        guard let space = p.place(of: 0x20, line.start, line.end) else { return false }
        method = Self.method(p, line.start, space)
        let uriEnd = p.place(of: 0x20, space + 1, line.end) ?? line.end
        guard uriEnd > space + 1 else { return false }
        requestHost = Self.uri(p, space + 1, uriEnd).host
        return true
    }

    @inline(__always)
    static func method(_ p: Bytes, _ from: Int, _ to: Int) -> MessageMethod {
        switch to - from {
        case 3: if p.matches(from, to, "ack") { return .ack } else if p.matches(from, to, "bye") { return .bye }
        case 4: if p.matches(from, to, "info") { return .info }
        case 5:
            if p.matches(from, to, "prack") { return .prack }
            if p.matches(from, to, "refer") { return .refer }
        case 6:
            if p.matches(from, to, "invite") { return .invite }
            if p.matches(from, to, "cancel") { return .cancel }
            if p.matches(from, to, "notify") { return .notify }
            if p.matches(from, to, "update") { return .update }
        case 7:
            if p.matches(from, to, "options") { return .options }
            if p.matches(from, to, "message") { return .message }
            if p.matches(from, to, "publish") { return .publish }
        case 8: if p.matches(from, to, "register") { return .register }
        case 9: if p.matches(from, to, "subscribe") { return .subscribe }
        default: break
        }
        return .other
    }

    @inline(__always)
    private mutating func header(_ p: Bytes, _ line: Span) {
        guard let colon = p.place(of: 0x3a, line.start, line.end) else { return }
        var nameEnd = colon
        while nameEnd > line.start, p[nameEnd - 1] == 0x20 || p[nameEnd - 1] == 0x09 { nameEnd -= 1 }
        var from = colon + 1
        while from < line.end, p[from] == 0x20 || p[from] == 0x09 { from += 1 }
        var to = line.end
        while to > from, p[to - 1] == 0x20 || p[to - 1] == 0x09 { to -= 1 }
        let start = line.start
        switch nameEnd - start {
        case 1: compact(p, lowered(p[start]), from, to)
        case 2: if p.matches(start, nameEnd, "to") { address(p, from, to, isFrom: false) }
        case 3: if p.matches(start, nameEnd, "via") { via(p, from, to) }
        case 4:
            if p.matches(start, nameEnd, "from") { address(p, from, to, isFrom: true) }
            if p.matches(start, nameEnd, "cseq") { cseq(p, from, to) }
        case 6:
            if p.matches(start, nameEnd, "server") {
                server = Span(from, to)
            } else if p.matches(start, nameEnd, "reason") {
                reason = Span(from, to)
            }
        case 7:
            if p.matches(start, nameEnd, "call-id") {
                callID = Span(from, to)
            } else if p.matches(start, nameEnd, "contact") {
                contact(p, from, to)
            } else if p.matches(start, nameEnd, "expires") {
                expires = p.number(from, to)
            }
        case 10: if p.matches(start, nameEnd, "user-agent") { userAgent = Span(from, to) }
        case 11: if p.matches(start, nameEnd, "retry-after") { retryAfter = p.number(from, to) }
        case 12:
            if p.matches(start, nameEnd, "record-route") {
                hasRecordRoute = true
            } else if p.matches(start, nameEnd, "content-type") {
                isSDP = p.starts(from, to, with: "application/sdp") || p.starts(from, to, with: "multipart/")
            }
        case 13: if p.matches(start, nameEnd, "authorization") { credentials(p, from, to) }
        case 14: if p.matches(start, nameEnd, "content-length") { contentLength = p.number(from, to) }
        case 15: if p.matches(start, nameEnd, "session-expires") { sessionExpires = p.number(from, to) }
        case 16: if p.matches(start, nameEnd, "www-authenticate") { challenge(p, from, to) }
        case 18: if p.matches(start, nameEnd, "proxy-authenticate") { challenge(p, from, to) }
        case 19: if p.matches(start, nameEnd, "proxy-authorization") { credentials(p, from, to) }
        default: break
        }
    }

    /// RFC 3261 7.3.3.
    @inline(__always)
    private mutating func compact(_ p: Bytes, _ letter: UInt8, _ from: Int, _ to: Int) {
        switch letter {
        case UInt8(ascii: "v"): via(p, from, to)
        case UInt8(ascii: "i"): callID = Span(from, to)
        case UInt8(ascii: "m"): contact(p, from, to)
        case UInt8(ascii: "f"): address(p, from, to, isFrom: true)
        case UInt8(ascii: "t"): address(p, from, to, isFrom: false)
        case UInt8(ascii: "l"): contentLength = p.number(from, to)
        case UInt8(ascii: "c"): isSDP = p.starts(from, to, with: "application/sdp")
        case UInt8(ascii: "x"): sessionExpires = p.number(from, to)
        default: break
        }
    }

    @inline(__always)
    mutating func cseq(_ p: Bytes, _ from: Int, _ to: Int) {
        guard let number = p.number(from, to) else { return }
        sequence = number
        hasSequence = true
        guard status != 0 else { return }
        var at = from
        while at < to, p[at] &- 0x30 <= 9 { at += 1 }
        while at < to, p[at] == 0x20 || p[at] == 0x09 { at += 1 }
        var end = at
        while end < to, p[end] > 0x20 { end += 1 }
        method = Self.method(p, at, end)
    }

    /// A pasted log may have lost line ends: `(... skip ...) CSeq: 2 REGISTER`.
    private mutating func findSequence(_ p: Bytes) {
        var at = firstLine.end
        while let colon = p.place(of: 0x3a, at, p.count) {
            if colon >= 4, p.matches(colon - 4, colon, "cseq") {
                var from = colon + 1
                while from < p.count, p[from] == 0x20 { from += 1 }
                cseq(p, from, p.place(of: 0x0a, from, p.count) ?? p.count)
                return
            }
            at = colon + 1
        }
    }

    @inline(__always)
    private mutating func via(_ p: Bytes, _ from: Int, _ to: Int) {
        let isFirst = viaCount == 0
        // One field may hold several values (RFC 3261 7.3.1).
        var comma = from
        repeat {
            viaCount += 1
            comma = p.place(of: 0x2c, comma, to).map { $0 + 1 } ?? to
        } while comma < to
        guard isFirst else { return }
        // SIP/2.0/UDP host:port;parameters, and perhaps further values behind a comma.
        let end = p.place(of: 0x2c, from, to) ?? to
        guard let space = p.place(of: 0x20, from, end) else { return }
        var at = space + 1
        while at < end, p[at] == 0x20 { at += 1 }
        let semicolon = p.place(of: 0x3b, at, end) ?? end
        via = Self.host(p, at, semicolon)
        at = semicolon
        while at < end {
            at += 1
            while at < end, p[at] == 0x20 { at += 1 }
            let stop = p.place(of: 0x3b, at, end) ?? end
            if p.starts(at, stop, with: "branch=") {
                branch = Span(at + 7, trimmed(p, at + 7, stop))
            } else if p.starts(at, stop, with: "rport") {
                if at + 5 < stop, p[at + 5] == 0x3d {
                    rport = .value(UInt16(clamping: p.number(at + 6, stop) ?? 0))
                } else {
                    rport = .requested
                }
            } else if p.starts(at, stop, with: "received=") {
                hasReceived = true
                received = Self.host(p, at + 9, stop)
            }
            at = stop
        }
    }

    @inline(__always)
    private func trimmed(_ p: Bytes, _ from: Int, _ to: Int) -> Int {
        var end = to
        while end > from, p[end - 1] == 0x20 || p[end - 1] == 0x09 { end -= 1 }
        return end
    }
}
