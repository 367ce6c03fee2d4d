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
    public static func fields(_ bytes: [UInt8]) -> [MessageField] {
        var result: [MessageField] = []
        for line in lines(bytes).dropFirst() where result.count < 40 {
            if line.count > 2, bytes[line.lowerBound + 1] == UInt8(ascii: "=") {
                let text = String(decoding: bytes[line], as: UTF8.self)
                if isShown(sdp: text) { result.append(MessageField(String(text.prefix(1)), String(text.dropFirst(2)))) }
                continue
            }
            guard let colon = bytes[line].firstIndex(of: UInt8(ascii: ":")) else { continue }
            let name = HeaderName(SIPText(Array(bytes[line.lowerBound..<colon])).trimmed)
            guard shown.contains(name) else { continue }
            let value = SIPText(Array(bytes[(colon + 1)..<line.upperBound])).trimmed
            result.append(MessageField(name.canonical.string, value.string))
        }
        return result
    }

    /// First line and the named fields, a line each.
    public static func excerpt(_ bytes: [UInt8], _ names: [String]) -> String {
        var text = firstLine(bytes)
        for field in fields(bytes) where names.contains(field.name) {
            text += field.name.count == 1 ? "\n\(field.name)=\(field.value)" : "\n\(field.name): \(field.value)"
        }
        return text
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
        case 302: "Moved Temporarily"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 407: "Proxy Authentication Required"
        case 408: "Request Timeout"
        case 423: "Interval Too Brief"
        case 480: "Temporarily Unavailable"
        case 481: "Call/Transaction Does Not Exist"
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
