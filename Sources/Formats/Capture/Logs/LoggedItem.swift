import Base

/// Which program wrote a log, by the way it frames messages.
public enum LogFormat: String, Hashable, Sendable, CaseIterable {
    /// Asterisk chan_sip, `sip set debug on`; also what our own server and phone print.
    case chanSIP = "Asterisk chan_sip"
    case pjsip = "Asterisk pjsip"
    case sofia = "FreeSWITCH sofia"
    case kamailio = "Kamailio sipdump"
    case openSIPS = "OpenSIPS tracer"
    case sngrep = "sngrep"

    /// Written by a server of its own traffic.
    public var isServers: Bool {
        switch self {
        case .pjsip, .sofia, .kamailio, .openSIPS: true
        // Our own phone writes as chan_sip does.
        case .chanSIP, .sngrep: false
        }
    }
}

/// The far end of a message as a log names it: people replace addresses by words, ports mostly stay.
public struct LoggedPeer: Hashable, Sendable, CustomStringConvertible {
    /// As written, without brackets: an address, a name, `<public-ip>`.
    public var host: String
    /// nil when `host` is no address.
    public var address: IPAddress?
    public var port: UInt16?

    public init(host: String, port: UInt16?) {
        self.host = host
        address = IPAddress(host)
        self.port = port
    }

    /// Only with address and port.
    public var endpoint: Endpoint? {
        if let address, let port { Endpoint(address, port) } else { nil }
    }

    public var description: String {
        let shown = address?.uriHost ?? host
        return port.map { "\(shown):\($0)" } ?? shown
    }
}

/// A time in a log.
public struct LoggedTime: Hashable, Sendable {
    public enum Basis: Hashable, Sendable {
        /// Date and time; without a zone it is taken as UTC, so it may be off by the machine's zone.
        case absolute
        /// The year is missing: counted in 1970.
        case noYear
        /// Time of day only: counted from 1970-01-01, a day added each time it jumps back.
        case timeOfDay
    }

    public var instant: Instant
    public var basis: Basis
    /// Nanoseconds that the writing resolves: a second, a millisecond, ...
    public var resolution: Int64

    public init(_ instant: Instant, _ basis: Basis, resolution: Int64) {
        self.instant = instant
        self.basis = basis
        self.resolution = resolution
    }

    /// A time as any of the logs would write it, and nothing else.
    public init?(_ text: String) {
        var clock = LogClock()
        var at = 0
        let bytes = Array(text.utf8)
        guard let time = clock.time(bytes, &at), at == bytes.count else { return nil }
        self = time
    }
}

/// A SIP message out of a log.
public struct LoggedMessage: Hashable, Sendable {
    public enum Direction: Hashable, Sendable {
        case received
        case sent
        /// The how manieth repetition; 0 when the log does not count.
        case retransmitted(Int)
        /// Neither: the log names source and destination (`local` is the source, `remote` the destination).
        case passing
    }

    /// What is wrong with the writing. The octets are kept as they stand.
    public enum Defect: Hashable, Sendable {
        /// No empty line ends the header fields.
        case headersUnended
        /// The body ends before, or goes on after, what Content-Length says.
        case contentLength(said: Int, found: Int)
        /// Quotes or dashes were typographic and were put right.
        case typography
        /// HTML character references were replaced.
        case htmlEntities
        /// "(...skip...)" or the like: the writer left lines out.
        case skipped
        /// A start line or header fields are missing or unreadable.
        case fragmentary
        /// The rule that ends a message is missing: the next one, or the log's end, ended it.
        case unterminated
        /// Longer than is believed; the rest was dropped.
        case tooLong
    }

    /// Lines end in CR LF; typography is put right.
    public var bytes: [UInt8]
    public var direction: Direction
    public var remote: LoggedPeer?
    public var local: LoggedPeer?
    public var transport: PayloadTransport?
    /// Asterisk: `(NAT)` or `(no NAT)`: what is configured for the peer, not what was found.
    public var natConfigured: Bool?
    public var defects: [Defect]
}

/// A line of a log that tells something about SIP without being a message.
public struct LoggedRemark: Hashable, Sendable {
    public enum Meaning: Hashable, Sendable {
        /// "Correct auth, but based on stale nonce": the password is right.
        case staleNonce(from: String)
        /// "Bad authentication received": nonce and digest both wrong.
        case badAuthentication(from: String)
        /// "Duplicate authentication received": a retransmission.
        case duplicateAuthentication(from: String)
        /// "Registration from ... failed for ... - why", "Request ... from ... failed for ... - why".
        case requestFailed(method: String, from: String, remote: LoggedPeer?, callID: String?, reason: String)
        /// "Really destroying SIP dialog".
        case dialogDestroyed(callID: String, method: String)
        /// "Nat keepalive": the message before was only that.
        case keepalive
        /// Anything else that it says of itself or a phone; `about`: a phone, an account, a Call-ID, empty where it names none; `from`: the
        /// host that tried.
        case says(LogSaying, about: String, status: Int? = nil, from: String = "")
        /// Our own view's explanation of the message before it ("=> ...").
        case explanation
        /// A NOTICE, WARNING or ERROR of other meaning.
        case notice
    }

    public var meaning: Meaning
    /// The line without its time and level.
    public var text: String
}

/// One thing read out of a text log, with its place.
public struct LoggedItem: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case message(LoggedMessage)
        case remark(LoggedRemark)
        /// Anything else, a paragraph at a time: a blog's text may name the device.
        case prose(String)
    }

    /// 1-based line of its first line, and of its last.
    public var line: Int
    public var lastLine: Int
    /// Its own time; nil when the log gives none.
    public var time: LoggedTime?
    /// Which program's framing it was read by; nil for prose.
    public var format: LogFormat?
    public var kind: Kind
}
