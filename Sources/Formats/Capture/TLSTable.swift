import Base
import TLS

/// What TLS streams of a capture are read with.
public struct TLSReading: Sendable {
    /// Secrets given beside the capture; those in the file come to them.
    public var keys: TLSKeyLog
    public var primitives: TLSPrimitives
    /// Sessions followed at once; others stay unread and are counted.
    public var sessions: Int

    public init(keys: TLSKeyLog = TLSKeyLog(), primitives: TLSPrimitives, sessions: Int = 4_096) {
        self.keys = keys
        self.primitives = primitives
        self.sessions = sessions
    }
}

/// The TLS sessions under way, by number.
struct TLSTable {
    struct Session {
        var connection = TLSConnection()
        let server: Endpoint
        /// Directions that belong to it.
        var users = 1
        var hasText = false
        /// It was counted among those that are unread.
        var isGivenUp = false
        /// When the first octet was missing, for each side; nil once its stream could be read again.
        var clientGap: Int64?
        var serverGap: Int64?
    }

    var keys: TLSKeyLog
    let primitives: TLSPrimitives
    let most: Int
    var sessions: [Int32: Session] = [:]
    private var next: Int32 = 0

    init(_ reading: TLSReading) {
        keys = reading.keys
        primitives = reading.primitives
        most = reading.sessions
    }

    var hasKeys: Bool { !keys.isEmpty }

    /// nil: there are too many.
    mutating func open(with server: Endpoint) -> Int32? {
        guard sessions.count < most else { return nil }
        while sessions[next] != nil { next = next == .max ? 0 : next + 1 }
        sessions[next] = Session(server: server)
        defer { next = next == .max ? 0 : next + 1 }
        return next
    }
}
