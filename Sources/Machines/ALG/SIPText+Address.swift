import Base

/// Addresses, URIs and parameters.
extension SIPText {
    /// An address with its port, and where they stand.
    struct Located: Hashable, Sendable {
        var range: Range<Int>
        /// Port 5060 where the text has none.
        var endpoint: Endpoint
    }

    enum URILookup: Hashable, Sendable {
        case found(Located)
        /// A port below 1024 or above 65535. Where the address begins.
        case malformed(Int)
        case absent
    }

    /// A walk over the values of one field name.
    struct Walk: Sendable {
        /// Where the last value ended. A rewrite does not move it, so that after a shortened value a comma close behind
        /// can be missed, as in the kernel.
        var offset = 0
        /// In the middle of a field: what follows a comma comes next.
        var inField = false
    }

    /// The address literal at `at` and where it ends; nil for anything else, a host name above all.
    func address(at: Int) -> (IPAddress, end: Int)? {
        guard at >= 0, at < end else { return nil }
        return isIPv6 ? addressV6(at) : addressV4(at)
    }

    private func addressV4(_ start: Int) -> (IPAddress, end: Int)? {
        var at = start
        var bits: UInt32 = 0
        for part in 0..<4 {
            if part > 0 {
                guard at < end, bytes[at] == 0x2e else { return nil }
                at += 1
            }
            let stop = digitsEnd(at)
            guard stop > at, stop - at <= 10, number(at: at) <= 255 else { return nil }
            bits = bits << 8 | UInt32(number(at: at))
            at = stop
        }
        if at < end, bytes[at] == 0x2e || hexDigit(bytes[at]) != nil { return nil }
        return (.v4(IPv4Address(bits: bits)), at)
    }

    private func addressV6(_ start: Int) -> (IPAddress, end: Int)? {
        let bracketed = bytes[start] == 0x5b
        let first = bracketed ? start + 1 : start
        var at = first
        while at < end, at - first < 46, hexDigit(bytes[at]) != nil || bytes[at] == 0x3a || bytes[at] == 0x2e { at += 1 }
        guard let v6 = IPv6Address(utf8: bytes[first..<at]) else { return nil }
        guard bracketed else { return (.v6(v6), at) }
        return at < end && bytes[at] == 0x5d ? (.v6(v6), at + 1) : nil
    }

    /// The range of an address and what follows it of `:port`; empty without an address, or with a port of more than five digits,
    /// below 1024 or above 65535.
    func addressAndPort(at: Int) -> Range<Int> {
        let nothing = min(at, end)..<min(at, end)
        guard let (_, stop) = address(at: at) else { return nothing }
        guard stop < end, bytes[stop] == 0x3a else { return at..<stop }
        let last = digitsEnd(stop + 1)
        return last - stop <= 6 && (1024...65_535).contains(number(at: stop + 1)) ? at..<last : nothing
    }

    private func endpoint(_ range: Range<Int>) -> URILookup {
        guard let (address, stop) = address(at: range.lowerBound) else { return .malformed(range.lowerBound) }
        guard stop < end, bytes[stop] == 0x3a else { return .found(Located(range: range, endpoint: Endpoint(address, 5060))) }
        let port = number(at: stop + 1)
        guard port >= 1024, let port = UInt16(exactly: port) else { return .malformed(range.lowerBound) }
        return .found(Located(range: range, endpoint: Endpoint(address, port)))
    }

    /// The address in the Request-URI of a request; nil for a host name, another scheme or a port below 1024.
    func requestAddress() -> Located? {
        var at = 0
        while at < end, isLetter(bytes[at]) { at += 1 }
        guard at > 0 else { return nil }
        at += 1
        let scheme: [UInt8] = [0x73, 0x69, 0x70, 0x3a]
        while !has(scheme, at: at) {
            guard at < end, !isLineEnd(at) else { return nil }
            at += 1
        }
        at += scheme.count
        var sign = at
        while sign < end, bytes[sign] != 0x40, !isLineEnd(sign) { sign += 1 }
        if sign < end, bytes[sign] == 0x40 { at = sign + 1 }
        let range = addressAndPort(at: at)
        guard !range.isEmpty, case .found(let located) = endpoint(range) else { return nil }
        return located
    }

    /// The next value of `name` that is an address; host names are passed over.
    func uri(_ name: Name, _ walk: inout Walk) -> URILookup {
        var offset = walk.offset
        var value: Lookup = .absent
        if walk.inField {
            value = nextValue(name, from: offset)
            while case .malformed(let at) = value {
                offset += at
                value = nextValue(name, from: offset)
            }
            walk.inField = false
        }
        if case .absent = value {
            value = header(name, from: offset)
            while case .malformed(let at) = value {
                offset += at
                value = header(name, from: offset)
            }
        }
        guard case .found(let range) = value else { return .absent }
        walk.inField = true
        let result = endpoint(range)
        walk.offset = range.upperBound
        return result
    }

    /// The first value of `name` that is an address.
    func uri(_ name: Name) -> URILookup {
        var walk = Walk()
        return uri(name, &walk)
    }

    /// Where the value of parameter `name` (with its `=`) begins, after `offset` within the same value of the field.
    func parameter(_ name: StaticString, from offset: Int) -> Int? {
        let limit = search([0x2c], from: offset, to: end) ?? end
        let text = name.bytes
        return search(text, from: offset, to: limit).map { $0 + text.count }
    }

    func addressParameter(_ name: StaticString, from offset: Int) -> (Range<Int>, IPAddress)? {
        guard let start = parameter(name, from: offset), let (address, stop) = address(at: start) else { return nil }
        return (start..<stop, address)
    }

    func numberParameter(_ name: StaticString, from offset: Int) -> (Range<Int>, UInt64)? {
        guard let start = parameter(name, from: offset) else { return nil }
        let stop = digitsEnd(start)
        return stop > start ? (start..<stop, number(at: start)) : nil
    }

    /// The transport a Contact asks for; nil for one that is neither UDP nor TCP. `absent`: what counts without a parameter.
    func transport(from offset: Int, absent: SIPTransport) -> SIPTransport? {
        guard let start = parameter("transport=", from: offset) else { return absent }
        if has("udp".utf8Bytes, at: start) { return .udp }
        return has("tcp".utf8Bytes, at: start) ? .tcp : nil
    }
}

extension String {
    var utf8Bytes: [UInt8] { Array(utf8) }
}
