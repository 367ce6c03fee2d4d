import Base
import NAT

/// Why a phone did not hear another one.
public enum SilenceReason: Hashable, Sendable {
    /// The speaker's phone sent nothing, and why.
    case notSent(speaker: String, because: String)
    /// It was sent to where the SDP said, and that address is good only where the listener stands.
    case privateAddress(Endpoint, of: String)
    /// Nobody has the address it was sent to.
    case nowhere(Endpoint)
    /// The listener's router knows nothing of the port it was sent to.
    case noMapping(router: String, Endpoint)
    /// There was one, but it died for want of traffic.
    case mappingExpired(router: String, Endpoint, idle: Duration)
    /// There is one, made for somebody else; `madeFor`: whom, where the router keeps them apart.
    case filtered(router: String, Endpoint, from: Endpoint, madeFor: Endpoint?)
    /// The SIP helper had opened the port, and closed it again.
    case pinholeClosed(router: String, Endpoint)
    /// A router refused it for another reason.
    case refusedByRouter(router: String, String)
    /// The server does not know where the listener is: its SDP is not believed, and nothing came from it.
    case serverWaits(listener: String, signalled: Endpoint?)
    /// The server threw it away.
    case refusedByServer(String)
    /// It arrived, and the listener's phone did not take it.
    case refusedByPhone(listener: String, String)
    /// Lost on the way, or the way was down.
    case lost
    case unknown

    /// One line for people.
    public var text: String {
        switch self {
        case .notSent(let speaker, let because): "\(speaker) sends no audio: \(because)"
        case .privateAddress(let place, let listener):
            "it is sent to \(place), the private address in \(listener)'s SDP, which leads nowhere from there"
        case .nowhere(let place): "it is sent to \(place), an address that nobody has"
        case .noMapping(let router, let place): "\(router) has no mapping at \(place) for it"
        case .mappingExpired(let router, let place, let idle):
            "\(router)'s mapping at \(place) died after \(idle.shortText) without traffic"
        case .filtered(let router, let place, let source, let peer):
            "\(router) lets nothing from \(source) in at \(place)"
                + (peer.map { ": that mapping was made for \($0)" } ?? ", as nothing was sent to there from it")
        case .pinholeClosed(let router, let place): "the SIP helper of \(router) closed the pinhole at \(place) again"
        case .refusedByRouter(let router, let why): "\(router) refuses it: \(why)"
        case .serverWaits(let listener, let signalled):
            signalled.map {
                "the server sends nothing to \($0), as \(listener)'s SDP says, before something came from \(listener)"
            }
                ?? "\(listener) told no address for it"
        case .refusedByServer(let why): "the server throws it away: \(why)"
        case .refusedByPhone(let listener, let why): "it arrives, and \(listener)'s phone does not take it: \(why)"
        case .lost: "it is lost on the way"
        case .unknown: "nothing on the way shows why"
        }
    }
}
