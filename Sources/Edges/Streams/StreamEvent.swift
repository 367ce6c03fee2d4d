import Base
import SIP

/// What streams tell the thread that owns the node.
public enum StreamEvent: Sendable {
    /// Ready for messages: connected, and TLS and WebSocket have shaken hands. `local`: our address, which a connecting node could
    /// not know when it named the flow.
    case opened(FlowID, local: Endpoint)
    /// A whole message, or the keepalive `\r\n\r\n` or its answer `\r\n` by itself (RFC 5626 3.5.1); on a raw connection whatever
    /// bytes arrived.
    case received(on: FlowID, [UInt8])
    /// The last word about a flow. A connection of ours that never opened ends in it too.
    case closed(FlowID, StreamCloseReason)
    /// Accepting paused for the first time, as no descriptor was left; the system's words. It goes on when a connection closes.
    case exhausted(String)
}

/// Why a connection ended.
public enum StreamCloseReason: Hashable, Sendable {
    /// The peer closed it.
    case peer
    /// The connection broke; the system's words.
    case broken(String)
    /// It never came to be; the system's words.
    case unreachable(String)
    case tls(String)
    /// The bytes are no SIP stream (any more).
    case framing(SIPParseError)
    case webSocket(String)
    /// A page that is not among `StreamSettings.origins` opened it.
    case foreignOrigin
    /// A message did not end within the time given.
    case tooSlow
    /// It proved nobody within the time given.
    case unproved
    /// It had proved nobody yet, and a newer one needed its place.
    case gaveWay
    /// The peer did not read.
    case slowReader
    /// We closed it.
    case local
}

extension StreamCloseReason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .peer: "closed by the peer"
        case .broken(let text): "broken: \(text)"
        case .unreachable(let text): "cannot be reached: \(text)"
        case .tls(let text): "TLS: \(text)"
        case .framing(let error): "not a SIP stream: \(error)"
        case .webSocket(let text): "WebSocket: \(text)"
        case .foreignOrigin: "a page of another origin"
        case .tooSlow: "a message did not end in time"
        case .unproved: "nobody proved himself in time"
        case .gaveWay: "gave way to a newer one before anybody proved himself"
        case .slowReader: "the peer does not read"
        case .local: "closed by us"
        }
    }
}
