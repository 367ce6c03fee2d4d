import Base

/// One connection of a host. Whoever opens one numbers it, below 2^32; those that come in are numbered by the host from 2^32 on.
public struct TCPConnectionID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var value: UInt64

    public init(_ value: UInt64) { self.value = value }

    static let firstAccepted = TCPConnectionID(1 << 32)

    public static func < (a: TCPConnectionID, b: TCPConnectionID) -> Bool { a.value < b.value }
    public var description: String { "#\(value)" }
}

/// What a user asks of a host's TCP (RFC 9293 3.9.1).
public enum TCPCommand: Hashable, Sendable {
    /// Takes connections at a port, on all addresses.
    case listen(UInt16)
    /// Takes no more; those there are stay.
    case unlisten(UInt16)
    /// A port of 0 lets the host choose. A number in use is a mistake of the caller's and is passed over, traced.
    case connect(TCPConnectionID, from: Endpoint, to: Endpoint)
    case send(TCPConnectionID, [UInt8])
    /// No more is sent after what was sent before; what the peer still sends is delivered.
    case close(TCPConnectionID)
    /// Ends it at once with a RST; no `.closed` follows.
    case abort(TCPConnectionID)
    /// Nothing is delivered for the time being: the window closes as the buffer fills.
    case hold(TCPConnectionID)
    case release(TCPConnectionID)
}

/// What a host's TCP tells its user.
public enum TCPEvent: Hashable, Sendable {
    /// A peer's handshake is complete.
    case accepted(TCPConnectionID, local: Endpoint, remote: Endpoint)
    /// Answers `.connect`.
    case connected(TCPConnectionID, local: Endpoint, remote: Endpoint)
    /// In order and once.
    case received(TCPConnectionID, [UInt8])
    /// The peer sends no more; we still may.
    case ended(TCPConnectionID)
    /// The last of a connection, or of the attempt at one.
    case closed(TCPConnectionID, TCPEnd)
}

/// How a connection ended.
public enum TCPEnd: Hashable, Sendable {
    /// A FIN each way, both acknowledged.
    case closed
    /// Nobody listens there.
    case refused
    /// The peer sent a RST.
    case reset
    /// The peer acknowledged nothing for the settings' patience, or never answered the SYN.
    case timedOut
    /// ICMP, or there is no way there at all.
    case unreachable
    /// More was to be sent than the settings' buffer holds.
    case overrun
    /// No place in the table, or no port left.
    case noRoom

    /// For people.
    public var text: String {
        switch self {
        case .closed: "closed"
        case .refused: "connection refused"
        case .reset: "reset by the peer"
        case .timedOut: "timed out"
        case .unreachable: "host unreachable"
        case .overrun: "too much waited to be sent"
        case .noRoom: "no room for another connection"
        }
    }
}

/// What a host's TCP noticed.
public enum TCPTrace: Hashable, Sendable {
    case state(TCPConnectionID, TCPState)
    /// The timer ran out; `timeout` is how long the next wait is.
    case retransmitted(TCPConnectionID, timeout: Duration)
    /// Three duplicate acknowledgments, or a partial one after them (RFC 5681 3.2, RFC 6582).
    case fastRetransmitted(TCPConnectionID)
    case probedWindow(TCPConnectionID)
    case segmentSize(TCPConnectionID, Int)
    /// A segment for no connection; answered by a RST unless it was one.
    case stray(from: Endpoint, to: Endpoint)
    case dropped(from: Endpoint, to: Endpoint, TCPDrop)
}

/// Why a segment was not taken.
public enum TCPDrop: Hashable, Sendable {
    /// Outside the window: an old copy, or a forgery.
    case outsideWindow
    /// Acknowledges what was never sent.
    case acknowledgesUnsent
    /// Would reset or reopen the connection but does not name the very next octet (RFC 5961).
    case challenged
    /// The table is full.
    case noRoom
    /// Given up for a newer handshake.
    case halfOpenOverflow
    /// A command named a number in use.
    case numberInUse
}

/// The states of a connection (RFC 9293 3.3.2).
public enum TCPState: String, Hashable, Sendable {
    case synSent = "SYN-SENT"
    case synReceived = "SYN-RECEIVED"
    case established = "ESTABLISHED"
    case finWait1 = "FIN-WAIT-1"
    case finWait2 = "FIN-WAIT-2"
    case closeWait = "CLOSE-WAIT"
    case closing = "CLOSING"
    case lastACK = "LAST-ACK"
    case timeWait = "TIME-WAIT"
    case closed = "CLOSED"
}
