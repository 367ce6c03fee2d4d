import Base

/// One thing seen on the wire or told by a log: what the analyzer takes where no capture batch is at hand.
public struct Observation: Sendable {
    public enum What: Sendable {
        /// A SIP message; cut where a log or a snap length left the rest out.
        case sip([UInt8], isCut: Bool)
        case stun([UInt8])
        case rtp([UInt8])
        case rtcp([UInt8])
        /// An ICMP error about a packet that went from `about.source` to `about.destination`; the observation's source is who
        /// complains.
        case icmp(type: UInt8, code: UInt8, source: Endpoint, destination: Endpoint)
        /// Bytes that only keep a mapping alive: CRLF, a zero byte, an empty datagram.
        case keepalive
        /// A sentence of a program's log that judges a request.
        case remark(LogRemark)
        /// Text around a pasted log: it may name a device.
        case prose(String)
    }

    public var place: EvidencePlace
    /// Nil where a log tells none.
    public var time: Instant?
    /// Nil where a log names only the other end.
    public var source: Endpoint?
    public var destination: Endpoint?
    /// Nil where a log does not say.
    public var transport: SIPTransport?
    public var what: What

    public init(
        place: EvidencePlace, time: Instant?, source: Endpoint?, destination: Endpoint?, transport: SIPTransport?, what: What
    ) {
        self.place = place
        self.time = time
        self.source = source
        self.destination = destination
        self.transport = transport
        self.what = what
    }
}

/// What a PBX's log says about a request it judged.
public enum LogRemark: Hashable, Sendable {
    /// chan_sip: "Correct auth, but based on stale nonce": password right, nonce superseded.
    case staleNonce
    case wrongPassword
    /// chan_sip: "Bad authentication received": nonce and digest both wrong.
    case badAuthentication
    /// chan_sip: "Duplicate authentication received": a retransmission.
    case duplicateAuthentication
    /// pjsip: "failed for ... - why", or any other refusal, as written.
    case failed(String)
    /// "Retransmission timeout reached", "Maximum retries exceeded".
    case retransmissionTimeout
}
