/// Which way media flows, as the one who says it sees it (RFC 8866 6.7, RFC 3264 5.1).
public enum MediaDirection: String, Hashable, Sendable, CaseIterable {
    case sendrecv, sendonly, recvonly, inactive

    public init(sends: Bool, receives: Bool) {
        self =
            switch (sends, receives) {
            case (true, true): .sendrecv
            case (true, false): .sendonly
            case (false, true): .recvonly
            case (false, false): .inactive
            }
    }

    public var sends: Bool { self == .sendrecv || self == .sendonly }
    public var receives: Bool { self == .sendrecv || self == .recvonly }

    /// The same as the other side sees it.
    public var reversed: MediaDirection { MediaDirection(sends: receives, receives: sends) }

    /// What both allow, seen from the same side.
    public func limited(to other: MediaDirection) -> MediaDirection {
        MediaDirection(sends: sends && other.sends, receives: receives && other.receives)
    }
}

/// The protocol of an `m=` line (RFC 8866 5.14).
public enum MediaProfile: Hashable, Sendable, CustomStringConvertible {
    /// `RTP/AVP` (RFC 3551).
    case avp
    /// `RTP/SAVP` (RFC 3711).
    case savp
    /// `RTP/AVPF` (RFC 4585).
    case avpf
    /// `RTP/SAVPF` (RFC 5124).
    case savpf
    /// `UDP/TLS/RTP/SAVP` and `UDP/TLS/RTP/SAVPF` (RFC 5764): keys come from DTLS.
    case dtlsSAVP, dtlsSAVPF
    /// `udptl`: fax (T.38).
    case udptl
    case other(String)

    public init(_ text: String) {
        let known: [MediaProfile] = [.avp, .savp, .avpf, .savpf, .dtlsSAVP, .dtlsSAVPF, .udptl]
        self = known.first { isSame($0.description, text) } ?? .other(text)
    }

    public var isRTP: Bool {
        switch self {
        case .avp, .savp, .avpf, .savpf, .dtlsSAVP, .dtlsSAVPF: true
        case .udptl, .other: false
        }
    }

    /// Whether plain RTP would break it.
    public var isSecure: Bool {
        switch self {
        case .savp, .savpf, .dtlsSAVP, .dtlsSAVPF: true
        case .avp, .avpf, .udptl, .other: false
        }
    }

    public var description: String {
        switch self {
        case .avp: "RTP/AVP"
        case .savp: "RTP/SAVP"
        case .avpf: "RTP/AVPF"
        case .savpf: "RTP/SAVPF"
        case .dtlsSAVP: "UDP/TLS/RTP/SAVP"
        case .dtlsSAVPF: "UDP/TLS/RTP/SAVPF"
        case .udptl: "udptl"
        case .other(let text): text
        }
    }
}
