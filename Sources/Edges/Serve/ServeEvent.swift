import Base
import LinuxEdge
import Media
import Recording
import ServerNode
import Streams

/// What a running server tells its owner.
public enum ServeEvent: Sendable {
    case server(ServerTrace)
    case listening(String, Endpoint)
    /// The system has no such address family, or nobody asked for this one by name; the others are served. The text says why.
    case notListening(String, Endpoint, String)
    /// The certificate of TLS and WSS: where it lies (nil: nowhere) and its SHA-256 fingerprint.
    case certificate(file: String?, fingerprint: String)
    /// How many streams can be carried at once; fewer than the range holds where other programs have ports of it.
    /// `codecs`: what rooms speak, best first. `speaks`: announcements are spoken, not given in Morse.
    case media(ports: Int, of: ClosedRange<UInt16>, codecs: [String], speaks: Bool)
    /// media.source is any.
    case believesAnyone
    case recording(RecordingReport)
    case connected(FlowID)
    case disconnected(FlowID, StreamCloseReason)
    case accounts(Int)
    /// Something that works otherwise than whoever set it up may think.
    case warning(String)
    /// Where accounts and bindings are kept; nil: nowhere.
    case database(String?)
    case restored(Int)
    /// Somebody set the system's clock.
    case clockSet(by: Duration)
    case sendFailed(Endpoint, SystemError)
    /// No call begins any more; those that run get so much time.
    case draining(calls: Int, for: Duration)
    /// The configuration was read again: which keys changed.
    case reloaded([String])
    case trouble(String)
    /// A trouble is over.
    case relief(String)
    case stopped(ServerCounters, StreamCounters, [MediaCounters])
}
