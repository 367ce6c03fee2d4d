import Base

/// A `sip:` or `sips:` URI (RFC 3261 19.1).
///
/// `==` compares the parts as written (hosts without case); `isEquivalent(to:)` is the comparison of RFC 3261 19.1.4, which is
/// not transitive and therefore unfit for a key.
public struct SIPURI: Hashable, Sendable, CustomStringConvertible {
    public enum Scheme: Hashable, Sendable { case sip, sips }

    public var scheme: Scheme
    @usableFromInline var storage: SharedBytes
    @usableFromInline var userPlace: TextSpan
    @usableFromInline var passwordPlace: TextSpan
    @usableFromInline var hostPlace: HostPlace
    /// Nil where none is written, which differs from writing the default (RFC 3261 19.1.4).
    public var port: UInt16?
    @usableFromInline var parametersPlace: TextSpan
    @usableFromInline var headersPlace: TextSpan

    /// As written, escapes kept.
    public var user: SIPText? {
        @inlinable get { storage.text(userPlace) }
        set { userPlace = storage.keep(newValue) }
    }
    public var password: SIPText? {
        @inlinable get { storage.text(passwordPlace) }
        set { passwordPlace = storage.keep(newValue) }
    }
    public var host: SIPHost {
        @inlinable get { storage.host(hostPlace) }
        set { hostPlace = storage.keep(newValue) }
    }
    public var parameters: SIPParameters {
        get { storage.parameters(parametersPlace) }
        set { parametersPlace = storage.keep(newValue) }
    }
    /// Behind the question mark, without it, as written.
    public var headers: SIPText? {
        @inlinable get { storage.text(headersPlace) }
        set { headersPlace = storage.keep(newValue) }
    }

    public init(
        _ scheme: Scheme = .sip, user: SIPText? = nil, password: SIPText? = nil, host: SIPHost, port: UInt16? = nil,
        parameters: SIPParameters = SIPParameters(), headers: SIPText? = nil
    ) {
        self.scheme = scheme
        self.port = port
        var storage = SharedBytes()
        userPlace = storage.keep(user)
        passwordPlace = storage.keep(password)
        hostPlace = storage.keep(host)
        parametersPlace = storage.keep(parameters)
        headersPlace = storage.keep(headers)
        self.storage = storage
    }

    @inline(__always)
    init(
        _ scheme: Scheme, in bytes: [UInt8], user: TextSpan, password: TextSpan, host: HostPlace, port: UInt16?,
        parameters: TextSpan, headers: TextSpan
    ) {
        self.scheme = scheme
        storage = SharedBytes(bytes)
        userPlace = user
        passwordPlace = password
        hostPlace = host
        self.port = port
        parametersPlace = parameters
        headersPlace = headers
    }

    /// `user` at an endpoint.
    public init(_ scheme: Scheme = .sip, user: SIPText? = nil, at endpoint: Endpoint) {
        self.init(scheme, user: user, host: SIPHost(endpoint.address), port: endpoint.port)
    }

    /// The whole text must be one URI. Offsets of errors are those of the text's bytes.
    public init(parsing text: SIPText) throws(SIPParseError) {
        guard case .sip(let uri) = try SIPURIReference(parsing: text) else {
            throw SIPParseError(.scheme, at: text.range.lowerBound)
        }
        self = uri
    }

    public static func == (a: SIPURI, b: SIPURI) -> Bool {
        a.scheme == b.scheme && a.port == b.port && a.user == b.user && a.password == b.password && a.host == b.host
            && a.parameters == b.parameters && a.headers == b.headers
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(scheme)
        hasher.combine(port)
        hasher.combine(user)
        hasher.combine(host)
        hasher.combine(parameters)
    }

    /// The user without escapes: `%61lice` gives `alice`. Nil where there is none.
    public var unescapedUser: SIPText? { user.map { $0.percentDecoded } }

    /// `lr`: the hop routes loosely (RFC 3261 16.12).
    public var isLooseRoute: Bool { parameters.contains("lr") }

    /// `ob`: reach the contact over its flow (RFC 5626 5.4).
    public var isOutbound: Bool { parameters.contains("ob") }

    /// The `transport` parameter as written.
    public var transport: SIPText? { parameters["transport"] }

    /// The transport asked for, nil where none is named or an unknown one.
    public var knownTransport: SIPTransport? {
        guard let transport else { return nil }
        if transport.equalsCaseless(literal: "udp") { return .udp }
        if transport.equalsCaseless(literal: "tcp") { return scheme == .sips ? .tls : .tcp }
        if transport.equalsCaseless(literal: "tls") { return .tls }
        if transport.equalsCaseless(literal: "ws") { return scheme == .sips ? .wss : .ws }
        if transport.equalsCaseless(literal: "wss") { return .wss }
        return nil
    }

    /// Host and port where the host is an address; the scheme's default port where none is written.
    public var endpoint: Endpoint? {
        host.address.map { Endpoint($0, port ?? (scheme == .sips ? 5061 : 5060)) }
    }

