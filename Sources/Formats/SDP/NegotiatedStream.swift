import Base
import RTP

/// How one side's description shows a stream, session-level values included.
public struct RemoteStream: Hashable, Sendable {
    public var kind: String
    public var profile: MediaProfile
    public var isRejected: Bool
    /// nil: refused, a name, or no address.
    public var rtp: Endpoint?
    /// nil: as `rtp`, or multiplexed.
    public var rtcp: Endpoint?
    public var multiplexesRTCP: Bool
    /// As that side sees it; an unspecified address counts as not receiving (RFC 3264 8.4).
    public var direction: MediaDirection
    /// In its order of preference.
    public var formats: [MediaFormat]
    public var packetTime: Int?
    public var maximumPacketTime: Int?
    public var crypto: [SDPCrypto]
    public var ice: SDPICE?
    /// Keys would come from DTLS.
    public var hasFingerprint: Bool

    /// The party does not want to hear us now.
    public var isHeld: Bool { !isRejected && !direction.receives }
}

/// What both sides agreed on for one `m=` line, as we see it.
public struct NegotiatedStream: Hashable, Sendable {
    /// Which `m=` line, from 0.
    public var index: Int
    public var kind: String
    /// Refused by either side: the rest has no meaning.
    public var isRejected: Bool
    /// Ours: what we may send and what we may receive.
    public var direction: MediaDirection
    /// What we may send: the other side's payload types, in its order of preference.
    public var sendFormats: [MediaFormat]
    /// What the other side may send us: our payload types.
    public var receiveFormats: [MediaFormat]
    /// Milliseconds a packet that the other side wishes; 20 where it says nothing, and never above its maxptime.
    public var packetTime: Int
    public var remoteRTP: Endpoint?
    /// nil with `multiplexesRTCP`.
    public var remoteRTCP: Endpoint?
    /// Both sides said so.
    public var multiplexesRTCP: Bool
    /// nil: plain RTP.
    public var srtp: SRTPParameters?
    /// nil: one of the sides does no ICE.
    public var ice: SDPICE?
    /// The other side does not want to hear us.
    public var isHeldByPeer: Bool
}

/// The end of one offer/answer exchange: what to send, and what it means.
public struct NegotiatedSession: Hashable, Sendable {
    /// Ours: the answer to send, or the offer that was answered.
    public var description: SessionDescription
    /// One for each `m=` line.
    public var streams: [NegotiatedStream]

    /// The first stream of a kind that is not refused.
    public func stream(_ kind: String = "audio") -> NegotiatedStream? { streams.first { $0.kind == kind && !$0.isRejected } }
}

extension SessionDescription {
    /// A stream as its sender describes it. `index`: of an `m=` line that is there.
    public func remoteStream(_ index: Int) -> RemoteStream {
        let stream = media[index]
        var direction = direction(of: index)
        if isHeldByAddress(index) { direction = MediaDirection(sends: direction.sends, receives: false) }
        let multiplexes = stream.multiplexesRTCP
        return RemoteStream(
            kind: stream.kind.lowercased(), profile: stream.profile, isRejected: stream.isRejected, rtp: rtpEndpoint(of: index),
            rtcp: multiplexes ? nil : rtcpEndpoint(of: index), multiplexesRTCP: multiplexes, direction: direction,
            formats: stream.formats, packetTime: stream.packetTime ?? session.packetTime,
            maximumPacketTime: stream.maximumPacketTime, crypto: stream.crypto, ice: ice(of: index),
            hasFingerprint: fingerprint(of: index) != nil)
    }
}

extension SDPSection {
    /// Some phones put `a=ptime` before the first `m=`.
    var packetTime: Int? { attribute("ptime").flatMap { Int($0) }.flatMap { (1...1_000).contains($0) ? $0 : nil } }
}
