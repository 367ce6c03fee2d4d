import Base
import Capture

extension MessageFacts {
    /// From and To: the address without scheme and parameters, and the tag.
    @inline(__always)
    mutating func address(_ p: Bytes, _ from: Int, _ to: Int, isFrom: Bool) {
        let open = p.place(of: 0x3c, from, to)
        let close = open.flatMap { p.place(of: 0x3e, $0, to) }
        let uriStart = open.map { $0 + 1 } ?? from
        let uriEnd = close ?? p.place(of: 0x3b, uriStart, to) ?? to
        let aor = Self.uri(p, uriStart, uriEnd).aor
        var tag = Span()
        var at = close ?? uriEnd
        while let semicolon = p.place(of: 0x3b, at, to) {
            at = semicolon + 1
            while at < to, p[at] == 0x20 { at += 1 }
            if p.starts(at, to, with: "tag=") {
                tag = Span(at + 4, p.place(of: 0x3b, at, to) ?? to)
                break
            }
        }
        if isFrom {
            self.from = aor
            fromTag = tag
        } else {
            self.to = aor
            toTag = tag
        }
    }

    /// The host of a URI, and `user@host` without port and parameters.
    @inline(__always)
    static func uri(_ p: Bytes, _ from: Int, _ to: Int) -> (host: HostPort, aor: Span, user: Span) {
        var at = from
        if let colon = p.place(of: 0x3a, from, min(to, from + 6)) { at = colon + 1 }
        let start = at
        var user = Span()
        if let sign = p.place(of: 0x40, at, to) {
            user = Span(at, sign)
            at = sign + 1
        }
        var end = at
        while end < to, p[end] != 0x3b, p[end] != 0x3f, p[end] != 0x3e, p[end] != 0x20 { end += 1 }
        let host = host(p, at, end)
        var hostEnd = end
        if at < end, p[at] == 0x5b {
            hostEnd = (p.place(of: 0x5d, at, end) ?? end - 1) + 1
        } else if let colon = p.place(of: 0x3a, at, end) {
            hostEnd = colon
        }
        return (host, Span(start, hostEnd), user)
    }

    /// `host`, `host:port`, `[v6]:port`.
    @inline(__always)
    static func host(_ p: Bytes, _ from: Int, _ to: Int) -> HostPort {
        var result = HostPort()
        guard from < to else { return result }
        var at = from
        if p[from] == 0x5b {
            guard let close = p.place(of: 0x5d, from, to) else { return result }
            result.kind = .name
            if close - from <= 46, let v6 = IPv6Address(utf8: Array(p[(from + 1)..<close])) {
                result.kind = .address
                result.address = PackedAddress(high: v6.high, low: v6.low)
            }
            at = close + 1
        } else {
            result.kind = .name
            var bits: UInt32 = 0
            var part: UInt32 = 0
            var digits = 0
            var dots = 0
            var isNumeric = true
            while at < to, p[at] != 0x3a, p[at] != 0x20, p[at] != 0x3b {
                let byte = p[at]
                if byte == 0x2e {
                    if digits == 0 || part > 255 { isNumeric = false }
                    bits = bits << 8 | (part & 255)
                    part = 0
                    digits = 0
                    dots += 1
                } else if byte &- 0x30 <= 9, digits < 3 {
                    part = part &* 10 &+ UInt32(byte &- 0x30)
                    digits += 1
                } else {
                    isNumeric = false
                }
                at += 1
            }
            if isNumeric, dots == 3, digits > 0, part <= 255 {
                result.kind = .address
                result.address = PackedAddress(v4: bits << 8 | part)
            }
        }
        while at < to, p[at] == 0x20 { at += 1 }
        if at < to, p[at] == 0x3a, let port = p.number(at + 1, to) { result.port = UInt16(clamping: port) }
        return result
    }

