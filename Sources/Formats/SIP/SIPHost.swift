import Base

/// The host of a URI or a Via: an address or a name (RFC 3261 25.1).
public enum SIPHost: Hashable, Sendable, CustomStringConvertible {
    case ipv4(IPv4Address)
    case ipv6(IPv6Address)
    /// As spelt; compared without case.
    case name(SIPText)

    public init(_ address: IPAddress) {
        switch address {
        case .v4(let v4): self = .ipv4(v4)
        case .v6(let v6): self = .ipv6(v6)
        }
    }

    /// An address, an IPv6 reference in brackets, or a name; nil if `text` is none of these.
    public init?(_ text: SIPText) {
        let host: SIPHost? = text.reading { cursor in
            guard let place = try? cursor.host(), cursor.isAtEnd else { return nil }
            return SharedBytes(text.storage).host(place)
        }
        guard let host else { return nil }
        self = host
    }

    /// The address, nil for a name.
    public var address: IPAddress? {
        switch self {
        case .ipv4(let v4): .v4(v4)
        case .ipv6(let v6): .v6(v6)
        case .name: nil
        }
    }

    public static func == (a: SIPHost, b: SIPHost) -> Bool {
        switch (a, b) {
        case (.ipv4(let x), .ipv4(let y)): x == y
        case (.ipv6(let x), .ipv6(let y)): x == y
        case (.name(let x), .name(let y)): x.equalsCaseless(y)
        case (.ipv4, _), (.ipv6, _), (.name, _): false
        }
    }

    public func hash(into hasher: inout Hasher) {
        switch self {
        case .ipv4(let v4): hasher.combine(v4)
        case .ipv6(let v6): hasher.combine(v6)
        case .name(let name): name.hashCaseless(into: &hasher)
        }
    }

    public var description: String {
        switch self {
        case .ipv4(let v4): v4.description
        case .ipv6(let v6): "[\(v6)]"
        case .name(let name): name.string
        }
    }

    /// As it stands in a URI.
    public func append(to bytes: inout [UInt8]) {
        switch self {
        case .ipv4(let v4):
            let (a, b, c, d) = v4.octets
            bytes.append(decimal: UInt64(a))
            for part in [b, c, d] {
                bytes.append(UInt8(ascii: "."))
                bytes.append(decimal: UInt64(part))
            }
        case .ipv6: bytes.append(contentsOf: description.utf8)
        case .name(let name): bytes.append(name)
        }
    }
}

extension Cursor {
    /// `host` (RFC 3261 25.1).
    mutating func host() throws(SIPParseError) -> HostPlace {
        let start = at
        if peek == UInt8(ascii: "[") {
            guard let close = place(of: UInt8(ascii: "]")), close &- start <= 48,
                let address = IPv6Address(utf8: UnsafeBufferPointer(start: base + start + 1, count: close - start - 1))
            else { throw SIPParseError(.host, at: start) }
            at = close &+ 1
            return .ipv6(address)
        }
        if peek &- 0x30 <= 9, let address = ipv4() { return .ipv4(address) }
        at = start
        // Labels are not empty, a final dot apart, do not begin or end with a hyphen, and the last starts with a letter.
        var label = start
        var last = start
        while true {
            at = endOfRun(of: .hostLabel, from: at, end)
            guard peek == UInt8(ascii: ".") else { break }
            try checkLabel(label, at)
            last = label
            at &+= 1
            label = at
        }
        guard at > start else { throw SIPParseError(.host, at: start) }
        if label < at {
            try checkLabel(label, at)
            last = label
        }
        guard base[last] &- 0x30 > 9 else { throw SIPParseError(.host, at: last) }
        return .name(TextSpan(start, at))
    }

    @inline(__always)
    private func checkLabel(_ from: Int, _ to: Int) throws(SIPParseError) {
        guard from < to, base[from] != UInt8(ascii: "-"), base[to &- 1] != UInt8(ascii: "-") else {
            throw SIPParseError(.host, at: from)
        }
    }

    /// Four decimal parts of one to three digits (RFC 3261 25.1 allows leading zeros).
    private mutating func ipv4() -> IPv4Address? {
        var bits: UInt32 = 0
        for part in 0..<4 {
            if part > 0 { guard skip(UInt8(ascii: ".")) else { return nil } }
            var value: UInt32 = 0
            let start = at
            while at < end, base[at] &- 0x30 <= 9, at &- start < 3 {
                value = value &* 10 &+ UInt32(base[at] &- 0x30)
                at &+= 1
            }
            guard at > start, value <= 255 else { return nil }
            bits = bits << 8 | value
        }
        guard !isIn(.hostName, peek) else { return nil }
        return IPv4Address(bits: bits)
    }

    /// `:port` behind a host, white space around the colon only where `spaced`; nil where there is none.
    @inline(__always)
    mutating func port(spaced: Bool = false) throws(SIPParseError) -> UInt16? {
        let start = at
        guard spaced ? skipSeparator(UInt8(ascii: ":")) : skip(UInt8(ascii: ":")) else { return nil }
        let digits = at
        let value = try decimal(.port)
        guard value <= 65_535, at &- digits <= 5 else { throw SIPParseError(.port, at: start) }
        return UInt16(truncatingIfNeeded: value)
    }

    /// Digits; above `UInt32.max` is `.numberTooLarge`, no digit at all is `reason`.
    @inline(__always)
    mutating func decimal(_ reason: SIPParseError.Reason) throws(SIPParseError) -> UInt32 {
        let start = at
        var value: UInt64 = 0
        while at < end, base[at] &- 0x30 <= 9 {
            value = value &* 10 &+ UInt64(base[at] &- 0x30)
            guard value <= UInt64(UInt32.max) else { throw SIPParseError(.numberTooLarge, at: start) }
            at &+= 1
        }
        guard at > start else { throw SIPParseError(reason, at: start) }
        return UInt32(truncatingIfNeeded: value)
    }
}
