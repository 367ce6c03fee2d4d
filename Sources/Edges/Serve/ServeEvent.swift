import Base
import LinuxEdge
import ServerNode

/// What a running server tells its owner.
public enum ServeEvent: Sendable {
    case server(ServerTrace)
    case listening(String, Endpoint)
    /// The system has no such address family; the other one is served.
    case notListening(Endpoint, SystemError)
    case accounts(Int)
    case restored(Int)
    case sendFailed(Endpoint, SystemError)
    case trouble(String)
    case stopped(ServerCounters)
}
