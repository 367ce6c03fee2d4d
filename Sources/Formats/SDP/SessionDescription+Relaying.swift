import Base
import RTP

/// What a back-to-back user agent puts in place of a stream's own transport.
public struct RelayedStream: Hashable, Sendable {
    /// Where the stream's RTCP is said to go.
    public enum RTCP: Hashable, Sendable {
        /// The port after RTP's: nothing is said (RFC 3550 11).
        case adjacent
        /// `a=rtcp` (RFC 3605).
        case port(UInt16)
        /// `a=rtcp-mux` (RFC 5761).
        case multiplexed
    }

    /// Of ours, where the reader shall send.
    public var rtp: Endpoint
    public var rtcp: RTCP
    /// nil: the one of the `m=` line.
    public var profile: MediaProfile?
    /// Empty: none.
    public var crypto: [SDPCrypto]
    public var ice: SDPICE?
    /// nil: all are passed on. Otherwise only these payload types, with their rtpmap, fmtp and rtcp-fb.
    public var payloadTypes: [UInt8]?
    /// nil: as it came.
    public var direction: MediaDirection?
    /// `a=fingerprint`, `a=setup` and `a=tls-id` go through: DTLS runs end to end across us.
    public var keepsDTLS: Bool

    public init(
        rtp: Endpoint, rtcp: RTCP = .adjacent, profile: MediaProfile? = nil, crypto: [SDPCrypto] = [], ice: SDPICE? = nil,
        payloadTypes: [UInt8]? = nil, direction: MediaDirection? = nil, keepsDTLS: Bool = false
    ) {
        self.rtp = rtp
        self.rtcp = rtcp
        self.profile = profile
        self.crypto = crypto
        self.ice = ice
        self.payloadTypes = payloadTypes
        self.direction = direction
        self.keepsDTLS = keepsDTLS
    }
}

extension SessionDescription {
    /// The description as it is passed on by one who stands in the middle of the media: `o=`, `c=`, ports, RTCP, ICE and keys are
    /// ours, everything else goes through.
    ///
    /// `streams`: one for each `m=` line in order; nil, or a missing one, is refused with port 0. A stream that came with port 0
    /// stays refused. Direction and unknown attributes are kept; a connection of `0.0.0.0` (hold as in RFC 2543) becomes a
    /// direction, since the address itself is replaced.
    public func relayed(origin: SDPOrigin, streams: [RelayedStream?]) -> SessionDescription {
        var result = self
        result.flaws = []
        result.trailer = []
        result.origin = origin
        let first = streams.lazy.compactMap { $0 }.first
        let address = first?.rtp.address ?? origin.host.address ?? .v4(.any)
        result.connection = SDPConnection(address)
        result.session.remove(Self.sessionAttributes)
        result.session.set("k", nil)
        let isLite = streams.contains { $0?.ice?.isLite == true }
        if isLite { result.session.add("ice-lite") }
        let sessionDTLS = session.attributes.filter { Self.dtlsAttributes.contains($0.name.lowercased()) }
        for index in media.indices {
            let stream = index < streams.count ? streams[index] : nil
            guard let stream, !media[index].isRejected else {
                result.media[index] = media[index].refused
                continue
            }
            let isHeld = isHeldByAddress(index)
            result.media[index] = media[index].relayed(stream, session: address, sessionDTLS: stream.keepsDTLS ? sessionDTLS : [])
            if isHeld, stream.direction == nil {
                let kept = direction(of: index)
                result.media[index].direction = MediaDirection(sends: kept.sends, receives: false)
            }
        }
        return result
    }

    /// Whether the stream's address is unspecified without ICE: hold as RFC 2543 did it (RFC 3264 8.4).
    public func isHeldByAddress(_ index: Int) -> Bool {
        guard !media[index].isRejected, let address = connection(of: index)?.address, address.isUnspecified else { return false }
        return !media[index].section.has("candidate") && !media[index].section.has("ice-ufrag") && !session.has("ice-ufrag")
    }

    /// Attributes that speak of one hop's addresses, ports or keys.
    static let transportAttributes: Set<String> = [
        "candidate", "ice-ufrag", "ice-pwd", "ice-options", "ice-pacing", "end-of-candidates", "remote-candidates",
        "ice-mismatch",
        "ice2", "rtcp", "rtcp-mux", "rtcp-mux-only", "crypto", "key-mgmt", "bundle-only", "source-filter", "alt",
        "connection", "tcap", "acap", "pcfg", "acfg",
    ]

    static let dtlsAttributes: Set<String> = ["fingerprint", "setup", "tls-id", "dtls-id", "identity"]
    static let hopAttributes = transportAttributes.union(dtlsAttributes)
    /// What of the session's part is one hop's, or speaks of what the relay does not do.
    static let sessionAttributes = hopAttributes.union(["ice-lite", "group"])
}

extension MediaDescription {
    /// The same line with port 0, all else that tells of its transport gone (RFC 3264 6).
    var refused: MediaDescription {
        var result = self
        result.line.port = 0
        result.line.portCount = 1
        result.section.set("c", nil)
        result.section.set("k", nil)
        result.section.remove(SessionDescription.hopAttributes)
        return result
    }

    fileprivate func relayed(_ stream: RelayedStream, session: IPAddress, sessionDTLS: [SDPAttribute]) -> MediaDescription {
        // Nothing of it is left: without a format there is no m= line.
        if let types = stream.payloadTypes, profile.isRTP, !payloadTypes.contains(where: types.contains) { return refused }
        var result = self
        result.line.port = stream.rtp.port
        result.line.portCount = 1
        if let profile = stream.profile { result.line.profile = profile }
        // A c= of its own only where it differs: some phones read only the session's, others only the stream's last.
        result.section.set("c", stream.rtp.address == session ? nil : SDPConnection(stream.rtp.address).description)
        result.section.set("k", nil)
        result.section.remove(stream.keepsDTLS ? SessionDescription.transportAttributes : SessionDescription.hopAttributes)
        // Across keys of ours there is no ZRTP (RFC 6189).
        if profile.isSecure || result.line.profile.isSecure { result.section.remove(["zrtp-hash"]) }
        for attribute in sessionDTLS where !result.section.has(attribute.name) { result.section.add(attribute) }
        if let types = stream.payloadTypes, profile.isRTP { result.keepFormats(types) }
        if let direction = stream.direction { result.direction = direction }
        switch stream.rtcp {
        case .adjacent: break
        case .port(let port): result.section.add("rtcp", SDPRTCP(port: port).text)
        case .multiplexed: result.section.add("rtcp-mux")
        }
        for line in stream.crypto { result.section.add("crypto", line.text) }
        result.setICE(stream.ice)
        return result
    }

    /// Drops payload types other than these, with the attributes that start with their number; keeps what is left in its order.
    mutating func keepFormats(_ types: [UInt8]) {
        // By number: `000` is a payload type as well.
        func isKept(_ format: String) -> Bool { decimal(format.utf8, most: 127).map { types.contains(UInt8($0)) } ?? false }
        line.formats = line.formats.filter(isKept)
        let numbered = ["rtpmap", "fmtp", "rtcp-fb"]
        section.lines.removeAll { line in
            guard let name = numbered.first(where: { line.isAttribute($0) }) else { return false }
            let value = line.value.dropFirst(name.utf8.count + 1)
            let number = string(halves(value, at: UInt8(ascii: " ")).0)
            return number != "*" && !isKept(number)
        }
    }
}
