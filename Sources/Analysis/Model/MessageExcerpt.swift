import SIP

/// Quotes the lines of a message that a reader wants to see.
public enum MessageExcerpt {
    /// The first line, at most 200 octets of it.
    public static func firstLine(_ bytes: [UInt8]) -> String {
        var end = 0
        while end < bytes.count, end < 200, bytes[end] != 0x0d, bytes[end] != 0x0a { end += 1 }
        return String(decoding: bytes[0..<end], as: UTF8.self)
    }

    /// The fields a ladder shows, and of SDP `c=`, `o=`, `m=` and the direction.
    public static func fields(_ bytes: [UInt8]) -> [MessageField] { fields(bytes, also: []) }

    private static func fields(_ bytes: [UInt8], also: Set<HeaderName>) -> [MessageField] {
        var result: [MessageField] = []
        for line in lines(bytes).dropFirst() where result.count < 40 {
            if line.count > 2, bytes[line.lowerBound + 1] == UInt8(ascii: "=") {
                let text = String(decoding: bytes[line], as: UTF8.self)
                if isShown(sdp: text) { result.append(MessageField(String(text.prefix(1)), String(text.dropFirst(2)))) }
                continue
            }
            guard let colon = bytes[line].firstIndex(of: UInt8(ascii: ":")) else { continue }
            let name = HeaderName(SIPText(Array(bytes[line.lowerBound..<colon])).trimmed)
            guard shown.contains(name) || also.contains(name) else { continue }
            let value = SIPText(Array(bytes[(colon + 1)..<line.upperBound])).trimmed
            result.append(MessageField(name.canonical.string, value.string))
        }
        return result
    }

    /// First line and the named fields, a line each.
    public static func excerpt(_ bytes: [UInt8], _ names: [String]) -> String {
        var text = firstLine(bytes)
        for field in fields(bytes, also: Set(names.map { HeaderName(SIPText($0)) })) where names.contains(field.name) {
            text += field.name.count == 1 ? "\n\(field.name)=\(field.value)" : "\n\(field.name): \(field.value)"
        }
        return text
    }

    /// The value of the first field of that name, at most 200 octets of it; nil where there is none.
    static func value(of name: String, in bytes: [UInt8]) -> String? {
        let wanted = HeaderName(SIPText(name))
        for line in lines(bytes).dropFirst() {
            if line.isEmpty { return nil }
            guard let colon = bytes[line].firstIndex(of: UInt8(ascii: ":")),
                HeaderName(SIPText(Array(bytes[line.lowerBound..<colon])).trimmed) == wanted
            else { continue }
            return SIPText(Array(bytes[(colon + 1)..<line.upperBound].prefix(200))).trimmed.string
        }
        return nil
    }

    /// How many Contacts a message lists.
    static func contacts(_ bytes: [UInt8]) -> Int { contactList(bytes).count }

    /// The Contacts a message lists, each with its parameters.
    static func contactList(_ bytes: [UInt8]) -> [String] {
        var result: [String] = []
        for line in lines(bytes).dropFirst() {
            if line.isEmpty { break }
            guard let colon = bytes[line].firstIndex(of: UInt8(ascii: ":")),
                HeaderName(SIPText(Array(bytes[line.lowerBound..<colon])).trimmed) == .contact
            else { continue }
            var (isQuoted, isInside, start) = (false, false, colon + 1)
            for at in (colon + 1)..<line.upperBound {
                let byte = bytes[at]
                if byte == 0x22 { isQuoted.toggle() }
                if isQuoted { continue }
                if byte == 0x3c { isInside = true }
                if byte == 0x3e { isInside = false }
                if byte == 0x2c, !isInside {
                    result.append(SIPText(Array(bytes[start..<at])).trimmed.string)
                    start = at + 1
                }
            }
            result.append(SIPText(Array(bytes[start..<line.upperBound])).trimmed.string)
        }
        return result
    }

    /// Status and phrase of a `message/sipfrag` body (RFC 3420); nil where the body is none.
    static func fragment(_ bytes: [UInt8]) -> String? {
        let body = lines(bytes).drop { !$0.isEmpty }.first { !$0.isEmpty }
        guard let body, bytes[body].starts(with: Array("SIP/2.0 ".utf8)) else { return nil }
        return String(decoding: bytes[body].dropFirst(8).prefix(100), as: UTF8.self)
    }

    /// The user of a Request-URI, its host where it has none.
    static func requestUser(_ bytes: [UInt8]) -> String {
        let parts = firstLine(bytes).split(separator: " ")
        guard parts.count > 1 else { return "" }
        let uri = parts[1].drop { $0 != ":" }.dropFirst()
        return String(uri.prefix { $0 != "@" && $0 != ";" })
    }

    private static let shown: Set<HeaderName> = [
        .via, .contact, .authorization, .proxyAuthorization, .wwwAuthenticate, .proxyAuthenticate, .cseq, .callID, .expires,
        .from, .to, .route, .recordRoute, .userAgent, "Server", "Reason", "Warning", "Session-Expires", .contentLength,
    ]

    private static func isShown(sdp line: String) -> Bool {
        line.hasPrefix("c=") || line.hasPrefix("m=") || line.hasPrefix("o=")
            || ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"].contains { line.hasPrefix($0) }
    }

    /// Ranges of lines, ends left out; folds joined by nobody.
    static func lines(_ bytes: [UInt8]) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var start = 0
        for place in bytes.indices where bytes[place] == 0x0a {
            let end = place > start && bytes[place - 1] == 0x0d ? place - 1 : place
            result.append(start..<end)
            start = place + 1
        }
        if start < bytes.count { result.append(start..<bytes.count) }
        return result
    }

    /// The reason phrase that goes with a status (RFC 3261 21); empty for ones nobody registered.
    static func reason(of status: UInt16) -> String {
        switch status {
        case 100: "Trying"
        case 180: "Ringing"
        case 181: "Call Is Being Forwarded"
        case 183: "Session Progress"
        case 200: "OK"
        case 202: "Accepted"
        case 301: "Moved Permanently"
        case 302: "Moved Temporarily"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 407: "Proxy Authentication Required"
        case 408: "Request Timeout"
        case 415: "Unsupported Media Type"
        case 420: "Bad Extension"
        case 422: "Session Interval Too Small"
        case 423: "Interval Too Brief"
        case 480: "Temporarily Unavailable"
        case 481: "Call/Transaction Does Not Exist"
        case 482: "Loop Detected"
        case 483: "Too Many Hops"
        case 486: "Busy Here"
        case 487: "Request Terminated"
        case 488: "Not Acceptable Here"
        case 491: "Request Pending"
        case 500: "Server Internal Error"
        case 503: "Service Unavailable"
        case 603: "Decline"
        default: ""
        }
    }
}

extension SIPText {
    /// Without blanks around it.
    var trimmed: SIPText {
        var from = 0
        var to = count
        while from < to, let byte = self[from], byte == 0x20 || byte == 0x09 { from += 1 }
        while to > from, let byte = self[to - 1], byte == 0x20 || byte == 0x09 { to -= 1 }
        return part(from..<to)
    }
}
