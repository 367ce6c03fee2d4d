/// A place in a SIP message or session description where an ALG may leave its mark.
public enum ALGField: Hashable, Sendable, CaseIterable {
    case requestURI
    case topVia, viaMaddr, viaReceived, viaRport
    case contact, from, to
    case contentLength
    case sdpOrigin, sdpConnection, sdpMediaConnection, sdpMediaPort

    /// As people name it.
    public var title: String {
        switch self {
        case .requestURI: "Request-URI"
        case .topVia: "Via"
        case .viaMaddr: "Via maddr"
        case .viaReceived: "Via received"
        case .viaRport: "Via rport"
        case .contact: "Contact"
        case .from: "From"
        case .to: "To"
        case .contentLength: "Content-Length"
        case .sdpOrigin: "SDP o="
        case .sdpConnection: "SDP c="
        case .sdpMediaConnection: "SDP c= of a medium"
        case .sdpMediaPort: "SDP m= port"
        }
    }
}
