/// An IPv4 address as a host-order integer.
public struct IPv4Address: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var bits: UInt32

    public init(bits: UInt32) { self.bits = bits }

    public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
        bits = UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
    }

    /// Dotted decimal, four parts, no leading zeros beyond a single digit's worth (RFC 3986 3.2.2); nil if `text` is anything else.
    public init?(_ text: some StringProtocol) {
        self.init(utf8: text.utf8)
    }

    /// The same over raw text bytes.
    public init?(utf8 text: some Sequence<UInt8>) {
        var parts = 0
        var value: UInt32 = 0
        var digits = 0
        var bits: UInt32 = 0
        for byte in text {
            if byte == UInt8(ascii: ".") {
                guard digits > 0, parts < 3 else { return nil }
                bits = bits << 8 | value
                parts += 1
                value = 0
                digits = 0
            } else {
                guard byte >= 0x30, byte <= 0x39, digits < 3, !(digits == 1 && value == 0) else { return nil }
                value = value * 10 + UInt32(byte - 0x30)
                digits += 1
                guard value <= 255 else { return nil }
            }
        }
        guard parts == 3, digits > 0 else { return nil }
        self.bits = bits << 8 | value
    }

    public static func < (a: IPv4Address, b: IPv4Address) -> Bool { a.bits < b.bits }

    public static let any = IPv4Address(bits: 0)
    public static let loopback = IPv4Address(127, 0, 0, 1)

    /// The four octets, network order.
    public var octets: (UInt8, UInt8, UInt8, UInt8) {
        (
            UInt8(truncatingIfNeeded: bits >> 24), UInt8(truncatingIfNeeded: bits >> 16),
            UInt8(truncatingIfNeeded: bits >> 8), UInt8(truncatingIfNeeded: bits)
        )
    }

    public var description: String {
        let (a, b, c, d) = octets
        return "\(a).\(b).\(c).\(d)"
    }
}

/// An IPv6 address as two host-order halves. Zone identifiers are the edges' business.
public struct IPv6Address: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// RFC 4291 2.2 text forms, `::` and an embedded IPv4 tail included; nil if `text` is anything else (brackets and zones too).
    public init?(_ text: some StringProtocol) {
        self.init(utf8: Array(text.utf8))
    }

    /// The same over raw text bytes.
    public init?(utf8 text: some Collection<UInt8>) {
        var groups: [UInt16] = []
        var gap: Int?
        var index = text.startIndex
        let end = text.endIndex
        let colon = UInt8(ascii: ":")
        if index != end, text[index] == colon {
            let next = text.index(after: index)
            guard next != end, text[next] == colon else { return nil }
            gap = 0
            index = text.index(after: next)
        }
        while index != end {
            guard groups.count < 8 else { return nil }
            let partEnd = text[index...].firstIndex(of: colon) ?? end
            let part = text[index..<partEnd]
            if partEnd == end, part.contains(UInt8(ascii: ".")) {
                guard groups.count <= 6, let v4 = IPv4Address(utf8: part) else { return nil }
                groups.append(UInt16(v4.bits >> 16))
                groups.append(UInt16(v4.bits & 0xffff))
                index = end
                break
            }
            guard part.count >= 1, part.count <= 4 else { return nil }
            var value: UInt16 = 0
            for byte in part {
                guard let digit = hexDigit(byte) else { return nil }
                value = value << 4 | UInt16(digit)
            }
            groups.append(value)
            index = partEnd
            guard index != end else { break }
            index = text.index(after: index)
            guard index != end else { return nil }
            if text[index] == colon {
                guard gap == nil else { return nil }
                gap = groups.count
                index = text.index(after: index)
            }
        }
        if let gap {
            guard groups.count <= 7 else { return nil }
            groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
        }
        guard groups.count == 8 else { return nil }
        high = groups[0..<4].reduce(0) { $0 << 16 | UInt64($1) }
        low = groups[4..<8].reduce(0) { $0 << 16 | UInt64($1) }
    }

    public static func < (a: IPv6Address, b: IPv6Address) -> Bool { (a.high, a.low) < (b.high, b.low) }

    public static let any = IPv6Address(high: 0, low: 0)
    public static let loopback = IPv6Address(high: 0, low: 1)

    /// `::ffff:a.b.c.d` seen as its IPv4 address; nil for every other address.
    public var mappedIPv4: IPv4Address? {
        high == 0 && low >> 32 == 0xffff ? IPv4Address(bits: UInt32(truncatingIfNeeded: low)) : nil
    }

    public init(mapping address: IPv4Address) {
        high = 0
        low = 0xffff_0000_0000 | UInt64(address.bits)
    }

    /// Sixteen octets, network order.
    public var octets: [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: high >> UInt64(56 - 8 * $0)) }
            + (0..<8).map { UInt8(truncatingIfNeeded: low >> UInt64(56 - 8 * $0)) }
    }

    /// The eight groups, first to last.
    public var groups: [UInt16] {
        (0..<4).map { UInt16(truncatingIfNeeded: high >> UInt64(48 - 16 * $0)) }
            + (0..<4).map { UInt16(truncatingIfNeeded: low >> UInt64(48 - 16 * $0)) }
    }

    /// RFC 5952: lower case, the longest run of zero groups compressed, an IPv4-mapped tail dotted.
    public var description: String {
        if let v4 = mappedIPv4 { return "::ffff:\(v4)" }
        let groups = self.groups
        var best = 0..<0
        var run = 0..<0
        for (index, group) in groups.enumerated() {
            run = group == 0 ? (run.isEmpty ? index : run.lowerBound)..<(index + 1) : 0..<0
            if run.count > best.count { best = run }
        }
        func join(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard best.count >= 2 else { return join(groups[...]) }
        return "\(join(groups[..<best.lowerBound]))::\(join(groups[best.upperBound...]))"
    }
}

