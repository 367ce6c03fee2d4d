/// `name-addr` or `addr-spec` with header parameters: the stuff of From, To, Contact, Route, Path, Refer-To (RFC 3261 20.10).
public struct NameAddress: Hashable, Sendable, CustomStringConvertible {
    @usableFromInline var storage: SharedBytes
    @usableFromInline var displayNamePlace: TextSpan
    @usableFromInline var uriPlace: TextSpan
    @usableFromInline var parametersPlace: TextSpan
    /// Nil for parameters that no parser walked.
    @usableFromInline var known: AddressParameterPlaces?
    public var uri: SIPURIReference

    /// As written, quotes included; nil where there is none.
    public var displayName: SIPText? {
        @inlinable get { storage.text(displayNamePlace) }
        set { displayNamePlace = storage.keep(newValue) }
    }
    /// The URI as written in the message; for values made by hand the same as `uri.text`.
    public var uriText: SIPText { storage.text(uriPlace) ?? uri.text }
    /// Header parameters, those behind the closing angle bracket.
    public var parameters: SIPParameters {
        get { storage.parameters(parametersPlace) }
        set {
            known = nil
            parametersPlace = storage.keep(newValue)
        }
    }

    public init(displayName: SIPText? = nil, _ uri: SIPURIReference, parameters: SIPParameters = SIPParameters()) {
        self.uri = uri
        var storage = SharedBytes()
        displayNamePlace = storage.keep(displayName)
        uriPlace = TextSpan()
        parametersPlace = storage.keep(parameters)
        self.storage = storage
    }

    public init(displayName: SIPText? = nil, _ uri: SIPURI, tag: SIPText? = nil) {
        self.init(displayName: displayName, .sip(uri))
        self.tag = tag
    }

    /// The whole text must be one address.
    public init(parsing text: SIPText) throws(SIPParseError) {
        self = try text.withCursor { (cursor, bytes) throws(SIPParseError) -> NameAddress in
            let address = try cursor.nameAddress(in: bytes)
            guard cursor.isAtEnd else { throw SIPParseError(.unexpected, at: cursor.at) }
            return address
        }
    }

    @inline(__always)
    init(
        in bytes: [UInt8], displayName: TextSpan, uri: SIPURIReference, uriText: TextSpan, parameters: TextSpan,
        known: AddressParameterPlaces
    ) {
        storage = SharedBytes(bytes)
        displayNamePlace = displayName
        self.uri = uri
        uriPlace = uriText
        parametersPlace = parameters
        self.known = known
    }

    public static func == (a: NameAddress, b: NameAddress) -> Bool {
        a.displayName == b.displayName && a.uri == b.uri && a.parameters == b.parameters
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(displayName)
        hasher.combine(uri)
        hasher.combine(parameters)
    }

    /// Of From and To; setting nil takes it out.
    public var tag: SIPText? {
        @inlinable get { parameter(known?.tag, "tag") }
        set {
            if let newValue { parameters.set("tag", newValue) } else { parameters.remove("tag") }
        }
    }

    /// Of a Contact, in seconds; nil where it is absent or no number, which counts as absent (RFC 3261 10.3). Numbers too
    /// large for 32 bits count as the largest.
    @inlinable public var expires: UInt32? { parameter(known?.expires, "expires")?.saturatedDecimal }

    /// Of a Contact, in thousandths; nil where it is absent, which counts as 1000.
    @inlinable public var q: Int? { parameter(known?.q, "q")?.thousandths }

    /// `+sip.instance` without its quotes (RFC 5626 4.1): `<urn:uuid:...>`.
    @inlinable public var instanceID: SIPText? { parameter(known?.instance, "+sip.instance")?.unquoted }

    /// `reg-id` (RFC 5626 4.2): 1 to 2^31 - 1.
    @inlinable public var regID: UInt32? {
        guard let value = parameter(known?.regID, "reg-id")?.decimal, value > 0, value < 1 << 31 else { return nil }
        return value
    }

    /// The value of a parameter of which the parser noted the place, or that has to be looked for.
    @inlinable @inline(__always)
    func parameter(_ place: ParameterPlace?, _ name: StaticString) -> SIPText? {
        guard let place else { return parameters[name] }
        return storage.text(place.value)
    }

    /// The URI in angle brackets, always: that is right in every place.
    public var text: SIPText {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return SIPText(bytes)
    }

    public var description: String { text.string }

    public func append(to bytes: inout [UInt8]) {
        if let displayName {
            bytes.append(displayName)
            bytes.append(UInt8(ascii: " "))
        }
        bytes.append(UInt8(ascii: "<"))
        uri.append(to: &bytes)
        bytes.append(UInt8(ascii: ">"))
        bytes.append(parameters.text)
    }
}

extension SIPText {
    /// The number, `UInt32.max` where it is larger; nil where the text is no number.
    @usableFromInline var saturatedDecimal: UInt32? {
        guard !isEmpty else { return nil }
        return reading { cursor in
            var value: UInt64 = 0
            while !cursor.isAtEnd {
                guard cursor.peek &- 0x30 <= 9 else { return nil }
                value = min(value &* 10 &+ UInt64(cursor.peek &- 0x30), UInt64(UInt32.max))
                cursor.at &+= 1
            }
            return UInt32(truncatingIfNeeded: value)
        }
    }

