import Base
import DNS

/// What became of a look-up.
public enum DNSAnswer: Hashable, Sendable {
    /// Records of the type asked for, at the end of any chain of CNAME records.
    case records([DNSRecord])
    /// The name exists, the type does not.
    case noData
    /// NXDOMAIN: nothing has this name.
    case nameError
    case failed(DNSFailure)

    /// The records, or none.
    public var records: [DNSRecord] { if case .records(let records) = self { records } else { [] } }
}

/// Why a look-up told nothing.
public enum DNSFailure: Error, Hashable, Sendable {
    /// No server answered in time.
    case timedOut
    /// The last server's refusal.
    case refused(DNSResponseCode)
    /// CNAME records lead in a circle or too far.
    case aliasLoop
    /// A truncated answer, and the stream that should have brought the whole one failed.
    case streamFailed
    case noServers
    /// As many look-ups run as are allowed.
    case tooMany
    case cancelled
}