    /// The canonical address-of-record (RFC 3261 10.3 step 5): `sip:`, the user without escapes, the host in small letters;
    /// no port, password, parameters or headers. In bytes of its own, fit for a key.
    public var aor: SIPText {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64)
        bytes.append(ascii: "sip:")
        if let user {
            bytes.append(user.percentDecoded)
            bytes.append(UInt8(ascii: "@"))
        }
        if case .name(let name) = host {
            for byte in name.bytes { bytes.append(asciiLowercased(byte)) }
        } else {
            host.append(to: &bytes)
        }
        return SIPText(bytes)
    }

    /// As text. Unescaped characters that the grammar forbids stay as they are: see `SIPText.escapedUser`.
    public var text: SIPText {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64)
        append(to: &bytes)
        return SIPText(bytes)
    }

    public var description: String { text.string }

    public func append(to bytes: inout [UInt8]) {
        bytes.append(ascii: scheme == .sip ? "sip:" : "sips:")
        if let user {
            bytes.append(user)
            if let password {
                bytes.append(UInt8(ascii: ":"))
                bytes.append(password)
            }
            bytes.append(UInt8(ascii: "@"))
        }
        host.append(to: &bytes)
        if let port {
            bytes.append(UInt8(ascii: ":"))
            bytes.append(decimal: UInt64(port))
        }
        bytes.append(parameters.text)
        if let headers {
            bytes.append(UInt8(ascii: "?"))
            bytes.append(headers)
        }
    }
}

extension Cursor {
    /// What follows `sip:` or `sips:` up to the end of this cursor.
    mutating func sipURI(_ scheme: SIPURI.Scheme, in bytes: [UInt8]) throws(SIPParseError) -> SIPURI {
        var user = TextSpan()
        var password = TextSpan()
        if let sign = place(of: UInt8(ascii: "@")) {
            let start = at
            try skipEscaped(.user, until: sign, else: .userInfo)
            guard at > start else { throw SIPParseError(.userInfo, at: start) }
            user = TextSpan(start, at)
            if skip(UInt8(ascii: ":")) {
                let secret = at
                try skipEscaped(.password, until: sign, else: .userInfo)
                password = TextSpan(secret, at)
            }
            guard at == sign else { throw SIPParseError(.userInfo, at: at) }
            at &+= 1
        }
        let host = try host()
        let port = try port()
        let start = at
        let hasEscapedName = try uriParameters()
        let parameters = at > start ? TextSpan(start, at) : TextSpan()
        var headers = TextSpan()
        if skip(UInt8(ascii: "?")) {
            let start = at
            try uriHeaders()
            headers = TextSpan(start, at)
        }
        guard isAtEnd else { throw SIPParseError(.uri, at: at) }
        let uri = SIPURI(
            scheme, in: bytes, user: user, password: password, host: host, port: port, parameters: parameters,
            headers: headers)
        guard hasEscapedName else { return uri }
        var plain = uri
        plain.parameters = uri.parameters.withPlainNames
        return plain
    }

    /// Skips `set` and escapes up to `limit`, stopping before what is neither.
    @inline(__always)
    mutating func skipEscaped(
        _ set: ByteSet, until limit: Int, else reason: SIPParseError.Reason
    ) throws(SIPParseError) {
        while true {
            at = endOfRun(of: set, from: at, limit)
            guard at < limit, base[at] == UInt8(ascii: "%") else { return }
            guard at &+ 2 < limit, hexDigit(base[at &+ 1]) != nil, hexDigit(base[at &+ 2]) != nil else {
                throw SIPParseError(.escape, at: at)
            }
            at &+= 3
        }
    }

    /// `*( ";" pname [ "=" pvalue ] )`; true where a name holds an escape.
    mutating func uriParameters() throws(SIPParseError) -> Bool {
        var hasEscapedName = false
        while skip(UInt8(ascii: ";")) {
            let name = at
            skip(.uriParameter)
            if peek == UInt8(ascii: "%") {
                hasEscapedName = true
                try skipEscaped(.uriParameter, until: end, else: .parameter)
            }
            guard at > name else { throw SIPParseError(.parameter, at: name) }
            if skip(UInt8(ascii: "=")) {
                let value = at
                try skipEscaped(.uriParameter, until: end, else: .parameter)
                guard at > value else { throw SIPParseError(.parameter, at: value) }
            }
        }
        return hasEscapedName
    }

    private mutating func uriHeaders() throws(SIPParseError) {
        repeat {
            let name = at
            try skipEscaped(.uriHeader, until: end, else: .uriHeaders)
            guard at > name, skip(UInt8(ascii: "=")) else { throw SIPParseError(.uriHeaders, at: at) }
            try skipEscaped(.uriHeader, until: end, else: .uriHeaders)
        } while skip(UInt8(ascii: "&"))
    }
}