    /// `qvalue` (RFC 3261 25.1): 0 to 1 with at most three decimals.
    @usableFromInline var thousandths: Int? {
        guard let first = self[0], first == 0x30 || first == 0x31, count <= 5 else { return nil }
        guard count == 1 || self[1] == UInt8(ascii: ".") else { return nil }
        var value = Int(first - 0x30)
        for index in 2..<5 {
            let digit = (self[index] ?? 0x30) &- 0x30
            guard digit <= 9 else { return nil }
            value = value * 10 + Int(digit)
        }
        return value <= 1000 ? value : nil
    }
}

extension Cursor {
    /// One address with its parameters; stops at the comma or at the end.
    mutating func nameAddress(in bytes: [UInt8]) throws(SIPParseError) -> NameAddress {
        skipWhitespace()
        let start = at
        var displayName = TextSpan()
        if peek == UInt8(ascii: "\"") {
            guard skipQuotedString() else { throw SIPParseError(.quote, at: start) }
            displayName = TextSpan(start, at)
            skipWhitespace()
            guard peek == UInt8(ascii: "<") else { throw SIPParseError(.angleBracket, at: at) }
        } else if peek != UInt8(ascii: "<") {
            var last = at
            while at < end {
                if isIn(.token, base[at]) {
                    at &+= 1
                    last = at
                } else if isIn(.whitespace, base[at]) {
                    at &+= 1
                } else {
                    break
                }
            }
            if peek == UInt8(ascii: "<") {
                displayName = last > start ? TextSpan(start, last) : TextSpan()
            } else {
                guard peek == UInt8(ascii: ":") else { throw SIPParseError(.displayName, at: at) }
                at = start
                return try bareAddress(in: bytes)
            }
        }
        at &+= 1
        guard let close = place(of: UInt8(ascii: ">")) else { throw SIPParseError(.angleBracket, at: at &- 1) }
        let uriText = TextSpan(at, close)
        let uri = try uri(upTo: close, in: bytes)
        at = close &+ 1
        var known = AddressParameterPlaces()
        let parameters = try headerParameters(&known)
        return NameAddress(
            in: bytes, displayName: displayName, uri: uri, uriText: uriText, parameters: parameters, known: known)
    }

    /// `addr-spec`: without brackets, every parameter belongs to the header, and a URI with `?` or a comma is wrong.
    private mutating func bareAddress(in bytes: [UInt8]) throws(SIPParseError) -> NameAddress {
        let start = at
        while at < end, !isIn(.uriEnd, base[at]) { at &+= 1 }
        guard peek != UInt8(ascii: "?"), peek != UInt8(ascii: ">") else { throw SIPParseError(.angleBracket, at: at) }
        let close = at
        at = start
        let uri = try uri(upTo: close, in: bytes)
        at = close
        var known = AddressParameterPlaces()
        let parameters = try headerParameters(&known)
        return NameAddress(
            in: bytes, displayName: TextSpan(), uri: uri, uriText: TextSpan(start, close), parameters: parameters,
            known: known)
    }

    @inline(__always)
    private mutating func uri(upTo close: Int, in bytes: [UInt8]) throws(SIPParseError) -> SIPURIReference {
        let outer = end
        end = close
        defer { end = outer }
        return try uri(in: bytes)
    }

    /// `*( SEMI generic-param )`, up to a comma or the end.
    @inline(__always)
    mutating func headerParameters(_ record: inout some ParameterRecord) throws(SIPParseError) -> TextSpan {
        // A copy that lives in registers.
        var cursor = self
        var start = -1
        var last = cursor.at
        while true {
            var next = cursor.at
            while next < cursor.end, cursor.base[next] == 0x20 || cursor.base[next] == 0x09 { next &+= 1 }
            guard next < cursor.end, cursor.base[next] == UInt8(ascii: ";") else {
                cursor.at = next
                break
            }
            if start < 0 { start = next }
            cursor.at = next &+ 1
            cursor.skipWhitespace()
            let name = cursor.at
            cursor.skip(.token)
            guard cursor.at > name else { throw SIPParseError(.parameter, at: name) }
            let nameEnd = cursor.at
            last = cursor.at
            if cursor.skipSeparator(UInt8(ascii: "=")) {
                let value = cursor.at
                if cursor.peek == UInt8(ascii: "\"") {
                    guard cursor.skipQuotedString() else { throw SIPParseError(.quote, at: value) }
                } else {
                    cursor.skip(.parameterValue)
                    guard cursor.at > value else { throw SIPParseError(.parameter, at: value) }
                }
                last = cursor.at
                record.note(cursor, name..<nameEnd, TextSpan(value, cursor.at))
            } else {
                record.note(cursor, name..<nameEnd, nil)
            }
        }
        guard cursor.at == cursor.end || cursor.base[cursor.at] == UInt8(ascii: ",") else {
            throw SIPParseError(.unexpected, at: cursor.at)
        }
        at = cursor.at
        return start < 0 ? TextSpan() : TextSpan(start, last)
    }
}
