import Base
import Capture

/// What the analysis needs of a session description (RFC 8866): addresses, the first audio stream, and its formats.
struct SDPFacts: Sendable {
    /// Address of the first media's `c=`, or the session's.
    var connection = HostPort()
    var origin = HostPort()
    /// Of the first `m=`; 0 means rejected.
    var port: UInt16 = 0
    var mediaCount = 0
    var acceptedCount = 0
    /// The first stream is audio.
    var isAudio = false
    var security = MediaSecurity()
    var isSecure: Bool { security.isSecure }
    /// Of all streams that are audio.
    var audioCount = 0
    var hasCandidates = false
    /// `a=rtcp:` with an address.
    var rtcp = HostPort()
    /// Of the first stream, or of all.
    var direction = OfferedMedia.Direction.both
    /// Static payload types below 96 as bits, of the first audio stream.
    var formats: (low: UInt64, high: UInt64) = (0, 0)
    /// Hashes of `name/clock` of dynamic formats, at most eight.
    var namedFormats: [UInt64] = []
    var hasTelephoneEvent = false
    var packetTime: UInt32?
    var isWhole = false

    init?(_ p: Bytes, _ body: Span) {
        var at = body.start
        let end = min(body.end, p.count)
        guard end - at >= 4 else { return nil }
        var inFirstMedia = false
        var sawVersion = false
        while at < end {
            let feed = p.place(of: 0x0a, at, end) ?? end
            var stop = feed
            if stop > at, p[stop - 1] == 0x0d { stop -= 1 }
            if stop - at >= 2, p[at + 1] == 0x3d {
                let value = at + 2
                switch p[at] {
                case UInt8(ascii: "v"): sawVersion = true
                case UInt8(ascii: "o"): origin = Self.lastHost(p, value, stop)
                case UInt8(ascii: "c"):
                    if mediaCount == 0 || inFirstMedia { connection = Self.lastHost(p, value, stop) }
                case UInt8(ascii: "m"):
                    mediaCount += 1
                    inFirstMedia = mediaCount == 1
                    media(p, value, stop)
                case UInt8(ascii: "a"):
                    if mediaCount <= 1 { attribute(p, value, stop) } else { security.elsewhere(p, value, stop) }
                default: break
                }
            }
            at = feed + 1
        }
        guard sawVersion || mediaCount > 0 else { return nil }
        isWhole = sawVersion && mediaCount > 0
    }

    /// The last word of a line: `IN IP4 192.0.2.1`, perhaps with `/ttl`.
    private static func lastHost(_ p: Bytes, _ from: Int, _ to: Int) -> HostPort {
        var start = to
        while start > from, p[start - 1] != 0x20 { start -= 1 }
        let stop = p.place(of: 0x2f, start, to) ?? to
        // An IPv6 address stands without brackets here.
        if p.place(of: 0x3a, start, stop) != nil, let v6 = IPv6Address(utf8: Array(p[start..<stop])) {
            var host = HostPort()
            host.kind = .address
            host.address = PackedAddress(high: v6.high, low: v6.low)
            return host
        }
        return MessageFacts.host(p, start, stop)
    }

    private mutating func media(_ p: Bytes, _ from: Int, _ to: Int) {
        guard let space = p.place(of: 0x20, from, to) else { return }
        let number = p.number(space + 1, to) ?? 0
        if number > 0 { acceptedCount += 1 }
        if p.starts(from, to, with: "audio") { audioCount += 1 }
        guard mediaCount == 1 else { return }
        port = UInt16(clamping: number)
        isAudio = p.starts(from, to, with: "audio")
        guard let second = p.place(of: 0x20, space + 1, to) else { return }
        let third = p.place(of: 0x20, second + 1, to) ?? to
        security.profile(p, second + 1, third)
        var at = third
        while at < to {
            at += 1
            if let type = p.number(at, to), type < 128 {
                if type < 64 { formats.low |= 1 << UInt64(type) } else { formats.high |= 1 << UInt64(type - 64) }
            }
            at = p.place(of: 0x20, at, to) ?? to
        }
    }

    private mutating func attribute(_ p: Bytes, _ from: Int, _ to: Int) {
        if p.starts(from, to, with: "rtpmap:") {
            guard let space = p.place(of: 0x20, from, to) else { return }
            if p.starts(space + 1, to, with: "cn/") {
                return
            } else if p.starts(space + 1, to, with: "telephone-event") {
                hasTelephoneEvent = true
            } else if namedFormats.count < 8 {
                var value: UInt64 = 0xcbf2_9ce4_8422_2325
                // A second channel is written or not: name and clock tell the codec.
                let clock = p.place(of: 0x2f, space + 1, to).map { $0 + 1 } ?? to
                let end = p.place(of: 0x2f, min(clock, to), to) ?? to
                for place in (space + 1)..<end { value = (value ^ UInt64(lowered(p[place]))) &* 0x100_0000_01b3 }
                namedFormats.append(value)
            }
        } else if p.starts(from, to, with: "candidate:") {
            hasCandidates = true
        } else if let found = OfferedMedia.direction(p, from, to) {
            direction = found
        } else if p.starts(from, to, with: "ptime:") {
            packetTime = p.number(from + 6, to)
        } else if p.starts(from, to, with: "rtcp:"), p.place(of: 0x20, from, to) != nil {
            rtcp = Self.lastHost(p, from, to)
        } else {
            _ = security.attribute(p, from, to, isMedia: mediaCount > 0)
        }
    }

    /// A format both sides know: a static type, or a name with the same clock.
    func sharesFormat(with other: SDPFacts) -> Bool {
        // Comfort noise (13, formerly 19) is no codec to talk with.
        let fixed = ((UInt64(1) << 35) - 1) & ~(1 << 13 | 1 << 19)
        if formats.low & other.formats.low & fixed != 0 { return true }
        return namedFormats.contains { other.namedFormats.contains($0) }
    }
}
