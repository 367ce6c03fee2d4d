import Base
import Capture

/// What a session description (RFC 8866) says of its first audio stream, read leniently and without copies.
///
/// Video is noted beside it only as far as its formats and endpoint explain streams that are seen.
struct OfferedMedia: Sendable {
    enum Direction: UInt8, Sendable { case both, send, receive, none }

    struct Flags: OptionSet, Sendable {
        let rawValue: UInt8
        /// An audio stream is there and not refused.
        static let hasAudio = Flags(rawValue: 1)
        static let hasICE = Flags(rawValue: 2)
        /// A TURN server relays: packets may travel where no one sees RTP.
        static let hasRelayCandidate = Flags(rawValue: 4)
        static let isSecure = Flags(rawValue: 8)
        static let muxesRTCP = Flags(rawValue: 16)
        /// Comfort noise (RFC 3389) is among the formats.
        static let offersComfortNoise = Flags(rawValue: 32)
        /// `c=` is 0.0.0.0: held in the old way (RFC 3264 8.4).
        static let isNulled = Flags(rawValue: 64)
        /// Something but audio is active: video, fax.
        static let hasOther = Flags(rawValue: 128)
    }

    /// A dynamic payload type (or a static one that is named anew).
    struct Format: Hashable, Sendable {
        var payloadType: UInt8
        var clockRate: UInt32
        var name: String
    }

    var flags: Flags = []
    /// Of the audio stream, with what the session says for all.
    var security = MediaSecurity()
    var direction = Direction.both
    var address = PackedAddress(high: 0, low: 0)
    /// 0: refused, or there is none.
    var port: UInt16 = 0
    var video: UInt16 = 0
    var videoAddress = PackedAddress(high: 0, low: 0)
    /// Fax over UDPTL (T.38); port 0: none.
    var fax = MediaPlace(PackedAddress(high: 0, low: 0), 0)
    var formats: [Format] = []
    /// Of the audio stream's `m=`.
    var types = PayloadTypes()
    /// Further places named by ICE; at most eight.
    var candidates: [(address: PackedAddress, port: UInt16)] = []

    private enum Section { case session, audio, video, fax, other }

    /// Nil where no `m=` line is found. A body of several parts is read as one text.
    init?(_ p: UnsafeRawBufferPointer) {
        var section = Section.session
        var sessionAddress = PackedAddress(high: 0, low: 0)
        var sessionDirection = Direction.both
        var ownDirection: Direction?
        var sawMedia = false
        var audioSeen = false
        var at = 0
        while at < p.count {
            let feed = p.place(of: 0x0a, at, p.count) ?? p.count
            var stop = feed
            if stop > at, p[stop - 1] == 0x0d { stop -= 1 }
            defer { at = feed + 1 }
            guard stop - at > 2, p[at + 1] == 0x3d else { continue }
            let value = at + 2
            switch p[at] {
            case UInt8(ascii: "m"):
                sawMedia = true
                section = .other
                let port = Self.port(p, value, stop)
                if p.starts(value, stop, with: "audio ") {
                    guard !audioSeen else { continue }
                    audioSeen = true
                    section = .audio
                    self.port = port
                    address = sessionAddress
                    if port > 0 { flags.insert(.hasAudio) }
                    profile(p, value, stop)
                } else if port > 0 {
                    flags.insert(.hasOther)
                    if p.starts(value, stop, with: "video "), video == 0 {
                        section = .video
                        video = port
                        videoAddress = sessionAddress
                    } else if fax.port == 0, p.starts(value, stop, with: "image "),
                        p.string(Span(value, stop)).lowercased().contains(" udptl")
                    {
                        section = .fax
                        fax = MediaPlace(sessionAddress, port)
                    }
                }
            case UInt8(ascii: "c"):
                guard let found = Self.address(p, value, stop) else { continue }
                switch section {
                case .session: sessionAddress = found
                case .audio: address = found
                case .video: videoAddress = found
                case .fax: fax.address = found
                case .other: break
                }
            case UInt8(ascii: "a"):
                if let found = Self.direction(p, value, stop) {
                    if section == .session { sessionDirection = found } else if section == .audio { ownDirection = found }
                } else if section != .other, section != .fax {
                    attribute(p, value, stop, isAudio: section == .audio, isSession: section == .session)
                }
            default: break
            }
        }
        guard sawMedia else { return nil }
        direction = ownDirection ?? sessionDirection
        if flags.contains(.hasAudio), address.isIPv4 ? address.low & 0xffff_ffff == 0 : address.low == 0 && address.high == 0 {
            flags.insert(.isNulled)
        }
    }

