import Base
import RTP

/// One of our sockets and one address of theirs that may reach each other (RFC 8445 6.1.2).
public struct ICEPair: Sendable {
    /// RFC 8445 6.1.2.6.
    public enum State: Hashable, Sendable {
        /// Waits for another of its foundation.
        case frozen
        case waiting
        case inProgress
        case succeeded
        case failed
    }

    public struct ID: Hashable, Sendable {
        public var component: Int
        public var local: Endpoint
        public var remote: Endpoint

        package init(component: Int, local: Endpoint, remote: Endpoint) {
            self.component = component
            self.local = local
            self.remote = remote
        }
    }

    public var id: ID
    /// Ours: a host candidate, as reflexive ones are checked from their base (RFC 8445 6.1.2.4).
    public var local: ICECandidate
    public var remote: ICECandidate
    public var state = State.frozen
    /// Our check of it carries USE-CANDIDATE.
    var nominates = false
    /// The controlling side chose it, but our own check is not through.
    var isChosenByPeer = false
    var isNominated = false

    package init(_ local: ICECandidate, _ remote: ICECandidate) {
        id = ID(component: local.component, local: local.endpoint, remote: remote.endpoint)
        self.local = local
        self.remote = remote
    }

    var foundation: String { "\(local.foundation):\(remote.foundation)" }

    /// RFC 8445 6.1.2.3.
    package func priority(isControlling: Bool) -> UInt64 {
        let g = UInt64(isControlling ? local.priority : remote.priority)
        let d = UInt64(isControlling ? remote.priority : local.priority)
        return min(g, d) << 32 &+ 2 &* max(g, d) &+ (g > d ? 1 : 0)
    }
}
