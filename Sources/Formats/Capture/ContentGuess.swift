/// What a payload looks like by its octets alone: never by its port.
///
/// A guess, made from the first octets. RTP above all must be confirmed by the stream: one sequence number after the other.
public enum ContentGuess: UInt8, Hashable, Sendable {
    case other
    /// A request line or status line (RFC 3261 7).
    case sip
    /// STUN or TURN (RFC 8489 5, RFC 3489 where the magic cookie is absent).
    case stun
    /// TURN ChannelData (RFC 8656 12.4).
    case channelData
    /// Version 2, sensible lengths (RFC 3550 5.1).
    case rtp
    /// Packet types 192...223 (RFC 5761 4).
    case rtcp
    /// RFC 7983: 20...63.
    case dtls
    /// CR LF or zeros that only keep a mapping open (RFC 5626 4.4.1).
    case keepalive
    /// HEPv3.
    case hep
    /// Nothing at all.
    case empty

    public init(_ bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { ContentGuess($0) }
    }

    public init(_ bytes: UnsafeRawBufferPointer) {
        self = Self.guess(bytes)
    }

    @inline(__always)
    static func guess(_ b: UnsafeRawBufferPointer) -> ContentGuess {
        let n = b.count
        guard n > 0 else { return .empty }
        let first = b[0]
        if first >> 6 == 2 { return media(b) }
        if first < 4 {
            if first == 0, n <= 4, b.allSatisfy({ $0 == 0 }) { return .keepalive }
            return isSTUN(b) ? .stun : .other
        }
        if first == 0x0d || first == 0x0a || first == 0x20 || first == 0x09 {
            if b.prefix(16).allSatisfy({ $0 == 0x0d || $0 == 0x0a || $0 == 0 || $0 == 0x20 || $0 == 0x09 }) {
                return n <= 16 ? .keepalive : .other
            }
            // Some phones lead their messages with line ends (RFC 3261 7.5).
            let start = b.firstIndex { $0 != 0x0d && $0 != 0x0a } ?? n
            return SIPStart.isStart(UnsafeRawBufferPointer(rebasing: b[start...])) ? .sip : .other
        }
        if first >= 20, first <= 63 {
            if n >= 13, b[1] == 0xfe, b[2] == 0xff || b[2] == 0xfd || b[2] == 0xfc { return .dtls }
            if !SIPStart.isToken(first) { return .other }
        }
        if first == 0x48, n >= 6, b[1] == 0x45, b[2] == 0x50, b[3] == 0x33 { return .hep }
        if SIPStart.isStart(b) { return .sip }
        if first >> 4 == 4, n >= 4 {
            let length = Int(b[2]) << 8 | Int(b[3])
            if length + 4 <= n, n <= length + 7, length > 0 { return .channelData }
        }
        return .other
    }

    @inline(__always)
    private static func media(_ b: UnsafeRawBufferPointer) -> ContentGuess {
        let n = b.count
        guard n >= 4 else { return .other }
        let type = b[1]
        if type >= 192, type <= 223 {
            let length = (Int(b[2]) << 8 | Int(b[3])) * 4 + 4
            return length <= n ? .rtcp : .other
        }
        guard n >= 12 + 4 * Int(b[0] & 15) else { return .other }
        return .rtp
    }

    private static func isSTUN(_ b: UnsafeRawBufferPointer) -> Bool {
        let n = b.count
        guard n >= 20 else { return false }
        let length = Int(b[2]) << 8 | Int(b[3])
        guard length & 3 == 0 else { return false }
        if b[4] == 0x21, b[5] == 0x12, b[6] == 0xa4, b[7] == 0x42 { return length + 20 <= n }
        // RFC 3489 had no cookie: binding and shared-secret types only, and the length must fit exactly.
        guard length + 20 == n else { return false }
        return (b[0] == 0 || b[0] == 1) && (b[1] == 1 || b[1] == 2 || b[1] == 0x11 || b[1] == 0x12)
    }
}