    private static func port(_ p: UnsafeRawBufferPointer, _ from: Int, _ to: Int) -> UInt16 {
        guard let space = p.place(of: 0x20, from, to) else { return 0 }
        return UInt16(clamping: p.number(space + 1, to) ?? 0)
    }

    private mutating func profile(_ p: UnsafeRawBufferPointer, _ from: Int, _ to: Int) {
        var word = 0
        var at = from
        while at < to {
            let space = p.place(of: 0x20, at, to) ?? to
            if word == 2 {
                security.profile(p, at, space)
                if security.isSecure { flags.insert(.isSecure) }
            } else if word > 2, let type = p.number(at, space), type < 128 {
                types.insert(UInt8(type))
                if type == 13, space - at == 2 { flags.insert(.offersComfortNoise) }
            }
            word += 1
            at = space + 1
        }
    }

    private static func address(_ p: UnsafeRawBufferPointer, _ from: Int, _ to: Int) -> PackedAddress? {
        var start = to
        while start > from, p[start - 1] != 0x20 { start -= 1 }
        let stop = p.place(of: 0x2f, start, to) ?? to
        return address(text: p, start, stop)
    }

    private static func address(text p: UnsafeRawBufferPointer, _ from: Int, _ to: Int) -> PackedAddress? {
        if p.place(of: 0x3a, from, to) != nil {
            guard to - from <= 45, let v6 = IPv6Address(utf8: Array(p[from..<to])) else { return nil }
            return PackedAddress(high: v6.high, low: v6.low)
        }
        let host = MessageFacts.host(p, from, to)
        return host.kind == .address ? host.address : nil
    }

    static func direction(_ p: UnsafeRawBufferPointer, _ from: Int, _ to: Int) -> Direction? {
        guard to - from == 8 else { return nil }
        if p.matches(from, to, "sendrecv") { return .both }
        if p.matches(from, to, "sendonly") { return .send }
        if p.matches(from, to, "recvonly") { return .receive }
        return p.matches(from, to, "inactive") ? Direction.none : nil
    }

    private mutating func attribute(_ p: UnsafeRawBufferPointer, _ from: Int, _ to: Int, isAudio: Bool, isSession: Bool) {
        if p.starts(from, to, with: "rtpmap:") {
            guard let type = p.number(from + 7, to), type < 128, let space = p.place(of: 0x20, from, to),
                let slash = p.place(of: 0x2f, space, to), formats.count < 16, slash - space <= 33
            else { return }
            let rate = p.number(slash + 1, to) ?? 0
            guard rate > 0, rate <= 10_000_000 else { return }
            let name = p.string(Span(space + 1, slash))
            if name.lowercased() == "cn" { flags.insert(.offersComfortNoise) }
            formats.append(Format(payloadType: UInt8(type), clockRate: rate, name: name))
        } else if p.starts(from, to, with: "candidate:") {
            flags.insert(.hasICE)
            candidate(p, from, to)
        } else if p.starts(from, to, with: "ice-ufrag:") {
            flags.insert(.hasICE)
        } else if isAudio, p.matches(from, to, "rtcp-mux") {
            flags.insert(.muxesRTCP)
        } else if isAudio || isSession, security.attribute(p, from, to, isMedia: isAudio) {
            if !security.cryptos.isEmpty || !security.fingerprints.isEmpty { flags.insert(.isSecure) }
        }
    }

    /// `candidate:1 1 UDP 2130706431 192.0.2.1 3478 typ host` (RFC 8839 5.1).
    private mutating func candidate(_ p: UnsafeRawBufferPointer, _ from: Int, _ to: Int) {
        var word = 0
        var at = from
        var found: PackedAddress?
        var port: UInt16 = 0
        while at < to, word < 8 {
            let space = p.place(of: 0x20, at, to) ?? to
            switch word {
            case 4: found = Self.address(text: p, at, space)
            case 5: port = UInt16(clamping: p.number(at, space) ?? 0)
            case 7: if p.matches(at, space, "relay") { flags.insert(.hasRelayCandidate) }
            default: break
            }
            word += 1
            at = space + 1
        }
        if let found, port > 0, candidates.count < 8 { candidates.append((found, port)) }
    }
}
