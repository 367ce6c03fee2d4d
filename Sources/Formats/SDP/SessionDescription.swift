import Base
import RTP

/// A session description (RFC 8866): every line is kept as it came, and typed views read and write them.
///
/// What is printed is what was parsed, byte for byte, but for the lines that were changed.
public struct SessionDescription: Hashable, Sendable {
    /// All that stands before the first `m=`.
    public var session: SDPSection
    /// In order; the order is what an answer refers to (RFC 3264 6).
    public var media: [MediaDescription]
    /// Faults that were tolerated.
    public internal(set) var flaws: [SDPFlaw] = []
    /// Line ends after the last line.
    var trailer: [UInt8] = []

    /// A new one: `v=`, `o=`, `s=`, `c=` (nil: each stream brings its own) and `t=0 0`.
    public init(origin: SDPOrigin, name: String = "-", connection: SDPConnection?, media: [MediaDescription] = []) {
        session = SDPSection([SDPLine("v", "0"), SDPLine("o", origin.description), SDPLine("s", name.isEmpty ? "-" : name)])
        if let connection { session.lines.append(SDPLine("c", connection.description)) }
        session.lines.append(SDPLine("t", "0 0"))
        self.media = media
    }

    init(session: SDPSection, media: [MediaDescription]) {
        self.session = session
        self.media = media
    }

    /// nil: missing (a flaw).
    public var origin: SDPOrigin? {
        get { session.first("o").flatMap { SDPOrigin($0[...]) } }
        set { session.set("o", newValue?.description) }
    }

    /// `s=`; empty where missing.
    public var name: String { session.first("s").map { string($0) } ?? "" }

    /// The session's own `c=`.
    public var connection: SDPConnection? {
        get { session.first("c").flatMap { SDPConnection($0[...]) } }
        set { session.set("c", newValue?.description) }
    }

    /// `a=ice-lite` (RFC 8839 5.3).
    public var isICELite: Bool { session.has("ice-lite") }

    /// `a=group` (RFC 5888).
    public var groups: [String] { session.attributes("group") }

    /// The `c=` that counts for a stream.
    public func connection(of index: Int) -> SDPConnection? { media[index].connection ?? connection }

    /// The direction that counts for a stream, as the one who sent the description sees it.
    public func direction(of index: Int) -> MediaDirection { media[index].direction ?? session.direction ?? .sendrecv }

    /// Where RTP shall go: nil for a refused stream, a name, or no `c=` at all.
    public func rtpEndpoint(of index: Int) -> Endpoint? {
        guard !media[index].isRejected, let address = connection(of: index)?.address else { return nil }
        return Endpoint(address, media[index].port)
    }

    /// Where RTCP shall go (RFC 3605, RFC 3550 11); nil where RTP has no place, or with port 65,535 and no `a=rtcp`.
    public func rtcpEndpoint(of index: Int) -> Endpoint? {
        guard let rtp = rtpEndpoint(of: index) else { return nil }
        if let rtcp = media[index].rtcp {
            guard rtcp.port != 0 else { return nil }
            return Endpoint(rtcp.connection?.address ?? rtp.address, rtcp.port)
        }
        return rtp.port < .max ? Endpoint(rtp.address, rtp.port + 1) : nil
    }

    /// What ICE needs to know of a stream, session-level values included; nil without user fragment and password.
    public func ice(of index: Int) -> SDPICE? {
        let section = media[index].section
        guard let ufrag = section.attribute("ice-ufrag") ?? session.attribute("ice-ufrag"),
            let password = section.attribute("ice-pwd") ?? session.attribute("ice-pwd"),
            SDPICE.isUsable(ufrag: ufrag, password: password)
        else { return nil }
        return SDPICE(
            ufrag: ufrag, password: password, isLite: isICELite, candidates: media[index].candidates,
            endsCandidates: media[index].endsCandidates || session.has("end-of-candidates"))
    }

    /// `a=fingerprint` of a stream or of the session.
    public func fingerprint(of index: Int) -> String? { media[index].fingerprint ?? session.attribute("fingerprint") }

    /// Every address that the description names, with the line's letter or the attribute's name: for finding private ones.
    public var addresses: [(place: String, address: IPAddress)] {
        var found: [(String, IPAddress)] = []
        func note(_ place: String, _ address: IPAddress?) { if let address { found.append((place, address)) } }
        note("o=", origin?.host.address)
        note("c=", connection?.address)
        for stream in media {
            note("c=", stream.connection?.address)
            note("a=rtcp", stream.rtcp?.connection?.address)
            for candidate in stream.candidates { note("a=candidate", candidate.endpoint.address) }
        }
        return found
    }

    /// As it goes on the wire.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(1024)
        var pending = SDPLine.End.crlf
        func put(_ line: SDPLine) {
            // A line that came last without an end got company.
            if pending == .none { result += [13, 10] }
            result.append(line.type)
            result.append(UInt8(ascii: "="))
            result += line.value
            switch line.end {
            case .crlf: result += [13, 10]
            case .lf: result.append(10)
            case .none: break
            }
            pending = line.end
        }
        session.lines.forEach(put)
        for stream in media {
            put(stream.mediaLine)
            stream.section.lines.forEach(put)
        }
        return result + trailer
    }

    /// The same as text.
    public var text: String { string(bytes) }
}
