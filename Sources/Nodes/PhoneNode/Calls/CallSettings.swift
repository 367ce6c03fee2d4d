import Base

/// How the phone makes and takes calls; a phone without it only registers.
public struct CallSettings: Hashable, Sendable {
    /// What happens when somebody calls.
    public enum Answering: Hashable, Sendable {
        /// Rings until `.answer`, `.reject` or `ringPatience`.
        case ring
        /// Rings for so long, then answers with `answerPlay`.
        case auto(after: Duration)
        /// 486 to everybody.
        case busy
    }

    /// How digits are sent.
    public enum DTMF: String, Hashable, Sendable, CaseIterable {
        /// As telephone-event where the other side takes it (RFC 4733), else by INFO.
        case rfc4733
        /// `application/dtmf-relay` in INFO.
        case info
    }

    /// Encrypted audio by keys in SDP (RFC 4568).
    public enum Encryption: String, Hashable, Sendable, CaseIterable {
        case never
        /// Offered over secure signalling only, and then insisted on; accepted wherever it is offered.
        case automatic
        /// Offered and insisted on whatever carries the signalling.
        case required
    }

    /// Provisional responses that are acknowledged (RFC 3262).
    public enum Reliability: String, Hashable, Sendable, CaseIterable {
        case never
        /// `Supported: 100rel`; used where the other side requires it.
        case supported
        /// As UAC `Require: 100rel`; as UAS used wherever the caller supports it.
        case required
    }

    public var answers: Answering
    /// What a call answered by itself plays.
    public var answerPlay: PlaySource
    /// 183 with an answer in SDP instead of 180, and audio from then on.
    public var earlyMedia: Bool
    /// Even ports with the odd one above each for RTCP; one pair a call. As many calls as pairs, at most 64.
    public var rtpPorts: [UInt16]
    /// Encodings in order of preference, as in rtpmap.
    public var codecs: [String]
    public var dtmf: DTMF
    public var encryption: Encryption
    public var reliability: Reliability
    /// Offer RTCP on the RTP port (RFC 5761).
    public var multiplexesRTCP: Bool
    /// Send audio to where audio comes from, once it has come from there, instead of to the address in SDP.
    public var symmetricRTP: Bool
    /// Full ICE with the STUN server of the settings (RFC 8445).
    public var ice: Bool
    /// The Session-Expires asked for, in seconds (RFC 4028); nil asks for none.
    public var sessionExpires: UInt32?
    /// The shortest Session-Expires accepted, in seconds; at least 90.
    public var minimumSessionExpires: UInt32
    /// How long an incoming call rings (then 480) and an outgoing one is waited for (then CANCEL).
    public var ringPatience: Duration
    /// How long a call waits for the STUN server before it does without a mapped address.
    public var stunPatience: Duration
    /// Whether REFER of the other side is followed (RFC 3515).
    public var followsTransfers: Bool

    public init(
        answers: Answering = .ring, answerPlay: PlaySource = .silence, earlyMedia: Bool = false, rtpPorts: [UInt16] = [16_384],
        codecs: [String] = ["PCMA", "PCMU"], dtmf: DTMF = .rfc4733, encryption: Encryption = .automatic,
        reliability: Reliability = .supported, multiplexesRTCP: Bool = true, symmetricRTP: Bool = false, ice: Bool = false,
        sessionExpires: UInt32? = 1800, minimumSessionExpires: UInt32 = 90, ringPatience: Duration = .seconds(180),
        stunPatience: Duration = .seconds(2), followsTransfers: Bool = true
    ) {
        self.answers = answers
        self.answerPlay = answerPlay
        self.earlyMedia = earlyMedia
        self.rtpPorts = rtpPorts
        self.codecs = codecs
        self.dtmf = dtmf
        self.encryption = encryption
        self.reliability = reliability
        self.multiplexesRTCP = multiplexesRTCP
        self.symmetricRTP = symmetricRTP
        self.ice = ice
        self.sessionExpires = sessionExpires
        self.minimumSessionExpires = minimumSessionExpires
        self.ringPatience = ringPatience
        self.stunPatience = stunPatience
        self.followsTransfers = followsTransfers
    }
}