/// Recognises where a SIP message begins (RFC 3261 7.1, 7.2), tolerating what broken helpers make of it.
package enum SIPStart {
    /// Longest start line believed.
    static let mostLine = 4_096

    /// `bytes` begins with a request line or a status line.
    package static func isStart(_ b: UnsafeRawBufferPointer) -> Bool {
        let n = b.count
        guard n >= 8 else { return false }
        if b[0] == 0x53, b[1] == 0x49, b[2] == 0x50, b[3] == 0x2f {
            // SIP/2.0 and a digit.
            return b[4] >= 0x30 && b[4] <= 0x39 && b[5] == 0x2e && b[6] >= 0x30 && b[6] <= 0x39 && b[7] == 0x20
        }
        var at = 0
        while at < n, at <= 32, isToken(b[at]) { at += 1 }
        guard at > 0, at <= 32, at < n, b[at] == 0x20 else { return false }
        at += 1
        if scheme(b, at) {
            // A text may speak of "sip:", too: a whole request line names the version. One that is cut off is believed.
            let limit = min(n, mostLine)
            var end = at
            while end < limit, b[end] != 0x0a { end += 1 }
            return end == limit ? mayNameVersion(b, at, end) : namesVersion(b, at, end)
        }
        // Any other URI: the line must end with the version.
        var end = at
        let limit = min(n, mostLine)
        while end < limit, b[end] != 0x0d, b[end] != 0x0a {
            guard b[end] >= 0x20 else { return false }
            end += 1
        }
        guard end < limit, end - at >= 9 else { return false }
        return b[end - 8] == 0x20 && b[end - 7] == 0x53 && b[end - 6] == 0x49 && b[end - 5] == 0x50 && b[end - 4] == 0x2f
            && b[end - 2] == 0x2e
    }

    /// `bytes` may begin a message, but is too short to tell: a start line without its end.
    package static func mayBecomeStart(_ b: UnsafeRawBufferPointer) -> Bool {
        guard b.count < mostLine else { return false }
        var at = 0
        while at < b.count, isToken(b[at]) || b[at] == 0x2f { at += 1 }
        guard at > 0, at <= 32 else { return false }
        guard at < b.count else { return true }
        return b[at] == 0x20 && b[at...].allSatisfy { $0 >= 0x20 }
    }

    /// ` SIP/` stands between.
    private static func namesVersion(_ b: UnsafeRawBufferPointer, _ from: Int, _ end: Int) -> Bool {
        var at = end - 4
        while at > from {
            if b[at] == 0x53, b[at + 1] == 0x49, b[at + 2] == 0x50, b[at + 3] == 0x2f, b[at - 1] == 0x20 { return true }
            at -= 1
        }
        return false
    }

    /// What follows the URI of a line that is cut off, if anything does, begins ` SIP/`.
    private static func mayNameVersion(_ b: UnsafeRawBufferPointer, _ from: Int, _ end: Int) -> Bool {
        var at = from
        while at < end, b[at] > 0x20 { at += 1 }
        guard at < end, b[at] == 0x20 else { return at == end }
        let rest = b[(at + 1)..<end]
        return zip(rest, [0x53, 0x49, 0x50, 0x2f] as [UInt8]).allSatisfy { $0 == $1 }
    }

    private static func scheme(_ b: UnsafeRawBufferPointer, _ at: Int) -> Bool {
        guard at + 4 <= b.count else { return false }
        let (a, c, d) = (b[at] | 0x20, b[at + 1] | 0x20, b[at + 2] | 0x20)
        if a == 0x73, c == 0x69, d == 0x70 {
            return b[at + 3] == 0x3a || (b[at + 3] | 0x20 == 0x73 && at + 4 < b.count && b[at + 4] == 0x3a)
        }
        return a == 0x74 && c == 0x65 && d == 0x6c && b[at + 3] == 0x3a
    }

    /// RFC 3261 25.1 token.
    @inline(__always)
    package static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        case 0x21, 0x25, 0x27, 0x2a, 0x2b, 0x2d, 0x2e, 0x5f, 0x60, 0x7e: true
        default: false
        }
    }
}
