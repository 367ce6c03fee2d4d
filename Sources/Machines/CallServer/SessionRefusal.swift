import Base
import SDP
import SIP
import SIPStack

/// Why an SDP cannot be met: 488 with a Warning that says so (RFC 3261 21.4.26, 20.43).
public struct SessionRefusal: Error, Hashable, Sendable {
    /// Warn-code: 301 address, 302 transport, 304 media type, 305 format, 306 attribute, 370 bandwidth, 399 anything else.
    public var code: Int
    public var text: String
    /// 488, or 503 where we lack ports, 415 for a body that is no SDP, 400 for one that cannot be taken apart.
    public var status = 488

    public init(_ code: Int, _ text: String, status: Int = 488) {
        self.code = code
        self.text = text
        self.status = status
    }

    static let noPorts = SessionRefusal(399, "no media port is free", status: 503)
    static let srtpRequired = SessionRefusal(302, "this account's media is SRTP (RTP/SAVP) or none")
    static let srtpOff = SessionRefusal(302, "SRTP is off for this account")
    static let notSDP = SessionRefusal(399, "a body that is not application/sdp, and not optional", status: 415)

    init(_ error: SDPError) { self.init(399, "the SDP cannot be read: \(error)") }

    /// Why a stream of this profile is not taken.
    init(_ profile: MediaProfile, srtpAvailable: Bool) {
        switch profile {
        case .dtlsSAVP, .dtlsSAVPF: self.init(302, "DTLS-SRTP is not spoken here")
        case .savp, .savpf:
            self.init(302, srtpAvailable ? "no a=crypto line that can be used" : "SRTP is not available here")
        case .avp, .avpf, .udptl, .other: self.init(302, "\(profile) is not relayed here")
        }
    }
}

extension OwnAddresses {
    package func warning(_ refusal: SessionRefusal, _ flow: FlowID) -> SIPText { warning(refusal.code, refusal.text, flow) }
}