/// An address of either family.
public enum IPAddress: Hashable, Comparable, Sendable, CustomStringConvertible {
    case v4(IPv4Address)
    case v6(IPv6Address)

    /// Either text form, without brackets; nil if it is neither.
    public init?(_ text: some StringProtocol) {
        self.init(utf8: Array(text.utf8))
    }

    /// The same over raw text bytes.
    public init?(utf8 text: some Collection<UInt8>) {
        if let v4 = IPv4Address(utf8: text) {
            self = .v4(v4)
        } else if let v6 = IPv6Address(utf8: text) {
            self = .v6(v6)
        } else {
            return nil
        }
    }

    public var isIPv6: Bool { if case .v6 = self { true } else { false } }

    /// `0.0.0.0` or `::`.
    public var isUnspecified: Bool {
        switch self {
        case .v4(let v4): v4.bits == 0
        case .v6(let v6): v6.high == 0 && v6.low == 0
        }
    }

    /// Addresses a public host cannot answer to: RFC 1918, RFC 6598 (100.64/10), link-local, loopback, ULA (fc00::/7), unspecified.
    public var isPrivate: Bool {
        switch self {
        case .v4(let v4):
            let a = v4.bits >> 24
            let top16 = v4.bits >> 16
            return a == 10 || a == 127 || a == 0 || v4.bits >> 20 == 0xac1 || top16 == 0xc0a8 || top16 == 0xa9fe
                || v4.bits >> 22 == 0x191
        case .v6(let v6):
            if let v4 = v6.mappedIPv4 { return IPAddress.v4(v4).isPrivate }
            return v6.high >> 57 == 0x7e || v6.high >> 54 == 0x3fa || (v6.high == 0 && v6.low <= 1)
        }
    }

    public static func < (a: IPAddress, b: IPAddress) -> Bool {
        switch (a, b) {
        case (.v4(let x), .v4(let y)): x < y
        case (.v6(let x), .v6(let y)): x < y
        case (.v4, .v6): true
        case (.v6, .v4): false
        }
    }

    public var description: String {
        switch self {
        case .v4(let v4): v4.description
        case .v6(let v6): v6.description
        }
    }

    /// As it stands in a URI: an IPv6 address in brackets (RFC 3986 3.2.2).
    public var uriHost: String { isIPv6 ? "[\(description)]" : description }
}

/// A range of addresses that share their first `length` bits.
public struct IPPrefix: Hashable, Sendable, CustomStringConvertible {
    public var address: IPAddress
    /// 0...32 for IPv4, 0...128 for IPv6.
    public var length: Int

    public init(_ address: IPAddress, length: Int) {
        precondition(length >= 0 && length <= (address.isIPv6 ? 128 : 32), "a prefix length outside its family's range")
        self.address = address
        self.length = length
    }

    /// `192.168.1.0/24`, or a bare address meaning that one host; nil if `text` is neither.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let address = IPAddress(parts[0]) else { return nil }
        let most = address.isIPv6 ? 128 : 32
        guard let length = parts.count == 2 ? Int(parts[1]) : most, (0...most).contains(length) else { return nil }
        self.address = address
        self.length = length
    }

    public func contains(_ other: IPAddress) -> Bool {
        switch (address, other) {
        case (.v4(let a), .v4(let b)):
            return length == 0 || (a.bits ^ b.bits) >> UInt32(32 - length) == 0
        case (.v6(let a), .v6(let b)):
            if length == 0 { return true }
            if length <= 64 { return (a.high ^ b.high) >> UInt64(64 - length) == 0 }
            return a.high == b.high && (a.low ^ b.low) >> UInt64(128 - length) == 0
        case (.v4, .v6), (.v6, .v4):
            return false
        }
    }

    public var description: String { "\(address)/\(length)" }
}

/// The value of an ASCII hexadecimal digit; nil for any other byte.
@inlinable
public func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
}
