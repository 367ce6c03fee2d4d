import Base

/// One value of Via: where a request came through and where its response goes (RFC 3261 20.42, RFC 3581).
public struct Via: Hashable, Sendable, CustomStringConvertible {
    /// `rport` (RFC 3581): absent, asked for, or filled in.
    public enum ResponsePort: Hashable, Sendable {
        case absent
        case requested
        case port(UInt16)
    }

    @usableFromInline var storage: SharedBytes
    @usableFromInline var transportPlace: TextSpan
    @usableFromInline var hostPlace: HostPlace
    public var port: UInt16?
    @usableFromInline var parametersPlace: TextSpan
    @usableFromInline var writtenPlace: TextSpan
    /// Nil for parameters that no parser walked.
    @usableFromInline var known: ViaParameterPlaces?

    /// As written: `UDP`, `TCP`, ...
    public var transport: SIPText {
        @inlinable get { storage.text(transportPlace) ?? SIPText() }
        set { transportPlace = storage.keep(newValue) }
    }
    public var host: SIPHost {
        @inlinable get { storage.host(hostPlace) }
        set { hostPlace = storage.keep(newValue) }
    }
    /// From the first semicolon on.
    public var parameters: SIPParameters {
        get { storage.parameters(parametersPlace) }
        set {
            known = nil
            parametersPlace = storage.keep(newValue)
        }
    }
    /// The value as it stands in the message; empty for values made by hand.
    public var written: SIPText { storage.text(writtenPlace) ?? SIPText() }

    public init(_ transport: SIPTransport, host: SIPHost, port: UInt16?, branch: SIPText, rport: Bool = true) {
        var parameters = SIPParameters([SIPParameter("branch", branch)])
        if rport { parameters.append("rport") }
        var storage = SharedBytes()
        transportPlace = storage.keep(SIPText(transport.viaToken))
        hostPlace = storage.keep(host)
        self.port = port
        parametersPlace = storage.keep(parameters)
        writtenPlace = TextSpan()
        self.storage = storage
    }

    /// The whole text must be one value.
    public init(parsing text: SIPText) throws(SIPParseError) {
        self = try text.withCursor { (cursor, bytes) throws(SIPParseError) -> Via in
            let via = try cursor.via(in: bytes)
            guard cursor.isAtEnd else { throw SIPParseError(.unexpected, at: cursor.at) }
            return via
        }
    }

    @inline(__always)
    init(
        in bytes: [UInt8], transport: TextSpan, host: HostPlace, port: UInt16?, parameters: TextSpan, written: TextSpan,
        known: ViaParameterPlaces
    ) {
        storage = SharedBytes(bytes)
        transportPlace = transport
        hostPlace = host
        self.port = port
        parametersPlace = parameters
        writtenPlace = written
        self.known = known
    }

    /// Equal in all parts; as it was `written` does not count.
    public static func == (a: Via, b: Via) -> Bool {
        a.transport == b.transport && a.host == b.host && a.port == b.port && a.parameters == b.parameters
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(transport)
        hasher.combine(host)
        hasher.combine(port)
        hasher.combine(parameters)
    }

    public var knownTransport: SIPTransport? {
        let transport = transport
        if transport.equalsCaseless(literal: "UDP") { return .udp }
        if transport.equalsCaseless(literal: "TCP") { return .tcp }
        if transport.equalsCaseless(literal: "TLS") { return .tls }
        if transport.equalsCaseless(literal: "WS") { return .ws }
        if transport.equalsCaseless(literal: "WSS") { return .wss }
        return nil
    }

    @inlinable public var branch: SIPText? {
        guard let known else { return parameters["branch"] }
        return storage.text(known.branch.value)
    }

    /// Whether the branch begins with the magic cookie and goes on, i.e. identifies the transaction (RFC 3261 8.1.1.7).
    public var hasUniqueBranch: Bool {
        guard let branch, branch.count > 7 else { return false }
        return branch.part(0..<7).equalsCaseless(literal: "z9hG4bK")
    }

    /// The address that the request came from, filled in by the next element; nil where absent or no address.
    @inlinable public var received: IPAddress? {
        if let known, !known.received.isThere { return nil }
        return readReceived
    }

    @usableFromInline var readReceived: IPAddress? {
        let value = if let known { storage.text(known.received.value) } else { parameters["received"] }
        guard let text = value, let host = SIPHost(text) ?? SIPHost("[\(text)]") else { return nil }
        return host.address
    }

    @inlinable public var rport: ResponsePort {
        var text: SIPText?
        if let known {
            guard known.rport.isThere else { return .absent }
            text = storage.text(known.rport.value)
        } else {
            guard let place = parameters.find("rport") else { return .absent }
            text = place.value
        }
        guard let value = text?.decimal, value <= 65_535 else { return .requested }
        return .port(UInt16(value))
    }

    public var maddr: SIPHost? { parameters["maddr"].flatMap { SIPHost($0) } }

    public var ttl: UInt8? { parameters["ttl"]?.decimal.flatMap { UInt8(exactly: $0) } }

    /// sent-by, with the transport's default port where none is written; nil for a host name.
    public var sentBy: Endpoint? {
        host.address.map { Endpoint($0, port ?? knownTransport?.defaultPort ?? 5060) }
    }

    public var text: SIPText {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return SIPText(bytes)
    }

    public var description: String { text.string }

    public func append(to bytes: inout [UInt8]) {
        bytes.append(ascii: "SIP/2.0/")
        bytes.append(transport)
        bytes.append(UInt8(ascii: " "))
        host.append(to: &bytes)
        if let port {
            bytes.append(UInt8(ascii: ":"))
            bytes.append(decimal: UInt64(port))
        }
        bytes.append(parameters.text)
    }
}

extension Cursor {
    /// One value; stops at the comma or at the end.
    mutating func via(in bytes: [UInt8]) throws(SIPParseError) -> Via {
        skipWhitespace()
        let start = at
        // protocol-name and protocol-version: any token, "SIP" and "2.0" in our days.
        for _ in 0..<2 {
            let part = at
            skip(.token)
            guard at > part, skipSeparator(UInt8(ascii: "/")) else { throw SIPParseError(.token, at: at) }
        }
        let transport = at
        skip(.token)
        let transportEnd = at
        guard at > transport, isIn(.whitespace, peek) else { throw SIPParseError(.token, at: transport) }
        skipWhitespace()
        let host = try host()
        let port = try port(spaced: true)
        let bare = at
        var known = ViaParameterPlaces()
        let parameters = try headerParameters(&known)
        return Via(
            in: bytes, transport: TextSpan(transport, transportEnd), host: host, port: port, parameters: parameters,
            written: TextSpan(start, parameters.isPresent ? Int(parameters.upper) : bare), known: known)
    }
}