    /// Only the first Contact value is looked at: a registrar's 200 lists the newest first or has one.
    @inline(__always)
    mutating func contact(_ p: Bytes, _ from: Int, _ to: Int) {
        guard contact.kind == .none, !contactIsAll else { return }
        if p.matches(from, to, "*") {
            contactIsAll = true
            return
        }
        let open = p.place(of: 0x3c, from, to)
        let close = open.flatMap { p.place(of: 0x3e, $0, to) }
        let start = open.map { $0 + 1 } ?? from
        let parts = Self.uri(p, start, close ?? to)
        contact = parts.host
        contactUser = parts.user
        var at = close ?? (p.place(of: 0x3b, start, to) ?? to)
        while let semicolon = p.place(of: 0x3b, at, to) {
            at = semicolon + 1
            while at < to, p[at] == 0x20 { at += 1 }
            if p.starts(at, to, with: "expires=") {
                contactExpires = p.number(at + 8, to)
            } else if p.starts(at, to, with: "received=") {
                contactHasReceived = true
            }
        }
    }

    mutating func credentials(_ p: Bytes, _ from: Int, _ to: Int) {
        var value = Credentials()
        value.whole = Span(from, to)
        value.nonce = Self.parameter(p, from, to, "nonce")
        // `Authorization: <removed>`: somebody hid them. Phones that have no nonce yet send an empty one.
        if value.nonce.start == 0, to > from { hidesCredentials = true }
        guard value.isPresent else { return }
        value.response = Self.parameter(p, from, to, "response")
        value.realm = Self.parameter(p, from, to, "realm")
        value.user = Self.parameter(p, from, to, "username")
        value.count = Self.parameter(p, from, to, "nc")
        if !credentials.isPresent {
            credentials = value
        } else if !secondCredentials.isPresent {
            secondCredentials = value
        }
    }

    mutating func challenge(_ p: Bytes, _ from: Int, _ to: Int) {
        var value = Challenge()
        value.nonce = Self.parameter(p, from, to, "nonce")
        guard value.isPresent else { return }
        value.realm = Self.parameter(p, from, to, "realm")
        value.hasQOP = !Self.parameter(p, from, to, "qop").isEmpty
        let stale = Self.parameter(p, from, to, "stale")
        value.isStale = p.matches(stale.start, stale.end, "true")
        if !challenge.isPresent {
            challenge = value
        } else if !secondChallenge.isPresent {
            secondChallenge = value
        }
    }

    /// The value of `name=` in a list, quotes of every kind left out. A quote that never closes ends with the value's end.
    static func parameter(_ p: Bytes, _ from: Int, _ to: Int, _ name: StaticString) -> Span {
        let length = name.utf8CodeUnitCount
        var at = from
        while let equals = p.place(of: 0x3d, at, to) {
            var nameEnd = equals
            while nameEnd > at, p[nameEnd - 1] == 0x20 { nameEnd -= 1 }
            let start = nameEnd - length
            var value = equals + 1
            while value < to, p[value] == 0x20 { value += 1 }
            let isQuoted = value < to && p[value] == 0x22
            let quote = Self.typographicQuote(p, value, to)
            var inner = isQuoted ? value + 1 : value + quote
            let innerStart = inner
            while inner < to {
                let byte = p[inner]
                if isQuoted {
                    if byte == 0x5c {
                        inner += 2
                        continue
                    }
                    if byte == 0x22 { break }
                } else if quote > 0 {
                    if Self.typographicQuote(p, inner, to) > 0 || byte == 0x22 { break }
                } else if byte == 0x2c || byte == 0x20 || byte == 0x3b {
                    break
                }
                inner += 1
            }
            inner = min(inner, to)
            if start >= from, p.matches(start, nameEnd, name),
                start == from || p[start - 1] == 0x2c || p[start - 1] == 0x20 || p[start - 1] == 0x09
            {
                return Span(innerStart, inner)
            }
            at = max(inner, equals + 1)
        }
        return Span()
    }

    /// Octets of a typographic double quote at a place (U+201C ... U+201F, U+2033), 0 for none.
    @inline(__always)
    private static func typographicQuote(_ p: Bytes, _ at: Int, _ to: Int) -> Int {
        guard at + 3 <= to, p[at] == 0xe2, p[at + 1] == 0x80 else { return 0 }
        let third = p[at + 2]
        return (third >= 0x9c && third <= 0x9f) || third == 0xb3 ? 3 : 0
    }
}
