import Base
import RTP

/// What we are ready to do for one stream: what an offer of ours says, and what an offer of the other side is held against.
public struct LocalStream: Hashable, Sendable {
    public enum Encryption: Hashable, Sendable {
        case never
        /// Taken where it is offered. Our own offer stays `RTP/AVP` and carries keys beside it: whoever knows `a=crypto` answers
        /// with it, everyone else ignores it. (RFC 4568 wants RTP/SAVP; a phone without SRTP would refuse that.)
        case possible
        /// Offered as `RTP/SAVP`; plain RTP is refused.
        case required
    }

    /// `audio` unless something else is served.
    public var kind: String
    /// Where the other side shall send.
    public var rtp: Endpoint
    /// nil: the port after RTP's.
    public var rtcpPort: UInt16?
    /// In order of preference; payload types count in our offers, in answers the other side's do (RFC 3264 6.1).
    public var formats: [MediaFormat]
    /// What we wish: `sendonly` puts the other side on hold.
    public var direction: MediaDirection
    /// `a=ptime`; nil: nothing is said.
    public var packetTime: Int?
    /// Offer it, and accept it where it is offered.
    public var multiplexesRTCP: Bool
    public var encryption: Encryption
    /// In order of preference.
    public var suites: [SRTPParameters.Suite]
    /// Keys that were sent before, kept over re-offers; a suite without one gets a fresh one.
    public var keys: [SRTPParameters.Suite: [UInt8]]
    /// nil: no ICE.
    public var ice: SDPICE?

    public init(
        kind: String = "audio", rtp: Endpoint, rtcpPort: UInt16? = nil, formats: [MediaFormat],
        direction: MediaDirection = .sendrecv, packetTime: Int? = 20, multiplexesRTCP: Bool = false,
        encryption: Encryption = .never, suites: [SRTPParameters.Suite] = [.aesCM128HMACSHA1_80, .aesCM128HMACSHA1_32],
        keys: [SRTPParameters.Suite: [UInt8]] = [:], ice: SDPICE? = nil
    ) {
        self.kind = kind
        self.rtp = rtp
        self.rtcpPort = rtcpPort
        self.formats = formats
        self.direction = direction
        self.packetTime = packetTime
        self.multiplexesRTCP = multiplexesRTCP
        self.encryption = encryption
        self.suites = suites
        self.keys = keys
        self.ice = ice
    }

    func key(_ suite: SRTPParameters.Suite, _ entropy: inout Entropy) -> [UInt8] {
        if let key = keys[suite], key.count == suite.keyLength { return key }
        return entropy.bytes(suite.keyLength)
    }
}
